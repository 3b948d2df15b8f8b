//! The parser: heads, bodies and what comes between, as events.

use bytes::{Buf, Bytes, BytesMut};

use super::error::{ErrorKind, Fault, HttpError};
use super::framing::{self, Framing};
use super::scanner::{Progress, Scanner};
use super::{HeadView, Limits, OwnedHead, rules};

/// The length of an empty line.
const CRLF_BYTES: usize = 2;

/// What [`RequestParser::poll`] has to say.
///
/// A request is one `Head`, perhaps a `Continue`, any number of `Data`, and one `End`.
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
    /// The request is complete.
    End {
        /// Whether the connection may carry another request; if not, nothing that follows is looked at.
        keep_alive: bool,
    },
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
        self.parser.framing
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
    buffer: BytesMut,
    /// Offset of the buffer's first byte in the connection.
    base: u64,
    /// Bytes of a head that was handed out and still lies in the buffer.
    head_bytes: usize,
    scanner: Scanner,
    framing: Framing,
    keep_alive: bool,
    phase: Phase,
    starved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Continue { body_bytes: u64 },
    Body { bytes_left: u64 },
    Closed,
    Failed(HttpError),
}

impl RequestParser {
    /// A parser at the start of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            base: 0,
            head_bytes: 0,
            scanner: Scanner::new(),
            framing: Framing::None,
            keep_alive: false,
            phase: Phase::Head,
            starved: true,
        }
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
        self.starved && matches!(self.phase, Phase::Head | Phase::Continue { .. } | Phase::Body { .. })
    }

    /// Bytes looked at while scanning heads, those looked at twice counted twice: at most twice the bytes received.
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
            Phase::Continue { body_bytes } => {
                self.phase = Phase::Body { bytes_left: body_bytes };
                Ok(Some(Event::Continue))
            }
            Phase::Body { bytes_left: 0 } => {
                // What follows a last request is not to be read as one (RFC 9112 §9.6).
                self.phase = if self.keep_alive { Phase::Head } else { Phase::Closed };
                self.scanner.restart();
                Ok(Some(Event::End { keep_alive: self.keep_alive }))
            }
            Phase::Body { bytes_left } => Ok(self.poll_body(bytes_left)),
            Phase::Closed => {
                self.discard(self.buffer.len());
                Ok(None)
            }
            Phase::Failed(error) => {
                self.discard(self.buffer.len());
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
        match self.phase {
            Phase::Head if self.buffer.is_empty() => self.phase = Phase::Closed,
            Phase::Closed => {}
            Phase::Failed(error) => return Err(error),
            Phase::Head | Phase::Continue { .. } | Phase::Body { .. } => {
                return Err(self.fail(Fault::new(ErrorKind::Incomplete, self.buffer.len())));
            }
        }
        Ok(())
    }

    fn poll_head(&mut self) -> Result<Option<Event<'_>>, HttpError> {
        loop {
            let head_bytes_max = self.limits.head_bytes_max as usize;
            let (window, overflows) = match self.buffer.get(..head_bytes_max) {
                Some(window) => (window, self.buffer.len() > head_bytes_max),
                None => (&*self.buffer, false),
            };
            match self.scanner.scan(window, &self.limits) {
                Ok(Progress::EmptyLine) => self.discard(CRLF_BYTES),
                Ok(Progress::Pending) if overflows => {
                    let in_request_line = self.scanner.in_request_line();
                    let kind = if in_request_line { ErrorKind::TargetTooLong } else { ErrorKind::HeadTooLarge };
                    return Err(self.fail(Fault::new(kind, head_bytes_max)));
                }
                Ok(Progress::Pending) => {
                    self.starved = true;
                    return Ok(None);
                }
                Ok(Progress::Complete(length)) => {
                    self.judge_head(length).map_err(|fault| self.fail(fault))?;
                    return Ok(Some(Event::Head(Head { parser: self })));
                }
                Err(fault) => return Err(self.fail(fault)),
            }
        }
    }

    /// Decides what the head, which has `length` bytes, means for the bytes that follow it.
    fn judge_head(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.buffer.get(..length).unwrap_or_default();
        let view = HeadView { bytes, spans: self.scanner.spans() };
        let (version, fields) = (view.version(), view.fields());
        let framing = framing::decide(version, fields.clone(), self.limits.body_bytes_max)?;
        rules::check_host(version, fields.clone(), length)?;
        let expects_continue = rules::expects_continue(version, fields.clone())?;
        self.keep_alive = rules::keeps_alive(version, fields);
        self.phase = match framing {
            Framing::Length(body_bytes) if expects_continue && body_bytes > 0 => Phase::Continue { body_bytes },
            Framing::Length(bytes_left) => Phase::Body { bytes_left },
            Framing::None => Phase::Body { bytes_left: 0 },
        };
        self.framing = framing;
        self.head_bytes = length;
        Ok(())
    }

    fn poll_body(&mut self, bytes_left: u64) -> Option<Event<'static>> {
        if self.buffer.is_empty() {
            self.starved = true;
            return None;
        }
        let length = usize::try_from(bytes_left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.phase = Phase::Body { bytes_left: bytes_left.saturating_sub(length as u64) };
        Some(Event::Data(self.split_to(length)))
    }

    fn fail(&mut self, fault: Fault) -> HttpError {
        let error = HttpError::new(fault.kind, self.base.saturating_add(fault.at as u64));
        self.phase = Phase::Failed(error);
        error
    }

    fn release_head(&mut self) {
        let length = core::mem::take(&mut self.head_bytes);
        self.discard(length);
    }

    fn split_to(&mut self, length: usize) -> Bytes {
        let length = length.min(self.buffer.len());
        self.base = self.base.saturating_add(length as u64);
        self.buffer.split_to(length).freeze()
    }

    fn discard(&mut self, length: usize) {
        let length = length.min(self.buffer.len());
        self.base = self.base.saturating_add(length as u64);
        self.buffer.advance(length);
    }
}
