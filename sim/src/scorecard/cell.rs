//! One run of one row: a server, a viewer and the path between them, on virtual time.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::recv::{Client, ClientConfig, ClientEvent};
use nalcast_core::send::{Server, ServerConfig, ServerEvent};
use nalcast_core::{Rng, Timestamp, nal::Codec};

use super::rows::{Change, FPS, Row};
use super::tally::Tally;
use crate::link::Link;
use crate::plain::Plain;
use crate::source::SyntheticSource;
use crate::world::SERVER;

/// Where the viewer is.
const VIEWER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 51, 1, 1)), 5000);
/// How far the server's clock is ahead of the true time: its low 32 bits wrap in the fifth minute.
const SERVER_AHEAD: Duration = Duration::from_secs(4_000);
/// How far the viewer's clock is ahead of the true time.
const VIEWER_AHEAD: Duration = Duration::from_micros(777_777_777);
/// Misses after which a cell knows its miss rate well enough: within a tenth, at 95 %.
const MISSES_ENOUGH: u64 = 400;
/// Frames between two looks at that.
const LOOK_FRAMES: u64 = 500;
/// Time that what is under way gets to arrive, beyond the budget, once the source is at its end.
const SETTLE: Duration = Duration::from_millis(2_500);
/// When a viewer must have come in, however often it had to be started.
const NOBODY_BY: Timestamp = Timestamp::from_millis(120_000);
/// Events at one moment at most: more is a loop.
const EVENTS_AT_ONCE_MAX: u32 = 100_000;

/// From capture to the arrival of the last fragment where nothing is wrong.
pub(super) fn floor(row: &Row) -> Duration {
    let mut delays = run(&row.unimpaired(), Duration::from_secs(2)).delays();
    delays.sort_unstable();
    delays.get(delays.len() / 2).copied().unwrap_or_default()
}

/// Runs `row` with a budget from capture to display.
pub(super) fn run(row: &Row, budget: Duration) -> Tally {
    let mut cell = Cell::new(row, budget);
    cell.run();
    cell.tally
}

struct Cell<'a> {
    row: &'a Row,
    now: Timestamp,
    server: Server<Plain>,
    client: Client<Plain>,
    down: Link,
    up: Link,
    source: SyntheticSource,
    /// What it made.
    frames: u64,
    /// When the source began: with the first viewer.
    began: Option<Timestamp>,
    changes: VecDeque<(Duration, Change)>,
    /// When the run is over, once the source is at its end.
    over: Option<Timestamp>,
    tally: Tally,
    rng: Rng,
}

impl<'a> Cell<'a> {
    fn new(row: &'a Row, budget: Duration) -> Self {
        // A row's dice are its own, whatever stands before it in the table.
        let seed = row.name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let rng = Rng::new(seed);
        let bytes = |label| {
            let mut seed = [0; 32];
            rng.fork(label).fill(&mut seed);
            seed
        };
        let server =
            ServerConfig { codec: Codec::H264, fps: FPS as u8, recovery: row.recovery, viewers_max: 1, pairing: false };
        Self {
            row,
            now: Timestamp::ZERO,
            server: Server::new(server, Plain, bytes(1), Timestamp::ZERO + SERVER_AHEAD),
            client: viewer(budget, bytes(2), Timestamp::ZERO),
            down: Link::new(row.down.clone(), rng.fork(3).next_u64()),
            up: Link::new(row.up.clone(), rng.fork(4).next_u64()),
            source: SyntheticSource::new(rng.fork(5).next_u64(), row.source()),
            frames: 0,
            began: None,
            changes: row.changes.iter().cloned().collect(),
            over: None,
            tally: Tally::new(budget),
            rng,
        }
    }

    fn run(&mut self) {
        self.drain_server();
        self.drain_client();
        let mut at_once = 0;
        while let Some(next) = self.next_event() {
            if self.over.is_some_and(|over| next > over) {
                return;
            }
            at_once = if next > self.now { 0 } else { at_once + 1 };
            assert!(at_once < EVENTS_AT_ONCE_MAX, "{}: time stands still at {next}", self.row.name);
            assert!(self.began.is_some() || next < NOBODY_BY, "{}: nobody came by {next}", self.row.name);
            self.now = self.now.max(next);
            self.step();
        }
    }

