//! The one trait between the shells' loops and a UDP socket: a real one or a simulated one.

use core::future::Future;
use core::net::SocketAddr;

use crate::transmit::Transmit;

/// A datagram socket as the drivers need it, no more.
///
/// The real shells give it the operating system's socket, the simulator turmoil's behind an impaired link; the loops
/// are generic over it, so the very same loop runs in both.
pub trait DatagramSocket {
    /// What went wrong at the socket.
    type Error: core::error::Error + Send + Sync + 'static;

    /// The address this socket is bound to.
    ///
    /// # Errors
    /// When the socket no longer knows it.
    fn local_addr(&self) -> Result<SocketAddr, Self::Error>;

    /// Leaves from where the way to the peer begins now, if that has changed: another network, another address. To be
    /// called every so often by who talks to one peer only. A socket for which there is no such thing does nothing.
    fn follow_route(&self) {}

    /// Sends one datagram and waits until the socket took it.
    ///
    /// # Errors
    /// When the socket refused it. For UDP that says nothing about later datagrams.
    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> impl Future<Output = Result<(), Self::Error>>;

    /// Sends all datagrams of one request; `buf` is the buffer that was lent to `poll_transmit`.
    ///
    /// One that is refused does not keep the others back. A socket that can do better than one by one does so.
    ///
    /// # Errors
    /// [`Refused`] tells how many were not sent; they are lost as others are on their way.
    fn send(&self, transmit: &Transmit, buf: &[u8]) -> impl Future<Output = Result<(), Refused<Self::Error>>> {
        async move {
            let mut refused = None;
            for datagram in transmit.datagrams(buf) {
                if let Err(error) = self.send_to(datagram, transmit.destination).await {
                    Refused::note(&mut refused, 1, error);
                }
            }
            refused.map_or(Ok(()), Err)
        }
    }

    /// Waits for one datagram: its length in `buf` and its sender.
    ///
    /// # Errors
    /// When the socket failed; an ICMP error of an earlier send may show up here.
    fn recv_from(&self, buf: &mut [u8]) -> impl Future<Output = Result<(usize, SocketAddr), Self::Error>>;

    /// One more datagram if it is there already, without waiting: how a burst is drained.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    fn try_recv_from(&self, buf: &mut [u8]) -> Result<Option<(usize, SocketAddr)>, Self::Error>;
}

/// Datagrams of one request that a socket did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<E> {
    /// How many.
    pub datagrams: u64,
    /// Why, for the first of them.
    pub error: E,
}

impl<E> Refused<E> {
    /// Counts `datagrams` more, with `error` as the reason if there was none before.
    pub fn note(refused: &mut Option<Self>, datagrams: u64, error: E) {
        refused.get_or_insert(Self { datagrams: 0, error }).datagrams += datagrams;
    }
}
