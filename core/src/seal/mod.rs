//! What protects datagrams once a session has keys: a [`Seal`] for each direction, and the [`Channel`] that numbers them.

mod channel;
mod cipher;
mod phases;

use core::fmt;

pub use channel::{Channel, OpenError};
pub use cipher::{Aead, Cipher};

/// Seals or opens the datagrams of one direction, in one phase of its keys.
///
/// `packet_number` never repeats; `header` is the clear part of the datagram, which the tag covers too.
pub trait Seal: fmt::Debug + Sized {
    /// Bytes that sealing adds.
    const TAG_BYTES: usize;

    /// Seals `body` in place: its last [`TAG_BYTES`](Self::TAG_BYTES) bytes are room for the tag.
    fn seal(&self, packet_number: u64, header: &[u8], body: &mut [u8]);

    /// Opens `body` in place and tells the plaintext's length.
    ///
    /// # Errors
    /// [`Forged`] if the tag does not fit; then `body` holds nothing that may be used.
    fn open(&self, packet_number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged>;

    /// The seal of the phase after this one, from which nobody can tell this one. Nothing if it cannot be made, which
    /// only a defect does.
    fn next_phase(&self) -> Option<Self>;
}

/// The seals of a session.
#[derive(Clone, Copy, Debug)]
pub struct Seals<S> {
    /// Of what the server sends.
    pub to_viewer: S,
    /// Of what the viewer sends.
    pub to_server: S,
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
