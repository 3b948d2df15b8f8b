//! Rows that leave some time after their frame, so that a burst of losses does not take them with it.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::Viewer;
use super::media::{Burst, Load};
use crate::limits::BURST_DATAGRAMS_MAX;
use crate::seal::Seal;
use crate::send::packetizer::Mark;
use crate::send::state::ViewerState;
use crate::send::stream::Stream;
use crate::time::Timestamp;
use crate::transmit::Transmit;

/// Frames whose rows wait: at 120 frames a second those of a tenth of a second.
const LATE_FRAMES_MAX: usize = 12;
/// What is left of the budget when they arrive: a path that is a little slower than ever must not make them useless.
const MARGIN: Duration = Duration::from_millis(8);
/// A frame later is as good as any time later: the packets in between are as many as a burst takes.
const DELAY_MAX: Duration = Duration::from_millis(33);
/// A shorter delay is not worth it.
const DELAY_MIN: Duration = Duration::from_millis(4);

#[derive(Clone, Copy, Debug)]
struct Late {
    id: u64,
    rows: u16,
    due: Timestamp,
}

/// The rows that wait, those first that leave first.
#[derive(Debug)]
pub(super) struct LateRows {
    frames: VecDeque<Late>,
}

impl LateRows {
    pub(super) fn new() -> Self {
        Self { frames: VecDeque::with_capacity(LATE_FRAMES_MAX) }
    }

    /// Whether there is room for rows to wait.
    pub(super) fn has_room(&self) -> bool {
        self.frames.len() < LATE_FRAMES_MAX
    }

    pub(super) fn add(&mut self, id: u64, rows: u16, due: Timestamp) {
        if rows > 0 && self.has_room() {
            let at = self.frames.partition_point(|late| late.due <= due);
            self.frames.insert(at, Late { id, rows, due });
        }
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.frames.front().map(|late| late.due)
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
    }

    fn next(&self, now: Timestamp) -> Option<(u64, u16)> {
        self.frames.front().filter(|late| late.due <= now).map(|late| (late.id, late.rows))
    }

    fn left(&mut self, rows: u16) {
        let Some(late) = self.frames.front_mut() else { return };
        late.rows = late.rows.saturating_sub(rows);
        if late.rows == 0 {
            self.frames.pop_front();
        }
    }
}

/// How long rows should wait that have `spare` time left until they are useless.
pub(super) fn delay_within(spare: Duration) -> Duration {
    let delay = spare.saturating_sub(MARGIN).min(DELAY_MAX);
    if delay < DELAY_MIN { Duration::ZERO } else { delay }
}

impl<S: Seal> Viewer<S> {
    /// Rows whose time has come. They wait for less than a round trip: nothing is known yet of their frame.
    pub(super) fn poll_late(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        if now < self.pacer.next() || self.state != ViewerState::Live {
            return None;
        }
        loop {
            let (id, rows) = self.late.next(now)?;
            let Self { repairs, channel, sent, .. } = self;
            let Some((record, frame)) = repairs.sent(id).zip(stream.buffer.get(id)) else {
                self.late.left(rows);
                continue;
            };
            let cut = record.cut;
            let mut burst = Burst::EMPTY;
            let wanted = usize::from(rows).min(BURST_DATAGRAMS_MAX);
            while usize::from(burst.symbols) < wanted {
                let row = record.take_next_row();
                let mark = Mark { end: burst.symbols + 1 == rows, repair: false };
                let room = buf.get_mut(burst.len..).unwrap_or_default();
                let Some((number, len)) = channel.seal(None, room, |w| cut.write_row(frame, row, mark, w)) else {
                    break;
                };
                sent.record(now, number, len);
                burst.add(number, len);
            }
            let packets = burst.packets?;
            self.repairs.left(now, id, None, packets, burst.symbols);
            self.late.left(burst.symbols);
            self.traffic.parity_bytes += burst.len as u64;
            self.traffic.parity_packets += u64::from(burst.symbols);
            self.credit.spend_on_parity(now, burst.len as u64);
            let load = Load { frame_len: frame.len(), fragments: cut.count, rows: 0, repairs: true, key: false };
            return self.finish(now, stream, load, &burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wait_their_turn_and_are_bounded() {
        let ms = Timestamp::from_millis;
        let mut late = LateRows::new();
        (1..100).for_each(|id| late.add(id, 2, ms(30 + id)));
        late.add(200, 0, ms(0));
        assert!(!late.has_room());
        assert_eq!((late.frames.len(), late.due()), (12, Some(ms(31))));
        assert_eq!((late.next(ms(30)), late.next(ms(31))), (None, Some((1, 2))));
        late.left(1);
        assert_eq!(late.next(ms(31)), Some((1, 1)));
        late.left(1);
        assert_eq!(late.due(), Some(ms(32)));
        late.clear();
        assert_eq!(late.due(), None);
        [(1, 40), (2, 30), (3, 40)].into_iter().for_each(|(id, due)| late.add(id, 1, ms(due)));
        assert_eq!(
            late.frames.iter().map(|late| late.id).collect::<alloc::vec::Vec<_>>(),
            [2, 1, 3],
            "a shorter delay overtakes"
        );
    }

    #[test]
    fn the_delay_leaves_time_to_arrive() {
        let ms = Duration::from_millis;
        for (spare, delay) in [(0, 0), (11, 0), (12, 4), (30, 22), (41, 33), (500, 33)] {
            assert_eq!(delay_within(ms(spare)), ms(delay), "{spare} ms");
        }
    }
}
