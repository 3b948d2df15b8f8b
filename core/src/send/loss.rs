//! How much of what is sent to one viewer is lost, and how it is lost: alone or in runs.

use core::time::Duration;

use crate::time::Timestamp;

/// How long what was seen counts, at least half of it: what comes now may be worse than before, but is rarely better for long.
const MEMORY_SHORT: Duration = Duration::from_secs(4);
const MEMORY_LONG: Duration = Duration::from_secs(40);
/// Packets that an untried path is taken to have carried, one of them in vain.
const PRIOR_PACKETS: u64 = 100;
const PRIOR_LOST: u64 = 1;

/// Packets of one period whose fate is known.
#[derive(Clone, Copy, Debug, Default)]
struct Period {
    packets: u64,
    lost: u64,
    /// Runs of packets lost one behind the other.
    runs: u64,
}

impl Period {
    /// Whether more was lost than chance explains, by three standard deviations.
    fn is_worse_than(self, usual: Self) -> bool {
        let expected = usual.lost * self.packets / usual.packets.max(1);
        self.packets >= PRIOR_PACKETS && self.lost > expected + 3 * expected.isqrt() + 2
    }

    const fn and(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, lost: self.lost + other.lost, runs: self.runs + other.runs }
    }
}

/// What was seen in the running half of a memory, and in the half before it.
#[derive(Debug)]
struct Memory {
    period: Duration,
    running: Period,
    before: Period,
    began: Timestamp,
}

impl Memory {
    const fn new(now: Timestamp, period: Duration) -> Self {
        let none = Period { packets: 0, lost: 0, runs: 0 };
        let prior = Period { packets: PRIOR_PACKETS, lost: PRIOR_LOST, runs: PRIOR_LOST };
        Self { period, running: none, before: prior, began: now }
    }

    fn observe(&mut self, now: Timestamp, seen: Period) {
        if now >= self.began + self.period / 2 {
            // A period in which next to nothing was sent says nothing.
            if self.running.packets >= PRIOR_PACKETS / 2 {
                self.before = core::mem::take(&mut self.running);
            }
            self.began = now;
        }
        self.running = self.running.and(seen);
    }

    const fn get(&self) -> Period {
        self.running.and(self.before)
    }
}

/// The loss of the last half minute, or of the last seconds if that is clearly more.
#[derive(Debug)]
pub(super) struct Loss {
    short: Memory,
    long: Memory,
    in_run: bool,
}

impl Loss {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { short: Memory::new(now, MEMORY_SHORT), long: Memory::new(now, MEMORY_LONG), in_run: false }
    }

    /// The fate of the next packet, in the order in which they were sent.
    pub(super) fn observe(&mut self, now: Timestamp, lost: bool) {
        let seen = Period { packets: 1, lost: lost.into(), runs: (lost && !self.in_run).into() };
        self.in_run = lost;
        self.short.observe(now, seen);
        self.long.observe(now, seen);
    }

    /// A packet that counted as lost came after all.
    pub(super) const fn found(&mut self) {
        self.short.running.lost = self.short.running.lost.saturating_sub(1);
        self.long.running.lost = self.long.running.lost.saturating_sub(1);
    }

    /// Parts per million of the packets that are lost.
    pub(super) fn ppm(&self) -> u32 {
        let usual = self.long.get();
        [self.short.get(), self.short.running]
            .into_iter()
            .filter(|seen| seen.is_worse_than(usual))
            .fold(ppm(usual.lost, usual.packets), |worst, seen| worst.max(ppm(seen.lost, seen.packets)))
    }

    /// Packets that are lost one behind the other, in the mean, in hundredths.
    pub(super) fn burst_hundredths(&self) -> u32 {
        let Period { lost, runs, .. } = self.long.get();
        u32::try_from(lost.max(runs) * 100 / runs.max(1)).unwrap_or(u32::MAX).max(100)
    }
}

fn ppm(part: u64, whole: u64) -> u32 {
    u32::try_from(part * 1_000_000 / whole.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(seconds: u64, lost: impl Fn(u64) -> bool) -> Loss {
        let mut loss = Loss::new(Timestamp::ZERO);
        (0..seconds * 100).for_each(|i| loss.observe(Timestamp::from_millis(i * 10), lost(i)));
        loss
    }

    #[test]
    fn a_path_is_known_by_what_it_lost_lately() {
        assert_eq!(fed(0, |_| false).ppm(), 10_000, "a guess");
        assert_eq!(fed(60, |i| i.is_multiple_of(20)).ppm(), 50_000);
        assert_eq!(fed(90, |i| i < 3_000 && i.is_multiple_of(20)).ppm(), 0, "forgotten");
        assert!(fed(40, |i| i < 3_000 && i.is_multiple_of(20)).ppm() > 30_000, "not so soon");
        assert!(fed(61, |i| i >= 5_950).ppm() > 400_000, "it rises at once");
    }

    #[test]
    fn runs_are_told_from_single_losses() {
        assert_eq!(fed(60, |i| i.is_multiple_of(20)).burst_hundredths(), 100);
        assert_eq!(fed(60, |i| i % 100 < 5).burst_hundredths(), 500);
        assert_eq!(fed(60, |_| false).burst_hundredths(), 100);
    }

    #[test]
    fn what_was_only_late_is_not_lost() {
        let mut loss = fed(10, |i| i.is_multiple_of(10));
        let before = loss.ppm();
        (0..20).for_each(|_| loss.found());
        assert!(loss.ppm() < before);
        (0..10_000).for_each(|_| loss.found());
        assert!(loss.burst_hundredths() >= 100);
    }
}
