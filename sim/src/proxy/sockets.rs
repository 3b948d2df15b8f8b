//! The relay on real sockets: one that viewers send to, one towards the server for each of them.
//!
//! Every socket has a thread that waits for it, and one thread more hands on what is due. That one sleeps until shortly
//! before and then looks at the clock without a pause: a sleep alone ends a timer's slack and a scheduler's delay late.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use nalcast_core::Timestamp;
use shell_common::net::{Bursts, open_udp};

use super::timing::Samples;
use super::{Delivery, Relay, Report, Way, timestamp};

/// How long before its time a sleep ends: more than what timers and the scheduler are usually late.
const AWAKE_BEFORE: Duration = Duration::from_micros(250);
/// What a datagram can have.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;
/// How long a socket that keeps failing is left alone.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(1);

/// A proxy that runs until the process ends.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    viewers: UdpSocket,
    started: Instant,
    state: Mutex<State>,
    /// Something is due before the time that the delivering thread sleeps until.
    sooner: Condvar,
    /// When the next datagram is due, for who looks at the clock without holding the lock; microseconds.
    due_us: AtomicU64,
}

#[derive(Debug)]
struct State {
    relay: Relay,
    /// Towards the server, by viewer.
    upstreams: Vec<Arc<UdpSocket>>,
    samples: Samples,
}

impl Proxy {
    /// Takes viewers at `listen` and passes them to `server`, as `relay` says.
    ///
    /// # Errors
    /// When the system gives no socket at that address, or no thread.
    pub fn start(listen: SocketAddr, server: SocketAddr, relay: Relay) -> io::Result<Self> {
        let viewers = blocking_socket(listen)?;
        let shared = Arc::new(Shared {
            server,
            viewers,
            started: Instant::now(),
            state: Mutex::new(State { relay, upstreams: Vec::new(), samples: Samples::default() }),
            sooner: Condvar::new(),
            due_us: AtomicU64::new(u64::MAX),
        });
        let (listening, delivering) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::Builder::new().name("viewers".to_owned()).spawn(move || listening.take_from_viewers())?;
        thread::Builder::new().name("deliver".to_owned()).spawn(move || delivering.deliver())?;
        Ok(Self { shared })
    }

    /// Where viewers are taken.
    ///
    /// # Errors
    /// When the socket does not know.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.viewers.local_addr()
    }

    /// What happened so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.shared.lock();
        let sockets = state.upstreams.iter().map(|socket| socket.local_addr()).chain([self.local_addr()]);
        let ports = sockets.filter_map(|address| Some(address.ok()?.port())).collect();
        Report { counts: state.relay.counts(), lateness: state.samples.summary(), overrun: overrun(&ports) }
    }
}

impl Shared {
    fn take_from_viewers(self: Arc<Self>) {
        let mut buf = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let Ok((len, from)) = self.viewers.recv_from(&mut buf) else {
                thread::sleep(PAUSE_AFTER_ERROR);
                continue;
            };
            let mut state = self.lock();
            let Some((viewer, is_new)) = state.relay.viewer(from) else { continue };
            if is_new && let Err(error) = self.add_upstream(&mut state, viewer) {
                tracing::error!("no socket for the viewer at {from}: {error}");
                std::process::exit(1);
            }
            self.send(state, viewer, Way::Up, &buf[..len]);
        }
    }

    fn add_upstream(self: &Arc<Self>, state: &mut State, viewer: usize) -> io::Result<()> {
        let any = SocketAddr::new(unspecified_like(self.server), 0);
        let upstream = Arc::new(blocking_socket(any)?);
        upstream.connect(self.server)?;
        state.upstreams.push(Arc::clone(&upstream));
        let shared = Arc::clone(self);
        let name = format!("server-{viewer}");
        thread::Builder::new().name(name).spawn(move || shared.take_from_server(viewer, &upstream)).map(drop)
    }

    fn take_from_server(&self, viewer: usize, upstream: &UdpSocket) {
        let mut buf = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            // Mostly what ICMP says of a server that is not there yet, or no longer.
            match upstream.recv(&mut buf) {
                Ok(len) => self.send(self.lock(), viewer, Way::Down, &buf[..len]),
                Err(_) => thread::sleep(PAUSE_AFTER_ERROR),
            }
        }
    }

    fn send(&self, mut state: MutexGuard<'_, State>, viewer: usize, way: Way, datagram: &[u8]) {
        // Under the lock, because the relay's time does not run backwards.
        let now = self.now();
        state.relay.send(now, viewer, way, datagram);
        let due_us = state.relay.poll_timeout().map_or(u64::MAX, Timestamp::as_micros);
        if self.due_us.swap(due_us, Ordering::SeqCst) > due_us {
            self.sooner.notify_one();
        }
    }

    /// Hands on what is due, for ever.
    fn deliver(&self) {
        let mut state = self.lock();
        loop {
            let now = self.now();
            while let Some(delivery) = state.relay.poll_deliver(now) {
                self.hand_on(&mut state, &delivery);
            }
            let due = state.relay.poll_timeout();
            self.due_us.store(due.map_or(u64::MAX, Timestamp::as_micros), Ordering::SeqCst);
            let wait = due.map(|due| due - self.now());
            state = match wait {
                None => self.sooner.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(wait) if wait > AWAKE_BEFORE => {
                    self.sooner.wait_timeout(state, wait - AWAKE_BEFORE).unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    drop(state);
                    while self.now().as_micros() < self.due_us.load(Ordering::SeqCst) {
                        core::hint::spin_loop();
                    }
                    self.lock()
                }
            };
        }
    }

    fn hand_on(&self, state: &mut State, delivery: &Delivery) {
        let &Delivery { viewer, way, ref bytes, due } = delivery;
        // What the system refuses is lost, as on any path.
        let _ = match way {
            Way::Down => state.relay.address(viewer).map(|to| self.viewers.send_to(bytes, to)),
            Way::Up => state.upstreams.get(viewer).map(|upstream| upstream.send(bytes)),
        };
        state.samples.add(self.now() - due);
    }

    fn now(&self) -> Timestamp {
        timestamp(self.started.elapsed())
    }

    /// A thread that failed has said so; what the lock guards is valid at any time.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn blocking_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open_udp(address, Bursts::InAndOut)?;
    socket.set_nonblocking(false)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

const fn unspecified_like(address: SocketAddr) -> core::net::IpAddr {
    match address {
        SocketAddr::V4(_) => core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => core::net::IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED),
    }
}

/// Datagrams that the system dropped at the UDP sockets with these ports, where it keeps such a list (Linux, proc(5)).
fn overrun(ports: &BTreeSet<u16>) -> Option<u64> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|path| fs::read_to_string(path).ok());
    tables.iter().flatten().map(|table| dropped(table, ports)).reduce(|a, b| a + b)
}

/// The last column of the lines whose local port is one of these.
fn dropped(table: &str, ports: &BTreeSet<u16>) -> u64 {
    let of_line = |line: &str| {
        let local = line.split_whitespace().nth(1)?;
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        if ports.contains(&port) { line.split_whitespace().next_back()?.parse::<u64>().ok() } else { None }
    };
    table.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_table_is_read_by_port() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20  1: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91 2 0000 7\n\
            \x20  2: 0100007F:1F91 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 92 2 0000 5\n";
        for (ports, wanted) in [(&[0x1f90][..], 7), (&[0x1f90, 0x1f91], 12), (&[1], 0)] {
            assert_eq!(dropped(table, &ports.iter().copied().collect()), wanted);
        }
    }
}
