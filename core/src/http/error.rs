//! Why a request was refused, and what to answer.

use core::fmt;

use super::Status;

/// A refusal of the parser. The parser repeats it for ever after.
///
/// Each one ends the connection: answer with [`status`](Self::status), then close, since it is no longer known where
/// the next request would begin (RFC 9112 §9.6, §11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpError {
    kind: ErrorKind,
    offset: u64,
}

impl HttpError {
    pub(super) const fn new(kind: ErrorKind, offset: u64) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where: bytes since the start of the connection, to the first byte that cannot be accepted.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.kind.status()
    }

    /// Whether the connection has to be closed after the answer. It has to, whatever the kind: once a request was
    /// refused, nobody can say where the next one starts.
    #[must_use]
    pub const fn close(&self) -> bool {
        true
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the connection)", self.kind.text(), self.offset)
    }
}

impl core::error::Error for HttpError {}

/// A refusal, at an offset into the head that is being scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: ErrorKind,
    pub(super) at: usize,
}

impl Fault {
    pub(super) const fn new(kind: ErrorKind, at: usize) -> Self {
        Self { kind, at }
    }
}

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident => $status:ident, $text:literal;)+) => {
        /// What is wrong with a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl ErrorKind {
            /// The status that answers this.
            #[must_use]
            pub const fn status(self) -> Status {
                match self {
                    $(Self::$kind => Status::$status,)+
                }
            }

            /// One sentence for the person who reads the answer.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$kind => $text,)+
                }
            }
        }
    };
}

