//! The global buffer: each encoded frame is stored once, for every viewer and for those who join later.

use alloc::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{FRAME_HEADER_BYTES_MAX, GLOBAL_BUFFER_BYTES_MAX, GLOBAL_BUFFER_FRAMES_MAX};
use crate::wire::Writer;
use crate::wire::media::FrameHeader;

/// One encoded frame; clones share its body.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) id: u64,
    pub(super) key: bool,
    pub(super) disposable: bool,
    pub(super) temporal_id: u8,
    header: [u8; FRAME_HEADER_BYTES_MAX],
    header_len: usize,
    body: Bytes,
}

impl Frame {
    pub(super) fn new(id: u64, disposable: bool, temporal_id: u8, header: &FrameHeader, body: Bytes) -> Self {
        let mut bytes = [0; FRAME_HEADER_BYTES_MAX];
        let mut writer = Writer::new(&mut bytes);
        header.write(&mut writer);
        let header_len = writer.len();
        Self { id, key: header.key, disposable, temporal_id, header: bytes, header_len, body }
    }

    /// Length of the frame's byte string: header and access unit.
    pub(super) const fn len(&self) -> usize {
        self.header_len + self.body.len()
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

/// The frames since the last key frame, within caps.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl FrameBuffer {
    /// Stores a frame. A key frame makes what came before it useless; without one in the buffer, or over the
    /// caps, there is nothing to join from until the next.
    pub(super) fn push(&mut self, frame: Frame) {
        if frame.key {
            self.clear();
        } else if self.frames.is_empty() {
            return;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        if self.bytes > GLOBAL_BUFFER_BYTES_MAX || self.frames.len() > GLOBAL_BUFFER_FRAMES_MAX {
            self.clear();
        }
    }

    /// The key frame that a viewer could begin with.
    pub(super) fn key(&self) -> Option<&Frame> {
        self.frames.front()
    }

    /// The key frame and every later frame that others refer to: what a newcomer needs to catch up.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| !frame.disposable)
    }

    /// Bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::nal::Codec;
    use alloc::vec;
    use alloc::vec::Vec;

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
            body_len: body_len as u32,
        };
        let body: Vec<u8> = (0..body_len).map(|i| (i + id as usize) as u8).collect();
        Frame::new(id, disposable, 0, &header, Bytes::from(body))
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

    #[test]
    fn the_chain_starts_at_the_newest_key_frame_and_leaves_out_what_nobody_needs() {
        let mut buffer = FrameBuffer::default();
        buffer.push(frame(1, false, false, 10));
        assert!(buffer.key().is_none(), "nothing to begin with");
        for (id, key, disposable) in [(2, true, false), (3, false, true), (4, false, false)] {
            buffer.push(frame(id, key, disposable, 10));
        }
        assert_eq!(buffer.chain().map(|frame| frame.id).collect::<Vec<_>>(), [2, 4]);
        buffer.push(frame(5, true, false, 10));
        assert_eq!(buffer.chain().map(|frame| frame.id).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn over_a_cap_the_buffer_waits_for_the_next_key_frame() {
        let mut buffer = FrameBuffer::default();
        buffer.push(frame(0, true, false, 10));
        (1..GLOBAL_BUFFER_FRAMES_MAX as u64).for_each(|id| buffer.push(frame(id, false, false, 10)));
        assert!(buffer.key().is_some());
        buffer.push(frame(600, false, false, 10));
        assert!(buffer.key().is_none());
        assert_eq!(buffer.bytes(), 0);
        buffer.push(frame(601, true, false, GLOBAL_BUFFER_BYTES_MAX / 2));
        buffer.push(frame(602, false, false, GLOBAL_BUFFER_BYTES_MAX / 2));
        assert!(buffer.key().is_none(), "over the byte cap");
    }
}
