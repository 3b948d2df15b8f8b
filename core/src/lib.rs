//! The deciding side of the I/O line: pure state machines, fed with bytes and time, that never touch the world.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod fec;
pub mod handshake;
pub mod http;
pub mod limits;
pub mod nal;
pub mod recv;
mod replay;
pub mod rng;
pub mod seal;
pub mod secrets;
pub mod send;
pub mod socket;
pub mod time;
pub mod transmit;
pub mod wire;

pub use rng::Rng;
pub use secrets::Secrets;
pub use socket::DatagramSocket;
pub use time::Timestamp;
pub use transmit::Transmit;
