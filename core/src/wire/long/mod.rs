//! LONG datagrams: the handshake, in clear.
//!
//! All begin with `type u8 (bit 7 = 0) | magic u32 | version u8 | client nonce 8 B`, then:
//!
//! | type | name | from | rest |
//! |---|---|---|---|
//! | 1 | INIT | viewer | cookie (length u8: 0 or 18; MAC 16 B, time u16), token (length u8), auth u8, cipher offer u8, versions (count u8), handshake message (length u8), zeros up to 1200 B |
//! | 2 | RETRY | server | auth modes u8, cookie MAC 16 B, time u16 |
//! | 3 | ACCEPT | server | connection id u32, handshake message (length u8), in which the session parameters are |
//! | 4 | VERSIONS | server | versions (count u8) |
//! | 5 | REJECT | server | close code u16 |
//! | 6 | PAIR1 | viewer | cookie (length u8: 0 or 18), share (length u8), zeros up to 1200 B |
//! | 7 | PAIR2 | server | share (length u8) |
//!
//! The client nonce is echoed, so an answer belongs to exactly one attempt. INIT's size keeps every answer to
//! an unproven address far below three times what came from it (RFC 9000 §8).

mod init;
mod pair;
mod parameters;
mod proof;

pub use init::{CONTEXT_BYTES_MAX, Init};
pub use pair::Pair1;
pub use parameters::SessionParameters;
pub use proof::{Cookie, Token};

use super::{CloseCode, Reader, VERSION, WireError, Writer};
use crate::limits;

/// "nalc" in ASCII.
pub const MAGIC: u32 = 0x6e61_6c63;
/// INIT is padded to this size; anything shorter is not answered.
pub const INIT_BYTES: usize = limits::DATAGRAM_BYTES_BASE;
/// Length of a token at most.
pub const TOKEN_BYTES_MAX: usize = 64;

/// Ties an attempt to its answers.
pub type ClientNonce = [u8; 8];

/// A handshake datagram, parsed. `nonce` is the client's, echoed by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Long<'a> {
    /// Viewer asks to join.
    Init(Init<'a>),
    /// Server asks the address to prove itself; needs no state there.
    Retry {
        /// Echo.
        nonce: ClientNonce,
        /// Bit set of the authentication modes that the server takes.
        auth_modes: u8,
        /// To be shown with the next INIT.
        cookie: Cookie,
    },
    /// Server takes the viewer in.
    Accept {
        /// Echo.
        nonce: ClientNonce,
        /// Names the session in the viewer's datagrams.
        connection_id: u32,
        /// Second handshake message, with [`SessionParameters`] inside.
        handshake: &'a [u8],
    },
    /// Server speaks none of the offered versions.
    Versions {
        /// Echo.
        nonce: ClientNonce,
        /// What it speaks.
        versions: &'a [u8],
    },
    /// Server refuses.
    Reject {
        /// Echo.
        nonce: ClientNonce,
        /// Why.
        code: CloseCode,
    },
    /// Viewer that has a code begins to make a key of it.
    Pair1(Pair1<'a>),
    /// Server's part of that key.
    Pair2 {
        /// Echo.
        nonce: ClientNonce,
        /// [`pairing`](crate::handshake::pairing)'s share.
        share: &'a [u8],
    },
}

impl<'a> Long<'a> {
    /// Parses a whole datagram.
    ///
    /// # Errors
    /// [`WireError::Version`] for an INIT-sized datagram of another version; otherwise what is wrong with it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(datagram);
        let kind = reader.u8()?;
        if reader.u32()? != MAGIC {
            return Err(WireError::Magic);
        }
        if reader.u8()? != VERSION {
            return Err(WireError::Version);
        }
        let nonce = reader.array()?;
        let long = match kind {
            1 => return Init::read(datagram, nonce, reader).map(Self::Init),
            6 => return Pair1::read(datagram, nonce, reader).map(Self::Pair1),
            2 => Self::Retry { nonce, auth_modes: reader.u8()?, cookie: Cookie::read(&mut reader)? },
            3 => {
                let connection_id = reader.u32()?;
                let len = reader.u8()?;
                Self::Accept { nonce, connection_id, handshake: reader.bytes(usize::from(len))? }
            }
            4 => {
                let count = reader.u8()?;
                Self::Versions { nonce, versions: reader.bytes(usize::from(count))? }
            }
            5 => Self::Reject { nonce, code: CloseCode::from_wire(reader.u16()?) },
            7 => {
                let len = reader.u8()?;
                Self::Pair2 { nonce, share: reader.bytes(usize::from(len))? }
            }
            _ => return Err(WireError::Field),
        };
        if reader.is_empty() { Ok(long) } else { Err(WireError::Trailing) }
    }

    /// Writes the datagram into `buf`: its length, or nothing if it does not fit.
    #[must_use]
    pub fn write(&self, buf: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(buf);
        match self {
            Self::Init(init) => init.write(&mut writer),
            Self::Retry { nonce, auth_modes, cookie } => {
                head(&mut writer, 2, nonce);
                writer.u8(*auth_modes);
                cookie.write(&mut writer);
            }
            Self::Accept { nonce, connection_id, handshake } => {
                head(&mut writer, 3, nonce);
                writer.u32(*connection_id);
                counted(&mut writer, handshake);
            }
            Self::Versions { nonce, versions } => {
                head(&mut writer, 4, nonce);
                counted(&mut writer, versions);
            }
            Self::Reject { nonce, code } => {
                head(&mut writer, 5, nonce);
                writer.u16(code.to_wire());
            }
            Self::Pair1(pair) => pair.write(&mut writer),
            Self::Pair2 { nonce, share } => {
                head(&mut writer, 7, nonce);
                counted(&mut writer, share);
            }
        }
        writer.finish()
    }
}

