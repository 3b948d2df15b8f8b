//! One side of a session: numbers what it sends, and accepts each number once.

use core::fmt;
use core::ops::Range;

use super::{Direction, Forged, Seal, Seals};
use crate::replay::ReplayWindow;
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
    seals: Seals<S>,
    sends: Direction,
    next_number: u64,
    received: ReplayWindow,
}

impl<S: Seal> Channel<S> {
    /// Both directions of a new session, of which `sends` is this side's. Packet number 0 is never used.
    pub const fn new(seals: Seals<S>, sends: Direction) -> Self {
        Self { seals, sends, next_number: 1, received: ReplayWindow::new() }
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
        let seal = match self.sends {
            Direction::ToViewer => &self.seals.to_viewer,
            Direction::ToServer => &self.seals.to_server,
        };
        seal.seal(number, header, body);
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
        let seal = match self.sends {
            Direction::ToViewer => &self.seals.to_server,
            Direction::ToServer => &self.seals.to_viewer,
        };
        let (header, body) = datagram.split_at_mut(header_len);
        let len = seal.open(number, header, body).map_err(|Forged| OpenError::Forged)?;
        self.received.accept(number);
        Ok((number, header_len..header_len + len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
