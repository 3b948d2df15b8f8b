//! The real UDP socket.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io::{self, ErrorKind};

use nalcast_core::socket::Refused;
use nalcast_core::{DatagramSocket, Transmit};
use shell_common::net::{Bursts, open_udp};
use shell_common::udp::Udp;

/// A UDP socket of the operating system that talks to many viewers.
#[derive(Debug)]
pub struct ServerSocket {
    udp: Udp,
}

impl ServerSocket {
    /// Binds to `address`. The unspecified IPv6 address is every address of this machine, the IPv4 ones too, and still
    /// those where there is no IPv6. To be called inside a runtime.
    ///
    /// # Errors
    /// When the address is taken, or is not one of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        bind_everywhere(address, Self::bind_exactly)
    }

    fn bind_exactly(address: SocketAddr) -> io::Result<Self> {
        let socket = open_udp(address, Bursts::InAndOut)?;
        if address.is_ipv6() {
            // Some systems do not by themselves, and some administrators turn it around.
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        Ok(Self { udp: Udp::new(socket)? })
    }
}

/// Binds with `bind`, to every IPv4 address where every address of both families was meant and IPv6 is missing.
fn bind_everywhere<T>(address: SocketAddr, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    match bind(address) {
        // A port that is taken is taken: half a server would be no help.
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != ErrorKind::AddrInUse => {
            let socket = bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))?;
            tracing::info!("IPv6 cannot be used here ({error}): viewers are served over IPv4");
            Ok(socket)
        }
        bound => bound,
    }
}

impl DatagramSocket for ServerSocket {
    type Error = io::Error;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.udp.send_to(datagram, to).await
    }

    async fn send(&self, transmit: &Transmit, buf: &[u8]) -> Result<(), Refused<io::Error>> {
        self.udp.send(transmit, buf).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.udp.recv_from(buf).await
    }

    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        self.udp.try_recv_from(buf)
    }
}

/// Addresses that are reserved for documentation (RFC 5737, RFC 3849) are routed as any other outside.
const OUTSIDE_IPV4: (&str, &str) = ("0.0.0.0:0", "192.0.2.1:9");
const OUTSIDE_IPV6: (&str, &str) = ("[::]:0", "[2001:db8::1]:9");

/// The address at which viewers reach a socket bound to `local`: where that is every address, the one that this
/// machine would use towards the outside, or loopback if there is no outside. Nothing is sent.
#[must_use]
pub fn reachable_address(local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    // IPv4 first: it is shorter to type, and more networks have it.
    let used = used_towards(OUTSIDE_IPV4).or_else(|_| match local {
        SocketAddr::V4(_) => Ok(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(_) => used_towards(OUTSIDE_IPV6),
    });
    SocketAddr::new(used.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), local.port())
}

/// Which of this machine's addresses datagrams towards `outside` would leave from.
fn used_towards((any, outside): (&str, &str)) -> io::Result<IpAddr> {
    let probe = std::net::UdpSocket::bind(any)?;
    probe.connect(outside)?;
    probe.local_addr().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

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

    /// Far longer than anything takes, so that a hang becomes a failure.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Each viewer is known by the address that it has itself, and is answered there.
    #[tokio::test]
    async fn one_socket_serves_viewers_of_both_families() {
        let server = ServerSocket::bind("[::]:0".parse().unwrap()).unwrap();
        let port = server.local_addr().unwrap().port();
        for host in ["127.0.0.1", "::1"] {
            let host: IpAddr = host.parse().unwrap();
            let viewer = match std::net::UdpSocket::bind((host, 0)) {
                Err(error) if host.is_ipv6() => return println!("skipped: no IPv6 on this machine ({error})"),
                viewer => viewer.unwrap(),
            };
            viewer.set_read_timeout(Some(PATIENCE)).unwrap();
            viewer.connect((host, port)).unwrap();
            viewer.send(b"hello").unwrap();
            let mut buf = [0; 16];
            let received = tokio::time::timeout(PATIENCE, server.recv_from(&mut buf)).await;
            let (len, from) = received.expect("it does not arrive").unwrap();
            assert_eq!((&buf[..len], from), (&b"hello"[..], viewer.local_addr().unwrap()));

            server.send_to(b"one", from).await.unwrap();
            let transmit = Transmit { destination: from, len: 10, segment_size: Some(4) };
            server.send(&transmit, b"two,three,...").await.unwrap();
            for expected in ["one", "two,", "thre", "e,"] {
                let len = viewer.recv(&mut buf).unwrap();
                assert_eq!(&buf[..len], expected.as_bytes());
            }
        }
    }

    #[test]
    fn every_address_is_every_ipv4_address_where_there_is_no_ipv6() {
        let bind = |asked: &str, failure: ErrorKind| {
            let bind = |address: SocketAddr| match address {
                SocketAddr::V4(_) => Ok(address.to_string()),
                SocketAddr::V6(_) => Err(failure.into()),
            };
            bind_everywhere(asked.parse().unwrap(), bind).map_err(|error| error.kind())
        };
        let missing = ErrorKind::Unsupported;
        assert_eq!(bind("[::]:4600", missing), Ok("0.0.0.0:4600".to_owned()));
        // Not where an address is asked for by its name, nor where another program has the port.
        assert_eq!(bind("[::1]:4600", missing), Err(missing));
        assert_eq!(bind("[::]:4600", ErrorKind::AddrInUse), Err(ErrorKind::AddrInUse));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_in_one_family_is_taken() {
        let first = ServerSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let everywhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), first.local_addr().unwrap().port());
        assert_eq!(ServerSocket::bind(everywhere).unwrap_err().kind(), ErrorKind::AddrInUse);
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
