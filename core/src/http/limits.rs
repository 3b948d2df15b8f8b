//! What one request may cost.

/// Caps of one [`RequestParser`](super::RequestParser).
///
/// A cap of `n` lets `n` through and refuses at the first byte beyond it, whether or not more has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Empty lines that are skipped in front of a request line (RFC 9112 §2.2); one more is a 400.
    pub empty_lines_max: u32,
    /// Bytes of a method; a longer one is a 501 (RFC 9112 §3).
    pub method_bytes_max: u32,
    /// Bytes of a request target; a longer one is a 414. RFC 9112 §3 recommends to support at least 8000.
    pub target_bytes_max: u32,
    /// Bytes of a whole head, from the method to the empty line; a larger one is a 431.
    pub head_bytes_max: u32,
    /// Field lines of a head; one more is a 431.
    pub field_count_max: u32,
    /// Bytes of a field name; a longer one is a 431.
    pub name_bytes_max: u32,
    /// Bytes of a field value, counted after its leading whitespace; a longer one is a 431.
    pub value_bytes_max: u32,
    /// Bytes of a body; a larger announced length, or chunks that come to more, are a 413.
    pub body_bytes_max: u64,
    /// Bytes of a chunk line, the size and its extensions; a longer one is a 400.
    pub chunk_line_bytes_max: u32,
    /// Bytes of all chunk extensions of a body, from the semicolon's successor on; more are a 400.
    pub extension_bytes_max: u32,
    /// Bytes of a trailer section with the empty line; a larger one is a 431.
    pub trailer_bytes_max: u32,
    /// Field lines of a trailer section; one more is a 431.
    pub trailer_count_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            empty_lines_max: 4,
            method_bytes_max: 32,
            target_bytes_max: 8000,
            head_bytes_max: 16 << 10,
            field_count_max: 100,
            name_bytes_max: 256,
            value_bytes_max: 8 << 10,
            body_bytes_max: 1 << 20,
            chunk_line_bytes_max: 256,
            extension_bytes_max: 4 << 10,
            trailer_bytes_max: 8 << 10,
            trailer_count_max: 32,
        }
    }
}
