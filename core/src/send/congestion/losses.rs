//! What loss says about the rate. Random loss says nothing: repairing it is what the rest is for. But what a policer
//! takes away goes with the rate, and only trying it tells the two apart.

use core::time::Duration;

use crate::time::Timestamp;

const PPM: u64 = 1_000_000;
const PERIODS: usize = 8;
/// One eighth of the time that is looked at, roughly a second.
const PERIOD: Duration = Duration::from_millis(128);
const WINDOW: Duration = Duration::from_millis(128 * PERIODS as u64);
/// Periods that must all have lost that much: an outage is loss too, but no sign of a limit.
const PERIODS_MIN: usize = 6;
/// Packets in a period that tell something.
const PACKETS_MIN: u32 = 5;

/// Random loss as it is common on Wi-Fi: never a reason to slow down.
const FLOOR_PPM: u64 = 200_000;
/// Loss so far over the floor is put to the test.
const EXCESS_PPM: u64 = 100_000;
/// How long the outcome of a test counts.
const FLOOR_PERIOD: Duration = Duration::from_secs(60);
/// How long the source has to follow, or the test says nothing.
const TRIAL_PERIOD_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, Default)]
struct Period {
    acked: u32,
    lost: u32,
}

impl Period {
    /// Whether more was lost than `ppm`, and than chance would have it by a standard deviation: few packets tell little.
    fn is_over(self, ppm: u64) -> bool {
        let all = u64::from(self.acked.saturating_add(self.lost));
        let chance = all.saturating_mul(ppm).saturating_mul(PPM.saturating_sub(ppm)).isqrt();
        all >= u64::from(PACKETS_MIN) && self.acked > 0 && u64::from(self.lost) * PPM > all * ppm + chance
    }
}

/// A lower rate, to see whether less is lost.
#[derive(Clone, Copy, Debug)]
struct Trial {
    since: Timestamp,
    loss_ppm: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// Less is lost.
    Helped,
    /// As much is lost as before: the loss is random.
    InVain,
}

#[derive(Debug)]
pub(super) struct Losses {
    periods: [Period; PERIODS],
    newest: u64,
    floor_ppm: u64,
    floor_at: Timestamp,
    trial: Option<Trial>,
}

