//! Why the picture stood still.

use core::fmt;
use core::time::Duration;

use super::ledger::{FrameRecord, Ledger};
use super::slot::Repaired;
use crate::limits::{FREEZE_PERIOD_MIN, LEDGER_FRAMES_MAX};
use crate::time::Timestamp;

/// What held the picture up, in the words of whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FreezeCause {
    /// Packets were lost, and had to be sent again.
    BurstLoss,
    /// The encoder handed the picture over late.
    LateSender,
    /// Frames were lost for good: what came could not be decoded before a way back had come.
    MissingReference,
    /// The picture was there, but not decoded or drawn in time.
    SlowDecoder,
    /// Nothing at all came from the server.
    Silence,
    /// Nothing was lost, but it came late.
    SlowPath,
}

impl FreezeCause {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::BurstLoss, Self::LateSender, Self::MissingReference, Self::SlowDecoder, Self::Silence, Self::SlowPath];

    /// A word for it that does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BurstLoss => "burst loss",
            Self::LateSender => "late sender",
            Self::MissingReference => "missing reference",
            Self::SlowDecoder => "slow decoder",
            Self::Silence => "silence",
            Self::SlowPath => "slow path",
        }
    }
}

impl fmt::Display for FreezeCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BurstLoss => "packets were lost and sent again",
            Self::LateSender => "the encoder was late",
            Self::MissingReference => "lost frames left nothing to decode from",
            Self::SlowDecoder => "decoding or drawing was slow",
            Self::Silence => "nothing came from the server",
            Self::SlowPath => "the path was slow",
        })
    }
}

/// The picture stood still although there was a new one to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The frame that was seen for too long.
    pub stood: u64,
    /// The one that followed it.
    pub next: u64,
    /// For how long.
    pub length: Duration,
    /// Why.
    pub cause: FreezeCause,
}

/// Freezes of a session; the figures only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FreezeStats {
    /// How many, by cause in the order of [`FreezeCause::ALL`].
    pub count: [u64; 6],
    /// How long they lasted together.
    pub total: Duration,
    /// The longest one.
    pub longest: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    frame_id: u64,
    at: Timestamp,
    captured: Option<Timestamp>,
}

/// Compares the times at which pictures are shown with those at which they were taken.
#[derive(Debug)]
pub(super) struct Freezes {
    last: Option<Shown>,
    /// The longest time without a datagram since then.
    heard: Timestamp,
    silence: Duration,
    stats: FreezeStats,
}

impl Freezes {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { last: None, heard: now, silence: Duration::ZERO, stats: FreezeStats::default() }
    }

    pub(super) const fn stats(&self) -> FreezeStats {
        self.stats
    }

    /// A datagram came.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.silence = self.silence.max(now - self.heard);
        self.heard = now;
    }

    /// The user wants to see nothing: what was shown last is to stand.
    pub(super) const fn pause(&mut self) {
        self.last = None;
    }

    /// A frame is on the screen; the freeze that this ends.
    pub(super) fn shown(&mut self, now: Timestamp, record: &FrameRecord, ledger: &Ledger) -> Option<Freeze> {
        let next = Shown { frame_id: record.frame_id, at: now, captured: record.captured };
        let silence = core::mem::take(&mut self.silence);
        let last = self.last.replace(next)?;
        let length = now - last.at;
        if length <= FREEZE_PERIOD_MIN || length <= longest_pause(last, next, ledger) * 2 {
            return None;
        }
        let cause = cause(last, record, length, silence, ledger);
        if let Some(count) = self.stats.count.get_mut(cause as usize) {
            *count += 1;
        }
        self.stats.total += length;
        self.stats.longest = self.stats.longest.max(length);
        Some(Freeze { stood: last.frame_id, next: next.frame_id, length, cause })
    }
}

/// The longest time that the source itself left between two pictures. Of frames that never came it is not known when they
/// were taken: evenly between the others.
fn longest_pause(last: Shown, next: Shown, ledger: &Ledger) -> Duration {
    let (mut longest, mut before) = (Duration::ZERO, last);
    let first = last.frame_id.max(next.frame_id.saturating_sub(LEDGER_FRAMES_MAX as u64)) + 1;
    for frame_id in first..=next.frame_id {
        let Some(captured) = ledger.get(frame_id).and_then(|record| record.captured) else { continue };
        let frames = u32::try_from(frame_id - before.frame_id).unwrap_or(u32::MAX);
        let pause = before.captured.map_or(Duration::ZERO, |before| captured - before);
        longest = longest.max(pause / frames.max(1));
        before = Shown { frame_id, captured: Some(captured), ..before };
    }
    longest
}

fn cause(last: Shown, record: &FrameRecord, length: Duration, silence: Duration, ledger: &Ledger) -> FreezeCause {
    let most = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.zip(to).is_some_and(|(from, to)| to.saturating_since(from) * 2 >= length)
    };
    let first = last.frame_id.max(record.frame_id.saturating_sub(LEDGER_FRAMES_MAX as u64)) + 1;
    let behind = || (first..record.frame_id).filter_map(|frame_id| ledger.get(frame_id));
    let was_repaired = |record: &FrameRecord| record.requests > 0 || record.repaired > Repaired::No;
    if most(record.released, record.shown) {
        FreezeCause::SlowDecoder
    } else if most(record.captured, record.encoded) {
        FreezeCause::LateSender
    } else if silence * 2 >= length {
        FreezeCause::Silence
    } else if behind().any(|record| record.abandoned.is_some()) {
        FreezeCause::MissingReference
    } else if was_repaired(record) || behind().any(was_repaired) {
        FreezeCause::BurstLoss
    } else {
        FreezeCause::SlowPath
    }
}
