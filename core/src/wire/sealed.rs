//! The outer header of sealed datagrams: 3 bytes to the viewer, 7 to the server.
//!
//! ```text
//! bit 7  6  5  4  3..0                 then
//!     1  C  K  0  PN[19:16]   PN[15:0] [CID u32 if C]   sealed plaintext   tag
//! ```

use super::{Reader, WireError, Writer, expand};

/// Bits of the packet number that travel.
pub const PACKET_NUMBER_BITS: u32 = 20;
/// Length of the header without a connection id: server to viewer.
pub const TO_VIEWER_BYTES: usize = 3;
/// Length of the header with a connection id: viewer to server.
pub const TO_SERVER_BYTES: usize = 7;

/// The outer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which of two key generations sealed the datagram.
    pub key_phase: bool,
    /// Low [`PACKET_NUMBER_BITS`] bits of the packet number.
    pub packet_number_low: u32,
    /// The connection id, in the viewer-to-server direction.
    pub connection_id: Option<u32>,
}

impl Header {
    /// Whether a datagram has the sealed form.
    #[must_use]
    pub fn is_sealed(datagram: &[u8]) -> bool {
        datagram.first().is_some_and(|byte| byte & 0x80 != 0)
    }

    /// Reads the header; what follows it in `reader` is sealed.
    ///
    /// # Errors
    /// [`WireError::Truncated`], or [`WireError::Field`] if the reserved bit is set or the form is long.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let [first, high, low] = reader.array()?;
        if first & 0x90 != 0x80 {
            return Err(WireError::Field);
        }
        let connection_id = if first & 0x40 == 0 { None } else { Some(reader.u32()?) };
        let packet_number_low = u32::from_be_bytes([0, first & 0x0f, high, low]);
        Ok(Self { key_phase: first & 0x20 != 0, packet_number_low, connection_id })
    }

    /// Appends the header.
    pub fn write(&self, writer: &mut Writer<'_>) {
        let form = 0x80 | u8::from(self.connection_id.is_some()) << 6 | u8::from(self.key_phase) << 5;
        let [_, high, mid, low] = self.packet_number_low.to_be_bytes();
        writer.bytes(&[form | (high & 0x0f), mid, low]);
        if let Some(id) = self.connection_id {
            writer.u32(id);
        }
    }

    /// The packet number nearest to `near`.
    #[must_use]
    pub const fn packet_number(&self, near: u64) -> u64 {
        expand(near, self.packet_number_low as u64, PACKET_NUMBER_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_with_their_exact_length() {
        for (connection_id, len) in [(None, TO_VIEWER_BYTES), (Some(0xdead_beef), TO_SERVER_BYTES)] {
            for key_phase in [false, true] {
                let header = Header { key_phase, packet_number_low: 0xf_1234, connection_id };
                let mut buf = [0; 16];
                let mut writer = Writer::new(&mut buf);
                header.write(&mut writer);
                assert_eq!(writer.finish(), Some(len));
                assert_eq!(Header::read(&mut Reader::new(&buf[..len])), Ok(header));
            }
        }
    }

    #[test]
    fn the_reserved_bit_and_the_long_form_are_refused() {
        for first in [0x90, 0x10, 0x00, 0xf0] {
            assert_eq!(Header::read(&mut Reader::new(&[first, 0, 0, 0, 0, 0, 0])), Err(WireError::Field), "{first:#x}");
        }
        assert_eq!(Header::read(&mut Reader::new(&[0xc0, 0, 0, 1])), Err(WireError::Truncated));
    }
}
