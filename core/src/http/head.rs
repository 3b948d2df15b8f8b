//! A parsed head: spans into the bytes it came in.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use bytes::Bytes;

use super::percent::{self, PercentError, QueryPairs};
use super::target::{Authority, TargetSpans, split_query};

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
    /// `Upgrade` (RFC 9110 §7.8).
    Upgrade,
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
    /// How many there are, without `Other`.
    const COUNT: usize = Self::Other as usize;

    /// Recognises a name, a token in any case.
    #[inline(always)]
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        match name.first_chunk() {
            Some(start) => Self::starting_with(*start, name),
            None => Self::Other,
        }
    }

    /// The lengths differ, and among names in use their first four letters tell them from all others of that length:
    /// one comparison, which a processor predicts well, settles nearly every name.
    #[inline(always)]
    pub(super) fn starting_with(start: [u8; 4], name: &[u8]) -> Self {
        if STARTS.get(name.len() & 31) == Some(&lower(start)) { Self::compare(name) } else { Self::Other }
    }

    /// Compares the rest of a name whose first four letters are right.
    fn compare(name: &[u8]) -> Self {
        let ends_with = |end: &[u8; 4]| name.last_chunk().is_some_and(|last| lower(*last) == u32::from_le_bytes(*end));
        let is = |spelling: &[u8]| name.eq_ignore_ascii_case(spelling);
        let (known, is_it) = match name.len() {
            4 => return Self::Host,
            6 => (Self::Expect, ends_with(b"pect")),
            7 => (Self::Upgrade, ends_with(b"rade")),
            10 => (Self::Connection, ends_with(b"tion") && matches!(name, [_, _, _, _, b'e' | b'E', b'c' | b'C', ..])),
            14 => (Self::ContentLength, is(b"content-length")),
            17 => (Self::TransferEncoding, is(b"transfer-encoding")),
            _ => return Self::Other,
        };
        if is_it { known } else { Self::Other }
    }
}

/// Letters in lower case. No other byte of a token becomes a letter.
const fn lower(letters: [u8; 4]) -> u32 {
    u32::from_le_bytes(letters) | u32::from_le_bytes([0x20; 4])
}

/// The first four letters of each known name, by its length.
const STARTS: [u32; 32] = {
    let mut starts = [0; 32];
    starts[4] = u32::from_le_bytes(*b"host");
    starts[6] = u32::from_le_bytes(*b"expe");
    starts[7] = u32::from_le_bytes(*b"upgr");
    starts[10] = u32::from_le_bytes(*b"conn");
    starts[14] = u32::from_le_bytes(*b"cont");
    starts[17] = u32::from_le_bytes(*b"tran");
    starts
};

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
        match split_query(self.path_and_query()).0 {
            [] => b"/",
            path => path,
        }
    }

    /// The path, percent-decoded; copied only if something in it is encoded.
    ///
    /// # Errors
    ///
    /// When an escape is malformed, or hides a `/` or a NUL: those would make another path of it for whoever decodes
    /// once more or once less (RFC 3986 §2.2, §7.3).
    pub fn decoded_path(&self) -> Result<Cow<'a, [u8]>, PercentError> {
        percent::decode_path(self.path())
    }

    /// What follows the first `?` of the target, still percent-encoded.
    #[must_use]
    pub fn query(&self) -> Option<&'a [u8]> {
        split_query(self.path_and_query()).1
    }

    /// The pairs of the query, decoded one by one as they are asked for; none if there is no query.
    pub fn query_pairs(&self) -> QueryPairs<'a> {
        QueryPairs::new(self.query().unwrap_or_default())
    }

    fn path_and_query(&self) -> &'a [u8] {
        self.spans.parts.path_and_query.of(self.bytes)
    }

    /// Whom the request is for: the authority of an absolute target, or else Host (RFC 9112 §3.2.2).
    ///
    /// `None` in an HTTP/1.0 request that names nobody.
    #[must_use]
    pub fn authority(&self) -> Option<Authority<'a>> {
        match self.spans.parts.authority.of(self.bytes) {
            [] => self.known(KnownName::Host).next().and_then(|host| Authority::parse(host.value)),
            authority => Authority::parse(authority),
        }
    }

    /// All field lines in the order sent.
    pub fn fields(self) -> impl ExactSizeIterator<Item = Field<'a>> + Clone {
        self.spans.fields(self.bytes)
    }

    /// The value of the first field line with this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.spans.get(self.bytes, name)
    }

    /// The field lines with a known name, in the order sent. Costs nothing if there are none.
    #[inline]
    pub(super) fn known(self, name: KnownName) -> impl Iterator<Item = Field<'a>> + Clone {
        let range = self.spans.known.get(name as usize).copied().unwrap_or_default();
        let fields = self.spans.fields.get(range.first as usize..range.end as usize).unwrap_or_default();
        fields.iter().filter(move |spans| spans.known == name).map(move |spans| spans.of(self.bytes))
    }
}

