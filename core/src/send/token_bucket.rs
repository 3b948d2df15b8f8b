//! How often something may happen.

use core::time::Duration;

use crate::time::Timestamp;

/// So many at once, then one each period.
#[derive(Debug)]
pub(super) struct TokenBucket {
    tokens: u32,
    burst: u32,
    period: Duration,
    refilled: Timestamp,
}

impl TokenBucket {
    pub(super) const fn new(now: Timestamp, burst: u32, period: Duration) -> Self {
        Self { tokens: burst, burst, period, refilled: now }
    }

    /// Takes a token; whether there was one.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let taken = self.has(now);
        self.tokens -= u32::from(taken);
        taken
    }

    /// Whether there is a token.
    pub(super) fn has(&mut self, now: Timestamp) -> bool {
        while self.tokens < self.burst && now >= self.refilled + self.period {
            self.tokens += 1;
            self.refilled += self.period;
        }
        if self.tokens == self.burst {
            self.refilled = now;
        }
        self.tokens > 0
    }

    /// When a token will be there.
    pub(super) fn next(&self) -> Timestamp {
        if self.tokens > 0 { Timestamp::ZERO } else { self.refilled + self.period }
    }
}
