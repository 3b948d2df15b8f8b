//! The parser: heads, bodies and what comes between, as events.

use bytes::{Buf, Bytes, BytesMut};

use super::chunked::{Chunk, ChunkDecoder};
use super::error::{ErrorKind, Fault, HttpError};
use super::framing::Framing;
use super::rules::Intent;
use super::scanner::{Progress, Scanner};
use super::{HeadView, Limits, OwnedHead, Trailers, Version, rules};

/// The length of an empty line.
const CRLF_BYTES: usize = 2;

/// What [`RequestParser::poll`] has to say.
///
/// A request is one `Head`, perhaps a `Continue`, any number of `Data`, perhaps `Trailers` and an `Upgrade`, and one
/// `End`.
#[derive(Debug)]
pub enum Event<'a> {
    /// A complete and acceptable head.
    Head(Head<'a>),
    /// The client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    ///
    /// Answer with it, or with a final status and then close. It may be left out if the body has begun to arrive,
    /// that is if [`RequestParser::buffer_mut`] is not empty.
    Continue,
    /// The next bytes of the body, never none.
    Data(Bytes),
    /// The fields behind a chunked body, at least one.
    Trailers(Trailers<'a>),
    /// The client offers to go on in another protocol (RFC 9110 §7.8), now that its request is complete.
    Upgrade(Upgrade<'a>),
    /// The request is complete.
    End {
        /// Whether the connection may carry another request; if not, nothing that follows is looked at.
        keep_alive: bool,
    },
}

/// An offer to change the protocol: [accepted](Self::accept), or dropped to go on with HTTP.
#[derive(Debug)]
pub struct Upgrade<'a> {
    parser: &'a mut RequestParser,
}

impl Upgrade<'_> {
    /// Bytes from the start of the connection to where the other protocol would start.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.parser.base
    }

    /// Takes the offer: gives back what has been received in the other protocol. The parser is done.
    #[must_use]
    pub fn accept(self) -> BytesMut {
        self.parser.phase = Phase::Closed;
        self.parser.buffer.split()
    }
}

/// A head in the parser's buffer, until the next poll.
#[derive(Debug)]
pub struct Head<'a> {
    parser: &'a mut RequestParser,
}

impl Head<'_> {
    /// The head.
    #[must_use]
    pub fn view(&self) -> HeadView<'_> {
        let bytes = self.parser.buffer.get(..self.parser.head_bytes).unwrap_or_default();
        HeadView { bytes, spans: self.parser.scanner.spans() }
    }

    /// How the body is delimited.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.parser.intent.framing
    }

    /// Whether the connection may carry another request after this one (RFC 9112 §9.3).
    #[must_use]
    pub const fn keep_alive(&self) -> bool {
        self.parser.intent.keep_alive
    }

    /// Whether a `Continue` follows.
    #[must_use]
    pub const fn expects_continue(&self) -> bool {
        matches!(self.parser.phase, Phase::Continue)
    }

    /// Bytes from the start of the connection to the head.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.parser.base
    }

    /// Keeps the head: its bytes leave the parser's buffer without being copied.
    #[must_use]
    pub fn detach(self) -> OwnedHead {
        let bytes = self.parser.split_to(self.parser.head_bytes);
        self.parser.head_bytes = 0;
        OwnedHead { bytes, spans: self.parser.scanner.take_spans() }
    }
}

/// Turns the bytes of one connection into events. See the [module](super) for how it is driven.
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    host_is_optional: bool,
    buffer: BytesMut,
    /// Offset of the buffer's first byte in the connection.
    base: u64,
    /// Bytes of a head or trailer section that was handed out and still lies in the buffer.
    head_bytes: usize,
    scanner: Scanner,
    chunks: ChunkDecoder,
    intent: Intent,
    phase: Phase,
    starved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Continue,
    Body { bytes_left: u64 },
    Chunked,
    Trailers,
    Upgrade,
    End,
    Closed,
    Failed(HttpError),
}

