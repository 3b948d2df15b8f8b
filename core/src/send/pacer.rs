//! Pacing inside a frame: bursts of a few datagrams, spread so that no queue on the path has to hold a key frame.

use core::time::Duration;

use crate::limits::{PACING_FRAME_PERIOD, PACING_LATENESS, PACING_QUEUE_PERIOD};
use crate::time::{Timestamp, micros};

/// What any path carries for a moment, 30 Mbit/s.
pub(super) const PACING_RATE_QUICK: Rate = Rate(3_750_000);

/// When the next burst of one viewer may leave.
#[derive(Debug)]
pub(super) struct Pacer {
    next: Timestamp,
    /// The fastest that the queue needed since it was last empty: it does not slow down as it drains.
    queue_rate: Rate,
}

impl Pacer {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { next: now, queue_rate: Rate(0) }
    }

    /// When the next burst may leave.
    pub(super) const fn next(&self) -> Timestamp {
        self.next
    }

    /// The queue holds this many bytes now.
    pub(super) fn queue_holds(&mut self, bytes: usize) {
        let rate = Rate::over(bytes, PACING_QUEUE_PERIOD);
        self.queue_rate = if bytes == 0 { Rate(0) } else { self.queue_rate.max(rate) };
    }

    /// The rate for the frame in front: the fastest of one and a half times what the source makes, the frame
    /// within [`PACING_FRAME_PERIOD`] and before the next one is due, and the queue within
    /// [`PACING_QUEUE_PERIOD`].
    pub(super) fn rate(&self, frame_len: usize, source: Rate, frame_interval: Duration) -> Rate {
        let period = PACING_FRAME_PERIOD.min(frame_interval * 4 / 5);
        // A small frame leaves sooner: the sooner its end is there, the sooner it is known what it lacks.
        let quick = Rate::over(frame_len, period / 2).min(PACING_RATE_QUICK);
        let frame = Rate::over(frame_len, period).max(quick);
        Rate(source.0 * 3 / 2).max(frame).max(self.queue_rate).max(Rate(1))
    }

    /// A burst of `bytes` left at `now`; the following one waits for as long as this one takes at `rate`.
    /// Time that passed unused earns nothing: a pause is never followed by a larger burst. But a shell that wakes
    /// up late, as timers make it, does not lose the time: it would add up over a large frame.
    pub(super) fn sent(&mut self, now: Timestamp, bytes: usize, rate: Rate) {
        let late = now - self.next;
        let due = if late <= PACING_LATENESS { self.next } else { now };
        self.next = due + rate.time_for(bytes);
    }
}

/// Bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rate(pub(super) u64);

impl Rate {
    /// So many bytes within `period`.
    pub(super) fn over(bytes: usize, period: Duration) -> Self {
        Self(bytes as u64 * 1_000_000 / micros(period))
    }

    /// This rate times `part / whole`.
    pub(super) fn times(self, part: u16, whole: u16) -> Self {
        Self(self.0 * u64::from(part) / u64::from(whole.max(1)))
    }

    /// How long so many bytes take.
    pub(super) fn time_for(self, bytes: usize) -> Duration {
        Duration::from_micros(bytes as u64 * 1_000_000 / self.0.max(1))
    }
}

/// What the source makes, measured over whole seconds.
#[derive(Debug)]
pub(super) struct SourceRate {
    since: Timestamp,
    bytes: u64,
    last: Rate,
}

impl SourceRate {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { since: now, bytes: 0, last: Rate(0) }
    }

    pub(super) fn add(&mut self, now: Timestamp, bytes: usize) {
        let passed = micros(now - self.since);
        if passed >= 1_000_000 {
            self.last = Rate(self.bytes * 1_000_000 / passed);
            self.since = now;
            self.bytes = 0;
        }
        self.bytes += bytes as u64;
    }

    pub(super) const fn get(&self) -> Rate {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);
    const START: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn a_large_frame_leaves_within_the_pacing_period_in_even_steps() {
        let rate = Pacer::new(START).rate(60_000, Rate(100_000), INTERVAL);
        let mut pacer = Pacer::new(START);
        for burst in 0..5u64 {
            assert_eq!(pacer.next(), START + Duration::from_millis(2) * burst as u32);
            pacer.sent(pacer.next(), 12_000, rate);
        }
        assert_eq!(pacer.next(), START + PACING_FRAME_PERIOD);
    }

    #[test]
    fn a_late_wake_up_does_not_delay_the_bursts_behind_it() {
        let mut pacer = Pacer::new(START);
        let rate = Rate(1_000_000);
        let late = Duration::from_micros(1_500);
        for burst in 1..100u32 {
            pacer.sent(pacer.next() + late, 2_000, rate);
            assert_eq!(pacer.next(), START + Duration::from_millis(2) * burst);
        }
    }

    #[test]
    fn idle_time_earns_no_burst() {
        let mut pacer = Pacer::new(Timestamp::ZERO);
        let rate = Rate(1_000_000);
        pacer.sent(START, 1_000, rate);
        assert_eq!(pacer.next(), START + Duration::from_millis(1));
    }

    #[test]
    fn a_fast_source_and_a_long_queue_raise_the_rate() {
        let mut pacer = Pacer::new(START);
        assert_eq!(pacer.rate(1_000, Rate(4_000_000), INTERVAL), Rate(6_000_000));
        pacer.queue_holds(30_000);
        pacer.queue_holds(100);
        assert_eq!(pacer.rate(100, Rate(0), INTERVAL), Rate(600_000), "many small frames leave at one rate");
        pacer.queue_holds(0);
        assert_eq!(pacer.rate(100, Rate(0), INTERVAL), Rate(20_000));
        let fast = Duration::from_millis(5);
        assert_eq!(pacer.rate(100, Rate(0), fast), Rate(50_000), "gone before the next frame is due");
        let mut source = SourceRate::new(Timestamp::ZERO);
        (0..=20u64).for_each(|i| source.add(Timestamp::from_millis(i * 100), 1_000));
        assert_eq!(source.get(), Rate(10_000));
    }
}
