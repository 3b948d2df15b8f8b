//! The first buffer: fragments as they came, unsorted, until the threshold of the sorting process is reached.

use alloc::vec::Vec;

use crate::limits::{FIRST_BUFFER_BYTES_MAX, FIRST_BUFFER_FRAGMENTS_MAX, SORT_AGE_THRESHOLD, SORT_FRAGMENTS_THRESHOLD};
use crate::time::Timestamp;
use crate::wire::media::FragmentHeader;

/// Why the sorting process starts: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortTrigger {
    /// Everything a frame lacked is here: no time is lost by waiting for more.
    FrameComplete,
    /// The frame's last fragment, or the first of a newer frame.
    Boundary,
    /// So many fragments wait that sorting pays.
    Count,
    /// The oldest has waited long enough: the rest may be lost.
    Age,
}

/// One fragment on its way through the receiver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) frame_id: u64,
    pub(super) header: FragmentHeader,
    pub(super) bytes: &'a [u8],
    pub(super) arrived: Timestamp,
}

#[derive(Debug)]
struct Held {
    frame_id: u64,
    header: FragmentHeader,
    start: usize,
    end: usize,
    arrived: Timestamp,
}

/// Fragments in order of arrival, in one growing arena that is emptied as a whole by each sort.
#[derive(Debug, Default)]
pub(super) struct FirstBuffer {
    held: Vec<Held>,
    arena: Vec<u8>,
    /// Fragments held of each frame: at most [`SORT_FRAGMENTS_THRESHOLD`] entries, mostly one.
    waiting: Vec<(u64, u16)>,
    newest_frame: Option<u64>,
}

impl FirstBuffer {
    /// Takes a fragment; `missing` is what its frame lacked before, not counting what waits here.
    /// Tells if it is time to sort.
    pub(super) fn push(&mut self, fragment: Fragment<'_>, missing: u16) -> Option<SortTrigger> {
        let start = self.arena.len();
        self.arena.extend_from_slice(fragment.bytes);
        let Fragment { frame_id, header, arrived, .. } = fragment;
        self.held.push(Held { frame_id, header, start, end: self.arena.len(), arrived });
        let waiting = self.count(frame_id);
        let newer = self.newest_frame.is_none_or(|newest| frame_id > newest);
        self.newest_frame = self.newest_frame.max(Some(frame_id));
        if waiting >= missing {
            Some(SortTrigger::FrameComplete)
        } else if header.end || newer {
            Some(SortTrigger::Boundary)
        } else if self.held.len() >= usize::from(header.count).min(SORT_FRAGMENTS_THRESHOLD) || self.is_full() {
            Some(SortTrigger::Count)
        } else {
            None
        }
    }

    /// When the oldest fragment has waited long enough.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.held.first().map(|held| held.arrived + SORT_AGE_THRESHOLD)
    }

    /// Hands every fragment to `place`, in order of arrival, and is empty afterwards.
    pub(super) fn drain(&mut self, mut place: impl FnMut(Fragment<'_>)) {
        for held in &self.held {
            let Held { frame_id, header, start, end, arrived } = *held;
            let bytes = self.arena.get(start..end).unwrap_or_default();
            place(Fragment { frame_id, header, bytes, arrived });
        }
        self.held.clear();
        self.arena.clear();
        self.waiting.clear();
    }

    fn count(&mut self, frame_id: u64) -> u16 {
        if let Some((_, count)) = self.waiting.iter_mut().find(|(id, _)| *id == frame_id) {
            *count += 1;
            return *count;
        }
        self.waiting.push((frame_id, 1));
        1
    }

    fn is_full(&self) -> bool {
        let room = crate::limits::DATAGRAM_BYTES_MAX;
        self.held.len() >= FIRST_BUFFER_FRAGMENTS_MAX || self.arena.len() + room > FIRST_BUFFER_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(frame_id: u64, index: u16, count: u16, end: bool) -> Fragment<'static> {
        let header = FragmentHeader {
            parity: false,
            key: false,
            disposable: false,
            temporal_id: 0,
            end,
            repair: false,
            frame_id_low: crate::wire::frame_id_low(frame_id),
            index,
            count,
        };
        Fragment { frame_id, header, bytes: b"bytes", arrived: Timestamp::from_millis(frame_id) }
    }

    #[test]
    fn each_threshold_starts_the_sort() {
        let mut buffer = FirstBuffer::default();
        assert_eq!(buffer.push(fragment(1, 0, 100, false), 100), Some(SortTrigger::Boundary), "a newer frame");
        buffer.drain(|_| ());
        for index in 1..32 {
            assert_eq!(buffer.push(fragment(1, index, 100, false), 99), None, "{index}");
        }
        assert_eq!(buffer.push(fragment(1, 32, 100, false), 99), Some(SortTrigger::Count));
        buffer.drain(|_| ());
        assert_eq!(buffer.push(fragment(1, 99, 100, true), 67), Some(SortTrigger::Boundary), "END");
        buffer.drain(|_| ());
        assert_eq!(buffer.push(fragment(1, 98, 100, false), 2), None);
        assert_eq!(buffer.due(), Some(Timestamp::from_millis(1) + SORT_AGE_THRESHOLD));
        assert_eq!(buffer.push(fragment(1, 97, 100, false), 2), Some(SortTrigger::FrameComplete));
    }

    #[test]
    fn a_small_frame_sorts_at_its_own_size() {
        let mut buffer = FirstBuffer::default();
        buffer.push(fragment(1, 0, 3, false), 3);
        buffer.drain(|_| ());
        // The same fragment again and again does not complete the frame, but is sorted out in time.
        assert_eq!(buffer.push(fragment(1, 0, 3, false), 3), None);
        assert_eq!(buffer.push(fragment(1, 0, 3, false), 3), None);
        assert_eq!(buffer.push(fragment(1, 0, 3, false), 3), Some(SortTrigger::FrameComplete));
    }

    #[test]
    fn fragments_leave_in_order_of_arrival_with_their_bytes() {
        let mut buffer = FirstBuffer::default();
        buffer.push(fragment(2, 1, 9, false), 9);
        buffer.push(fragment(1, 0, 9, false), 9);
        let mut seen = Vec::new();
        buffer.drain(|f| seen.push((f.frame_id, f.header.index, f.bytes.len())));
        assert_eq!(seen, [(2, 1, 5), (1, 0, 5)]);
        assert_eq!(buffer.due(), None);
    }
}
