//! The packetizer: a frame's byte string cut into equal fragments.

use super::frame_buffer::Frame;
use crate::fec::{Encoder, Layout};
use crate::limits::{DATAGRAM_BYTES_MAX, FRAGMENTS_PER_FRAME_MAX};
use crate::wire::media::FragmentHeader;
use crate::wire::{Writer, frame_id_low};

/// How a frame is cut: `count` fragments of `segment` bytes, only the last shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) segment: usize,
    pub(super) count: u16,
}

impl Cut {
    /// The cut of `len` bytes into the fewest fragments of at most `segment_max`, as equal as they can be. The largest
    /// frame fits what the wire can count at the smallest datagram; beyond, fragments are larger than that.
    pub(super) fn new(len: usize, segment_max: usize) -> Self {
        let segment_max = segment_max.max(len.div_ceil(FRAGMENTS_PER_FRAME_MAX));
        let fewest = len.div_ceil(segment_max).max(1);
        let segment = len.div_ceil(fewest).max(1);
        // Rounding S up may leave the last fragment nothing to carry.
        let count = len.div_ceil(segment).max(1);
        Self { segment, count: u16::try_from(count).unwrap_or(u16::MAX) }
    }

    /// Appends fragment `index` of `frame` with its header; `end` asks for an acknowledgement.
    pub(super) fn write_fragment(&self, frame: &Frame, index: u16, end: bool, writer: &mut Writer<'_>) {
        self.header(frame, index, end).write(writer);
        let (start, end) = self.range(frame, index);
        frame.write_range(start, end, writer);
    }

    /// Appends erasure row `row` of `frame` with its header.
    pub(super) fn write_row(&self, frame: &Frame, row: u16, mark: Mark, writer: &mut Writer<'_>) {
        let header = self.header(frame, row, mark.end);
        FragmentHeader { parity: true, repair: mark.repair, ..header }.write(writer);
        let mut sum = [0; DATAGRAM_BYTES_MAX];
        let Some(sum) = sum.get_mut(..self.segment) else { return };
        let layout = Layout::new(self.count);
        if let Some(mut encoder) = Encoder::new(layout, row, sum) {
            for index in (u16::from(layout.block_of(row))..self.count).step_by(usize::from(layout.blocks())) {
                let (start, end) = self.range(frame, index);
                frame.encode_range(start, end, index, &mut encoder);
            }
        }
        writer.bytes(sum);
    }

    fn range(&self, frame: &Frame, index: u16) -> (usize, usize) {
        let start = usize::from(index) * self.segment;
        (start, (start + self.segment).min(frame.len()))
    }

    fn header(&self, frame: &Frame, index: u16, end: bool) -> FragmentHeader {
        FragmentHeader {
            parity: false,
            key: frame.key,
            disposable: frame.place.disposable,
            temporal_id: frame.place.temporal_id,
            end,
            repair: false,
            frame_id_low: frame_id_low(frame.id),
            index,
            count: self.count,
        }
    }
}

/// What a row says besides what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// It is the last of its burst: an acknowledgement is wanted.
    pub(super) end: bool,
    /// It was asked for.
    pub(super) repair: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_balanced_cover_everything_and_leave_no_fragment_empty() {
        for len in (1..6_000).chain([1_000_000, 2 << 20]) {
            for segment_max in [4, 100, 1175] {
                let cut = Cut::new(len, segment_max);
                if len.div_ceil(segment_max) > FRAGMENTS_PER_FRAME_MAX {
                    assert!(usize::from(cut.count) <= FRAGMENTS_PER_FRAME_MAX);
                    continue;
                }
                let before_last = usize::from(cut.count - 1) * cut.segment;
                assert!(cut.segment <= segment_max, "{len} {segment_max}");
                assert!(before_last < len && len <= before_last + cut.segment, "{len} {segment_max}");
                assert!(
                    usize::from(cut.count) <= len.div_ceil(segment_max),
                    "{len} {segment_max}: no more than needed"
                );
            }
        }
    }
}
