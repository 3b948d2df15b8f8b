//! The outer ring: the shells' real loops on turmoil's network, behind the link model. What the inner ring cannot
//! show: async loops, hosts that crash and come back, sockets that close.

use core::cell::{Cell, RefCell};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent, EndReason};
use nalcast_core::send::{Recovery, Server, ServerConfig};
use nalcast_core::{Rng, Timestamp};
use shell_server::source::SourceEvent;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::check::{Made, SessionChecker, Violation};
use crate::impaired::{Egress, ImpairedSocket, Passing, network};
use crate::link::LinkConfig;
use crate::plain::Plain;
use crate::source::{SourceModel, SyntheticSource};
use crate::wire_check::{Load, WireChecker};

const PORT: u16 = 4600;
/// turmoil stops a host's tasks when its software ends: time for the last goodbye to arrive.
const AFTERGLOW: Duration = Duration::from_millis(500);

/// One viewer of the outer ring.
#[derive(Clone, Debug)]
pub struct OuterViewer {
    /// When it starts.
    pub starts: Duration,
    /// When its process is killed without a word, and when it is started again.
    pub killed: Option<(Duration, Duration)>,
    /// When its network is cut in both directions, and when it heals.
    pub cut: Option<(Duration, Duration)>,
    /// The path from the server while faults are on.
    pub down: LinkConfig,
    /// The path to the server while faults are on.
    pub up: LinkConfig,
}

impl OuterViewer {
    /// A viewer from the start on, over these paths.
    #[must_use]
    pub const fn new(down: LinkConfig, up: LinkConfig) -> Self {
        Self { starts: Duration::ZERO, killed: None, cut: None, down, up }
    }
}

/// What a run of the outer ring is determined by.
#[derive(Clone, Debug)]
pub struct OuterScenario {
    /// Decides everything random.
    pub seed: u64,
    /// The viewers.
    pub viewers: Vec<OuterViewer>,
    /// When the server's host crashes and comes back.
    pub crash: Option<(Duration, Duration)>,
    /// When every fault of the paths ends.
    pub faults_end: Duration,
    /// When the source ends.
    pub source_ends: Duration,
}

/// What one viewer had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OuterReport {
    /// Frames released: time, frame id.
    pub released: Vec<(Duration, u64)>,
    /// Frames given up.
    pub abandoned: u64,
    /// Sessions.
    pub sessions: u64,
    /// How it ended.
    pub end: Option<EndReason>,
}

/// What the source can do.
const RECOVERY: Recovery = Recovery::KeyFrames;

/// State that hosts share; a run is single-threaded.
struct Shared {
    made: RefCell<Vec<Made>>,
    reports: RefCell<Vec<OuterReport>>,
    violations: RefCell<Vec<Violation>>,
    paths: RefCell<BTreeMap<IpAddr, LinkConfig>>,
    load: RefCell<Load>,
    wires: RefCell<BTreeMap<IpAddr, WireChecker>>,
}

impl Shared {
    fn new() -> Self {
        Self {
            made: RefCell::default(),
            reports: RefCell::default(),
            violations: RefCell::default(),
            paths: RefCell::default(),
            load: RefCell::new(Load::new(RECOVERY)),
            wires: RefCell::default(),
        }
    }

    /// What the server and a viewer say to each other is checked where it leaves, and where it arrives.
    fn watch(&self, viewer: IpAddr, check: impl FnOnce(&mut WireChecker, &Load) -> Result<(), Violation>) {
        let mut wires = self.wires.borrow_mut();
        if let Err(what) = check(wires.entry(viewer).or_default(), &self.load.borrow()) {
            self.violations.borrow_mut().push(format!("viewer {viewer}: {what}"));
        }
    }
}

