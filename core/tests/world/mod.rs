//! A server, its viewers and a link in virtual time: jumps from deadline to deadline, and checks after every step
//! what must always hold.
#![allow(dead_code, reason = "each binary that includes this file uses a part of it")]

pub(crate) mod look;
pub(crate) mod ops;
pub(crate) mod oracle;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use nalcast_core::limits::{self, BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_BASE, DATAGRAM_BYTES_MAX};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent};
use nalcast_core::send::{AccessUnitRefused, Recovery, References, Server, ServerConfig, ServerEvent};
use nalcast_core::{Timestamp, Transmit};

pub(crate) use super::plain::{Plain, PlainSeal};

pub(crate) use oracle::{Kind, Oracle, Source, unit};

/// Outputs that one input may bring forth, to each viewer: a burst, a control datagram, a handshake answer, and a
/// few small frames that pacing lets leave together.
const OUTPUTS_PER_VIEWER_MAX: usize = 16;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) viewer: usize,
    pub(crate) to_server: bool,
    pub(crate) sent: Timestamp,
    pub(crate) bytes: Vec<u8>,
}

/// What becomes of a datagram: one copy arrives for each entry, so much later than the link's delay.
pub(crate) type Fate = Box<dyn FnMut(&mut Datagram) -> Vec<Duration>>;

pub(crate) struct Viewer {
    pub(crate) address: SocketAddr,
    /// Where it was before: nothing that is sent there arrives.
    pub(crate) left: Vec<SocketAddr>,
    pub(crate) client: Client<Plain>,
    pub(crate) events: Vec<(Timestamp, ClientEvent)>,
    /// How far its clock is ahead of the server's.
    pub(crate) clock_ahead: Duration,
    pub(crate) oracle: Oracle,
    /// Whether it shows each picture at once.
    pub(crate) shows: bool,
}

pub(crate) struct World {
    config: ServerConfig,
    pub(crate) now: Timestamp,
    pub(crate) server: Server<Plain>,
    pub(crate) server_events: Vec<(Timestamp, ServerEvent)>,
    pub(crate) viewers: Vec<Viewer>,
    pub(crate) source: Source,
    pub(crate) delay: Duration,
    pub(crate) fate: Fate,
    /// Whether viewers that join show pictures evenly.
    pub(crate) smooth: bool,
    /// How long after their capture viewers that join show pictures at the latest, if they say so.
    pub(crate) budget: Option<Duration>,
    /// Larger datagrams do not pass.
    pub(crate) mtu: usize,
    /// Addresses that somebody borrowed, and the bytes that the server sent there.
    pub(crate) strangers: BTreeMap<SocketAddr, usize>,
    /// Every datagram as it was sent.
    pub(crate) log: Vec<Datagram>,
    in_flight: BTreeMap<(Timestamp, u64), Datagram>,
    sequence: u64,
    buf: Vec<u8>,
}

pub(crate) fn server_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 9000))
}

pub(crate) fn server_config() -> ServerConfig {
    ServerConfig { codec: Codec::H264, fps: 30, recovery: Recovery::KeyFrames, viewers_max: 64, pairing: false }
}

impl World {
    pub(crate) fn new(config: ServerConfig, delay: Duration) -> Self {
        Self::starting_at(Timestamp::from_millis(1_000), config, delay)
    }

