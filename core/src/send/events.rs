//! What the server's machine tells its shell.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::state::ViewerState;
use super::viewer::{Traffic, ViewerId};
use crate::handshake::PairingCode;
use crate::wire::CloseCode;

/// Why a viewer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// It said so.
    Left,
    /// It fell silent.
    Expired,
    /// It came back over a new session.
    Replaced,
    /// The server ended the session.
    Closed(CloseCode),
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::Expired => f.write_str("silent for too long"),
            Self::Replaced => f.write_str("came back over a new session"),
            Self::Closed(code) => write!(f, "closed: {code}"),
        }
    }
}

/// What the shell should know or do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A viewer proved its address and its session: media flows to it.
    ViewerJoined {
        /// Which.
        viewer: ViewerId,
        /// Where it is.
        address: SocketAddr,
    },
    /// A viewer that had joined is gone.
    ViewerLeft {
        /// Which.
        viewer: ViewerId,
        /// Where it was.
        address: SocketAddr,
        /// Why.
        reason: LeaveReason,
    },
    /// A viewer has proved that it is at another address: media flows there.
    ViewerMoved {
        /// Which.
        viewer: ViewerId,
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
    /// Viewers are let in by this code from now on; by none if it is absent, as guesses have used the last one up.
    PairingCode(Option<PairingCode>),
    /// The encoder should make its next picture a key frame.
    KeyFrameWanted,
    /// The encoder should let its next picture refer to this frame alone, a long-term reference that every viewer has but
    /// for those that would not be helped by it, always need help, or show nothing; a key frame will do, too.
    ReferenceWanted {
        /// The frame.
        reference: u64,
    },
    /// Every viewer has decoded this long-term reference, but for the same ones.
    ReferenceShared {
        /// The frame.
        reference: u64,
    },
    /// The encoder should make so many bits a second at most, for what the paths to the viewers carry; as many as it likes
    /// if absent.
    BitrateWanted(Option<u64>),
    /// Every goodbye is said: the shell may stop.
    Finished,
}

/// Why the machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutReason {
    /// Something is due to be sent to a viewer.
    Transmit,
    /// A viewer may have fallen silent, or a goodbye may be over.
    Viewer,
    /// Requests for a way back have been collected.
    Remedy,
    /// The pairing code is to be changed.
    Pairing,
    /// What viewers have not decoded by now they will not.
    Drain,
}

/// One viewer as a status page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewerInfo {
    /// Which.
    pub id: ViewerId,
    /// Where it is.
    pub address: SocketAddr,
    /// Where its subscription stands.
    pub state: ViewerState,
    /// The largest datagram that is known to reach it, bytes of UDP payload.
    pub datagram_bytes_max: usize,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets whose fate is known, and how many of them were lost.
    pub packets_judged: (u64, u64),
    /// Bytes sent, UDP payload.
    pub bytes_sent: u64,
    /// What they were for.
    pub traffic: Traffic,
    /// Packets lost lately, parts per million.
    pub loss_ppm: u32,
    /// Frames sent whole.
    pub frames_sent: u64,
    /// Frames dropped because the viewer's queue was too long or too old.
    pub frames_dropped: u64,
    /// Bytes of frames that wait.
    pub queue_bytes: usize,
    /// The last frame it decoded.
    pub last_decoded: Option<u64>,
    /// From that frame's capture to the arrival of the report that first named it: an upper bound of the time from
    /// capture to decoder. `None` before the first report.
    pub capture_to_report: Option<Duration>,
}

/// Counters; they only grow, but for what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Access units taken.
    pub access_units: u64,
    /// Bytes of the access units taken.
    pub access_unit_bytes: u64,
    /// Access units refused.
    pub access_units_refused: u64,
    /// Key frames among those taken.
    pub key_frames: u64,
    /// Key frames asked of the encoder.
    pub key_frames_wanted: u64,
    /// Frames among them that refer to a long-term reference.
    pub recovery_frames: u64,
    /// Such frames asked of the encoder.
    pub recovery_frames_wanted: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Of those: malformed, forged, replayed, or of no known session.
    pub datagrams_dropped: u64,
    /// Of the dropped: of no known session, or not from that session's address.
    pub datagrams_unknown: u64,
    /// Of the dropped: forged or damaged.
    pub datagrams_forged: u64,
    /// Of the dropped: repeated, or too old to tell.
    pub datagrams_replayed: u64,
    /// Bytes received, UDP payload.
    pub bytes_received: u64,
    /// Datagrams handed out to be sent.
    pub datagrams_sent: u64,
    /// Bytes of those, UDP payload.
    pub bytes_sent: u64,
    /// INITs that did not prove the right to watch, or were used before.
    pub handshakes_refused: u64,
    /// INITs that were not looked at, as their source or all together had sent too many.
    pub handshakes_limited: u64,
    /// INITs answered by RETRY.
    pub retries_sent: u64,
    /// Viewers turned away because the table was full.
    pub viewers_refused: u64,
    /// Addresses that sessions moved to.
    pub viewers_moved: u64,
    /// Sessions ever confirmed.
    pub viewers_joined: u64,
    /// Late joins that the global buffer served.
    pub joins_from_cache: u64,
    /// Bytes received from addresses that had proved nothing.
    pub unproven_bytes_received: u64,
    /// Bytes sent to addresses that had proved nothing.
    pub unproven_bytes_sent: u64,
    /// Bytes that the global buffer holds.
    pub global_buffer_bytes: usize,
}
