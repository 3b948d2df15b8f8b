//! What waits to be sent to one viewer: references to frames, bounded in bytes and in age.

use alloc::collections::VecDeque;
use core::cell::Cell;
use core::time::Duration;

use super::frame_buffer::Frame;
use super::packetizer::Cut;
use crate::limits::QUEUE_BYTES_MAX;
use crate::time::Timestamp;

/// A frame on its way to one viewer.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) frame: Frame,
    /// Made when the first fragment leaves, for the path as it is then.
    cut: Option<Cut>,
    /// Rows that go along.
    pub(super) rows: u16,
    /// The next symbol to send: all fragments but the last, the rows, the last fragment, so that only the last of them is
    /// shorter than the others.
    pub(super) next: u16,
    since: Timestamp,
}

impl Queued {
    /// How the frame is cut; if it was not yet, into fragments of at most `segment_max` bytes.
    pub(super) fn cut(&mut self, segment_max: usize) -> Cut {
        *self.cut.get_or_insert_with(|| Cut::new(self.frame.len(), segment_max))
    }

    /// How long it has waited.
    pub(super) fn waited(&self, now: Timestamp) -> Duration {
        now.saturating_since(self.since)
    }

    /// Whether everything left.
    pub(super) const fn is_sent(&self, cut: Cut) -> bool {
        self.next >= cut.count + self.rows
    }

    /// The fragment to send next; a row if none.
    pub(super) const fn fragment(&self, cut: Cut) -> Option<u16> {
        if self.next < cut.count - 1 {
            Some(self.next)
        } else if self.next < cut.count - 1 + self.rows {
            None
        } else {
            Some(cut.count - 1)
        }
    }

    /// Rows that have not left; none if nothing has.
    pub(super) fn unsent_rows(&self) -> Option<u16> {
        let cut = self.cut.filter(|_| self.next > 0)?;
        Some((cut.count - 1 + self.rows).saturating_sub(self.next).min(self.rows))
    }
}

/// What happened to a frame that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It waits its turn.
    Queued,
    /// It would wait behind too much that others need: everything goes, until the next way back.
    NeedsRemedy,
    /// The base layer goes on without it and there is no room: it alone goes.
    Refused,
}

/// How long frames may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Age of the oldest one.
    pub(super) age_max: Duration,
    /// Bytes of a key frame.
    pub(super) key_bytes: usize,
}

