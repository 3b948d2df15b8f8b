//! The one trait between the shells' loops and a UDP socket: a real one or a simulated one.

use core::future::Future;
use core::net::SocketAddr;

/// A datagram socket as the drivers need it, no more.
///
/// The real shells give it tokio's socket, the simulator turmoil's behind an impaired link; the loops are
/// generic over it, so the very same loop runs in both.
pub trait DatagramSocket {
    /// What went wrong at the socket.
    type Error: core::error::Error + Send + Sync + 'static;

    /// The address this socket is bound to.
    ///
    /// # Errors
    /// When the socket no longer knows it.
    fn local_addr(&self) -> Result<SocketAddr, Self::Error>;

    /// Sends one datagram and waits until the socket took it.
    ///
    /// # Errors
    /// When the socket refused it. For UDP that says nothing about later datagrams.
    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> impl Future<Output = Result<(), Self::Error>>;

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
