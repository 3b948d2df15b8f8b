//! INIT: the viewer's first datagram.

use super::proof::{read_cookie, write_cookie};
use super::{ClientNonce, Cookie, INIT_BYTES, MAGIC, TOKEN_BYTES_MAX, counted, head, padding};
use crate::wire::{Reader, VERSION, WireError, Writer};

/// Length of [`Init::context`] at most: a count byte and all that it can count.
pub const CONTEXT_BYTES_MAX: usize = 4 + 1 + 1 + 8 + 1 + 1 + u8::MAX as usize;

/// The viewer's first datagram; repeated with the cookie once it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// Chosen at random for each attempt.
    pub nonce: ClientNonce,
    /// Proof that this address was answered before.
    pub cookie: Option<Cookie>,
    /// Proof from an earlier session, or empty.
    pub token: &'a [u8],
    /// How the viewer wants to prove its right.
    pub auth: u8,
    /// Bit set of the ciphers it can use.
    pub ciphers: u8,
    /// Protocol versions it speaks.
    pub versions: &'a [u8],
    /// First handshake message.
    pub handshake: &'a [u8],
}

impl<'a> Init<'a> {
    pub(super) fn read(datagram: &[u8], nonce: ClientNonce, mut reader: Reader<'a>) -> Result<Self, WireError> {
        if datagram.len() != INIT_BYTES {
            return Err(WireError::Size);
        }
        let cookie = read_cookie(&mut reader)?;
        let token_len = usize::from(reader.u8()?);
        if token_len > TOKEN_BYTES_MAX {
            return Err(WireError::Field);
        }
        let token = reader.bytes(token_len)?;
        let (auth, ciphers) = (reader.u8()?, reader.u8()?);
        let count = reader.u8()?;
        let versions = reader.bytes(usize::from(count))?;
        let len = reader.u8()?;
        let handshake = reader.bytes(usize::from(len))?;
        padding(&reader)?;
        Ok(Self { nonce, cookie, token, auth, ciphers, versions, handshake })
    }

    /// What both sides have to hear alike: everything but the proofs of the address, which may change from one
    /// repetition to the next. Nobody on the way can make the sides settle for less than they could have had.
    ///
    /// `magic u32 | version u8 | auth u8 | client nonce 8 B | cipher offer u8 | versions (count u8)`
    pub fn context<'b>(&self, buf: &'b mut [u8; CONTEXT_BYTES_MAX]) -> &'b [u8] {
        let mut writer = Writer::new(&mut *buf);
        writer.u32(MAGIC);
        writer.u8(VERSION);
        writer.u8(self.auth);
        writer.bytes(&self.nonce);
        writer.u8(self.ciphers);
        counted(&mut writer, self.versions);
        let len = writer.len();
        buf.get(..len).unwrap_or_default()
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        head(writer, 1, &self.nonce);
        write_cookie(self.cookie.as_ref(), writer);
        counted(writer, self.token);
        writer.u8(self.auth);
        writer.u8(self.ciphers);
        counted(writer, self.versions);
        counted(writer, self.handshake);
        writer.zeros(INIT_BYTES.saturating_sub(writer.len()));
    }
}