    pub(crate) fn starting_at(now: Timestamp, config: ServerConfig, delay: Duration) -> Self {
        Self {
            now,
            server: Server::new(config.clone(), Plain, [7; 32], now),
            config,
            server_events: Vec::new(),
            viewers: Vec::new(),
            source: Source::default(),
            delay,
            fate: Box::new(|_| vec![Duration::ZERO]),
            smooth: false,
            budget: None,
            mtu: DATAGRAM_BYTES_BASE,
            strangers: BTreeMap::new(),
            log: Vec::new(),
            in_flight: BTreeMap::new(),
            sequence: 0,
            buf: vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX],
        }
    }

    /// A viewer in a network of its own that starts to connect now; its index.
    pub(crate) fn join(&mut self) -> usize {
        let number = u8::try_from(self.viewers.len()).expect("few viewers");
        self.join_from(SocketAddr::from(([10, 1, number, 1], 5000)), Duration::ZERO)
    }

    pub(crate) fn join_from(&mut self, address: SocketAddr, clock_ahead: Duration) -> usize {
        let index = self.viewers.len();
        let config = ClientConfig { server: server_address(), budget: self.budget, smooth: self.smooth, code: None };
        let client = Client::new(config, Plain, seed(index), self.now + clock_ahead);
        let events = Vec::new();
        self.viewers.push(Viewer {
            address,
            left: Vec::new(),
            client,
            events,
            clock_ahead,
            oracle: Oracle::default(),
            shows: true,
        });
        self.drain_viewer(index);
        index
    }

    /// The source makes an access unit now.
    pub(crate) fn feed(&mut self, kind: Kind, len: usize) -> u64 {
        self.try_feed(unit(kind, self.source.units(), len)).expect("the server takes it")
    }

    pub(crate) fn try_feed(&mut self, unit: Bytes) -> Result<u64, AccessUnitRefused> {
        let id = self.server.handle_access_unit(self.now, unit.clone(), self.now)?;
        self.source.made(id, unit, None);
        self.drain_server();
        Ok(id)
    }

    /// Feeds a unit whose picture was taken at `captured`.
    pub(crate) fn feed_taken(&mut self, kind: Kind, len: usize, captured: Timestamp) -> u64 {
        let unit = unit(kind, self.source.units(), len);
        let id = self.server.handle_access_unit(self.now, unit.clone(), captured).expect("the server takes it");
        self.source.made(id, unit, None);
        self.drain_server();
        id
    }

    /// Feeds a unit of which the source tells the references.
    pub(crate) fn feed_told(&mut self, kind: Kind, len: usize, references: References) -> u64 {
        let unit = unit(kind, self.source.units(), len);
        let taken = self.server.handle_access_unit_with(self.now, unit.clone(), self.now, references);
        let id = taken.expect("the server takes it");
        self.source.made(id, unit, references.refers_to);
        self.drain_server();
        id
    }

    /// Feeds one unit each `interval`, `count` times.
    pub(crate) fn play(&mut self, count: usize, interval: Duration, mut next: impl FnMut(usize) -> (Kind, usize)) {
        for i in 0..count {
            let (kind, len) = next(i);
            self.feed(kind, len);
            self.run(interval);
        }
    }

    /// Something happens at the server outside the network.
    pub(crate) fn at_server<T>(&mut self, act: impl FnOnce(&mut Server<Plain>, Timestamp) -> T) -> T {
        let result = act(&mut self.server, self.now);
        self.drain_server();
        result
    }

    /// Something happens at a viewer outside the network.
    pub(crate) fn at_viewer<T>(&mut self, index: usize, act: impl FnOnce(&mut Client<Plain>, Timestamp) -> T) -> T {
        let viewer = &mut self.viewers[index];
        let result = act(&mut viewer.client, self.now + viewer.clock_ahead);
        self.drain_viewer(index);
        result
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until something holds; tells whether it did within `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !holds(self) {
            if !self.step(end) {
                self.now = end;
                return holds(self);
            }
        }
        true
    }

    /// Puts a datagram on the link as if its sender had sent it.
    pub(crate) fn send(&mut self, viewer: usize, to_server: bool, bytes: &[u8]) {
        let mut datagram = Datagram { viewer, to_server, sent: self.now, bytes: bytes.to_vec() };
        self.log.push(datagram.clone());
        if bytes.len() > self.mtu {
            return;
        }
        for extra in (self.fate)(&mut datagram) {
            self.sequence += 1;
            self.in_flight.insert((self.now + self.delay + extra, self.sequence), datagram.clone());
        }
    }

    /// Somebody sends this with a false sender; it arrives at once.
    pub(crate) fn inject(&mut self, viewer: usize, to_server: bool, bytes: Vec<u8>) {
        self.deliver(Datagram { viewer, to_server, sent: self.now, bytes });
    }

    /// Somebody at `from` sends this to the server; it arrives at once.
    pub(crate) fn inject_from(&mut self, from: SocketAddr, mut bytes: Vec<u8>) {
        self.strangers.entry(from).or_default();
        self.server.handle_datagram(self.now, from, &mut bytes);
        self.drain_server();
    }

    /// The viewer's address changes; its old one is nobody's.
    pub(crate) fn move_viewer(&mut self, index: usize, to: SocketAddr) {
        let viewer = &mut self.viewers[index];
        let from = core::mem::replace(&mut viewer.address, to);
        viewer.left.push(from);
    }

    /// Handles the next thing that happens up to `end`; whether there was any.
    fn step(&mut self, end: Timestamp) -> bool {
        let arrival = self.in_flight.keys().next().copied();
        let timeout = self.next_timeout();
        let arrives_first = arrival.filter(|(at, _)| timeout.is_none_or(|(due, _)| *at <= due));
        if let Some(key) = arrives_first {
            if key.0 > end {
                return false;
            }
            self.now = self.now.max(key.0);
            let Some(datagram) = self.in_flight.remove(&key) else { return false };
            self.deliver(datagram);
            return true;
        }
        let Some((due, who)) = timeout.filter(|(due, _)| *due <= end) else { return false };
        self.now = self.now.max(due);
        match who {
            None => self.server_timeout(),
            Some(index) => self.viewer_timeout(index),
        }
        true
    }

    fn next_timeout(&self) -> Option<(Timestamp, Option<usize>)> {
        let server = self.server.poll_timeout().map(|(at, _)| (at, None));
        let viewers = self.viewers.iter().enumerate().filter_map(|(index, viewer)| {
            let (at, _) = viewer.client.poll_timeout()?;
            Some((at.saturating_sub(viewer.clock_ahead), Some(index)))
        });
        server.into_iter().chain(viewers).min_by_key(|(at, _)| *at)
    }

    fn server_timeout(&mut self) {
        self.server.handle_timeout(self.now);
        self.drain_server();
        let next = self.server.poll_timeout();
        assert!(next.is_none_or(|(at, _)| at > self.now), "at {} the server's next timeout is {next:?}", self.now);
    }

    fn viewer_timeout(&mut self, index: usize) {
        let now = self.now + self.viewers[index].clock_ahead;
        self.viewers[index].client.handle_timeout(now);
        self.drain_viewer(index);
        let next = self.viewers[index].client.poll_timeout();
        assert!(next.is_none_or(|(at, _)| at > now), "at {now} viewer {index}'s next timeout is {next:?}");
    }

    fn deliver(&mut self, mut datagram: Datagram) {
        let index = datagram.viewer;
        if datagram.to_server {
            self.server.handle_datagram(self.now, self.viewers[index].address, &mut datagram.bytes);
            self.drain_server();
        } else {
            let viewer = &mut self.viewers[index];
            viewer.client.handle_datagram(self.now + viewer.clock_ahead, server_address(), &mut datagram.bytes);
            self.drain_viewer(index);
        }
    }

    fn drain_server(&mut self) {
        let mut outputs = 0;
        while let Some(transmit) = self.server.poll_transmit(self.now, &mut self.buf) {
            outputs += 1;
            let to = transmit.destination;
            if let Some(index) = self.viewers.iter().position(|viewer| viewer.address == to) {
                self.forward(index, false, &transmit);
            } else if let Some(bytes) = self.strangers.get_mut(&to) {
                *bytes += transmit.len;
            } else {
                assert!(self.viewers.iter().any(|viewer| viewer.left.contains(&to)), "sent to a stranger: {to}");
            }
        }
        assert!(outputs <= OUTPUTS_PER_VIEWER_MAX * self.viewers.len().max(1), "{outputs} outputs for one input");
        while let Some(event) = self.server.poll_event() {
            self.server_events.push((self.now, event));
        }
        self.check_server_caps();
    }

    fn drain_viewer(&mut self, index: usize) {
        let now = self.now + self.viewers[index].clock_ahead;
        let mut outputs = 0;
        while let Some(transmit) = self.viewers[index].client.poll_transmit(now, &mut self.buf) {
            outputs += 1;
            assert_eq!(transmit.destination, server_address());
            self.forward(index, true, &transmit);
        }
        assert!(outputs <= OUTPUTS_PER_VIEWER_MAX, "{outputs} outputs for one input");
        let Self { viewers, source, .. } = self;
        let viewer = &mut viewers[index];
        while let Some(event) = viewer.client.poll_event() {
            viewer.oracle.check(source, &event);
            if let (ClientEvent::AccessUnit(unit), true) = (&event, viewer.shows) {
                viewer.client.handle_decoded(now, unit.frame_id);
                viewer.client.handle_shown(now, unit.frame_id);
            }
            viewer.events.push((now, event));
        }
        let held = viewer.client.stats().receiver.held_bytes_peak;
        assert!(held <= limits::SORTED_BUFFER_BYTES_MAX as u64, "viewer {index} held {held} bytes");
    }

    fn forward(&mut self, viewer: usize, to_server: bool, transmit: &Transmit) {
        let datagrams: Vec<Vec<u8>> = transmit.datagrams(&self.buf).map(<[u8]>::to_vec).collect();
        for bytes in datagrams {
            assert!(bytes.len() <= DATAGRAM_BYTES_MAX, "a datagram of {} bytes", bytes.len());
            if !to_server && look::is_media_bytes(&bytes) {
                let info = self.server.viewers().find(|info| info.address == self.viewers[viewer].address);
                let known_to_pass = info.expect("it is sent media").datagram_bytes_max;
                assert!(bytes.len() <= known_to_pass, "media of {} bytes on a path of {known_to_pass}", bytes.len());
            }
            self.send(viewer, to_server, &bytes);
        }
    }

    fn check_server_caps(&self) {
        let stats = self.server.stats();
        assert!(stats.global_buffer_bytes <= limits::GLOBAL_BUFFER_BYTES_MAX);
        assert!(stats.unproven_bytes_sent <= 3 * stats.unproven_bytes_received, "{stats:?}");
        for viewer in self.server.viewers() {
            assert!(viewer.queue_bytes <= limits::QUEUE_BYTES_MAX, "{viewer:?}");
            assert!(viewer.last_decoded.is_none_or(|id| id <= self.source.newest()), "{viewer:?}");
        }
        let joined = self.server.viewers().filter(|viewer| viewer.state.is_joined()).count();
        assert!(joined <= self.config.viewers_max, "{joined} viewers");
    }
}

/// A seed of its own for each viewer.
fn seed(index: usize) -> [u8; 32] {
    [u8::try_from(index + 1).expect("few viewers"); 32]
}
