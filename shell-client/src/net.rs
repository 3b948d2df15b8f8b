//! The real UDP socket.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, ErrorKind};

use nalcast_core::DatagramSocket;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Room asked of the kernel: what a fast server sends while this thread does not get to run.
const BUFFER_BYTES: usize = 4 << 20;
/// With less than this, bursts are likely to be lost inside this machine.
const BUFFER_BYTES_WANTED_MIN: usize = 256 << 10;

/// A UDP socket of the operating system that talks to one server.
///
/// It is connected, because only then the system tells that nobody listens there (ICMP port unreachable).
#[derive(Debug)]
pub struct ViewerSocket {
    socket: UdpSocket,
    server: SocketAddr,
}

impl ViewerSocket {
    /// Connects to `server`, which sends nothing. To be called inside a runtime.
    ///
    /// # Errors
    /// When this machine has no route to the server.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::DGRAM, Some(Protocol::UDP))?;
        enlarge_buffer(&socket);
        socket.set_nonblocking(true)?;
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        socket.bind(&SocketAddr::new(any, 0).into())?;
        socket.connect(&server.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, server })
    }
}

/// Less room than asked for is no failure.
fn enlarge_buffer(socket: &Socket) {
    let asked = socket.set_recv_buffer_size(BUFFER_BYTES);
    match asked.and_then(|()| socket.recv_buffer_size()) {
        Ok(bytes) if bytes >= BUFFER_BYTES_WANTED_MIN => tracing::debug!(bytes, "UDP receive buffer"),
        Ok(bytes) => tracing::warn!(
            "the system grants a UDP receive buffer of {} KiB only, so bursts may be lost; raise net.core.rmem_max",
            bytes >> 10
        ),
        Err(error) => tracing::warn!("cannot enlarge the UDP receive buffer ({error}): bursts may be lost"),
    }
}

impl DatagramSocket for ViewerSocket {
    type Error = io::Error;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        debug_assert_eq!(to, self.server, "a viewer talks to its server only");
        self.socket.send(datagram).await.map(drop)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok((self.socket.recv(buf).await?, self.server))
    }

    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.socket.try_recv(buf) {
            Ok(len) => Ok(Some((len, self.server))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hears_its_server_only_and_notices_when_that_is_gone() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let viewer = ViewerSocket::connect(server.local_addr().unwrap()).unwrap();
        let local = viewer.local_addr().unwrap();
        let mut buf = [0; 16];
        assert_eq!(viewer.try_recv_from(&mut buf).unwrap(), None);
        stranger.send_to(b"stranger", local).await.unwrap();
        server.send_to(b"server", local).await.unwrap();
        assert_eq!(viewer.recv_from(&mut buf).await.unwrap(), (6, server.local_addr().unwrap()));

        let gone = server.local_addr().unwrap();
        drop(server);
        viewer.send_to(b"hello?", gone).await.unwrap();
        assert_eq!(viewer.recv_from(&mut buf).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
