//! Bytes a second over a sliding window, on whichever clock the caller counts by.

use crate::send::pacer::Rate;
use crate::wire::feedback::TIME_UNIT_US;

/// Periods that are kept, the one that is being filled included.
const PERIODS: usize = 64;
const MASK: u64 = PERIODS as u64 - 1;
/// Report units in a period: 8.2 ms.
const PERIOD_UNITS: u64 = 128;
const PERIOD_US: u64 = PERIOD_UNITS * TIME_UNIT_US;
/// A clock that went back by more than this many periods is another clock.
const SET_BACK_PERIODS: u64 = 1024;

/// Half a second: what a source makes, whatever the sizes of its frames.
pub(super) const WINDOW: u64 = PERIODS as u64 - 1;
/// An eighth of a second: what a full path carries, soon after that changed.
pub(super) const WINDOW_SHORT: u64 = 16;

#[derive(Debug)]
pub(super) struct Meter {
    bytes: [u32; PERIODS],
    newest: u64,
    /// The first period of an unbroken count.
    since: u64,
}

impl Meter {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; PERIODS], newest: 0, since: 0 }
    }

    /// `bytes` passed at `at`, in report units.
    pub(super) fn add(&mut self, at: u64, bytes: u32) {
        let period = at / PERIOD_UNITS;
        if period > self.newest + MASK || period + SET_BACK_PERIODS < self.newest {
            *self = Self { bytes: [0; PERIODS], newest: period, since: period };
        }
        while self.newest < period {
            self.newest += 1;
            if let Some(slot) = self.bytes.get_mut(place(self.newest)) {
                *slot = 0;
            }
        }
        if period + MASK >= self.newest
            && let Some(slot) = self.bytes.get_mut(place(period))
        {
            *slot = slot.saturating_add(bytes);
        }
    }

    /// The rate over the last `periods` whole ones, at most [`WINDOW`]; zero before there is one.
    pub(super) fn rate(&self, periods: u64) -> Rate {
        let periods = periods.min(WINDOW).min(self.newest - self.since);
        let whole = (self.newest - periods)..self.newest;
        let sum: u64 = whole.filter_map(|period| self.bytes.get(place(period))).map(|bytes| u64::from(*bytes)).sum();
        Rate(sum * 1_000_000 / (periods * PERIOD_US).max(1))
    }
}

const fn place(period: u64) -> usize {
    (period & MASK) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of `bytes` each 10 ms from `start`, report units.
    fn fill(meter: &mut Meter, start: u64, bytes: u32) {
        (0..100).for_each(|i| meter.add(start + i * 10_000 / TIME_UNIT_US, bytes));
    }

    fn check(meter: &Meter, periods: u64, expected: u64) {
        let Rate(rate) = meter.rate(periods);
        assert!(rate.abs_diff(expected) <= expected / 12, "{rate}, not {expected}");
    }

    #[test]
    fn windows_slide() {
        let mut meter = Meter::new();
        assert_eq!(meter.rate(WINDOW), Rate(0));
        fill(&mut meter, 0, 1_000);
        check(&meter, WINDOW, 100_000);
        let second = 1_000_000 / TIME_UNIT_US;
        (0..20).for_each(|i| meter.add(second + i * 10_000 / TIME_UNIT_US, 3_000));
        check(&meter, WINDOW_SHORT, 300_000);
        check(&meter, WINDOW, 177_500);
    }

    #[test]
    fn the_start_is_not_diluted_and_a_clock_set_back_begins_anew() {
        let mut meter = Meter::new();
        for start in [1 << 40, 1 << 20, u64::MAX / 2] {
            meter.add(start, 500);
            assert_eq!(meter.rate(WINDOW), Rate(0), "no whole period yet");
            (1..12).for_each(|i| meter.add(start + i * 10_000 / TIME_UNIT_US, 500));
            check(&meter, WINDOW, 50_000);
        }
        let before = meter.rate(WINDOW);
        meter.add(u64::MAX / 2 - 100 * PERIOD_UNITS, 500);
        assert_eq!(meter.rate(WINDOW), before, "too late to count");
        meter.add(u64::MAX / 2 + 3 * PERIOD_UNITS, 5_500);
        check(&meter, WINDOW, before.0 * 2);
    }
}
