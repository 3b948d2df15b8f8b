//! The outer ring's socket: turmoil's, behind the link model.
//!
//! What the shells' loops send goes into one [`Link`] for each destination; a task of the host hands it to
//! turmoil when the link delivers it. turmoil itself is left as plain as it can be ([`network`]), because its
//! own loss breaks whole links. Timers have a resolution of a millisecond there, so a datagram is
//! received up to two milliseconds later than the link says, and never earlier.

#[cfg(not(tokio_unstable))]
compile_error!(
    "the feature `shells` needs `--cfg tokio_unstable`, else no seed fixes the order of a `select!`: \
     leave RUSTFLAGS unset so that .cargo/config.toml can set it, or switch the feature off"
);

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::{Rc, Weak};
use std::time::SystemTime;

use nalcast_core::{DatagramSocket, Rng, Timestamp};
use tokio::sync::Notify;
use turmoil::net::UdpSocket;

use crate::link::{Link, LinkConfig, LinkStats};

/// turmoil's clock step and its fixed latency; a shorter step delivers at wrong times.
const TICK: Duration = Duration::from_millis(1);
/// Datagrams that wait in a socket; the default of 64 loses the tail of a burst.
const RECEIVE_QUEUE_DATAGRAMS: usize = 4096;

/// A turmoil network that adds nothing of its own but a millisecond of latency, for `duration` at most.
#[must_use]
pub fn network(seed: u64, duration: Duration) -> turmoil::Builder {
    let mut builder = turmoil::Builder::new();
    builder
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH)
        .simulation_duration(duration)
        .tick_duration(TICK)
        .min_message_latency(TICK)
        .max_message_latency(TICK)
        .fail_rate(0.0)
        .udp_capacity(RECEIVE_QUEUE_DATAGRAMS);
    builder
}

/// The links out of one socket, shared with whoever injects faults; clones are the same links.
///
/// It is made outside the simulation and outlives crashes of the host. One socket uses it at a time: each
/// [`ImpairedSocket::bind`] starts with new links and new dice, under the faults that are set.
#[derive(Clone)]
pub struct Egress(Rc<EgressState>);

/// Sees what passes a socket.
type Observer = dyn Fn(Timestamp, Passing, SocketAddr, &[u8]);

/// Which way a datagram passes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// It is sent; what becomes of it is open.
    Out,
    /// It has arrived.
    In,
}

struct EgressState {
    seed: u64,
    initial: Box<dyn Fn(IpAddr) -> LinkConfig>,
    changed: RefCell<BTreeMap<IpAddr, LinkConfig>>,
    partitioned: RefCell<BTreeSet<IpAddr>>,
    binds: Cell<u64>,
    wire: RefCell<Weak<Wire>>,
    observer: RefCell<Option<Box<Observer>>>,
}

impl Egress {
    /// Links that start as `config` says for the host they lead to.
    pub fn new(seed: u64, config: impl Fn(IpAddr) -> LinkConfig + 'static) -> Self {
        Self(Rc::new(EgressState {
            seed,
            initial: Box::new(config),
            changed: RefCell::default(),
            partitioned: RefCell::default(),
            binds: Cell::new(0),
            wire: RefCell::default(),
            observer: RefCell::default(),
        }))
    }

    /// Shows each datagram of the sockets that use this to `observer`, with the address at its other end.
    pub fn observe(&self, observer: impl Fn(Timestamp, Passing, SocketAddr, &[u8]) + 'static) {
        *self.0.observer.borrow_mut() = Some(Box::new(observer));
    }

    fn passes(&self, way: Passing, peer: SocketAddr, datagram: &[u8]) {
        if let Some(observer) = &*self.0.observer.borrow() {
            observer(now(), way, peer, datagram);
        }
    }

    /// Changes the links to `host`, also those that are not there yet, at the next turn of the sending host.
    pub fn set_config(&self, host: IpAddr, config: LinkConfig) {
        self.0.changed.borrow_mut().insert(host, config);
        if let Some(wire) = self.0.wire.borrow().upgrade() {
            wire.changed.notify_one();
        }
    }

    /// Drops everything sent to `host` from now on, or lets it pass again. What is under way arrives.
    pub fn set_partitioned(&self, host: IpAddr, partitioned: bool) {
        let mut hosts = self.0.partitioned.borrow_mut();
        if partitioned {
            hosts.insert(host);
        } else {
            hosts.remove(&host);
        }
    }

    /// What became of the datagrams to `destination`, if a socket is bound and has sent any there.
    #[must_use]
    pub fn stats(&self, destination: SocketAddr) -> Option<LinkStats> {
        let wire = self.0.wire.borrow().upgrade()?;
        wire.links.borrow().get(&destination).map(Link::stats)
    }

    fn config(&self, host: IpAddr) -> LinkConfig {
        self.0.changed.borrow().get(&host).cloned().unwrap_or_else(|| (self.0.initial)(host))
    }

