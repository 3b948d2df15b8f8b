//! What one client may cost: connections, bytes and time.

use core::time::Duration;

use nalcast_core::http::Limits;

/// Connections that may wait to be accepted.
pub(super) const BACKLOG: u32 = 1024;
/// Connections that are served at a time.
pub(super) const CONNECTIONS_MAX: usize = 256;
/// Of those: from one address, so that nobody takes the places of all.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// Connections that follow the status at a time; each one lasts.
pub(super) const EVENT_STREAMS_MAX: usize = 16;

/// How long a request may take, from its first byte to its last.
pub(super) const REQUEST_PERIOD: Duration = Duration::from_secs(10);
/// How long a connection may stay without a request.
pub(super) const IDLE_PERIOD: Duration = Duration::from_secs(15);
/// How long a client may take to read what is written at a time.
pub(super) const WRITE_PERIOD: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a closed connection is still read, so that what the client is still sending
/// does not make its system throw the answer away (RFC 9112 §9.6).
pub(super) const LINGER_PERIOD: Duration = Duration::from_secs(1);
pub(super) const LINGER_BYTES_MAX: u64 = 64 << 10;

/// Room for one read.
pub(super) const READ_BYTES: usize = 4 << 10;
/// Answers of a pipeline are gathered up to this many bytes; no more requests are parsed before they are written.
pub(super) const ANSWERS_BYTES_MAX: usize = 64 << 10;

/// The shortest and the longest time between two events of one stream.
pub(super) const EVENT_PERIOD_MIN: Duration = Duration::from_secs(1);
pub(super) const EVENT_PERIOD_MAX: Duration = Duration::from_secs(15);

/// The parser's limits. No resource takes a body, so a small one is enough to be polite.
pub(super) fn of_requests() -> Limits {
    Limits { body_bytes_max: 64 << 10, ..Limits::default() }
}
