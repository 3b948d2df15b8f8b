//! What was sent to one viewer and what of it was acknowledged: round-trip time and loss.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::loss::Loss;
use crate::limits::RTT_INITIAL;
use crate::time::Timestamp;

/// Packets that are remembered; older ones count as judged.
const SENT_MAX: usize = 8192;
const MASK: u64 = SENT_MAX as u64 - 1;
/// How much later another packet was sent that came through when a packet counts as lost: a quarter of the round trip,
/// within these bounds.
const OVERTAKEN_BY_MIN: Duration = Duration::from_millis(5);
const OVERTAKEN_BY_MAX: Duration = Duration::from_millis(60);

/// Round-trip time (RFC 6298 §2, with the smallest kept beside).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
    /// The smallest lately; it rises slowly towards what is measured.
    smallest: Duration,
}

impl Rtt {
    fn observe(&mut self, sample: Duration) {
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(sample);
            self.variation = sample / 2;
            self.smallest = sample;
            return;
        };
        self.smallest = sample.min(self.smallest + sample.saturating_sub(self.smallest) / 256);
        self.variation = (self.variation * 3 + smoothed.abs_diff(sample)) / 4;
        self.smoothed = Some((smoothed * 7 + sample) / 8);
    }

    /// The smoothed time, once measured.
    pub(super) const fn get(&self) -> Option<Duration> {
        self.smoothed
    }

    /// A report that comes now would tell of a packet that left so long ago, if that had come.
    pub(super) fn report_reach(&self) -> Duration {
        self.or_initial() + (self.variation * 2).max(Duration::from_millis(3))
    }

    /// The shortest that it takes, or a guess: what a round of repair takes when nothing is in its way.
    pub(super) const fn smallest_or_initial(&self) -> Duration {
        if self.smoothed.is_some() { self.smallest } else { RTT_INITIAL }
    }

    /// The smoothed time, or a guess.
    pub(super) fn or_initial(&self) -> Duration {
        self.smoothed.unwrap_or(RTT_INITIAL)
    }

    /// How long to wait for an answer before saying something again.
    pub(super) fn timeout(&self) -> Duration {
        self.smoothed.map_or(RTT_INITIAL * 2, |smoothed| smoothed + (self.variation * 4).max(Duration::from_millis(10)))
    }
}

/// What is known of a packet's way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Unknown,
    Received,
    Lost,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    fate: Fate,
    /// It tries whether the path carries as much: that it is lost says nothing about others.
    probe: bool,
    /// Its length.
    pub(super) bytes: u16,
}

/// A ring over the packets sent.
#[derive(Debug)]
pub(super) struct SentPackets {
    ring: Vec<Packet>,
    largest_acked: u64,
    judged: u64,
    /// Packets whose fate is known, and how many of them were lost.
    fates: (u64, u64),
    /// The largest number that the report before named.
    reported: u64,
    sent: u64,
    rtt: Rtt,
    loss: Loss,
    newest: u64,
    /// The first packet over the present path.
    path_since: u64,
}

