//! Server, viewers and attacker on one virtual clock.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use nalcast_core::handshake::Noise;
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX, HALF_OPEN_MAX};
use nalcast_core::nal::Codec;
use nalcast_core::recv::Client;
use nalcast_core::send::{Recovery, Server, ServerConfig, ServerEvent};
use nalcast_core::{Rng, Timestamp};

use super::{Datagram, Guest, Hand, Ledger, SERVER, Verdict, insider};
use crate::check::{self, Made, Violation};
use crate::link::LinkConfig;
use crate::source::{SourceModel, SourceUnit, SyntheticSource};

/// Viewers that the server takes at once.
const VIEWERS_MAX: usize = 16;
/// Datagrams that one input may cause at most.
const OUTPUTS_PER_INPUT_MAX: usize = 2_000;

/// Everything that takes part; see the [module's documentation](super).
pub struct Arena {
    /// The time.
    pub now: Timestamp,
    /// The server under attack.
    pub server: Server<Noise>,
    /// What the server told, but for its wishes for key frames.
    pub events: Vec<(Timestamp, ServerEvent)>,
    /// The honest viewers.
    pub guests: Vec<Guest>,
    /// What the attacker does with what others send.
    pub hand: Hand,
    /// Whether the attacker keeps what it sees.
    pub records: bool,
    /// What it kept, in the order in which it was sent.
    pub log: Vec<Datagram>,
    /// What the server sent to the addresses that the attacker listens at.
    pub inboxes: BTreeMap<SocketAddr, Vec<Vec<u8>>>,
    /// What went to and came from each address.
    pub ledger: Ledger,
    /// The attacker's dice.
    pub rng: Rng,
    /// The time from one frame to the next; none while the screen is still.
    pub frame_interval: Option<Duration>,
    /// Frames that the source made.
    pub frames: u64,
    /// Key frames that the server asked for.
    pub keys_wanted: u64,
    next_frame: Timestamp,
    source: SyntheticSource,
    made: Made,
    on_the_way: BTreeMap<(Timestamp, u64), Datagram>,
    sequence: u64,
    buf: Vec<u8>,
}

