//! What a complete head must satisfy besides framing, and what it asks of the connection.

use super::error::{ErrorKind, Fault};
use super::framing::{self, Framing};
use super::grammar::list;
use super::head::{KnownName, Version};
use super::target::Authority;
use super::{HeadView, Trailers};

/// What a head means for the bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) framing: Framing,
    pub(super) expects_continue: bool,
    pub(super) keep_alive: bool,
    pub(super) offers_upgrade: bool,
}

/// Decides what a head means.
#[inline(never)]
pub(super) fn intent(head: HeadView<'_>, body_bytes_max: u64) -> Result<Intent, Fault> {
    Ok(Intent {
        framing: framing::decide(
            head.version(),
            head.known(KnownName::ContentLength),
            head.known(KnownName::TransferEncoding),
            body_bytes_max,
        )?,
        expects_continue: expects_continue(head)?,
        keep_alive: keeps_alive(head),
        offers_upgrade: offers_upgrade(head),
    })
}

/// What [`intent`] comes to if no field has a say in it.
#[inline]
pub(super) fn plain_intent(version: Version) -> Intent {
    Intent {
        framing: Framing::None,
        expects_continue: false,
        keep_alive: version == Version::Http11,
        offers_upgrade: false,
    }
}

/// One valid Host, which only HTTP/1.0 may lack, or any request if it `is_optional` (RFC 9112 §3.2).
pub(super) fn check_host(head: HeadView<'_>, is_optional: bool) -> Result<(), Fault> {
    let mut hosts = head.known(KnownName::Host);
    let Some(host) = hosts.next() else {
        return match head.version() {
            Version::Http11 if !is_optional => Err(Fault::new(ErrorKind::MissingHost, head.bytes().len())),
            Version::Http10 | Version::Http11 => Ok(()),
        };
    };
    if let Some(second) = hosts.next() {
        return Err(Fault::new(ErrorKind::RepeatedHost, second.value_offset));
    }
    let is_valid = head.spans.host_is_plain() || Authority::parse(host.value).is_some();
    if is_valid { Ok(()) } else { Err(Fault::new(ErrorKind::InvalidHost, host.value_offset)) }
}

/// Whether the client waits for 100 (Continue) before it sends a body (RFC 9110 §10.1.1).
///
/// HTTP/1.0 has no expectations: there the field is ignored.
fn expects_continue(head: HeadView<'_>) -> Result<bool, Fault> {
    if head.version() == Version::Http10 {
        return Ok(false);
    }
    let mut expected = false;
    for field in head.known(KnownName::Expect) {
        if !field.value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Fault::new(ErrorKind::UnknownExpectation, field.value_offset));
        }
        expected = true;
    }
    Ok(expected)
}

/// Whether the connection outlives the request (RFC 9112 §9.3): `close` wins over `keep-alive`.
fn keeps_alive(head: HeadView<'_>) -> bool {
    let mut asked = false;
    for field in head.known(KnownName::Connection) {
        // What browsers send needs no taking apart.
        if field.value == b"keep-alive" {
            asked = true;
            continue;
        }
        for option in list(field.value) {
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            asked |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    head.version() == Version::Http11 || asked
}

/// Whether the client offers to speak another protocol (RFC 9110 §7.8). HTTP/1.0 cannot.
fn offers_upgrade(head: HeadView<'_>) -> bool {
    head.version() == Version::Http11
        && head.known(KnownName::Upgrade).next().is_some()
        && head.known(KnownName::Connection).flat_map(|field| list(field.value)).any(is_upgrade)
}

const fn is_upgrade(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"upgrade")
}

/// Fields that mean nothing, or something else than was meant, behind a body (RFC 9110 §6.5.1): for framing, routing,
/// authentication, modifiers of the request, and how to read the content.
const FORBIDDEN_TRAILERS: [&str; 28] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

/// No trailer field may be one that belongs into the head.
pub(super) fn check_trailers(trailers: Trailers<'_>) -> Result<(), Fault> {
    for field in trailers.fields() {
        if FORBIDDEN_TRAILERS.iter().any(|name| field.name.eq_ignore_ascii_case(name.as_bytes())) {
            return Err(Fault::new(ErrorKind::ForbiddenTrailer, field.value_offset));
        }
    }
    Ok(())
}
