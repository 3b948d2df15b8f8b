//! The touching side of the I/O line, sender: captures, encodes, binds sockets and runs the core's server machine.

pub use shell_common::clock;

pub mod app;
pub mod board;
pub mod config;
pub mod control;
pub mod driver;
pub mod encode;
pub mod framelog;
pub mod http;
pub mod invitation;
pub mod net;
pub mod pipeline;
pub mod source;
pub mod status;
