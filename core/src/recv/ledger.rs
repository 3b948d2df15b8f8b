//! What became of each frame, from the camera's side of the encoder to the screen.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::outcome::{Abandoned, Released};
use super::slot::Repaired;
use crate::limits::{LEDGER_FRAMES_MAX, LEDGER_RECORDS_MAX};
use crate::time::Timestamp;

/// Frames that may wait for their decoder or their screen; older ones are written off.
const OPEN_FRAMES_MAX: u64 = 64;

/// One frame's way. All times are the viewer's; what did not happen, or is not known, has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameRecord {
    /// Which.
    pub frame_id: u64,
    /// It was a key frame.
    pub key: bool,
    /// Bytes of its access unit.
    pub bytes: usize,
    /// The picture was taken.
    pub captured: Option<Timestamp>,
    /// The encoder had handed it over.
    pub encoded: Option<Timestamp>,
    /// Its first packet came.
    pub first_packet: Option<Timestamp>,
    /// The last packet came that it needed.
    pub completed: Option<Timestamp>,
    /// Something of it was asked for, for the first time.
    pub asked: Option<Timestamp>,
    /// Reports that asked for it.
    pub requests: u32,
    /// How it was made whole.
    pub repaired: Repaired,
    /// Its turn came.
    pub released: Option<Timestamp>,
    /// That was after its display deadline.
    pub late: bool,
    /// It was given up.
    pub abandoned: Option<Abandoned>,
    /// The decoder was done with it.
    pub decoded: Option<Timestamp>,
    /// It was on the screen.
    pub shown: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    record: FrameRecord,
    /// It was told.
    closed: bool,
}

impl Line {
    /// The record will not change any more: it is told if anything became of the frame, and if there is room. Nobody but a
    /// server that withholds thousands of frames in one datagram fills that.
    fn close(&mut self, finished: &mut VecDeque<FrameRecord>) {
        let ended = self.record.released.is_some() || self.record.abandoned.is_some();
        if !core::mem::replace(&mut self.closed, true) && ended && finished.len() < LEDGER_RECORDS_MAX {
            finished.push_back(self.record);
        }
    }
}

/// The newest frames' records, each in the place of its id.
#[derive(Debug)]
pub(super) struct Ledger {
    lines: Vec<Line>,
    /// Every frame up to here was told.
    told: u64,
    finished: VecDeque<FrameRecord>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { lines: vec![Line::default(); LEDGER_FRAMES_MAX], told: 0, finished: VecDeque::new() }
    }

    /// A report asks for something of the frame.
    pub(super) fn asked(&mut self, now: Timestamp, frame_id: u64) {
        let record = &mut self.line(frame_id).record;
        record.asked.get_or_insert(now);
        record.requests += 1;
    }

    pub(super) fn released(&mut self, now: Timestamp, released: &Released) {
        let record = &mut self.line(released.frame_id).record;
        *record = FrameRecord {
            key: released.header.key,
            bytes: released.body.len(),
            captured: released.capture,
            encoded: released.capture.map(|capture| capture + released.header.encode_delay()),
            first_packet: Some(released.first_packet),
            completed: Some(released.completed),
            repaired: released.repaired,
            released: Some(now),
            late: released.late,
            ..*record
        };
        self.write_off(released.frame_id.saturating_sub(OPEN_FRAMES_MAX));
    }

    /// Frame `frame_id` was given up; `first_packet` if anything of it had come.
    pub(super) fn abandoned(&mut self, frame_id: u64, first_packet: Option<Timestamp>, reason: Abandoned) {
        let record = &mut self.line(frame_id).record;
        record.first_packet = first_packet;
        record.abandoned = Some(reason);
        self.close(frame_id);
    }

    /// The shell has decoded the frame, if it is one that was released.
    pub(super) fn decoded(&mut self, now: Timestamp, frame_id: u64) {
        if let Some(line) = self.find(frame_id) {
            line.record.decoded.get_or_insert(now);
        }
    }

    /// The frame is on the screen; its record, if it is one that was released and not shown before.
    pub(super) fn shown(&mut self, now: Timestamp, frame_id: u64) -> Option<FrameRecord> {
        let line = self.find(frame_id).filter(|line| line.record.shown.is_none())?;
        line.record.shown = Some(now);
        let record = line.record;
        self.close(frame_id);
        Some(record)
    }

    /// What is known of a frame.
    pub(super) fn get(&self, frame_id: u64) -> Option<&FrameRecord> {
        let line = self.lines.get(place_of(frame_id))?;
        (line.record.frame_id == frame_id).then_some(&line.record)
    }

    /// The next record that will not change any more.
    pub(super) fn poll(&mut self) -> Option<FrameRecord> {
        self.finished.pop_front()
    }

    fn find(&mut self, frame_id: u64) -> Option<&mut Line> {
        let line = self.lines.get_mut(place_of(frame_id))?;
        (line.record.frame_id == frame_id && line.record.released.is_some()).then_some(line)
    }

    /// The frame's line; a new one takes the place of one that was told.
    fn line(&mut self, frame_id: u64) -> &mut Line {
        let Self { lines, finished, .. } = self;
        let line = &mut lines[place_of(frame_id)];
        if line.record.frame_id != frame_id {
            line.close(finished);
            *line = Line { record: FrameRecord { frame_id, ..FrameRecord::default() }, closed: false };
        }
        line
    }

    fn close(&mut self, frame_id: u64) {
        self.line(frame_id);
        self.lines[place_of(frame_id)].close(&mut self.finished);
    }

    /// Who has not shown these frames by now will not: they were decoded without being shown, or not even that.
    fn write_off(&mut self, up_to: u64) {
        for frame_id in (self.told + 1).max(up_to.saturating_sub(LEDGER_FRAMES_MAX as u64))..=up_to {
            if self.find(frame_id).is_some() {
                self.close(frame_id);
            }
        }
        self.told = self.told.max(up_to);
    }
}

