//! The seam where datagrams are sealed: what protects them sits behind [`Seal`], what numbers them in [`Channel`].

use core::fmt;
use core::hash::Hasher;
use core::ops::Range;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::replay::ReplayWindow;
use crate::wire::{Reader, WireError, Writer, sealed};

/// Seals and opens the plaintexts of one session.
///
/// `packet_number` never repeats in one direction; `header` is the clear part of the datagram, which the tag
/// covers too. Both directions share an implementation, told apart by [`Direction`].
pub trait Seal: Clone {
    /// Bytes that sealing adds.
    const TAG_BYTES: usize;

    /// The seal of one session: what another session sealed, to the same address even, does not open with it.
    #[must_use]
    fn for_session(&self, connection_id: u32) -> Self;

    /// Seals `body` in place: its last [`TAG_BYTES`](Self::TAG_BYTES) bytes are room for the tag.
    fn seal(&self, direction: Direction, packet_number: u64, header: &[u8], body: &mut [u8]);

    /// Opens `body` in place and tells the plaintext's length.
    ///
    /// # Errors
    /// [`Forged`] if the tag does not fit; then `body` holds nothing that may be used.
    fn open(&self, direction: Direction, packet_number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged>;
}

/// The direction of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Server to viewer.
    ToViewer,
    /// Viewer to server.
    ToServer,
}

/// The tag does not fit the datagram: damaged or not from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// No secrecy, only a checksum as long as an authentication tag: finds damage, stops nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain {
    connection_id: u32,
}

impl Plain {
    fn checksum(&self, direction: Direction, packet_number: u64, header: &[u8], plaintext: &[u8]) -> [u8; 16] {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.connection_id.to_be_bytes());
        hasher.write_u8(match direction {
            Direction::ToViewer => 0,
            Direction::ToServer => 1,
        });
        hasher.write(&packet_number.to_be_bytes());
        hasher.write(&header.len().to_be_bytes());
        hasher.write(header);
        hasher.write(plaintext);
        hasher.finish128().as_bytes()
    }
}

impl Seal for Plain {
    const TAG_BYTES: usize = 16;

    fn for_session(&self, connection_id: u32) -> Self {
        Self { connection_id }
    }

    fn seal(&self, direction: Direction, packet_number: u64, header: &[u8], body: &mut [u8]) {
        let plaintext_len = body.len().saturating_sub(Self::TAG_BYTES);
        let (plaintext, tag) = body.split_at_mut(plaintext_len);
        let checksum = self.checksum(direction, packet_number, header, plaintext);
        tag.iter_mut().zip(checksum).for_each(|(to, from)| *to = from);
    }

    fn open(&self, direction: Direction, packet_number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged> {
        let plaintext_len = body.len().checked_sub(Self::TAG_BYTES).ok_or(Forged)?;
        let (plaintext, tag) = body.split_at(plaintext_len);
        let sound = tag == self.checksum(direction, packet_number, header, plaintext);
        if sound { Ok(plaintext_len) } else { Err(Forged) }
    }
}

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
#[derive(Clone, Debug)]
pub struct Channel<S> {
    seal: S,
    sends: Direction,
    next_number: u64,
    received: ReplayWindow,
}

impl<S: Seal> Channel<S> {
    /// Both directions of a new session; packet number 0 belongs to the handshake.
    pub const fn new(seal: S, sends: Direction) -> Self {
        Self { seal, sends, next_number: 1, received: ReplayWindow::new() }
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
        sealed::Header { key_phase: false, packet_number_low, connection_id }.write(&mut writer);
        let header_len = writer.len();
        fill(&mut writer);
        if writer.len() == header_len {
            return None;
        }
        writer.zeros(S::TAG_BYTES);
        let len = writer.finish()?;
        let (header, body) = buf.get_mut(..len)?.split_at_mut_checked(header_len)?;
        self.seal.seal(self.sends, number, header, body);
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
        let receives = match self.sends {
            Direction::ToViewer => Direction::ToServer,
            Direction::ToServer => Direction::ToViewer,
        };
        let (header, body) = datagram.split_at_mut(header_len);
        let len = self.seal.open(receives, number, header, body).map_err(|Forged| OpenError::Forged)?;
        self.received.accept(number);
        Ok((number, header_len..header_len + len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(server: &mut Channel<Plain>, text: &[u8], buf: &mut [u8]) -> (u64, usize) {
        server.seal(None, buf, |writer| writer.bytes(text)).unwrap()
    }

    #[test]
    fn a_datagram_opens_on_the_other_side_only() {
        let mut server = Channel::new(Plain::default(), Direction::ToViewer);
        let mut viewer = Channel::new(Plain::default(), Direction::ToServer);
        let mut buf = [0; 64];
        let (number, len) = sealed(&mut server, b"hello", &mut buf);
        assert_eq!((number, len), (1, 5 + server.overhead()));
        assert_eq!(server.open(&mut { buf }[..len]), Err(OpenError::Forged), "its own direction");
        let (opened, plaintext) = viewer.open(&mut buf[..len]).unwrap();
        assert_eq!((opened, &buf[plaintext]), (1, &b"hello"[..]));
    }

    #[test]
    fn another_sessions_datagram_does_not_open() {
        let mut old = Channel::new(Plain::default().for_session(1), Direction::ToViewer);
        let mut new = Channel::new(Plain::default().for_session(2), Direction::ToServer);
        let mut buf = [0; 64];
        let (_, len) = sealed(&mut old, b"late", &mut buf);
        assert_eq!(new.open(&mut buf[..len]), Err(OpenError::Forged));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut server = Channel::new(Plain::default(), Direction::ToViewer);
        let mut buf = [0; 64];
        let (_, len) = sealed(&mut server, b"hello", &mut buf);
        for bit in 0..len * 8 {
            let mut viewer = Channel::new(Plain::default(), Direction::ToServer);
            let mut damaged = buf;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(viewer.open(&mut damaged[..len]).is_err(), "bit {bit}");
            assert_eq!(viewer.received.largest(), 0, "a forged datagram changes nothing");
        }
    }

    #[test]
    fn a_datagram_opens_once() {
        let mut server = Channel::new(Plain::default(), Direction::ToViewer);
        let mut viewer = Channel::new(Plain::default(), Direction::ToServer);
        let mut buf = [0; 64];
        let (number, len) = sealed(&mut server, b"hello", &mut buf);
        assert!(viewer.open(&mut { buf }[..len]).is_ok_and(|(opened, _)| opened == number));
        assert_eq!(viewer.open(&mut buf[..len]), Err(OpenError::Replayed));
    }

    #[test]
    fn packet_numbers_survive_the_wrap_of_their_wire_form() {
        let mut server = Channel::new(Plain::default(), Direction::ToViewer);
        let mut viewer = Channel::new(Plain::default(), Direction::ToServer);
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
        let mut server = Channel::new(Plain::default(), Direction::ToViewer);
        assert_eq!(server.seal(None, &mut [0; 64], |_| ()), None);
        assert_eq!(server.seal(None, &mut [0; 20], |writer| writer.bytes(b"too long")), None);
        assert_eq!(server.next_number, 1, "no number is spent on it");
    }
}
