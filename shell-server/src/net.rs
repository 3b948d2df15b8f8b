//! The real UDP socket.

use core::net::SocketAddr;
use std::io;

use nalcast_core::DatagramSocket;
use shell_common::net::{Bursts, open_udp, without_waiting};
use tokio::net::UdpSocket;

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
        let socket = open_udp(address, Bursts::InAndOut)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())? })
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
        without_waiting(self.socket.try_recv_from(buf))
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
    use std::io::ErrorKind;

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
