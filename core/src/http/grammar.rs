//! Byte classes and the two small productions that every rule shares.

/// `tchar` of a token (RFC 9110 §5.6.2): methods and field names are made of these.
pub(super) const fn is_tchar(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
        | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// What a request target may hold: visible ASCII, but no fragment (RFC 9112 §3.2, RFC 3986 §3.5).
///
/// A few of these bytes must be percent-encoded in a URI; browsers send some of them raw, and none can be mistaken
/// for framing.
pub(super) const fn is_target_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'#'
}

/// What names without escapes and IPv4 addresses are made of: any of these bytes together are a host (RFC 3986 §3.2.2).
pub(super) const fn is_plain_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

/// What a field value may hold: visible ASCII, space, tab and opaque bytes from 0x80 (RFC 9110 §5.5).
pub(super) const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// `OWS` (RFC 9110 §5.6.3).
pub(super) const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether `bytes` is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// The elements of a comma-separated list, without the whitespace around them; empty ones included
/// (RFC 9110 §5.6.1).
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_whitespace(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_whitespace(*last)
    {
        bytes = rest;
    }
    bytes
}
