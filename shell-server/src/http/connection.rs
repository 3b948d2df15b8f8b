//! One connection: requests in, answers out, in order.

use core::net::IpAddr;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use nalcast_core::http::{Event, Head, ReplyTo, RequestParser, Status};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::events::{self, send_events};
use super::limits::{
    self, ANSWERS_BYTES_MAX, IDLE_PERIOD, LINGER_BYTES_MAX, LINGER_PERIOD, READ_BYTES, REQUEST_PERIOD, WRITE_PERIOD,
};
use super::response::{Response, write_stream_head};
use super::routes::{self, Reply};
use super::server::Site;
use super::viewers;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The address of this server that the client connected to.
    pub local: IpAddr,
    /// The client's address.
    pub peer: IpAddr,
}

/// Serves a connection that was accepted until one side ends it. Any stream will do.
///
/// # Errors
///
/// When the stream fails, or the client does not read its answers in time.
pub async fn serve_connection<S>(stream: S, ends: Ends, site: Site) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let parser = RequestParser::new(limits::of_requests());
    Connection { stream, ends, site, parser, pending: None, out: BytesMut::new() }.run().await
}

struct Connection<S> {
    stream: S,
    ends: Ends,
    site: Site,
    parser: RequestParser,
    /// What a request gets whose body is still arriving.
    pending: Option<Pending>,
    /// Answers that are not written yet.
    out: BytesMut,
}

struct Pending {
    reply: Reply,
    to: ReplyTo,
}

/// What the bytes received so far came to.
enum Step {
    /// More are needed.
    Receive,
    /// An answer that others may follow.
    Answered,
    /// The last answer of the connection.
    Last,
    /// The connection tells the status from now on.
    Follow(ReplyTo),
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
            match self.step().await {
                Step::Answered => {
                    in_request = false;
                    deadline = Instant::now() + IDLE_PERIOD;
                    if self.out.len() >= ANSWERS_BYTES_MAX {
                        self.flush().await?;
                    }
                    continue;
                }
                Step::Last => break,
                Step::Follow(to) => return self.follow(to).await,
                Step::Receive => {}
            }
            self.flush().await?;
            if !in_request && self.has_begun() {
                in_request = true;
                deadline = Instant::now() + REQUEST_PERIOD;
            }
            match self.receive(deadline).await? {
                Received::Bytes => continue,
                Received::TimedOut if in_request => {
                    self.refuse(&Response::text(Status::RequestTimeout, "The request took too long to arrive."));
                }
                Received::TimedOut => return Ok(()),
                Received::End => match self.parser.finish() {
                    Ok(()) => return Ok(()),
                    Err(error) => self.refuse(&Response::refusal(&error)),
                },
            }
            break;
        }
        self.flush().await?;
        self.linger().await
    }

    /// Takes events until there is something to do. One answer at a time: requests behind it wait unparsed.
    async fn step(&mut self) -> Step {
        loop {
            let keep_alive = match self.parser.poll() {
                Ok(None) => return Step::Receive,
                Ok(Some(Event::Head(head))) => {
                    let status = Arc::clone(&self.site.status.borrow());
                    let reply = routes::respond(head.view(), self.ends, &self.site.control, &status);
                    self.pending = Some(Pending { reply, to: reply_to(&head) });
                    continue;
                }
                // No answer depends on a body, so it need not be sent at all (RFC 9110 §10.1.1).
                Ok(Some(Event::Continue)) => false,
                // Bodies are read, for the next request to be found, and thrown away; no protocol is changed.
                Ok(Some(Event::Data(_) | Event::Trailers(_) | Event::Upgrade(_))) => continue,
                Ok(Some(Event::End { keep_alive })) => keep_alive,
                Err(error) => {
                    self.refuse(&Response::refusal(&error));
                    return Step::Last;
                }
            };
            if let Some(Pending { reply, to }) = self.pending.take() {
                let to = ReplyTo { keep_alive, ..to };
                match reply {
                    Reply::Events => return Step::Follow(to),
                    Reply::Removal(viewer) => {
                        let response = viewers::remove(&self.site.control, viewer).await;
                        self.answer(&response, to);
                    }
                    Reply::Response(response) => self.answer(&response, to),
                }
                return if keep_alive { Step::Answered } else { Step::Last };
            }
        }
    }

    /// Whether bytes of an unanswered request have arrived.
    fn has_begun(&mut self) -> bool {
        self.pending.is_some() || !self.parser.buffer_mut().is_empty()
    }

    fn answer(&mut self, response: &Response, to: ReplyTo) {
        response.write(&mut self.out, to, (self.site.unix_seconds)());
    }

    /// Answers what is no acceptable request, or did not arrive whole.
    fn refuse(&mut self, response: &Response) {
        let is_head = self.pending.as_ref().is_some_and(|pending| pending.to.is_head);
        self.answer(response, ReplyTo { is_head, ..ReplyTo::REFUSED });
    }

    /// Tells the status until the client goes away.
    async fn follow(mut self, to: ReplyTo) -> io::Result<()> {
        let to = ReplyTo { keep_alive: false, ..to };
        let Ok(_place) = self.site.event_streams.clone().try_acquire_owned() else {
            let text = "Too many clients follow the status. /api/v1/status tells it once.";
            self.answer(&Response::text(Status::ServiceUnavailable, text), to);
            self.flush().await?;
            return self.linger().await;
        };
        let body = write_stream_head(&mut self.out, events::CONTENT_TYPE, to, (self.site.unix_seconds)());
        if to.is_head {
            self.flush().await?;
        } else {
            send_events(&mut self.stream, body, self.site.status.clone(), self.out.split()).await?;
        }
        self.linger().await
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

    async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            timeout(WRITE_PERIOD, self.stream.write_all(&self.out)).await??;
            self.out.clear();
        }
        Ok(())
    }

    async fn linger(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut rest = self.stream.take(LINGER_BYTES_MAX);
        // However the wait ends, the connection is over.
        let _ = timeout(LINGER_PERIOD, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
        Ok(())
    }
}

fn reply_to(head: &Head<'_>) -> ReplyTo {
    let view = head.view();
    ReplyTo { version: view.version(), is_head: view.method() == b"HEAD", keep_alive: head.keep_alive() }
}
