//! The touching side of the I/O line, viewer: binds a socket, runs the core's client machine, decodes and shows.

pub use shell_common::clock;

pub mod address;
pub mod app;
mod code;
pub mod config;
pub mod decode;
pub mod display;
pub mod driver;
pub mod framelog;
pub mod headless;
pub mod latency;
pub mod net;
pub mod present;
pub mod record;
pub mod stats_json;
pub mod viewer;
