//! Cuts a byte stream into access units (clause 7.4.1.2.3 of ITU-T H.264, 7.4.2.4.4 of ITU-T H.265).

use core::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

use super::annexb::{START_CODE_PREFIX_BYTES, find_start_code, with_zero_byte};
use super::{Codec, Role};
use crate::limits;

/// Splits a byte stream into access units that, put together again, are the stream byte for byte.
///
/// Bytes go in by [`push`](Self::push), in pieces of any size, and the end by [`finish`](Self::finish); after each,
/// [`next_unit`](Self::next_unit) is called until it has no more. The units do not depend on the pieces.
///
/// A unit runs from the start code of its first NAL unit to that of the next unit's; zeros in between but for the
/// start code's own belong to the earlier one. Whatever stands in front of the first start code belongs to the first
/// unit, and a stream without any slice is one unit.
#[derive(Debug)]
pub struct AccessUnits {
    codec: Codec,
    unit_bytes_max: usize,
    /// The unit that is looked at and all that follows.
    buffer: BytesMut,
    /// Offset in the stream of the buffer's first byte.
    offset: u64,
    /// No start code prefix in front of this offset of the buffer is left to look at.
    cursor: usize,
    /// Whether the unit has a slice so far; only then can it end.
    has_slice: bool,
    /// Where a run of prefix NAL units starts that nothing but a slice may follow.
    prefix: Option<usize>,
    phase: Phase,
}

/// An access unit is larger than what is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Offset in the stream where the unit starts.
    pub offset: u64,
    /// The most bytes that a unit may have.
    pub bytes_max: usize,
    /// What the stream was taken for.
    pub codec: Codec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Finished,
    Failed(TooLarge),
}

/// Where a unit ends.
struct Cut {
    /// The first byte of the next unit.
    at: usize,
    /// The start code that gave reason to cut; behind `at` if prefix NAL units stand between.
    cause: usize,
    /// Whether the next unit is known to have a slice.
    next_has_slice: bool,
}

impl AccessUnits {
    /// A splitter at the start of a stream whose units have at most [`limits::FRAME_BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self::with_unit_bytes_max(codec, limits::FRAME_BYTES_MAX)
    }

    /// A splitter with another limit to the bytes of a unit.
    #[must_use]
    pub fn with_unit_bytes_max(codec: Codec, unit_bytes_max: usize) -> Self {
        Self {
            codec,
            unit_bytes_max,
            buffer: BytesMut::new(),
            offset: 0,
            cursor: 0,
            has_slice: false,
            prefix: None,
            phase: Phase::Open,
        }
    }

    /// Takes the stream's next bytes. Between two calls at most twice the limit to a unit stays buffered, if
    /// [`next_unit`](Self::next_unit) is called until it has no more. Bytes behind an end or an error are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.phase == Phase::Open {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The stream ends here: what is left becomes its last unit.
    pub fn finish(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Finished;
        }
    }

    /// The next unit whose end is known. A unit owns its memory, so keeping it keeps nothing else.
    ///
    /// # Errors
    ///
    /// [`TooLarge`], now and ever after: a stream has no place to go on from that would keep it whole.
    pub fn next_unit(&mut self) -> Result<Option<Bytes>, TooLarge> {
        if let Phase::Failed(error) = self.phase {
            return Err(error);
        }
        match self.find_cut() {
            // A run of prefix NAL units is lookahead; without a limit to it the buffer would have none.
            Some(cut) if cut.at.max(cut.cause - cut.at) > self.unit_bytes_max => Err(self.fail()),
            Some(cut) => {
                self.has_slice = cut.next_has_slice;
                Ok(Some(self.take(cut.at)))
            }
            None if self.phase == Phase::Finished && self.buffer.len() > self.unit_bytes_max => Err(self.fail()),
            None if self.phase == Phase::Finished && !self.buffer.is_empty() => Ok(Some(self.take(self.buffer.len()))),
            None if self.is_surely_too_large() => Err(self.fail()),
            None => Ok(None),
        }
    }

    /// Reads on from the cursor to the end of the unit; `None` if more bytes could change the answer.
    fn find_cut(&mut self) -> Option<Cut> {
        while let Some(code) = find_start_code(&self.buffer, self.cursor) {
            let nal = self.buffer.get(code + START_CODE_PREFIX_BYTES..).unwrap_or_default();
            if nal.len() < self.codec.role_bytes() && self.phase == Phase::Open {
                self.cursor = code;
                return None;
            }
            let role = self.codec.role(nal);
            let start = with_zero_byte(&self.buffer, code);
            self.cursor = code + START_CODE_PREFIX_BYTES;
            let prefix = self.prefix.take();
            match role {
                Role::Opens if self.has_slice => return Some(Cut { at: start, cause: start, next_has_slice: false }),
                Role::Slice { first: true } if self.has_slice => {
                    return Some(Cut { at: prefix.unwrap_or(start), cause: start, next_has_slice: true });
                }
                Role::Slice { .. } => self.has_slice = true,
                Role::Prefix => self.prefix = prefix.or(Some(start)),
                Role::Opens | Role::Other => {}
            }
        }
        // The last two bytes may be the beginning of a start code.
        self.cursor = self.cursor.max(self.buffer.len().saturating_sub(START_CODE_PREFIX_BYTES - 1));
        None
    }

    /// Whether no byte to come can keep the unit, or the prefix NAL units behind it, within the limit.
    fn is_surely_too_large(&self) -> bool {
        let next_start_min = self.cursor.saturating_sub(1);
        let (unit_min, run_min) = match self.prefix {
            Some(prefix) => (prefix, next_start_min.saturating_sub(prefix)),
            None => (next_start_min, 0),
        };
        unit_min.max(run_min) > self.unit_bytes_max
    }

    fn take(&mut self, len: usize) -> Bytes {
        let unit = Bytes::copy_from_slice(self.buffer.get(..len).unwrap_or_default());
        self.buffer.advance(unit.len());
        self.offset += unit.len() as u64;
        self.cursor = self.cursor.saturating_sub(unit.len());
        unit
    }

    fn fail(&mut self) -> TooLarge {
        let error = TooLarge { offset: self.offset, bytes_max: self.unit_bytes_max, codec: self.codec };
        self.buffer = BytesMut::new();
        self.phase = Phase::Failed(error);
        error
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, bytes_max, codec } = self;
        write!(
            f,
            "the access unit at byte {offset} has more than {bytes_max} bytes, which is the most that can be sent: \
             check that this is an {codec:?} Annex-B byte stream (not MP4 or another container), or encode it at a \
             lower bit rate"
        )
    }
}

