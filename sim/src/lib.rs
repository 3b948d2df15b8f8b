//! The proving side of the I/O line: virtual time, seeded faults and every checker.
#![forbid(unsafe_code)]

pub mod attack;
pub mod check;
pub mod fuzzing;
#[cfg(feature = "cli")]
pub mod http_events;
#[cfg(feature = "shells")]
pub mod impaired;
pub mod limits;
pub mod link;
#[cfg(feature = "shells")]
pub mod outer;
pub mod plain;
mod plan;
#[cfg(feature = "cli")]
pub mod proxy;
pub mod real;
pub mod report;
pub mod scenario;
#[cfg(feature = "cli")]
pub mod scorecard;
pub mod source;
pub mod trace;
mod viewer;
mod wire_check;
pub mod world;
