//! The real UDP socket.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;

use nalcast_core::DatagramSocket;
use shell_common::net::{Bursts, open_udp};
use shell_common::udp::Udp;

/// A UDP socket of the operating system that talks to one server.
///
/// It is connected, because only then the system tells that nobody listens there (ICMP port unreachable).
#[derive(Debug)]
pub struct ViewerSocket {
    udp: Udp,
    server: SocketAddr,
}

impl ViewerSocket {
    /// Connects to `server`, which sends nothing. To be called inside a runtime.
    ///
    /// # Errors
    /// When this machine has no route to the server.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        let socket = open_udp(server, Bursts::In)?;
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        socket.bind(&SocketAddr::new(any, 0).into())?;
        socket.connect(&server.into())?;
        Ok(Self { udp: Udp::new(socket)?, server })
    }
}

/// The address that datagrams to `server` leave from, as the system sees it now. Nothing is sent.
fn route_to(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(server)?;
    Ok(socket.local_addr()?.ip())
}

impl DatagramSocket for ViewerSocket {
    type Error = io::Error;

    fn follow_route(&self) {
        // Without a route there is nothing to follow: the network may be on its way from one to another.
        let Ok(now) = route_to(self.server) else { return };
        if self.local_addr().is_ok_and(|local| local.ip() == now) {
            return;
        }
        match self.udp.reconnect(self.server) {
            Ok(()) => tracing::info!("the way to the server begins at {now} now"),
            Err(error) => tracing::debug!(%error, "cannot leave from {now}"),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        debug_assert_eq!(to, self.server, "a viewer talks to its server only");
        self.udp.send_connected(datagram).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (len, _) = self.udp.recv_from(buf).await?;
        Ok((len, self.server))
    }

    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        Ok(self.udp.try_recv_from(buf)?.map(|(len, _)| (len, self.server)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::net::UdpSocket;

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

    #[tokio::test]
    async fn stays_where_it_is_while_the_route_does_and_can_be_connected_anew() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let viewer = ViewerSocket::connect(address).unwrap();
        let before = viewer.local_addr().unwrap();
        viewer.follow_route();
        assert_eq!(viewer.local_addr().unwrap(), before);
        viewer.udp.reconnect(address).unwrap();
        viewer.send_to(b"hello", address).await.unwrap();
        let mut buf = [0; 16];
        let (len, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!((len, from), (5, viewer.local_addr().unwrap()));
        server.send_to(b"again", from).await.unwrap();
        assert_eq!(viewer.recv_from(&mut buf).await.unwrap(), (5, address));
    }
}
