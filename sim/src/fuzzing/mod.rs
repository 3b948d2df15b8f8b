//! Bodies of the fuzz targets: each takes raw bytes and panics when its oracle is contradicted.

pub mod annexb;
mod arena;
pub mod datagram;
pub mod http_parser;
mod keyed;
pub mod reorder_buffer;
pub mod session;

#[path = "../../../core/tests/canonical/mod.rs"]
mod canonical;
use crate::plain;

#[path = "../../../core/tests/world/mod.rs"]
mod world;
