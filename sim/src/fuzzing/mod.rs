//! The bodies of the fuzz targets: each takes any bytes and panics if a law is broken.

pub mod annexb;
