//! Rows for one round of sending, losses being independent of each other.
//!
//! The optimum is a dynamic programme over rounds and needs: a missed frame costs 1, and sending as many rows as the
//! frame has fragments costs a thousandth. It is followed without a table. A further row pays if
//!
//! `chance that the frame is whole without it < chance that it makes the frame whole * price of another round`
//!
//! where the price is counted in rows, and without the rows that the next round would have to bring anyway: those cost
//! the same whenever they are sent. Both chances are terms of the negative binomial distribution, and of their ratio
//! the next one follows from the last by a few operations, however large the frame. The price of another round is what
//! the next one wastes, plus the price of the one behind that if it should fail; behind the last one it is the miss.

use super::fixed::{ONE, div, from_ppm, mul, power};
use crate::limits::{CODE_BLOCK_FRAGMENTS_MAX, ROUNDS_MAX};

/// Frames' worth of rows that a miss is worth.
const MISS_FRAMES: u128 = 1_000;
/// A path that loses more is treated as if it lost this much: rows do not make up for an outage.
const LOSS_PPM_MAX: u32 = 500_000;
const FINE_DIGITS: u32 = 40;

/// One round of sending a frame, or one code block of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Chance that a row is lost, in millionths.
    pub loss_ppm: u32,
    /// Chance that the request for a later round never comes, in millionths: see [`request_loss_ppm`].
    pub request_loss_ppm: u32,
    /// Rounds that fit before the deadline once this one has failed.
    pub rounds_left: u8,
    /// Rows without which the block cannot be restored: all of its fragments in the first round, the missing ones in
    /// those that repair.
    pub needed: u16,
    /// Fragments of the whole frame, by which the price of a row is measured.
    pub frame_fragments: u16,
    /// Rows beyond those needed that this round and each later one may send: see [`rows_max`](super::rows_max).
    pub extra_max: u16,
}

impl Round {
    /// Rows to send beyond those needed. None on a path without loss; at most as many as a code block has.
    ///
    /// The cost, beyond the frame's own rows, is within a fortieth of the least possible under the same caps.
    #[must_use]
    pub fn extra_rows(&self) -> u16 {
        let rounds = usize::from(self.rounds_left).min(ROUNDS_MAX);
        let needed = usize::from(self.needed).min(CODE_BLOCK_FRAGMENTS_MAX) as u128;
        self.best(needed, self.price_of_failure(rounds, needed)).extra
    }

    /// What it costs in rows that a round with `rounds` behind it fails to bring the last of `needed`.
    fn price_of_failure(&self, rounds: usize, needed: u128) -> u128 {
        let Some(rounds) = rounds.checked_sub(1) else {
            return u128::from(self.frame_fragments).max(needed) * MISS_FRAMES * ONE;
        };
        let needed = self.needed_after(needed);
        let later = self.price_of_failure(rounds, needed);
        let requested = self.best(needed, later).price(later);
        let lost = from_ppm(self.request_loss_ppm);
        mul(lost, later) + mul(ONE - lost, requested)
    }

    /// What is typically needed after a round that failed: as many as are lost of `needed`, if any is.
    fn needed_after(&self, needed: u128) -> u128 {
        let fails = ONE - power(ONE - self.loss(), needed as u32);
        let mean = div(needed * self.loss(), fails);
        ((mean + ONE / 2) / ONE).clamp(1, needed.max(1))
    }

    /// The rows that pay when it costs `failure` that they do not suffice.
    fn best(&self, needed: u128, failure: u128) -> Rows {
        let extra_max = usize::from(self.extra_max).min(CODE_BLOCK_FRAGMENTS_MAX);
        let mut rows = Rows::new(self.loss(), needed);
        while mul(rows.completes, failure) > ONE && usize::from(rows.extra) < extra_max {
            rows.add();
        }
        rows
    }

    fn loss(&self) -> u128 {
        from_ppm(self.loss_ppm.min(LOSS_PPM_MAX))
    }
}

/// Rows on their way, and what may become of them.
struct Rows {
    loss: u128,
    needed: u128,
    extra: u16,
    /// Chance that enough of them come, with [`FINE_DIGITS`] more than others: it is small for many rows, and then grows.
    suffice: u128,
    /// Chance that one more would have been the last that was needed, over the chance that they suffice.
    completes: u128,
    /// How many of them are sent in vain, on average, as enough have come: as fine.
    wasted: u128,
}

impl Rows {
    fn new(loss: u128, needed: u128) -> Self {
        let suffice = (0..needed).fold(ONE << FINE_DIGITS, |chance, _| mul(chance, ONE - loss));
        Self { loss, needed, extra: 0, suffice, completes: needed * loss, wasted: 0 }
    }

    fn add(&mut self) {
        self.wasted += self.suffice;
        self.suffice = mul(self.suffice, ONE + self.completes).min(ONE << FINE_DIGITS);
        let extra = u128::from(self.extra);
        let chances = mul(self.completes, self.loss) * (self.needed + extra + 1);
        self.completes = div(chances, (extra + 2) * (ONE + self.completes));
        self.extra += 1;
    }

    /// What they cost in rows beyond those needed, where it costs `failure` that they do not suffice.
    fn price(&self, failure: u128) -> u128 {
        (self.wasted >> FINE_DIGITS) + mul(ONE - (self.suffice >> FINE_DIGITS), failure)
    }
}

/// The chance that none of `tries` repeats of a request comes, each of which is lost with `loss_ppm`, in millionths.
#[must_use]
pub fn request_loss_ppm(loss_ppm: u32, tries: u32) -> u32 {
    ((power(from_ppm(loss_ppm), tries) * 1_000_000 + ONE / 2) / ONE) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_extra_rows_gets_none() {
        let last = Round {
            loss_ppm: 10_000,
            request_loss_ppm: 0,
            rounds_left: 0,
            needed: 10,
            frame_fragments: 10,
            extra_max: 128,
        };
        assert_eq!(last.extra_rows(), 3);
        assert_eq!(Round { extra_max: 2, ..last }.extra_rows(), 2);
        assert_eq!(Round { loss_ppm: 0, ..last }.extra_rows(), 0);
        assert_eq!(Round { needed: 0, ..last }.extra_rows(), 0);
        assert_eq!(Round { rounds_left: 1, ..last }.extra_rows(), 0);
        // Unless the request for the next round is likely to be lost.
        assert_eq!(Round { rounds_left: 1, request_loss_ppm: 100_000, ..last }.extra_rows(), 2);
    }

    #[test]
    fn no_round_is_too_odd() {
        for loss_ppm in [0, 1, 499_999, 1_000_000, u32::MAX] {
            for request_loss_ppm in [0, 1, 1_000_000, u32::MAX] {
                for rounds_left in [0, 1, 6, u8::MAX] {
                    for needed in [0, 1, 128, u16::MAX] {
                        for frame_fragments in [0, 1, 4_096, u16::MAX] {
                            let extra_max = u16::MAX;
                            let round =
                                Round { loss_ppm, request_loss_ppm, rounds_left, needed, frame_fragments, extra_max };
                            assert!(usize::from(round.extra_rows()) <= CODE_BLOCK_FRAGMENTS_MAX, "{round:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn requests_that_are_repeated() {
        for (loss, tries, lost) in
            [(200_000, 0, 1_000_000), (200_000, 1, 200_000), (200_000, 2, 40_000), (0, 1, 0), (u32::MAX, 3, 1_000_000)]
        {
            assert_eq!(request_loss_ppm(loss, tries), lost, "{loss} {tries}");
        }
    }
}
