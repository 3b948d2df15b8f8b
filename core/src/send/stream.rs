//! The stream that all viewers share: its description, its newest frame, how fast it comes.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::frame_buffer::{Frame, FrameBuffer, Place};
use super::pacer::{Rate, SourceRate};
use super::queue::Patience;
use super::references::{Recovery, ReferenceChain, References};
use crate::limits::{FRAME_BYTES_MAX, FRAMES_REMEMBERED_MAX, QUEUE_AGE_MAX, REPAIR_PERIOD_MAX};
use crate::nal::{Codec, Inspector, ParameterSets};
use crate::time::{Timestamp, micros};
use crate::wire::control::Config;
use crate::wire::feedback::TIME_UNIT_US;
use crate::wire::media::FrameHeader;

/// Why an access unit was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessUnitRefused {
    /// It is larger than the wire carries.
    TooLarge {
        /// Its size, bytes.
        bytes: usize,
    },
    /// Nothing can be decoded before the first key frame.
    BeforeFirstKeyFrame,
    /// The frame that it refers to is too old, or was never made.
    UnknownReference {
        /// That frame.
        frame_id: u64,
    },
    /// It is a key frame, but neither it nor a unit before it carried the parameter sets.
    WithoutParameterSets,
    /// The source had ended.
    AfterEnd,
}

impl core::fmt::Display for AccessUnitRefused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(f, "access unit of {bytes} bytes is over the limit of {FRAME_BYTES_MAX}")
            }
            Self::BeforeFirstKeyFrame => f.write_str("access unit before the first key frame: nobody could decode it"),
            Self::UnknownReference { frame_id } => {
                write!(f, "access unit refers to frame {frame_id}, which is no frame that viewers may have kept")
            }
            Self::WithoutParameterSets => {
                f.write_str("key frame without parameter sets, and none came before it: nobody could decode it")
            }
            Self::AfterEnd => f.write_str("access unit after the end of the source"),
        }
    }
}

impl core::error::Error for AccessUnitRefused {}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) buffer: FrameBuffer,
    codec: Codec,
    fps: u8,
    inspector: Inspector,
    parameter_sets: ParameterSets,
    /// Their bytes, taken from the cache when they change.
    parameter_bytes: Bytes,
    config_epoch: u8,
    newest: u64,
    pub(super) references: ReferenceChain,
    recovery: Recovery,
    size: Option<(u16, u16)>,
    /// Size of the newest key frame.
    key_bytes: usize,
    rate: SourceRate,
    /// The newest frames' ids and capture times, each in the place of its id.
    captures: Vec<(u64, Timestamp)>,
}

impl Stream {
    pub(super) fn new(now: Timestamp, codec: Codec, fps: u8, recovery: Recovery) -> Self {
        Self {
            buffer: FrameBuffer::default(),
            codec,
            fps,
            inspector: Inspector::new(codec),
            parameter_sets: ParameterSets::new(codec),
            parameter_bytes: Bytes::new(),
            config_epoch: 0,
            newest: 0,
            references: ReferenceChain::default(),
            recovery,
            size: None,
            key_bytes: 0,
            rate: SourceRate::new(now),
            captures: vec![(0, Timestamp::ZERO); FRAMES_REMEMBERED_MAX],
        }
    }

