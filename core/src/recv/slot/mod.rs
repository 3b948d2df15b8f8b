//! One frame being put together.

mod holes;
mod symbols;
#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use holes::Holes;
use symbols::{Counted, Symbols};

use super::first_buffer::Fragment;
use crate::fec::{Decoder, Symbol};
use crate::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES_MAX};
use crate::time::Timestamp;
use crate::wire::Reader;
use crate::wire::media::FrameHeader;

/// What became of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was new.
    New,
    /// It was there already, or what it stands for.
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

/// How a frame was made whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repaired {
    /// By what was sent at first.
    #[default]
    No,
    /// With rows that were sent along.
    ByParity,
    /// With something that was sent on request.
    ByRepair,
}

/// The fragments of one frame, placed by index, and rows that stand in for missing ones.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: bool,
    pub(super) disposable: bool,
    /// Since when it was known that the frame exists.
    pub(super) known: Timestamp,
    pub(super) first_arrival: Timestamp,
    pub(super) last_arrival: Timestamp,
    pub(super) complete: Option<Complete>,
    pub(super) repaired: Repaired,
    header: Option<FrameHeader>,
    count: u16,
    symbols: Symbols,
    holes: Holes,
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
    /// Rows by number; their bytes lie one behind the other.
    rows: Vec<u16>,
    row_bytes: Vec<u8>,
}

impl Slot {
    pub(super) fn new(fragment: &Fragment<'_>) -> Self {
        let header = fragment.header;
        Self {
            key: header.key,
            disposable: header.disposable,
            known: fragment.arrived,
            first_arrival: fragment.arrived,
            last_arrival: fragment.arrived,
            complete: None,
            repaired: Repaired::No,
            header: None,
            count: header.count,
            symbols: Symbols::new(header.count),
            holes: Holes::default(),
            lowest_missing: 0,
            highest: 0,
            tail_due: false,
            have: vec![0; usize::from(header.count).div_ceil(64)],
            segment: None,
            last_len: 0,
            bytes: BytesMut::new(),
            early_tail: Vec::new(),
            rows: Vec::new(),
            row_bytes: Vec::new(),
        }
    }

    /// Symbols still missing.
    pub(super) const fn missing(&self) -> u16 {
        self.symbols.missing()
    }

    /// The frame's own header, once its first fragment came.
    pub(super) const fn header(&self) -> Option<&FrameHeader> {
        self.header.as_ref()
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        let complete = self.complete.as_ref().map_or(0, |complete| complete.body.len());
        self.bytes.len() + self.early_tail.len() + self.row_bytes.len() + complete
    }

    pub(super) fn place(&mut self, fragment: &Fragment<'_>, decoder: &mut Decoder) -> Placed {
        let header = fragment.header;
        if self.complete.is_some() {
            return Placed::Duplicate;
        }
        // A path that shrank has the frame cut anew, into more fragments.
        match header.count.cmp(&self.count) {
            Ordering::Less => return Placed::Outdated,
            Ordering::Equal => {}
            Ordering::Greater => {
                *self = Self { known: self.known, first_arrival: self.first_arrival, ..Self::new(fragment) }
            }
        }
        let placed = if header.parity { self.place_row(fragment) } else { self.place_data(fragment) };
        if placed != Placed::New {
            return placed;
        }
        self.last_arrival = fragment.arrived;
        self.repaired = self.repaired.max(match (header.repair, header.parity) {
            (true, _) => Repaired::ByRepair,
            (false, true) => Repaired::ByParity,
            (false, false) => Repaired::No,
        });
        self.tail_due |= header.end;
        self.date_holes(fragment.arrived);
        if self.missing() == 0 && !self.finish(fragment.arrived, decoder) {
            return Placed::Contradiction;
        }
        Placed::New
    }

    /// A later packet shows that everything of this frame should have come by now.
    pub(super) fn expect_tail(&mut self, now: Timestamp) {
        self.tail_due = true;
        self.date_holes(now);
    }

    /// Whether its last fragments may still be on the way as far as anybody knows.
    pub(super) const fn awaits_tail(&self) -> bool {
        !self.tail_due && self.complete.is_none()
    }

    /// Whether something is missing for longer than the reorder tolerance.
    pub(super) fn is_overdue(&self, now: Timestamp, tolerance: Duration) -> bool {
        self.complete.is_none() && self.holes.lost_below(now, tolerance) > self.lowest_missing
    }

    /// When more of what is missing will count as lost.
    pub(super) fn next_loss(&self, now: Timestamp, tolerance: Duration) -> Option<Timestamp> {
        if self.complete.is_some() { None } else { self.holes.next(now, tolerance) }
    }

