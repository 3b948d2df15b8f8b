//! One side of a session: numbers what it sends, and accepts each number once.

use core::fmt;
use core::ops::Range;
use core::time::Duration;

use super::phases::{Receiving, Sending};
use super::{Direction, Forged, Seal, Seals};
use crate::limits::KEY_KEEP_TIMEOUTS;
use crate::replay::ReplayWindow;
use crate::time::Timestamp;
use crate::wire::{Reader, WireError, Writer, sealed};

/// Why a sealed datagram was not opened; all it changes is a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Its outer header is malformed.
    Header(WireError),
    /// Its packet number was accepted before, or is too old to tell.
    Replayed,
    /// Its tag does not fit.
    Forged,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => write!(f, "outer header: {error}"),
            Self::Replayed => f.write_str("packet number was accepted before"),
            Self::Forged => f.write_str("tag does not fit: damaged or forged"),
        }
    }
}

impl core::error::Error for OpenError {}

/// One side of a session: numbers what it sends, expands the numbers of what it receives.
#[derive(Debug)]
pub struct Channel<S> {
    sends: Direction,
    sending: Sending<S>,
    receiving: Receiving<S>,
    next_number: u64,
    received: ReplayWindow,
}

impl<S: Seal> Channel<S> {
    /// Both directions of a new session, of which `sends` is this side's. Packet number 0 is never used.
    pub fn new(seals: Seals<S>, sends: Direction) -> Self {
        let (ours, theirs) = match sends {
            Direction::ToViewer => (seals.to_viewer, seals.to_server),
            Direction::ToServer => (seals.to_server, seals.to_viewer),
        };
        let (sending, receiving) = (Sending::new(ours), Receiving::new(theirs));
        Self { sends, sending, receiving, next_number: 1, received: ReplayWindow::new() }
    }

    /// Takes new keys when it is time to, and forgets old ones; to be called before sending. `timeout` is how long
    /// this side waits for an answer.
    pub fn renew(&mut self, now: Timestamp, timeout: Duration) {
        self.sending.renew(now, self.next_number);
        self.receiving.forget(now, timeout * KEY_KEEP_TIMEOUTS);
    }

    /// The peer is known to have opened the datagram with this number.
    pub fn acknowledge(&mut self, number: u64) {
        self.sending.acknowledge(number);
    }

    /// Bytes around a plaintext in the sending direction.
    #[must_use]
    pub const fn overhead(&self) -> usize {
        let header = match self.sends {
            Direction::ToViewer => sealed::TO_VIEWER_BYTES,
            Direction::ToServer => sealed::TO_SERVER_BYTES,
        };
        header + S::TAG_BYTES
    }

    /// The last packet number sent; 0 before the first.
    #[must_use]
    pub const fn last_number(&self) -> u64 {
        self.next_number - 1
    }

    /// The largest packet number received; 0 before the first.
    #[must_use]
    pub const fn largest_received(&self) -> u64 {
        self.received.largest()
    }

