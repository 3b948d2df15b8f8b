//! What the stages cost, measured on the threads that do the work.

use core::fmt;
use core::time::Duration;

/// Durations that a [`Reservoir`] remembers.
pub const SAMPLES_MAX: usize = 4096;

/// The latest [`SAMPLES_MAX`] durations of a stage. It belongs to one thread.
#[derive(Clone, Debug, Default)]
pub struct Reservoir {
    microseconds: Vec<u32>,
    /// Where the next duration goes once the reservoir is full.
    oldest: usize,
    count: u64,
}

impl Reservoir {
    /// Adds a duration, in place of the oldest one if the reservoir is full.
    pub fn add(&mut self, duration: Duration) {
        let microseconds = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        self.count += 1;
        if self.microseconds.len() < SAMPLES_MAX {
            self.microseconds.push(microseconds);
        } else if let Some(slot) = self.microseconds.get_mut(self.oldest) {
            *slot = microseconds;
            self.oldest = (self.oldest + 1) % SAMPLES_MAX;
        }
    }

    /// Median and 95th percentile of what is remembered.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut sorted = self.microseconds.clone();
        sorted.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            Duration::from_micros(sorted.get(rank).copied().unwrap_or(0).into())
        };
        Summary { count: self.count, median: percentile(50), p95: percentile(95) }
    }
}

/// What one stage cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How often it ran.
    pub count: u64,
    /// Half of the latest [`SAMPLES_MAX`] runs took no longer.
    pub median: Duration,
    /// 95 % of the latest [`SAMPLES_MAX`] runs took no longer.
    pub p95: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(f, "{:.1}/{:.1} ms", milliseconds(self.median), milliseconds(self.p95))
    }
}

/// What a source did, from its opening to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Taking or drawing a picture, comparing it with the one before.
    pub capture: Summary,
    /// Converting and encoding a picture.
    pub encode: Summary,
    /// Pictures that were the same as the one before.
    pub unchanged: u64,
    /// Pictures that a newer one replaced while the encoder was busy.
    pub replaced: u64,
    /// Access units handed to the driver.
    pub access_units: u64,
    /// Access units that were encoded as key frames on request.
    pub key_frames: u64,
}

impl StageTimes {
    /// What two threads did that share no stage.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let ran = |one: Summary, other: Summary| if one.count == 0 { other } else { one };
        Self {
            capture: ran(self.capture, other.capture),
            encode: ran(self.encode, other.encode),
            unchanged: self.unchanged + other.unchanged,
            replaced: self.replaced + other.replaced,
            access_units: self.access_units + other.access_units,
            key_frames: self.key_frames + other.key_frames,
        }
    }
}

impl fmt::Display for StageTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capture, encode, unchanged, replaced, access_units, key_frames } = self;
        write!(
            f,
            "{} pictures ({unchanged} unchanged, {replaced} replaced), {access_units} access units \
             ({key_frames} key frames on request); median/p95: capture {capture}, encode {encode}",
            capture.count
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_p95_of_the_latest() {
        let mut reservoir = Reservoir::default();
        assert_eq!(reservoir.summary(), Summary::default());
        (1..=100).for_each(|ms| reservoir.add(Duration::from_millis(ms)));
        let expected = |count, median, p95| Summary {
            count,
            median: Duration::from_millis(median),
            p95: Duration::from_millis(p95),
        };
        assert_eq!(reservoir.summary(), expected(100, 50, 95));
        (0..SAMPLES_MAX).for_each(|_| reservoir.add(Duration::from_millis(7)));
        assert_eq!(reservoir.summary(), expected(100 + 4096, 7, 7), "old durations are forgotten");
        assert_eq!(reservoir.microseconds.len(), SAMPLES_MAX);
    }
}
