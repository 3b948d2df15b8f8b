//! What the core asks its shell to send.

use core::net::SocketAddr;

/// One send request; its bytes are the first `len` bytes of the buffer that was lent to `poll_transmit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// How many bytes of the lent buffer to send.
    pub len: usize,
    /// If set, the bytes are several datagrams of this many bytes each (only the last may be shorter),
    /// which a shell with UDP segmentation offload can send by one system call.
    pub segment_size: Option<usize>,
}

impl Transmit {
    /// The datagrams of this request, in order; `buf` is the buffer that was lent to `poll_transmit`.
    pub fn datagrams<'a>(&self, buf: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = buf.get(..self.len).unwrap_or_default();
        bytes.chunks(self.segment_size.unwrap_or(self.len).max(1))
    }
}