    /// The symbols to ask for: of each block that lacks any for longer than the reorder tolerance, how many.
    pub(super) fn lost(&self, now: Timestamp, tolerance: Duration) -> impl Iterator<Item = (u8, u16)> + use<'_> {
        let below = if self.complete.is_some() { 0 } else { self.holes.lost_below(now, tolerance) };
        let blocks = if below == 0 { 0 } else { self.symbols.layout().blocks() };
        (0..blocks).filter_map(move |block| {
            let column = (u16::from(block)..below).step_by(usize::from(blocks));
            let missing = column.filter(|index| !self.has(*index)).count();
            let lost = u16::try_from(missing).unwrap_or(u16::MAX).saturating_sub(self.symbols.rows_of(block));
            (lost > 0).then_some((block, lost))
        })
    }

    fn has(&self, index: u16) -> bool {
        self.have.get(usize::from(index / 64)).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn place_data(&mut self, fragment: &Fragment<'_>) -> Placed {
        let (index, bytes) = (fragment.header.index, fragment.bytes);
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
        if let Some(word) = self.have.get_mut(usize::from(index / 64)) {
            *word |= 1 << (index % 64);
        }
        self.symbols.add_data(index);
        self.highest = self.highest.max(index);
        while self.lowest_missing < self.count && self.has(self.lowest_missing) {
            self.lowest_missing += 1;
        }
        Placed::New
    }

    fn place_row(&mut self, fragment: &Fragment<'_>) -> Placed {
        let (row, bytes) = (fragment.header.index, fragment.bytes);
        if self.segment.is_some_and(|segment| segment != bytes.len()) {
            return Placed::Contradiction;
        }
        match self.symbols.would_count_row(row) {
            Counted::Useless => return Placed::Duplicate,
            Counted::Impossible => return Placed::Contradiction,
            Counted::New => {}
        }
        if self.segment.is_none() && !self.make_room(bytes.len()) {
            return Placed::Contradiction;
        }
        self.symbols.add_row(row);
        self.rows.push(row);
        self.row_bytes.extend_from_slice(bytes);
        Placed::New
    }

    /// Copies a fragment to its place; the first one to know S makes the room.
    fn write(&mut self, index: u16, last: bool, bytes: &[u8]) -> bool {
        if self.segment.is_none() && !self.make_room(bytes.len()) {
            return false;
        }
        let segment = self.segment.unwrap_or_default();
        let fits = if last { bytes.len() <= segment } else { bytes.len() == segment };
        fits && self.copy(index, segment, bytes)
    }

    /// S is known now: whether a frame can be of that size.
    fn make_room(&mut self, segment: usize) -> bool {
        let total = segment * usize::from(self.count);
        if total > FRAME_BYTES_MAX + FRAME_HEADER_BYTES_MAX + segment || self.early_tail.len() > segment {
            return false;
        }
        self.segment = Some(segment);
        self.bytes = BytesMut::zeroed(total);
        let tail = core::mem::take(&mut self.early_tail);
        tail.is_empty() || self.copy(self.count - 1, segment, &tail)
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

    fn date_holes(&mut self, now: Timestamp) {
        self.holes.filled(self.lowest_missing);
        let below = if self.tail_due { self.count } else { self.highest };
        if self.lowest_missing < below {
            self.holes.overtaken(now, below);
        }
    }

    /// Everything is here, be it as rows: whether it makes a frame.
    fn finish(&mut self, at: Timestamp, decoder: &mut Decoder) -> bool {
        let segment = self.segment.unwrap_or_default();
        // How long the last fragment was, a row does not tell; the frame's header does.
        let last_len = if self.has(self.count - 1) { self.last_len } else { segment };
        if self.lowest_missing + 1 == self.count && self.repaired == Repaired::ByParity {
            // Rows go ahead of the last fragment: that it was not waited for is no repair.
            self.repaired = Repaired::No;
        }
        if self.lowest_missing < self.count && !self.decode(segment, decoder) {
            return false;
        }
        let mut bytes = core::mem::take(&mut self.bytes);
        bytes.truncate(segment * usize::from(self.count - 1) + last_len);
        self.row_bytes = Vec::new();
        let mut reader = Reader::new(&bytes);
        let Ok(header) = FrameHeader::read(&mut reader) else {
            return false;
        };
        let start = bytes.len() - reader.rest().len();
        let end = start + header.body_len as usize;
        if end > bytes.len() || header.key != self.key {
            return false;
        }
        self.header = Some(header);
        self.complete = Some(Complete { header, body: bytes.freeze().slice(start..end), at });
        true
    }

    fn decode(&mut self, segment: usize, decoder: &mut Decoder) -> bool {
        let Self { bytes, have, rows, row_bytes, count, .. } = self;
        let rows =
            || rows.iter().zip(row_bytes.chunks_exact(segment.max(1))).map(|(row, bytes)| Symbol { row: *row, bytes });
        decoder.decode(*count, segment, bytes, have, rows)
    }
}
