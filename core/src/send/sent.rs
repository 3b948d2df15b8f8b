//! What was sent to one viewer and what of it was acknowledged: round-trip time and loss.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::limits::RTT_INITIAL;
use crate::time::Timestamp;

/// Packets that are remembered; older ones count as judged.
const SENT_MAX: usize = 8192;
const MASK: u64 = SENT_MAX as u64 - 1;
/// A packet this far below the largest acknowledged one is lost if it was not acknowledged itself: beyond the
/// reach of two reports.
const JUDGED_BELOW: u64 = 512;

/// Round-trip time (RFC 6298 §2, with the smallest kept beside).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rtt {
    smoothed: Option<Duration>,
    variation: Duration,
}

impl Rtt {
    fn observe(&mut self, sample: Duration) {
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(sample);
            self.variation = sample / 2;
            return;
        };
        self.variation = (self.variation * 3 + smoothed.abs_diff(sample)) / 4;
        self.smoothed = Some((smoothed * 7 + sample) / 8);
    }

    /// The smoothed time, once measured.
    pub(super) const fn get(&self) -> Option<Duration> {
        self.smoothed
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

/// A packet that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) number: u64,
    at: Timestamp,
    acked: bool,
    /// Its length.
    pub(super) bytes: u16,
}

/// A ring over the packets sent.
#[derive(Debug)]
pub(super) struct SentPackets {
    ring: Vec<Packet>,
    largest_acked: u64,
    judged: u64,
    lost: u64,
    sent: u64,
    rtt: Rtt,
    newest: u64,
    /// The first packet over the present path.
    path_since: u64,
}

impl SentPackets {
    pub(super) fn new() -> Self {
        Self {
            ring: vec![Packet::default(); SENT_MAX],
            largest_acked: 0,
            judged: 0,
            lost: 0,
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
        (self.judged, self.lost)
    }

    /// The peer is reached over another path, of which nothing is known: neither do the times of packets sent over the old
    /// one tell anything.
    pub(super) fn forget_path(&mut self) {
        self.rtt = Rtt::default();
        self.path_since = self.newest + 1;
    }

    pub(super) fn record(&mut self, now: Timestamp, number: u64, bytes: usize) {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.sent += 1;
        if let Some(packet) = self.packet_mut(number) {
            *packet = Packet { number, at: now, acked: false, bytes };
        }
        self.newest = number;
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
        let packet = self.packet_mut(number)?;
        let news = packet.number == number && !packet.acked;
        packet.acked |= packet.number == number;
        news.then_some(*packet)
    }

    /// Counts as lost what can no longer be acknowledged.
    pub(super) fn judge(&mut self) {
        let until = self.largest_acked.saturating_sub(JUDGED_BELOW);
        // A peer that jumps far ahead in acknowledging makes this loop no longer than the ring.
        self.judged = self.judged.max(until.saturating_sub(MASK));
        while self.judged < until {
            self.judged += 1;
            let number = self.judged;
            let lost = self.packet_mut(number).is_some_and(|packet| packet.number == number && !packet.acked);
            self.lost += u64::from(lost);
        }
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
        let mut sent = SentPackets::new();
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
        let mut sent = SentPackets::new();
        sent.record(Timestamp::from_millis(100), 1, 100);
        sent.acknowledge_largest(Timestamp::from_millis(130), 1, Duration::ZERO);
        sent.record(Timestamp::from_millis(200), 2, 100);
        sent.forget_path();
        sent.record(Timestamp::from_millis(300), 3, 100);
        sent.acknowledge_largest(Timestamp::from_millis(310), 2, Duration::ZERO);
        assert_eq!(sent.rtt().get(), None);
        sent.acknowledge_largest(Timestamp::from_millis(500), 3, Duration::ZERO);
        assert_eq!(sent.rtt().get(), Some(200 * MS));
    }

    #[test]
    fn loss_is_what_was_never_acknowledged() {
        let mut sent = SentPackets::new();
        for number in 1..=2_000 {
            sent.record(Timestamp::ZERO, number, 100);
            if number % 10 != 0 {
                sent.acknowledge(number);
            }
        }
        sent.acknowledge_largest(Timestamp::ZERO, 1_999, Duration::ZERO);
        sent.judge();
        assert_eq!(sent.judged(), (1_999 - JUDGED_BELOW, 148));
    }
}
