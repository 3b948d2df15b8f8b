//! What became of each frame, from the camera's side of the encoder to the screen.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::outcome::{Abandoned, Released};
use super::slot::Repaired;
use crate::limits::LEDGER_FRAMES_MAX;
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

    /// The frame's line; a new one takes the place of one that is as good as forgotten.
    fn line(&mut self, frame_id: u64) -> &mut Line {
        let line = &mut self.lines[place_of(frame_id)];
        if line.record.frame_id != frame_id {
            *line = Line { record: FrameRecord { frame_id, ..FrameRecord::default() }, closed: false };
        }
        line
    }

    fn close(&mut self, frame_id: u64) {
        let line = self.line(frame_id);
        if !core::mem::replace(&mut line.closed, true) {
            let record = line.record;
            self.finished.push_back(record);
        }
    }

    /// Who has not shown these frames by now will not: they were decoded without being shown, or not even that.
    fn write_off(&mut self, up_to: u64) {
        for frame_id in (self.told + 1).max(up_to.saturating_sub(OPEN_FRAMES_MAX))..=up_to {
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
