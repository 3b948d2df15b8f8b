//! Two datagram sockets joined in memory, that fail when they are told to.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::Poll;
use std::io;

use nalcast_core::DatagramSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};

/// How a socket misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// Nothing can be sent.
    SendFails,
    /// What is large cannot be sent, as on a path with a small MTU.
    LargeIsRefused,
    /// Receiving fails at once, each time.
    ReceiveFails,
    /// Whatever is sent meets a closed port: the next receive tells.
    Refused,
    /// There is always one more datagram of nonsense.
    Flooded,
}

pub(crate) struct MemorySocket {
    local: SocketAddr,
    peer: SocketAddr,
    to_peer: UnboundedSender<Vec<u8>>,
    from_peer: RefCell<UnboundedReceiver<Vec<u8>>>,
    fault: Cell<Fault>,
    refused: Cell<u32>,
    /// What was too large to be sent.
    pub(crate) too_large: Cell<u64>,
    /// A datagram that was held back, and how many more are to leave before it, itself counted.
    overtaken: RefCell<Vec<u8>>,
    overtaking: Cell<Option<u32>>,
    /// How often it may still misbehave without an end before a loop is taken to be stuck.
    patience: Cell<u32>,
}

/// Far more than a loop that works ever sees.
const PATIENCE: u32 = 100_000;

/// A datagram and the twenty that overtake it.
const OVERTAKING: u32 = 21;

/// What passes where large datagrams are refused.
const SMALL_BYTES: usize = 700;

pub(crate) const SERVER: &str = "192.0.2.1:4600";
pub(crate) const VIEWER: &str = "192.0.2.2:50000";

/// The server's and the viewer's socket.
pub(crate) fn pair() -> (MemorySocket, MemorySocket) {
    let (to_viewer, from_server) = unbounded_channel();
    let (to_server, from_viewer) = unbounded_channel();
    let socket = |local: &str, peer: &str, to_peer, from_peer| MemorySocket {
        local: local.parse().unwrap(),
        peer: peer.parse().unwrap(),
        to_peer,
        from_peer: RefCell::new(from_peer),
        fault: Cell::default(),
        refused: Cell::default(),
        too_large: Cell::default(),
        overtaken: RefCell::default(),
        overtaking: Cell::default(),
        patience: Cell::new(PATIENCE),
    };
    (socket(SERVER, VIEWER, to_viewer, from_viewer), socket(VIEWER, SERVER, to_server, from_server))
}

impl MemorySocket {
    pub(crate) fn set_fault(&self, fault: Fault) {
        self.fault.set(fault);
    }

    /// The next datagram is overtaken by the twenty after it.
    pub(crate) fn delay_next(&self) {
        self.overtaking.set(Some(OVERTAKING));
    }

    fn pass_on(&self, datagram: &[u8]) {
        // The peer may be gone, which a sender over UDP does not notice.
        let send = |datagram| drop(self.to_peer.send(datagram));
        match self.overtaking.get() {
            Some(OVERTAKING) => drop(self.overtaken.replace(datagram.to_vec())),
            _ => send(datagram.to_vec()),
        }
        let left = self.overtaking.get().map(|left| left - 1);
        self.overtaking.set(left.filter(|left| *left > 0));
        if left == Some(0) {
            send(self.overtaken.take());
        }
    }

    fn failure(&self) -> Option<io::Error> {
        match self.fault.get() {
            Fault::ReceiveFails => {
                self.spend_patience();
                Some(io::Error::other("broken"))
            }
            Fault::Refused if self.refused.get() > 0 => {
                self.refused.set(self.refused.get() - 1);
                Some(io::ErrorKind::ConnectionRefused.into())
            }
            Fault::None | Fault::SendFails | Fault::LargeIsRefused | Fault::Refused | Fault::Flooded => None,
        }
    }

    fn nonsense(&self, buf: &mut [u8]) -> (usize, SocketAddr) {
        self.spend_patience();
        self.take(b"nonsense", buf)
    }

    /// Turns an endless loop, in which no time passes, into a failure.
    fn spend_patience(&self) {
        self.patience.set(self.patience.get().checked_sub(1).expect("the loop spins"));
    }

    fn take(&self, datagram: &[u8], buf: &mut [u8]) -> (usize, SocketAddr) {
        buf[..datagram.len()].copy_from_slice(datagram);
        (datagram.len(), self.peer)
    }
}

impl DatagramSocket for MemorySocket {
    type Error = io::Error;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        assert_eq!(to, self.peer);
        match self.fault.get() {
            Fault::SendFails => return Err(io::ErrorKind::NetworkUnreachable.into()),
            Fault::Refused => self.refused.set(self.refused.get() + 1),
            Fault::LargeIsRefused if datagram.len() > SMALL_BYTES => {
                self.too_large.set(self.too_large.get() + 1);
                return Err(io::Error::other("message too long"));
            }
            Fault::None | Fault::LargeIsRefused | Fault::ReceiveFails | Fault::Flooded => self.pass_on(datagram),
        }
        Ok(())
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // As every socket of tokio, it lets others run from time to time even if it is always ready.
        tokio::task::coop::consume_budget().await;
        poll_fn(|context| {
            if let Some(error) = self.failure() {
                return Poll::Ready(Err(error));
            }
            match self.from_peer.borrow_mut().poll_recv(context) {
                Poll::Ready(Some(datagram)) => Poll::Ready(Ok(self.take(&datagram, buf))),
                _ if self.fault.get() == Fault::Flooded => Poll::Ready(Ok(self.nonsense(buf))),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        match self.from_peer.borrow_mut().try_recv() {
            Ok(datagram) => Ok(Some(self.take(&datagram, buf))),
            Err(_) if self.fault.get() == Fault::Flooded => Ok(Some(self.nonsense(buf))),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }
}
