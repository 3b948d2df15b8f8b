//! The key that whoever is invited shares with the server.

use core::fmt;

use crate::secrets::Secrets;

/// 256 random bits; whoever has them may watch.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey([u8; Self::BYTES]);

impl SharedKey {
    /// Its length.
    pub const BYTES: usize = 32;

    /// A new one.
    #[must_use]
    pub fn random(secrets: &mut Secrets) -> Self {
        Self(secrets.bytes())
    }

    /// One that was made before.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bits, to be written where only those who are invited can read them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// Says nothing of it.
impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey")
    }
}
