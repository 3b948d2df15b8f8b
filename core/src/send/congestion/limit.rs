//! What the path is known to carry: lowered at once when it is full, raised again with care, forgotten when nobody comes
//! near it any more.

use core::time::Duration;

use crate::limits::{RATE_BYTES_MAX, RATE_BYTES_MIN};
use crate::send::pacer::Rate;
use crate::time::{Timestamp, micros};

/// How the rate falls, in thousandths of what arrives: further, the longer the queue, so that it is gone in a second.
const DECREASE: u64 = 850;
const DECREASE_MOST: u64 = 500;
/// How many times less than what arrived in half a second may have arrived at the end of it.
const FALL_MAX: u64 = 4;
/// For loss without a queue, there is nothing to drain.
const DECREASE_LOSS: u64 = 950;
/// What is kept of the path's rate once the queue is gone.
const DRAINED: u64 = 950;
/// Time in which what arrives shows the last decrease, beyond the round trip.
const DECREASE_SPACING: Duration = Duration::from_millis(100);

/// Time until a lower rate can show at the earliest, beyond the round trip: a frame is under way, and a report.
const EFFECT_DELAY: Duration = Duration::from_millis(50);
/// A queue that is none any more.
const QUEUE_NONE_US: u64 = 10_000;
/// Queues that the rate neither rises with nor has to fall for.
const QUEUE_KEPT_US: u64 = 30_000;
/// A queue that counts as gone.
pub(super) const QUEUE_GONE_US: u64 = 20_000;

/// Growth up to a tenth over what the path carried: thousandths of that a second.
const GROWTH_NEAR: u64 = 30;
const NEAR: u64 = 1_100;
/// Growth beyond, where another path may have begun: thousandths a second, more with each second.
const GROWTH: u64 = 80;
const GROWTH_MAX: u64 = 320;
/// The longest time that one step of growth makes up for.
const GROWTH_STEP_MAX: Duration = Duration::from_millis(300);
/// The estimate, in thousandths of what arrives, that says nothing about more than it.
const UNPROVED: u64 = 1_500;
/// The estimate, in thousandths of what is sent, that holds nobody back.
const ROOMY: u64 = 1_400;
/// How long it has to hold nobody back to be forgotten.
const ROOMY_PERIOD: Duration = Duration::from_secs(30);
/// A source that sends this much, in thousandths of what the path carried, obeys.
const OBEDIENT: u64 = 950;

/// What reports say about the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    pub(super) now: Timestamp,
    pub(super) rtt: Duration,
    pub(super) queue_us: u64,
    /// What is sent, over half a second.
    pub(super) sent: Rate,
    /// What arrives, over half a second.
    pub(super) acked: Rate,
    /// What arrives, over an eighth of a second.
    pub(super) acked_lately: Rate,
}

/// Before the rate was lowered, once or several times in a row.
#[derive(Clone, Copy, Debug)]
struct Before {
    lowered_at: Timestamp,
    estimate: Option<u64>,
    /// What arrived.
    acked: u64,
}

impl Signs {
    /// The round trip without the queue.
    fn empty_rtt(&self) -> Duration {
        self.rtt.saturating_sub(Duration::from_micros(self.queue_us))
    }
}

#[derive(Debug)]
pub(super) struct Limit {
    estimate: Option<u64>,
    /// What arrived when the path was full.
    capacity: u64,
    /// What was before the rate was lowered, until that has shown its effect.
    before: Option<Before>,
    lowered_at: Option<Timestamp>,
    updated_at: Timestamp,
    /// When the rate began to go beyond the neighbourhood of the capacity.
    beyond_since: Option<Timestamp>,
    /// Since when the source has sent less than the path carried.
    obeyed_since: Timestamp,
    /// When the estimate last held somebody back.
    tight_at: Timestamp,
}

