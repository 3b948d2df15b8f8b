//! The operating system's UDP socket as both shells use it.
//!
//! quinn-udp makes it one whose datagrams are never fragmented, so that one which is too large for a path is lost and
//! the core learns what fits. It also sends a burst by one system call, and receives one so, where the system can.

use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use std::io::{self, ErrorKind, IoSliceMut};

use nalcast_core::Transmit;
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::socket::Refused;
use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::net::without_waiting;

/// The most that one system call brings: what the length field of UDP can say, also for a burst that the kernel joined.
const RECEIVE_BYTES: usize = 1 << 16;
/// So the kernel takes every burst of the core at once: it sees one datagram that is cut late.
const _: () = assert!(BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX < 65_000);

/// A bound UDP socket. Addresses are canonical on both sides: an IPv4 peer of an IPv6 socket has its IPv4 address.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    is_ipv6: bool,
    received: RefCell<Received>,
}

impl Udp {
    /// Takes over a socket that is bound. To be called inside a runtime.
    ///
    /// # Errors
    /// When the system refuses an option that every one has.
    pub fn new(socket: socket2::Socket) -> io::Result<Self> {
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        if state.may_fragment() {
            tracing::debug!("this system cannot be kept from fragmenting datagrams");
        }
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        Ok(Self { socket, state, is_ipv6, received: RefCell::default() })
    }

    /// The address this socket is bound to.
    ///
    /// # Errors
    /// When the socket no longer knows it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr().map(canonical)
    }

    /// Sends all datagrams of a request, with as few system calls as possible.
    ///
    /// # Errors
    /// [`Refused`] tells how many the system did not take.
    pub async fn send(&self, transmit: &Transmit, buf: &[u8]) -> Result<(), Refused<io::Error>> {
        let size = transmit.segment_size.unwrap_or(transmit.len).max(1);
        let mut rest = buf.get(..transmit.len).unwrap_or_default();
        let mut refused = None;
        while !rest.is_empty() {
            let at_once = self.state.max_gso_segments();
            let (batch, later) = rest.split_at(rest.len().min(size * at_once));
            match self.send_batch(batch, size, transmit.destination).await {
                Ok(()) => {}
                // A network card turned out not to be able to, which quinn-udp took down: now one by one.
                Err(_) if self.state.max_gso_segments() < at_once => continue,
                Err(error) => Refused::note(&mut refused, batch.len().div_ceil(size) as u64, error),
            }
            rest = later;
        }
        refused.map_or(Ok(()), Err)
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// When the system did not take it.
    pub async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.send_batch(datagram, datagram.len(), to).await
    }

    /// Sends datagrams of `size` bytes, but for the last, by one system call.
    async fn send_batch(&self, batch: &[u8], size: usize, to: SocketAddr) -> io::Result<()> {
        if to.port() == 0 {
            // Anybody can send from that port. The system's refusal would make quinn-udp blame segmentation and end it.
            return Err(ErrorKind::InvalidInput.into());
        }
        let transmit = quinn_udp::Transmit {
            destination: if self.is_ipv6 { mapped(to) } else { to },
            ecn: None,
            contents: batch,
            segment_size: Some(size),
            src_ip: None,
        };
        self.socket.async_io(Interest::WRITABLE, || self.state.try_send((&self.socket).into(), &transmit)).await
    }

    /// Sends one datagram to the peer that this socket is connected to: some systems refuse to be told an address then.
    ///
    /// # Errors
    /// When the system did not take it, also because of what ICMP said about an earlier one.
    pub async fn send_connected(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram).await.map(drop)
    }

    /// Connects to the peer anew, which gives the socket the address, and the port, that the system would choose now.
    ///
    /// # Errors
    /// When there is no way to the peer at present, or the system cannot do this.
    #[cfg(unix)]
    pub fn reconnect(&self, to: SocketAddr) -> io::Result<()> {
        // Only a socket that is not connected is given another address.
        rustix::net::connect_unspec(&self.socket)?;
        Ok(rustix::net::connect(&self.socket, &to)?)
    }

    /// Connects to the peer anew.
    ///
    /// # Errors
    /// Always: this system has no such thing.
    #[cfg(not(unix))]
    pub fn reconnect(&self, _to: SocketAddr) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Waits for one datagram: its length in `buf`, which cuts off what is longer, and its sender.
    ///
    /// # Errors
    /// When the system says so, also because of what ICMP said about an earlier send.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        if let Some(datagram) = self.received.borrow_mut().take(buf) {
            return Ok(datagram);
        }
        self.socket.async_io(Interest::READABLE, || self.receive(buf)).await
    }

    /// One more datagram if it is there already.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        if let Some(datagram) = self.received.borrow_mut().take(buf) {
            return Ok(Some(datagram));
        }
        without_waiting(self.socket.try_io(Interest::READABLE, || self.receive(buf)))
    }

    /// Asks the system, once everything that it brought before was taken.
    fn receive(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut received = self.received.borrow_mut();
        let mut meta = [RecvMeta::default()];
        let room = &mut [IoSliceMut::new(&mut received.bytes)];
        self.state.recv((&self.socket).into(), room, &mut meta)?;
        let [meta] = meta;
        received.unread = 0..meta.len;
        received.size = meta.stride;
        received.from = canonical(meta.addr);
        // An empty datagram is one, too.
        Ok(received.take(buf).unwrap_or((0, received.from)))
    }
}

