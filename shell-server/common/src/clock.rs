//! The one clock of a process, as the core wants it, and the one of the machine, to compare processes by.

use core::time::Duration;

use nalcast_core::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Counts microseconds from its creation; tokio's clock, so that simulated time works too. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { epoch: Instant::now() }
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.timestamp(Instant::now())
    }

    /// A point in time as the core counts it; those before the start become the start.
    #[must_use]
    pub fn timestamp(&self, instant: Instant) -> Timestamp {
        Timestamp::ZERO + instant.saturating_duration_since(self.epoch)
    }

    /// The point in time that the core means.
    #[must_use]
    pub fn instant(&self, timestamp: Timestamp) -> Instant {
        self.epoch + Duration::from_micros(timestamp.as_micros())
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds: the same clock in every process of this machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn counts_from_its_start_in_both_directions() {
        let before = Instant::now();
        tokio::time::advance(Duration::from_millis(5)).await;
        let clock = Clock::start();
        tokio::time::advance(Duration::from_micros(1_500)).await;
        assert_eq!(clock.now(), Timestamp::from_micros(1_500));
        assert_eq!(clock.instant(clock.now()), Instant::now());
        assert_eq!(clock.timestamp(before), Timestamp::ZERO);
    }

    #[test]
    fn the_machines_clock_does_not_stand_still_or_run_back() {
        let first = monotonic_ns();
        assert!(first > 0 && monotonic_ns() >= first);
    }
}
