//! How long to wait for a packet that later ones overtook: by time, learned from the path.

use core::time::Duration;

use crate::limits::{REORDER_MEMORY, REORDER_TOLERANCE_MAX, REORDER_TOLERANCE_MIN};
use crate::time::Timestamp;

/// The reorder tolerance: an eighth of the round trip, raised to the displacement seen in the last
/// [`REORDER_MEMORY`], with an eighth to spare.
#[derive(Debug)]
pub(super) struct ReorderTolerance {
    /// Largest displacement in the running half of the memory, and in the half before it.
    largest: [Duration; 2],
    half_began: Timestamp,
}

impl ReorderTolerance {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { largest: [Duration::ZERO; 2], half_began: now }
    }

    pub(super) fn observe(&mut self, now: Timestamp, displacement: Duration) {
        self.forget(now);
        let [running, _] = &mut self.largest;
        *running = (*running).max(displacement);
    }

    pub(super) fn get(&self, rtt: Option<Duration>) -> Duration {
        let [a, b] = self.largest;
        let seen = a.max(b);
        let floor = rtt.map_or(REORDER_TOLERANCE_MIN, |rtt| rtt / 8).max(REORDER_TOLERANCE_MIN);
        let cap = rtt.unwrap_or_default().max(REORDER_TOLERANCE_MAX);
        floor.max(seen + seen / 8).min(cap)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_learns_forgets_and_stays_within_its_cap() {
        let mut tolerance = ReorderTolerance::new(Timestamp::ZERO);
        assert_eq!(tolerance.get(None), REORDER_TOLERANCE_MIN);
        assert_eq!(tolerance.get(Some(80 * MS)), 10 * MS);
        tolerance.observe(Timestamp::from_millis(1), 16 * MS);
        assert_eq!(tolerance.get(Some(80 * MS)), 18 * MS);
        tolerance.observe(Timestamp::from_millis(2), 900 * MS);
        assert_eq!(tolerance.get(Some(20 * MS)), REORDER_TOLERANCE_MAX);
        assert_eq!(tolerance.get(Some(100 * MS)), 100 * MS, "a longer round trip lifts the cap");
        tolerance.observe(Timestamp::from_millis(20_000), Duration::ZERO);
        assert_eq!(tolerance.get(Some(80 * MS)), 10 * MS, "forgotten");
    }
}