impl core::error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    /// Splits the parts' concatenation, pushed whole and byte by byte, and expects the parts back.
    #[track_caller]
    fn check(codec: Codec, parts: &[&[u8]]) {
        let stream = parts.concat();
        for piece in [1, stream.len().max(1)] {
            assert_eq!(split(codec, 1000, &stream, piece).unwrap(), parts, "{piece} bytes a push");
        }
    }

    fn split(codec: Codec, unit_bytes_max: usize, stream: &[u8], piece: usize) -> Result<Vec<Bytes>, TooLarge> {
        let mut units = Vec::new();
        let mut splitter = AccessUnits::with_unit_bytes_max(codec, unit_bytes_max);
        for bytes in stream.chunks(piece) {
            splitter.push(bytes);
            while let Some(unit) = splitter.next_unit()? {
                units.push(unit);
            }
        }
        splitter.finish();
        while let Some(unit) = splitter.next_unit()? {
            units.push(unit);
        }
        Ok(units)
    }

    const AUD: &[u8] = &[0, 0, 0, 1, 9, 0x10];
    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 66, 0, 10];
    const IDR: &[u8] = &[0, 0, 1, 0x65, 0x88, 7];
    const IDR_LATER_SLICE: &[u8] = &[0, 0, 1, 0x65, 0x48, 7];
    const P: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a, 7];
    const PREFIX: &[u8] = &[0, 0, 0, 1, 0x6e, 0x80, 0x80, 0x0f];
    const SEI: &[u8] = &[0, 0, 1, 6, 5, 1, 7];
    const END_OF_SEQUENCE: &[u8] = &[0, 0, 1, 10];

    #[test]
    fn h264_pictures() {
        check(Codec::H264, &[&[SPS, IDR].concat(), P, P]);
        check(Codec::H264, &[&[AUD, SPS, IDR, IDR_LATER_SLICE].concat(), &[AUD, P].concat()]);
        check(Codec::H264, &[&[SEI, IDR].concat(), &[SEI, SEI, P].concat(), &[SPS, IDR].concat()]);
        check(Codec::H264, &[&[IDR, END_OF_SEQUENCE].concat(), &[SPS, IDR].concat()]);
    }

    #[test]
    fn h265_pictures() {
        let vps: &[u8] = &[0, 0, 0, 1, 0x40, 1, 0x0c];
        let idr: &[u8] = &[0, 0, 1, 0x26, 1, 0xaf];
        let idr_later_slice: &[u8] = &[0, 0, 1, 0x26, 1, 0x2f];
        let idr_layer_1: &[u8] = &[0, 0, 1, 0x26, 9, 0xaf];
        let trail: &[u8] = &[0, 0, 1, 2, 1, 0xd0];
        let suffix_sei: &[u8] = &[0, 0, 1, 0x50, 1, 0x84];
        check(Codec::H265, &[&[vps, idr, idr_later_slice].concat(), trail, &[vps, idr].concat()]);
        check(Codec::H265, &[&[idr, idr_layer_1, suffix_sei].concat(), trail]);
    }

    #[test]
    fn zeros_belong_to_the_earlier_unit_but_for_one() {
        check(Codec::H264, &[&[&[0, 0, 0, 0, 0], IDR, &[0, 0, 0]].concat(), P, &[P, &[0, 0]].concat()]);
        // A three-byte start code behind a zero takes it as its own.
        check(Codec::H264, &[IDR, &[&[0], IDR].concat()]);
    }

    #[test]
    fn prefix_units_go_with_the_slice_behind_them() {
        check(Codec::H264, &[&[SPS, PREFIX, IDR, PREFIX, IDR_LATER_SLICE].concat(), &[PREFIX, P].concat()]);
        check(Codec::H264, &[IDR, &[PREFIX, PREFIX, P].concat()]);
        check(Codec::H264, &[&[IDR, PREFIX].concat(), &[SEI, P].concat()]);
        check(Codec::H264, &[&[IDR, PREFIX, END_OF_SEQUENCE].concat(), P]);
        check(Codec::H264, &[&[IDR, PREFIX].concat()]);
    }

    #[test]
    fn streams_without_slices_are_one_unit() {
        check(Codec::H264, &[]);
        check(Codec::H264, &[b"no start code at all"]);
        check(Codec::H264, &[&[0, 0, 1]]);
        check(Codec::H264, &[&[SPS, AUD, SEI].concat()]);
        check(Codec::H264, &[&[b"junk", IDR].concat(), &[0, 0, 1, 9]]);
    }

    #[test]
    fn the_limit_is_exact_for_every_partition() {
        let long = [IDR, &[7; 90]].concat();
        let stream = [&long, P].concat();
        for piece in [1, 2, 3, 50, stream.len()] {
            assert_eq!(split(Codec::H264, long.len(), &stream, piece).unwrap(), [&long, P], "{piece}");
            let error = split(Codec::H264, long.len() - 1, &stream, piece).unwrap_err();
            assert_eq!((error.offset, error.bytes_max), (0, long.len() - 1));
            // The same as the last unit, where only the end tells its size.
            let stream = [P, &long].concat();
            assert_eq!(split(Codec::H264, long.len(), &stream, piece).unwrap(), [P, &long], "{piece}");
            assert_eq!(split(Codec::H264, long.len() - 1, &stream, piece).unwrap_err().offset, P.len() as u64);
        }
    }

    #[test]
    fn what_is_buffered_is_bounded() {
        let prefix_run = [PREFIX, &[7; 3000]].concat();
        for endless in [vec![0; 3000], [IDR, &[7; 3000]].concat(), [IDR, &prefix_run].concat()] {
            let mut splitter = AccessUnits::with_unit_bytes_max(Codec::H264, 1000);
            let outcome = endless.iter().try_for_each(|&byte| {
                splitter.push(&[byte]);
                assert!(splitter.buffer.len() < 2010);
                splitter.next_unit().map(|_| ())
            });
            let error = outcome.unwrap_err();
            assert_eq!(error.offset, 0, "nothing was given out before");
            splitter.push(&[0; 100]);
            splitter.finish();
            assert!(splitter.buffer.is_empty());
            splitter.next_unit().unwrap_err();
            // Pushed at once, the outcome is the same.
            assert_eq!(split(Codec::H264, 1000, &[&endless, P].concat(), 5000), Err(error));
        }
    }
}
