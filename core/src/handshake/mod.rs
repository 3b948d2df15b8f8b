//! How two sides come to share keys: the seam behind which [`Noise`] sits.

mod key;
mod noise;
pub mod pairing;

use core::fmt;

pub use key::SharedKey;
pub use noise::Noise;
pub use pairing::PairingCode;

use crate::seal::{Seal, Seals};
use crate::secrets::Secrets;

/// How a viewer proves that it may watch. Its number is its bit in what a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Auth {
    /// It need not.
    Open = 0,
    /// It knows the server's key.
    Key = 1,
    /// It knows the code that the server shows just now.
    Code = 2,
}

impl Auth {
    /// Its bit in the modes that a server accepts.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self as u8
    }
}

/// Bytes of a handshake message at most.
pub const MESSAGE_BYTES_MAX: usize = 128;

/// A handshake message, of either side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message {
    bytes: [u8; MESSAGE_BYTES_MAX],
    len: usize,
}

impl Message {
    /// No bytes.
    pub const EMPTY: Self = Self { bytes: [0; MESSAGE_BYTES_MAX], len: 0 };

    /// A message that `write` puts at the start of the buffer it is given, telling its length.
    pub fn written(write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<Self> {
        let mut message = Self::EMPTY;
        message.len = write(&mut message.bytes)?;
        (message.len <= MESSAGE_BYTES_MAX).then_some(message)
    }

    /// The message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.len)
    }
}

/// One side's part in making keys. A viewer begins, the server responds, the viewer concludes.
///
/// `context` is all that was said in clear and that both sides must have heard alike; `parameters` is what the
/// server tells the viewer along with its response, which nobody else may read or change.
pub trait Handshake: Clone + fmt::Debug {
    /// What comes of it.
    type Seal: Seal;
    /// What a viewer keeps between its message and the response.
    type Pending: fmt::Debug;
    /// What the server keeps between the viewer's message and its response.
    type Heard: fmt::Debug;

    /// How the viewer proves its right, or what proof the server wants.
    fn auth(&self) -> Auth;

    /// The ciphers that this side can use, as bits.
    fn ciphers(&self) -> u8;

    /// The viewer's message.
    fn begin(&self, secrets: &mut Secrets, context: &[u8]) -> Option<(Self::Pending, Message)>;

    /// The server hears the viewer's message; nothing if that does not prove the viewer's right. This is cheap.
    fn hear(&self, secrets: &mut Secrets, context: &[u8], message: &[u8]) -> Option<Self::Heard>;

    /// The server's response, and its keys; nothing if there is no cipher in the viewer's offer that this side can use.
    /// This costs two multiplications on a curve.
    fn answer(
        &self,
        heard: Self::Heard,
        viewer: Proposal<'_>,
        parameters: &[u8],
    ) -> Option<(Seals<Self::Seal>, Message)>;

    /// Both steps of the server's at once.
    fn respond(
        &self,
        secrets: &mut Secrets,
        context: &[u8],
        viewer: Proposal<'_>,
        parameters: &[u8],
    ) -> Option<(Seals<Self::Seal>, Message)> {
        self.answer(self.hear(secrets, context, viewer.message)?, viewer, parameters)
    }

    /// The handshake of a viewer, or of a server with one, whose key both made out of a code; nothing if this kind of
    /// handshake has no such thing.
    fn paired(&self, key: SharedKey) -> Option<Self>;

    /// What came of it on the viewer's side; nothing if the response is not one of the server's to this very message.
    /// Then a later one may be.
    fn conclude(
        &self,
        pending: &mut Self::Pending,
        connection_id: u32,
        response: &[u8],
        parameters: &mut [u8],
    ) -> Option<Concluded<Self>>;
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Concluded<H: Handshake> {
    /// The keys.
    pub seals: Seals<H::Seal>,
    /// How many bytes of parameters were written.
    pub parameters_len: usize,
    /// The handshake to come back with, if it is another one: who had a code was told the key.
    pub next: Option<H>,
}

/// What a server responds to.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The viewer's message.
    pub message: &'a [u8],
    /// The ciphers it can use, as bits.
    pub ciphers: u8,
    /// What the session is going to be called.
    pub connection_id: u32,
}
