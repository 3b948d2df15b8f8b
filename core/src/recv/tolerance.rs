//! How long to wait for a packet that later ones overtook: by time, learned from the path.

use core::time::Duration;

use crate::limits::{REORDER_MEMORY, REORDER_SETTLING, REORDER_TOLERANCE_MAX, REORDER_TOLERANCE_MIN};
use crate::time::Timestamp;

/// The largest of what was observed in the last [`REORDER_MEMORY`], at least half of that long.
#[derive(Debug)]
pub(super) struct Largest {
    /// In the running half of the memory, and in the half before it.
    largest: [Duration; 2],
    half_began: Timestamp,
}

impl Largest {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { largest: [Duration::ZERO; 2], half_began: now }
    }

    pub(super) fn observe(&mut self, now: Timestamp, observed: Duration) {
        self.forget(now);
        let [running, _] = &mut self.largest;
        *running = (*running).max(observed);
    }

    pub(super) fn get(&self) -> Duration {
        let [a, b] = self.largest;
        a.max(b)
    }

    fn forget(&mut self, now: Timestamp) {
        let half = REORDER_MEMORY / 2;
        let passed = now - self.half_began;
        if passed >= half {
            let [running, _] = self.largest;
            self.largest = [Duration::ZERO, if passed < half * 2 { running } else { Duration::ZERO }];
            self.half_began = now;
        }
    }
}

/// The reorder tolerance: the displacement seen in the last [`REORDER_MEMORY`], with an eighth to spare; an eighth of the
/// round trip while the path is new.
#[derive(Debug)]
pub(super) struct ReorderTolerance {
    displacement: Largest,
    settled_at: Timestamp,
}

impl ReorderTolerance {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { displacement: Largest::new(now), settled_at: now + REORDER_SETTLING }
    }

    pub(super) fn observe(&mut self, now: Timestamp, displacement: Duration) {
        self.displacement.observe(now, displacement);
    }

    pub(super) fn get(&self, now: Timestamp, rtt: Option<Duration>) -> Duration {
        let seen = self.displacement.get();
        let guess = if now < self.settled_at { rtt.unwrap_or_default() / 8 } else { Duration::ZERO };
        let cap = rtt.unwrap_or_default().max(REORDER_TOLERANCE_MAX);
        REORDER_TOLERANCE_MIN.max(guess).max(seen + seen / 8).min(cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_learns_forgets_and_stays_within_its_cap() {
        let at = Timestamp::from_millis;
        let mut tolerance = ReorderTolerance::new(Timestamp::ZERO);
        assert_eq!(tolerance.get(at(0), None), REORDER_TOLERANCE_MIN);
        assert_eq!(tolerance.get(at(0), Some(80 * MS)), 10 * MS);
        tolerance.observe(Timestamp::from_millis(1), 16 * MS);
        assert_eq!(tolerance.get(at(1), Some(80 * MS)), 18 * MS);
        tolerance.observe(Timestamp::from_millis(2), 900 * MS);
        assert_eq!(tolerance.get(at(2), Some(20 * MS)), REORDER_TOLERANCE_MAX);
        assert_eq!(tolerance.get(at(2), Some(100 * MS)), 100 * MS, "a longer round trip lifts the cap");
        tolerance.observe(Timestamp::from_millis(20_000), Duration::ZERO);
        assert_eq!(tolerance.get(at(20_000), Some(80 * MS)), REORDER_TOLERANCE_MIN, "forgotten");
    }
}
