//! What a viewer that is let in is told.

use crate::wire::{Reader, WireError, Writer, frame_id};

/// What the server tells a viewer that it takes in, inside its handshake message.
///
/// `largest frame u32 | server time u64 | newest frame id u64`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionParameters {
    /// Largest access unit that will come, bytes.
    pub frame_bytes_max: u32,
    /// The server's clock now, microseconds: the epoch of all 32-bit times of this session.
    pub server_time_us: u64,
    /// The newest frame's id, or 0: where 16-bit frame ids begin to be expanded.
    pub newest_frame: u64,
}

impl SessionParameters {
    /// Length in bytes.
    pub const BYTES: usize = 20;

    /// Parses the opened parameters.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let parameters = Self {
            frame_bytes_max: reader.u32()?,
            server_time_us: reader.u64()?,
            newest_frame: frame_id(&mut reader)?,
        };
        if reader.is_empty() { Ok(parameters) } else { Err(WireError::Trailing) }
    }

    /// The parameters as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let mut writer = Writer::new(&mut bytes);
        writer.u32(self.frame_bytes_max);
        writer.u64(self.server_time_us);
        writer.u64(self.newest_frame);
        bytes
    }
}