/// What the last system call brought: datagrams of one sender, all of `size` bytes but for the last.
#[derive(Debug)]
struct Received {
    bytes: Box<[u8]>,
    unread: Range<usize>,
    size: usize,
    from: SocketAddr,
}

impl Default for Received {
    fn default() -> Self {
        let nobody = SocketAddr::from(([0; 4], 0));
        Self { bytes: vec![0; RECEIVE_BYTES].into(), unread: 0..0, size: 0, from: nobody }
    }
}

impl Received {
    fn take(&mut self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let unread = self.bytes.get(self.unread.clone()).filter(|unread| !unread.is_empty())?;
        let datagram = unread.chunks(self.size.max(1)).next()?;
        self.unread.start += datagram.len();
        let len = datagram.len().min(buf.len());
        buf.get_mut(..len)?.copy_from_slice(datagram.get(..len)?);
        Some((len, self.from))
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        // As it is, for a link-local address is of no use without its scope.
        IpAddr::V6(_) => address,
    }
}

/// How an IPv6 socket calls an IPv4 peer.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::net::{Bursts, open_udp};

    const LOCALHOST: &str = "127.0.0.1:0";
    const LOCALHOST_IPV6: &str = "[::1]:0";
    /// Far longer than anything takes, so that a hang becomes a failure.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Nothing, and a word about it, for an IPv6 address on a machine that has no IPv6.
    fn bound(address: &str) -> Option<Udp> {
        let address: SocketAddr = address.parse().unwrap();
        let bind = || {
            let socket = open_udp(address, Bursts::InAndOut)?;
            socket.bind(&address.into())?;
            Udp::new(socket)
        };
        match bind() {
            Err(error) if address.is_ipv6() => {
                println!("skipped: no IPv6 on this machine ({error})");
                None
            }
            bound => Some(bound.unwrap()),
        }
    }

    fn burst(to: SocketAddr, len: usize, size: usize) -> (Transmit, Vec<u8>) {
        let bytes = (0..len).map(|at| (at / size) as u8).collect();
        (Transmit { destination: to, len, segment_size: Some(size) }, bytes)
    }

    /// Takes in what `burst` made, datagram by datagram.
    async fn expect_burst(receiver: &Udp, from: SocketAddr, len: usize, size: usize) {
        let mut buf = [0; DATAGRAM_BYTES_MAX];
        for (number, expected) in vec![0; len].chunks(size).enumerate() {
            let received = timeout(PATIENCE, receiver.recv_from(&mut buf)).await.expect("it does not arrive");
            assert_eq!(received.unwrap(), (expected.len(), from), "datagram {number}");
            assert!(buf[..expected.len()].iter().all(|byte| usize::from(*byte) == number), "datagram {number}");
        }
        assert_eq!(receiver.try_recv_from(&mut buf).unwrap(), None);
    }

    #[test]
    fn an_ipv4_address_has_one_form_on_each_side() {
        let table = [
            ("192.0.2.1:5", "[::ffff:192.0.2.1]:5"),
            ("[2001:db8::1]:5", "[2001:db8::1]:5"),
            ("[fe80::1%3]:5", "[fe80::1%3]:5"),
        ];
        for (ours, sockets) in table {
            let (ours, sockets): (SocketAddr, SocketAddr) = (ours.parse().unwrap(), sockets.parse().unwrap());
            assert_eq!((mapped(ours), canonical(sockets)), (sockets, ours));
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_system_is_told_never_to_fragment() {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover};
        for address in [LOCALHOST, LOCALHOST_IPV6] {
            let Some(udp) = bound(address) else { continue };
            assert!(!udp.state.may_fragment());
            // On an IPv6 socket too, for its IPv4 peers.
            assert_eq!(ip_mtu_discover(&udp.socket).unwrap(), Ipv4PathMtuDiscovery::PROBE);
            if udp.is_ipv6 {
                assert_eq!(ipv6_mtu_discover(&udp.socket).unwrap(), Ipv6PathMtuDiscovery::PROBE);
            }
        }
    }

    /// The loopback interface takes 65536 bytes: a little more than UDP over IPv4 can have, less than over IPv6.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_too_large_is_refused_and_only_that() {
        for (address, size) in [(LOCALHOST, 65_508), (LOCALHOST_IPV6, 65_500)] {
            let (Some(a), Some(b)) = (bound(address), bound(address)) else { continue };
            let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
            let segments = a.state.max_gso_segments();
            let (transmit, bytes) = burst(to, size, size);
            let refused = a.send(&transmit, &bytes).await.unwrap_err();
            assert!(quinn_udp::is_msg_size_err(&refused.error), "{:?}", refused.error);
            assert_eq!(refused.datagrams, 1);
            let (transmit, bytes) = burst(to, 5_000, 1_200);
            a.send(&transmit, &bytes).await.unwrap();
            expect_burst(&b, from, 5_000, 1_200).await;
            assert_eq!(a.state.max_gso_segments(), segments, "a burst is one system call as before");
        }
        // So it is the option that refuses: this one cuts it in two.
        if let Some(receiver) = bound(LOCALHOST_IPV6) {
            let plain = std::net::UdpSocket::bind(LOCALHOST_IPV6).unwrap();
            plain.send_to(&[0; 65_500], receiver.local_addr().unwrap()).unwrap();
        }
    }

    #[tokio::test]
    async fn a_burst_arrives_whole_by_one_system_call_out_and_one_in() {
        let (a, b) = (bound(LOCALHOST).unwrap(), bound(LOCALHOST).unwrap());
        let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        let (len, size) = (BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX - 1_000, DATAGRAM_BYTES_MAX);
        let (transmit, bytes) = burst(to, len, size);
        a.send(&transmit, &bytes).await.unwrap();
        expect_burst(&b, from, len, size).await;

        a.send(&transmit, &bytes).await.unwrap();
        b.recv_from(&mut []).await.unwrap();
        let is_able =
            a.state.max_gso_segments() >= BURST_DATAGRAMS_MAX && b.state.gro_segments() >= BURST_DATAGRAMS_MAX;
        assert_eq!(b.received.borrow().unread.len(), if is_able { len - size } else { 0 });
    }

    #[tokio::test]
    async fn a_burst_arrives_whole_where_the_system_cannot_cut_it() {
        let (a, b) = (bound(LOCALHOST).unwrap(), bound(LOCALHOST).unwrap());
        let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        // What quinn-udp takes for a card that cannot.
        let nowhere = SocketAddr::new(to.ip(), 0);
        let wrong =
            quinn_udp::Transmit { destination: nowhere, ecn: None, contents: b"?", segment_size: None, src_ip: None };
        a.state.try_send((&a.socket).into(), &wrong).unwrap_err();
        assert_eq!(a.state.max_gso_segments(), 1);
        let (transmit, bytes) = burst(to, 9_999, 1_200);
        a.send(&transmit, &bytes).await.unwrap();
        expect_burst(&b, from, 9_999, 1_200).await;
        a.send(&transmit, &bytes).await.unwrap();
        b.recv_from(&mut []).await.unwrap();
        assert!(b.received.borrow().unread.is_empty(), "each datagram is a system call of its own");
    }

    #[tokio::test]
    async fn a_peer_without_a_port_ends_no_segmentation() {
        let udp = bound(LOCALHOST).unwrap();
        let segments = udp.state.max_gso_segments();
        let (transmit, bytes) = burst("127.0.0.1:0".parse().unwrap(), 5_000, 1_200);
        let refused = udp.send(&transmit, &bytes).await.unwrap_err();
        assert_eq!((refused.datagrams, refused.error.kind()), (5, ErrorKind::InvalidInput));
        assert_eq!(udp.state.max_gso_segments(), segments);
    }

    #[tokio::test]
    async fn the_length_of_a_datagram_is_anybodys_choice() {
        let (a, b) = (bound(LOCALHOST).unwrap(), bound(LOCALHOST).unwrap());
        let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        for len in [0, 1, 16, 17, 65_507] {
            a.send_to(&vec![7; len], to).await.unwrap();
            let mut buf = [0; 16];
            let received = timeout(PATIENCE, b.recv_from(&mut buf)).await.expect("it does not arrive");
            assert_eq!(received.unwrap(), (len.min(16), from), "{len}");
            assert!(buf.iter().take(len).all(|byte| *byte == 7), "{len}");
            assert_eq!(b.try_recv_from(&mut buf).unwrap(), None, "{len}");
        }
    }
}
