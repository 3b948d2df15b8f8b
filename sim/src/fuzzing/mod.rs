//! Bodies of the fuzz targets: each takes raw bytes and panics when its oracle is contradicted.

pub mod annexb;
pub mod http_parser;