fn place_of(frame_id: u64) -> usize {
    usize::try_from(frame_id % LEDGER_FRAMES_MAX as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::nal::Codec;
    use crate::wire::media::FrameHeader;

    const HEADER: FrameHeader = FrameHeader {
        codec: Codec::H264,
        key: false,
        parameter_sets: false,
        marks_long_term: false,
        uses_long_term: false,
        geometry_changed: false,
        parameter_epoch: 0,
        reference_delta: 1,
        capture_us: 0,
        encode_units: 0,
        body_len: 0,
    };

    fn release(ledger: &mut Ledger, frame_id: u64) {
        let at = Timestamp::from_millis(frame_id);
        let released = Released {
            frame_id,
            header: HEADER,
            body: Bytes::new(),
            capture: None,
            first_packet: at,
            completed: at,
            repaired: Repaired::No,
            late: false,
        };
        ledger.released(at, &released);
    }

    fn told(ledger: &mut Ledger) -> Vec<u64> {
        core::iter::from_fn(|| ledger.poll()).map(|record| record.frame_id).collect()
    }

    #[test]
    fn what_was_released_is_told_once_shown_or_not_and_however_far_the_next_frame_is() {
        let mut ledger = Ledger::new();
        (1..=3).for_each(|id| release(&mut ledger, id));
        assert!(ledger.shown(Timestamp::ZERO, 2).is_some());
        assert_eq!(told(&mut ledger), [2]);
        release(&mut ledger, 3 + OPEN_FRAMES_MAX + 60);
        assert_eq!(told(&mut ledger), [1, 3]);
        let far = 1_000_000;
        release(&mut ledger, far);
        release(&mut ledger, far + LEDGER_FRAMES_MAX as u64);
        assert_eq!(told(&mut ledger), [far], "its place is taken");
    }

    #[test]
    fn a_frame_is_shown_once_and_only_if_it_was_released() {
        let mut ledger = Ledger::new();
        release(&mut ledger, 1);
        let shown = ledger.shown(Timestamp::from_millis(50), 1);
        assert_eq!(shown.and_then(|record| record.shown), Some(Timestamp::from_millis(50)));
        assert_eq!(
            (ledger.shown(Timestamp::from_millis(60), 1), ledger.shown(Timestamp::from_millis(60), 2)),
            (None, None)
        );
        assert_eq!(told(&mut ledger), [1]);
    }

    #[test]
    fn what_waits_to_be_told_is_bounded() {
        let mut ledger = Ledger::new();
        (1..10_000).for_each(|id| ledger.abandoned(id, None, Abandoned::Skipped));
        assert_eq!(told(&mut ledger).len(), LEDGER_RECORDS_MAX);
    }
}