impl Limit {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            estimate: None,
            capacity: 0,
            before: None,
            lowered_at: None,
            updated_at: now,
            beyond_since: None,
            obeyed_since: now,
            tight_at: now,
        }
    }

    /// Bytes a second; none while the path has shown no limit.
    pub(super) const fn get(&self) -> Option<Rate> {
        match self.estimate {
            Some(rate) => Some(Rate(rate)),
            None => None,
        }
    }

    /// How long the source has kept below what the path carried when the rate was lowered; zero if it was not.
    pub(super) fn obeyed_for(&self, now: Timestamp) -> Duration {
        if self.before.is_some() { now - self.obeyed_since } else { Duration::ZERO }
    }

    /// Whether the queue that the rate was lowered for went away sooner than a lower rate can help: a burst, or jitter.
    pub(super) fn was_hasty(&self, signs: &Signs) -> bool {
        signs.queue_us < QUEUE_NONE_US && self.is_early(signs)
    }

    /// Whether the rate was lowered so recently that what is seen cannot come of it.
    fn is_early(&self, signs: &Signs) -> bool {
        self.before.is_some_and(|before| signs.now - before.lowered_at < signs.empty_rtt() + EFFECT_DELAY)
    }

    /// The path has a queue: lowers the rate, unless that was just done.
    pub(super) fn lower(&mut self, signs: &Signs) {
        let keep = 1_000u64.saturating_sub(signs.queue_us / 1_000).clamp(DECREASE_MOST, DECREASE);
        // A path may have stood still for a moment.
        self.lower_to(signs, signs.acked_lately.max(Rate(signs.acked.0 / FALL_MAX)), keep);
    }

    /// The path drops what is too much without a queue.
    pub(super) fn lower_for_loss(&mut self, signs: &Signs) {
        self.lower_to(signs, signs.acked, DECREASE_LOSS);
    }

    /// Neither up nor down.
    pub(super) fn hold(&mut self, signs: &Signs) {
        self.pass(signs);
    }

    fn lower_to(&mut self, signs: &Signs, acked: Rate, keep: u64) {
        self.pass(signs);
        let spacing = signs.empty_rtt() + DECREASE_SPACING;
        if self.lowered_at.is_some_and(|at| signs.now - at < spacing) {
            return;
        }
        self.capacity = acked.0.clamp(RATE_BYTES_MIN, RATE_BYTES_MAX);
        if self.before.is_none() {
            self.before = Some(Before { lowered_at: signs.now, estimate: self.estimate, acked: self.capacity });
            self.obeyed_since = signs.now;
        }
        let lower = thousandths(self.capacity, keep).max(RATE_BYTES_MIN);
        self.estimate = Some(self.estimate.map_or(lower, |estimate| estimate.min(lower)));
        self.lowered_at = Some(signs.now);
        self.beyond_since = None;
        self.tight_at = signs.now;
    }

    /// Lowering the rate was in vain: it was not the rate.
    pub(super) fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.estimate = before.estimate;
            self.capacity = 0;
        }
    }

    /// Nothing speaks against a higher rate.
    pub(super) fn grow(&mut self, signs: &Signs) {
        let step = self.pass(signs);
        let Some(estimate) = self.estimate else { return };
        let mut rate = estimate;
        if self.before.is_some() && signs.queue_us <= QUEUE_GONE_US && !self.is_early(signs) {
            self.before = None;
            rate = rate.max(thousandths(self.capacity, DRAINED));
        }
        if self.before.is_none() && signs.queue_us <= QUEUE_KEPT_US {
            rate += self.growth(signs.now, rate) * step / 1_000_000;
        }
        rate = rate.min(thousandths(signs.acked.0, UNPROVED).max(estimate)).clamp(RATE_BYTES_MIN, RATE_BYTES_MAX);
        self.estimate = (signs.now - self.tight_at <= ROOMY_PERIOD).then_some(rate);
    }

    /// Bytes a second that are added each second.
    fn growth(&mut self, now: Timestamp, rate: u64) -> u64 {
        if rate <= thousandths(self.capacity, NEAR) {
            return thousandths(self.capacity, GROWTH_NEAR);
        }
        let since = *self.beyond_since.get_or_insert(now);
        let speed = GROWTH + GROWTH * micros(now - since) / 1_000_000;
        thousandths(rate, speed.min(GROWTH_MAX))
    }

    /// Time passes, whatever becomes of the rate: microseconds of it that growth may use.
    fn pass(&mut self, signs: &Signs) -> u64 {
        let step = (signs.now - self.updated_at).min(GROWTH_STEP_MAX);
        self.updated_at = signs.now;
        if self.before.is_some_and(|before| signs.sent.0 > thousandths(before.acked, OBEDIENT)) {
            self.obeyed_since = signs.now;
        }
        if self.estimate.is_none_or(|estimate| estimate < thousandths(signs.sent.0, ROOMY)) {
            self.tight_at = signs.now;
        }
        micros(step)
    }
}

const fn thousandths(of: u64, share: u64) -> u64 {
    of.saturating_mul(share) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate(100_000);

    fn at(millis: u64, queue_ms: u64) -> Signs {
        let rtt = Duration::from_millis(200 + queue_ms);
        let now = Timestamp::from_millis(millis);
        Signs { now, rtt, queue_us: queue_ms * 1_000, sent: RATE, acked: RATE, acked_lately: RATE }
    }

    fn lowered() -> Limit {
        let mut limit = Limit::new(Timestamp::ZERO);
        limit.lower(&at(1_000, 100));
        assert_eq!(limit.get(), Some(Rate(85_000)));
        limit
    }

    #[test]
    fn the_rate_falls_once_in_a_round_trip_and_further_for_a_longer_queue() {
        let mut limit = lowered();
        limit.lower(&at(1_290, 400));
        assert_eq!(limit.get(), Some(Rate(85_000)));
        limit.lower(&at(1_300, 400));
        assert_eq!(limit.get(), Some(Rate(60_000)), "400 ms are gone in a second");
        limit.lower(&at(2_000, 5_000));
        assert_eq!(limit.get(), Some(Rate(50_000)));
        limit.lower(&at(3_000, 100));
        assert_eq!(limit.get(), Some(Rate(50_000)), "never up");
    }

    #[test]
    fn a_path_that_stood_still_does_not_end_at_nothing() {
        let mut limit = Limit::new(Timestamp::ZERO);
        limit.lower(&Signs { acked_lately: Rate(0), ..at(1_000, 100) });
        assert_eq!(limit.get(), Some(Rate(21_250)));
    }

    #[test]
    fn the_rate_rises_again_when_the_queue_is_gone_and_not_while_there_is_one() {
        let mut limit = lowered();
        limit.grow(&at(1_240, 15));
        assert_eq!(limit.get(), Some(Rate(85_000)), "not by the lower rate");
        limit.grow(&at(1_500, 25));
        assert_eq!(limit.get(), Some(Rate(85_000)), "not gone");
        limit.grow(&at(1_500, 15));
        assert_eq!(limit.get(), Some(Rate(95_000)));
        limit.grow(&at(1_700, 35));
        assert_eq!(limit.get(), Some(Rate(95_000)), "a new one");
        limit.grow(&at(1_900, 25));
        assert_eq!(limit.get(), Some(Rate(95_600)), "3 % a second");
    }

    #[test]
    fn what_went_by_itself_was_no_limit() {
        let hasty = |millis, queue_ms| lowered().was_hasty(&at(millis, queue_ms));
        assert!(hasty(1_240, 9));
        assert!(!hasty(1_240, 11), "not gone");
        assert!(!hasty(1_250, 9), "the lower rate may have helped");
    }
}
