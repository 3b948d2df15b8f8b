//! The bodies of the fuzz targets: each takes bytes, and panics on a finding.

pub mod http_parser;
