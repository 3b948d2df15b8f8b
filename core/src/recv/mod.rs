//! The viewer's half: from datagrams to access units in order.
//!
//! network -> **first buffer** (unordered fragments) -> *when the threshold is reached* -> **sorting process** ->
//! **sorted buffer** (ordered frames) -> frame decoder and display, which are the shell's.
//!
//! [`Client`] is the machine that the shell drives; the other files are its parts.

mod arrivals;
mod attempt;
mod client;
mod events;
mod first_buffer;
mod freezes;
mod history;
mod ledger;
mod needs;
mod outcome;
mod playout;
mod receiver;
mod release;
mod reporter;
mod session;
mod slot;
mod sorted_buffer;
mod state;
mod tolerance;
mod wishes;

pub use client::{Client, ClientConfig};
pub use events::{AccessUnit, ClientEvent, ClientStats, EndReason, LostReason, TimeoutReason};
pub use first_buffer::SortTrigger;
pub use freezes::{Freeze, FreezeCause, FreezeStats};
pub use ledger::FrameRecord;
pub use outcome::{Abandoned, ReceiverStats};
pub use session::StreamConfig;
pub use slot::Repaired;
pub use state::{ClientInput, ClientState};
