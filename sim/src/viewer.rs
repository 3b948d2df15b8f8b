//! One viewer of the inner ring: its core, its two links, and what is checked of it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use nalcast_core::recv::{Abandoned, Client, ClientConfig, ClientEvent, ClientState, EndReason};
use nalcast_core::{Rng, Timestamp};

use crate::check::{self, AddressChecker, Made, SessionChecker, Violation};
use crate::link::{Link, LinkConfig};
use crate::plain::Plain;
use crate::trace::Trace;
use crate::wire_check::WireChecker;
use crate::world::SERVER;

/// A viewer and its path.
pub(crate) struct Viewer {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    /// Where it was before; nobody is there.
    pub(crate) left: Vec<SocketAddr>,
    pub(crate) client: Option<Client<Plain>>,
    pub(crate) down: Link,
    pub(crate) up: Link,
    pub(crate) session: SessionChecker,
    pub(crate) address_check: AddressChecker,
    pub(crate) wire: WireChecker,
    pub(crate) last_release: Option<Timestamp>,
    pub(crate) ended_with_stream: bool,
    pub(crate) end: Option<EndReason>,
    /// Over all sessions.
    pub(crate) released: u64,
    pub(crate) late: u64,
    pub(crate) abandoned: [u64; 6],
    pub(crate) sessions: u64,
    pub(crate) first_release: Option<Timestamp>,
    /// Which server this session is with, known from its first frame on.
    server: Option<usize>,
}

