//! What a seed stands for: a source, viewers, their paths, and what goes wrong until when.

use core::fmt;
use core::time::Duration;

use nalcast_core::send::Recovery;
use nalcast_core::{Rng, Timestamp};

use crate::link::{LinkConfig, LossModel};
use crate::source::SourceModel;

/// The name of scenarios that a seed alone determines.
pub const FROM_SEED: &str = "seed";

/// One viewer's part in a scenario.
#[derive(Clone, Debug)]
pub struct ViewerPlan {
    /// When it starts to connect.
    pub joins: Timestamp,
    /// When its user closes it.
    pub leaves: Option<Timestamp>,
    /// Between these times it does not exist: killed without a word, then started anew.
    pub killed: Option<(Timestamp, Timestamp)>,
    /// When its address changes.
    pub moves: Vec<Timestamp>,
    /// Between these times nothing passes to it, nor from it if `both_ways`.
    pub partition: Option<Partition>,
    /// The path from the server while faults are on.
    pub down: LinkConfig,
    /// The path to the server while faults are on.
    pub up: LinkConfig,
}

/// A time in which nothing passes.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Whether it also cuts the way to the server.
    pub both_ways: bool,
}

/// Everything that a run is determined by.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Names it in reports.
    pub name: &'static str,
    /// Decides everything random.
    pub seed: u64,
    /// What is streamed.
    pub source: SourceModel,
    /// What the source does when asked; a file makes a key frame each `key_every` units instead.
    pub recovery: Recovery,
    /// A key frame comes by itself each so many units; 0 = never.
    pub key_every: u64,
    /// The viewers.
    pub viewers: Vec<ViewerPlan>,
    /// Viewers that the server takes at once.
    pub viewers_max: usize,
    /// Between these times the server does not exist: its successor knows nothing of what was.
    pub server_down: Option<(Timestamp, Timestamp)>,
    /// When every fault ends; from then on the run must converge.
    pub faults_end: Timestamp,
    /// How long it may take each viewer to show a fresh frame after that.
    pub converges_within: Duration,
    /// When the source ends.
    pub source_ends: Timestamp,
}

/// A path that only takes its time.
#[must_use]
pub fn clean(delay_ms: u64) -> LinkConfig {
    LinkConfig { delay: Duration::from_millis(delay_ms), ..LinkConfig::default() }
}

impl ViewerPlan {
    /// A viewer that is there from the start, over these paths.
    #[must_use]
    pub const fn new(down: LinkConfig, up: LinkConfig) -> Self {
        Self { joins: Timestamp::ZERO, leaves: None, killed: None, moves: Vec::new(), partition: None, down, up }
    }
}

impl Scenario {
    /// `viewers` clean viewers at 10 ms, ten seconds of faults (none yet), eight of calm.
    #[must_use]
    pub fn calm(name: &'static str, seed: u64, viewers: usize) -> Self {
        let source = SourceModel { key_bytes: 30_000, delta_bytes: 500..=9_000, ..SourceModel::default() };
        Self {
            name,
            seed,
            source,
            recovery: Recovery::KeyFrames,
            key_every: 0,
            viewers: vec![ViewerPlan::new(clean(10), clean(10)); viewers],
            viewers_max: 64,
            server_down: None,
            faults_end: Timestamp::from_millis(10_000),
            converges_within: Duration::from_secs(3),
            source_ends: Timestamp::from_millis(18_000),
        }
    }

    /// The same, with every viewer behind `down` in both directions (feedback suffers alike).
    #[must_use]
    pub fn impaired(name: &'static str, seed: u64, viewers: usize, path: &LinkConfig) -> Self {
        let viewers = vec![ViewerPlan::new(path.clone(), path.clone()); viewers];
        Self { viewers, ..Self::calm(name, seed, 0) }
    }

    /// Whatever the seed says.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed).fork(1);
        let most = if rng.chance_ppm(100_000) { 12 } else { 4 };
        let count = 1 + rng.below(most) as usize;
        let mut scenario = Self::calm(FROM_SEED, seed, 0);
        scenario.source.fps = [5, 15, 30, 60][rng.below(4) as usize];
        scenario.source.key_bytes = 2_000 + rng.below(90_000) as usize;
        let delta_max = 200 + rng.below(12_000) as usize;
        scenario.source.delta_bytes = 40..=delta_max;
        scenario.source.disposable_every = rng.below(4) as u32;
        scenario.source.delimiters = rng.chance_ppm(300_000);
        scenario.recovery = if rng.chance_ppm(150_000) { Recovery::Nothing } else { Recovery::KeyFrames };
        scenario.key_every = if scenario.is_live() { 0 } else { 30 + rng.below(60) };
        let mut rng_of_encoder = Rng::new(seed).fork(2);
        if scenario.is_live() && rng_of_encoder.chance_ppm(400_000) {
            scenario.source.temporal_layers = 1 + rng_of_encoder.below(3) as u32;
            scenario.source.long_term_every = rng_of_encoder.below(40) as u32;
            if scenario.source.long_term_every > 0 {
                scenario.recovery = Recovery::LongTermReferences;
            }
        }
        scenario.viewers = (0..count).map(|_| plan(&mut rng, scenario.faults_end)).collect();
        if rng.chance_ppm(120_000) {
            let from = 1_000 + rng.below(5_000);
            scenario.server_down =
                Some((Timestamp::from_millis(from), Timestamp::from_millis(from + 200 + rng.below(2_500))));
        }
        if rng.chance_ppm(50_000) {
            scenario.viewers_max = 1 + rng.below(count as u64) as usize;
        }
        // Of a generator of their own: what a seed meant before stays as it was.
        let mut rng = Rng::new(seed).fork(4);
        for viewer in &mut scenario.viewers {
            if rng.chance_ppm(400_000) {
                viewer.down.mtu_bytes = 1_200 + rng.below(280) as usize;
            }
            if rng.chance_ppm(150_000) {
                let moves = 1 + rng.below(3);
                viewer.moves =
                    (0..moves).map(|_| Timestamp::from_micros(rng.below(scenario.faults_end.as_micros()))).collect();
            }
        }
        let interrupted = scenario.server_down.is_some()
            || scenario.viewers_max < count
            || scenario
                .viewers
                .iter()
                .any(|viewer| viewer.partition.is_some() || viewer.killed.is_some() || !viewer.moves.is_empty());
        if interrupted || !scenario.is_live() {
            // Silence is noticed after ten seconds, and the pause before a new attempt grows to ten.
            scenario.converges_within = Duration::from_secs(25);
            scenario.source_ends = scenario.faults_end + Duration::from_secs(31);
        }
        scenario
    }
}

