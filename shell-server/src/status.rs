//! What the server tells about itself.

use core::net::SocketAddr;
use core::time::Duration;

/// The state of the server at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusSnapshot {
    /// What is shared: a screen, a pattern, a file; as the user named it.
    pub source: String,
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// Frames per second, measured.
    pub frames_per_second: f32,
    /// Time since the server started.
    pub uptime: Duration,
    /// Everybody who watches.
    pub viewers: Vec<ViewerStatus>,
}

/// The state of one viewer.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewerStatus {
    /// Where it is.
    pub address: SocketAddr,
    /// What its session is doing, in a word.
    pub state: String,
    /// The smoothed round-trip time, once it is known.
    pub round_trip: Option<Duration>,
    /// The fraction of datagrams lost, from 0 to 1.
    pub loss: f32,
    /// What is sent to it, in 1000 bits per second.
    pub sent_kbit_per_second: u32,
}
