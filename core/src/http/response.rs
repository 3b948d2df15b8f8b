//! Writes response heads that no value can break out of.

use core::fmt::{self, Write as _};

use bytes::{BufMut, BytesMut};

use super::grammar::{is_field_byte, is_token, is_whitespace};

macro_rules! statuses {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $reason:literal;)+) => {
        /// A status code (RFC 9110 §15).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Status {
            $($(#[doc = $doc])+ $name = $code,)+
        }

        impl Status {
            /// The three digits.
            #[must_use]
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The reason phrase.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason,)+
                }
            }
        }
    };
}

statuses! {
    /// The request succeeded.
    Ok = 200, "OK";
    /// The request succeeded and there is nothing to show.
    NoContent = 204, "No Content";
    /// The request is malformed.
    BadRequest = 400, "Bad Request";
    /// There is nothing under this path.
    NotFound = 404, "Not Found";
    /// The resource does not know this method.
    MethodNotAllowed = 405, "Method Not Allowed";
    /// The request took too long to arrive.
    RequestTimeout = 408, "Request Timeout";
    /// The body is too large.
    ContentTooLarge = 413, "Content Too Large";
    /// The target is too long.
    UriTooLong = 414, "URI Too Long";
    /// The expectation cannot be met.
    ExpectationFailed = 417, "Expectation Failed";
    /// The request is meant for another server.
    MisdirectedRequest = 421, "Misdirected Request";
    /// The head is too large.
    HeaderFieldsTooLarge = 431, "Request Header Fields Too Large";
    /// The method or a transfer coding is not implemented.
    NotImplemented = 501, "Not Implemented";
    /// There are too many connections.
    ServiceUnavailable = 503, "Service Unavailable";
    /// The major version is not supported.
    VersionNotSupported = 505, "HTTP Version Not Supported";
}

/// A field name that is a token (RFC 9110 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldName(&'static str);

impl FieldName {
    /// A name of the program's own.
    ///
    /// # Panics
    ///
    /// When it is not a token.
    #[must_use]
    pub fn from_static(name: &'static str) -> Self {
        assert!(is_token(name.as_bytes()), "a field name is a token");
        Self(name)
    }
}

/// A field value without control characters or whitespace around it (RFC 9110 §5.5): it cannot end its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldValue<'a>(&'a str);

impl<'a> FieldValue<'a> {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// When it holds a control character, or starts or ends with whitespace.
    pub fn new(value: &'a str) -> Result<Self, InvalidFieldValue> {
        let bytes = value.as_bytes();
        let is_padded = [bytes.first(), bytes.last()].into_iter().flatten().any(|byte| is_whitespace(*byte));
        if is_padded || !bytes.iter().copied().all(is_field_byte) {
            return Err(InvalidFieldValue);
        }
        Ok(Self(value))
    }
}

/// A text that cannot be a field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidFieldValue;

impl fmt::Display for InvalidFieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field value holds a control character or has whitespace around it")
    }
}

impl core::error::Error for InvalidFieldValue {}

/// Writes one response head.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    out: &'a mut BytesMut,
}

impl<'a> ResponseHead<'a> {
    /// Appends a status line to `out`.
    pub fn start(out: &'a mut BytesMut, status: Status) -> Self {
        let mut head = Self { out };
        head.write(format_args!("HTTP/1.1 {} {}\r\n", status.code(), status.reason()));
        head
    }

    /// Appends a field line.
    pub fn field(&mut self, name: FieldName, value: FieldValue<'_>) -> &mut Self {
        self.write(format_args!("{}: {}\r\n", name.0, value.0));
        self
    }

    /// Appends the length of the body that follows, or that a GET would have got.
    pub fn content_length(&mut self, bytes: usize) -> &mut Self {
        self.write(format_args!("Content-Length: {bytes}\r\n"));
        self
    }

    /// Ends the head.
    pub fn finish(&mut self) {
        self.out.put_slice(b"\r\n");
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // `BytesMut` fails only beyond its capacity limit of usize::MAX bytes.
        let written = self.out.write_fmt(text);
        debug_assert!(written.is_ok(), "a growing buffer takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head() {
        let mut out = BytesMut::new();
        ResponseHead::start(&mut out, Status::MethodNotAllowed)
            .field(FieldName::from_static("Allow"), FieldValue::new("GET, HEAD").unwrap())
            .content_length(7)
            .finish();
        assert_eq!(out, &b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 7\r\n\r\n"[..]);
    }

    #[test]
    fn values_cannot_break_out() {
        for value in ["a\r\nSet-Cookie: b", "a\n", "\r", "a\0b", "\u{7f}", " a", "a ", "\ta", "a\t"] {
            assert_eq!(FieldValue::new(value), Err(InvalidFieldValue), "{value:?}");
        }
        for value in ["", "a", "a\tb c", "caf\u{e9}"] {
            assert!(FieldValue::new(value).is_ok(), "{value:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a field name is a token")]
    fn names_cannot_break_out() {
        let _ = FieldName::from_static("A: b\r\nC");
    }
}
