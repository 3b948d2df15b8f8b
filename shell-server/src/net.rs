//! The real UDP socket.

use core::net::SocketAddr;
use std::io::{self, ErrorKind};

use nalcast_core::DatagramSocket;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Room asked of the kernel: a key frame for each of many viewers out, the reports of all of them in.
const BUFFER_BYTES: usize = 4 << 20;
/// With less than this, bursts are likely to be lost inside this machine.
const BUFFER_BYTES_WANTED_MIN: usize = 256 << 10;

/// A UDP socket of the operating system that talks to many viewers.
#[derive(Debug)]
pub struct ServerSocket {
    socket: UdpSocket,
}

impl ServerSocket {
    /// Binds to `address`; the unspecified IPv6 address serves IPv4 viewers too. To be called inside a runtime.
    ///
    /// # Errors
    /// When the address is taken, or is not one of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        enlarge_buffers(&socket);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())? })
    }
}

/// Less room than asked for is no failure.
fn enlarge_buffers(socket: &Socket) {
    let asked = socket.set_send_buffer_size(BUFFER_BYTES).and_then(|()| socket.set_recv_buffer_size(BUFFER_BYTES));
    let granted = socket.send_buffer_size().and_then(|send| Ok(send.min(socket.recv_buffer_size()?)));
    match asked.and(granted) {
        Ok(bytes) if bytes >= BUFFER_BYTES_WANTED_MIN => tracing::debug!(bytes, "UDP buffers"),
        Ok(bytes) => tracing::warn!(
            "the system grants UDP buffers of {} KiB only, so bursts may be lost; raise net.core.wmem_max and rmem_max",
            bytes >> 10
        ),
        Err(error) => tracing::warn!("cannot enlarge the UDP buffers ({error}): bursts may be lost"),
    }
}

impl DatagramSocket for ServerSocket {
    type Error = io::Error;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, to).await.map(drop)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buf).await
    }

    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.socket.try_recv_from(buf) {
            Ok(received) => Ok(Some(received)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The address at which viewers reach a socket bound to `local`: where that is every address, the one that this
/// machine would use towards the outside, or loopback if there is no outside. Nothing is sent.
#[must_use]
pub fn reachable_address(local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    // An address that is reserved for documentation (RFC 5737) is routed as any other outside.
    let towards_outside = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|probe| {
        probe.connect("192.0.2.1:9")?;
        probe.local_addr()
    });
    let ip = towards_outside.map_or_else(|_| core::net::Ipv4Addr::LOCALHOST.into(), |address| address.ip());
    SocketAddr::new(ip, local.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn carries_datagrams_over_both_families() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let address: SocketAddr = address.parse().unwrap();
            // A machine may lack IPv6.
            let (Ok(a), Ok(b)) = (ServerSocket::bind(address), ServerSocket::bind(address)) else {
                assert!(address.is_ipv6());
                continue;
            };
            let mut buf = [0; 16];
            assert_eq!(b.try_recv_from(&mut buf).unwrap(), None);
            a.send_to(b"hello", b.local_addr().unwrap()).await.unwrap();
            assert_eq!(b.recv_from(&mut buf).await.unwrap(), (5, a.local_addr().unwrap()));
            assert_eq!(&buf[..5], b"hello");
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error() {
        let first = ServerSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let second = ServerSocket::bind(first.local_addr().unwrap());
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn a_viewer_is_never_sent_to_an_unspecified_address() {
        let named: SocketAddr = "127.0.0.1:4600".parse().unwrap();
        assert_eq!(reachable_address(named), named);
        for everywhere in ["0.0.0.0:4600", "[::]:4600"] {
            let reachable = reachable_address(everywhere.parse().unwrap());
            assert!(!reachable.ip().is_unspecified() && reachable.port() == 4600, "{reachable}");
        }
    }
}
