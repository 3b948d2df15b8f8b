//! PAIR1: how a viewer with a code begins.

use super::proof::{read_cookie, write_cookie};
use super::{ClientNonce, Cookie, INIT_BYTES, MAGIC, counted, head, padding};
use crate::wire::{Reader, VERSION, WireError, Writer};

/// How a viewer with a code begins; without a cookie there is no share yet, as the cookie is part of what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair1<'a> {
    /// Chosen at random for each attempt; INIT follows under the same one.
    pub nonce: ClientNonce,
    /// Proof that this address was answered before.
    pub cookie: Option<Cookie>,
    /// [`pairing`](crate::handshake::pairing)'s share, or empty.
    pub share: &'a [u8],
}

impl<'a> Pair1<'a> {
    pub(super) fn read(datagram: &[u8], nonce: ClientNonce, mut reader: Reader<'a>) -> Result<Self, WireError> {
        if datagram.len() != INIT_BYTES {
            return Err(WireError::Size);
        }
        let cookie = read_cookie(&mut reader)?;
        let len = reader.u8()?;
        let share = reader.bytes(usize::from(len))?;
        padding(&reader)?;
        Ok(Self { nonce, cookie, share })
    }

    /// What both sides have to hear alike: `magic u32 | version u8 | client nonce 8 B | cookie MAC 16 B | time u16`.
    #[must_use]
    pub fn context(&self) -> [u8; 31] {
        let mut context = [0; 31];
        let mut writer = Writer::new(&mut context);
        writer.u32(MAGIC);
        writer.u8(VERSION);
        writer.bytes(&self.nonce);
        if let Some(cookie) = &self.cookie {
            cookie.write(&mut writer);
        }
        context
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        head(writer, 6, &self.nonce);
        write_cookie(self.cookie.as_ref(), writer);
        counted(writer, self.share);
        writer.zeros(INIT_BYTES.saturating_sub(writer.len()));
    }
}
