//! Who is due when: one deadline a viewer, the earliest found at once.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::time::Timestamp;

/// Deadlines by table index. Ties go to the lower index, which makes the order reproducible.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    order: BTreeSet<(Timestamp, usize)>,
    deadlines: Vec<Option<Timestamp>>,
}

impl Schedule {
    /// Sets or clears the deadline of `index`.
    pub(super) fn set(&mut self, index: usize, deadline: Option<Timestamp>) {
        if self.deadlines.len() <= index {
            self.deadlines.resize(index + 1, None);
        }
        let Some(slot) = self.deadlines.get_mut(index) else { return };
        if *slot == deadline {
            return;
        }
        if let Some(old) = *slot {
            self.order.remove(&(old, index));
        }
        *slot = deadline;
        if let Some(new) = deadline {
            self.order.insert((new, index));
        }
    }

    /// The earliest deadline and whose it is.
    pub(super) fn first(&self) -> Option<(Timestamp, usize)> {
        self.order.first().copied()
    }

    /// Whose deadline has come, earliest first.
    pub(super) fn due(&self, now: Timestamp) -> Option<usize> {
        self.first().filter(|(at, _)| *at <= now).map(|(_, index)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_first_and_changes_take_effect() {
        let ms = Timestamp::from_millis;
        let mut schedule = Schedule::default();
        schedule.set(3, Some(ms(30)));
        schedule.set(1, Some(ms(10)));
        assert_eq!(schedule.first(), Some((ms(10), 1)));
        schedule.set(1, Some(ms(40)));
        assert_eq!((schedule.due(ms(29)), schedule.due(ms(30))), (None, Some(3)));
        schedule.set(3, None);
        assert_eq!(schedule.first(), Some((ms(40), 1)));
    }
}
