//! The server on a thread of its own: however many ask for the status, the stream does not wait.

use core::net::SocketAddr;
use std::io;
use std::thread::JoinHandle;
use std::time::SystemTime;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;

use super::limits::BACKLOG;
use super::server::{Site, serve};
use crate::control::Control;
use crate::status::StatusReceiver;

/// An address at which the status page is going to be.
#[derive(Debug)]
pub struct StatusListener {
    listener: TcpListener,
    runtime: IdleRuntime,
}

/// A runtime in which nothing runs yet: it can be dropped inside another one, as when something else is missing at the
/// start of the program.
#[derive(Debug)]
struct IdleRuntime(Option<Runtime>);

impl IdleRuntime {
    /// Runs this until its end, and nothing after it.
    fn run(mut self, future: impl Future<Output = ()>) {
        if let Some(runtime) = self.0.take() {
            runtime.block_on(future);
        }
    }
}

impl Drop for IdleRuntime {
    fn drop(&mut self) {
        // Otherwise the drop would wait, which is not allowed inside a runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
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
    /// When the system refuses the address, or has no event loop left.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // Connections of an earlier run that the system still remembers are no obstacle.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)?
        };
        Ok(Self { listener, runtime: IdleRuntime(Some(runtime)) })
    }

    /// The address, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers from now on with the newest value of `status`, and hands on to `control`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(self, status: StatusReceiver, control: Control) -> io::Result<StatusServer> {
        let Self { listener, runtime } = self;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            // Whether told to stop or left alone, it is over.
            let shutdown = async { drop(stopped.await) };
            serve(listener, Site::new(status, control, unix_seconds), shutdown).await;
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || runtime.run(serve))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_can_be_given_back_unused() {
        drop(StatusListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap());
    }
}
