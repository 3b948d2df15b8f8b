//! The inner ring: a server, its viewers and the links between them on one virtual clock, every law checked at
//! every step. No tokio, no wall clock: the next moment is the earliest that any part asks for.

mod checks;

use core::cmp::Reverse;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::{BTreeMap, BinaryHeap};

use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::send::{Recovery, Server, ServerConfig, ServerEvent};
use nalcast_core::{Rng, Timestamp, nal::Codec};

use crate::check::{self, Made, Violation, next_frame};
use crate::plain::Plain;
use crate::plan::{PlanStep, plan};
use crate::report::{Failure, Report};
use crate::scenario::Scenario;
use crate::source::SyntheticSource;
use crate::trace::Trace;
use crate::viewer::Viewer;
use crate::wire_check::{KeyRequests, Load};

/// Where the server is.
pub(crate) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4600);
/// Datagrams that one input may cause at most: a frame for every viewer, generously.
const OUTPUTS_PER_INPUT_MAX: usize = 20_000;

/// What the clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Server,
    Source,
    Plan,
    Client(usize),
    Down(usize),
    Up(usize),
}

struct World {
    scenario: Scenario,
    now: Timestamp,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Actor)>>,
    /// The time that each actor asked for last; older entries of the queue are void.
    wakes: BTreeMap<Actor, Timestamp>,
    sequence: u64,
    server: Option<Server<Plain>>,
    /// What each server made: a restarted one begins anew.
    made: Vec<Made>,
    source: SyntheticSource,
    source_ended: bool,
    finished: bool,
    viewers: Vec<Viewer>,
    plan: Vec<(Timestamp, PlanStep)>,
    trace: Trace,
    load: Load,
    key_requests: KeyRequests,
    rng: Rng,
    moves_followed: u64,
    /// Units captured while no server was there to take them.
    units: u64,
}

/// Runs a scenario to its end.
///
/// # Errors
/// The first law that was broken, with everything needed to see it again.
pub fn run(scenario: &Scenario, keep_lines: bool) -> Result<Report, Failure> {
    let mut world = World::new(scenario.clone(), keep_lines);
    match world.run() {
        Ok(()) => Ok(world.report()),
        Err(what) => Err(Failure {
            name: scenario.name,
            scenario: scenario.to_string(),
            seed: scenario.seed,
            at: world.now,
            what,
            lines: world.trace.lines().to_vec(),
        }),
    }
}

impl World {
    fn new(scenario: Scenario, keep_lines: bool) -> Self {
        let rng = Rng::new(scenario.seed);
        let viewers = (0..scenario.viewers.len())
            .map(|i| Viewer::new(i, scenario.viewers[i].down.clone(), scenario.viewers[i].up.clone(), &rng))
            .collect();
        let mut world = Self {
            now: Timestamp::ZERO,
            queue: BinaryHeap::new(),
            wakes: BTreeMap::new(),
            sequence: 0,
            server: None,
            made: Vec::new(),
            source: SyntheticSource::new(rng.fork(2).next_u64(), scenario.source.clone()),
            source_ended: false,
            finished: false,
            viewers,
            plan: plan(&scenario),
            trace: Trace::new(keep_lines),
            load: Load::new(scenario.recovery),
            key_requests: KeyRequests::default(),
            rng: rng.fork(3),
            moves_followed: 0,
            units: 0,
            scenario,
        };
        world.start_server();
        world
    }

    fn run(&mut self) -> Result<(), Violation> {
        self.wake(Actor::Source, Some(self.source.next_capture()));
        self.wake(Actor::Plan, self.plan.first().map(|(at, _)| *at));
        while let Some(Reverse((at, _, actor))) = self.queue.pop() {
            if self.wakes.get(&actor) != Some(&at) {
                continue;
            }
            self.wakes.remove(&actor);
            self.now = at;
            match actor {
                Actor::Plan => {
                    if self.follow_plan()? {
                        return self.check_end();
                    }
                }
                Actor::Source => self.capture()?,
                Actor::Server => self.server_timeout()?,
                Actor::Client(i) => self.client_timeout(i)?,
                Actor::Down(i) => self.deliver_down(i)?,
                Actor::Up(i) => self.deliver_up(i)?,
            }
        }
        Err("nothing is left to happen, and the plan is not over".into())
    }

    fn wake(&mut self, actor: Actor, at: Option<Timestamp>) {
        let Some(at) = at.map(|at| at.max(self.now)) else {
            self.wakes.remove(&actor);
            return;
        };
        if self.wakes.insert(actor, at) != Some(at) {
            self.sequence += 1;
            self.queue.push(Reverse((at, self.sequence, actor)));
        }
    }

