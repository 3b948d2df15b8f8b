//! Where the time goes between the server's capture and this viewer's screen.

use core::time::Duration;

/// A stretch of the way from capture to screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the capture (estimated on this machine's clock) to the last datagram that was needed.
    Network,
    /// From complete to released, in order and at its time.
    Release,
    /// From released to the decoder.
    Queue,
    /// In the decoder and the colour conversion.
    Decode,
    /// From decoded to drawn; no figure without a window.
    Display,
    /// From the capture to drawn, or to decoded where there is no window.
    Total,
}

const STAGES: [(Stage, &str); 6] = [
    (Stage::Network, "network"),
    (Stage::Release, "release"),
    (Stage::Queue, "queue"),
    (Stage::Decode, "decode"),
    (Stage::Display, "display"),
    (Stage::Total, "total"),
];

/// Medians and 95th percentiles by stage, in bounded memory however long the session is.
#[derive(Debug)]
pub struct LatencyStats {
    reservoirs: [Reservoir; STAGES.len()],
}

impl LatencyStats {
    /// No figures yet; keeps at most `samples_max` of each stage.
    #[must_use]
    pub fn new(samples_max: usize) -> Self {
        Self { reservoirs: STAGES.map(|_| Reservoir::new(samples_max)) }
    }

    /// Adds one figure.
    pub fn record(&mut self, stage: Stage, took: Duration) {
        self.reservoirs[stage as usize].add(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Median and 95th percentile of a stage in microseconds, once there is a figure.
    #[must_use]
    pub fn median_and_p95_us(&self, stage: Stage) -> Option<(u32, u32)> {
        let reservoir = &self.reservoirs[stage as usize];
        let mut sorted = reservoir.samples.clone();
        sorted.sort_unstable();
        Some((percentile(&sorted, 50)?, percentile(&sorted, 95)?))
    }

    /// One line of text for each stage that has a figure.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        STAGES
            .iter()
            .filter_map(|&(stage, name)| {
                let (median, p95) = self.median_and_p95_us(stage)?;
                let count = self.reservoirs[stage as usize].count;
                Some(format!(
                    "latency {name:<8} median {:>8} ms   p95 {:>8} ms   of {count} frames",
                    tenths_of_ms(median.into()),
                    tenths_of_ms(p95.into())
                ))
            })
            .collect()
    }
}

/// Microseconds as milliseconds with one decimal place.
pub(crate) fn tenths_of_ms(us: u64) -> String {
    let tenths = us.saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The nearest-rank percentile of sorted samples.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// An even sample of all figures seen (Vitter 1985, algorithm R), so that a long session is judged as a whole.
#[derive(Debug)]
struct Reservoir {
    samples: Vec<u32>,
    samples_max: usize,
    count: u64,
    /// State of a xorshift generator (Marsaglia 2003): which sample to replace is no secret and must only be even.
    random: u64,
}

impl Reservoir {
    fn new(samples_max: usize) -> Self {
        Self { samples: Vec::with_capacity(samples_max), samples_max, count: 0, random: 0x9E37_79B9_7F4A_7C15 }
    }

    fn add(&mut self, sample: u32) {
        self.count += 1;
        if self.samples.len() < self.samples_max {
            self.samples.push(sample);
            return;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let chosen = usize::try_from(self.random % self.count).unwrap_or(usize::MAX);
        if let Some(old) = self.samples.get_mut(chosen) {
            *old = sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples_max: usize, samples: impl IntoIterator<Item = u64>) -> LatencyStats {
        let mut stats = LatencyStats::new(samples_max);
        samples.into_iter().for_each(|us| stats.record(Stage::Decode, Duration::from_micros(us)));
        stats
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let table = [
            (Vec::new(), None),
            (vec![7], Some((7, 7))),
            (vec![2, 1], Some((1, 2))),
            (vec![30, 10, 20], Some((20, 30))),
            (vec![4, 4, 4, 4, 9], Some((4, 9))),
            (vec![u64::MAX], Some((u32::MAX, u32::MAX))),
        ];
        for (samples, wanted) in table {
            assert_eq!(of(8, samples.clone()).median_and_p95_us(Stage::Decode), wanted, "{samples:?}");
        }
        assert_eq!(of(200, 1..=100).median_and_p95_us(Stage::Decode), Some((50, 95)));
    }

    #[test]
    fn a_full_reservoir_stays_bounded_and_even() {
        let stats = of(1000, 0..100_000);
        let (median, p95) = stats.median_and_p95_us(Stage::Decode).unwrap();
        assert_eq!(stats.reservoirs[Stage::Decode as usize].samples.len(), 1000);
        assert!((45_000..55_000).contains(&median), "{median}");
        assert!((93_000..97_000).contains(&p95), "{p95}");
    }

    #[test]
    fn every_stage_has_its_own_place_and_only_those_with_figures_are_printed() {
        for (place, (stage, _)) in STAGES.into_iter().enumerate() {
            assert_eq!(stage as usize, place);
        }
        let lines = of(8, [1_249, 1_250, 30_000]).summary();
        assert_eq!(lines, ["latency decode   median      1.3 ms   p95     30.0 ms   of 3 frames"]);
    }
}
