//! Percent-encoding: paths and query strings, decoded only when somebody asks.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

/// An escape that is no `%` and two hexadecimal digits, or one that may not be there (RFC 3986 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentError {
    offset: usize,
}

impl PercentError {
    /// Bytes from the start of what was decoded to the `%`.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for PercentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a percent sign (at byte {}) does not start an escape that is allowed here", self.offset)
    }
}

impl core::error::Error for PercentError {}

/// Decodes a path. See [`HeadView::decoded_path`](super::HeadView::decoded_path).
pub(super) fn decode_path(path: &[u8]) -> Result<Cow<'_, [u8]>, PercentError> {
    decode(path, |byte| byte, |byte| !matches!(byte, 0 | b'/'))
}

/// The pairs of a query string, in the form that HTML forms send (URL Standard §5.1): `&` separates pairs, the first
/// `=` of a pair its name from its value, and `+` is a space. Empty pairs are left out; a pair without `=` has an
/// empty value.
#[derive(Clone, Debug)]
pub struct QueryPairs<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> QueryPairs<'a> {
    pub(super) const fn new(query: &'a [u8]) -> Self {
        Self { rest: query, offset: 0 }
    }
}

/// The name and the value of a pair of a query; copied only if something in them is encoded.
pub type QueryPair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Iterator for QueryPairs<'a> {
    type Item = Result<QueryPair<'a>, PercentError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let (pair, rest) = split_at(self.rest, b'&');
            let start = self.offset;
            self.offset = start.saturating_add(pair.len()).saturating_add(1);
            self.rest = rest.unwrap_or_default();
            if pair.is_empty() {
                continue;
            }
            let (name, value) = split_at(pair, b'=');
            let value_start = start.saturating_add(name.len()).saturating_add(1);
            let part = |bytes, start: usize| {
                decode(bytes, |byte| if byte == b'+' { b' ' } else { byte }, |_| true)
                    .map_err(|error| PercentError { offset: error.offset.saturating_add(start) })
            };
            return Some(part(name, start).and_then(|name| Ok((name, part(value.unwrap_or_default(), value_start)?))));
        }
    }
}

/// What stands in front of the first `separator`, and what behind it.
fn split_at(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = bytes.splitn(2, |byte| *byte == separator);
    (parts.next().unwrap_or_default(), parts.next())
}

fn decode(
    bytes: &[u8],
    plain: impl Fn(u8) -> u8,
    is_allowed: impl Fn(u8) -> bool,
) -> Result<Cow<'_, [u8]>, PercentError> {
    if bytes.iter().all(|byte| *byte != b'%' && plain(*byte) == *byte) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            decoded.push(plain(*byte));
            continue;
        }
        let offset = bytes.len().saturating_sub(rest.len()).saturating_sub(1);
        let mut digit = || rest.next().and_then(|digit| hex(*digit));
        let escaped = digit().zip(digit()).map(|(high, low)| high << 4 | low);
        decoded.push(escaped.filter(|byte| is_allowed(*byte)).ok_or(PercentError { offset })?);
    }
    Ok(Cow::Owned(decoded))
}

/// The value of a hexadecimal digit, in either case.
pub(super) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit & 0x0f),
        b'a'..=b'f' | b'A'..=b'F' => Some((digit & 0x0f).wrapping_add(9)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/", Ok("/")),
            ("/a+b", Ok("/a+b")),
            ("/a%20b%C3%a9", Ok("/a b\u{e9}")),
            ("%41%2e%2E", Ok("A..")),
            ("/%", Err(1)),
            ("/%4", Err(1)),
            ("/a%4g", Err(2)),
            ("/%g4", Err(1)),
            ("/a%2fb", Err(2)),
            ("/a%2F", Err(2)),
            ("/%00", Err(1)),
            ("/%25%+1", Err(4)),
        ] {
            let found = decode_path(path.as_bytes()).map(|path| String::from_utf8(path.into_owned()).unwrap());
            assert_eq!(found.map_err(|error| error.offset()), expected.map(ToString::to_string), "{path}");
        }
        assert!(matches!(decode_path(b"/plain"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn queries() {
        let check = |query: &str, expected: &[Result<(&str, &str), usize>]| {
            let text = |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).unwrap();
            let found: Vec<Result<(String, String), usize>> = QueryPairs::new(query.as_bytes())
                .map(|pair| pair.map(|(name, value)| (text(name), text(value))).map_err(|error| error.offset()))
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|pair| pair.map(|(name, value)| (name.to_string(), value.to_string()))).collect();
            assert_eq!(found, expected, "{query}");
        };
        check("", &[]);
        check("&&", &[]);
        check("a", &[Ok(("a", ""))]);
        check("a=1&b=2", &[Ok(("a", "1")), Ok(("b", "2"))]);
        check("=x&a=b=c&", &[Ok(("", "x")), Ok(("a", "b=c"))]);
        check("a+b=%2B+%26&%00=%2f", &[Ok(("a b", "+ &")), Ok(("\0", "/"))]);
        check("a=%4&b=1&%zz=2&c=3", &[Err(2), Ok(("b", "1")), Err(9), Ok(("c", "3"))]);
        let mut pairs = QueryPairs::new(b"a=b");
        assert!(matches!(pairs.next(), Some(Ok((Cow::Borrowed(b"a"), Cow::Borrowed(b"b"))))));
    }
}
