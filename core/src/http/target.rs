//! Request targets and authorities.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::error::ErrorKind;
use super::head::Span;

/// A host with an optional port: the value of Host, or the authority of an absolute target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The port, if one is given.
    pub port: Option<u16>,
}

/// A host (RFC 3986 §3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A registered name; ASCII, any case.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address in brackets.
    V6(Ipv6Addr),
}

impl<'a> Authority<'a> {
    /// Parses `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2).
    ///
    /// Refused beyond the grammar: an empty host (RFC 9110 §4.2.1), user information (§4.2.4), zone identifiers,
    /// and commas, which would let a list pass for a name.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed.split_once(']')?;
            let host = Host::V6(address.parse().ok()?);
            return match rest.strip_prefix(':') {
                Some(port) => Some(Self { host, port: parse_port(port)? }),
                None => rest.is_empty().then_some(Self { host, port: None }),
            };
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, parse_port(port)?),
            None => (text, None),
        };
        let host = match name.parse() {
            Ok(address) => Host::V4(address),
            Err(_) if is_registered_name(name.as_bytes()) => Host::Name(name),
            Err(_) => return None,
        };
        Some(Self { host, port })
    }
}

/// The outer option says whether it is a port at all; the port may be empty (RFC 3986 §3.2.3).
#[expect(clippy::option_option, reason = "invalid, absent and present are three things")]
fn parse_port(text: &str) -> Option<Option<u16>> {
    if text.is_empty() {
        return Some(None);
    }
    // `u16::from_str` would take a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten().map(Some)
}

/// `reg-name` without the comma, and not empty (RFC 3986 §3.2.2).
fn is_registered_name(mut name: &[u8]) -> bool {
    if name.is_empty() {
        return false;
    }
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte) => rest,
            _ => return false,
        };
    }
}

/// Where the parts of a target are in the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TargetSpans {
    /// The authority of an absolute target; empty if there is none, which no authority is.
    pub(super) authority: Span,
    /// The path and the query, if there is one.
    pub(super) path_and_query: Span,
}

/// Splits a target by the form that the method calls for (RFC 9112 §3.2).
#[inline(always)]
pub(super) fn split(head: &[u8], method: Span, target: Span) -> Result<TargetSpans, ErrorKind> {
    match (target.of(head), method.of(head)) {
        // authority-form, with a port (§3.2.3).
        (authority, b"CONNECT") => Err(judge_connect(authority)),
        ([b'/', ..], _) | (b"*", b"OPTIONS") => Ok(TargetSpans { authority: Span::default(), path_and_query: target }),
        (bytes, _) => split_absolute(bytes, target).ok_or(ErrorKind::InvalidTargetForm),
    }
}

#[cold]
fn judge_connect(target: &[u8]) -> ErrorKind {
    let is_well_formed = Authority::parse(target).is_some_and(|authority| authority.port.is_some());
    if is_well_formed { ErrorKind::ConnectNotImplemented } else { ErrorKind::InvalidTargetForm }
}

/// `scheme "://" authority path-abempty [ "?" query ]` (RFC 9112 §3.2.2, RFC 3986 §4.3).
#[inline(never)]
fn split_absolute(bytes: &[u8], target: Span) -> Option<TargetSpans> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = bytes.split_at_checked(colon)?;
    let [first, others @ ..] = scheme else { return None };
    let scheme_is_valid =
        first.is_ascii_alphabetic() && others.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let rest = rest.strip_prefix(b"://").filter(|_| scheme_is_valid)?;
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    Authority::parse(rest.get(..length)?)?;
    let authority = target.start().saturating_add(colon).saturating_add(3);
    let path = authority.saturating_add(length);
    let end = target.start().saturating_add(bytes.len());
    Some(TargetSpans { authority: Span::new(authority, path), path_and_query: Span::new(path, end) })
}

/// Parts a path from the query behind it.
pub(super) fn split_query(path_and_query: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path_and_query.splitn(2, |byte| *byte == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn authorities() {
        let name = |name, port| Some(Authority { host: Host::Name(name), port });
        let v4 = |port| Some(Authority { host: Host::V4(Ipv4Addr::LOCALHOST), port });
        let v6 = |port| Some(Authority { host: Host::V6(Ipv6Addr::LOCALHOST), port });
        for (text, expected) in [
            ("example.com", name("example.com", None)),
            ("example.com:80", name("example.com", Some(80))),
            ("example.com:", name("example.com", None)),
            ("a%2fb_c", name("a%2fb_c", None)),
            ("127.0.0.1:65535", v4(Some(65535))),
            ("[::1]", v6(None)),
            ("[::1]:8080", v6(Some(8080))),
            ("", None),
            (":80", None),
            ("user@example.com", None),
            ("a,b", None),
            ("a b", None),
            ("a/b", None),
            ("a:+80", None),
            ("a:65536", None),
            ("a:80:80", None),
            ("a%2", None),
            ("::1", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[fe80::1%25eth0]", None),
            ("[v1.a]", None),
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(Authority::parse(b"caf\xe9"), None);
    }

    #[test]
    fn target_forms() {
        for (method, target, expected) in [
            ("GET", "/a?b/c", Ok(("", "/a"))),
            ("OPTIONS", "*", Ok(("", "*"))),
            ("GET", "http://h:1/a?b", Ok(("h:1", "/a"))),
            ("GET", "http://h?b", Ok(("h", ""))),
            ("GET", "x+y.z-1://h", Ok(("h", ""))),
            ("GET", "*", Err(ErrorKind::InvalidTargetForm)),
            ("OPTIONS", "**", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "a", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "example.com:443", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "http:/a", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "http:///a", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "http://u@h/a", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "1http://h/", Err(ErrorKind::InvalidTargetForm)),
            ("GET", "://h/", Err(ErrorKind::InvalidTargetForm)),
            ("CONNECT", "h:443", Err(ErrorKind::ConnectNotImplemented)),
            ("CONNECT", "h", Err(ErrorKind::InvalidTargetForm)),
            ("CONNECT", "/", Err(ErrorKind::InvalidTargetForm)),
        ] {
            let head = format!("{method} {target} ");
            let target_start = method.len() + 1;
            let spans = split(
                head.as_bytes(),
                Span::new(0, method.len()),
                Span::new(target_start, target_start + target.len()),
            );
            let found = spans.map(|spans| {
                let text = |bytes| core::str::from_utf8(bytes).unwrap();
                let (path, _) = split_query(spans.path_and_query.of(head.as_bytes()));
                (text(spans.authority.of(head.as_bytes())), text(path))
            });
            assert_eq!(found, expected, "{method} {target}");
        }
    }
}
