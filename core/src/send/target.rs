//! One encoder for many paths: what it is asked to make.

use alloc::vec::Vec;
use core::time::Duration;

use super::pacer::Rate;
use crate::time::Timestamp;

/// How often the encoder may be told to make more; to make less, at once.
const RAISE_PERIOD: Duration = Duration::from_millis(250);
/// How often the paths are looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// Smaller changes, in hundredths, are not worth a word.
const CHANGE_PERCENT_MIN: u64 = 5;

/// What the encoder was told.
#[derive(Debug)]
pub(super) struct Target {
    told: Option<Rate>,
    told_at: Timestamp,
    next_look: Timestamp,
}

impl Target {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { told: None, told_at: now, next_look: now }
    }

    /// Whether it is time to look at the paths again.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let due = now >= self.next_look;
        if due {
            self.next_look = now + LOOK_PERIOD;
        }
        due
    }

    /// The paths carry `rates`, each none if it has shown no limit: what to tell the encoder now, if anything.
    pub(super) fn follow(&mut self, now: Timestamp, rates: impl Iterator<Item = Option<Rate>>) -> Option<Option<Rate>> {
        let wanted = common(rates.map(|rate| rate.unwrap_or(UNLIMITED)).collect());
        let before = self.told.unwrap_or(UNLIMITED);
        let less = wanted.0 < before.0 - before.0 / 100 * CHANGE_PERCENT_MIN;
        let more = wanted.0 > before.0.saturating_add(before.0 / 100 * CHANGE_PERCENT_MIN);
        let changes = less || (more && now >= self.told_at + RAISE_PERIOD);
        if changes {
            self.told = Some(wanted).filter(|wanted| *wanted != UNLIMITED);
            self.told_at = now;
        }
        changes.then_some(self.told)
    }
}

const UNLIMITED: Rate = Rate(u64::MAX);

/// What suits most: the least of the rates that are at least half of the median. A few slow paths get fewer pictures
/// instead.
fn common(mut rates: Vec<Rate>) -> Rate {
    rates.sort_unstable();
    let median = rates.get(rates.len() / 2).copied().unwrap_or(UNLIMITED);
    rates.into_iter().find(|rate| rate.0 >= median.0 / 2).unwrap_or(UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_slow_paths_do_not_slow_the_others() {
        let common_of = |rates: &[u64]| common(rates.iter().copied().map(Rate).collect()).0;
        assert_eq!(common_of(&[]), u64::MAX);
        assert_eq!(common_of(&[70]), 70);
        assert_eq!(common_of(&[100, 90, 60, 10]), 60);
        assert_eq!(common_of(&[u64::MAX, u64::MAX, 10]), u64::MAX);
        assert_eq!(common_of(&[10, 20]), 10);
    }

    #[test]
    fn the_encoder_hears_of_less_at_once_and_of_more_now_and_then() {
        let at = Timestamp::from_millis;
        let mut target = Target::new(at(0));
        let mut follow = |millis, rate: Option<u64>| target.follow(at(millis), [rate.map(Rate)].into_iter());
        assert_eq!(follow(0, None), None);
        assert_eq!(follow(10, Some(1_000)), Some(Some(Rate(1_000))));
        assert_eq!(follow(11, Some(960)), None);
        assert_eq!(follow(12, Some(900)), Some(Some(Rate(900))));
        assert_eq!((follow(200, Some(2_000)), follow(262, Some(2_000))), (None, Some(Some(Rate(2_000)))));
        assert_eq!(follow(600, None), Some(None));
    }
}