    // --- The plan ----------------------------------------------------------------------------------------

    /// Takes the next step of the plan; whether it was the last.
    fn follow_plan(&mut self) -> Result<bool, Violation> {
        let (_, step) = self.plan.remove(0);
        self.trace.event(self.now, format_args!("{step:?}"));
        match step {
            PlanStep::Start(i) => {
                self.viewers[i].start(self.now, &mut self.rng);
                self.drain_client(i)?;
            }
            PlanStep::Kill(i) => {
                self.viewers[i].kill();
                self.wake(Actor::Client(i), None);
            }
            PlanStep::Leave(i) => {
                self.viewers[i].leave(self.now);
                self.drain_client(i)?;
            }
            PlanStep::Move(i) => self.viewers[i].change_address(),
            PlanStep::Cut(i, both_ways) => {
                self.viewers[i].down.set_partitioned(true);
                self.viewers[i].up.set_partitioned(both_ways);
            }
            PlanStep::Mend(i) => {
                self.viewers[i].down.set_partitioned(false);
                self.viewers[i].up.set_partitioned(false);
            }
            PlanStep::ServerStops => {
                self.server = None;
                self.viewers.iter_mut().for_each(|viewer| viewer.address_check.forget());
                self.wake(Actor::Server, None);
            }
            PlanStep::ServerStarts => self.start_server(),
            PlanStep::FaultsEnd => {
                for i in 0..self.viewers.len() {
                    self.viewers[i].calm(self.now);
                    self.wake(Actor::Down(i), self.viewers[i].down.poll_timeout());
                    self.wake(Actor::Up(i), self.viewers[i].up.poll_timeout());
                }
            }
            PlanStep::Convergence { of_all } => self.check_convergence(of_all)?,
            PlanStep::SourceEnds => {
                self.source_ended = true;
                if let Some(server) = &mut self.server {
                    server.handle_end_of_source(self.now);
                    self.drain_server()?;
                }
            }
            PlanStep::Over => return Ok(true),
        }
        self.wake(Actor::Plan, self.plan.first().map(|(at, _)| *at));
        Ok(false)
    }

    fn start_server(&mut self) {
        let config = ServerConfig {
            codec: Codec::H264,
            fps: u8::try_from(self.scenario.source.fps).unwrap_or(u8::MAX),
            recovery: self.scenario.recovery,
            viewers_max: self.scenario.viewers_max,
            pairing: false,
        };
        let mut seed = [0; 32];
        self.rng.fill(&mut seed);
        self.server = Some(Server::new(config, Plain, seed, self.now));
        self.made.push(Made::default());
        self.key_requests.forget();
        // A new server's encoder begins with a key frame.
        self.source.request_key();
    }

    // --- The source --------------------------------------------------------------------------------------

    fn capture(&mut self) -> Result<(), Violation> {
        if self.source_ended {
            return Ok(());
        }
        if self.scenario.key_every > 0 && self.units.is_multiple_of(self.scenario.key_every) {
            self.source.request_key();
        }
        self.units += 1;
        let unit = self.source.next_unit();
        self.wake(Actor::Source, Some(self.source.next_capture()));
        let next_id = next_frame(&self.made);
        let Some(server) = &mut self.server else { return Ok(()) };
        let frame_id = server
            .handle_access_unit_with(self.now, unit.bytes.clone(), self.now, unit.references(next_id))
            .map_err(|refused| format!("an access unit was refused: {refused}"))?;
        self.trace.event(self.now, format_args!("frame {frame_id}: {} B, key {}", unit.bytes.len(), unit.key));
        if let Some(made) = self.made.last_mut() {
            made.add(frame_id, &unit);
        }
        self.load.add(self.now, frame_id, unit.bytes.len());
        self.drain_server()
    }

    // --- The server --------------------------------------------------------------------------------------

    fn server_timeout(&mut self) -> Result<(), Violation> {
        let Some(server) = &mut self.server else { return Ok(()) };
        server.handle_timeout(self.now);
        self.drain_server()?;
        self.expect_later("server", self.server.as_ref().and_then(|server| server.poll_timeout()).map(|(at, _)| at))
    }

    fn deliver_up(&mut self, i: usize) -> Result<(), Violation> {
        while let Some(mut datagram) = self.viewers[i].up.poll_deliver(self.now) {
            let Some(server) = &mut self.server else { continue };
            self.trace.datagram(self.now, "server receives", i, &datagram);
            self.viewers[i].address_check.received(&datagram);
            server.handle_datagram(self.now, self.viewers[i].address, &mut datagram);
            self.drain_server()?;
        }
        self.check_link(i)?;
        self.wake(Actor::Up(i), self.viewers[i].up.poll_timeout());
        Ok(())
    }

