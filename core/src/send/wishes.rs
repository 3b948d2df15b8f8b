//! What a viewer wished for, and whether it was told that it was heard.

use core::time::Duration;

use super::pacer::Rate;
use crate::wire::control::{Control, Wish};

#[derive(Debug, Default)]
pub(super) struct Wishes {
    current: Option<Wish>,
    unanswered: bool,
}

impl Wishes {
    /// Takes a wish in, unless a later one came first. Whether it ends a pause.
    pub(super) fn hear(&mut self, wish: Wish) -> bool {
        self.unanswered = true;
        let is_news = self.current.is_none_or(|current| {
            // Sequence numbers wrap: later is what lies less than half of them ahead.
            (1..0x80).contains(&wish.sequence.wrapping_sub(current.sequence))
        });
        let was_paused = self.is_paused();
        if is_news {
            self.current = Some(wish);
        }
        was_paused && !self.is_paused()
    }

    pub(super) const fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// The answer, if one is due.
    pub(super) fn answer(&mut self) -> Option<Control<'static>> {
        let due = core::mem::take(&mut self.unanswered);
        self.current.filter(|_| due).map(|wish| Control::WishHeard(wish.sequence))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.current.is_some_and(|wish| wish.paused)
    }

    /// Whether pictures of this temporal layer are wanted.
    pub(super) fn wants_layer(&self, temporal_id: u8) -> bool {
        self.current.is_none_or(|wish| temporal_id <= wish.temporal_id_max)
    }

    /// How long after its capture the viewer shows a frame at the latest, if it said so.
    pub(super) fn budget(&self) -> Option<Duration> {
        let budget_ms = self.current.map(|wish| wish.budget_ms).filter(|budget_ms| *budget_ms > 0);
        budget_ms.map(|budget_ms| Duration::from_millis(budget_ms.into()))
    }

    /// `rate`, or less if the viewer takes less.
    pub(super) fn limit(&self, rate: Rate) -> Rate {
        let limit = self.current.filter(|wish| wish.kbps_max > 0);
        limit.map_or(rate, |wish| rate.min(Rate(u64::from(wish.kbps_max) * 125)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { sequence: 250, paused: true, kbps_max: 0, temporal_id_max: 1, budget_ms: 0 };

    #[test]
    fn an_overtaken_wish_changes_nothing_and_each_is_answered_by_the_latest() {
        let mut wishes = Wishes::default();
        assert_eq!((wishes.is_paused(), wishes.answer()), (false, None));
        assert!(!wishes.hear(WISH));
        assert_eq!((wishes.is_paused(), wishes.answer(), wishes.answer()), (true, Some(Control::WishHeard(250)), None));
        let resume = Wish { sequence: 3, paused: false, kbps_max: 8, ..WISH };
        assert!(wishes.hear(resume), "the pause is over");
        assert!(!wishes.hear(WISH), "overtaken");
        assert_eq!((wishes.is_paused(), wishes.answer()), (false, Some(Control::WishHeard(3))));
        assert_eq!((wishes.wants_layer(1), wishes.wants_layer(2)), (true, false));
        assert_eq!((wishes.limit(Rate(5_000)), wishes.limit(Rate(500))), (Rate(1_000), Rate(500)));
    }
}
