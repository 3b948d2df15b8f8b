//! One connection: requests in, answers out, in order.

use core::net::IpAddr;
use core::time::Duration;
use std::io;

use bytes::BytesMut;
use nalcast_core::http::{Event, Limits, RequestParser, Status};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::routes::{self, Response};
use crate::status::StatusSnapshot;

/// How long a request may take, from its first byte to its last.
pub(super) const REQUEST_PERIOD: Duration = Duration::from_secs(10);
/// How long a connection may stay without a request.
pub(super) const IDLE_PERIOD: Duration = Duration::from_secs(15);
/// How long a client may take to read one answer.
const WRITE_PERIOD: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a closed connection is still read, so that what the client is still sending
/// does not make its system throw the answer away (RFC 9112 §9.6).
const LINGER_PERIOD: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: u64 = 64 << 10;
/// Room for one read.
const READ_BYTES: usize = 4 << 10;
/// No resource takes a body, so a small one is enough to be polite.
const BODY_BYTES_MAX: u64 = 64 << 10;

/// Serves a connection that was accepted on the address `local` until one side ends it.
///
/// # Errors
///
/// When the stream fails, or the client does not read its answer in time.
pub(super) async fn serve_connection<S>(
    stream: S,
    local: IpAddr,
    status: watch::Receiver<StatusSnapshot>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = Limits { body_bytes_max: BODY_BYTES_MAX, ..Limits::default() };
    Connection { stream, local, status, parser: RequestParser::new(limits), pending: None }.run().await
}

struct Connection<S> {
    stream: S,
    local: IpAddr,
    status: watch::Receiver<StatusSnapshot>,
    parser: RequestParser,
    /// The answer to a request whose body is still arriving.
    pending: Option<Response>,
}

/// What the bytes received so far call for.
enum Step {
    Receive,
    Answer { response: Response, keep_alive: bool },
}

/// How waiting for bytes ended.
enum Received {
    Bytes,
    End,
    TimedOut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(mut self) -> io::Result<()> {
        let mut in_request = false;
        let mut deadline = Instant::now() + IDLE_PERIOD;
        loop {
            let refusal = match self.step() {
                Step::Answer { response, keep_alive: true } => {
                    self.send(&response, true).await?;
                    in_request = false;
                    deadline = Instant::now() + IDLE_PERIOD;
                    continue;
                }
                Step::Answer { response, keep_alive: false } => response,
                Step::Receive => {
                    if !in_request && self.has_begun() {
                        in_request = true;
                        deadline = Instant::now() + REQUEST_PERIOD;
                    }
                    match self.receive(deadline).await? {
                        Received::Bytes => continue,
                        Received::TimedOut if in_request => {
                            Response::text(Status::RequestTimeout, "The request took too long to arrive.")
                        }
                        Received::TimedOut => return Ok(()),
                        Received::End => match self.parser.finish() {
                            Ok(()) => return Ok(()),
                            Err(error) => Response::refusal(&error),
                        },
                    }
                }
            };
            self.send(&refusal, false).await?;
            return self.linger().await;
        }
    }

    /// Takes events until there is something to do. One answer at a time: requests behind it wait unparsed.
    fn step(&mut self) -> Step {
        loop {
            let keep_alive = match self.parser.poll() {
                Ok(None) => return Step::Receive,
                Ok(Some(Event::Head(head))) => {
                    self.pending = Some(routes::respond(head.view(), self.local, &self.status.borrow()));
                    continue;
                }
                // No answer depends on a body, so it need not be sent at all (RFC 9110 §10.1.1).
                Ok(Some(Event::Continue)) => false,
                // Nothing here speaks another protocol, so that an offer to change it is passed over.
                Ok(Some(Event::Data(_) | Event::Trailers(_) | Event::Upgrade(_))) => continue,
                Ok(Some(Event::End { keep_alive })) => keep_alive,
                Err(error) => return Step::Answer { response: Response::refusal(&error), keep_alive: false },
            };
            if let Some(response) = self.pending.take() {
                return Step::Answer { response, keep_alive };
            }
        }
    }

    /// Whether bytes of an unanswered request have arrived.
    fn has_begun(&mut self) -> bool {
        self.pending.is_some() || !self.parser.buffer_mut().is_empty()
    }

    async fn receive(&mut self, deadline: Instant) -> io::Result<Received> {
        let buffer = self.parser.buffer_mut();
        buffer.reserve(READ_BYTES);
        match timeout_at(deadline, self.stream.read_buf(buffer)).await {
            Ok(Ok(0)) => Ok(Received::End),
            Ok(Ok(_)) => Ok(Received::Bytes),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Received::TimedOut),
        }
    }

    async fn send(&mut self, response: &Response, keep_alive: bool) -> io::Result<()> {
        let mut out = BytesMut::new();
        response.write(&mut out, keep_alive);
        timeout(WRITE_PERIOD, self.stream.write_all(&out)).await?
    }

    async fn linger(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut rest = self.stream.take(LINGER_BYTES_MAX);
        // However the wait ends, the connection is over.
        let _ = timeout(LINGER_PERIOD, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
        Ok(())
    }
}
