//! What came of a run.

use core::fmt;

use nalcast_core::Timestamp;
use nalcast_core::recv::{Abandoned, EndReason};
use nalcast_core::send::ServerStats;

use crate::scenario::FROM_SEED;
use crate::viewer::Viewer;

/// A run in which every law held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Folds everything that happened; equal for equal runs.
    pub digest: u64,
    /// Things that happened.
    pub events: u64,
    /// Virtual time that passed.
    pub simulated: Timestamp,
    /// Access units captured.
    pub units: u64,
    /// The last server's counters.
    pub server: ServerStats,
    /// The viewers.
    pub viewers: Vec<ViewerReport>,
    /// The trace, if it was kept.
    pub lines: Vec<String>,
}

/// One viewer's part of it, over all its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewerReport {
    /// Frames released to the decoder.
    pub released: u64,
    /// Of those, after their display deadline.
    pub late: u64,
    /// Frames given up, by reason.
    pub abandoned: [u64; 6],
    /// Sessions it had.
    pub sessions: u64,
    /// How it ended.
    pub end: Option<EndReason>,
    /// When it had its first frame.
    pub first_release: Option<Timestamp>,
    /// When it had its last frame.
    pub last_release: Option<Timestamp>,
    /// Whether it is still in a session.
    pub live: bool,
    /// Datagrams to it that the network dropped.
    pub dropped_down: u64,
}

impl ViewerReport {
    pub(crate) fn new(viewer: &Viewer) -> Self {
        Self {
            released: viewer.released,
            late: viewer.late,
            abandoned: viewer.abandoned,
            sessions: viewer.sessions,
            end: viewer.end,
            first_release: viewer.first_release,
            last_release: viewer.last_release,
            live: viewer.is_live(),
            dropped_down: viewer.down.stats().dropped(),
        }
    }

    /// Frames given up for `reason`.
    #[must_use]
    pub const fn abandoned_for(&self, reason: Abandoned) -> u64 {
        self.abandoned[reason as usize]
    }

    /// Frames given up that the sender did not withhold.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.abandoned.iter().sum::<u64>() - self.abandoned_for(Abandoned::Skipped)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} simulated, {} events, digest {:016x}, {} units, {} key frames ({} asked for)",
            self.simulated, self.events, self.digest, self.units, self.server.key_frames, self.server.key_frames_wanted
        )?;
        for (i, viewer) in self.viewers.iter().enumerate() {
            writeln!(
                f,
                "  viewer {i}: {} released ({} late), {} lost, {} withheld, {} sessions, {:?}",
                viewer.released,
                viewer.late,
                viewer.lost(),
                viewer.abandoned_for(Abandoned::Skipped),
                viewer.sessions,
                viewer.end
            )?;
        }
        Ok(())
    }
}

/// A law that was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The scenario's name.
    pub name: &'static str,
    /// The scenario in words.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
    /// The trace, if it was kept.
    pub lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, seed, at, what, .. } = self;
        write!(f, "{scenario}at {at}: {what}\nreplay: ")?;
        match self.name {
            FROM_SEED => write!(f, "cargo run -p sim -- --seed {seed} --trace"),
            name => write!(f, "cargo test -p sim --test scenarios (scenario '{name}', seed {seed})"),
        }
    }
}
