//! How a frame ends, and the counts of it.

use bytes::Bytes;

use super::slot::Repaired;
use crate::time::Timestamp;
use crate::wire::media::FrameHeader;

/// Why a frame was given up. Each frame ends once: released, or given up for one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abandoned {
    /// The sender withheld it.
    Skipped,
    /// Fragments of it are missing and a later frame that does not need it goes on.
    Overtaken,
    /// Its display deadline passed, and no other frame needs it.
    Late,
    /// Its repair deadline passed.
    RepairExpired,
    /// The frame that it refers to was not released.
    MissingReference,
    /// The buffer had to make room for newer frames.
    Evicted,
}

impl Abandoned {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Skipped, Self::Overtaken, Self::Late, Self::RepairExpired, Self::MissingReference, Self::Evicted];

    /// A word for it that does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Overtaken => "overtaken",
            Self::Late => "late",
            Self::RepairExpired => "repair expired",
            Self::MissingReference => "missing reference",
            Self::Evicted => "evicted",
        }
    }
}

/// A frame whose turn has come.
#[derive(Clone, Debug)]
pub(super) struct Released {
    pub(super) frame_id: u64,
    pub(super) header: FrameHeader,
    pub(super) body: Bytes,
    pub(super) capture: Option<Timestamp>,
    pub(super) first_packet: Timestamp,
    pub(super) completed: Timestamp,
    pub(super) repaired: Repaired,
    pub(super) late: bool,
}

/// What the receiver decided.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Released(Released),
    Abandoned { from: u64, to: u64, reason: Abandoned, first_packet: Option<Timestamp> },
}

/// The viewer's way back into the stream is missing since this frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) first_bad: u64,
    pub(super) last_good: Option<u64>,
    /// Whether the decoder has failed: what it holds is of no use then.
    pub(super) decoder_failed: bool,
}

/// Counters of the receiving pipeline; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Fragments accepted into the first buffer.
    pub fragments: u64,
    /// Of those, rows that stand in for any missing fragment.
    pub rows: u64,
    /// Fragments of frames that were finished, or that were there already.
    pub fragments_useless: u64,
    /// Fragments that contradict their frame.
    pub fragments_contradicting: u64,
    /// Times that the sorting process ran: for a complete frame, at a boundary, by count, by age.
    pub sorts: [u64; 4],
    /// Frames released.
    pub frames_released: u64,
    /// Of those, released after their display deadline.
    pub frames_late: u64,
    /// Of those released, made whole by rows that were sent along.
    pub frames_by_parity: u64,
    /// Of those released, made whole by what was sent on request.
    pub frames_repaired: u64,
    /// Frames given up, by reason in the order of [`Abandoned`].
    pub frames_abandoned: [u64; 6],
    /// Most bytes ever held in the sorted buffer.
    pub held_bytes_peak: u64,
}
