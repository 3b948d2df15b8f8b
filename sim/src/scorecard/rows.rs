//! The rows of the table: paths, sources, budgets, and what happens when.

use core::fmt;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::limits::DATAGRAM_BYTES_BASE;
use nalcast_core::send::Recovery;
use serde::Serialize;

use crate::link::{LinkConfig, LossModel};
use crate::source::SourceModel;

/// Frames a second of every source here.
pub(super) const FPS: u32 = 30;
/// What a fragment carries in a datagram of the base size: less outer header, fragment header and tag.
const FRAGMENT_BYTES: usize = DATAGRAM_BYTES_BASE - 25;
/// What the frame header needs at most, and a little more: full fragments all the same.
const HEADER_ROOM_BYTES: usize = 20;
/// Frames of a cell at most.
const FRAMES_MAX: u64 = 100_000;
/// Frames of a cell at least.
const FRAMES_MIN: u64 = 2_000;
/// Seconds of each fault row: 3 to settle, 27 that count.
const FAULT_FRAMES: u64 = 27 * FPS as u64;
/// When faults begin that begin: two seconds after counting does.
const FAULT_AT: Duration = Duration::from_secs(5);

/// Which part of the table a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Group {
    /// Each datagram is lost by its own chance.
    Independent,
    /// Losses come in bursts, on a path that is otherwise plain.
    Bursts,
    /// Presets of well-known paths: bursts, jitter and a bottleneck at once.
    Presets,
    /// Everything else that goes wrong, and nothing at all.
    Faults,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Independent => "Independent loss, both ways",
            Self::Bursts => "Losses in bursts, both ways",
            Self::Presets => "Presets of well-known paths",
            Self::Faults => "Jitter, reordering, outages, bottlenecks",
        })
    }
}

/// What a row has to show beyond its distance to what is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    None,
    /// No parity, no repair, no delay: nothing is wrong.
    Untouched,
    /// No repair: everything arrives, in whatever order.
    NoRepair,
}

/// Something that happens to the path.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Nothing passes downwards, upwards.
    Cut { down: bool, up: bool },
    /// The way down is another one from now on.
    Down(LinkConfig),
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Names it, also in file names.
    pub name: String,
    /// Which part of the table it belongs to.
    pub group: Group,
    /// Data fragments of each frame but the key frame.
    pub fragments: u16,
    /// What remains of the budget after the first possible arrival of a whole frame.
    pub spare: Duration,
    /// What it has to show.
    pub demand: Demand,
    pub(super) down: LinkConfig,
    pub(super) up: LinkConfig,
    /// What happens, by the time since the source began.
    pub(super) changes: Vec<(Duration, Change)>,
    /// What the source does when asked.
    pub(super) recovery: Recovery,
    pub(super) frames_min: u64,
    pub(super) frames_max: u64,
    /// What the changes are, in words.
    note: &'static str,
}

impl Row {
    fn new(name: String, group: Group, way: LinkConfig, spare_ms: u64) -> Self {
        let way = LinkConfig { mtu_bytes: DATAGRAM_BYTES_BASE, ..way };
        Self {
            name,
            group,
            fragments: 10,
            spare: Duration::from_millis(spare_ms),
            demand: Demand::None,
            up: LinkConfig { rate_bps: 0, queue_bytes: 0, ..way.clone() },
            down: way,
            changes: Vec::new(),
            recovery: Recovery::Nothing,
            frames_min: FRAMES_MIN,
            frames_max: FRAMES_MAX,
            note: "",
        }
    }

    /// The same with so many frames, whatever becomes of them.
    #[must_use]
    pub fn frames(self, frames: u64) -> Self {
        Self { frames_min: frames, frames_max: frames, ..self }
    }