impl Losses {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            periods: [Period { acked: 0, lost: 0 }; PERIODS],
            newest: 0,
            floor_ppm: FLOOR_PPM,
            floor_at: now,
            trial: None,
        }
    }

    /// Packets that a report showed to have come, or not.
    pub(super) fn add(&mut self, now: Timestamp, acked: u32, lost: u32) {
        let period = now.as_micros() / PERIOD.as_micros() as u64;
        // No more steps than there are periods.
        self.newest = self.newest.max(period.saturating_sub(PERIODS as u64));
        while self.newest < period {
            self.newest += 1;
            *self.newest_mut() = Period::default();
        }
        let slot = self.newest_mut();
        slot.acked = slot.acked.saturating_add(acked);
        slot.lost = slot.lost.saturating_add(lost);
        if now - self.floor_at > FLOOR_PERIOD {
            self.floor_ppm = FLOOR_PPM;
        }
    }

    /// Whether a lower rate should be tried, as more is lost than is known to be random.
    pub(super) fn is_trial_due(&self) -> bool {
        self.trial.is_none() && self.is_over(self.floor_ppm + EXCESS_PPM)
    }

    /// The rate was lowered.
    pub(super) fn begin_trial(&mut self, now: Timestamp) {
        self.trial = Some(Trial { since: now, loss_ppm: self.share_ppm() });
    }

    /// Whether a lower rate is being tried.
    pub(super) const fn is_trying(&self) -> bool {
        self.trial.is_some()
    }

    /// What came of the lower rate, once it was kept for `obeyed`.
    pub(super) fn conclude(&mut self, now: Timestamp, obeyed: Duration, rtt: Duration) -> Option<Tried> {
        let trial = self.trial?;
        if obeyed < WINDOW + PERIOD + rtt {
            self.trial = (now - trial.since < TRIAL_PERIOD_MAX + rtt * 2).then_some(trial);
            return None;
        }
        self.trial = None;
        self.floor_ppm = self.share_ppm();
        self.floor_at = now;
        Some(if self.floor_ppm > trial.loss_ppm * 2 / 3 { Tried::InVain } else { Tried::Helped })
    }

    fn is_over(&self, ppm: u64) -> bool {
        self.periods.iter().filter(|period| period.is_over(ppm)).count() >= PERIODS_MIN
    }

    fn share_ppm(&self) -> u64 {
        let sum = |part: fn(&Period) -> u32| self.periods.iter().map(|period| u64::from(part(period))).sum::<u64>();
        let (acked, lost) = (sum(|period| period.acked), sum(|period| period.lost));
        lost * PPM / (acked + lost).max(1)
    }

    fn newest_mut(&mut self) -> &mut Period {
        let place = usize::try_from(self.newest).map_or(0, |newest| newest % PERIODS);
        &mut self.periods[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    /// A second and a half of reports, each of so many packets that came and did not.
    fn after(acked: u32, lost: u32, start: u64, losses: &mut Losses) -> Timestamp {
        (0..93).for_each(|i| losses.add(Timestamp::from_millis(start + i * 16), acked, lost));
        Timestamp::from_millis(start + 92 * 16)
    }

    /// The outcome of a trial that began with half lost, when then so many of ten are lost; and whether the loss that is left
    /// is worth another trial.
    fn check(lost: u32, expected: Tried) {
        let mut losses = Losses::new(Timestamp::ZERO);
        let now = after(5, 5, 0, &mut losses);
        assert!(losses.is_trial_due());
        losses.begin_trial(now);
        assert!(!losses.is_trial_due() && losses.is_trying());
        let now = after(10 - lost, lost, 1_500, &mut losses);
        assert_eq!(losses.conclude(now, Duration::from_millis(1_000), RTT), None, "too early");
        assert_eq!(losses.conclude(now, Duration::from_millis(1_300), RTT), Some(expected));
        assert!(!losses.is_trial_due() && !losses.is_trying());
    }

    #[test]
    fn a_trial_tells_random_loss_from_a_policer() {
        check(0, Tried::Helped);
        check(3, Tried::Helped);
        check(4, Tried::InVain);
        check(5, Tried::InVain);
    }

    #[test]
    fn what_a_trial_found_counts_for_a_minute() {
        let mut losses = Losses::new(Timestamp::ZERO);
        let now = after(5, 5, 0, &mut losses);
        losses.begin_trial(now);
        let now = after(10, 0, 1_500, &mut losses);
        assert_eq!(losses.conclude(now, Duration::from_secs(2), RTT), Some(Tried::Helped));
        after(8, 2, 3_000, &mut losses);
        assert!(losses.is_trial_due(), "a policer is known to be there");
        after(8, 2, 70_000, &mut losses);
        assert!(!losses.is_trial_due());
    }

    #[test]
    fn a_source_that_does_not_follow_ends_the_trial() {
        let mut losses = Losses::new(Timestamp::ZERO);
        let now = after(5, 5, 0, &mut losses);
        losses.begin_trial(now);
        let now = after(5, 5, 6_000, &mut losses);
        assert_eq!(losses.conclude(now, Duration::ZERO, RTT), None);
        assert!(losses.is_trial_due(), "so another one may begin");
    }

    #[test]
    fn an_outage_is_not_put_to_the_test() {
        let mut losses = Losses::new(Timestamp::ZERO);
        after(10, 0, 0, &mut losses);
        losses.add(Timestamp::from_millis(2_500), 10, 400);
        after(10, 0, 2_516, &mut losses);
        assert!(!losses.is_trial_due());
    }
}