impl Arena {
    /// A server with a key and nobody there yet; everything follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let model = SourceModel { key_bytes: 6_000, delta_bytes: 400..=4_000, ..SourceModel::default() };
        Self::with_source(seed, model)
    }

    /// The same with frames of other sizes.
    #[must_use]
    pub fn with_source(seed: u64, model: SourceModel) -> Self {
        let rng = Rng::new(seed);
        let now = Timestamp::from_millis(1_000);
        let config = ServerConfig {
            codec: Codec::H264,
            fps: 30,
            recovery: Recovery::KeyFrames,
            viewers_max: VIEWERS_MAX,
            pairing: false,
        };
        let mut server_seed = [0; 32];
        rng.fork(1).fill(&mut server_seed);
        Self {
            now,
            server: Server::new(config, insider(), server_seed, now),
            events: Vec::new(),
            guests: Vec::new(),
            hand: Box::new(|_| Verdict::pass()),
            records: true,
            log: Vec::new(),
            inboxes: BTreeMap::new(),
            ledger: Ledger::default(),
            source: SyntheticSource::new(rng.fork(2).next_u64(), model),
            rng: rng.fork(3),
            frame_interval: None,
            frames: 0,
            keys_wanted: 0,
            next_frame: now,
            made: Made::default(),
            on_the_way: BTreeMap::new(),
            sequence: 0,
            buf: vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX],
        }
    }

    // --- Those who are welcome ---------------------------------------------------------------------------

    /// A viewer that knows the key, on a host of its own, over a path that takes `delay` each way; its index.
    pub fn join(&mut self, delay: Duration) -> usize {
        self.join_over(LinkConfig { delay, ..LinkConfig::default() })
    }

    /// The same over a path that is `link` in both directions.
    pub fn join_over(&mut self, link: LinkConfig) -> usize {
        let host = u8::try_from(self.guests.len() + 1).expect("few viewers");
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)), 5000);
        let rng = self.dice();
        self.guests.push(Guest::new(self.now, address, insider(), [link.clone(), link], &rng));
        let index = self.guests.len() - 1;
        self.drain_guest(index);
        index
    }

    /// The viewer's program is started again, at the same address.
    pub fn restart(&mut self, index: usize) {
        let rng = self.dice();
        self.guests[index].restart(self.now, insider(), &rng);
        self.drain_guest(index);
    }

    /// Something happens at a viewer outside the network.
    pub fn at_guest(&mut self, index: usize, act: impl FnOnce(&mut Client<Noise>, Timestamp)) {
        act(&mut self.guests[index].client, self.now);
        self.drain_guest(index);
    }

    /// The viewer's address changes; at the old one nobody listens any more.
    pub fn relocate(&mut self, index: usize, to: SocketAddr) {
        let guest = &mut self.guests[index];
        let left = core::mem::replace(&mut guest.address, to);
        guest.left.push(left);
    }

    /// An arena in which one viewer has its picture, over a path that takes `delay` each way, and frames come.
    #[must_use]
    pub fn with_viewer(seed: u64, delay: Duration) -> Self {
        let mut arena = Self::new(seed);
        arena.frame_interval = Some(Duration::from_millis(33));
        arena.join(delay);
        arena.run(Duration::from_millis(500) + delay * 20);
        assert!(arena.guests[0].newest().is_some(), "the viewer has its picture");
        arena
    }

    // --- The attacker ------------------------------------------------------------------------------------

    /// A datagram with any sender reaches its destination now.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.arrive(Datagram { at: self.now, from, to, bytes });
    }

    /// A datagram reaches its destination in a while.
    pub fn inject_in(&mut self, after: Duration, datagram: Datagram) {
        self.sequence += 1;
        self.on_the_way.insert((self.now + after, self.sequence), datagram);
    }

    /// From now on the attacker hears what is sent to `address`.
    pub fn listen_at(&mut self, address: SocketAddr) {
        self.inboxes.entry(address).or_default();
    }

    /// The newest datagram that the attacker kept of those that `which` holds for.
    #[must_use]
    pub fn seen(&self, which: impl Fn(&Datagram) -> bool) -> Option<Datagram> {
        self.log.iter().rfind(|datagram| which(datagram)).cloned()
    }

    // --- The source --------------------------------------------------------------------------------------

    /// The source makes a frame.
    pub fn feed(&mut self) {
        let unit = self.source.next_unit();
        self.feed_unit(&unit);
    }

    /// The source makes this frame.
    pub fn feed_unit(&mut self, unit: &SourceUnit) {
        let taken = self.server.handle_access_unit(self.now, unit.bytes.clone(), self.now);
        let frame_id = taken.unwrap_or_else(|refused| panic!("at {} a frame was refused: {refused}", self.now));
        self.made.add(frame_id, unit);
        self.frames = frame_id;
        self.drain_server();
    }

    // --- Time --------------------------------------------------------------------------------------------

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until something holds; tells whether it did within `limit`.
    pub fn run_until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !holds(self) {
            if !self.step(end) {
                self.now = end;
                return holds(self);
            }
        }
        true
    }

    /// Handles the next thing that happens up to `end`; whether there was any.
    fn step(&mut self, end: Timestamp) -> bool {
        let arrival = self.on_the_way.keys().next().map(|(at, _)| *at);
        let frame = self.frame_interval.map(|_| self.next_frame);
        let server = self.server.poll_timeout().map(|(at, _)| at);
        let guest = self.guests.iter().filter_map(Guest::wake).min();
        let Some(at) = [arrival, frame, server, guest].into_iter().flatten().min() else { return false };
        if at > end {
            return false;
        }
        self.now = self.now.max(at);
        if arrival.is_some_and(|due| due <= self.now) {
            if let Some((_, datagram)) = self.on_the_way.pop_first() {
                self.arrive(datagram);
            }
        } else if let Some(interval) = self.frame_interval.filter(|_| self.next_frame <= self.now) {
            self.next_frame = self.now + interval;
            self.feed();
        } else if server.is_some_and(|due| due <= self.now) {
            self.server.handle_timeout(self.now);
            self.drain_server();
            let next = self.server.poll_timeout();
            assert!(next.is_none_or(|(at, _)| at > self.now), "at {} the server wants {next:?}", self.now);
        } else {
            (0..self.guests.len()).for_each(|index| self.wake_guest(index));
        }
        true
    }

    fn wake_guest(&mut self, index: usize) {
        while let Some(bytes) = self.guests[index].up.poll_deliver(self.now) {
            self.arrive_at_server(self.guests[index].address, bytes);
        }
        while let Some(mut bytes) = self.guests[index].down.poll_deliver(self.now) {
            self.ledger.heard(self.guests[index].address);
            self.guests[index].client.handle_datagram(self.now, SERVER, &mut bytes);
            self.drain_guest(index);
        }
        let client = &mut self.guests[index].client;
        if client.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            client.handle_timeout(self.now);
            self.drain_guest(index);
            let next = self.guests[index].client.poll_timeout();
            assert!(next.is_none_or(|(at, _)| at > self.now), "at {} viewer {index} wants {next:?}", self.now);
        }
    }

    // --- What goes where ---------------------------------------------------------------------------------

    fn arrive(&mut self, datagram: Datagram) {
        let Datagram { from, to, mut bytes, .. } = datagram;
        if to == SERVER {
            return self.arrive_at_server(from, bytes);
        }
        if let Some(index) = self.guests.iter().position(|guest| guest.address == to) {
            // What the attacker carries there was the server's, or says so: it is heard all the same.
            self.ledger.heard(to);
            self.guests[index].client.handle_datagram(self.now, from, &mut bytes);
            self.drain_guest(index);
        }
    }

    fn arrive_at_server(&mut self, from: SocketAddr, mut bytes: Vec<u8>) {
        self.ledger.received(from, bytes.len());
        self.server.handle_datagram(self.now, from, &mut bytes);
        self.drain_server();
    }

    fn drain_server(&mut self) {
        let mut buf = core::mem::take(&mut self.buf);
        let mut outputs = 0;
        while let Some(transmit) = self.server.poll_transmit(self.now, &mut buf) {
            for bytes in transmit.datagrams(&buf) {
                outputs += 1;
                let held = self.ledger.sent(transmit.destination, bytes.len());
                self.law(held);
                self.leaves(SERVER, transmit.destination, bytes);
            }
            assert!(outputs <= OUTPUTS_PER_INPUT_MAX, "at {} there is no end to what is sent", self.now);
        }
        self.buf = buf;
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::KeyFrameWanted | ServerEvent::ReferenceWanted { .. } => {
                    self.keys_wanted += 1;
                    self.source.request_key();
                }
                ServerEvent::ViewerJoined { .. }
                | ServerEvent::ReferenceShared { .. }
                | ServerEvent::ViewerLeft { .. }
                | ServerEvent::ViewerMoved { .. }
                | ServerEvent::PairingCode(_)
                | ServerEvent::BitrateWanted(_)
                | ServerEvent::Finished => self.events.push((self.now, event)),
            }
        }
        let count = self.server.viewer_count();
        assert!(count <= VIEWERS_MAX + HALF_OPEN_MAX, "at {} there are {count} subscriptions", self.now);
        self.law(check::server_caps(&self.server.stats(), self.server.viewers()));
    }

    fn drain_guest(&mut self, index: usize) {
        let mut buf = [0; 2_048];
        let mut outputs = 0;
        while let Some(transmit) = self.guests[index].client.poll_transmit(self.now, &mut buf) {
            assert_eq!(transmit.destination, SERVER, "a viewer speaks to its server");
            let from = self.guests[index].address;
            for bytes in transmit.datagrams(&buf) {
                outputs += 1;
                self.leaves(from, SERVER, bytes);
            }
            assert!(outputs <= OUTPUTS_PER_INPUT_MAX, "at {} there is no end to what is sent", self.now);
        }
        let heard = self.guests[index].listen(self.now, &self.made);
        self.law(heard);
    }

    /// Somebody sends a datagram, and the attacker has its hand on it.
    fn leaves(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let datagram = Datagram { at: self.now, from, to, bytes: bytes.to_vec() };
        let Verdict { passes, sends } = (self.hand)(&datagram);
        for (after, sent) in sends {
            self.inject_in(after, sent);
        }
        if passes {
            if to == SERVER {
                let guest = self.guests.iter_mut().find(|guest| guest.address == from);
                guest.expect("a viewer sent it").up.send(self.now, bytes);
            } else if let Some(guest) = self.guests.iter_mut().find(|guest| guest.address == to) {
                guest.down.send(self.now, bytes);
            } else if let Some(inbox) = self.inboxes.get_mut(&to) {
                inbox.push(bytes.to_vec());
                self.ledger.heard(to);
            }
        }
        if self.records {
            self.log.push(datagram);
        }
    }

    /// Dice for a program that starts now, unlike those of any other.
    fn dice(&mut self) -> Rng {
        let label = self.rng.next_u64();
        self.rng.fork(label)
    }

    fn law(&self, held: Result<(), Violation>) {
        held.unwrap_or_else(|what| panic!("at {}: {what}", self.now));
    }
}