/// Runs a scenario: what each viewer had.
///
/// # Errors
/// The laws that were broken.
pub fn run(scenario: &OuterScenario) -> Result<Vec<OuterReport>, Vec<Violation>> {
    let shared = Rc::new(Shared::new());
    shared.reports.borrow_mut().resize(scenario.viewers.len(), OuterReport::default());
    let mut sim = network(scenario.seed, scenario.source_ends + Duration::from_secs(60)).build();
    let paths = Rc::clone(&shared);
    let down = Egress::new(scenario.seed, move |host| paths.paths.borrow().get(&host).cloned().unwrap_or_default());
    {
        let shared = Rc::clone(&shared);
        down.observe(move |now, way, viewer, datagram| {
            if way == Passing::Out {
                shared.watch(viewer.ip(), |wire, load| wire.server_sends(now, datagram, load));
            }
        });
    }
    {
        let (shared, down, scenario) = (Rc::clone(&shared), down.clone(), scenario.clone());
        sim.host("server", move || serve(Rc::clone(&shared), down.clone(), scenario.clone()));
    }
    let server: IpAddr = sim.lookup("server");
    let mut ups = Vec::new();
    for (i, viewer) in scenario.viewers.iter().enumerate() {
        let path = viewer.up.clone();
        let up = Egress::new(scenario.seed ^ (i as u64 + 1) << 32, move |_| path.clone());
        let name = format!("viewer-{i}");
        sim.client(name.as_str(), watch(Rc::clone(&shared), up.clone(), i, viewer.clone(), scenario.seed));
        let address = sim.lookup(name.as_str());
        shared.paths.borrow_mut().insert(address, viewer.down.clone());
        let watching = Rc::clone(&shared);
        up.observe(move |now, way, _, datagram| {
            watching.watch(address, |wire, load| match way {
                Passing::Out => wire.viewer_sends(now, datagram),
                Passing::In => {
                    wire.viewer_receives(now, datagram, load);
                    Ok(())
                }
            });
        });
        ups.push((sim.lookup(name.as_str()), up));
    }
    let mut timeline = Timeline::new(scenario);
    loop {
        match sim.step() {
            Ok(true) => break,
            Ok(false) => {}
            Err(error) => {
                shared.violations.borrow_mut().push(error.to_string());
                break;
            }
        }
        let now = sim.elapsed();
        for change in timeline.due(now) {
            match change {
                Change::Crash => sim.crash("server"),
                Change::Bounce => sim.bounce("server"),
                Change::Cut(i, cut) => {
                    let (viewer, up) = &ups[i];
                    down.set_partitioned(*viewer, cut);
                    up.set_partitioned(server, cut);
                }
                Change::Calm => {
                    for ((viewer, up), plan) in ups.iter().zip(&scenario.viewers) {
                        down.set_config(*viewer, LinkConfig { delay: plan.down.delay, ..LinkConfig::default() });
                        up.set_config(server, LinkConfig { delay: plan.up.delay, ..LinkConfig::default() });
                    }
                }
            }
        }
    }
    drop(sim);
    let violations = shared.violations.take();
    if violations.is_empty() { Ok(shared.reports.take()) } else { Err(violations) }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Crash,
    Bounce,
    Cut(usize, bool),
    Calm,
}

/// The changes from outside, in order of time.
struct Timeline(Vec<(Duration, Change)>);

impl Timeline {
    fn new(scenario: &OuterScenario) -> Self {
        let mut changes = vec![(scenario.faults_end, Change::Calm)];
        if let Some((from, to)) = scenario.crash {
            changes.extend([(from, Change::Crash), (to, Change::Bounce)]);
        }
        for (i, viewer) in scenario.viewers.iter().enumerate() {
            if let Some((from, to)) = viewer.cut {
                changes.extend([(from, Change::Cut(i, true)), (to, Change::Cut(i, false))]);
            }
        }
        changes.sort_by_key(|(at, _)| *at);
        Self(changes)
    }

    fn due(&mut self, now: Duration) -> Vec<Change> {
        let due = self.0.iter().take_while(|(at, _)| *at <= now).count();
        self.0.drain(..due).map(|(_, change)| change).collect()
    }
}

type HostResult = turmoil::Result;

/// The server's host: a source beside the shell's own loop.
async fn serve(shared: Rc<Shared>, egress: Egress, scenario: OuterScenario) -> HostResult {
    let socket = ImpairedSocket::bind(SocketAddr::from(([0, 0, 0, 0], PORT)), &egress).await?;
    let incarnation = shared.made.borrow().len();
    shared.made.borrow_mut().push(Made::default());
    let clock = shell_server::clock::Clock::start();
    let model = SourceModel { key_bytes: 30_000, delta_bytes: 500..=9_000, ..SourceModel::default() };
    let fps = u8::try_from(model.fps).unwrap_or(u8::MAX);
    let wishes = Rc::new(Wishes::default());
    let (units, mut source) = mpsc::channel(4);
    {
        let (wishes, shared) = (Rc::clone(&wishes), Rc::clone(&shared));
        let synthetic = SyntheticSource::new(scenario.seed ^ incarnation as u64, model);
        tokio::task::spawn_local(feed(synthetic, units, wishes, shared, scenario.source_ends));
    }
    let config = ServerConfig { codec: Codec::H264, fps, recovery: RECOVERY, viewers_max: 64, pairing: false };
    let mut secret = [0; 32];
    Rng::new(scenario.seed ^ incarnation as u64).fork(9).fill(&mut secret);
    let server = Server::new(config, Plain, secret, clock.now());
    let mut hooks = Hooks(wishes);
    // Nobody asks for anything.
    let (_, mut removals) = mpsc::channel(1);
    let io = shell_server::driver::ServerIo {
        source: &mut source,
        removals: &mut removals,
        hooks: &mut hooks,
        wait_viewers: 0,
    };
    shell_server::driver::run(&socket, server, clock, io, core::future::pending()).await?;
    tokio::time::sleep(AFTERGLOW).await;
    Ok(())
}

/// What the server wishes of its source.
#[derive(Default)]
struct Wishes {
    key: Cell<bool>,
    bits_per_second: Cell<Option<u64>>,
}