/// A path with each kind of fault either off or somewhere in its range.
fn path(rng: &mut Rng) -> LinkConfig {
    let ms = Duration::from_millis;
    let mut path = clean(rng.below(100));
    match rng.below(5) {
        0 => path.loss = LossModel::Independent { ppm: rng.below(200_000) as u32 },
        1 => path.loss = LossModel::runs(20 + rng.below(300) as u32, 1 + rng.below(8) as u32),
        _ => {}
    }
    if rng.chance_ppm(300_000) {
        path.jitter = ms(rng.below(30));
        path.jitter_reorders = rng.chance_ppm(500_000);
    }
    if rng.chance_ppm(200_000) {
        path.hold_back_ppm = rng.below(50_000) as u32;
        path.hold_back_max = ms(1 + rng.below(40));
    }
    if rng.chance_ppm(200_000) {
        path.duplicate_ppm = rng.below(200_000) as u32;
        path.duplicate_spread = ms(rng.below(30));
    }
    if rng.chance_ppm(200_000) {
        path.corrupt_ppm = rng.below(50_000) as u32;
        path.truncate_ppm = rng.below(20_000) as u32;
    }
    if rng.chance_ppm(250_000) {
        path.rate_bps = 500_000 + rng.below(20_000_000);
        path.queue_bytes = 10_000 + rng.below(200_000) as usize;
    }
    path
}

fn plan(rng: &mut Rng, faults_end: Timestamp) -> ViewerPlan {
    let within = |rng: &mut Rng| Timestamp::from_micros(rng.below(faults_end.as_micros() * 7 / 10));
    let down = path(rng);
    let up = LinkConfig { rate_bps: 0, queue_bytes: 0, ..path(rng) };
    let mut plan = ViewerPlan::new(down, up);
    if rng.chance_ppm(400_000) {
        plan.joins = within(rng);
    }
    if rng.chance_ppm(100_000) {
        plan.leaves = Some(plan.joins + Duration::from_millis(500 + rng.below(6_000)));
    } else if rng.chance_ppm(100_000) {
        let from = plan.joins + Duration::from_millis(500 + rng.below(2_000));
        plan.killed = Some((from, (from + Duration::from_millis(rng.below(4_000))).min(faults_end)));
    } else if rng.chance_ppm(150_000) {
        let from = within(rng);
        let to = (from + Duration::from_millis(50 + rng.below(3_000))).min(faults_end);
        plan.partition = Some(Partition { from, to, both_ways: rng.chance_ppm(700_000) });
    }
    plan
}

impl Scenario {
    /// Whether the source answers when it is asked for a way back.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.recovery > Recovery::Nothing
    }
}

impl fmt::Display for Scenario {
    /// All of it, a line a viewer: printed before a run, so that a crash leaves it behind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.recovery {
            Recovery::Nothing => "file",
            Recovery::KeyFrames => "live",
            Recovery::LongTermReferences => "live with long-term references",
        };
        writeln!(
            f,
            "{} (seed {}): {kind} source, {} fps, key {} B, delta {:?} B, faults until {}, source ends {}",
            self.name,
            self.seed,
            self.source.fps,
            self.source.key_bytes,
            self.source.delta_bytes,
            self.faults_end,
            self.source_ends
        )?;
        if let Some((from, to)) = self.server_down {
            writeln!(f, "  server down {from}..{to}")?;
        }
        for (i, viewer) in self.viewers.iter().enumerate() {
            write!(f, "  viewer {i}: joins {}", viewer.joins)?;
            if let Some(leaves) = viewer.leaves {
                write!(f, ", leaves {leaves}")?;
            }
            if let Some((from, to)) = viewer.killed {
                write!(f, ", killed {from}..{to}")?;
            }
            for at in &viewer.moves {
                write!(f, ", moves {at}")?;
            }
            if let Some(Partition { from, to, both_ways }) = viewer.partition {
                write!(f, ", cut off {from}..{to}{}", if both_ways { "" } else { " (downwards)" })?;
            }
            writeln!(f, "\n    down: {}\n    up:   {}", viewer.down, viewer.up)?;
        }
        Ok(())
    }
}
