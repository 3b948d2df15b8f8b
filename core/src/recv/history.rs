//! What a session's user may want to know afterwards: each picture's way, and each freeze.

use super::freezes::{Freeze, FreezeStats, Freezes};
use super::ledger::{FrameRecord, Ledger};
use super::outcome::Outcome;
use crate::limits::LEDGER_FRAMES_MAX;
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct History {
    ledger: Ledger,
    freezes: Freezes,
}

impl History {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { ledger: Ledger::new(), freezes: Freezes::new(now) }
    }

    /// A datagram came.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.freezes.heard(now);
    }

    /// A report asks for these frames.
    pub(super) fn asked(&mut self, now: Timestamp, frames: &[u64]) {
        frames.iter().for_each(|id| self.ledger.asked(now, *id));
    }

    /// A frame was released, or frames were given up.
    pub(super) fn ended(&mut self, now: Timestamp, outcome: &Outcome) {
        match outcome {
            Outcome::Released(released) => self.ledger.released(now, released),
            Outcome::Abandoned { from, to, reason, first_packet } => {
                let newest = to.saturating_sub(LEDGER_FRAMES_MAX as u64 - 1).max(*from);
                (newest..=*to).for_each(|id| self.ledger.abandoned(id, *first_packet, *reason));
            }
        }
    }

    /// The shell has decoded a frame.
    pub(super) fn decoded(&mut self, now: Timestamp, frame_id: u64) {
        self.ledger.decoded(now, frame_id);
    }

    /// The shell shows a frame; the freeze that this ends.
    pub(super) fn shown(&mut self, now: Timestamp, frame_id: u64) -> Option<Freeze> {
        let record = self.ledger.shown(now, frame_id)?;
        self.freezes.shown(now, &record, &self.ledger)
    }

    /// The user wants to see nothing for now, or something again.
    pub(super) const fn paused(&mut self) {
        self.freezes.pause();
    }

    /// The next frame whose record will not change any more.
    pub(super) fn poll(&mut self) -> Option<FrameRecord> {
        self.ledger.poll()
    }

    pub(super) const fn freezes(&self) -> FreezeStats {
        self.freezes.stats()
    }
}
