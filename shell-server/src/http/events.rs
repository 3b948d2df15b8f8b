//! The status, again and again, as server-sent events (HTML Standard §9.2).

use core::fmt::Write as _;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use nalcast_core::http::{FieldValue, StreamedBody};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::api;
use super::limits::{EVENT_PERIOD_MAX, EVENT_PERIOD_MIN, WRITE_PERIOD};
use crate::status::StatusReceiver;

pub(super) const CONTENT_TYPE: FieldValue<'static> = FieldValue::from_static("text/event-stream");

/// Sends an event whenever the status changed, at most one in [`EVENT_PERIOD_MIN`], and a sign of life where nothing
/// changes for [`EVENT_PERIOD_MAX`]; until the client goes away or nobody is left to change the status.
///
/// `out` holds the head already.
///
/// # Errors
///
/// When the stream fails, or the client does not read what was written in time.
pub(super) async fn send_events<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    body: StreamedBody,
    mut status: StatusReceiver,
    mut out: BytesMut,
) -> io::Result<()> {
    let mut text = String::new();
    put_event(&mut text, &mut status);
    loop {
        body.write(&mut out, text.as_bytes());
        timeout(WRITE_PERIOD, stream.write_all(&out)).await??;
        out.clear();
        text.clear();
        tokio::select! {
            biased;
            () = is_gone(stream) => return Ok(()),
            () = sleep(EVENT_PERIOD_MIN) => {}
        }
        tokio::select! {
            biased;
            () = is_gone(stream) => return Ok(()),
            changed = timeout(EVENT_PERIOD_MAX - EVENT_PERIOD_MIN, status.changed()) => match changed {
                Ok(Ok(())) => put_event(&mut text, &mut status),
                // A comment, which clients pass over.
                Err(_) => text.push_str(":\n\n"),
                Ok(Err(_)) => break,
            },
        }
    }
    body.finish(&mut out);
    timeout(WRITE_PERIOD, stream.write_all(&out)).await?
}

/// Appends the newest status as an event. JSON has no line ends, so one line is enough.
fn put_event(text: &mut String, status: &mut StatusReceiver) {
    let snapshot = Arc::clone(&status.borrow_and_update());
    let written = write!(text, "data: {}\n\n", api::status_json(&snapshot));
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// Waits until the client ends the connection; whatever it still sends is of no use.
async fn is_gone(stream: &mut (impl AsyncRead + Unpin)) {
    let mut unread = [0; 256];
    while stream.read(&mut unread).await.is_ok_and(|read| read > 0) {}
}