impl Viewer {
    pub(crate) fn new(index: usize, down: LinkConfig, up: LinkConfig, rng: &Rng) -> Self {
        // Each in a network of its own: one network may begin so many handshakes at a time.
        let host = u8::try_from(index + 1).unwrap_or(u8::MAX);
        let seed = |label: u64| rng.fork(100 + index as u64 * 2 + label).next_u64();
        Self {
            index,
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 51, host, 1)), 5000),
            left: Vec::new(),
            client: None,
            down: Link::new(down, seed(0)),
            up: Link::new(up, seed(1)),
            session: SessionChecker::default(),
            address_check: AddressChecker::default(),
            wire: WireChecker::default(),
            last_release: None,
            ended_with_stream: false,
            end: None,
            released: 0,
            late: 0,
            abandoned: [0; 6],
            sessions: 0,
            first_release: None,
            server: None,
        }
    }

    pub(crate) fn start(&mut self, now: Timestamp, rng: &mut Rng) {
        let config = ClientConfig { server: SERVER, budget: None, smooth: false, code: None };
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        self.client = Some(Client::new(config, Plain, seed, now));
    }

    /// From now on its datagrams come from another port, as behind a NAT that forgot it.
    pub(crate) fn change_address(&mut self) {
        self.left.push(self.address);
        self.address.set_port(self.address.port() + 1);
        self.address_check = AddressChecker::moved();
    }

    /// Gone without a word.
    pub(crate) fn kill(&mut self) {
        self.client = None;
    }

    pub(crate) fn leave(&mut self, now: Timestamp) {
        if let Some(client) = &mut self.client {
            client.handle_leave(now);
        }
    }

    /// Every fault of its path ends; the way stays as long as it is.
    pub(crate) fn calm(&mut self, now: Timestamp) {
        for link in [&mut self.down, &mut self.up] {
            let delay = link.config().delay;
            link.set_partitioned(false);
            link.set_config(now, LinkConfig { delay, ..LinkConfig::default() });
        }
    }

    pub(crate) fn transmit(&mut self, now: Timestamp, trace: &mut Trace, outputs_max: usize) -> Result<(), Violation> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let mut buf = [0; 2_048];
        for _ in 0..outputs_max {
            let Some(transmit) = client.poll_transmit(now, &mut buf) else { return Ok(()) };
            if transmit.destination != SERVER {
                return Err(format!("viewer {} sends to {}", self.index, transmit.destination));
            }
            for datagram in transmit.datagrams(&buf) {
                trace.datagram(now, "viewer sends", self.index, datagram);
                self.wire.viewer_sends(now, datagram)?;
                self.up.send(now, datagram);
            }
        }
        Err(format!("viewer {} sends over {outputs_max} datagrams for one input", self.index))
    }

    pub(crate) fn events(&mut self, now: Timestamp, trace: &mut Trace, made: &[Made]) -> Result<(), Violation> {
        while let Some(event) = self.client.as_mut().and_then(Client::poll_event) {
            self.event(now, trace, made, event).map_err(|what| format!("viewer {}: {what}", self.index))?;
        }
        self.client.as_ref().map_or(Ok(()), |client| check::client_caps(&client.stats()))
    }

    fn event(&mut self, now: Timestamp, trace: &mut Trace, made: &[Made], event: ClientEvent) -> Result<(), Violation> {
        let i = self.index;
        match event {
            ClientEvent::Connected => {
                trace.event(now, format_args!("viewer {i}: connected"));
                self.session = SessionChecker::default();
                self.server = None;
                self.sessions += 1;
            }
            ClientEvent::AccessUnit(unit) => {
                trace.event(now, format_args!("viewer {i}: frame {} ({} B)", unit.frame_id, unit.bytes.len()));
                self.released += 1;
                self.late += u64::from(unit.late);
                self.first_release = self.first_release.or(Some(now));
                self.last_release = Some(now);
                self.check_unit(&unit, made)?;
                self.check_ended(now, unit.frame_id)?;
                if let Some(client) = &mut self.client {
                    client.handle_decoded(now, unit.frame_id);
                    client.handle_shown(now, unit.frame_id);
                }
            }
            ClientEvent::Abandoned { from, to, reason } => {
                trace.event(now, format_args!("viewer {i}: frames {from}..={to} given up: {reason:?}"));
                self.abandoned[reason as usize] += to - from + 1;
                self.session.abandoned(from, to, reason)?;
                self.check_ended(now, from)?;
            }
            ClientEvent::Lost { reason, retry_at } => {
                trace.event(now, format_args!("viewer {i}: lost ({reason}), again at {retry_at}"));
            }
            ClientEvent::Frame(record) => self.session.recorded(&record)?,
            ClientEvent::Freeze(freeze) => trace.event(now, format_args!("viewer {i}: {freeze:?}")),
            ClientEvent::Config(config) => trace.event(now, format_args!("viewer {i}: {config:?}")),
            ClientEvent::Ended(reason) => {
                trace.event(now, format_args!("viewer {i}: ended: {reason:?}"));
                self.end = Some(reason);
                self.ended_with_stream = reason == EndReason::EndOfStream && self.session.count() > 0;
            }
        }
        Ok(())
    }

    /// A frame has ended; one that leaves waits for nothing but its goodbye.
    fn check_ended(&mut self, now: Timestamp, frame_id: u64) -> Result<(), Violation> {
        if self.is_live() { self.wire.ended(now, frame_id) } else { Ok(()) }
    }

    /// The first frame of a session tells which server it is with; from then on only that one's frames count.
    fn check_unit(&mut self, unit: &nalcast_core::recv::AccessUnit, made: &[Made]) -> Result<(), Violation> {
        let Some(server) = self.server else {
            for (server, made) in made.iter().enumerate().rev() {
                let mut fresh = SessionChecker::default();
                if fresh.released(unit, made).is_ok() {
                    self.server = Some(server);
                    return self.session.released(unit, made);
                }
            }
            return Err(format!("frame {} is not what any server made, or no beginning", unit.frame_id));
        };
        self.session.released(unit, &made[server])
    }

    /// Whether it is in a session now.
    pub(crate) fn is_live(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.state() == ClientState::Live)
    }
}

/// The number of reasons for giving a frame up.
const _: () = assert!(Abandoned::Evicted as usize == 5);
