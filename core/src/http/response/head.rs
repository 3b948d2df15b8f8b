//! The head of an answer, and the one place where its framing is chosen.

use bytes::{BufMut, BytesMut};

use super::super::Version;
use super::body::{StreamFraming, StreamedBody};
use super::number::put_number;
use super::{FieldName, FieldValue, HttpDate, Status};

/// What an answer has to know about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The version: HTTP/1.0 has no chunked coding and does not keep connections unless told so.
    pub version: Version,
    /// Whether the method was HEAD, whose answer has no content (RFC 9110 §9.3.2).
    pub is_head: bool,
    /// Whether the connection is to carry another request.
    pub keep_alive: bool,
}

impl ReplyTo {
    /// The reply to bytes that are no acceptable request: with content, and the last one of its connection.
    pub const REFUSED: Self = Self { version: Version::Http11, is_head: false, keep_alive: false };
}

/// Says that the body may be sent: 100 (Continue), an interim answer (RFC 9110 §15.2.1).
pub fn write_continue(out: &mut BytesMut) {
    out.put_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Writes one answer: its head, and then, by the method that ends the head, its content.
///
/// Each of those methods writes the only framing there can be: a length, the chunked coding, or the end of the
/// connection (RFC 9112 §6.3). Nothing is allocated but room in the buffer.
#[derive(Debug)]
#[must_use = "a head has to be ended"]
pub struct ResponseHead<'a> {
    out: &'a mut BytesMut,
    status: Status,
    to: ReplyTo,
}

impl<'a> ResponseHead<'a> {
    /// Appends a status line to `out`.
    pub fn start(out: &'a mut BytesMut, status: Status, to: ReplyTo) -> Self {
        out.put_slice(status.line().as_bytes());
        Self { out, status, to }
    }

    /// Appends the head that changes the protocol of the connection to `protocol` (RFC 9110 §7.8), but for its end:
    /// [`empty`](Self::empty).
    pub fn switching_protocols(out: &'a mut BytesMut, protocol: FieldValue<'_>) -> Self {
        let to = ReplyTo { version: Version::Http11, is_head: false, keep_alive: true };
        let mut head = Self::start(out, Status::SwitchingProtocols, to);
        head.out.put_slice(b"Connection: upgrade\r\n");
        head.field(const { FieldName::from_static("Upgrade") }, protocol);
        head
    }

    /// Appends a field line.
    pub fn field(&mut self, name: FieldName, value: FieldValue<'_>) -> &mut Self {
        let (name, value) = (name.bytes(), value.as_bytes());
        self.out.reserve(name.len().saturating_add(value.len()).saturating_add(4));
        for part in [name, b": ", value, b"\r\n"] {
            self.out.put_slice(part);
        }
        self
    }

    /// Appends the moment of the answer (RFC 9110 §6.6.1).
    pub fn date(&mut self, date: &HttpDate) -> &mut Self {
        for part in [b"Date: ", date.bytes(), b"\r\n"] {
            self.out.put_slice(part);
        }
        self
    }

    /// Ends the answer, which has no content.
    pub fn empty(self) {
        self.body(b"");
    }

    /// Ends the head and appends `content`; left out where the method or the status forbids it.
    pub fn body(mut self, content: &[u8]) {
        self.persistence(self.to.keep_alive);
        if !self.status.has_content() {
            return self.out.put_slice(b"\r\n");
        }
        self.out.put_slice(b"Content-Length: ");
        put_number::<10>(self.out, content.len());
        self.out.put_slice(b"\r\n\r\n");
        if !self.to.is_head {
            self.out.put_slice(content);
        }
    }

    /// Ends the head of an answer whose length is not known yet.
    ///
    /// The content is then written with what this returns: in chunks, or as it is to a client of HTTP/1.0, which
    /// knows the end of the connection for the end of the content.
    pub fn streamed(mut self) -> StreamedBody {
        let has_content = self.status.has_content() && !self.to.is_head;
        let framing = match self.to.version {
            _ if !has_content => StreamFraming::Nothing,
            Version::Http10 => StreamFraming::UntilClose,
            Version::Http11 => StreamFraming::Chunked,
        };
        let keep_alive = self.to.keep_alive && framing != StreamFraming::UntilClose;
        self.persistence(keep_alive);
        // A head without content says what there would have been (RFC 9112 §6.1).
        if self.status.has_content() && self.to.version == Version::Http11 {
            self.out.put_slice(b"Transfer-Encoding: chunked\r\n");
        }
        self.out.put_slice(b"\r\n");
        StreamedBody::new(framing, keep_alive)
    }

