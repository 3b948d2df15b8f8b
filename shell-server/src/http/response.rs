//! Answers, and the fields that all of them have.

use std::borrow::Cow;

use bytes::BytesMut;
use nalcast_core::http::{FieldName, FieldValue, HttpDate, HttpError, ReplyTo, ResponseHead, Status, StreamedBody};

use super::api;

const CONTENT_TYPE: FieldName = FieldName::from_static("Content-Type");
const CACHE_CONTROL: FieldName = FieldName::from_static("Cache-Control");
const TEXT: FieldValue<'static> = FieldValue::from_static("text/plain; charset=utf-8");
const JSON: FieldValue<'static> = FieldValue::from_static("application/json");
const ALLOW: FieldName = FieldName::from_static("Allow");

/// The same for every answer. The page needs its own style and script, no frame and nothing from elsewhere.
const SECURITY_FIELDS: [(FieldName, FieldValue<'static>); 5] = [
    (
        FieldName::from_static("Content-Security-Policy"),
        FieldValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (FieldName::from_static("X-Content-Type-Options"), FieldValue::from_static("nosniff")),
    (FieldName::from_static("X-Frame-Options"), FieldValue::from_static("DENY")),
    (FieldName::from_static("Referrer-Policy"), FieldValue::from_static("no-referrer")),
    (FieldName::from_static("Cross-Origin-Resource-Policy"), FieldValue::from_static("same-origin")),
];

/// How long an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It tells of this moment: nobody is to keep it.
    Moment,
    /// It is the same until the program changes: to be kept under this tag, and asked for again (RFC 9110 §8.8.3).
    Build(FieldValue<'static>),
}

/// What can be done with a resource; also the answer to `OPTIONS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// It can be read.
    Read,
    /// It can be removed.
    Remove,
}

impl Methods {
    const fn list(self) -> FieldValue<'static> {
        match self {
            Self::Read => const { FieldValue::from_static("GET, HEAD, OPTIONS") },
            Self::Remove => const { FieldValue::from_static("DELETE, OPTIONS") },
        }
    }
}

/// An answer that is still to be written.
#[derive(Debug)]
pub(super) struct Response {
    status: Status,
    content_type: FieldValue<'static>,
    body: Cow<'static, str>,
    freshness: Freshness,
    /// A field that only some answers have.
    field: Option<(FieldName, FieldValue<'static>)>,
}

impl Response {
    /// A document of a type.
    pub(super) fn document(content_type: FieldValue<'static>, body: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::Ok, content_type, body: body.into(), freshness: Freshness::Moment, field: None }
    }

    /// A part of the program, under its entity tag.
    pub(super) fn asset(content_type: FieldValue<'static>, body: &'static str, tag: FieldValue<'static>) -> Self {
        Self { freshness: Freshness::Build(tag), ..Self::document(content_type, body) }
    }

    /// A plain text that ends in a line feed.
    pub(super) fn text(status: Status, text: &str) -> Self {
        Self { status, ..Self::document(TEXT, format!("{text}\n")) }
    }

    /// What went wrong, for a program to read.
    pub(super) fn error(status: Status, message: &str) -> Self {
        Self { status, ..Self::document(JSON, api::error_json(message)) }
    }

    /// Done, and there is nothing to show.
    pub(super) fn done() -> Self {
        Self::text(Status::NoContent, "")
    }

    /// With one more field.
    pub(super) const fn with(mut self, name: FieldName, value: FieldValue<'static>) -> Self {
        self.field = Some((name, value));
        self
    }

    /// The answer to bytes that are no acceptable request.
    pub(super) fn refusal(error: &HttpError) -> Self {
        Self::text(error.status(), &format!("Refused: {error}."))
    }

    /// What can be done here.
    pub(super) fn options(methods: Methods) -> Self {
        Self::done().with(ALLOW, methods.list())
    }

    /// The refusal of a method that is known, but not here (RFC 9110 §15.5.6).
    pub(super) fn method_not_allowed(methods: Methods) -> Self {
        let text = match methods {
            Methods::Read => "This can only be read: use GET or HEAD.",
            Methods::Remove => "This can only be removed: use DELETE.",
        };
        Self::text(Status::MethodNotAllowed, text).with(ALLOW, methods.list())
    }

    /// The client has it already (RFC 9110 §15.4.5).
    pub(super) fn not_modified(self) -> Self {
        Self { status: Status::NotModified, ..self }
    }

    #[cfg(test)]
    pub(super) const fn status(&self) -> Status {
        self.status
    }

    /// Appends the answer, which is given at `unix_seconds`.
    pub(super) fn write(&self, out: &mut BytesMut, to: ReplyTo, unix_seconds: u64) {
        let mut head = start(out, self.status, to, self.freshness, unix_seconds);
        if let Some((name, value)) = self.field {
            head.field(name, value);
        }
        if self.status.has_content() {
            head.field(CONTENT_TYPE, self.content_type);
        }
        head.body(self.body.as_bytes());
    }
}

/// Appends the head of an answer whose content has no end in sight.
pub(super) fn write_stream_head(
    out: &mut BytesMut,
    content_type: FieldValue<'static>,
    to: ReplyTo,
    unix_seconds: u64,
) -> StreamedBody {
    let mut head = start(out, Status::Ok, to, Freshness::Moment, unix_seconds);
    head.field(CONTENT_TYPE, content_type);
    head.streamed()
}

fn start(out: &mut BytesMut, status: Status, to: ReplyTo, freshness: Freshness, unix_seconds: u64) -> ResponseHead<'_> {
    let mut head = ResponseHead::start(out, status, to);
    head.date(&HttpDate::from_unix_seconds(unix_seconds));
    for (name, value) in SECURITY_FIELDS {
        head.field(name, value);
    }
    match freshness {
        Freshness::Moment => head.field(CACHE_CONTROL, const { FieldValue::from_static("no-store") }),
        Freshness::Build(tag) => {
            let etag = const { FieldName::from_static("ETag") };
            head.field(CACHE_CONTROL, const { FieldValue::from_static("no-cache") }).field(etag, tag)
        }
    };
    head
}
