//! Accepts connections and bounds their number.

use core::pin::pin;
use core::time::Duration;
use std::io;

use bytes::BytesMut;
use nalcast_core::http::Status;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::serve_connection;
use super::routes::Response;
use crate::status::StatusSnapshot;

/// Connections that are served at a time.
const CONNECTIONS_MAX: usize = 64;
/// The pause after a failed accept, which is most often for want of file descriptors.
const ACCEPT_RETRY_PERIOD: Duration = Duration::from_millis(100);

/// Serves the status page on `listener` until `shutdown` resolves; connections that are open then are dropped.
///
/// Requests are answered with the newest value of `status`. Only those that name localhost or the address they came
/// in on are answered at all.
pub async fn serve(listener: TcpListener, status: watch::Receiver<StatusSnapshot>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
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
            Ok((stream, _)) if connections.len() >= CONNECTIONS_MAX => refuse(&stream),
            Ok((stream, peer)) => {
                let status = status.clone();
                connections.spawn(async move {
                    if let Err(error) = serve_stream(stream, status).await {
                        tracing::debug!(%peer, %error, "a connection of the status page ended early");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the status page cannot accept a connection; trying again");
                tokio::time::sleep(ACCEPT_RETRY_PERIOD).await;
            }
        }
    }
}

async fn serve_stream(stream: TcpStream, status: watch::Receiver<StatusSnapshot>) -> io::Result<()> {
    let local = stream.local_addr()?.ip();
    serve_connection(stream, local, status).await
}

/// Says why, as far as that can be done without waiting, and closes.
fn refuse(stream: &TcpStream) {
    let mut out = BytesMut::new();
    Response::text(Status::ServiceUnavailable, "Too many connections are open. Try again in a moment.")
        .write(&mut out, false);
    // The answer is a courtesy: a client whose socket cannot take it at once sees the connection close.
    let _ = stream.try_write(&out);
}
