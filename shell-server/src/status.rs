//! What the server tells about itself.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use nalcast_core::send::Traffic;
use tokio::sync::watch;

/// Where the newest snapshot is found. It is shared, so that the stream never waits while a page is made of it.
pub type StatusReceiver = watch::Receiver<Arc<StatusSnapshot>>;

/// The state of the server at one moment. Rates are of the last whole second, totals of the time since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusSnapshot {
    /// What is shared: a screen, a pattern, a file; as the user named it.
    pub source: String,
    /// Whether anybody is let in; otherwise only who has the key.
    pub is_open: bool,
    /// The codec of the stream, as users know it.
    pub codec: String,
    /// Width of the picture in pixels; 0 while unknown.
    pub width: u32,
    /// Height of the picture in pixels; 0 while unknown.
    pub height: u32,
    /// Pictures a second that differed from the one before; `None` for a source that is encoded already.
    pub captured_per_second: Option<f64>,
    /// Frames per second that came from the encoder or the file.
    pub frames_per_second: f64,
    /// Bits per second that came from the encoder or the file.
    pub bits_per_second: u64,
    /// Bits per second that the source may make at most, as the paths carry no more; `None` without such a limit.
    pub bits_per_second_wanted: Option<u64>,
    /// Time since the server started.
    pub uptime: Duration,
    /// Everybody who watches.
    pub viewers: Vec<ViewerStatus>,
    /// Counters.
    pub totals: Totals,
}

/// The state of one viewer.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewerStatus {
    /// Which: never used twice while the server runs.
    pub id: u64,
    /// Where it is.
    pub address: SocketAddr,
    /// What its session is doing, in a word.
    pub state: &'static str,
    /// The smoothed round-trip time, once it is known.
    pub round_trip: Option<Duration>,
    /// From the capture of the newest frame that the viewer decoded to the arrival of its report of that: the time
    /// to the decoder, plus the wait for the report and its way back.
    pub capture_to_report: Option<Duration>,
    /// The fraction lost, from 0 to 1, of the datagrams whose fate was decided last; `None` before the first.
    pub loss: Option<f64>,
    /// Bits per second sent to it, UDP payload.
    pub sent_bits_per_second: u64,
    /// Frames per second sent whole to it.
    pub sent_frames_per_second: f64,
    /// Frames per second by which the newest frame that it decoded moves on; `None` before the first.
    pub decoded_frames_per_second: Option<f64>,
    /// Frames sent whole to it.
    pub frames_sent: u64,
    /// Frames that were not sent because its queue was too long or too old.
    pub frames_dropped: u64,
    /// The largest datagram that is known to reach it, bytes of UDP payload.
    pub datagram_bytes_max: u64,
    /// Bytes of frames that wait to be sent to it.
    pub queue_bytes: u64,
    /// Bytes sent to it, UDP payload.
    pub bytes_sent: u64,
    /// Datagrams sent to it.
    pub datagrams_sent: u64,
    /// What they were for.
    pub traffic: Traffic,
    /// Datagrams whose fate is known, and how many of them were lost.
    pub datagrams_judged: (u64, u64),
}

/// Counters since the start; they only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pictures that were captured and differed from the one before.
    pub pictures_captured: u64,
    /// Of those: replaced by a newer one before the encoder was free.
    pub pictures_replaced: u64,
    /// Frames that came from the encoder or the file.
    pub frames: u64,
    /// Bytes of those.
    pub frame_bytes: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Key frames asked of the encoder.
    pub key_frames_wanted: u64,
    /// Frames that cannot be sent.
    pub frames_refused: u64,
    /// Datagrams sent to everybody.
    pub datagrams_sent: u64,
    /// Bytes sent to everybody, UDP payload.
    pub bytes_sent: u64,
    /// Datagrams received from everybody.
    pub datagrams_received: u64,
    /// Bytes received from everybody, UDP payload.
    pub bytes_received: u64,
    /// Received datagrams that were of no use, by the reason.
    pub datagrams_refused: RefusedDatagrams,
    /// Viewers that joined.
    pub viewers_joined: u64,
    /// Viewers that are gone, by the reason.
    pub viewers_left: ViewersLeft,
    /// Viewers turned away because there was no place.
    pub viewers_refused: u64,
    /// Attempts to join without the right key, or with a recorded message.
    pub handshakes_refused: u64,
    /// Attempts that were not looked at, as there were too many from one place or in all.
    pub handshakes_limited: u64,
    /// Viewers that went on from another address.
    pub viewers_moved: u64,
    /// What the datagrams to viewers were for.
    pub traffic: Traffic,
    /// Datagrams to viewers whose fate is known, and how many of them were lost.
    pub datagrams_judged: (u64, u64),
}

/// Received datagrams that were of no use, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedDatagrams {
    /// Not in the form of the protocol.
    pub malformed: u64,
    /// Of no session, or not from that session's address.
    pub unknown_session: u64,
    /// Forged or damaged.
    pub forged: u64,
    /// Repeated, or too old to tell.
    pub replayed: u64,
}

/// Viewers that are gone, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewersLeft {
    /// They said so.
    pub said_so: u64,
    /// They fell silent.
    pub silent: u64,
    /// They came back over a new session.
    pub replaced: u64,
    /// The server ended the session.
    pub closed: u64,
}
