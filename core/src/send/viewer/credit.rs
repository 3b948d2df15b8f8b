//! What repairs and parity may cost: a share of what the source makes, so that loss never becomes a storm.

use core::time::Duration;

use crate::limits::{REPAIR_CREDIT_BYTES_MIN, REPAIR_CREDIT_PERIOD, REPAIR_RATE_MIN, REPAIR_SHARE_PERCENT_MAX};
use crate::send::pacer::Rate;
use crate::time::{Timestamp, micros};

/// Parity comes first and may take what is not earned yet: what goes along with a frame saves repairs.
#[derive(Debug)]
pub(super) struct RepairCredit {
    bytes: u64,
    debt: u64,
    at: Timestamp,
    /// Bytes a second that are earned.
    rate: u64,
}

impl RepairCredit {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { bytes: REPAIR_CREDIT_BYTES_MIN, debt: 0, at: now, rate: REPAIR_RATE_MIN }
    }

    /// Takes note of what the source makes; what was earned so far stays.
    pub(super) fn follow(&mut self, now: Timestamp, source: Rate) {
        self.settle(now);
        self.rate = (source.0 * REPAIR_SHARE_PERCENT_MAX / 100).max(REPAIR_RATE_MIN);
    }

    /// What may be spent.
    pub(super) fn get(&self, now: Timestamp) -> u64 {
        let earned = micros(now - self.at) * self.rate / 1_000_000;
        (self.bytes + earned).saturating_sub(self.debt).min(self.cap())
    }

    /// Spends what repairs take.
    pub(super) fn spend(&mut self, now: Timestamp, bytes: u64) {
        self.settle(now);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Spends what parity takes.
    pub(super) fn spend_ahead(&mut self, now: Timestamp, bytes: u64) {
        self.settle(now);
        self.debt = (self.debt + bytes.saturating_sub(self.bytes)).min(self.cap());
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// When `bytes` may be spent.
    pub(super) fn due(&self, bytes: u64) -> Timestamp {
        let lacking = (bytes + self.debt).saturating_sub(self.bytes);
        self.at + Duration::from_micros((lacking * 1_000_000).div_ceil(self.rate))
    }

    fn settle(&mut self, now: Timestamp) {
        let earned = micros(now - self.at) * self.rate / 1_000_000;
        let paid = earned.min(self.debt);
        self.debt -= paid;
        self.bytes = (self.bytes + earned - paid).min(self.cap());
        self.at = now;
    }

    fn cap(&self) -> u64 {
        (self.rate * REPAIR_CREDIT_PERIOD.as_secs()).max(REPAIR_CREDIT_BYTES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_cost_a_share_of_what_the_source_makes() {
        let start = Timestamp::from_millis(1_000);
        let mut credit = RepairCredit::new(start);
        credit.follow(start, Rate(500_000));
        credit.spend(start, REPAIR_CREDIT_BYTES_MIN);
        assert_eq!((credit.get(start), credit.due(30_000)), (0, start + Duration::from_millis(100)));
        assert_eq!(credit.get(start + Duration::from_millis(100)), 30_000);
        assert_eq!(credit.get(start + Duration::from_secs(60)), 300_000, "what may be saved up");
        credit.follow(start + Duration::from_millis(100), Rate(0));
        assert_eq!(credit.get(start + Duration::from_millis(100)), 30_000);
        assert_eq!(credit.due(30_000), start + Duration::from_millis(100));
        credit.spend_ahead(start + Duration::from_millis(100), 60_000);
        assert_eq!(credit.get(start + Duration::from_millis(1_100)), 0, "30,000 were not earned yet");
        assert_eq!(credit.due(30_000), start + Duration::from_millis(2_100));
    }
}
