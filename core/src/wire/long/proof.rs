//! How an address proves that it hears: the cookie that it was just sent, or the token of an earlier session.

use core::fmt;

use super::TOKEN_BYTES_MAX;
use crate::wire::{Reader, WireError, Writer};

/// Length of a cookie: MAC and time.
const COOKIE_BYTES: u8 = 18;

/// A token as a viewer keeps it: only its server knows what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    bytes: [u8; TOKEN_BYTES_MAX],
    len: usize,
}

impl Token {
    /// A token of these bytes, unless they are too many.
    #[must_use]
    pub fn new(token: &[u8]) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES_MAX];
        bytes.get_mut(..token.len())?.copy_from_slice(token);
        Some(Self { bytes, len: token.len() })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.len)
    }
}

/// What a server gave an address to prove that it can hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Keyed hash over address, nonce and time.
    pub mac: [u8; 16],
    /// When it was made: the server's clock in seconds, low 16 bits.
    pub time: u16,
}

impl Cookie {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { mac: reader.array()?, time: reader.u16()? })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.mac);
        writer.u16(self.time);
    }
}

pub(super) fn read_cookie(reader: &mut Reader<'_>) -> Result<Option<Cookie>, WireError> {
    match reader.u8()? {
        0 => Ok(None),
        COOKIE_BYTES => Ok(Some(Cookie::read(reader)?)),
        _ => Err(WireError::Field),
    }
}

pub(super) fn write_cookie(cookie: Option<&Cookie>, writer: &mut Writer<'_>) {
    match cookie {
        None => writer.u8(0),
        Some(cookie) => {
            writer.u8(COOKIE_BYTES);
            cookie.write(writer);
        }
    }
}