/// The client nonce of a datagram of INIT's size, whatever its version: all that VERSIONS needs to answer it.
#[must_use]
pub fn nonce_of_any_version(datagram: &[u8]) -> Option<ClientNonce> {
    let mut reader = Reader::new(datagram);
    let (kind, magic, _version) = (reader.u8().ok()?, reader.u32().ok()?, reader.u8().ok()?);
    let answerable = kind == 1 && magic == MAGIC && datagram.len() >= INIT_BYTES;
    if answerable { reader.array().ok() } else { None }
}

/// Behind the last field of a padded datagram nothing may follow but zeros.
fn padding(reader: &Reader<'_>) -> Result<(), WireError> {
    if reader.rest().iter().all(|byte| *byte == 0) { Ok(()) } else { Err(WireError::Trailing) }
}

fn head(writer: &mut Writer<'_>, kind: u8, nonce: &ClientNonce) {
    writer.u8(kind);
    writer.u32(MAGIC);
    writer.u8(VERSION);
    writer.bytes(nonce);
}

/// Appends a list behind its one-byte length; a longer list than that can count is cut.
fn counted(writer: &mut Writer<'_>, bytes: &[u8]) {
    let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    writer.u8(len);
    writer.bytes(bytes.get(..usize::from(len)).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: ClientNonce = *b"nonce678";
    const COOKIE: Cookie = Cookie { mac: [7; 16], time: 0x1234 };

    fn check(long: Long<'_>, len: usize) {
        let mut buf = [0xaa; 1500];
        assert_eq!(long.write(&mut buf), Some(len), "{long:?}");
        assert_eq!(Long::parse(&buf[..len]), Ok(long));
        for cut in 0..len {
            assert!(Long::parse(&buf[..cut]).is_err(), "{long:?} cut to {cut}");
        }
    }

    #[test]
    fn every_type_comes_back() {
        let init =
            Init { nonce: NONCE, cookie: None, token: b"", auth: 0, ciphers: 3, versions: &[VERSION], handshake: b"" };
        check(Long::Init(init), INIT_BYTES);
        check(Long::Init(Init { cookie: Some(COOKIE), token: b"tok", handshake: b"msg1", ..init }), INIT_BYTES);
        check(Long::Retry { nonce: NONCE, auth_modes: 1, cookie: COOKIE }, 33);
        check(Long::Accept { nonce: NONCE, connection_id: 9, handshake: b"m2" }, 21);
        check(Long::Versions { nonce: NONCE, versions: &[1, 2] }, 17);
        check(Long::Reject { nonce: NONCE, code: CloseCode::Full }, 16);
        check(Long::Pair1(Pair1 { nonce: NONCE, cookie: None, share: b"" }), INIT_BYTES);
        check(Long::Pair1(Pair1 { nonce: NONCE, cookie: Some(COOKIE), share: &[9; 33] }), INIT_BYTES);
        check(Long::Pair2 { nonce: NONCE, share: &[9; 33] }, 48);
    }

    #[test]
    fn another_version_is_told_apart_and_can_be_answered() {
        let mut datagram = [0; INIT_BYTES];
        let init = Init { nonce: NONCE, cookie: None, token: b"", auth: 0, ciphers: 0, versions: &[2], handshake: b"" };
        assert_eq!(Long::Init(init).write(&mut datagram), Some(INIT_BYTES));
        datagram[5] = 2;
        assert_eq!(Long::parse(&datagram), Err(WireError::Version));
        assert_eq!(nonce_of_any_version(&datagram), Some(NONCE));
        assert_eq!(nonce_of_any_version(&datagram[..INIT_BYTES - 1]), None, "too short to be answered");
    }

    #[test]
    fn the_context_is_everything_but_the_proofs_of_the_address() {
        let init =
            Init { nonce: NONCE, cookie: None, token: b"", auth: 1, ciphers: 3, versions: &[1, 9], handshake: b"m" };
        let context = |init: Init<'_>| init.context(&mut [0; CONTEXT_BYTES_MAX]).to_vec();
        let plain = context(init);
        assert_eq!(plain, *b"nalc\x01\x01nonce678\x03\x02\x01\x09");
        assert_eq!(context(Init { cookie: Some(COOKIE), token: b"t", ..init }), plain);
        for other in [
            Init { nonce: [0; 8], ..init },
            Init { auth: 0, ..init },
            Init { ciphers: 1, ..init },
            Init { versions: &[1], ..init },
        ] {
            assert_ne!(context(other), plain, "{other:?}");
        }
    }

    #[test]
    fn session_parameters_come_back() {
        let parameters = SessionParameters { frame_bytes_max: 1 << 20, server_time_us: 1 << 40, newest_frame: 1 << 33 };
        assert_eq!(SessionParameters::parse(&parameters.to_bytes()), Ok(parameters));
    }
}
