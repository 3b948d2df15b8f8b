//! A parsed head: spans into the bytes it came in.

use alloc::vec::Vec;

use bytes::Bytes;

use super::target::{Authority, TargetSpans};

/// The protocol version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1, or a later minor version, which is read as 1.1 (RFC 9110 §2.5).
    #[default]
    Http11,
}

/// The field names that decide where a message ends and what becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownName {
    /// `Host` (RFC 9110 §7.2).
    Host,
    /// `Expect` (RFC 9110 §10.1.1).
    Expect,
    /// `Connection` (RFC 9110 §7.6.1).
    Connection,
    /// `Content-Length` (RFC 9110 §8.6).
    ContentLength,
    /// `Transfer-Encoding` (RFC 9112 §6.1).
    TransferEncoding,
    /// Any other name.
    Other,
}

impl KnownName {
    /// Recognises a name, whatever its case. The lengths differ, so at most one comparison is made.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let (known, spelling): (Self, &[u8]) = match name.len() {
            4 => (Self::Host, b"host"),
            6 => (Self::Expect, b"expect"),
            10 => (Self::Connection, b"connection"),
            14 => (Self::ContentLength, b"content-length"),
            17 => (Self::TransferEncoding, b"transfer-encoding"),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(spelling) { known } else { Self::Other }
    }
}

/// One field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What the name means to the parser.
    pub known: KnownName,
    /// The name as sent.
    pub name: &'a [u8],
    /// The value as sent, without the whitespace around it; bytes from 0x80 are opaque (RFC 9110 §5.5).
    pub value: &'a [u8],
    /// Bytes from the start of the head to the value.
    pub value_offset: usize,
}

/// A head, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct HeadView<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) spans: &'a HeadSpans,
}

impl<'a> HeadView<'a> {
    /// The whole head as it was sent, with the empty line.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The method: a token, case-sensitive (RFC 9110 §9.1).
    #[must_use]
    pub fn method(&self) -> &'a [u8] {
        self.spans.method.of(self.bytes)
    }

    /// The request target as sent.
    #[must_use]
    pub fn target(&self) -> &'a [u8] {
        self.spans.target.of(self.bytes)
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.spans.version
    }

    /// The path of the target without its query, `/` if the target has none, `*` for the asterisk form; still
    /// percent-encoded.
    #[must_use]
    pub fn path(&self) -> &'a [u8] {
        match self.spans.parts.path.of(self.bytes) {
            [] => b"/",
            path => path,
        }
    }

    /// Whom the request is for: the authority of an absolute target, or else Host (RFC 9112 §3.2.2).
    ///
    /// `None` in an HTTP/1.0 request that names nobody.
    #[must_use]
    pub fn authority(&self) -> Option<Authority<'a>> {
        match self.spans.parts.authority {
            Some(span) => Authority::parse(span.of(self.bytes)),
            None => self.known(KnownName::Host).next().and_then(|host| Authority::parse(host.value)),
        }
    }

    /// All field lines in the order sent.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> + Clone {
        self.spans.fields.iter().map(move |spans| Field {
            known: spans.known,
            name: spans.name.of(self.bytes),
            value: spans.value.of(self.bytes),
            value_offset: spans.value.start(),
        })
    }

    /// The value of the first field line with this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields().find(|field| field.name.eq_ignore_ascii_case(name.as_bytes())).map(|field| field.value)
    }

    fn known(self, name: KnownName) -> impl Iterator<Item = Field<'a>> {
        self.fields().filter(move |field| field.known == name)
    }
}

/// A head that outlives the parser's buffer.
#[derive(Clone, Debug)]
pub struct OwnedHead {
    pub(super) bytes: Bytes,
    pub(super) spans: HeadSpans,
}

impl OwnedHead {
    /// The head.
    #[must_use]
    pub fn view(&self) -> HeadView<'_> {
        HeadView { bytes: &self.bytes, spans: &self.spans }
    }
}

/// A range of the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The range from `start` to `end`; both lie within a head, whose size is capped by a `u32`.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Where everything is in a head.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadSpans {
    pub(super) method: Span,
    pub(super) target: Span,
    pub(super) parts: TargetSpans,
    pub(super) version: Version,
    pub(super) fields: Vec<FieldSpans>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FieldSpans {
    pub(super) known: KnownName,
    pub(super) name: Span,
    pub(super) value: Span,
}
