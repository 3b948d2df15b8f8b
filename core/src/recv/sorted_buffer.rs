//! The sorted buffer: frames by id, put together and waiting for their turn.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::first_buffer::Fragment;
use super::slot::{Placed, Slot};
use crate::fec::Decoder;
use crate::limits::{
    FRAME_BYTES_MAX, LONG_TERM_REFERENCES_MAX, SKIP_RANGES_MAX, SORTED_BUFFER_BYTES_MAX, SORTED_BUFFER_FRAMES_MAX,
};
use crate::time::Timestamp;

/// What is known of one frame id.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "at most 160 entries; boxing would allocate for each frame")]
pub(super) enum Entry {
    /// Nothing came, but a later frame did at this time.
    Absent { since: Timestamp },
    /// The sender said that it will not come.
    Skipped,
    /// Some or all of it is here.
    Frame(Slot),
}

/// Frames from the next to be released on; the entry at offset i belongs to frame `next + i`.
#[derive(Debug)]
pub(super) struct SortedBuffer {
    entries: VecDeque<Entry>,
    next: u64,
    held_bytes: usize,
    /// Ranges of frames that will not come, oldest first: told ahead of the frames around them.
    skips: Vec<(u64, u64)>,
    /// The last frames released that others may refer to, newest last.
    references: VecDeque<u64>,
    /// Those of them that the encoder keeps for longer.
    long_term: VecDeque<u64>,
    /// Whether a frame was ever released or given up: from then on nothing comes before `next`.
    any_finished: bool,
    any_seen: bool,
}

/// How many released frames are remembered as references: more than either codec's decoder keeps (16 pictures).
const REFERENCES_MAX: usize = 32;

