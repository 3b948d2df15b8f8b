//! One frame being put together.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::{Bytes, BytesMut};

use super::first_buffer::Fragment;
use crate::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES_MAX};
use crate::time::Timestamp;
use crate::wire::Reader;
use crate::wire::media::FrameHeader;

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was new.
    New,
    /// It was there already.
    Duplicate,
    /// It belongs to an earlier cut of the frame.
    Outdated,
    /// It contradicts the frame's other fragments, or the frame it completes makes no sense.
    Contradiction,
}

/// A frame whose fragments are all there.
#[derive(Clone, Debug)]
pub(super) struct Complete {
    pub(super) header: FrameHeader,
    pub(super) body: Bytes,
    pub(super) at: Timestamp,
}

/// The fragments of one frame, placed by index.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: bool,
    pub(super) disposable: bool,
    pub(super) first_arrival: Timestamp,
    /// Since when it is known that something is missing which later packets overtook.
    pub(super) hole_since: Option<Timestamp>,
    pub(super) complete: Option<Complete>,
    header: Option<FrameHeader>,
    count: u16,
    received: u16,
    lowest_missing: u16,
    highest: u16,
    tail_due: bool,
    have: Vec<u64>,
    /// S, once a fragment other than the last told it.
    segment: Option<usize>,
    last_len: usize,
    bytes: BytesMut,
    /// The last fragment, if it came before S was known.
    early_tail: Vec<u8>,
}

impl Slot {
    pub(super) fn new(fragment: &Fragment<'_>) -> Self {
        let header = fragment.header;
        Self {
            key: header.key,
            disposable: header.disposable,
            first_arrival: fragment.arrived,
            hole_since: None,
            complete: None,
            header: None,
            count: header.count,
            received: 0,
            lowest_missing: 0,
            highest: 0,
            tail_due: false,
            have: vec![0; usize::from(header.count).div_ceil(64)],
            segment: None,
            last_len: 0,
            bytes: BytesMut::new(),
            early_tail: Vec::new(),
        }
    }

    /// Fragments still missing.
    pub(super) const fn missing(&self) -> u16 {
        self.count - self.received
    }

    /// The frame's own header, once its first fragment came.
    pub(super) const fn header(&self) -> Option<&FrameHeader> {
        self.header.as_ref()
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.len() + self.early_tail.len() + self.complete.as_ref().map_or(0, |complete| complete.body.len())
    }

    pub(super) fn place(&mut self, fragment: &Fragment<'_>) -> Placed {
        let (index, bytes) = (fragment.header.index, fragment.bytes);
        if fragment.header.parity {
            return Placed::Contradiction;
        }
        if self.complete.is_some() {
            return Placed::Duplicate;
        }
        // A path that shrank has the frame cut anew, into more fragments.
        match fragment.header.count.cmp(&self.count) {
            Ordering::Less => return Placed::Outdated,
            Ordering::Equal => {}
            Ordering::Greater => *self = Self { first_arrival: self.first_arrival, ..Self::new(fragment) },
        }
        if self.has(index) {
            return Placed::Duplicate;
        }
        let last = index + 1 == self.count;
        if last && self.count > 1 && self.segment.is_none() {
            self.early_tail = bytes.to_vec();
        } else if !self.write(index, last, bytes) {
            return Placed::Contradiction;
        }
        if last {
            self.last_len = bytes.len();
        }
        self.mark(index, fragment);
        if self.received == self.count && !self.finish(fragment.arrived) {
            return Placed::Contradiction;
        }
        Placed::New
    }

    /// A later packet shows that everything of this frame should have come by now.
    pub(super) fn expect_tail(&mut self, now: Timestamp) {
        self.tail_due = true;
        self.update_hole(now);
    }