impl RequestParser {
    /// A parser at the start of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            host_is_optional: false,
            buffer: BytesMut::new(),
            base: 0,
            head_bytes: 0,
            scanner: Scanner::new(),
            chunks: ChunkDecoder::new(),
            intent: rules::plain_intent(Version::Http11),
            phase: Phase::Head,
            starved: true,
        }
    }

    /// A parser that accepts HTTP/1.1 requests without Host, to replay what was collected elsewhere. Not for a server.
    #[must_use]
    pub fn without_host_rule(limits: Limits) -> Self {
        Self { host_is_optional: true, ..Self::new(limits) }
    }

    /// Where received bytes are appended. Nothing else may be done to it.
    pub const fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether to read: all events of the bytes so far have been taken, and more bytes could lead to more.
    ///
    /// Reading only then bounds the buffer to one head and one read.
    #[must_use]
    pub const fn wants_bytes(&self) -> bool {
        self.starved && !matches!(self.phase, Phase::Closed | Phase::Failed(_))
    }

    /// Bytes looked at while scanning heads and trailers, those looked at twice counted twice: at most twice the bytes received.
    #[must_use]
    pub const fn head_bytes_examined(&self) -> u64 {
        self.scanner.examined()
    }

    /// The next event, or `None` if it takes more bytes.
    ///
    /// # Errors
    ///
    /// When the bytes are not an acceptable request; then for ever the same.
    pub fn poll(&mut self) -> Result<Option<Event<'_>>, HttpError> {
        self.release_head();
        self.starved = false;
        match self.phase {
            Phase::Head => self.poll_head(),
            Phase::End => Ok(Some(self.end())),
            Phase::Body { bytes_left } => Ok(self.poll_body(bytes_left)),
            Phase::Chunked => self.poll_chunked(),
            Phase::Trailers => self.poll_trailers(),
            Phase::Continue => {
                self.phase = self.body_phase();
                Ok(Some(Event::Continue))
            }
            Phase::Upgrade => {
                self.phase = Phase::End;
                Ok(Some(Event::Upgrade(Upgrade { parser: self })))
            }
            Phase::Closed => {
                self.discard_all();
                Ok(None)
            }
            Phase::Failed(error) => {
                self.discard_all();
                Err(error)
            }
        }
    }

    /// Says that the stream ended. To be called when [`poll`](Self::poll) has returned `None`.
    ///
    /// # Errors
    ///
    /// When the stream ended inside a request ([`ErrorKind::Incomplete`]), or had failed before.
    pub fn finish(&mut self) -> Result<(), HttpError> {
        self.release_head();
        if let Phase::Failed(error) = self.phase {
            return Err(error);
        }
        let is_between_requests = self.phase == Phase::Head && self.buffer.is_empty();
        if !is_between_requests && self.phase != Phase::Closed {
            return Err(self.fail(Fault::new(ErrorKind::Incomplete, self.buffer.len())));
        }
        self.phase = Phase::Closed;
        Ok(())
    }

    fn poll_head(&mut self) -> Result<Option<Event<'_>>, HttpError> {
        loop {
            match self.scan(self.limits.head_bytes_max) {
                Ok(Progress::EmptyLine) => self.discard(CRLF_BYTES),
                Ok(Progress::Pending) => return Ok(None),
                Ok(Progress::Complete(length)) => {
                    self.judge_head(length).map_err(|fault| self.fail(fault))?;
                    return Ok(Some(Event::Head(Head { parser: self })));
                }
                Err(fault) => return Err(self.fail(fault)),
            }
        }
    }

    /// Scans what has been received of a section that may have `bytes_max` bytes.
    #[inline(always)]
    fn scan(&mut self, bytes_max: u32) -> Result<Progress, Fault> {
        let bytes_max = bytes_max as usize;
        let (window, overflows) = match self.buffer.get(..bytes_max) {
            Some(window) => (window, self.buffer.len() > bytes_max),
            None => (&*self.buffer, false),
        };
        let progress = self.scanner.scan(window, &self.limits)?;
        if progress == Progress::Pending {
            if overflows {
                return Err(Fault::new(self.scanner.overflow_kind(), bytes_max));
            }
            self.starved = true;
        }
        Ok(progress)
    }

    /// Decides what the head, which has `length` bytes, means for the bytes that follow it.
    #[inline(always)]
    fn judge_head(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.buffer.get(..length).unwrap_or_default();
        let view = HeadView { bytes, spans: self.scanner.spans() };
        rules::check_host(view, self.host_is_optional)?;
        let intent = if self.scanner.spans().has_more_than_host() {
            rules::intent(view, self.limits.body_bytes_max)?
        } else {
            rules::plain_intent(view.version())
        };
        self.head_bytes = length;
        self.intent = intent;
        let has_body = !matches!(intent.framing, Framing::None | Framing::Length(0));
        self.phase = if intent.expects_continue && has_body { Phase::Continue } else { self.body_phase() };
        Ok(())
    }

    const fn body_phase(&self) -> Phase {
        match self.intent.framing {
            Framing::None | Framing::Length(0) => self.phase_after_body(),
            Framing::Length(bytes_left) => Phase::Body { bytes_left },
            Framing::Chunked => Phase::Chunked,
        }
    }

    const fn phase_after_body(&self) -> Phase {
        if self.intent.offers_upgrade { Phase::Upgrade } else { Phase::End }
    }

    #[inline(never)]
    fn poll_body(&mut self, bytes_left: u64) -> Option<Event<'static>> {
        let data = self.take_data(bytes_left)?;
        let bytes_left = bytes_left.saturating_sub(data.len() as u64);
        self.phase = if bytes_left == 0 { self.phase_after_body() } else { Phase::Body { bytes_left } };
        Some(Event::Data(data))
    }

    #[inline(never)]
    fn poll_chunked(&mut self) -> Result<Option<Event<'_>>, HttpError> {
        let (length, chunk) = match self.chunks.decode(&self.buffer, &self.limits) {
            Ok(decoded) => decoded,
            Err(fault) => return Err(self.fail(fault)),
        };
        self.discard(length);
        match chunk {
            Chunk::Pending => {
                self.starved = true;
                Ok(None)
            }
            Chunk::Data(bytes_left) => Ok(self.take_data(bytes_left).map(|data| {
                self.chunks.take_data(data.len() as u64);
                Event::Data(data)
            })),
            Chunk::Last => {
                self.chunks = ChunkDecoder::new();
                self.scanner.start_trailers();
                self.phase = Phase::Trailers;
                self.poll_trailers()
            }
        }
    }

    #[inline(never)]
    fn poll_trailers(&mut self) -> Result<Option<Event<'_>>, HttpError> {
        match self.scan(self.limits.trailer_bytes_max) {
            Ok(Progress::Pending | Progress::EmptyLine) => return Ok(None),
            Ok(Progress::Complete(length)) => self.head_bytes = length,
            Err(fault) => return Err(self.fail(fault)),
        }
        self.phase = self.phase_after_body();
        if let Err(fault) = rules::check_trailers(self.trailers()) {
            return Err(self.fail(fault));
        }
        if self.scanner.spans().field_count() == 0 {
            return self.poll();
        }
        Ok(Some(Event::Trailers(self.trailers())))
    }

    fn trailers(&self) -> Trailers<'_> {
        let bytes = self.buffer.get(..self.head_bytes).unwrap_or_default();
        Trailers { bytes, spans: self.scanner.spans() }
    }

    fn end(&mut self) -> Event<'static> {
        // What follows a last request is not to be read as one (RFC 9112 §9.6).
        self.phase = if self.intent.keep_alive { Phase::Head } else { Phase::Closed };
        self.scanner.start_head();
        Event::End { keep_alive: self.intent.keep_alive }
    }

    /// At most `bytes_max` bytes of the body, none if there are none.
    fn take_data(&mut self, bytes_max: u64) -> Option<Bytes> {
        if self.buffer.is_empty() {
            self.starved = true;
            return None;
        }
        Some(self.split_to(usize::try_from(bytes_max).unwrap_or(usize::MAX)))
    }

    fn fail(&mut self, fault: Fault) -> HttpError {
        let error = HttpError::new(fault.kind, self.base.saturating_add(fault.at as u64));
        self.phase = Phase::Failed(error);
        error
    }

    fn release_head(&mut self) {
        if self.head_bytes != 0 {
            self.discard(self.head_bytes);
            self.head_bytes = 0;
        }
    }

    fn split_to(&mut self, length: usize) -> Bytes {
        let length = length.min(self.buffer.len());
        self.base = self.base.saturating_add(length as u64);
        self.buffer.split_to(length).freeze()
    }

    #[cold]
    fn discard_all(&mut self) {
        self.discard(self.buffer.len());
    }

    #[inline]
    fn discard(&mut self, length: usize) {
        let length = length.min(self.buffer.len());
        self.base = self.base.saturating_add(length as u64);
        self.buffer.advance(length);
    }
}