    fn next_event(&self) -> Option<Timestamp> {
        let server = self.server.poll_timeout().map(|(at, _)| at.saturating_sub(SERVER_AHEAD));
        let client = self.client.poll_timeout().map(|(at, _)| at.saturating_sub(VIEWER_AHEAD));
        [server, client, self.capture_at(), self.change_at(), self.down.poll_timeout(), self.up.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Everything that is due.
    fn step(&mut self) {
        if self.change_at().is_some_and(|at| at <= self.now)
            && let Some((_, change)) = self.changes.pop_front()
        {
            self.change(change);
        }
        self.deliver();
        if self.server.poll_timeout().is_some_and(|(at, _)| at <= self.server_now()) {
            self.server.handle_timeout(self.server_now());
            self.drain_server();
        }
        if self.client.poll_timeout().is_some_and(|(at, _)| at <= self.viewer_now()) {
            self.client.handle_timeout(self.viewer_now());
            self.drain_client();
        }
        if self.capture_at().is_some_and(|at| at <= self.now) {
            self.capture();
        }
    }

    fn server_now(&self) -> Timestamp {
        self.now + SERVER_AHEAD
    }

    fn viewer_now(&self) -> Timestamp {
        self.now + VIEWER_AHEAD
    }

    fn capture_at(&self) -> Option<Timestamp> {
        let began = self.began.filter(|_| self.over.is_none())?;
        Some(began + (self.source.next_capture() - Timestamp::ZERO))
    }

    fn change_at(&self) -> Option<Timestamp> {
        Some(self.began? + self.changes.front()?.0)
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Cut { down, up } => {
                self.down.set_partitioned(down);
                self.up.set_partitioned(up);
            }
            Change::Down(config) => self.down.set_config(self.now, config),
        }
    }

    fn capture(&mut self) {
        let unit = self.source.next_unit();
        let now = self.server_now();
        let taken = self.server.handle_access_unit_with(now, unit.bytes.clone(), now, unit.references(self.frames + 1));
        match taken {
            Ok(frame_id) => {
                self.frames = frame_id;
                self.tally.captured(self.now, frame_id, unit.bytes.len());
            }
            Err(refused) => panic!("{}: an access unit was refused: {refused}", self.row.name),
        }
        self.drain_server();
        let counted = self.tally.counted();
        let enough = counted >= self.row.frames_max
            || counted >= self.row.frames_min
                && counted.is_multiple_of(LOOK_FRAMES)
                && self.tally.misses(self.now) >= MISSES_ENOUGH;
        if enough {
            self.over = Some(self.now + self.tally.budget() + SETTLE);
        }
    }

    fn deliver(&mut self) {
        while let Some(mut datagram) = self.up.poll_deliver(self.now) {
            self.server.handle_datagram(self.server_now(), VIEWER, &mut datagram);
            self.drain_server();
        }
        while let Some(mut datagram) = self.down.poll_deliver(self.now) {
            self.tally.arrived(self.now, &datagram);
            self.client.handle_datagram(self.viewer_now(), SERVER, &mut datagram);
            self.drain_client();
        }
    }

    fn drain_server(&mut self) {
        let mut buf = [0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
        while let Some(transmit) = self.server.poll_transmit(self.server_now(), &mut buf) {
            for datagram in transmit.datagrams(&buf) {
                self.tally.sent(self.now, datagram);
                self.down.send(self.now, datagram);
            }
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::KeyFrameWanted => self.source.request_key(),
                ServerEvent::ReferenceWanted { reference } => {
                    self.source.request_reference(self.frames + 1 - reference)
                }
                ServerEvent::BitrateWanted(bits) => self.source.limit(bits),
                ServerEvent::ViewerJoined { .. } => self.began = self.began.or(Some(self.now)),
                ServerEvent::ViewerLeft { .. }
                | ServerEvent::ViewerMoved { .. }
                | ServerEvent::ReferenceShared { .. }
                | ServerEvent::PairingCode(_)
                | ServerEvent::Finished => {}
            }
        }
    }

    fn drain_client(&mut self) {
        let mut buf = [0; 2_048];
        while let Some(transmit) = self.client.poll_transmit(self.viewer_now(), &mut buf) {
            for datagram in transmit.datagrams(&buf) {
                self.tally.reported(self.now, datagram);
                self.up.send(self.now, datagram);
            }
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::AccessUnit(unit) => {
                    self.tally.released(self.now, unit.frame_id);
                    self.client.handle_shown(self.viewer_now(), unit.frame_id);
                }
                ClientEvent::Ended(_) => self.restart_viewer(),
                ClientEvent::Connected
                | ClientEvent::Lost { .. }
                | ClientEvent::Config(_)
                | ClientEvent::Frame(_)
                | ClientEvent::Freeze(_)
                | ClientEvent::Abandoned { .. } => {}
            }
        }
    }

    /// A viewer that gave up is started again, as its user would; its first datagram leaves when it is next looked at.
    fn restart_viewer(&mut self) {
        let mut seed = [0; 32];
        self.rng.fill(&mut seed);
        self.client = viewer(self.tally.budget(), seed, self.now);
    }
}

fn viewer(budget: Duration, seed: [u8; 32], now: Timestamp) -> Client<Plain> {
    let config = ClientConfig { server: SERVER, budget: Some(budget), smooth: false, code: None };
    Client::new(config, Plain, seed, now + VIEWER_AHEAD)
}
