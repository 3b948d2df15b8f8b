//! The request parser against its verdict table, and under every way to cut up its input.

mod chunked;
mod coding;
mod end_of_stream;
mod expectations;
mod fields;
mod harness;
mod host;
mod length;
mod limits;
mod line_ends;
mod model;
mod persistence;
mod places;
mod properties;
mod request_line;
mod targets;
mod trailers;
mod upgrade;
mod views;

/// The head in front of a chunked body.
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKED_IN_WORDS: &str = "POST / 1.1|Host=h|Transfer-Encoding=chunked";
