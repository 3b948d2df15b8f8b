//! What a complete head must satisfy besides framing: Host, Expect and persistence.

use super::error::{ErrorKind, Fault};
use super::grammar::list;
use super::head::{Field, KnownName, Version};
use super::target::Authority;

/// One valid Host, which only HTTP/1.0 may lack (RFC 9112 §3.2). `end` is the end of the head.
pub(super) fn check_host<'a>(
    version: Version,
    fields: impl Iterator<Item = Field<'a>>,
    end: usize,
) -> Result<(), Fault> {
    let mut hosts = fields.filter(|field| field.known == KnownName::Host);
    let Some(host) = hosts.next() else {
        return match version {
            Version::Http10 => Ok(()),
            Version::Http11 => Err(Fault::new(ErrorKind::MissingHost, end)),
        };
    };
    if let Some(second) = hosts.next() {
        return Err(Fault::new(ErrorKind::RepeatedHost, second.value_offset));
    }
    match Authority::parse(host.value) {
        Some(_) => Ok(()),
        None => Err(Fault::new(ErrorKind::InvalidHost, host.value_offset)),
    }
}

/// Whether the client waits for 100 (Continue) before it sends a body (RFC 9110 §10.1.1).
///
/// HTTP/1.0 has no expectations: there the field is ignored.
pub(super) fn expects_continue<'a>(version: Version, fields: impl Iterator<Item = Field<'a>>) -> Result<bool, Fault> {
    if version == Version::Http10 {
        return Ok(false);
    }
    let mut expected = false;
    for field in fields.filter(|field| field.known == KnownName::Expect) {
        if !field.value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Fault::new(ErrorKind::UnknownExpectation, field.value_offset));
        }
        expected = true;
    }
    Ok(expected)
}

/// Whether the connection outlives the request (RFC 9112 §9.3): `close` wins over `keep-alive`.
pub(super) fn keeps_alive<'a>(version: Version, fields: impl Iterator<Item = Field<'a>>) -> bool {
    let mut asked = false;
    for field in fields.filter(|field| field.known == KnownName::Connection) {
        for option in list(field.value) {
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            asked |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    version == Version::Http11 || asked
}
