//! The decode thread: each unit is handed to the decoder first, because the screen waits for it, and logged and
//! recorded after that.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use nalcast_core::nal::Codec;
use shell_common::clock::monotonic_ns;

use super::queue::Next;
use super::{Picture, PresentEvent, PresentOptions, ReleasedUnit, Shared, lock, report_decoder};
use crate::decode::{Decode, DecodeError, PictureSize, Pixels, decoder_for};
use crate::framelog::FrameLog;
use crate::latency::Stage;
use crate::record::Recorder;

/// How often files are looked after while no unit comes.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    shared: Arc<Shared>,
    window: bool,
    recorder: Option<Recorder>,
    frame_log: Option<FrameLog>,
    decoder: Option<(Codec, Slot)>,
    first_picture_seen: bool,
}

/// The decoder of the present codec.
enum Slot {
    Ready {
        decoder: Box<dyn Decode>,
        /// At the start and after a failure other units are not even tried: with long-term references or temporal
        /// layers OpenH264 would take them and give garbage without an error.
        key_awaited: bool,
    },
    /// There is none, which has been said.
    Missing,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, options: PresentOptions) -> Self {
        let PresentOptions { window, recorder, frame_log } = options;
        Self { shared, window, recorder, frame_log, decoder: None, first_picture_seen: false }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.shared.queue.pop(IDLE_INTERVAL) {
                Next::Unit(unit, more_wait) => self.handle_unit(&unit, more_wait),
                Next::Idle => self.handle_idle(),
                Next::Closed => break,
            }
        }
        self.recorder.iter_mut().for_each(Recorder::flush);
        self.frame_log.iter_mut().for_each(FrameLog::flush);
        self.shared.mailbox.end();
    }

    fn handle_idle(&mut self) {
        let now = Instant::now();
        self.recorder.iter_mut().for_each(|recorder| recorder.flush_when_due(now));
        self.frame_log.iter_mut().for_each(FrameLog::flush);
    }

    pub(super) fn handle_unit(&mut self, unit: &ReleasedUnit, more_wait: bool) {
        let handed_over = Instant::now();
        let handed_over_ns = monotonic_ns();
        self.present(unit, handed_over, more_wait);
        if let Some(log) = &mut self.frame_log {
            log.write(handed_over_ns, &unit.bytes);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.write(unit, handed_over);
        }
    }

    /// Decodes a unit and publishes its picture, or tells why there is none.
    fn present(&mut self, unit: &ReleasedUnit, handed_over: Instant, more_wait: bool) {
        // Nobody would see a late picture when a newer one follows at once, so its conversion is saved.
        let visible = self.window && !(unit.late && more_wait);
        let mut pixels = visible.then(|| self.shared.mailbox.spare());
        match self.decode(unit, pixels.as_mut()) {
            Ok(Some(size)) => self.handle_picture(unit, size, pixels.take(), handed_over),
            Ok(None) => {}
            Err(frame_id) => self.shared.tell(PresentEvent::DecodeFailed { frame_id }),
        }
        if let Some(unused) = pixels {
            self.shared.mailbox.recycle(unused);
        }
    }

    /// The size of the picture; nothing where this build has no decoder; the unit's number where it gave no picture.
    fn decode(&mut self, unit: &ReleasedUnit, pixels: Option<&mut Pixels>) -> Result<Option<PictureSize>, u64> {
        let slot = match &mut self.decoder {
            Some((codec, slot)) if *codec == unit.codec => slot,
            other => &mut other.insert((unit.codec, Slot::open(unit.codec))).1,
        };
        slot.decode(unit, pixels)
    }

    fn handle_picture(&mut self, unit: &ReleasedUnit, size: PictureSize, pixels: Option<Pixels>, handed_over: Instant) {
        let decoded = Instant::now();
        self.shared.tell(PresentEvent::Decoded { frame_id: unit.frame_id });
        if let Some(pixels) = pixels {
            let picture = Picture { frame_id: unit.frame_id, pixels, captured: unit.captured, decoded };
            self.shared.mailbox.publish(picture);
        }
        self.record_latency(unit, handed_over, decoded);
        if !self.first_picture_seen {
            self.first_picture_seen = true;
            let PictureSize { width, height } = size;
            self.shared.tell(PresentEvent::FirstPicture { frame_id: unit.frame_id, width, height });
        }
        if !self.window {
            self.shared.shown(unit.frame_id, unit.captured, decoded);
        }
    }

    fn record_latency(&self, unit: &ReleasedUnit, handed_over: Instant, decoded: Instant) {
        let mut latency = lock(&self.shared.latency);
        if let Some(captured) = unit.captured {
            latency.record(Stage::Network, unit.completed.saturating_duration_since(captured));
        }
        latency.record(Stage::Release, unit.released.saturating_duration_since(unit.completed));
        latency.record(Stage::Queue, handed_over.saturating_duration_since(unit.released));
        latency.record(Stage::Decode, decoded.saturating_duration_since(handed_over));
    }
}

impl Slot {
    fn open(codec: Codec) -> Self {
        let missing = |error: DecodeError| {
            report_decoder(&error);
            Self::Missing
        };
        decoder_for(codec).map_or_else(missing, |decoder| Self::Ready { decoder, key_awaited: true })
    }

    fn decode(&mut self, unit: &ReleasedUnit, pixels: Option<&mut Pixels>) -> Result<Option<PictureSize>, u64> {
        let Self::Ready { decoder, key_awaited } = self else { return Ok(None) };
        if *key_awaited && !unit.key {
            return Err(unit.frame_id);
        }
        let configured = unit.parameter_sets.as_deref().map_or(Ok(()), |sets| decoder.configure(sets));
        let decoded = configured.and_then(|()| decoder.decode(&unit.bytes, pixels));
        *key_awaited = decoded.is_err();
        decoded.map(Some).map_err(|error| {
            report_decoder(&error);
            unit.frame_id
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::unit;
    use super::*;

    /// Takes units whose forerunners it never saw, as OpenH264 does with temporal layers; only `bad` fails.
    struct Careless;

    impl Decode for Careless {
        fn configure(&mut self, _parameter_sets: &[u8]) -> Result<(), DecodeError> {
            Ok(())
        }

        fn decode(&mut self, unit: &[u8], _pixels: Option<&mut Pixels>) -> Result<PictureSize, DecodeError> {
            if unit == b"bad" { Err(DecodeError::NoPicture) } else { Ok(PictureSize::default()) }
        }
    }

    #[test]
    fn a_careless_decoder_is_not_given_units_that_lack_their_forerunners() {
        let mut slot = Slot::Ready { decoder: Box::new(Careless), key_awaited: true };
        let table = [
            (false, "good", false),
            (true, "good", true),
            (false, "good", true),
            (false, "bad", false),
            (false, "good", false),
            (true, "bad", false),
            (false, "good", false),
            (true, "good", true),
        ];
        for (place, (key, bytes, decoded)) in (0..).zip(table) {
            let wanted = if decoded { Ok(Some(PictureSize::default())) } else { Err(place) };
            assert_eq!(slot.decode(&unit(place, key, bytes.as_bytes()), None), wanted, "unit {place}");
        }
        assert_eq!(Slot::Missing.decode(&unit(0, true, b"good"), None), Ok(None));
    }
}