/// The trailer fields behind a chunked body (RFC 9112 §7.1.2), until the next poll. They are never mixed with the head's.
#[derive(Clone, Copy, Debug)]
pub struct Trailers<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) spans: &'a HeadSpans,
}

impl<'a> Trailers<'a> {
    /// All field lines in the order sent.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> + Clone {
        self.spans.fields(self.bytes)
    }

    /// The value of the first field line with this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.spans.get(self.bytes, name)
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
    /// The range from `start` to `end`.
    #[expect(clippy::cast_possible_truncation, reason = "both lie within a head, whose size is capped by a u32")]
    #[inline(always)]
    pub(super) const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    #[inline(always)]
    pub(super) const fn len(self) -> usize {
        self.end.wrapping_sub(self.start) as usize
    }

    #[inline(always)]
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
    fields: Vec<FieldSpans>,
    /// Where to look for each known name.
    known: [KnownRange; KnownName::COUNT],
    /// Whether there is a known name besides Host.
    has_more_than_host: bool,
    /// Whether a Host was seen to be valid already. If not, it may be valid all the same.
    host_is_plain: bool,
}

/// The fields from the first to the last with one known name; empty if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct KnownRange {
    first: u32,
    end: u32,
}

impl HeadSpans {
    fn fields<'a>(&'a self, bytes: &'a [u8]) -> impl ExactSizeIterator<Item = Field<'a>> + Clone {
        self.fields.iter().map(move |spans| spans.of(bytes))
    }

    fn get<'a>(&'a self, bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
        self.fields(bytes).find(|field| field.name.eq_ignore_ascii_case(name.as_bytes())).map(|field| field.value)
    }

    pub(super) const fn field_count(&self) -> usize {
        self.fields.len()
    }

    #[inline(always)]
    pub(super) fn push(&mut self, field: FieldSpans) {
        self.fields.push(field);
        if field.known != KnownName::Other {
            self.note(field.known);
        }
    }

    fn note(&mut self, name: KnownName) {
        let end = u32::try_from(self.fields.len()).unwrap_or(u32::MAX);
        if let Some(range) = self.known.get_mut(name as usize) {
            let first = if range.end == 0 { end.saturating_sub(1) } else { range.first };
            *range = KnownRange { first, end };
        }
        self.has_more_than_host |= name != KnownName::Host;
    }

    /// Forgets the fields, keeping the allocation.
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.known = Default::default();
        self.has_more_than_host = false;
        self.host_is_plain = false;
    }

    /// Notes that the Host just pushed is made of plain host bytes.
    #[inline(always)]
    pub(super) const fn note_plain_host(&mut self, is_plain: bool) {
        self.host_is_plain = is_plain;
    }

    pub(super) const fn host_is_plain(&self) -> bool {
        self.host_is_plain
    }

    pub(super) const fn has_more_than_host(&self) -> bool {
        self.has_more_than_host
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FieldSpans {
    pub(super) known: KnownName,
    pub(super) name: Span,
    pub(super) value: Span,
}

impl FieldSpans {
    fn of(self, head: &[u8]) -> Field<'_> {
        Field {
            known: self.known,
            name: self.name.of(head),
            value: self.value.of(head),
            value_offset: self.value.start(),
        }
    }
}
