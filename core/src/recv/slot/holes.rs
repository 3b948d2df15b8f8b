//! What later fragments of a frame overtook, and since when: missing for longer than the reorder tolerance, it is lost.

use core::time::Duration;

use crate::time::Timestamp;

/// Stages in which a frame's holes are dated: a few are as good as one a fragment, as dates lie a tolerance apart.
const STAGES: usize = 4;

/// At the time of each stage, everything below its fragment should have come.
#[derive(Debug, Default)]
pub(super) struct Holes {
    stages: [(Timestamp, u16); STAGES],
    len: usize,
}

impl Holes {
    /// Everything missing below fragment `below` was overtaken by `now` at the latest.
    pub(super) fn overtaken(&mut self, now: Timestamp, below: u16) {
        let dated = self.stages().last().is_some_and(|(_, dated)| *dated >= below);
        if dated {
            return;
        }
        // When there are too many the newest gives way: what is in between is dated too late, never too early.
        let place = self.len.min(STAGES - 1);
        if let Some(stage) = self.stages.get_mut(place) {
            *stage = (now, below);
            self.len = place + 1;
        }
    }

    /// Nothing is missing below `lowest_missing`.
    pub(super) fn filled(&mut self, lowest_missing: u16) {
        let done = self.stages().iter().take_while(|(_, below)| *below <= lowest_missing).count();
        self.stages.rotate_left(done);
        self.len -= done;
    }

    /// What is missing below this fragment is lost: it was overtaken `tolerance` ago.
    pub(super) fn lost_below(&self, now: Timestamp, tolerance: Duration) -> u16 {
        let aged = self.stages().iter().rev().find(|(at, _)| now >= *at + tolerance);
        aged.map_or(0, |(_, below)| *below)
    }

    /// When more of it will count as lost.
    pub(super) fn next(&self, now: Timestamp, tolerance: Duration) -> Option<Timestamp> {
        self.stages().iter().map(|(at, _)| *at + tolerance).find(|at| *at > now)
    }

    fn stages(&self) -> &[(Timestamp, u16)] {
        self.stages.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Duration = Duration::from_millis(5);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_hole_counts_as_lost_a_tolerance_after_it_was_overtaken() {
        let mut holes = Holes::default();
        holes.overtaken(at(10), 4);
        holes.overtaken(at(12), 3);
        holes.overtaken(at(13), 9);
        assert_eq!((holes.lost_below(at(14), TOLERANCE), holes.next(at(14), TOLERANCE)), (0, Some(at(15))));
        assert_eq!((holes.lost_below(at(15), TOLERANCE), holes.next(at(15), TOLERANCE)), (4, Some(at(18))));
        assert_eq!((holes.lost_below(at(18), TOLERANCE), holes.next(at(18), TOLERANCE)), (9, None));
        holes.filled(4);
        assert_eq!((holes.lost_below(at(15), TOLERANCE), holes.lost_below(at(18), TOLERANCE)), (0, 9));
        holes.filled(9);
        assert_eq!((holes.lost_below(at(99), TOLERANCE), holes.next(at(0), TOLERANCE)), (0, None));
    }

    #[test]
    fn many_holes_are_dated_too_late_rather_than_too_early() {
        let mut holes = Holes::default();
        (1..10).for_each(|i| holes.overtaken(at(i), u16::try_from(i).unwrap() * 10));
        assert_eq!(holes.lost_below(at(3) + TOLERANCE, TOLERANCE), 30);
        assert_eq!(holes.lost_below(at(8) + TOLERANCE, TOLERANCE), 30);
        assert_eq!(holes.lost_below(at(9) + TOLERANCE, TOLERANCE), 90);
    }
}
