//! Where a message ends: the one decision that request smuggling attacks.

use super::error::{ErrorKind, Fault};
use super::grammar::{is_token, list};
use super::head::{Field, Version};

/// How the body of a request is delimited (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body comes in chunks (RFC 9112 §7.1).
    Chunked,
}

/// Digits of `u64::MAX`: leading zeros are legal (RFC 9110 §8.6), but not without end.
const DIGITS_MAX: usize = 20;

/// Decides the framing of a request (RFC 9112 §6.3) from its Content-Length and Transfer-Encoding fields, refusing whatever another implementation could read differently.
pub(super) fn decide<'a>(
    version: Version,
    mut lengths: impl Iterator<Item = Field<'a>>,
    mut codings: impl Iterator<Item = Field<'a>>,
    body_bytes_max: u64,
) -> Result<Framing, Fault> {
    let (length, coding) = (lengths.next(), codings.next());
    if let Some(coding) = coding {
        let framing = match (version, length, codings.next()) {
            (Version::Http10, _, _) => Err(ErrorKind::TransferEncodingInHttp10),
            (Version::Http11, Some(_), _) => Err(ErrorKind::AmbiguousFraming),
            (Version::Http11, None, Some(_)) => Err(ErrorKind::InvalidTransferEncoding),
            (Version::Http11, None, None) => judge_codings(coding.value),
        };
        return framing.map_err(|kind| Fault::new(kind, coding.value_offset));
    }
    let Some(length) = length else { return Ok(Framing::None) };
    if let Some(second) = lengths.next() {
        return Err(Fault::new(ErrorKind::RepeatedContentLength, second.value_offset));
    }
    let fault = |kind| Fault::new(kind, length.value_offset);
    let bytes = parse_length(length.value).map_err(fault)?;
    if bytes > body_bytes_max {
        return Err(fault(ErrorKind::BodyTooLarge));
    }
    Ok(Framing::Length(bytes))
}

/// `1*DIGIT`, decimal, within 64 bits (RFC 9110 §8.6).
fn parse_length(value: &[u8]) -> Result<u64, ErrorKind> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(ErrorKind::InvalidContentLength);
    }
    if value.len() > DIGITS_MAX {
        return Err(ErrorKind::ContentLengthOverflow);
    }
    value
        .iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit & 0x0f)))
        .ok_or(ErrorKind::ContentLengthOverflow)
}

/// Exactly one `chunked`, and nothing else (RFC 9112 §6.1, §6.3). What ends in it but has other codings in front is
/// merely not implemented.
fn judge_codings(value: &[u8]) -> Result<Framing, ErrorKind> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(Framing::Chunked);
    }
    let mut codings = list(value);
    let mut last = codings.next().unwrap_or_default();
    for coding in codings {
        if !is_token(last) || is_chunked(last) {
            return Err(ErrorKind::InvalidTransferEncoding);
        }
        last = coding;
    }
    Err(if is_chunked(last) { ErrorKind::UnsupportedTransferCoding } else { ErrorKind::InvalidTransferEncoding })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use crate::http::KnownName;

    use super::*;

    const CL: &str = "Content-Length";
    const TE: &str = "Transfer-Encoding";

    fn check(version: Version, fields: &[(&str, &str)], expected: Result<Framing, ErrorKind>) {
        let fields: Vec<Field<'_>> = fields
            .iter()
            .map(|(name, value)| Field {
                known: KnownName::of(name.as_bytes()),
                name: name.as_bytes(),
                value: value.as_bytes(),
                value_offset: 7,
            })
            .collect();
        let with = |name| fields.iter().copied().filter(move |field| field.known == name);
        let found = decide(version, with(KnownName::ContentLength), with(KnownName::TransferEncoding), 1000);
        assert_eq!(found, expected.map_err(|kind| Fault::new(kind, 7)), "{version:?} {fields:?}");
    }

    #[test]
    fn content_length() {
        let check = |value, expected| check(Version::Http11, &[(CL, value)], expected);
        check("0", Ok(Framing::Length(0)));
        check("5", Ok(Framing::Length(5)));
        check("00000000000000000010", Ok(Framing::Length(10)));
        check("1000", Ok(Framing::Length(1000)));
        check("1001", Err(ErrorKind::BodyTooLarge));
        check("18446744073709551615", Err(ErrorKind::BodyTooLarge));
        check("18446744073709551616", Err(ErrorKind::ContentLengthOverflow));
        check("000000000000000000001", Err(ErrorKind::ContentLengthOverflow));
        for value in ["", "+5", "-0", "5_0", "0x5", "0o5", "5 5", "5;", "5.", "5,5", "5, 6", ",5", "\u{665}"] {
            check(value, Err(ErrorKind::InvalidContentLength));
        }
    }

    #[test]
    fn transfer_encoding() {
        for value in ["chunked", "Chunked", "CHUNKED"] {
            check(Version::Http11, &[(TE, value)], Ok(Framing::Chunked));
        }
        let check = |value, expected| check(Version::Http11, &[(TE, value)], Err(expected));
        for value in ["gzip, chunked", "gzip\t,\tCHUNKED", "gzip,deflate,chunked"] {
            check(value, ErrorKind::UnsupportedTransferCoding);
        }
        for value in [
            "",
            "gzip",
            "identity",
            "xchunked",
            "chunked, gzip",
            "chunked, chunked",
            "chunked, gzip, chunked",
            "g(z, chunked",
            "chunked;a=b",
            "\"chunked\"",
            ", chunked",
            "chunked,",
            "\u{b}chunked",
            "chunked chunked",
        ] {
            check(value, ErrorKind::InvalidTransferEncoding);
        }
    }

    #[test]
    fn combinations() {
        let http11 = |fields: &[_], expected| check(Version::Http11, fields, expected);
        http11(&[], Ok(Framing::None));
        http11(&[("Content_Length", "5")], Ok(Framing::None));
        http11(&[(CL, "5"), (CL, "5")], Err(ErrorKind::RepeatedContentLength));
        http11(&[(CL, "5"), ("content-LENGTH", "6")], Err(ErrorKind::RepeatedContentLength));
        http11(&[(CL, "5"), (TE, "chunked")], Err(ErrorKind::AmbiguousFraming));
        http11(&[(TE, "chunked"), (CL, "5")], Err(ErrorKind::AmbiguousFraming));
        http11(&[(TE, "chunked"), (TE, "chunked")], Err(ErrorKind::InvalidTransferEncoding));
        http11(&[(TE, "gzip"), (TE, "chunked")], Err(ErrorKind::InvalidTransferEncoding));
        check(Version::Http10, &[(TE, "chunked")], Err(ErrorKind::TransferEncodingInHttp10));
        check(Version::Http10, &[(CL, "5")], Ok(Framing::Length(5)));
    }
}
