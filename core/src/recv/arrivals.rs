//! Which packet numbers arrived, and when: what acknowledgements, loss and displacement are read from.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::limits::{ACK_BITS_MAX, ARRIVALS_MAX};
use crate::time::Timestamp;
use crate::wire::Writer;
use crate::wire::feedback::{TIME_UNIT_US, write_gap};

const MASK: u64 = ARRIVALS_MAX as u64 - 1;

/// What a packet number's arrival means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// First time, in order or not: how long after a later packet it came.
    New { displacement: Duration },
    /// Seen before, or too old to tell: not to be processed again.
    Again,
}

/// A ring over the newest [`ARRIVALS_MAX`] packet numbers.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Packet number and time; a slot holds number 0 while unused (the handshake's number, never logged).
    ring: Vec<(u64, Timestamp)>,
    largest: u64,
    received: u64,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        Self { ring: vec![(0, Timestamp::ZERO); ARRIVALS_MAX], largest: 0, received: 0 }
    }

    /// The largest packet number so far, 0 before the first.
    pub(super) const fn largest(&self) -> u64 {
        self.largest
    }

    /// Different packet numbers received so far.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn insert(&mut self, now: Timestamp, number: u64) -> Arrival {
        if number + MASK < self.largest || self.time_of(number).is_some() {
            return Arrival::Again;
        }
        let overtaken_by = (number + 1..=self.largest).find_map(|later| self.time_of(later));
        let displacement = overtaken_by.map_or(Duration::ZERO, |time| now - time);
        if let Some(slot) = self.slot_mut(number) {
            *slot = (number, now);
        }
        self.largest = self.largest.max(number);
        self.received += 1;
        Arrival::New { displacement }
    }

    /// When `number` arrived, if it did and is not too old.
    pub(super) fn time_of(&self, number: u64) -> Option<Timestamp> {
        let slot = self.ring.get(usize::try_from(number & MASK).ok()?)?;
        (slot.0 == number && number != 0).then_some(slot.1)
    }

    fn slot_mut(&mut self, number: u64) -> Option<&mut (u64, Timestamp)> {
        self.ring.get_mut(usize::try_from(number & MASK).ok()?)
    }

    /// Fills `bitmap` and `gaps` for the numbers below the largest down to `oldest`: the number of bits and
    /// of bytes of gaps. Fewer bits than asked for if the gaps do not fit.
    pub(super) fn fill(&self, oldest: u64, bitmap: &mut [u8; ACK_BITS_MAX / 8], gaps: &mut [u8]) -> (u16, usize) {
        let mut writer = Writer::new(gaps);
        let mut newer = self.time_of(self.largest).unwrap_or_default();
        let mut bits = 0u16;
        let numbers = (oldest.max(1)..self.largest).rev().take(ACK_BITS_MAX);
        for (number, i) in numbers.zip(0usize..) {
            if writer.room() < 3 {
                break;
            }
            if let (Some(time), Some(byte)) = (self.time_of(number), bitmap.get_mut(i / 8)) {
                *byte |= 0x80 >> (i % 8);
                write_gap(&mut writer, units(newer).saturating_sub(units(time)));
                // A later number may have come first: the report counts back from the earliest of those above.
                newer = newer.min(time);
            }
            bits += 1;
        }
        (bits, writer.len())
    }
}

/// A time in the units of a report.
pub(super) const fn units(time: Timestamp) -> u64 {
    time.as_micros() / TIME_UNIT_US
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn each_number_counts_once_and_displacement_is_measured_from_the_overtaker() {
        let mut arrivals = Arrivals::new();
        let new = |millis| Arrival::New { displacement: Duration::from_millis(millis) };
        assert_eq!(arrivals.insert(ms(1), 1), new(0));
        assert_eq!(arrivals.insert(ms(2), 4), new(0));
        assert_eq!(arrivals.insert(ms(5), 2), new(3), "number 4 came 3 ms earlier");
        assert_eq!(arrivals.insert(ms(6), 4), Arrival::Again);
        assert_eq!((arrivals.largest(), arrivals.received()), (4, 3));
    }

    #[test]
    fn numbers_older_than_the_ring_are_refused() {
        let mut arrivals = Arrivals::new();
        let far = ARRIVALS_MAX as u64 + 10;
        arrivals.insert(ms(1), far);
        assert_eq!(arrivals.insert(ms(1), 10), Arrival::Again);
        assert_ne!(arrivals.insert(ms(1), 11), Arrival::Again);
    }

    #[test]
    fn a_report_names_what_came() {
        let mut arrivals = Arrivals::new();
        for (number, millis) in [(1, 1), (2, 2), (5, 10), (6, 11)] {
            arrivals.insert(ms(millis), number);
        }
        let mut bitmap = [0; ACK_BITS_MAX / 8];
        let mut gaps = [0; 64];
        let (bits, len) = arrivals.fill(1, &mut bitmap, &mut gaps);
        assert_eq!((bits, bitmap[0]), (5, 0b1001_1000));
        let expected: Vec<u8> =
            [(11, 10), (10, 2), (2, 1)].iter().map(|&(b, a)| (units(ms(b)) - units(ms(a))) as u8).collect();
        assert_eq!(&gaps[..len], expected);
        let (few, _) = arrivals.fill(1, &mut [0; ACK_BITS_MAX / 8], &mut gaps[..3]);
        assert!(few < bits, "no room for more gaps");
    }
}