impl SortedBuffer {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::with_capacity(SORTED_BUFFER_FRAMES_MAX),
            next: 0,
            held_bytes: 0,
            skips: Vec::new(),
            references: VecDeque::with_capacity(REFERENCES_MAX),
            long_term: VecDeque::with_capacity(LONG_TERM_REFERENCES_MAX),
            any_finished: false,
            any_seen: false,
        }
    }

    /// The lowest id that is not finished.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether anything is known of any frame.
    pub(super) const fn any_seen(&self) -> bool {
        self.any_seen
    }

    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// One past the newest id that anything is known of.
    pub(super) fn end(&self) -> u64 {
        self.next + self.entries.len() as u64
    }

    pub(super) fn head(&self) -> Option<&Entry> {
        self.entries.front()
    }

    /// The newest frame that anything is known of.
    pub(super) fn newest(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// The frames behind the head, with their ids.
    pub(super) fn behind_head(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.next..).zip(&self.entries).skip(1)
    }

    /// Whether `frame_id` was released as a frame that others may refer to.
    pub(super) fn has_reference(&self, frame_id: u64) -> bool {
        self.references.iter().rev().chain(&self.long_term).any(|id| *id == frame_id)
    }

    /// What the frame lacks, `count` if nothing of it came; nothing if it needs no more.
    pub(super) fn missing(&self, frame_id: u64, count: u16) -> Option<u16> {
        if self.any_finished && frame_id < self.next {
            return None;
        }
        match self.entry(frame_id) {
            Some(Entry::Frame(slot)) => (slot.complete.is_none()).then(|| slot.missing()),
            Some(Entry::Skipped) => None,
            Some(Entry::Absent { .. }) | None => Some(count),
        }
    }

    /// Puts a fragment where it belongs. The caller has made room for its frame id.
    pub(super) fn place(&mut self, fragment: &Fragment<'_>, decoder: &mut Decoder) -> Placed {
        self.extend_to(fragment.frame_id, fragment.arrived);
        let Some(offset) = self.offset(fragment.frame_id) else {
            return Placed::Duplicate;
        };
        let Some(entry) = self.entries.get_mut(offset) else {
            return Placed::Duplicate;
        };
        if let Entry::Absent { since } = *entry {
            let mut slot = Slot::new(fragment);
            slot.known = since;
            *entry = Entry::Frame(slot);
        }
        let newer_exists = offset + 1 < self.entries.len();
        let Some(Entry::Frame(slot)) = self.entries.get_mut(offset) else {
            return Placed::Duplicate;
        };
        let before = slot.held_bytes();
        let placed = slot.place(fragment, decoder);
        if newer_exists {
            slot.expect_tail(fragment.arrived);
        }
        self.held_bytes = self.held_bytes + slot.held_bytes() - before;
        if placed == Placed::Contradiction && slot.missing() == 0 && slot.complete.is_none() {
            // All fragments came and still make no frame: it can never be completed.
            let since = slot.known;
            self.set(offset, Entry::Absent { since });
        }
        placed
    }

    /// Every frame from the next to be released on, with its id.
    pub(super) fn frames(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.next..).zip(&self.entries)
    }

    /// Whether frames before the first one seen may still be released.
    pub(super) const fn is_at_start(&self) -> bool {
        !self.any_finished
    }

    /// Learns that frames up to `newest` exist.
    pub(super) fn extend_to(&mut self, newest: u64, now: Timestamp) {
        if !self.any_seen {
            self.any_seen = true;
            self.next = newest;
        }
        // Before anything was finished, an earlier frame than the first one seen may still come.
        while !self.any_finished && newest < self.next && self.entries.len() < SORTED_BUFFER_FRAMES_MAX {
            self.next -= 1;
            self.entries.push_front(Entry::Absent { since: now });
        }
        if newest >= self.end() {
            if let Some(Entry::Frame(slot)) = self.entries.back_mut() {
                slot.expect_tail(now);
            }
            while newest >= self.end() && self.entries.len() < SORTED_BUFFER_FRAMES_MAX {
                let skipped = self.is_skipped(self.end());
                self.entries.push_back(if skipped { Entry::Skipped } else { Entry::Absent { since: now } });
            }
        }
    }

    /// Learns that everything of the frames up to `newest` was sent: what is missing of them was overtaken.
    pub(super) fn expect_tails(&mut self, newest: u64, now: Timestamp) {
        for (_, entry) in (self.next..=newest).zip(&mut self.entries) {
            if let Entry::Frame(slot) = entry {
                slot.expect_tail(now);
            }
        }
    }

    /// Whether a fragment of `frame_id` needs frames to be given up first.
    pub(super) fn is_full_for(&self, frame_id: u64) -> bool {
        self.any_seen
            && !self.entries.is_empty()
            && (frame_id >= self.next + SORTED_BUFFER_FRAMES_MAX as u64
                || self.held_bytes + FRAME_BYTES_MAX > SORTED_BUFFER_BYTES_MAX)
    }

    /// Learns that frames `from..=to` will not come, be they known of by now or not; those that are complete stay.
    pub(super) fn skip(&mut self, from: u64, to: u64) {
        let next = self.next;
        self.skips.retain(|(_, to)| *to >= next);
        if to < from || self.skips.contains(&(from, to)) {
            return;
        }
        if self.skips.len() >= SKIP_RANGES_MAX {
            self.skips.remove(0);
        }
        self.skips.push((from, to));
        for id in from.max(self.next)..=to.min(self.end().saturating_sub(1)) {
            let Some(offset) = self.offset(id) else { continue };
            let keep = matches!(self.entries.get(offset), Some(Entry::Frame(slot)) if slot.complete.is_some());
            if !keep {
                self.set(offset, Entry::Skipped);
            }
        }
    }

    /// The end of the withheld range that the next frame lies in, if nothing at all waits.
    pub(super) fn skipped_from_next(&self) -> Option<u64> {
        let idle = self.any_finished && self.entries.is_empty();
        let range = self.skips.iter().find(|(from, to)| (*from..=*to).contains(&self.next));
        range.filter(|_| idle).map(|(_, to)| *to)
    }

    fn is_skipped(&self, frame_id: u64) -> bool {
        self.skips.iter().any(|(from, to)| (*from..=*to).contains(&frame_id))
    }

    /// Moves past the head: it was released or given up.
    pub(super) fn advance(&mut self, released: bool) -> Option<Entry> {
        let head = self.entries.pop_front();
        if let Some(Entry::Frame(slot)) = &head {
            self.held_bytes -= slot.held_bytes();
            if released && !slot.disposable {
                remember(&mut self.references, REFERENCES_MAX, self.next);
                if slot.header().is_some_and(|header| header.marks_long_term) {
                    remember(&mut self.long_term, LONG_TERM_REFERENCES_MAX, self.next);
                }
            }
        }
        self.next += 1;
        self.any_finished = true;
        head
    }

    /// Moves to `frame_id` when nothing is held in between.
    pub(super) fn jump(&mut self, frame_id: u64) {
        if self.entries.is_empty() && frame_id > self.next {
            self.next = frame_id;
            self.any_finished = true;
        }
    }

    fn set(&mut self, offset: usize, new: Entry) {
        if let Some(entry) = self.entries.get_mut(offset) {
            if let Entry::Frame(slot) = entry {
                self.held_bytes -= slot.held_bytes();
            }
            *entry = new;
        }
    }

    fn offset(&self, frame_id: u64) -> Option<usize> {
        usize::try_from(frame_id.checked_sub(self.next)?).ok()
    }

    fn entry(&self, frame_id: u64) -> Option<&Entry> {
        self.entries.get(self.offset(frame_id)?)
    }
}

fn remember(ids: &mut VecDeque<u64>, max: usize, id: u64) {
    if ids.len() == max {
        ids.pop_front();
    }
    ids.push_back(id);
}
