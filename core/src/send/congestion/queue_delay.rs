//! The queue on the path: how much longer packets are under way now than the fastest one of the last seconds.

use core::time::Duration;

use crate::time::Timestamp;

/// The fastest packet is remembered for 9 to 10 s: a clock that is off by 100 ppm makes a millisecond of that.
const BASE_PERIODS: usize = 10;
const BASE_PERIOD_US: u64 = 1_000_000;
/// The queue now is that of the fastest packet that came within the last 65 to 98 ms: frames are bursts, and jitter strikes
/// packets one by one, but a queue that stands is met by all of them.
const NOW_PERIODS: usize = 3;
const NOW_PERIOD_US: u64 = 1 << 15;
/// A packet that took this much longer or shorter than the fastest says that a clock was set.
const CLOCK_SET_US: u64 = 10_000_000;
/// A queue is the same as before within this much.
const SAME_US: u64 = 10_000;

#[derive(Debug)]
pub(super) struct QueueDelay {
    base: Lowest<BASE_PERIODS, BASE_PERIOD_US>,
    now: Lowest<NOW_PERIODS, NOW_PERIOD_US>,
    /// When the newest packet was sent.
    sent_us: u64,
    mark_us: u64,
    mark_at: Timestamp,
}

impl QueueDelay {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { base: Lowest::new(), now: Lowest::new(), sent_us: 0, mark_us: 0, mark_at: now }
    }

    /// A packet sent at `sent_us` came at `received_us`, by clocks that have nothing in common.
    pub(super) fn add(&mut self, sent_us: u64, received_us: u64) {
        let transit_us = received_us.wrapping_sub(sent_us).cast_signed();
        if self.base.get().is_some_and(|base| base.abs_diff(transit_us) > CLOCK_SET_US) {
            self.base = Lowest::new();
            self.now = Lowest::new();
        }
        self.sent_us = sent_us;
        self.base.add(sent_us, transit_us);
        self.now.add(received_us, transit_us);
    }

    /// The delay that every packet of late met, microseconds.
    pub(super) fn get_us(&self) -> u64 {
        self.now.get().zip(self.base.get()).map_or(0, |(now, base)| now.abs_diff(base))
    }

    /// Notes how long the queue has been the same, at every report.
    pub(super) fn observe(&mut self, now: Timestamp) {
        if self.get_us().abs_diff(self.mark_us) > SAME_US {
            self.mark_us = self.get_us();
            self.mark_at = now;
        }
    }

    /// How long it has neither grown nor shrunk.
    pub(super) fn same_for(&self, now: Timestamp) -> Duration {
        now - self.mark_at
    }

    /// It is no queue: the path itself has become longer.
    pub(super) fn rebase(&mut self) {
        self.base = Lowest::new();
        if let Some(now) = self.now.get() {
            self.base.add(self.sent_us, now);
        }
    }
}

/// The lowest value of the last `N` periods.
#[derive(Debug)]
struct Lowest<const N: usize, const PERIOD_US: u64> {
    periods: [i64; N],
    newest: u64,
}

impl<const N: usize, const PERIOD_US: u64> Lowest<N, PERIOD_US> {
    const fn new() -> Self {
        Self { periods: [i64::MAX; N], newest: 0 }
    }

    fn add(&mut self, at_us: u64, value: i64) {
        let period = at_us / PERIOD_US;
        let kept = N as u64;
        // No more steps than there are periods.
        self.newest = self.newest.max(period.saturating_sub(kept));
        while self.newest < period {
            self.newest += 1;
            self.put(self.newest, i64::MAX);
        }
        if period + kept > self.newest {
            self.put(period, value.min(self.at(period)));
        }
    }

    fn get(&self) -> Option<i64> {
        self.periods.iter().copied().min().filter(|value| *value != i64::MAX)
    }

    fn at(&self, period: u64) -> i64 {
        self.periods.get(Self::place(period)).copied().unwrap_or(i64::MAX)
    }

    fn put(&mut self, period: u64, value: i64) {
        if let Some(slot) = self.periods.get_mut(Self::place(period)) {
            *slot = value;
        }
    }

    const fn place(period: u64) -> usize {
        (period % N as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS_DIFFER_US: u64 = 1 << 40;

    /// A packet each 5 ms during `millis`, that takes as long as `transit_us` says for its time.
    fn run(queue: &mut QueueDelay, millis: core::ops::Range<u64>, transit_us: impl Fn(u64) -> i64) {
        for at in millis.step_by(5) {
            let sent_us = at * 1_000 + CLOCKS_DIFFER_US;
            queue.add(sent_us, sent_us.wrapping_add_signed(transit_us(at)));
            queue.observe(Timestamp::from_millis(at));
        }
    }

    #[test]
    fn what_all_packets_meet_is_the_queue() {
        let mut queue = QueueDelay::new(Timestamp::ZERO);
        run(&mut queue, 0..1_000, |_| -7_000_000);
        run(&mut queue, 1_000..2_000, |at| if at % 50 == 0 { -7_000_000 } else { -6_980_000 });
        assert_eq!(queue.get_us(), 0);
        run(&mut queue, 2_000..2_200, |_| -6_980_000);
        assert_eq!(queue.get_us(), 20_000);
        run(&mut queue, 2_200..2_210, |_| -7_000_000);
        assert_eq!(queue.get_us(), 0, "one fast packet is enough");
    }

    #[test]
    fn a_clock_that_runs_fast_or_is_set_makes_no_queue() {
        for drift in [-1, 1] {
            let mut queue = QueueDelay::new(Timestamp::ZERO);
            for start in 0..60 {
                run(&mut queue, start * 1_000..(start + 1) * 1_000, |at| drift * at as i64 / 10);
                assert!(queue.get_us() <= 1_100, "{} us after {start} s", queue.get_us());
            }
            run(&mut queue, 60_000..60_005, |_| drift * i64::MAX / 2);
            assert_eq!(queue.get_us(), 0);
        }
    }

    #[test]
    fn a_longer_path_is_the_new_base() {
        let mut queue = QueueDelay::new(Timestamp::ZERO);
        run(&mut queue, 0..3_000, |_| 0);
        run(&mut queue, 3_000..4_000, |_| 80_000);
        let now = Timestamp::from_millis(4_000);
        assert_eq!((queue.get_us(), queue.same_for(now) > Duration::from_millis(800)), (80_000, true));
        queue.rebase();
        assert_eq!(queue.get_us(), 0);
        run(&mut queue, 4_000..4_500, |_| 110_000);
        assert_eq!(queue.get_us(), 30_000);
        run(&mut queue, 4_500..16_000, |_| 110_000);
        assert_eq!(queue.get_us(), 0, "nothing faster for ten seconds");
    }
}
