//! The touching side of the I/O line, sender: captures, encodes, binds sockets and runs the core's server machine.

pub mod clock;
pub mod driver;
pub mod encode;
pub mod http;
pub mod pipeline;
pub mod source;
pub mod status;
