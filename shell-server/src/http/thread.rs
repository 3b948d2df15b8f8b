//! The server on a thread of its own: however many ask for the status, the stream does not wait.

use core::net::SocketAddr;
use std::io;
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::SystemTime;

use tokio::runtime;
use tokio::sync::{oneshot, watch};

use super::server::{Site, serve};
use crate::status::StatusSnapshot;

/// An address at which the status page is going to be.
#[derive(Debug)]
pub struct StatusListener {
    listener: TcpListener,
}

/// A status page that is there until this is dropped.
#[derive(Debug)]
pub struct StatusServer {
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusListener {
    /// Takes the address; clients that connect wait until the page [starts](Self::start).
    ///
    /// # Errors
    /// When the system refuses the address.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers from now on with the newest value of `status`.
    ///
    /// # Errors
    /// When the system has no thread or no event loop left.
    pub fn start(self, status: watch::Receiver<StatusSnapshot>) -> io::Result<StatusServer> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            // Whether told to stop or left alone, it is over.
            let shutdown = async { drop(stopped.await) };
            serve(listener, Site::new(status, unix_seconds), shutdown).await;
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || runtime.block_on(serve))?;
        Ok(StatusServer { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the status page broke down");
        }
    }
}

/// The wall clock. One that is set before 1970 tells 1970.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}