    /// Seals one datagram at the start of `buf`: `fill` writes the plaintext. Tells its packet number and length,
    /// or nothing if `fill` wrote nothing or the datagram did not fit.
    pub fn seal(
        &mut self,
        connection_id: Option<u32>,
        buf: &mut [u8],
        fill: impl FnOnce(&mut Writer<'_>),
    ) -> Option<(u64, usize)> {
        let number = self.next_number;
        let mut writer = Writer::new(&mut *buf);
        let packet_number_low = u32::try_from(number & ((1 << sealed::PACKET_NUMBER_BITS) - 1)).ok()?;
        sealed::Header { key_phase: self.sending.phase(), packet_number_low, connection_id }.write(&mut writer);
        let header_len = writer.len();
        fill(&mut writer);
        if writer.len() == header_len {
            return None;
        }
        writer.zeros(S::TAG_BYTES);
        let len = writer.finish()?;
        let (header, body) = buf.get_mut(..len)?.split_at_mut_checked(header_len)?;
        self.sending.seal_for(number)?.seal(number, header, body);
        self.next_number += 1;
        Some((number, len))
    }

    /// Opens one datagram in place: its packet number and where its plaintext lies.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has changed then.
    pub fn open(&mut self, datagram: &mut [u8]) -> Result<(u64, Range<usize>), OpenError> {
        let mut reader = Reader::new(datagram);
        let outer = sealed::Header::read(&mut reader).map_err(OpenError::Header)?;
        let header_len = datagram.len() - reader.rest().len();
        let number = outer.packet_number(self.received.largest());
        if !self.received.is_new(number) {
            return Err(OpenError::Replayed);
        }
        let (header, body) = datagram.split_at_mut(header_len);
        let opened = self.receiving.open(outer.key_phase, number, header, body);
        let len = opened.map_err(|Forged| OpenError::Forged)?;
        self.received.accept(number);
        Ok((number, header_len..header_len + len))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::limits::{KEY_DATAGRAMS, KEY_DATAGRAMS_MAX};
    use crate::seal::{Aead, Cipher};

    fn seals(connection_id: u32) -> Seals<Cipher> {
        let cipher = |secret| Cipher::new(Aead::Aes128Gcm, &[secret; 32], &connection_id.to_be_bytes()).unwrap();
        Seals { to_viewer: cipher(1), to_server: cipher(2) }
    }

    fn sealed(server: &mut Channel<Cipher>, text: &[u8], buf: &mut [u8]) -> (u64, usize) {
        server.seal(None, buf, |writer| writer.bytes(text)).unwrap()
    }

    #[test]
    fn a_datagram_opens_on_the_other_side_only() {
        let mut server = Channel::new(seals(1), Direction::ToViewer);
        let mut viewer = Channel::new(seals(1), Direction::ToServer);
        let mut buf = [0; 64];
        let (number, len) = sealed(&mut server, b"hello", &mut buf);
        assert_eq!((number, len), (1, 5 + server.overhead()));
        assert_eq!(server.open(&mut { buf }[..len]), Err(OpenError::Forged), "its own direction");
        let (opened, plaintext) = viewer.open(&mut buf[..len]).unwrap();
        assert_eq!((opened, &buf[plaintext]), (1, &b"hello"[..]));
    }

    #[test]
    fn another_sessions_datagram_does_not_open() {
        let mut old = Channel::new(seals(1), Direction::ToViewer);
        let mut new = Channel::new(seals(2), Direction::ToServer);
        let mut buf = [0; 64];
        let (_, len) = sealed(&mut old, b"late", &mut buf);
        assert_eq!(new.open(&mut buf[..len]), Err(OpenError::Forged));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut server = Channel::new(seals(1), Direction::ToViewer);
        let mut buf = [0; 64];
        let (_, len) = sealed(&mut server, b"hello", &mut buf);
        for bit in 0..len * 8 {
            let mut viewer = Channel::new(seals(1), Direction::ToServer);
            let mut damaged = buf;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(viewer.open(&mut damaged[..len]).is_err(), "bit {bit}");
            assert_eq!(viewer.received.largest(), 0, "a forged datagram changes nothing");
        }
    }

    #[test]
    fn a_datagram_opens_once() {
        let mut server = Channel::new(seals(1), Direction::ToViewer);
        let mut viewer = Channel::new(seals(1), Direction::ToServer);
        let mut buf = [0; 64];
        let (number, len) = sealed(&mut server, b"hello", &mut buf);
        assert!(viewer.open(&mut { buf }[..len]).is_ok_and(|(opened, _)| opened == number));
        assert_eq!(viewer.open(&mut buf[..len]), Err(OpenError::Replayed));
    }

    #[test]
    fn packet_numbers_survive_the_wrap_of_their_wire_form() {
        let mut server = Channel::new(seals(1), Direction::ToViewer);
        let mut viewer = Channel::new(seals(1), Direction::ToServer);
        let near_wrap = (1 << sealed::PACKET_NUMBER_BITS) - 2;
        server.next_number = near_wrap;
        viewer.received.accept(near_wrap - 1);
        for expected in near_wrap..near_wrap + 5 {
            let mut buf = [0; 64];
            let (_, len) = sealed(&mut server, b"x", &mut buf);
            assert_eq!(viewer.open(&mut buf[..len]).unwrap().0, expected);
        }
    }

    #[test]
    fn nothing_is_sent_when_nothing_is_written_or_it_does_not_fit() {
        let mut server = Channel::new(seals(1), Direction::ToViewer);
        assert_eq!(server.seal(None, &mut [0; 64], |_| ()), None);
        assert_eq!(server.seal(None, &mut [0; 20], |writer| writer.bytes(b"too long")), None);
        assert_eq!(server.next_number, 1, "no number is spent on it");
    }

    /// Both sides, and what passes between them; `number` is where the server stands.
    fn pair(number: u64) -> (Channel<Cipher>, Channel<Cipher>) {
        let mut server = Channel::new(seals(1), Direction::ToViewer);
        let mut viewer = Channel::new(seals(1), Direction::ToServer);
        server.next_number = number;
        viewer.received.accept(number - 1);
        (server, viewer)
    }

    fn datagram(server: &mut Channel<Cipher>) -> Vec<u8> {
        let mut buf = [0; 64];
        let (_, len) = sealed(server, b"hello", &mut buf);
        buf[..len].to_vec()
    }

    const TIMEOUT: Duration = Duration::from_millis(100);

    #[test]
    fn keys_change_after_so_many_datagrams_or_so_much_time() {
        let at = Timestamp::from_millis;
        for (number, period_ms, changes) in
            [(KEY_DATAGRAMS, 1, false), (KEY_DATAGRAMS + 1, 1, true), (10, 599_999, false), (10, 600_000, true)]
        {
            let (mut server, mut viewer) = pair(number);
            server.renew(at(1_000), TIMEOUT);
            let before = datagram(&mut server);
            assert!(viewer.open(&mut before.clone()).is_ok());
            assert_eq!(before[0] & 0x20, 0);
            server.next_number = number;
            server.acknowledge(1);
            server.renew(at(1_000 + period_ms), TIMEOUT);
            server.next_number = number + 1;
            let mut after = datagram(&mut server);
            assert_eq!(after[0] & 0x20 != 0, changes, "{number} {period_ms}");
            assert!(viewer.open(&mut after).is_ok(), "the other side follows");
        }
    }

    #[test]
    fn keys_do_not_change_before_the_peer_has_the_last_ones() {
        let (mut server, mut viewer) = pair(KEY_DATAGRAMS + 1);
        server.renew(Timestamp::ZERO, TIMEOUT);
        assert_eq!(datagram(&mut server)[0] & 0x20, 0, "nothing was acknowledged");
        server.acknowledge(5);
        server.renew(Timestamp::ZERO, TIMEOUT);
        let mut first = datagram(&mut server);
        assert_eq!(first[0] & 0x20, 0x20);
        assert!(viewer.open(&mut first).is_ok());
        server.next_number += KEY_DATAGRAMS;
        server.renew(Timestamp::ZERO, TIMEOUT);
        assert!(server.sending.phase(), "of this phase nothing was acknowledged");
        server.acknowledge(server.next_number - 1);
        server.renew(Timestamp::ZERO, TIMEOUT);
        assert!(!server.sending.phase());
    }

    #[test]
    fn keys_are_not_used_more_often_than_is_safe() {
        let (mut server, _) = pair(KEY_DATAGRAMS_MAX);
        assert!(server.seal(None, &mut [0; 64], |writer| writer.bytes(b"x")).is_some());
        assert_eq!(server.seal(None, &mut [0; 64], |writer| writer.bytes(b"x")), None);
    }

    #[test]
    fn what_is_late_opens_with_the_old_keys_for_a_while_and_never_twice() {
        let at = Timestamp::from_millis;
        let (mut server, mut viewer) = pair(KEY_DATAGRAMS);
        let late: Vec<_> = (0..3).map(|_| datagram(&mut server)).collect();
        server.acknowledge(1);
        server.renew(at(0), TIMEOUT);
        assert!(viewer.open(&mut datagram(&mut server)).is_ok());
        viewer.renew(at(0), TIMEOUT);
        assert!(viewer.open(&mut late[0].clone()).is_ok());
        assert_eq!(viewer.open(&mut late[0].clone()), Err(OpenError::Replayed));
        viewer.renew(at(299), TIMEOUT);
        assert!(viewer.open(&mut late[1].clone()).is_ok());
        viewer.renew(at(300), TIMEOUT);
        assert_eq!(viewer.open(&mut late[2].clone()), Err(OpenError::Forged), "its keys are forgotten");
        // A datagram whose phase was changed on the way is no other phase's first.
        let mut forged = datagram(&mut server);
        forged[0] ^= 0x20;
        assert_eq!(viewer.open(&mut forged), Err(OpenError::Forged));
        assert!(viewer.open(&mut datagram(&mut server)).is_ok());
    }
}
