//! How well a proxy keeps its times.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Samples that are kept; the rest of a very long run counts only for the maximum.
const SAMPLES_MAX: usize = 1 << 20;

/// How late datagrams were handed on, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lateness {
    /// Half of them were no later than this.
    pub p50_us: u32,
    /// 99 % were no later than this.
    pub p99_us: u32,
    /// The latest.
    pub max_us: u32,
    /// Share that was no later than 200 µs.
    pub within_200_us: f64,
}

/// Collects them.
#[derive(Debug, Default)]
pub(super) struct Samples {
    late_us: Vec<u32>,
    max_us: u32,
}

impl Samples {
    pub(super) fn add(&mut self, late: Duration) {
        let late_us = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        self.max_us = self.max_us.max(late_us);
        if self.late_us.len() < SAMPLES_MAX {
            self.late_us.push(late_us);
        }
    }

    pub(super) fn summary(&self) -> Lateness {
        let mut sorted = self.late_us.clone();
        sorted.sort_unstable();
        // The nearest rank.
        let percentile = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            rank.checked_sub(1).and_then(|place| sorted.get(place)).copied().unwrap_or_default()
        };
        let punctual = sorted.partition_point(|late_us| *late_us <= 200);
        Lateness {
            p50_us: percentile(50),
            p99_us: percentile(99),
            max_us: self.max_us,
            within_200_us: punctual as f64 / sorted.len().max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_of_nearest_ranks() {
        let mut samples = Samples::default();
        assert_eq!(samples.summary(), Lateness::default());
        (101..=300).rev().for_each(|us| samples.add(Duration::from_micros(us)));
        let wanted = Lateness { p50_us: 200, p99_us: 298, max_us: 300, within_200_us: 0.5 };
        assert_eq!(samples.summary(), wanted);
        samples.add(Duration::MAX);
        assert_eq!(samples.summary().max_us, u32::MAX);
    }
}
