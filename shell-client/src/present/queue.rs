//! The bounded queue between the driver, which must never wait, and the decode thread.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use super::{ReleasedUnit, lock};

/// Four seconds at 30 pictures a second: whoever is further behind is better served by a fresh key unit.
const UNITS_MAX: usize = 120;
/// A ceiling for the memory whatever the size of the units; one unit is always taken.
const BYTES_MAX: usize = 64 << 20;

/// The decoder cannot keep up: units were dropped, and the next key unit should be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("decoding cannot keep up: {dropped} access units dropped until the next key unit")]
pub struct Overrun {
    /// How many since the queue overflowed.
    pub dropped: u64,
}

#[derive(Default)]
pub(super) struct UnitQueue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    units: VecDeque<ReleasedUnit>,
    bytes: usize,
    closed: bool,
}

/// What the decode thread finds.
pub(super) enum Next {
    /// A unit, and whether another waits behind it.
    Unit(Box<ReleasedUnit>, bool),
    /// Nothing came in time.
    Idle,
    /// Nothing will come any more.
    Closed,
}

impl UnitQueue {
    /// Whether the unit found room. After the end it is swallowed: nobody needs a key unit then.
    pub(super) fn push(&self, unit: ReleasedUnit) -> bool {
        let mut state = lock(&self.state);
        if state.closed {
            return true;
        }
        let bytes = state.bytes.saturating_add(unit.size());
        let has_room = state.units.len() < UNITS_MAX && bytes <= BYTES_MAX;
        if !has_room && !state.units.is_empty() {
            return false;
        }
        state.bytes = bytes;
        state.units.push_back(unit);
        drop(state);
        self.wake.notify_one();
        true
    }

    /// The oldest unit, or what there is in place of one after at most `timeout`.
    pub(super) fn pop(&self, timeout: Duration) -> Next {
        let (mut state, _) = self
            .wake
            .wait_timeout_while(lock(&self.state), timeout, |state| state.units.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(unit) = state.units.pop_front() {
            state.bytes = state.bytes.saturating_sub(unit.size());
            return Next::Unit(Box::new(unit), !state.units.is_empty());
        }
        if state.closed { Next::Closed } else { Next::Idle }
    }

    /// Takes no more units; those that wait are still given out.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.wake.notify_all();
    }
}

impl ReleasedUnit {
    fn size(&self) -> usize {
        self.bytes.len().saturating_add(self.parameter_sets.as_ref().map_or(0, bytes::Bytes::len))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::unit;
    use super::*;

    fn popped(queue: &UnitQueue) -> Option<u64> {
        match queue.pop(Duration::ZERO) {
            Next::Unit(unit, _) => Some(unit.frame_id),
            Next::Idle | Next::Closed => None,
        }
    }

    #[test]
    fn holds_so_many_units_and_gives_them_in_order() {
        let queue = UnitQueue::default();
        let taken = (0..200).take_while(|&id| queue.push(unit(id, false, b"x"))).count();
        assert_eq!(taken, UNITS_MAX);
        assert_eq!(popped(&queue), Some(0));
        assert!(queue.push(unit(500, false, b"x")) && !queue.push(unit(501, false, b"x")));
        assert_eq!(popped(&queue), Some(1));
    }

    #[test]
    fn holds_so_many_bytes_but_always_one_unit() {
        let queue = UnitQueue::default();
        let huge = vec![0; BYTES_MAX + 1];
        assert!(queue.push(unit(0, true, &huge)));
        assert!(!queue.push(unit(1, true, b"x")));
        assert_eq!(popped(&queue), Some(0));
        assert!(queue.push(unit(2, true, b"x")) && queue.push(unit(3, true, b"x")));
        assert!(!queue.push(unit(4, true, &huge)));
    }

    #[test]
    fn says_whether_more_waits_and_when_it_is_over() {
        let queue = UnitQueue::default();
        assert!(matches!(queue.pop(Duration::ZERO), Next::Idle));
        queue.push(unit(0, true, b"x"));
        queue.push(unit(1, true, b"x"));
        queue.close();
        assert!(queue.push(unit(2, true, b"x")), "swallowed");
        assert!(matches!(queue.pop(Duration::ZERO), Next::Unit(_, true)));
        assert!(matches!(queue.pop(Duration::ZERO), Next::Unit(_, false)));
        assert!(matches!(queue.pop(Duration::ZERO), Next::Closed));
    }
}
