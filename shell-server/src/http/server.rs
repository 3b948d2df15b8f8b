//! Accepts connections and bounds their number.

use core::net::IpAddr;
use core::pin::pin;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use nalcast_core::http::{ReplyTo, Status};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection::{Ends, serve_connection};
use super::limits::{CONNECTIONS_MAX, EVENT_STREAMS_MAX};
use super::places::{Place, Places};
use super::response::Response;
use crate::control::Control;
use crate::status::StatusReceiver;

/// The pause after a failed accept, which is most often for want of file descriptors.
const ACCEPT_RETRY_PERIOD: Duration = Duration::from_millis(100);

/// What there is to tell and to do, and by which clock answers are dated.
#[derive(Clone, Debug)]
pub struct Site {
    pub(super) status: StatusReceiver,
    pub(super) unix_seconds: fn() -> u64,
    pub(super) control: Control,
    pub(super) event_streams: Arc<Semaphore>,
}

impl Site {
    /// A site that tells the newest value of `status` and hands on to `control`. `unix_seconds` is the wall clock, for `Date` alone.
    #[must_use]
    pub fn new(status: StatusReceiver, control: Control, unix_seconds: fn() -> u64) -> Self {
        Self { status, unix_seconds, control, event_streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)) }
    }
}

/// Serves the status page on `listener` until `shutdown` resolves; connections that are open then are dropped.
///
/// Only requests that name localhost or the address they came in on, and that no page of another site makes, are
/// answered with more than a refusal.
pub async fn serve(listener: TcpListener, site: Site, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    let mut places = Places::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection of the status page broke down");
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = if connections.len() < CONNECTIONS_MAX { places.take(peer.ip()) } else { None };
                match place {
                    Some(place) => drop(connections.spawn(serve_stream(stream, peer.ip(), site.clone(), place))),
                    None => refuse(&stream, &site),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the status page cannot accept a connection; trying again");
                tokio::time::sleep(ACCEPT_RETRY_PERIOD).await;
            }
        }
    }
}

async fn serve_stream(stream: TcpStream, peer: IpAddr, site: Site, _place: Place) {
    let served = async {
        // Answers are written whole: there is nothing to wait for (RFC 9293 §3.7.4).
        stream.set_nodelay(true)?;
        let ends = Ends { local: stream.local_addr()?.ip(), peer };
        serve_connection(stream, ends, site).await
    };
    if let Err::<(), io::Error>(error) = served.await {
        tracing::debug!(%peer, %error, "a connection of the status page ended early");
    }
}

/// Says why, as far as that can be done without waiting, and closes.
fn refuse(stream: &TcpStream, site: &Site) {
    let mut out = BytesMut::new();
    Response::text(Status::ServiceUnavailable, "Too many connections are open. Try again in a moment.").write(
        &mut out,
        ReplyTo::REFUSED,
        (site.unix_seconds)(),
    );
    // The answer is a courtesy: a client whose socket cannot take it at once sees the connection close.
    let _ = stream.try_write(&out);
}