    /// Makes the next frame of an access unit. Nothing in a NAL unit names its references: the source tells what it knows.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        body: Bytes,
        capture: Timestamp,
        told: References,
    ) -> Result<Frame, AccessUnitRefused> {
        if body.len() > FRAME_BYTES_MAX {
            return Err(AccessUnitRefused::TooLarge { bytes: body.len() });
        }
        let unit = self.inspector.inspect(&body);
        if unit.key && !unit.has_parameter_sets && !self.parameter_sets.is_complete() {
            return Err(AccessUnitRefused::WithoutParameterSets);
        }
        let id = self.newest + 1;
        let reference = if unit.key { None } else { Some(self.references.resolve(id, told)?) };
        let changed = self.parameter_sets.observe(&body);
        let size = self.parameter_sets.dimensions();
        let geometry_changed = size != self.size;
        self.size = size;
        if changed || self.config_epoch == 0 {
            // 0 means that nothing was heard yet.
            self.config_epoch = self.config_epoch.wrapping_add(1).max(1);
            self.parameter_bytes = self.parameter_sets.as_annexb();
        }
        self.newest = id;
        let disposable = unit.disposable && !unit.key;
        let marks_long_term = told.marks_long_term && !disposable;
        let temporal_id = unit.temporal_id.min(3);
        let mut place =
            Place { reference, long_term: None, disposable, temporal_id, is_told: told.refers_to.is_some() };
        // The base layer does not go on from a frame of an upper one, whatever that refers to.
        place.long_term = reference.filter(|id| !place.is_droppable() && self.references.is_way_back(*id));
        self.references.add(now, id, reference, disposable, marks_long_term);
        self.rate.add(now, body.len());
        if unit.key {
            self.key_bytes = body.len();
        }
        if let Some(place) = self.captures.get_mut(capture_place(id)) {
            *place = (id, capture);
        }
        let header = FrameHeader {
            codec: self.codec,
            key: unit.key,
            parameter_sets: unit.has_parameter_sets,
            marks_long_term,
            uses_long_term: place.long_term.is_some(),
            geometry_changed,
            parameter_epoch: self.parameter_sets.epoch(),
            reference_delta: reference.map_or(0, |reference| u32::try_from(id - reference).unwrap_or(u32::MAX)),
            capture_us: capture.low_u32(),
            encode_units: encode_units(now.saturating_since(capture)),
            body_len: u32::try_from(body.len()).unwrap_or(u32::MAX),
        };
        Ok(Frame::new(id, place, &header, body))
    }

    /// The description of the stream, for CONFIG.
    pub(super) fn config(&self) -> Config<'_> {
        let (width, height) = self.size.unwrap_or_default();
        Config {
            config_epoch: self.config_epoch,
            codec: self.codec,
            width,
            height,
            fps: self.fps,
            parameter_epoch: self.parameter_sets.epoch(),
            parameter_sets: &self.parameter_bytes,
        }
    }

    /// Whether a viewer that heard description `epoch` should hear the current one.
    pub(super) const fn has_news_for(&self, epoch: u8) -> bool {
        self.config_epoch != 0 && self.config_epoch != epoch
    }

    /// The newest frame's id; 0 before the first.
    pub(super) const fn newest_frame(&self) -> u64 {
        self.newest
    }

    /// When frame `id` was captured, if it is among the newest.
    pub(super) fn captured_at(&self, id: u64) -> Option<Timestamp> {
        let (found, at) = *self.captures.get(capture_place(id))?;
        (found == id && id > 0).then_some(at)
    }

    /// Picture size in pixels, once known.
    pub(super) const fn size(&self) -> Option<(u16, u16)> {
        self.size
    }

    pub(super) const fn source_rate(&self) -> Rate {
        self.rate.get()
    }

    /// How old a frame may get in a viewer's queue. Where no key frame can be had, a frame that is dropped costs
    /// every frame up to the file's next key frame: it waits as long as a repair may take.
    pub(super) fn patience(&self) -> Patience {
        let age_max = if self.recovery > Recovery::Nothing {
            QUEUE_AGE_MAX.min(self.frame_interval() * 3)
        } else {
            REPAIR_PERIOD_MAX
        };
        Patience { age_max, key_bytes: self.key_bytes }
    }

    pub(super) fn frame_interval(&self) -> Duration {
        Duration::from_secs(1) / u32::from(self.fps.max(1))
    }
}

/// A time as a frame's header tells it.
fn encode_units(time: Duration) -> u16 {
    u16::try_from(micros(time) / TIME_UNIT_US).unwrap_or(u16::MAX)
}

fn capture_place(id: u64) -> usize {
    usize::try_from(id % FRAMES_REMEMBERED_MAX as u64).unwrap_or_default()
}
