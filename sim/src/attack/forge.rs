//! What an attacker makes of datagrams: shorter, longer, damaged, or its own.

use nalcast_core::Rng;
use nalcast_core::wire::long::{INIT_BYTES, Init, Long};
use nalcast_core::wire::sealed::Header;

/// What a datagram is; everybody on the way can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A viewer knocks.
    Init,
    /// A viewer knocks and proves its address.
    InitWithCookie,
    /// A viewer knocks and shows an address token.
    InitWithToken,
    /// The server asks for a proof of the address.
    Retry,
    /// The server lets a viewer in.
    Accept,
    /// The server speaks other versions.
    Versions,
    /// The server refuses.
    Reject,
    /// A viewer begins to make a key of a code.
    Pair1,
    /// The server's part of that key.
    Pair2,
    /// A sealed datagram.
    Sealed,
}

/// What `datagram` is, if it is well-formed.
#[must_use]
pub fn kind(datagram: &[u8]) -> Option<Kind> {
    if Header::is_sealed(datagram) {
        return Some(Kind::Sealed);
    }
    Some(match Long::parse(datagram).ok()? {
        Long::Init(Init { cookie: Some(_), .. }) => Kind::InitWithCookie,
        Long::Init(Init { token: [_, ..], .. }) => Kind::InitWithToken,
        Long::Init(_) => Kind::Init,
        Long::Retry { .. } => Kind::Retry,
        Long::Accept { .. } => Kind::Accept,
        Long::Versions { .. } => Kind::Versions,
        Long::Reject { .. } => Kind::Reject,
        Long::Pair1(_) => Kind::Pair1,
        Long::Pair2 { .. } => Kind::Pair2,
    })
}

/// The first `len` bytes of `datagram`.
#[must_use]
pub fn cut(datagram: &[u8], len: usize) -> Vec<u8> {
    datagram.get(..len).unwrap_or(datagram).to_vec()
}

/// `datagram` with `byte` behind it until it has `len` bytes.
#[must_use]
pub fn extended(datagram: &[u8], len: usize, byte: u8) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    bytes.resize(len.max(bytes.len()), byte);
    bytes
}

/// `datagram` with one bit changed.
#[must_use]
pub fn flipped(datagram: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 0x80 >> (bit % 8);
    }
    bytes
}

/// So many random bytes.
#[must_use]
pub fn garbage(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes
}

/// An INIT that shows the cookie and the token of `other`, which its handshake message does not cover; nothing if
/// either is no INIT.
#[must_use]
pub fn with_proofs_of(other: &[u8], init: &[u8]) -> Option<Vec<u8>> {
    let Ok(Long::Init(Init { cookie, token, .. })) = Long::parse(other) else { return None };
    let Ok(Long::Init(init)) = Long::parse(init) else { return None };
    let mut bytes = vec![0; INIT_BYTES];
    Long::Init(Init { cookie, token, ..init }).write(&mut bytes)?;
    Some(bytes)
}
