//! The server's half: from access units to datagrams for every viewer.
//!
//! video source (the shell's) -> **global buffer** (frames since the last key frame) -> **UDP transmitter** (every
//! subscribed viewer at its own pace) -> network.
//!
//! [`Server`] is the machine that the shell drives; the other files are its parts.

mod admission;
mod congestion;
mod cookie;
mod events;
mod frame_buffer;
mod gate;
mod loss;
mod pacer;
mod packetizer;
mod pairing;
mod queue;
mod recovery;
pub mod redundancy;
mod references;
mod remedy;
mod schedule;
mod seen;
mod sent;
mod server;
mod sessions;
mod skips;
mod state;
mod stream;
mod target;
mod token;
mod token_bucket;
mod viewer;
mod viewers;
mod wishes;

pub use events::{LeaveReason, ServerEvent, ServerStats, TimeoutReason, ViewerInfo};
pub use references::{Recovery, References};
pub use server::{Server, ServerConfig};
pub use state::{ViewerInput, ViewerState};
pub use stream::AccessUnitRefused;
pub use viewer::{Traffic, ViewerId};
