//! When a socket that fails to receive is beyond hope.

use core::time::Duration;

use nalcast_core::Timestamp;

/// Receive errors within [`RECEIVE_ERRORS_PERIOD`] that mean that the socket is of no use any more.
const RECEIVE_ERRORS_MAX: u32 = 100;
const RECEIVE_ERRORS_PERIOD: Duration = Duration::from_secs(1);

/// Tells an error now and then, which ICMP causes, from a socket that is broken for good.
#[derive(Debug, Default)]
pub struct ReceiveErrors {
    total: u64,
    since: Timestamp,
    recent: u32,
}

impl ReceiveErrors {
    /// Counts one more error.
    pub fn are_too_many(&mut self, now: Timestamp) -> bool {
        if now - self.since >= RECEIVE_ERRORS_PERIOD {
            self.since = now;
            self.recent = 0;
        }
        self.total += 1;
        self.recent += 1;
        self.recent > RECEIVE_ERRORS_MAX
    }

    /// All that were counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_a_second_are_borne_and_one_more_is_not() {
        let mut errors = ReceiveErrors::default();
        for second in 0..3 {
            let now = Timestamp::from_micros(second * 1_000_000);
            assert!((0..100).all(|_| !errors.are_too_many(now)), "in second {second}");
        }
        assert!(errors.are_too_many(Timestamp::from_micros(2_999_999)));
        assert_eq!(errors.total(), 301);
    }
}
