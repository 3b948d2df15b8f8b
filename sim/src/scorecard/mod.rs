//! The scorecard: what loss costs a viewer, over a table of impaired paths, held against what is possible at all.
//!
//! One server, one viewer and a path on virtual time, the clocks of both sides apart from each other and from the true
//! one. Fragments are counted where they leave and where they arrive, so no figure depends on what the core says of
//! itself; only releases are the viewer's word. Two notions decide, as everywhere in the project:
//!
//! * a frame is *in time* if all that is needed to rebuild it has arrived within the budget after its capture;
//! * a frame is *usable* if it is in time and every reference back to the key frame is there by its deadline too.

mod bars;
mod cell;
mod figures;
mod grid;
mod markdown;
mod quantile;
mod reference;
mod rows;
mod tally;
mod timeline;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use serde::Serialize;

pub use bars::{Bar, Verdict};
pub use figures::Figures;
pub use markdown::markdown;
pub use reference::{Kind, Reference};
pub use rows::{Demand, Group, Row, full, quick};
pub use timeline::{Moment, draw};

/// What came of one row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// Names it, also in file names.
    pub name: String,
    /// Which part of the table it belongs to.
    pub group: Group,
    /// What the path does, in words.
    pub path: String,
    /// Data fragments of each frame but the key frame.
    pub fragments: u16,
    /// Round trip of the unimpaired path, milliseconds.
    pub rtt_ms: f64,
    /// What remains of the budget after the first possible arrival, milliseconds.
    pub spare_ms: f64,
    /// Capture to the first possible arrival of a whole frame, milliseconds.
    pub floor_ms: f64,
    /// What was measured.
    pub figures: Figures,
    /// What it is held against, where there is something.
    pub reference: Option<Reference>,
    /// What is demanded of it.
    pub bars: Vec<Bar>,
    /// A piece of the run, frame by frame.
    #[serde(skip)]
    pub timeline: Vec<Moment>,
}

impl Score {
    /// Whether every bar that could be judged is cleared.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.bars.iter().all(|bar| bar.verdict != Verdict::Fail)
    }
}

/// Runs one row.
#[must_use]
pub fn score(row: &Row) -> Score {
    let floor = cell::floor(row);
    let tally = cell::run(row, floor + row.spare);
    let figures = Figures::new(row, floor, &tally);
    let reference = reference::reference(row);
    let bars = bars::judge(row, &figures, reference.as_ref());
    Score {
        name: row.name.clone(),
        group: row.group,
        path: row.path(),
        fragments: row.fragments,
        rtt_ms: row.rtt().as_secs_f64() * 1e3,
        spare_ms: row.spare.as_secs_f64() * 1e3,
        floor_ms: floor.as_secs_f64() * 1e3,
        timeline: timeline::moments(row, &tally),
        figures,
        reference,
        bars,
    }
}

/// Runs all rows on `threads` threads; the scores come in the rows' order, whoever computed them.
/// `done` hears of each row as it is finished.
pub fn run(rows: &[Row], threads: usize, done: impl Fn(&Score) + Sync) -> Vec<Score> {
    let next = AtomicUsize::new(0);
    let scores = Mutex::new(vec![None; rows.len()]);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(row) = rows.get(index) else { return };
            let score = score(row);
            done(&score);
            if let Ok(mut scores) = scores.lock() {
                scores[index] = Some(score);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    scores.into_inner().unwrap_or_default().into_iter().flatten().collect()
}
