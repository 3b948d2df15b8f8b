//! The global buffer: each encoded frame is stored once, for every viewer and for those who join later.

use alloc::collections::{VecDeque, vec_deque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::fec::Encoder;
use crate::limits::{
    FRAME_HEADER_BYTES_MAX, GLOBAL_BUFFER_BYTES_MAX, GLOBAL_BUFFER_FRAMES_MAX, REPAIRABLE_BYTES_MAX,
    REPAIRABLE_FRAMES_MAX,
};
use crate::wire::Writer;
use crate::wire::media::FrameHeader;

/// Where a frame stands among the others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// What it refers to; nothing if it is a key frame.
    pub(super) reference: Option<u64>,
    /// The same, if that is a long-term reference.
    pub(super) long_term: Option<u64>,
    /// No other frame refers to it.
    pub(super) disposable: bool,
    pub(super) temporal_id: u8,
    /// The source told what it refers to.
    pub(super) is_told: bool,
}

impl Place {
    /// Whether the base layer goes on without it.
    pub(super) const fn is_droppable(self) -> bool {
        self.disposable || (self.is_told && self.temporal_id > 0)
    }
}

/// One encoded frame; clones share its body.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) id: u64,
    pub(super) key: bool,
    pub(super) place: Place,
    header: [u8; FRAME_HEADER_BYTES_MAX],
    header_len: usize,
    body: Bytes,
}

impl Frame {
    pub(super) fn new(id: u64, place: Place, header: &FrameHeader, body: Bytes) -> Self {
        let mut bytes = [0; FRAME_HEADER_BYTES_MAX];
        let mut writer = Writer::new(&mut bytes);
        header.write(&mut writer);
        let header_len = writer.len();
        Self { id, key: header.key, place, header: bytes, header_len, body }
    }

    /// Length of the frame's byte string: header and access unit.
    pub(super) const fn len(&self) -> usize {
        self.header_len + self.body.len()
    }

    /// Adds the bytes `start..end` of the frame's byte string to an erasure row.
    pub(super) fn encode_range(&self, start: usize, end: usize, index: u16, row: &mut Encoder<'_>) {
        let header = self.header.get(start..end.min(self.header_len)).unwrap_or_default();
        row.add(index, 0, header);
        let body_start = start.saturating_sub(self.header_len);
        let body = self.body.get(body_start..end.saturating_sub(self.header_len)).unwrap_or_default();
        row.add(index, header.len(), body);
    }

    /// Appends the bytes `start..end` of the frame's byte string.
    pub(super) fn write_range(&self, start: usize, end: usize, writer: &mut Writer<'_>) {
        let header = self.header.get(start..end.min(self.header_len)).unwrap_or_default();
        writer.bytes(header);
        let body_start = start.saturating_sub(self.header_len);
        let body = self.body.get(body_start..end.saturating_sub(self.header_len)).unwrap_or_default();
        writer.bytes(body);
    }
}

/// The newest frames within caps: those since the last key frame for viewers who join, and some more for repair.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    /// Ids follow each other.
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The last key frame, if everything since is here, and the bytes since.
    key: Option<u64>,
    bytes_since_key: usize,
    /// The frames on the way from that key frame to the newest reference, oldest first.
    chain: Vec<u64>,
}

impl FrameBuffer {
    /// Stores a frame. A key frame makes what came before it useless to newcomers; without one in the buffer, or over the
    /// caps, there is nothing to join from until the next.
    pub(super) fn push(&mut self, frame: Frame) {
        if frame.key {
            self.key = Some(frame.id);
            self.bytes_since_key = 0;
            self.chain.clear();
        }
        if !frame.place.disposable && self.key.is_some() {
            let reference = frame.place.reference.unwrap_or_default();
            let kept = self.chain.partition_point(|id| *id <= reference);
            self.chain.truncate(kept);
            self.chain.push(frame.id);
        }
        self.bytes += frame.len();
        self.bytes_since_key += frame.len();
        self.frames.push_back(frame);
        if self.bytes_since_key > GLOBAL_BUFFER_BYTES_MAX || self.since_key().len() > GLOBAL_BUFFER_FRAMES_MAX {
            self.key = None;
            self.chain.clear();
        }
        while self.is_oldest_useless() {
            let oldest = self.frames.pop_front().map_or(0, |frame| frame.len());
            self.bytes -= oldest;
        }
    }

    /// The key frame that a viewer could begin with.
    pub(super) fn key(&self) -> Option<&Frame> {
        self.get(self.key?)
    }