/// Frames in order of their ids; the first may be partly sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    frames: VecDeque<Queued>,
    bytes: usize,
    dropped: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Queued> {
        self.frames.front_mut()
    }

    pub(super) fn front(&self) -> Option<&Queued> {
        self.frames.front()
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let queued = self.frames.pop_front()?;
        self.bytes -= queued.frame.len();
        Some(queued)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.frames.binary_search_by_key(&id, |queued| queued.frame.id).is_ok()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames dropped so far.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The newest frame among those that wait which is such.
    pub(super) fn newest(&self, which: impl Fn(&Frame) -> bool) -> Option<u64> {
        self.frames.iter().rev().map(|queued| &queued.frame).find(|frame| which(frame)).map(|frame| frame.id)
    }

    /// Takes a frame in, dropping what a viewer this late can do without: first frames that nobody refers
    /// to and those of upper layers, then everything before a way back. `way_back`: a viewer that misses those
    /// before it can go on with it. `withheld` hears the id of each frame dropped. A frame that is
    /// partly sent is finished: half a frame is worth nothing, the other half makes it whole.
    pub(super) fn offer(
        &mut self,
        now: Timestamp,
        frame: &Frame,
        patience: Patience,
        way_back: bool,
        mut withheld: impl FnMut(u64),
    ) -> Offered {
        let reference = frame.place.reference.filter(|_| !way_back);
        let lacks_reference = Cell::new(false);
        let mut withheld = |id| {
            lacks_reference.set(lacks_reference.get() || reference == Some(id));
            withheld(id);
        };
        // Of a source with layers the upper ones go in time for the base layer to keep its place.
        let early = Patience { age_max: patience.age_max / 2, ..patience };
        if frame.place.is_told && self.is_over(now, frame, early) {
            self.drop_where(|queued| queued.frame.place.is_droppable(), &mut withheld);
            if frame.place.is_droppable() && self.is_over(now, frame, early) {
                return Offered::Refused;
            }
        }
        if self.is_over(now, frame, patience) {
            self.drop_where(|queued| queued.frame.place.is_droppable(), &mut withheld);
        }
        // What it refers to may have gone just now.
        if lacks_reference.get() {
            return if frame.place.is_droppable() { Offered::Refused } else { Offered::NeedsRemedy };
        }
        if self.is_over(now, frame, patience) {
            if frame.place.is_droppable() {
                return Offered::Refused;
            }
            let fits = self.bytes + frame.len() <= QUEUE_BYTES_MAX;
            if fits && !way_back && self.bytes_behind_front() <= patience.key_bytes {
                // The way out, a key frame, would take longer than what waits.
                return self.push(now, frame);
            }
            self.drop_where(|_| true, &mut withheld);
            if !way_back {
                return Offered::NeedsRemedy;
            }
        }
        self.push(now, frame)
    }

    /// Bytes of the frames behind the one that is on its way.
    fn bytes_behind_front(&self) -> usize {
        self.bytes - self.frames.front().filter(|front| front.next > 0).map_or(0, |front| front.frame.len())
    }

    fn push(&mut self, now: Timestamp, frame: &Frame) -> Offered {
        self.bytes += frame.len();
        self.frames.push_back(Queued { frame: frame.clone(), cut: None, rows: 0, next: 0, since: now });
        Offered::Queued
    }

    /// Fragments may have at most `segment_max` bytes from now on: a frame that was cut into larger ones begins anew.
    pub(super) fn recut(&mut self, segment_max: usize) {
        for queued in &mut self.frames {
            if queued.cut.is_some_and(|cut| cut.segment > segment_max) {
                queued.cut = None;
                queued.next = 0;
            }
        }
    }

    /// Drops everything, the partly sent frame too.
    pub(super) fn clear(&mut self, withheld: impl FnMut(u64)) {
        self.frames.iter_mut().for_each(|queued| queued.next = 0);
        self.drop_where(|_| true, withheld);
    }

    fn is_over(&self, now: Timestamp, frame: &Frame, patience: Patience) -> bool {
        let too_old = self.frames.front().is_some_and(|oldest| now - oldest.since > patience.age_max);
        too_old || self.bytes + frame.len() > QUEUE_BYTES_MAX
    }

    fn drop_where(&mut self, which: impl Fn(&Queued) -> bool, mut withheld: impl FnMut(u64)) {
        let Self { frames, bytes, dropped } = self;
        frames.retain(|queued| {
            let drop = queued.next == 0 && which(queued);
            if drop {
                withheld(queued.frame.id);
                *bytes -= queued.frame.len();
                *dropped += 1;
            }
            !drop
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::frame_buffer::tests::frame;
    use alloc::vec::Vec;

    const AGE_MAX: Duration = Duration::from_millis(100);

    fn offer(queue: &mut Queue, millis: u64, frame: &Frame) -> (Offered, Vec<u64>) {
        let mut withheld = Vec::new();
        let offered = queue.offer(
            Timestamp::from_millis(millis),
            frame,
            Patience { age_max: AGE_MAX, key_bytes: 15 },
            frame.key,
            |id| withheld.push(id),
        );
        (offered, withheld)
    }

    #[test]
    fn a_late_queue_first_loses_what_nobody_needs() {
        let mut queue = Queue::default();
        offer(&mut queue, 0, &frame(1, true, false, 10));
        offer(&mut queue, 0, &frame(2, false, true, 10));
        assert_eq!(offer(&mut queue, 99, &frame(3, false, false, 10)), (Offered::Queued, [].to_vec()));
        queue.pop();
        assert_eq!(offer(&mut queue, 120, &frame(4, false, false, 10)), (Offered::Queued, [2].to_vec()));
    }

    #[test]
    fn a_queue_that_stays_late_jumps_to_the_next_key_frame() {
        let mut queue = Queue::default();
        offer(&mut queue, 0, &frame(1, true, false, 10));
        offer(&mut queue, 30, &frame(2, false, false, 10));
        assert_eq!(offer(&mut queue, 120, &frame(3, false, true, 10)).0, Offered::Refused);
        assert_eq!(offer(&mut queue, 130, &frame(4, false, false, 10)), (Offered::NeedsRemedy, [1, 2].to_vec()));
        assert_eq!((queue.bytes(), queue.dropped()), (0, 2));
        offer(&mut queue, 140, &frame(5, true, false, 10));
        assert_eq!(offer(&mut queue, 260, &frame(6, true, false, 10)), (Offered::Queued, [5].to_vec()));
    }

    #[test]
    fn what_refers_to_a_frame_that_goes_goes_with_it() {
        let mut queue = Queue::default();
        let told = |id, reference, disposable| {
            let mut frame = frame(id, false, disposable, 10);
            frame.place.reference = Some(reference);
            frame.place.is_told = true;
            frame.place.temporal_id = 1;
            frame
        };
        offer(&mut queue, 0, &told(2, 1, true));
        offer(&mut queue, 30, &told(3, 1, false));
        assert_eq!(offer(&mut queue, 60, &told(4, 3, true)), (Offered::Refused, [2, 3].to_vec()));
        assert_eq!(offer(&mut queue, 61, &told(5, 1, true)), (Offered::Queued, [].to_vec()));
    }

    #[test]
    fn a_frame_that_is_partly_sent_is_finished() {
        let mut queue = Queue::default();
        offer(&mut queue, 0, &frame(1, true, false, 5_000));
        queue.front_mut().unwrap().next = 1;
        assert_eq!(offer(&mut queue, 500, &frame(2, false, false, 10)).0, Offered::Queued, "a key frame takes longer");
        assert_eq!(offer(&mut queue, 500, &frame(3, false, false, 10)), (Offered::NeedsRemedy, [2].to_vec()));
        assert_eq!(queue.pop().unwrap().frame.id, 1);
    }

    #[test]
    fn a_frame_is_cut_when_it_is_sent_and_again_when_the_path_shrinks() {
        let mut queue = Queue::default();
        offer(&mut queue, 0, &frame(1, true, false, 3_000));
        offer(&mut queue, 0, &frame(2, true, false, 3_000));
        let queued = queue.front_mut().unwrap();
        let wide = queued.cut(1447);
        queued.next = 2;
        assert_eq!(queued.cut(1175), wide, "once cut it stays so");
        queue.recut(wide.segment);
        assert_eq!(queue.front_mut().unwrap().next, 2, "still passes");
        queue.recut(wide.segment - 1);
        let queued = queue.front_mut().unwrap();
        assert_eq!((queued.next, queued.cut(900).count), (0, 4));
        queue.pop();
        assert_eq!(queue.front_mut().unwrap().cut(1175).count, 3);
    }

    #[test]
    fn bytes_are_bounded() {
        let mut queue = Queue::default();
        offer(&mut queue, 0, &frame(1, true, false, QUEUE_BYTES_MAX - 100));
        assert_eq!(offer(&mut queue, 1, &frame(2, false, false, 200)), (Offered::NeedsRemedy, [1].to_vec()));
        assert_eq!(queue.bytes(), 0);
    }
}