    /// The round trip, jitter at its mean.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        self.down.delay + self.up.delay + (self.down.jitter + self.up.jitter) / 2
    }

    /// Chance of a datagram to be lost where each has its own, parts per million.
    #[must_use]
    pub const fn loss_ppm(&self) -> Option<u32> {
        match self.down.loss {
            LossModel::Independent { ppm } => Some(ppm),
            LossModel::None
            | LossModel::BurstByPacket { .. }
            | LossModel::BurstByTime { .. }
            | LossModel::Scripted(_) => None,
        }
    }

    /// The path in words.
    #[must_use]
    pub fn path(&self) -> String {
        let path = LinkConfig { mtu_bytes: 0, ..self.down.clone() }.to_string();
        if self.note.is_empty() { path } else { format!("{path}; {}", self.note) }
    }

    pub(super) fn source(&self) -> SourceModel {
        let bytes = usize::from(self.fragments) * FRAGMENT_BYTES - HEADER_ROOM_BYTES;
        SourceModel {
            fps: FPS,
            key_bytes: 30_000,
            delta_bytes: bytes..=bytes,
            disposable_every: 0,
            long_term_every: if self.recovery == Recovery::LongTermReferences { 10 } else { 0 },
            ..SourceModel::default()
        }
    }

    /// The same path with nothing wrong: what is possible on it.
    pub(super) fn unimpaired(&self) -> Self {
        let way = |way: &LinkConfig| LinkConfig {
            mtu_bytes: way.mtu_bytes,
            rate_bps: way.rate_bps,
            queue_bytes: way.queue_bytes,
            delay: way.delay,
            ..LinkConfig::default()
        };
        Self { down: way(&self.down), up: way(&self.up), changes: Vec::new(), ..self.clone() }.frames(60)
    }
}

fn independent(loss_ppm: u32, rtt_ms: u64, spare_ms: u64, fragments: u16) -> Row {
    let way = LinkConfig {
        loss: LossModel::Independent { ppm: loss_ppm },
        delay: Duration::from_millis(rtt_ms) / 2,
        ..LinkConfig::default()
    };
    let percent = f64::from(loss_ppm) / 1e4;
    let name = format!("loss {percent} %, RTT {rtt_ms}, B {spare_ms}, k {fragments}");
    Row { fragments, ..Row::new(name, Group::Independent, way, spare_ms) }
}

fn all_independent() -> Vec<Row> {
    let losses = [5_000, 10_000, 20_000, 50_000, 100_000, 200_000];
    let mut rows = Vec::new();
    for loss in losses {
        for rtt in [20, 50, 100, 200] {
            rows.extend([100, 200, 300].map(|spare| independent(loss, rtt, spare, 10)));
        }
        rows.extend([1, 5, 20].map(|fragments| independent(loss, 50, 100, fragments)));
    }
    rows
}

/// Chances in parts per million: to turn bad, to turn good, of loss while good, of loss while bad.
const CHANNELS: [(&str, [u32; 4]); 6] = [
    ("runs of 2, 1 %", [5_000, 500_000, 0, 1_000_000]),
    ("runs of 2, 4.8 %", [25_000, 500_000, 0, 1_000_000]),
    ("runs of 2, 2 %", [10_000, 500_000, 0, 1_000_000]),
    ("lossy states, 7.4 %", [68_000, 852_000, 40_000, 500_000]),
    ("runs of 5, 1 %", [2_020, 200_000, 0, 1_000_000]),
    ("runs of 10, 2 %", [2_041, 100_000, 0, 1_000_000]),
];

fn bursts() -> Vec<Row> {
    let plain = |loss| LinkConfig { loss, delay: Duration::from_millis(25), ..LinkConfig::default() };
    let mut rows = Vec::new();
    let mut add = |name: &str, loss: LossModel| {
        for spare in [50, 100, 200] {
            rows.push(Row::new(format!("{name}, RTT 50, B {spare}"), Group::Bursts, plain(loss.clone()), spare));
        }
    };
    for (name, [good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm, loss_bad_ppm]) in CHANNELS {
        add(name, LossModel::BurstByPacket { good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm, loss_bad_ppm });
    }
    for (name, good, bad) in [("gaps of 10 ms", 1_000, 10), ("gaps of 100 ms", 10_000, 100)] {
        let (good_mean, bad_mean) = (Duration::from_millis(good), Duration::from_millis(bad));
        add(name, LossModel::BurstByTime { good_mean, bad_mean, loss_good_ppm: 0, loss_bad_ppm: 1_000_000 });
    }
    rows
}

fn presets() -> Vec<Row> {
    let preset = |name: &str, way| Row::new(name.to_owned(), Group::Presets, way, 200);
    vec![
        preset("wifi", LinkConfig::wifi()),
        preset("wifi lossy", LinkConfig::wifi_lossy()),
        preset("cellular", LinkConfig::cellular()),
        preset("satellite", LinkConfig::satellite()),
        preset("congested", LinkConfig::congested()),
        preset("wifi congested", LinkConfig::wifi_congested()),
    ]
}

