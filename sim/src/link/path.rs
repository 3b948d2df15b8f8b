//! The way behind the queue: how long it takes, what overtakes what, and what arrives twice.

use core::time::Duration;

use nalcast_core::{Rng, Timestamp, time::micros};

use super::config::LinkConfig;

/// The latest arrival so far, before anything is held back.
#[derive(Debug)]
pub(super) struct Path {
    last_arrival: Timestamp,
}

impl Path {
    pub(super) const fn new() -> Self {
        Self { last_arrival: Timestamp::ZERO }
    }

    /// Delay, jitter and hold-back for a datagram that left the queue at `departure`.
    pub(super) fn arrival(
        &mut self,
        departure: Timestamp,
        config: &LinkConfig,
        mut jitter: Rng,
        mut hold_back: Rng,
    ) -> Timestamp {
        let mut arrival = departure + config.delay + between(&mut jitter, Duration::ZERO, config.jitter);
        if !config.jitter_reorders {
            arrival = arrival.max(self.last_arrival);
        }
        self.last_arrival = arrival.max(self.last_arrival);
        if hold_back.chance_ppm(config.hold_back_ppm) {
            arrival += between(&mut hold_back, config.hold_back_min, config.hold_back_max);
        }
        arrival
    }
}

/// When the copy of a datagram arrives, if there is one.
pub(super) fn copy_arrival(original: Timestamp, config: &LinkConfig, mut dice: Rng) -> Option<Timestamp> {
    dice.chance_ppm(config.duplicate_ppm)
        .then(|| original + between(&mut dice, Duration::ZERO, config.duplicate_spread))
}

/// A time from `min` to `max`, both included; `min` if `max` is less.
fn between(rng: &mut Rng, min: Duration, max: Duration) -> Duration {
    let spread = micros(max.saturating_sub(min));
    min + Duration::from_micros(rng.below(spread.saturating_add(1)))
}
