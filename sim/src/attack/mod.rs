//! Attacks on real sessions: a server, honest viewers, and somebody on the way between them, in virtual time.
//!
//! Handshake and ciphers are the real ones, for the simulator's own [`Plain`](crate::plain::Plain) stops nobody. The
//! attacker sees every datagram, may keep it, delay it, copy it or change it, and sends what it likes from any address.
//! What it cannot do is break a cipher, or hear what is sent to an address that it does not listen at.
//!
//! An [`Arena`] checks what must hold whatever the attacker does: nobody is released a frame that was not sent, or
//! twice; nobody who cannot hear is sent more than three times what came from there; the caps of every buffer.

mod arena;
mod forge;
mod guest;
mod knocker;
mod ledger;
mod state;

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::handshake::{Noise, SharedKey};
use nalcast_core::seal::Aead;

pub use arena::Arena;
pub use forge::{Kind, cut, extended, flipped, garbage, kind, with_proofs_of};
pub use guest::Guest;
pub use knocker::Knocker;
pub use ledger::{Account, Ledger};
pub use state::{client_state, server_state};

/// Where the server is.
pub const SERVER: SocketAddr = crate::world::SERVER;

/// The handshake of whoever knows the server's key.
#[must_use]
pub const fn insider() -> Noise {
    Noise::with_key(SharedKey::new([0x5a; 32]), Aead::Aes128Gcm)
}

/// The handshake of somebody who knows another key.
#[must_use]
pub const fn stranger() -> Noise {
    Noise::with_key(SharedKey::new([0xa5; 32]), Aead::Aes128Gcm)
}

/// A datagram as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When it was sent.
    pub at: Timestamp,
    /// Where it says that it comes from.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// What it carries.
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// Whether it goes to the server.
    #[must_use]
    pub fn is_to_server(&self) -> bool {
        self.to == SERVER
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        kind(&self.bytes)
    }
}

/// What the attacker does with a datagram that somebody else sent.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Whether it goes on its way.
    pub passes: bool,
    /// What the attacker sends besides, and how much later it arrives.
    pub sends: Vec<(Duration, Datagram)>,
}

impl Verdict {
    /// Leaves it alone.
    #[must_use]
    pub const fn pass() -> Self {
        Self { passes: true, sends: Vec::new() }
    }

    /// Takes it away.
    #[must_use]
    pub const fn drop() -> Self {
        Self { passes: false, sends: Vec::new() }
    }

    /// Lets `datagram` arrive as well, so much later.
    #[must_use]
    pub fn and(mut self, after: Duration, datagram: Datagram) -> Self {
        self.sends.push((after, datagram));
        self
    }
}

/// The attacker's hand on what others send.
pub type Hand = Box<dyn FnMut(&Datagram) -> Verdict>;
