//! MEDIA plaintext: six bytes, then one fragment of a frame; and the header at the head of each frame.
//!
//! ```text
//! byte 0     bit 7 = 0  6 P parity  5 KEY  4 DISC  3..2 TID  1 END  0 REP
//! bytes 1-2  frame id, low 16 bits
//! bytes 3-5  index (12 bits), fragment count - 1 (12 bits)
//! ```
//!
//! A frame is the byte string `frame header || access unit`; with k fragments every fragment has
//! S = ceil(length / k) bytes and only the last may be shorter.

use core::time::Duration;

use super::feedback::TIME_UNIT_US;
use super::{Reader, WireError, Writer, cursor::varint_len};
use crate::limits;
use crate::nal::Codec;

/// Length of the header in front of each fragment.
pub const FRAGMENT_HEADER_BYTES: usize = 6;

/// The six bytes in front of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentHeader {
    /// The fragment is a parity row, not data.
    pub parity: bool,
    /// The frame is a random access point.
    pub key: bool,
    /// No other frame refers to this one.
    pub disposable: bool,
    /// Temporal layer, 0..=3.
    pub temporal_id: u8,
    /// Last fragment of this frame in this burst: acknowledge now.
    pub end: bool,
    /// Sent again, in repair round 1 or later.
    pub repair: bool,
    /// Low bits of the frame id.
    pub frame_id_low: u16,
    /// Which fragment, or which parity row.
    pub index: u16,
    /// Fragments of the frame, 1..=4096.
    pub count: u16,
}

impl FragmentHeader {
    /// Reads the header; the rest of `reader` is the fragment.
    ///
    /// # Errors
    /// [`WireError::Truncated`], or [`WireError::Field`] if it is a control message or an index is out of range.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let flags = reader.u8()?;
        let frame_id_low = reader.u16()?;
        let [a, b, c] = reader.array()?;
        let header = Self {
            parity: flags & 0x40 != 0,
            key: flags & 0x20 != 0,
            disposable: flags & 0x10 != 0,
            temporal_id: (flags >> 2) & 3,
            end: flags & 2 != 0,
            repair: flags & 1 != 0,
            frame_id_low,
            index: u16::from_be_bytes([a >> 4, a << 4 | b >> 4]),
            count: u16::from_be_bytes([b & 0x0f, c]) + 1,
        };
        let data_in_range = header.parity || header.index < header.count;
        if flags & 0x80 != 0 || !data_in_range || reader.is_empty() { Err(WireError::Field) } else { Ok(header) }
    }

    /// Appends the header.
    pub fn write(&self, writer: &mut Writer<'_>) {
        let flags = u8::from(self.parity) << 6
            | u8::from(self.key) << 5
            | u8::from(self.disposable) << 4
            | (self.temporal_id & 3) << 2
            | u8::from(self.end) << 1
            | u8::from(self.repair);
        writer.u8(flags);
        writer.u16(self.frame_id_low);
        let [i_high, i_low] = self.index.to_be_bytes();
        let [c_high, c_low] = (self.count.wrapping_sub(1) & 0x0fff).to_be_bytes();
        writer.bytes(&[i_high << 4 | i_low >> 4, i_low << 4 | c_high, c_low]);
    }
}

/// The head of a frame's byte string: 10 to 12 bytes, once a frame.
///
/// `flags u8 | parameter-set epoch u8 | reference delta varint | capture time u32 | encode time u16 | body length varint`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Codec of the body.
    pub codec: Codec,
    /// Random access point.
    pub key: bool,
    /// The body carries all the parameter sets that it needs.
    pub parameter_sets: bool,
    /// The encoder keeps this frame as a long-term reference.
    pub marks_long_term: bool,
    /// The frame refers to a long-term reference: a recovery frame.
    pub uses_long_term: bool,
    /// The picture size differs from the frame before.
    pub geometry_changed: bool,
    /// Counts changes of the parameter sets, as CONFIG does.
    pub parameter_epoch: u8,
    /// This frame's id less its reference's; 0 if it refers to none.
    pub reference_delta: u32,
    /// Capture time on the server's clock, microseconds, low 32 bits.
    pub capture_us: u32,
    /// From the capture until the encoder had handed the access unit over, in [`TIME_UNIT_US`].
    pub encode_units: u16,
    /// Bytes of the access unit that follow.
    pub body_len: u32,
}