error_kinds! {
    /// More empty lines in front of the request line than [`Limits`](super::Limits) allows.
    TooManyEmptyLines => BadRequest, "too many empty lines before the request line";
    /// A line that ends in LF without CR (RFC 9112 §2.2 permits refusing it).
    BareLf => BadRequest, "a line ends in LF alone; end lines with CR LF";
    /// A CR that is not followed by LF (RFC 9112 §2.2).
    BareCr => BadRequest, "a CR is not followed by LF";
    /// The method is empty or not a token (RFC 9112 §3.1).
    InvalidMethod => BadRequest, "the method is not a token";
    /// The method is longer than any that is known.
    MethodTooLong => NotImplemented, "the method is longer than any known one";
    /// The target is empty or holds a byte that a URI cannot (RFC 9112 §3.2).
    InvalidTarget => BadRequest, "the request target is empty or holds a byte that must be percent-encoded";
    /// The target is in none of the four forms, or not in the one that the method calls for (RFC 9112 §3.2).
    InvalidTargetForm => BadRequest, "the request target does not have the form that the method calls for";
    /// The target is too long.
    TargetTooLong => UriTooLong, "the request target is too long";
    /// The request line ends after the target, as in HTTP/0.9 (RFC 9112 §2.3).
    MissingVersion => BadRequest, "the request line has no HTTP version";
    /// What follows the target is not an HTTP version and the end of the line (RFC 9112 §2.3, §3).
    InvalidVersion => BadRequest, "the request line does not end in an HTTP version after one space";
    /// A major version other than 1 (RFC 9110 §15.6.6).
    UnsupportedVersion => VersionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here";
    /// CONNECT: this is no proxy.
    ConnectNotImplemented => NotImplemented, "this is not a proxy, CONNECT is not implemented";
    /// An HTTP/1.1 request without Host (RFC 9112 §3.2).
    MissingHost => BadRequest, "an HTTP/1.1 request needs a Host field";
    /// More than one Host field line (RFC 9112 §3.2).
    RepeatedHost => BadRequest, "the Host field is repeated";
    /// A Host value that is empty or not `host [":" port]` (RFC 9110 §7.2).
    InvalidHost => BadRequest, "the Host field is not a host with an optional port";
    /// A line that starts with whitespace: obsolete folding, or space after the request line (RFC 9112 §5.2, §2.2).
    LeadingWhitespace => BadRequest, "a field line starts with whitespace; folded lines are obsolete";
    /// Whitespace between a field name and its colon (RFC 9112 §5.1).
    SpaceBeforeColon => BadRequest, "whitespace stands between a field name and its colon";
    /// A field line without a colon (RFC 9112 §5).
    MissingColon => BadRequest, "a field line has no colon";
    /// A field name that is empty or not a token (RFC 9110 §5.1).
    InvalidFieldName => BadRequest, "a field name is not a token";
    /// A control character in a field value (RFC 9110 §5.5).
    InvalidFieldValue => BadRequest, "a field value holds a control character";
    /// A field name is too long.
    FieldNameTooLong => HeaderFieldsTooLarge, "a field name is too long";
    /// A field value is too long.
    FieldValueTooLong => HeaderFieldsTooLarge, "a field value is too long";
    /// Too many field lines.
    TooManyFields => HeaderFieldsTooLarge, "there are too many field lines";
    /// The head as a whole is too large.
    HeadTooLarge => HeaderFieldsTooLarge, "the head is too large";
    /// A Content-Length that is not one decimal number (RFC 9112 §6.3).
    InvalidContentLength => BadRequest, "Content-Length is not one decimal number";
    /// More than one Content-Length field line (RFC 9110 §8.6).
    RepeatedContentLength => BadRequest, "Content-Length is repeated";
    /// A Content-Length beyond 64 bits (RFC 9110 §8.6).
    ContentLengthOverflow => BadRequest, "Content-Length has too many digits";
    /// The announced body is larger than [`Limits::body_bytes_max`](super::Limits::body_bytes_max).
    BodyTooLarge => ContentTooLarge, "the body is larger than is accepted here";
    /// Both Transfer-Encoding and Content-Length (RFC 9112 §6.1).
    AmbiguousFraming => BadRequest, "Transfer-Encoding and Content-Length exclude each other";
    /// Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1).
    TransferEncodingInHttp10 => BadRequest, "HTTP/1.0 has no Transfer-Encoding";
    /// A Transfer-Encoding that is malformed, repeated, or does not end in one `chunked` (RFC 9112 §6.3).
    InvalidTransferEncoding => BadRequest, "Transfer-Encoding does not end in exactly one chunked";
    /// A transfer coding besides `chunked` (RFC 9112 §6.1).
    UnsupportedTransferCoding => NotImplemented, "only the transfer coding chunked is implemented";
    /// A chunk line that does not start with a size in hexadecimal digits, right up to `;` or the end (RFC 9112 §7.1).
    InvalidChunkSize => BadRequest, "a chunk does not start with its size in hexadecimal digits";
    /// A chunk size of more than 64 bits (RFC 9112 §7.1).
    ChunkSizeOverflow => BadRequest, "a chunk size has too many digits";
    /// A chunk extension that is no `;name`, `;name=token` or `;name="text"` (RFC 9112 §7.1.1).
    InvalidChunkExtension => BadRequest, "a chunk extension is malformed";
    /// A chunk line is too long.
    ChunkLineTooLong => BadRequest, "a chunk line is too long";
    /// The chunk extensions of a body are too large together (RFC 9112 §7.1.1).
    ExtensionsTooLarge => BadRequest, "the chunk extensions are too large";
    /// Chunk data that is not followed by CR LF (RFC 9112 §7.1).
    InvalidChunkEnd => BadRequest, "the data of a chunk is not followed by CR LF";
    /// Far more framing than data.
    WastefulChunks => BadRequest, "the chunks are too small";
    /// The trailer section is too large.
    TrailersTooLarge => HeaderFieldsTooLarge, "the trailer section is too large";
    /// A trailer field that must stand in the head: one for framing, routing, authentication or the like
    /// (RFC 9110 §6.5.1).
    ForbiddenTrailer => BadRequest, "a trailer field belongs into the head";
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    UnknownExpectation => ExpectationFailed, "only the expectation 100-continue can be met";
    /// The stream ended inside a request (RFC 9112 §8).
    Incomplete => BadRequest, "the connection ended inside a request";
}
