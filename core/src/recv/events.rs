//! What the viewer's machine tells its shell.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::freezes::{Freeze, FreezeStats};
use super::ledger::FrameRecord;
use super::outcome::{Abandoned, ReceiverStats, Released};
use super::session::StreamConfig;
use crate::nal::Codec;
use crate::time::Timestamp;

/// An access unit whose turn has come, for the decoder.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    /// Id of the frame; only grows within a session.
    pub frame_id: u64,
    /// Its codec.
    pub codec: Codec,
    /// Random access point.
    pub key: bool,
    /// Past its display deadline: decode it, others need it.
    pub late: bool,
    /// When it was captured, on the viewer's clock; unknown until the clocks were compared.
    pub capture: Option<Timestamp>,
    /// When its last fragment came.
    pub completed: Timestamp,
    /// Parameter sets that the decoder needs first, as this unit is a key frame without its own.
    pub parameter_sets: Option<Bytes>,
    /// The unit's Annex-B bytes, as the server's source made them.
    pub bytes: Bytes,
}

impl AccessUnit {
    pub(super) fn new(released: Released, stream: Option<&StreamConfig>) -> Self {
        let header = released.header;
        let parameter_sets = match stream {
            Some(stream) if header.key && !header.parameter_sets => Some(stream.parameter_sets.clone()),
            _ => None,
        };
        Self {
            frame_id: released.frame_id,
            codec: header.codec,
            key: header.key,
            late: released.late,
            capture: released.capture,
            completed: released.completed,
            parameter_sets,
            bytes: released.body,
        }
    }
}

/// Why a session was lost; the viewer tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// Nothing was heard for too long.
    Silence,
    /// The server stopped.
    Shutdown,
    /// The server has no room.
    Full,
    /// Somebody else tries the pairing code, or guesses have used it up.
    Busy,
    /// The server did not answer.
    NoAnswer,
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "nothing heard from the server",
            Self::Shutdown => "the server stopped",
            Self::Full => "the server is full",
            Self::Busy => "the pairing code is in use",
            Self::NoAnswer => "the server does not answer",
        })
    }
}

/// Why the viewer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The source ended.
    EndOfStream,
    /// The user left.
    Left,
    /// The host removed this viewer.
    Kicked,
    /// Either side broke the protocol.
    Protocol,
    /// Nobody ever answered.
    NoAnswer,
    /// Nobody listens at that address.
    Unreachable,
    /// The server speaks other protocol versions.
    Incompatible,
    /// The server lets nobody in without its key, and this viewer has none.
    KeyNeeded,
    /// The server lets viewers in by a code that it shows, and this viewer has neither that nor the key.
    CodeNeeded,
    /// The code is not the one that the server shows.
    WrongCode,
    /// This viewer has a code, but the server shows none.
    CodeUnwanted,
    /// This viewer has a key, but the server knows none: it may not be the one that was meant.
    KeyUnwanted,
}

/// What the shell should know.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// The server let us in.
    Connected,
    /// The session is gone or was refused; the next attempt is at `retry_at`.
    Lost {
        /// Why.
        reason: LostReason,
        /// When it tries again.
        retry_at: Timestamp,
    },
    /// The stream is described.
    Config(StreamConfig),
    /// An access unit for the decoder.
    AccessUnit(AccessUnit),
    /// Frames that will never be released.
    Abandoned {
        /// First of them.
        from: u64,
        /// Last of them.
        to: u64,
        /// Why.
        reason: Abandoned,
    },
    /// A frame was shown, or given up: its record will not change any more.
    Frame(FrameRecord),
    /// The picture had stood still and moves again.
    Freeze(Freeze),
    /// Over: nothing follows.
    Ended(EndReason),
}

/// Why the machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// To ask (again) to be let in.
    Handshake,
    /// To report, to ping, to sort, to give up a frame, or to notice silence.
    Session,
    /// The pause between two attempts is over.
    Reconnect,
}

/// Counters and measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientStats {
    /// Smoothed round-trip time of the session.
    pub rtt: Option<Duration>,
    /// The display budget now in force.
    pub budget: Duration,
    /// Largest packet number of the session: what the server sent.
    pub packets_sent_by_server: u64,
    /// Packets of the session that came.
    pub packets_received: u64,
    /// Datagrams dropped because they could not be opened, came twice, or made no sense.
    pub datagrams_dropped: u64,
    /// Reports sent in the session.
    pub reports: u64,
    /// Newest frame known to exist.
    pub newest_frame: u64,
    /// Sessions so far.
    pub sessions: u64,
    /// Freezes, in the session.
    pub freezes: FreezeStats,
    /// The receiving pipeline, in the session.
    pub receiver: ReceiverStats,
}