    fn has(&self, index: u16) -> bool {
        self.have.get(usize::from(index / 64)).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Copies a fragment to its place; the first one to know S makes the room.
    fn write(&mut self, index: u16, last: bool, bytes: &[u8]) -> bool {
        let segment = match self.segment {
            Some(segment) => segment,
            None => {
                let total = bytes.len() * usize::from(self.count);
                let slack = bytes.len();
                if total > FRAME_BYTES_MAX + FRAME_HEADER_BYTES_MAX + slack || self.early_tail.len() > bytes.len() {
                    return false;
                }
                self.segment = Some(bytes.len());
                self.bytes = BytesMut::zeroed(total);
                let tail = core::mem::take(&mut self.early_tail);
                if !tail.is_empty() && !self.copy(self.count - 1, bytes.len(), &tail) {
                    return false;
                }
                bytes.len()
            }
        };
        let fits = if last { bytes.len() <= segment } else { bytes.len() == segment };
        fits && self.copy(index, segment, bytes)
    }

    fn copy(&mut self, index: u16, segment: usize, bytes: &[u8]) -> bool {
        let start = usize::from(index) * segment;
        let Some(to) = self.bytes.get_mut(start..start + bytes.len()) else {
            return false;
        };
        to.copy_from_slice(bytes);
        if index == 0 {
            self.header = FrameHeader::read(&mut Reader::new(bytes)).ok();
        }
        true
    }

    fn mark(&mut self, index: u16, fragment: &Fragment<'_>) {
        if let Some(word) = self.have.get_mut(usize::from(index / 64)) {
            *word |= 1 << (index % 64);
        }
        self.received += 1;
        self.highest = self.highest.max(index);
        self.tail_due |= fragment.header.end;
        if index == self.lowest_missing {
            while self.lowest_missing < self.count && self.has(self.lowest_missing) {
                self.lowest_missing += 1;
            }
            // Something still comes: the clock of what is missing starts anew.
            self.hole_since = None;
        }
        self.update_hole(fragment.arrived);
    }

    fn update_hole(&mut self, now: Timestamp) {
        let expected = if self.tail_due { self.count } else { self.highest + 1 };
        if self.received >= expected {
            self.hole_since = None;
        } else if self.hole_since.is_none() {
            self.hole_since = Some(now);
        }
    }

    fn finish(&mut self, at: Timestamp) -> bool {
        let segment = self.segment.unwrap_or_default();
        let mut bytes = core::mem::take(&mut self.bytes);
        bytes.truncate(segment * usize::from(self.count - 1) + self.last_len);
        let mut reader = Reader::new(&bytes);
        let Ok(header) = FrameHeader::read(&mut reader) else {
            return false;
        };
        let start = bytes.len() - reader.rest().len();
        let end = start + header.body_len as usize;
        if end > bytes.len() || header.key != self.key {
            return false;
        }
        self.complete = Some(Complete { header, body: bytes.freeze().slice(start..end), at });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nal::Codec;
    use crate::wire::Writer;
    use crate::wire::media::FragmentHeader;

    /// The fragments of a frame with a body of `body_len` bytes, cut at `segment`.
    fn cut(body_len: usize, segment: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let body: Vec<u8> = (0..body_len).map(|i| (i * 7) as u8).collect();
        let header = FrameHeader {
            codec: Codec::H264,
            key: true,
            parameter_sets: true,
            marks_long_term: false,
            uses_long_term: false,
            geometry_changed: false,
            parameter_epoch: 0,
            reference_delta: 0,
            capture_us: 1,
            body_len: body_len as u32,
        };
        let mut buf = [0; FRAME_HEADER_BYTES_MAX];
        let mut writer = Writer::new(&mut buf);
        header.write(&mut writer);
        let len = writer.finish().unwrap();
        let whole = [&buf[..len], &body].concat();
        (whole.chunks(segment).map(<[u8]>::to_vec).collect(), body)
    }

    fn fragment(parts: &[Vec<u8>], index: usize) -> Fragment<'_> {
        let header = FragmentHeader {
            parity: false,
            key: true,
            disposable: false,
            temporal_id: 0,
            end: index + 1 == parts.len(),
            repair: false,
            frame_id_low: 1,
            index: index as u16,
            count: parts.len() as u16,
        };
        Fragment { frame_id: 1, header, bytes: &parts[index], arrived: Timestamp::from_millis(index as u64) }
    }

    #[test]
    fn any_order_gives_the_body_back() {
        let (parts, body) = cut(50, 13);
        let n = parts.len();
        for rotation in 0..n {
            for reversed in [false, true] {
                let mut order: Vec<usize> = (0..n).map(|i| (i + rotation) % n).collect();
                if reversed {
                    order.reverse();
                }
                let mut slot = Slot::new(&fragment(&parts, order[0]));
                for index in &order {
                    assert!(slot.complete.is_none());
                    assert_eq!(slot.place(&fragment(&parts, *index)), Placed::New);
                    assert_eq!(slot.place(&fragment(&parts, *index)), Placed::Duplicate);
                }
                assert_eq!(slot.complete.unwrap().body, body, "{order:?}");
            }
        }
    }

    #[test]
    fn fragments_that_contradict_each_other_are_refused() {
        let (parts, _) = cut(50, 13);
        let mut slot = Slot::new(&fragment(&parts, 0));
        assert_eq!(slot.place(&fragment(&parts, 0)), Placed::New);
        let short = [&parts[..1], &[vec![1; 5]], &parts[2..]].concat();
        assert_eq!(slot.place(&fragment(&short, 1)), Placed::Contradiction, "not the last, yet short");
        let huge = vec![vec![0; 1400]; 4096];
        let mut slot = Slot::new(&fragment(&huge, 0));
        assert_eq!(slot.place(&fragment(&huge, 0)), Placed::Contradiction, "over the largest frame");
        assert_eq!(slot.held_bytes(), 0);
    }

    #[test]
    fn a_finer_cut_takes_the_place_of_a_coarser_one() {
        let ((coarse, body), (fine, _)) = (cut(50, 20), cut(50, 13));
        let mut slot = Slot::new(&fragment(&coarse, 0));
        assert_eq!(slot.place(&fragment(&coarse, 0)), Placed::New);
        assert_eq!(slot.place(&fragment(&fine, 1)), Placed::New);
        assert_eq!(slot.place(&fragment(&coarse, 1)), Placed::Outdated);
        for index in [0, 2, 3, 4] {
            assert_eq!(slot.place(&fragment(&fine, index)), Placed::New);
        }
        assert_eq!(slot.complete.as_ref().unwrap().body, body);
        assert_eq!(slot.place(&fragment(&cut(50, 5).0, 0)), Placed::Duplicate, "what is whole stays whole");
    }

    #[test]
    fn holes_are_dated_and_progress_dates_them_anew() {
        let (parts, _) = cut(80, 13);
        let mut slot = Slot::new(&fragment(&parts, 0));
        slot.place(&fragment(&parts, 0));
        assert_eq!(slot.hole_since, None, "nothing overtaken yet");
        slot.place(&fragment(&parts, 3));
        assert_eq!(slot.hole_since, Some(Timestamp::from_millis(3)));
        slot.place(&fragment(&parts, 2));
        assert_eq!(slot.hole_since, Some(Timestamp::from_millis(3)), "fragment 1 is still the lowest");
        slot.place(&fragment(&parts, 1));
        assert_eq!(slot.hole_since, None);
        slot.expect_tail(Timestamp::from_millis(9));
        assert_eq!(slot.hole_since, Some(Timestamp::from_millis(9)), "a newer frame shows that the tail is missing");
    }
}