impl SentPackets {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            ring: vec![Packet::default(); SENT_MAX],
            largest_acked: 0,
            judged: 0,
            fates: (0, 0),
            reported: 0,
            loss: Loss::new(now),
            sent: 0,
            rtt: Rtt::default(),
            newest: 0,
            path_since: 0,
        }
    }

    pub(super) const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// Packets sent.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Packets judged so far, and how many of them were lost.
    pub(super) const fn judged(&self) -> (u64, u64) {
        self.fates
    }

    /// The packet sent last.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) const fn loss(&self) -> &Loss {
        &self.loss
    }

    /// What was lost was too large for the path, which it is no longer.
    pub(super) const fn forget_loss(&mut self, now: Timestamp) {
        self.loss = Loss::new(now);
    }

    /// The largest packet number that is known to have come.
    pub(super) const fn largest_acked(&self) -> u64 {
        self.largest_acked
    }

    /// The peer is reached over another path, of which nothing is known: neither do the times of packets sent over the old
    /// one tell anything.
    pub(super) fn forget_path(&mut self, now: Timestamp) {
        self.rtt = Rtt::default();
        self.loss = Loss::new(now);
        self.path_since = self.newest + 1;
    }

    pub(super) fn record(&mut self, now: Timestamp, number: u64, bytes: usize) {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.sent += 1;
        if let Some(packet) = self.packet_mut(number) {
            *packet = Packet { number, at: now, fate: Fate::Unknown, probe: false, bytes };
        }
        self.newest = number;
    }

    /// The same for padding that tries how much the path carries.
    pub(super) fn record_probe(&mut self, now: Timestamp, number: u64, bytes: usize) {
        self.record(now, number, bytes);
        if let Some(packet) = self.packet_mut(number) {
            packet.probe = true;
        }
    }

    /// The largest packet number that a report names, received `delay` before the report left; the packet if it was not
    /// acknowledged before.
    pub(super) fn acknowledge_largest(&mut self, now: Timestamp, number: u64, delay: Duration) -> Option<Packet> {
        let newly = self.acknowledge(number);
        if let Some(packet) = newly
            && number > self.largest_acked
            && number >= self.path_since
        {
            let whole = now - packet.at;
            // A peer that claims to have waited longer than the whole round trip is not believed.
            self.rtt.observe(whole.checked_sub(delay).unwrap_or(whole));
        }
        self.largest_acked = self.largest_acked.max(number);
        newly
    }

    /// Marks a packet; the packet if that is news.
    pub(super) fn acknowledge(&mut self, number: u64) -> Option<Packet> {
        let packet = self.packet_mut(number).filter(|packet| packet.number == number)?;
        let before = core::mem::replace(&mut packet.fate, Fate::Received);
        let packet = *packet;
        if before == Fate::Lost {
            self.loss.found();
            self.fates.1 = self.fates.1.saturating_sub(1);
        }
        (before != Fate::Received).then_some(packet)
    }

    /// After a report about the packets from `oldest` to `largest` was taken in: what was overtaken by now and is in no
    /// report is lost. Of packets that only lost reports spoke of nothing is known.
    ///
    /// Larger packets than `bytes_max` may be too large for the path: that they are lost says nothing about others.
    pub(super) fn judge(&mut self, now: Timestamp, oldest: u64, largest: u64, bytes_max: usize) {
        let margin = (self.rtt.or_initial() / 4).clamp(OVERTAKEN_BY_MIN, OVERTAKEN_BY_MAX);
        let Some(newest_at) =
            self.packet_mut(largest).filter(|packet| packet.number == largest).map(|packet| packet.at)
        else {
            return;
        };
        let unreported = self.reported + 1..oldest;
        self.reported = self.reported.max(largest);
        // A peer that jumps far ahead in acknowledging makes this loop no longer than the ring.
        self.judged = self.judged.max(largest.saturating_sub(MASK));
        while self.judged + 1 < largest {
            let number = self.judged + 1;
            let packet = self.packet_mut(number).map(|packet| *packet).filter(|packet| packet.number == number);
            if let Some(packet) = packet {
                if packet.at + margin > newest_at {
                    break;
                }
                if !unreported.contains(&number) && !packet.probe && usize::from(packet.bytes) <= bytes_max {
                    self.settle(now, packet);
                }
            }
            self.judged = number;
        }
    }

    fn settle(&mut self, now: Timestamp, packet: Packet) {
        let lost = packet.fate != Fate::Received;
        if lost && let Some(place) = self.packet_mut(packet.number) {
            place.fate = Fate::Lost;
        }
        self.loss.observe(now, lost);
        self.fates.0 += 1;
        self.fates.1 += u64::from(lost);
    }

    /// How many of the packets `first..=last` came through. At most a ring of them.
    pub(super) fn received_among(&self, first: u64, last: u64) -> u64 {
        let first = first.max(last.saturating_sub(MASK));
        let came = |number: &u64| {
            let packet = usize::try_from(number & MASK).ok().and_then(|place| self.ring.get(place));
            packet.is_some_and(|packet| packet.number == *number && packet.fate == Fate::Received)
        };
        (first..=last).filter(came).count() as u64
    }

    fn packet_mut(&mut self, number: u64) -> Option<&mut Packet> {
        self.ring.get_mut(usize::try_from(number & MASK).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_round_trip_leaves_out_the_viewers_delay() {
        let mut sent = SentPackets::new(Timestamp::ZERO);
        sent.record(Timestamp::from_millis(100), 1, 100);
        sent.acknowledge_largest(Timestamp::from_millis(130), 1, 5 * MS);
        assert_eq!(sent.rtt().get(), Some(25 * MS));
        sent.acknowledge_largest(Timestamp::from_millis(900), 1, 5 * MS);
        assert_eq!(sent.rtt().get(), Some(25 * MS), "told twice, counted once");
        sent.record(Timestamp::from_millis(200), 2, 100);
        sent.acknowledge_largest(Timestamp::from_millis(225), 2, 90 * MS);
        assert_eq!(sent.rtt().get(), Some(25 * MS), "an impossible delay is not believed");
    }

    #[test]
    fn another_path_is_measured_by_what_was_sent_over_it() {
        let mut sent = SentPackets::new(Timestamp::ZERO);
        sent.record(Timestamp::from_millis(100), 1, 100);
        sent.acknowledge_largest(Timestamp::from_millis(130), 1, Duration::ZERO);
        sent.record(Timestamp::from_millis(200), 2, 100);
        sent.forget_path(Timestamp::ZERO);
        sent.record(Timestamp::from_millis(300), 3, 100);
        sent.acknowledge_largest(Timestamp::from_millis(310), 2, Duration::ZERO);
        assert_eq!(sent.rtt().get(), None);
        sent.acknowledge_largest(Timestamp::from_millis(500), 3, Duration::ZERO);
        assert_eq!(sent.rtt().get(), Some(200 * MS));
    }

    /// 2,000 packets, a millisecond apart, every tenth of which is lost.
    fn every_tenth_lost() -> SentPackets {
        let mut sent = SentPackets::new(Timestamp::ZERO);
        (1..=2_000).for_each(|number| sent.record(Timestamp::from_millis(number), number, 100));
        (1..=2_000u64).filter(|number| !number.is_multiple_of(10)).for_each(|number| _ = sent.acknowledge(number));
        sent.acknowledge_largest(Timestamp::from_millis(2_049), 1_999, Duration::ZERO);
        sent
    }

    #[test]
    fn loss_is_what_was_overtaken_and_not_reported() {
        let mut sent = every_tenth_lost();
        sent.judge(Timestamp::from_millis(2_049), 1, 1_999, 100);
        let (judged, lost) = sent.judged();
        assert_eq!((judged, lost), (1_974, 197), "the last 25 ms may only be late");
        assert!(sent.loss().ppm().abs_diff(100_000) < 8_000);
        sent.acknowledge(1_000);
        assert_eq!(sent.judged(), (1_974, 196), "late, not lost");
        assert_eq!(sent.received_among(991, 1_010), 19);
    }

    #[test]
    fn nothing_is_known_of_what_only_lost_reports_spoke_of() {
        let mut sent = every_tenth_lost();
        sent.judge(Timestamp::from_millis(2_049), 1_001, 1_999, 100);
        assert_eq!(sent.judged(), (974, 97));
    }
}