fn faults() -> Vec<Row> {
    let ms = Duration::from_millis;
    let way = |delay| LinkConfig { delay: ms(delay), ..LinkConfig::default() };
    let row = |name: &str, way| Row::new(name.to_owned(), Group::Faults, way, 200).frames(FAULT_FRAMES);
    let clean = |rtt: u64| Row {
        demand: Demand::Untouched,
        spare: ms(300),
        ..row(&format!("clean, RTT {rtt}, B 300"), way(rtt / 2))
    };
    let reordering = LinkConfig { jitter: ms(30), jitter_reorders: true, ..way(10) };
    let duplication = LinkConfig { duplicate_ppm: 200_000, duplicate_spread: ms(20), ..way(25) };
    let mut rows = vec![
        clean(20),
        clean(50),
        clean(100),
        row("jitter 30 ms", LinkConfig { jitter: ms(30), ..way(10) }),
        Row { demand: Demand::NoRepair, ..row("reordering +-15 ms", reordering) },
        Row { demand: Demand::NoRepair, ..row("duplication 20 %", duplication) },
    ];
    let outage = |name, note, millis, down, up| Row {
        note,
        changes: vec![
            (FAULT_AT, Change::Cut { down, up }),
            (FAULT_AT + ms(millis), Change::Cut { down: false, up: false }),
        ],
        ..row(name, way(25))
    };
    rows.extend([
        outage("blackout 0.2 s", "nothing passes for 0.2 s", 200, true, true),
        outage("blackout 1 s", "nothing passes for 1 s", 1_000, true, true),
        outage("blackout 5 s", "nothing passes for 5 s", 5_000, true, true),
        outage("blackout 1 s down", "nothing passes to the viewer for 1 s", 1_000, true, false),
        outage("blackout 1 s up", "nothing passes to the server for 1 s", 1_000, false, true),
    ]);
    let narrow = LinkConfig { rate_bps: 2_000_000, queue_bytes: 50_000, mtu_bytes: DATAGRAM_BYTES_BASE, ..way(25) };
    let bottleneck = |name, recovery| Row {
        note: "2 Mbit/s from the fifth second on",
        recovery,
        changes: vec![(FAULT_AT, Change::Down(narrow.clone()))],
        ..row(name, way(25))
    };
    rows.extend([
        bottleneck("bottleneck, file", Recovery::Nothing),
        bottleneck("bottleneck, live", Recovery::KeyFrames),
    ]);
    rows.extend([
        Row {
            recovery: Recovery::KeyFrames,
            ..outage("blackout 1 s, key frames", "nothing passes for 1 s", 1_000, true, true)
        },
        Row {
            recovery: Recovery::LongTermReferences,
            ..outage("blackout 1 s, references", "nothing passes for 1 s", 1_000, true, true)
        },
    ]);
    rows
}

/// All rows, as long as they have to be.
#[must_use]
pub fn full() -> Vec<Row> {
    [all_independent(), bursts(), presets(), faults()].concat()
}

/// A few rows that stand for the rest, short enough for a test.
#[must_use]
pub fn quick() -> Vec<Row> {
    let cells = [
        (5_000, 50, 100, 10),
        (10_000, 50, 300, 10),
        (20_000, 20, 100, 10),
        (20_000, 200, 100, 10),
        (50_000, 50, 100, 1),
        (50_000, 50, 100, 10),
        (100_000, 100, 300, 10),
        (200_000, 50, 200, 20),
    ];
    let short = |(loss, rtt, spare, fragments)| independent(loss, rtt, spare, fragments).frames(FRAMES_MIN);
    let names = [
        "clean, RTT 50, B 300",
        "reordering +-15 ms",
        "duplication 20 %",
        "blackout 1 s",
        "blackout 1 s, key frames",
        "blackout 1 s, references",
    ];
    let faults = faults().into_iter().filter(|row| names.contains(&row.name.as_str()));
    cells.map(short).into_iter().chain(faults).collect()
}

/// When counting begins at the latest: a viewer that has no picture by then is counted as having none.
pub(super) fn counting_begins(first_release: Option<Timestamp>) -> Timestamp {
    let started = Timestamp::from_millis(6_000);
    first_release.map_or(started, |at| at.min(started)) + Duration::from_secs(3)
}
