//! Content that is written as it comes.

use bytes::{BufMut, BytesMut};

use super::number::put_number;

/// How a client finds the end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamFraming {
    /// The answer has no content.
    Nothing,
    /// The chunked coding (RFC 9112 §7.1).
    Chunked,
    /// The end of the connection (RFC 9112 §6.3).
    UntilClose,
}

/// Writes the content of an answer whose head was ended with [`streamed`](super::ResponseHead::streamed).
#[derive(Debug)]
#[must_use = "content of unknown length has to be ended"]
pub struct StreamedBody {
    framing: StreamFraming,
    keeps_alive: bool,
}

impl StreamedBody {
    pub(super) const fn new(framing: StreamFraming, keeps_alive: bool) -> Self {
        Self { framing, keeps_alive }
    }

    /// Whether the connection can carry another answer after this one.
    #[must_use]
    pub const fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Appends content. Of nothing nothing is made: an empty chunk would be the last one.
    pub fn write(&self, out: &mut BytesMut, content: &[u8]) {
        match self.framing {
            StreamFraming::Chunked if !content.is_empty() => {
                put_number::<16>(out, content.len());
                for part in [b"\r\n", content, b"\r\n"] {
                    out.put_slice(part);
                }
            }
            StreamFraming::UntilClose => out.put_slice(content),
            StreamFraming::Chunked | StreamFraming::Nothing => {}
        }
    }

    /// Appends what says that the content is complete.
    pub fn finish(self, out: &mut BytesMut) {
        if self.framing == StreamFraming::Chunked {
            out.put_slice(b"0\r\n\r\n");
        }
    }
}
