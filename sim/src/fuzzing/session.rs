//! Server, viewers and a link, driven by the input: what is fed, who comes and goes, what strangers send.

use super::arena;
use super::world::ops;

/// Runs the input as operations; the world checks safety after each step, and recovery at the end. By the first byte the
/// sessions are plain ones, or real ones with an attacker on the way.
///
/// # Panics
///
/// When a frame is released twice, out of order, changed or without its reference, when a buffer is over its cap or
/// a timer in the past, or when a healed network does not bring every viewer its picture.
pub fn session(data: &[u8]) {
    match data.split_first() {
        Some((first, rest)) if first & 1 == 1 => arena::run(rest),
        _ => ops::run(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalcast_core::Rng;

    #[test]
    fn random_runs_obey_the_laws() {
        for seed in 0..20 {
            let mut data = [0; 300];
            Rng::new(seed).fill(&mut data);
            session(&data);
        }
    }
}