    /// The seed of a link depends on where it leads, not on the order in which links are first used.
    fn link_seed(&self, bind: u64, to: SocketAddr) -> u64 {
        let host = match to.ip() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64 ^ ip.to_bits() as u64,
        };
        Rng::new(self.0.seed).fork(bind).fork(host).fork(u64::from(to.port())).next_u64()
    }
}

/// A UDP socket of a simulated host whose datagrams pass the link model on their way out.
///
/// When it is dropped the socket stays bound until everything under way has arrived, as a network would go on
/// delivering; turmoil stops doing so when the host's software ends, so let that sleep for the links' delay.
pub struct ImpairedSocket {
    wire: Rc<Wire>,
}

/// What the socket and its delivering task share.
struct Wire {
    socket: UdpSocket,
    egress: Egress,
    bind: u64,
    links: RefCell<BTreeMap<SocketAddr, Link>>,
    changed: Notify,
    open: Cell<bool>,
}

impl ImpairedSocket {
    /// Binds to `local`, which must be unspecified or loopback, within a host of a turmoil simulation.
    ///
    /// # Errors
    /// When turmoil refuses the address, mostly because it is taken.
    pub async fn bind(local: SocketAddr, egress: &Egress) -> io::Result<Self> {
        let socket = UdpSocket::bind(local).await?;
        let bind = egress.0.binds.get();
        egress.0.binds.set(bind + 1);
        let wire = Rc::new(Wire {
            socket,
            egress: egress.clone(),
            bind,
            links: RefCell::default(),
            changed: Notify::new(),
            open: Cell::new(true),
        });
        *egress.0.wire.borrow_mut() = Rc::downgrade(&wire);
        tokio::task::spawn_local(deliver(Rc::clone(&wire)));
        Ok(Self { wire })
    }
}

impl Drop for ImpairedSocket {
    fn drop(&mut self) {
        self.wire.open.set(false);
        self.wire.changed.notify_one();
    }
}

impl DatagramSocket for ImpairedSocket {
    type Error = io::Error;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.wire.socket.local_addr()
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.wire.egress.passes(Passing::Out, to, datagram);
        self.wire.send(now(), datagram, to);
        Ok(())
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (len, from) = self.wire.socket.recv_from(buf).await?;
        self.wire.egress.passes(Passing::In, from, &buf[..len]);
        Ok((len, from))
    }

    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.wire.socket.try_recv_from(buf) {
            Ok((len, from)) => {
                self.wire.egress.passes(Passing::In, from, &buf[..len]);
                Ok(Some((len, from)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Delivers what the links let through, until the socket is closed and nothing is under way.
async fn deliver(wire: Rc<Wire>) {
    loop {
        let now = now();
        wire.apply_faults(now);
        match wire.deliver_due(now) {
            Some(at) => tokio::select! {
                biased;
                () = wire.changed.notified() => {}
                () = tokio::time::sleep(at - now) => {}
            },
            None if wire.open.get() => wire.changed.notified().await,
            None => return,
        }
    }
}

impl Wire {
    fn send(&self, now: Timestamp, datagram: &[u8], to: SocketAddr) {
        self.apply_faults(now);
        let mut links = self.links.borrow_mut();
        let link = links
            .entry(to)
            .or_insert_with(|| Link::new(self.egress.config(to.ip()), self.egress.link_seed(self.bind, to)));
        link.set_partitioned(self.egress.0.partitioned.borrow().contains(&to.ip()));
        link.send(now, datagram);
        self.changed.notify_one();
    }

    fn apply_faults(&self, now: Timestamp) {
        let changed = self.egress.0.changed.borrow();
        for (to, link) in self.links.borrow_mut().iter_mut() {
            if let Some(config) = changed.get(&to.ip()).filter(|config| *config != link.config()) {
                link.set_config(now, config.clone());
            }
        }
    }

    /// Hands what is due to turmoil; when the next datagram will be.
    fn deliver_due(&self, now: Timestamp) -> Option<Timestamp> {
        let mut links = self.links.borrow_mut();
        for (to, link) in links.iter_mut() {
            while let Some(datagram) = link.poll_deliver(now) {
                // The only error is a host that does not exist: to its sender, such a datagram is just lost.
                let _ = self.socket.try_send_to(&datagram, *to);
            }
        }
        links.values().filter_map(Link::poll_timeout).min()
    }
}

/// Virtual time since the simulation began: the same clock on every host, and across crashes.
fn now() -> Timestamp {
    let elapsed = turmoil::sim_elapsed().expect("an impaired socket lives in a host of a turmoil simulation");
    Timestamp::ZERO + elapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_every_bind_has_dice_of_its_own() {
        let seeds = |seed| {
            let egress = Egress::new(seed, |_| LinkConfig::default());
            let to = ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1", "[fe80::1]:1", "[fe80::2]:1", "[fe81::1]:1"];
            let links = to.into_iter().flat_map(|to| [(0, to), (1, to)]);
            links.map(|(bind, to)| egress.link_seed(bind, to.parse().unwrap())).collect::<BTreeSet<_>>()
        };
        assert_eq!(seeds(1).len(), 12);
        assert_eq!(seeds(1), seeds(1));
        assert!(seeds(1).is_disjoint(&seeds(2)));
    }
}
