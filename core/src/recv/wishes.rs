//! What the viewer wishes of its stream: said until the server has heard it.

use core::time::Duration;

use crate::time::Timestamp;
use crate::wire::control::Wish;

/// The highest temporal layer that the wire can name: all of them.
const EVERY_LAYER: u8 = 3;

/// The wish that counts, and whether the server knows it.
#[derive(Debug)]
pub(super) struct Wishes {
    wish: Wish,
    /// When to say it again; nothing once it was heard.
    due: Option<Timestamp>,
}

impl Wishes {
    /// A new session's server takes it that everything is wanted.
    pub(super) fn new(now: Timestamp, paused: bool) -> Self {
        let wish = Wish { sequence: 0, paused: false, kbps_max: 0, temporal_id_max: EVERY_LAYER, budget_ms: 0 };
        let mut wishes = Self { wish, due: None };
        wishes.pause(now, paused);
        wishes
    }

    /// Wants no media from now on, or media again.
    pub(super) fn pause(&mut self, now: Timestamp, paused: bool) {
        if self.wish.paused != paused {
            self.wish.paused = paused;
            self.wish.sequence = self.wish.sequence.wrapping_add(1);
            self.due = Some(now);
        }
    }

    /// Frames are shown this long after their capture at the latest; small changes are not worth a word.
    pub(super) fn budget(&mut self, now: Timestamp, budget: Duration) {
        let millis = u16::try_from(budget.as_millis()).unwrap_or(u16::MAX).max(1);
        if millis.abs_diff(self.wish.budget_ms) > self.wish.budget_ms / 8 {
            self.wish.budget_ms = millis;
            self.wish.sequence = self.wish.sequence.wrapping_add(1);
            self.due = Some(now);
        }
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.wish.paused
    }

    /// When there is something to say.
    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// The wish, if it is due; it will be due again after `timeout`.
    pub(super) fn poll(&mut self, now: Timestamp, timeout: Duration) -> Option<Wish> {
        self.due.filter(|due| now >= *due)?;
        self.due = Some(now + timeout);
        Some(self.wish)
    }

    /// The server heard the wish with this number.
    pub(super) fn heard(&mut self, sequence: u8) {
        if sequence == self.wish.sequence {
            self.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(50);

    #[test]
    fn a_wish_is_said_until_it_is_heard_and_only_the_last_one_counts() {
        let at = Timestamp::from_millis;
        let mut wishes = Wishes::new(at(0), false);
        assert_eq!(wishes.due(), None, "nothing is wished for");
        wishes.pause(at(10), true);
        let first = wishes.poll(at(10), TIMEOUT).unwrap();
        assert!(first.paused && wishes.poll(at(59), TIMEOUT).is_none());
        assert_eq!(wishes.poll(at(60), TIMEOUT), Some(first));
        wishes.pause(at(70), false);
        wishes.heard(first.sequence);
        let second = wishes.poll(at(70), TIMEOUT).unwrap();
        assert!(!second.paused, "what was heard is out of date");
        wishes.heard(second.sequence);
        assert_eq!((wishes.due(), wishes.poll(at(1_000), TIMEOUT)), (None, None));
        assert!(Wishes::new(at(0), true).poll(at(0), TIMEOUT).is_some_and(|wish| wish.paused));
    }
}