struct Hooks(Rc<Wishes>);

impl shell_server::driver::ServerHooks for Hooks {
    fn request_key_frame(&mut self) {
        self.0.key.set(true);
    }

    fn limit_bitrate(&mut self, bits_per_second: Option<u64>) {
        self.0.bits_per_second.set(bits_per_second);
    }
}

/// Captures at the source's pace until it ends.
async fn feed(
    mut source: SyntheticSource,
    units: mpsc::Sender<SourceEvent>,
    wishes: Rc<Wishes>,
    shared: Rc<Shared>,
    ends: Duration,
) {
    let start = Instant::now();
    let mut frame_id = 0;
    while turmoil::sim_elapsed().is_some_and(|elapsed| elapsed < ends) {
        let capture = start + Duration::from_micros(source.next_capture().as_micros());
        tokio::time::sleep_until(capture).await;
        if wishes.key.take() {
            source.request_key();
        }
        source.limit(wishes.bits_per_second.get());
        let unit = source.next_unit();
        frame_id += 1;
        if let Some(made) = shared.made.borrow_mut().last_mut() {
            made.add(frame_id, &unit);
        }
        shared.load.borrow_mut().add(
            Timestamp::ZERO + turmoil::sim_elapsed().unwrap_or_default(),
            frame_id,
            unit.bytes.len(),
        );
        let event = SourceEvent::AccessUnit { bytes: unit.bytes, captured: Instant::now().into_std() };
        if units.send(event).await.is_err() {
            return;
        }
    }
    drop(units.send(SourceEvent::Ended).await);
}

/// A viewer's host: the shell's own loop, killed and started again if the plan says so.
async fn watch(shared: Rc<Shared>, egress: Egress, index: usize, plan: OuterViewer, seed: u64) -> HostResult {
    tokio::time::sleep(plan.starts).await;
    let first = view(&shared, &egress, index, seed);
    if let Some((from, to)) = plan.killed {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        if tokio::time::timeout(from.saturating_sub(now), first).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(to.saturating_sub(from)).await;
        return view(&shared, &egress, index, seed ^ 0xb).await;
    }
    first.await
}

async fn view(shared: &Rc<Shared>, egress: &Egress, index: usize, seed: u64) -> HostResult {
    let socket = ImpairedSocket::bind(SocketAddr::from(([0, 0, 0, 0], 0)), egress).await?;
    let server = SocketAddr::from((turmoil::lookup("server"), PORT));
    let clock = shell_client::clock::Clock::start();
    let mut client_seed = [0; 32];
    Rng::new(seed).fork(index as u64 + 100).fill(&mut client_seed);
    let client =
        Client::new(ClientConfig { server, budget: None, smooth: false, code: None }, Plain, client_seed, clock.now());
    let mut sink = Checked { shared: Rc::clone(shared), index, session: SessionChecker::default(), server: None };
    let outcome = shell_client::driver::run(&socket, client, clock, &mut sink, core::future::pending()).await?;
    if let Some(report) = shared.reports.borrow_mut().get_mut(index) {
        report.end = Some(outcome.reason);
    }
    tokio::time::sleep(AFTERGLOW).await;
    Ok(())
}

/// Checks everything that a viewer's core releases.
struct Checked {
    shared: Rc<Shared>,
    index: usize,
    session: SessionChecker,
    server: Option<usize>,
}

impl shell_client::driver::Sink for Checked {
    fn event(&mut self, _now: Timestamp, event: ClientEvent) {
        let mut reports = self.shared.reports.borrow_mut();
        let Some(report) = reports.get_mut(self.index) else { return };
        let checked = match event {
            ClientEvent::Connected => {
                report.sessions += 1;
                self.session = SessionChecker::default();
                self.server = None;
                Ok(())
            }
            ClientEvent::AccessUnit(unit) => {
                report.released.push((turmoil::sim_elapsed().unwrap_or_default(), unit.frame_id));
                let made = self.shared.made.borrow();
                let fits = |made: &Made| SessionChecker::default().released(&unit, made).is_ok();
                let server = self.server.or_else(|| made.iter().rposition(fits));
                self.server = server;
                match server.and_then(|server| made.get(server)) {
                    Some(made) => self.session.released(&unit, made),
                    None => Err(format!("frame {} is what no server made", unit.frame_id)),
                }
            }
            ClientEvent::Abandoned { from, to, reason } => {
                report.abandoned += to - from + 1;
                self.session.abandoned(from, to, reason)
            }
            ClientEvent::Frame(record) => self.session.recorded(&record),
            ClientEvent::Lost { .. } | ClientEvent::Config(_) | ClientEvent::Freeze(_) | ClientEvent::Ended(_) => {
                Ok(())
            }
        };
        if let Err(what) = checked {
            self.shared.violations.borrow_mut().push(format!("viewer {}: {what}", self.index));
        }
    }
}