    /// Says what the version's own rule does not (RFC 9112 §9.3).
    fn persistence(&mut self, keep_alive: bool) {
        let line: &[u8] = match (keep_alive, self.to.version) {
            // Has its own `Connection`.
            _ if self.status == Status::SwitchingProtocols => b"",
            (true, Version::Http11) => b"",
            (true, Version::Http10) => b"Connection: keep-alive\r\n",
            (false, _) => b"Connection: close\r\n",
        };
        self.out.put_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const GET: ReplyTo = ReplyTo { version: Version::Http11, is_head: false, keep_alive: true };
    const HEAD: ReplyTo = ReplyTo { is_head: true, ..GET };
    const OLD: ReplyTo = ReplyTo { version: Version::Http10, ..GET };
    const LAST: ReplyTo = ReplyTo { keep_alive: false, ..GET };

    fn check(write: impl FnOnce(&mut BytesMut), expected: &str) {
        let mut out = BytesMut::new();
        write(&mut out);
        assert_eq!(core::str::from_utf8(&out), Ok(expected));
    }

    #[test]
    fn fields() {
        let allow = const { FieldName::from_static("Allow") };
        check(
            |out| {
                let mut head = ResponseHead::start(out, Status::MethodNotAllowed, GET);
                head.field(allow, FieldValue::new("GET, HEAD").unwrap()).date(&HttpDate::from_unix_seconds(0));
                head.body(b"no");
            },
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Length: 2\r\n\r\nno",
        );
    }

    #[test]
    fn a_body_is_framed_by_its_length() {
        for (status, to, expected) in [
            (Status::Ok, GET, "200 OK\r\nContent-Length: 12\r\n\r\nHello world!"),
            (Status::Ok, HEAD, "200 OK\r\nContent-Length: 12\r\n\r\n"),
            (Status::Ok, OLD, "200 OK\r\nConnection: keep-alive\r\nContent-Length: 12\r\n\r\nHello world!"),
            (Status::Ok, LAST, "200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\nHello world!"),
            (
                Status::BadRequest,
                ReplyTo::REFUSED,
                "400 Bad Request\r\nConnection: close\r\nContent-Length: 12\r\n\r\nHello world!",
            ),
            (Status::NoContent, GET, "204 No Content\r\n\r\n"),
            (Status::NotModified, LAST, "304 Not Modified\r\nConnection: close\r\n\r\n"),
        ] {
            let expected = format!("HTTP/1.1 {expected}");
            check(|out| ResponseHead::start(out, status, to).body(b"Hello world!"), &expected);
        }
        check(|out| ResponseHead::start(out, Status::Ok, GET).empty(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn a_stream_is_framed_by_the_version() {
        let chunked = "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunks = "4\r\n\r\n\r\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        for (status, to, keeps_alive, head, content) in [
            (Status::Ok, GET, true, chunked, chunks),
            (Status::Ok, HEAD, true, chunked, ""),
            (Status::Ok, OLD, false, "200 OK\r\nConnection: close\r\n\r\n", "\r\n\r\nabcdefghijklmnopqrstuvwxyz"),
            (Status::NoContent, GET, true, "204 No Content\r\n\r\n", ""),
            (Status::NotModified, OLD, true, "304 Not Modified\r\nConnection: keep-alive\r\n\r\n", ""),
        ] {
            let write = |out: &mut BytesMut| {
                let body = ResponseHead::start(out, status, to).streamed();
                assert_eq!(body.keeps_alive(), keeps_alive, "{status:?} {to:?}");
                body.write(out, b"\r\n\r\n");
                body.write(out, b"");
                body.write(out, b"abcdefghijklmnopqrstuvwxyz");
                body.finish(out);
            };
            check(write, &format!("HTTP/1.1 {head}{content}"));
        }
    }

    #[test]
    fn interim_heads() {
        check(write_continue, "HTTP/1.1 100 Continue\r\n\r\n");
        check(
            |out| ResponseHead::switching_protocols(out, FieldValue::from_static("websocket")).empty(),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
    }
}