    /// The key frame and every later frame on the way to the newest reference: what a newcomer needs to catch up.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Frame> {
        let chain = if self.key.is_some() { self.chain.as_slice() } else { &[] };
        chain.iter().filter_map(|id| self.get(*id))
    }

    /// A frame, if it is still here.
    pub(super) fn get(&self, id: u64) -> Option<&Frame> {
        let oldest = self.frames.front()?.id;
        self.frames.get(usize::try_from(id.checked_sub(oldest)?).ok()?)
    }

    /// Bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn since_key(&self) -> vec_deque::Iter<'_, Frame> {
        let oldest = self.frames.front().map_or(0, |frame| frame.id);
        let before = self.key.map_or(self.frames.len(), |key| usize::try_from(key - oldest).unwrap_or(usize::MAX));
        self.frames.range(before.min(self.frames.len())..)
    }

    /// Whether nobody joins from the oldest frame and it is too old, or too much, for repair.
    fn is_oldest_useless(&self) -> bool {
        let since_key = self.key.map_or(0, |_| self.bytes_since_key);
        let for_repair = self.frames.len() - self.since_key().len();
        let joins = self.frames.front().is_none_or(|oldest| self.key.is_some_and(|key| key <= oldest.id));
        !joins && (for_repair > REPAIRABLE_FRAMES_MAX || self.bytes - since_key > REPAIRABLE_BYTES_MAX)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::nal::Codec;
    use alloc::vec;

    pub(in crate::send) fn frame(id: u64, key: bool, disposable: bool, body_len: usize) -> Frame {
        let header = FrameHeader {
            codec: Codec::H264,
            key,
            parameter_sets: key,
            marks_long_term: false,
            uses_long_term: false,
            geometry_changed: false,
            parameter_epoch: 0,
            reference_delta: u32::from(!key),
            capture_us: 0,
            encode_units: 0,
            body_len: body_len as u32,
        };
        let body: Vec<u8> = (0..body_len).map(|i| (i + id as usize) as u8).collect();
        let reference = if key { None } else { id.checked_sub(1) };
        Frame::new(id, Place { reference, disposable, ..Place::default() }, &header, Bytes::from(body))
    }

    #[test]
    fn ranges_cross_from_header_to_body() {
        let frame = frame(7, true, false, 100);
        let mut whole = vec![0; frame.len()];
        let mut writer = Writer::new(&mut whole);
        frame.write_range(0, frame.len(), &mut writer);
        assert_eq!(writer.finish(), Some(frame.len()));
        for cut in 0..=frame.len() {
            let mut parts = vec![0; frame.len()];
            let mut writer = Writer::new(&mut parts);
            frame.write_range(0, cut, &mut writer);
            frame.write_range(cut, frame.len(), &mut writer);
            assert_eq!((writer.finish(), &parts), (Some(frame.len()), &whole), "cut at {cut}");
        }
    }

    fn chain(buffer: &FrameBuffer) -> Vec<u64> {
        buffer.chain().map(|frame| frame.id).collect()
    }

    #[test]
    fn the_chain_starts_at_the_newest_key_frame_and_leaves_out_what_nobody_needs() {
        let mut buffer = FrameBuffer::default();
        buffer.push(frame(1, false, false, 10));
        assert!(buffer.key().is_none(), "nothing to begin with");
        for (id, key, disposable) in [(2, true, false), (3, false, true), (4, false, false)] {
            buffer.push(frame(id, key, disposable, 10));
        }
        assert_eq!(chain(&buffer), [2, 4]);
        buffer.push(frame(5, true, false, 10));
        assert_eq!(chain(&buffer), [5]);
        assert_eq!((1..8).filter_map(|id| Some(buffer.get(id)?.id)).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn over_a_cap_the_buffer_waits_for_the_next_key_frame() {
        let mut buffer = FrameBuffer::default();
        buffer.push(frame(0, true, false, 10));
        (1..GLOBAL_BUFFER_FRAMES_MAX as u64).for_each(|id| buffer.push(frame(id, false, false, 10)));
        assert!(buffer.key().is_some());
        buffer.push(frame(600, false, false, 10));
        assert!(buffer.key().is_none());
        assert_eq!(buffer.get(600 - REPAIRABLE_FRAMES_MAX as u64 + 1).map(|frame| frame.id), Some(473));
        assert!(buffer.get(600 - REPAIRABLE_FRAMES_MAX as u64).is_none(), "too old for repair");
        buffer.push(frame(601, true, false, GLOBAL_BUFFER_BYTES_MAX / 2));
        buffer.push(frame(602, false, false, GLOBAL_BUFFER_BYTES_MAX / 2));
        assert!(buffer.key().is_none(), "over the byte cap");
        assert!(buffer.bytes() <= REPAIRABLE_BYTES_MAX, "and over what is kept for repair");
    }
}