impl FrameHeader {
    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        2 + varint_len(self.reference_delta) + 6 + varint_len(self.body_len)
    }

    /// From the capture until the encoder had handed the access unit over; four seconds at most.
    #[must_use]
    pub const fn encode_delay(&self) -> Duration {
        Duration::from_micros(self.encode_units as u64 * TIME_UNIT_US)
    }

    /// Always false: there is no empty frame header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Reads the header; `body_len` bytes of the rest are the access unit.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::Varint`], or [`WireError::Field`] for an unknown codec, the
    /// extension bit, a key frame with a reference, a delta frame without one, or an impossible length.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let flags = reader.u8()?;
        let codec = match flags >> 6 {
            0 => Codec::H264,
            1 => Codec::H265,
            _ => return Err(WireError::Field),
        };
        let header = Self {
            codec,
            key: flags & 0x20 != 0,
            parameter_sets: flags & 0x10 != 0,
            marks_long_term: flags & 8 != 0,
            uses_long_term: flags & 4 != 0,
            geometry_changed: flags & 2 != 0,
            parameter_epoch: reader.u8()?,
            reference_delta: reader.varint()?,
            capture_us: reader.u32()?,
            encode_units: reader.u16()?,
            body_len: reader.varint()?,
        };
        let extended = flags & 1 != 0;
        let too_long = header.body_len as usize > limits::FRAME_BYTES_MAX;
        if extended || too_long || header.key != (header.reference_delta == 0) {
            return Err(WireError::Field);
        }
        Ok(header)
    }

    /// Appends the header.
    pub fn write(&self, writer: &mut Writer<'_>) {
        let codec = match self.codec {
            Codec::H264 => 0,
            Codec::H265 => 1 << 6,
        };
        writer.u8(codec
            | u8::from(self.key) << 5
            | u8::from(self.parameter_sets) << 4
            | u8::from(self.marks_long_term) << 3
            | u8::from(self.uses_long_term) << 2
            | u8::from(self.geometry_changed) << 1);
        writer.u8(self.parameter_epoch);
        writer.varint(self.reference_delta);
        writer.u32(self.capture_us);
        writer.u16(self.encode_units);
        writer.varint(self.body_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FRAME_HEADER_BYTES_MAX;

    #[test]
    fn fragment_headers_come_back() {
        for (index, count) in [(0, 1), (0, 4096), (4095, 4096), (0x123, 0x456)] {
            let header = FragmentHeader {
                parity: false,
                key: true,
                disposable: false,
                temporal_id: 2,
                end: true,
                repair: false,
                frame_id_low: 0xbeef,
                index,
                count,
            };
            let mut buf = [0; FRAGMENT_HEADER_BYTES + 1];
            let mut writer = Writer::new(&mut buf);
            header.write(&mut writer);
            assert_eq!(writer.finish(), Some(FRAGMENT_HEADER_BYTES));
            assert_eq!(FragmentHeader::read(&mut Reader::new(&buf)), Ok(header));
            let empty = FragmentHeader::read(&mut Reader::new(&buf[..FRAGMENT_HEADER_BYTES]));
            assert_eq!(empty, Err(WireError::Field), "a fragment without bytes says nothing");
        }
    }

    #[test]
    fn an_index_beyond_the_count_is_refused_for_data_and_means_a_row_for_parity() {
        let index_1_of_1 = [0x00, 0, 0, 0x00, 0x10, 0x00, 9];
        assert_eq!(FragmentHeader::read(&mut Reader::new(&index_1_of_1)), Err(WireError::Field));
        let row_1 = [0x40, 0, 0, 0x00, 0x10, 0x00, 9];
        assert!(FragmentHeader::read(&mut Reader::new(&row_1)).is_ok_and(|h| h.parity && h.index == 1));
    }

    #[test]
    fn frame_headers_come_back_and_know_their_length() {
        for (reference_delta, body_len, len) in [(0, 9, 10), (1, 300, 11), (200, 2 << 20, 14)] {
            let header = FrameHeader {
                codec: Codec::H265,
                key: reference_delta == 0,
                parameter_sets: true,
                marks_long_term: false,
                uses_long_term: true,
                geometry_changed: false,
                parameter_epoch: 7,
                reference_delta,
                capture_us: 0xfedc_ba98,
                encode_units: 0xabcd,
                body_len,
            };
            let mut buf = [0; FRAME_HEADER_BYTES_MAX];
            let mut writer = Writer::new(&mut buf);
            header.write(&mut writer);
            assert_eq!((writer.finish(), header.len()), (Some(len), len));
            assert_eq!(FrameHeader::read(&mut Reader::new(&buf[..len])), Ok(header));
        }
    }
}
