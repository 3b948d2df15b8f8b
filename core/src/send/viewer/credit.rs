//! What repairs and parity may cost: a share of what the source makes, so that loss never becomes a storm.

use core::time::Duration;

use crate::limits::{
    REPAIR_CREDIT_BYTES_MIN, REPAIR_CREDIT_PERIOD, REPAIR_RATE_MIN, REPAIR_RESERVE_PERCENT, REPAIR_SHARE_PERCENT_MAX,
    REPAIR_SHARE_PERCENT_RISING,
};
use crate::send::pacer::Rate;
use crate::time::{Timestamp, micros};

/// Bytes that are earned with time; fewer than none if more was spent than was there.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    bytes: i64,
    rate: u64,
    at: Timestamp,
}

impl Bucket {
    const fn new(now: Timestamp, bytes: u64) -> Self {
        Self { bytes: signed(bytes), rate: REPAIR_RATE_MIN, at: now }
    }

    fn get(&self, now: Timestamp) -> i64 {
        let cap = (self.rate * REPAIR_CREDIT_PERIOD.as_secs()).max(REPAIR_CREDIT_BYTES_MIN);
        (self.bytes + signed(micros(now - self.at) * self.rate / 1_000_000)).min(signed(cap))
    }

    fn follow(&mut self, now: Timestamp, rate: u64) {
        *self = Self { bytes: self.get(now), rate: rate.max(REPAIR_RATE_MIN), at: now };
    }

    /// Takes `bytes`, here or not.
    fn spend(&mut self, now: Timestamp, bytes: u64) {
        *self = Self { bytes: self.get(now) - signed(bytes), rate: self.rate, at: now };
    }

    /// Takes what is here of `bytes`; how many are left to be paid.
    fn spend_some(&mut self, now: Timestamp, bytes: u64) -> u64 {
        let here = self.get(now).max(0).unsigned_abs().min(bytes);
        self.spend(now, here);
        bytes - here
    }

    fn due(&self, bytes: u64) -> Timestamp {
        let missing = (signed(bytes) - self.bytes).max(0).unsigned_abs();
        self.at + Duration::from_micros((missing * 1_000_000).div_ceil(self.rate))
    }
}

/// Counts of bytes are far below the most that a number holds.
const fn signed(bytes: u64) -> i64 {
    bytes.cast_signed()
}

/// Parity has its own cap, a share of each frame, and comes first, for it saves repairs; but some of the credit is kept for
/// those: what parity does not save has to be repaired all the same.
#[derive(Debug)]
pub(super) struct RepairCredit {
    shared: Bucket,
    reserve: Bucket,
}

impl RepairCredit {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { shared: Bucket::new(now, REPAIR_CREDIT_BYTES_MIN), reserve: Bucket::new(now, 0) }
    }

    /// Takes note of what the source makes; what was earned so far stays.
    pub(super) fn follow(&mut self, now: Timestamp, source: Rate, is_delay_rising: bool) {
        let share = if is_delay_rising { REPAIR_SHARE_PERCENT_RISING } else { REPAIR_SHARE_PERCENT_MAX };
        self.shared.follow(now, source.0 * (share - REPAIR_RESERVE_PERCENT) / 100);
        self.reserve.follow(now, source.0 * REPAIR_RESERVE_PERCENT / 100);
    }

    /// A repair of so many bytes was sent: a burst may cost more than there is, which the next one waits for.
    pub(super) fn spend(&mut self, now: Timestamp, bytes: u64) {
        let unpaid = self.reserve.spend_some(now, bytes);
        let debtor = if self.shared.get(now) > 0 { &mut self.shared } else { &mut self.reserve };
        debtor.spend(now, unpaid);
    }

    /// Parity of so many bytes was sent.
    pub(super) fn spend_on_parity(&mut self, now: Timestamp, bytes: u64) {
        self.shared.spend_some(now, bytes);
    }

    /// When a repair of `bytes` may be sent.
    pub(super) fn due(&self, bytes: u64) -> Timestamp {
        self.shared.due(bytes).min(self.reserve.due(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000);

    fn at(millis: u64) -> Timestamp {
        START + Duration::from_millis(millis)
    }

    #[test]
    fn repairs_cost_a_share_of_what_the_source_makes() {
        let mut credit = RepairCredit::new(START);
        credit.follow(START, Rate(600_000), false);
        assert_eq!(credit.due(REPAIR_CREDIT_BYTES_MIN), START);
        credit.spend(START, REPAIR_CREDIT_BYTES_MIN);
        // Half of the source's rate, and a tenth beside.
        assert_eq!(credit.due(30_000), at(100));
        credit.spend(at(100), 6_000);
        assert_eq!(credit.due(30_000), at(100), "the reserve paid for that");
        credit.spend(at(100), 30_000);
        credit.follow(at(100), Rate(0), false);
        assert_eq!(credit.due(30_000), at(1_100));
        assert_eq!(credit.due(60_000), at(2_100));
    }

    #[test]
    fn what_a_burst_costs_too_much_the_next_one_waits_for() {
        let mut credit = RepairCredit::new(START);
        credit.follow(START, Rate(600_000), false);
        credit.spend(START, REPAIR_CREDIT_BYTES_MIN + 15_000);
        assert_eq!((credit.due(6_000), credit.due(60_000)), (at(70), at(250)));
        // Nor does the reserve lend more than it earns.
        credit.spend(at(10), 12_600);
        assert_eq!((credit.due(6_000), credit.due(60_000)), (at(70), at(250)));
        credit.spend(at(70), 21_600);
        assert_eq!(credit.due(3_000), at(132));
    }

    #[test]
    fn while_the_delay_rises_it_is_a_smaller_share() {
        let mut credit = RepairCredit::new(START);
        credit.follow(START, Rate(600_000), true);
        credit.spend(START, REPAIR_CREDIT_BYTES_MIN);
        // A quarter less a tenth; the tenth comes later.
        assert_eq!(credit.due(9_000), at(100));
        credit.follow(START, Rate(600_000), false);
        assert_eq!(credit.due(30_000), at(100));
    }

    #[test]
    fn whatever_parity_takes_some_is_left_for_repairs() {
        let mut credit = RepairCredit::new(START);
        credit.follow(START, Rate(600_000), false);
        (0..200).for_each(|i| credit.spend_on_parity(at(i * 10), 10_000));
        assert_eq!(credit.due(60_000), at(1_000));
    }
}
