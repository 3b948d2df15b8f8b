//! Absolute deadlines: tick `n` is due at `start + n / rate`, so rounding and late wake-ups never add up.

use core::time::Duration;
use std::time::Instant;

/// What becomes of ticks that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// They are left out: a live picture that was missed is of no use to anyone.
    Skip,
    /// They are made up for at once, so nothing is left out, until they are older than [`CATCH_UP_MAX`].
    CatchUp,
}

/// The longest delay that [`Late::CatchUp`] makes up for; after a longer one the clock starts anew, because a
/// burst of old pictures helps no viewer.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(1);

/// One point in time at which a picture is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Number of the tick, from 0. Under [`Late::Skip`] numbers may be left out.
    pub index: u64,
    /// When it is due; may already lie in the past.
    pub due: Instant,
}

/// Deals out ticks at a fixed rate. It reads no clock and does not sleep.
#[derive(Clone, Debug)]
pub struct Pacer {
    start: Instant,
    /// Index of the tick that is due at `start`.
    first: u64,
    next: u64,
    rate: u32,
    late: Late,
}

impl Pacer {
    /// Ticks at `rate` per second (0 counts as 1), the first one due at `start`.
    #[must_use]
    pub fn new(start: Instant, rate: u32, late: Late) -> Self {
        Self { start, first: 0, next: 0, rate: rate.max(1), late }
    }

    /// The tick to wait for, seen from `now`.
    pub fn next_tick(&mut self, now: Instant) -> Tick {
        match self.late {
            Late::Skip => self.next = self.next.max(self.latest_due(now)),
            Late::CatchUp => {
                if now.saturating_duration_since(self.due(self.next)) > CATCH_UP_MAX {
                    self.start = now;
                    self.first = self.next;
                }
            }
        }
        let tick = Tick { index: self.next, due: self.due(self.next) };
        self.next += 1;
        tick
    }

    fn due(&self, index: u64) -> Instant {
        let nanoseconds = u128::from(index - self.first) * 1_000_000_000 / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn latest_due(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        self.first + u64::try_from(elapsed * u128::from(self.rate) / 1_000_000_000).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a tick at each of `asked_ms` and compares (index, due in ms after the start).
    fn check(rate: u32, late: Late, asked_ms: &[u64], expected: &[(u64, u128)]) {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, rate, late);
        let ticks: Vec<_> = asked_ms
            .iter()
            .map(|&ms| pacer.next_tick(start + Duration::from_millis(ms)))
            .map(|tick| (tick.index, tick.due.duration_since(start).as_millis()))
            .collect();
        assert_eq!(ticks, expected, "{rate} per second, {late:?}");
    }

    #[test]
    fn deadlines_are_absolute_and_late_ticks_follow_the_rule() {
        check(30, Late::Skip, &[0, 1, 40, 70], &[(0, 0), (1, 33), (2, 66), (3, 100)]);
        check(10, Late::Skip, &[0, 350, 351], &[(0, 0), (3, 300), (4, 400)]);
        check(10, Late::CatchUp, &[0, 350, 351, 352], &[(0, 0), (1, 100), (2, 200), (3, 300)]);
        check(10, Late::CatchUp, &[0, 5000, 5001], &[(0, 0), (1, 5000), (2, 5100)]);
        check(0, Late::Skip, &[0, 1], &[(0, 0), (1, 1000)]);
    }

    #[test]
    fn an_hour_of_ticks_does_not_drift() {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, 30, Late::Skip);
        let mut now = start;
        for _ in 0..30 * 3600 {
            now = pacer.next_tick(now).due;
        }
        let last = pacer.next_tick(now);
        assert_eq!((last.index, last.due), (30 * 3600, start + Duration::from_secs(3600)));
    }
}