    fn drain_server(&mut self) -> Result<(), Violation> {
        let mut buf = [0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
        let mut outputs = 0;
        let mut touched = Vec::new();
        while let Some(transmit) = self.server.as_mut().and_then(|server| server.poll_transmit(self.now, &mut buf)) {
            let to = transmit.destination;
            let place = self.viewers.iter().position(|viewer| viewer.address == to || viewer.left.contains(&to));
            let Some(i) = place else { return Err(format!("sent to a stranger: {to}")) };
            for datagram in transmit.datagrams(&buf) {
                self.viewers[i].wire.server_sends(self.now, datagram, &self.load)?;
            }
            if self.viewers[i].address != to {
                continue;
            }
            let size_known = self.server.as_ref().and_then(|server| {
                // An old session and a new one may share an address for a while.
                server.viewers().filter(|viewer| viewer.address == to).map(|viewer| viewer.datagram_bytes_max).max()
            });
            for datagram in transmit.datagrams(&buf) {
                outputs += 1;
                self.trace.datagram(self.now, "server sends", i, datagram);
                self.viewers[i].address_check.sends(datagram, size_known)?;
                self.viewers[i].down.send(self.now, datagram);
            }
            touched.push(i);
            if outputs > OUTPUTS_PER_INPUT_MAX {
                return Err(format!("over {OUTPUTS_PER_INPUT_MAX} datagrams for one input"));
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for i in touched {
            self.check_link(i)?;
            self.wake(Actor::Down(i), self.viewers[i].down.poll_timeout());
        }
        while let Some(event) = self.server.as_mut().and_then(Server::poll_event) {
            self.server_event(event)?;
        }
        let Some(server) = &self.server else { return Ok(()) };
        check::server_caps(&server.stats(), server.viewers())?;
        self.check_paths(server)?;
        let wake = server.poll_timeout().map(|(at, _)| at);
        self.wake(Actor::Server, wake);
        Ok(())
    }

    fn server_event(&mut self, event: ServerEvent) -> Result<(), Violation> {
        self.trace.event(self.now, format_args!("{event:?}"));
        match event {
            ServerEvent::KeyFrameWanted => {
                self.key_requests.add(self.now)?;
                self.source.request_key();
            }
            ServerEvent::ReferenceWanted { reference } => {
                self.source.request_reference(next_frame(&self.made) - reference);
            }
            // A file is what it is.
            ServerEvent::BitrateWanted(_) if self.scenario.recovery == Recovery::Nothing => {}
            ServerEvent::BitrateWanted(bits) => self.source.limit(bits),
            ServerEvent::Finished => self.finished = true,
            ServerEvent::ViewerMoved { .. } => self.moves_followed += 1,
            ServerEvent::ViewerJoined { .. }
            | ServerEvent::ViewerLeft { .. }
            | ServerEvent::ReferenceShared { .. }
            | ServerEvent::PairingCode(_) => {}
        }
        Ok(())
    }

    // --- The viewers -------------------------------------------------------------------------------------

    fn client_timeout(&mut self, i: usize) -> Result<(), Violation> {
        let Some(client) = &mut self.viewers[i].client else { return Ok(()) };
        client.handle_timeout(self.now);
        self.drain_client(i)?;
        let next = self.viewers[i].client.as_ref().and_then(|client| client.poll_timeout()).map(|(at, _)| at);
        self.expect_later("viewer", next)
    }

    fn deliver_down(&mut self, i: usize) -> Result<(), Violation> {
        while let Some(mut datagram) = self.viewers[i].down.poll_deliver(self.now) {
            let Viewer { client, wire, .. } = &mut self.viewers[i];
            let Some(client) = client else { continue };
            wire.viewer_receives(self.now, &datagram, &self.load);
            client.handle_datagram(self.now, SERVER, &mut datagram);
            self.drain_client(i)?;
        }
        self.check_link(i)?;
        self.wake(Actor::Down(i), self.viewers[i].down.poll_timeout());
        Ok(())
    }

    fn drain_client(&mut self, i: usize) -> Result<(), Violation> {
        let viewer = &mut self.viewers[i];
        viewer.transmit(self.now, &mut self.trace, OUTPUTS_PER_INPUT_MAX)?;
        viewer.events(self.now, &mut self.trace, &self.made)?;
        let wake = viewer.client.as_ref().and_then(|client| client.poll_timeout()).map(|(at, _)| at);
        let up = viewer.up.poll_timeout();
        self.wake(Actor::Client(i), wake);
        self.wake(Actor::Up(i), up);
        Ok(())
    }
}
