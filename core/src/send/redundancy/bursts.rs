//! Parity for a frame that is sent once, over a path that loses rows in bursts.
//!
//! The path is good or bad (Gilbert's model): everything is lost while it is bad, nothing while it is good. Each row
//! that comes is then followed by no loss, or by a burst with a geometric length; a frame is restored if there were no
//! more losses than parity rows by the time that as many rows came as it has fragments.

use super::fixed::{ONE, div, from_ppm, mul, power};
use crate::limits::{CODE_BLOCK_FRAGMENTS_MAX, PARITY_PERCENT_MAX};

/// A path that loses more is treated as if it lost this much.
const LOSS_PPM_MAX: u32 = 500_000;
/// Bursts that are longer are treated as if they were this long.
const MEAN_BURST_HUNDREDTHS_MAX: u32 = 100_000;
/// Parity rows of the largest code block.
const ROWS_MAX: usize = (CODE_BLOCK_FRAGMENTS_MAX * PARITY_PERCENT_MAX).div_ceil(100);

/// Parity rows that a frame of so many fragments gets at most.
#[must_use]
pub fn rows_max(fragments: u16) -> u16 {
    let share = usize::from(fragments) * PARITY_PERCENT_MAX / 100;
    u16::try_from(share).unwrap_or(u16::MAX).max(2)
}

/// The fewest parity rows with which a frame is lost with a chance of at most `target_ppm`; [`rows_max`] if even those
/// do not reach that.
///
/// `mean_burst_hundredths` counts losses in a row, in hundredths; losses that are independent of each other come in
/// bursts, too, and shorter ones are taken for those. A frame of several code blocks is sent row by row of each in
/// turn: each of them sees shorter bursts. The work grows with the square of the fragments of a block, and is about
/// 10,000 steps for the largest.
#[must_use]
pub fn rows_for_bursts(fragments: u16, loss_ppm: u32, mean_burst_hundredths: u32, target_ppm: u32) -> u16 {
    let blocks = usize::from(fragments).div_ceil(CODE_BLOCK_FRAGMENTS_MAX).max(1);
    let path = Path::new(loss_ppm, mean_burst_hundredths).every(blocks as u32);
    let failure = from_ppm(target_ppm) / blocks as u128;
    let rows = path.rows(usize::from(fragments).div_ceil(blocks), chance(ONE - failure));
    u16::try_from(rows * blocks).unwrap_or(u16::MAX).min(rows_max(fragments))
}

/// Chances to move between the two states.
struct Path {
    bad: u128,
    to_bad: u128,
    to_good: u128,
}

impl Path {
    fn new(loss_ppm: u32, mean_burst_hundredths: u32) -> Self {
        let bad = from_ppm(loss_ppm.min(LOSS_PPM_MAX));
        let mean = u128::from(mean_burst_hundredths.clamp(100, MEAN_BURST_HUNDREDTHS_MAX));
        let to_good = 100 * ONE / mean;
        Self { bad, to_bad: div(mul(to_good, bad), ONE - bad), to_good }
    }

    /// As every `steps`-th row sees it. Bursts that are shorter than those of independent losses become those.
    fn every(&self, steps: u32) -> Self {
        let moved = ONE - power(ONE.saturating_sub(self.to_bad + self.to_good), steps);
        Self { bad: self.bad, to_bad: mul(self.bad, moved), to_good: mul(ONE - self.bad, moved) }
    }

    /// The fewest parity rows that restore `fragments` with the chance `success`.
    fn rows(&self, fragments: usize, success: u64) -> usize {
        let rows_max = (fragments * PARITY_PERCENT_MAX).div_ceil(100).clamp(2, ROWS_MAX);
        let mut losses = [0; ROWS_MAX + 1];
        let Some(losses) = losses.get_mut(..=rows_max) else { return rows_max };
        if let [none, ..] = losses {
            *none = chance(ONE);
        }
        let ends = factor(self.to_good);
        before_one_comes(losses, factor(self.bad), ends);
        for _ in 1..fragments {
            before_one_comes(losses, factor(self.to_bad), ends);
        }
        let mut restored = 0;
        let suffice = losses.iter().position(|chance| {
            restored += chance;
            restored >= success
        });
        suffice.unwrap_or(rows_max)
    }
}

/// Chances and factors in 64 bits, so that products stay there: this is the only loop that has to be fast.
const CHANCE_DIGITS: u32 = 36;
const FACTOR_DIGITS: u32 = 27;
const FACTOR_ONE: u64 = 1 << FACTOR_DIGITS;

fn chance(number: u128) -> u64 {
    (number * (1 << CHANCE_DIGITS) / ONE) as u64
}

fn factor(number: u128) -> u64 {
    (number * u128::from(FACTOR_ONE) / ONE) as u64
}

fn times(chance: u64, factor: u64) -> u64 {
    (chance * factor) >> FACTOR_DIGITS
}

/// Adds the losses before the next row comes to the chances of each number of `losses`, of which there are none with
/// `1 - begins`, and else as many as a burst has that `ends` after each.
///
/// Rounds down, which makes the losses seem greater.
fn before_one_comes(losses: &mut [u64], begins: u64, ends: u64) {
    let mut burst = 0;
    for chance in losses {
        let without = times(*chance, FACTOR_ONE - begins);
        let with = times(burst, begins);
        burst = times(*chance, ends) + times(burst, FACTOR_ONE - ends);
        *chance = without + with;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_a_cap() {
        for (fragments, rows) in [(0, 2), (1, 2), (5, 2), (6, 3), (10, 5), (128, 64), (129, 64), (4_096, 2_048)] {
            assert_eq!(rows_max(fragments), rows, "{fragments} fragments");
            assert_eq!(rows_for_bursts(fragments, 500_000, 1_000, 0), rows, "{fragments} fragments, half of it lost");
        }
    }

    #[test]
    fn nothing_is_sent_against_no_loss() {
        for fragments in [1, 128, 4_096] {
            assert_eq!(rows_for_bursts(fragments, 0, 1_000, 1_000), 0);
        }
    }

    #[test]
    fn no_statistics_are_too_odd() {
        let odd = [0, 1, 99, 100, 999_999, 1_000_000, u32::MAX];
        for fragments in [0, 1, 127, 128, 129, u16::MAX] {
            for loss in odd {
                for burst in odd {
                    for target in odd {
                        let rows = rows_for_bursts(fragments, loss, burst, target);
                        assert!(rows <= rows_max(fragments), "{fragments} {loss} {burst} {target}");
                    }
                }
            }
        }
    }
}
