//! A video source without a camera or an encoder: H.264 access units of the right shape, filled with noise.
//!
//! NAL unit headers, parameter sets and the beginning of each slice header are as an encoder writes them (ITU-T
//! H.264, clause 7.3 and Annex B), so everything that classifies a stream sees what it would see in a real
//! one; only a decoder would notice that the rest is random. No two access units are equal.

use core::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use nalcast_core::send::References;
use nalcast_core::{Rng, Timestamp};

/// Baseline profile, level 3.1, 1280x720, one reference frame, pictures in output order (clause 7.3.2.1.1).
const SPS_1280X720: [u8; 9] = [0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
/// CAVLC, one slice group, deblocking control (clause 7.3.2.2).
const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];
/// An access unit delimiter that allows any slice type (clause 7.3.2.4).
const DELIMITER: [u8; 2] = [0x09, 0xf0];
/// nal_ref_idc 3, nal_unit_type 5; then first_mb_in_slice 0, slice_type 7 (I), pic_parameter_set_id 0.
const IDR_SLICE: [u8; 3] = [0x65, 0x88, 0x84];
/// nal_ref_idc 2, nal_unit_type 1; then first_mb_in_slice 0, slice_type 5 (P), pic_parameter_set_id 0.
const REFERENCE_SLICE: [u8; 3] = [0x41, 0x9a, 0x24];
/// The same with nal_ref_idc 0: nothing refers to it.
const DISPOSABLE_SLICE: [u8; 3] = [0x01, 0x9a, 0x24];
/// Begins an access unit and a parameter set (Annex B.1.2).
const START_CODE_LONG: [u8; 4] = [0, 0, 0, 1];
const START_CODE: [u8; 3] = [0, 0, 1];
/// Random bytes of an access unit at least, which make it unique.
const NOISE_BYTES_MIN: usize = 8;

/// What a source produces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceModel {
    /// Access units a second, at least 1.
    pub fps: u32,
    /// Size of a key access unit, parameter sets included.
    pub key_bytes: usize,
    /// Sizes of the others while the picture moves.
    pub delta_bytes: RangeInclusive<usize>,
    /// Every n-th access unit since the last key is disposable; 0 for none. Only without temporal layers.
    pub disposable_every: u32,
    /// Temporal layers, each twice as fast as the one below it: 1 to 3.
    pub temporal_layers: u32,
    /// Every n-th picture of the base layer is kept as a long-term reference; 0 for none.
    pub long_term_every: u32,
    /// Chance that nothing moved since the last picture, in parts per million.
    pub still_ppm: u32,
    /// Sizes of the access units that say so.
    pub still_bytes: RangeInclusive<usize>,
    /// Whether each access unit begins with a delimiter.
    pub delimiters: bool,
}

impl Default for SourceModel {
    /// A moving screen at 30 a second and about 2.9 Mbit/s, every second access unit disposable.
    fn default() -> Self {
        Self {
            fps: 30,
            key_bytes: 60_000,
            delta_bytes: 4_000..=20_000,
            disposable_every: 2,
            temporal_layers: 1,
            long_term_every: 0,
            still_ppm: 0,
            still_bytes: 40..=200,
            delimiters: false,
        }
    }
}

/// One access unit and what a classifier must find out about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceUnit {
    /// The access unit, as a byte stream with start codes.
    pub bytes: Bytes,
    /// Decoding can begin here.
    pub key: bool,
    /// Nothing refers to it.
    pub disposable: bool,
    /// The unit that it refers to is so many earlier; 0 for a key.
    pub refers_back: u64,
    /// The encoder keeps it as a long-term reference.
    pub marks_long_term: bool,
    /// The encoder tells its references.
    pub told: bool,
}

impl SourceUnit {
    /// The frame that it refers to, if it is frame `frame_id`.
    #[must_use]
    pub fn refers_to(&self, frame_id: u64) -> Option<u64> {
        (!self.key).then(|| frame_id - self.refers_back)
    }

    /// What the server is told of its references.
    #[must_use]
    pub fn references(&self, frame_id: u64) -> References {
        let refers_to = if self.told { self.refers_to(frame_id) } else { None };
        References { refers_to, marks_long_term: self.marks_long_term }
    }
}

/// An endless supply of access units that `seed` alone determines.
#[derive(Debug)]
pub struct SyntheticSource {
    model: SourceModel,
    rng: Rng,
    units: u64,
    /// Units since the last key, or since the last one that refers to a long-term reference.
    since_key: u32,
    key_requested: bool,
    /// The unit that the next one refers to alone.
    reference_requested: Option<u64>,
    layers: Layers,
    /// Bytes of a picture at most, but for keys; what a real encoder keeps to on average.
    picture_bytes_max: Option<usize>,
}

impl SyntheticSource {
    /// A source whose first access unit is a key.
    #[must_use]
    pub fn new(seed: u64, model: SourceModel) -> Self {
        Self {
            model,
            rng: Rng::new(seed),
            units: 0,
            since_key: 0,
            key_requested: true,
            reference_requested: None,
            layers: Layers::default(),
            picture_bytes_max: None,
        }
    }

    /// Makes the next access unit a key.
    pub const fn request_key(&mut self) {
        self.key_requested = true;
    }

    /// Makes the next access unit refer to nothing but the long-term reference so many units before it.
    pub const fn request_reference(&mut self, back: u64) {
        self.reference_requested = Some((self.units + 1).saturating_sub(back));
    }

    /// Makes so many bits a second at most from now on, or as many as it likes; keys are what they are.
    pub fn limit(&mut self, bits_per_second: Option<u64>) {
        let bytes = |bits: u64| usize::try_from(bits / 8 / u64::from(self.model.fps.max(1))).unwrap_or(usize::MAX);
        self.picture_bytes_max = bits_per_second.map(bytes);
    }

    /// When the next access unit is captured, if the first one is at the origin of time.
    #[must_use]
    pub fn next_capture(&self) -> Timestamp {
        Timestamp::from_micros(self.units * 1_000_000 / u64::from(self.model.fps.max(1)))
    }

    /// The next access unit.
    pub fn next_unit(&mut self) -> SourceUnit {
        self.units += 1;
        let key = core::mem::take(&mut self.key_requested);
        let way_back = self.reference_requested.take().filter(|_| !key);
        self.since_key = if key || way_back.is_some() { 0 } else { self.since_key + 1 };
        let layered = self.model.temporal_layers > 1;
        let layer = self.layer();
        let every = self.model.disposable_every;
        let disposable = match layered {
            true => layer > 0 && layer + 1 == self.model.temporal_layers,
            false => self.since_key > 0 && every != 0 && self.since_key.is_multiple_of(every),
        };
        let refers_to = way_back.unwrap_or_else(|| self.layers.reference(layer));
        let marks_long_term = self.layers.add(self.units, layer, disposable, self.model.long_term_every);
        let bytes = self.picture(key, way_back.is_some(), disposable, layer);
        let refers_back = if key { 0 } else { self.units - refers_to };
        let told = layered || self.model.long_term_every > 0;
        SourceUnit { bytes, key, disposable, refers_back, marks_long_term, told }
    }

    /// The layer of the unit in a pattern like 0 2 1 2.
    const fn layer(&self) -> u32 {
        let top = if self.model.temporal_layers == 0 { 0 } else { self.model.temporal_layers - 1 };
        let place = self.since_key.trailing_zeros();
        if self.since_key == 0 || place >= top { 0 } else { top - place }
    }

    fn picture(&mut self, key: bool, way_back: bool, disposable: bool, layer: u32) -> Bytes {
        let still = self.rng.chance_ppm(self.model.still_ppm);
        let sizes = if still { self.model.still_bytes.clone() } else { self.model.delta_bytes.clone() };
        let bytes = between(&mut self.rng, &sizes).min(self.picture_bytes_max.unwrap_or(usize::MAX));
        // What changed since an older picture is more.
        let bytes = if way_back { (bytes * 2).min(self.model.key_bytes) } else { bytes };
        if key {
            return self.write(self.model.key_bytes, &[&SPS_1280X720, &PPS], &IDR_SLICE);
        }
        let prefix = prefix(layer, disposable);
        let before: &[&[u8]] = if self.model.temporal_layers > 1 { &[&prefix] } else { &[] };
        self.write(bytes, before, if disposable { &DISPOSABLE_SLICE } else { &REFERENCE_SLICE })
    }

    /// An access unit of `len` bytes, or as few as its parts need.
    fn write(&mut self, len: usize, parameter_sets: &[&[u8]], slice: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(len);
        let delimiter = self.model.delimiters.then_some(DELIMITER.as_slice());
        for nal in delimiter.iter().chain(parameter_sets) {
            out.put_slice(&START_CODE_LONG);
            out.put_slice(nal);
        }
        out.put_slice(if out.is_empty() { &START_CODE_LONG } else { &START_CODE });
        out.put_slice(slice);
        let begin = out.len();
        out.resize(len.max(begin + NOISE_BYTES_MIN), 0);
        fill_with_noise(&mut self.rng, &mut out[begin..]);
        out.freeze()
    }
}

/// The prefix NAL unit that tells the layer of the slice behind it (clause G.7.3.1.1): nal_unit_type 14, then
/// svc_extension_flag, temporal_id in the highest three bits of the third byte, and an empty payload.
fn prefix(layer: u32, disposable: bool) -> [u8; 5] {
    let (header, payload) = if disposable { (0x0e, 0x80) } else { (0x6e, 0x20) };
    [header, 0x80, 0x80, (layer as u8) << 5 | 0b0_1111, payload]
}

/// The newest units of each layer that others may refer to.
#[derive(Debug, Default)]
struct Layers {
    newest: [u64; 3],
    /// Units of the base layer.
    base: u32,
}

impl Layers {
    /// What the next unit of a layer refers to: the newest one of the layers below, or of the base layer.
    fn reference(&self, layer: u32) -> u64 {
        let below = self.newest.iter().take(layer.max(1) as usize);
        below.copied().max().unwrap_or_default()
    }

    /// Unit `number` is made; whether it is kept for long.
    fn add(&mut self, number: u64, layer: u32, disposable: bool, long_term_every: u32) -> bool {
        if let Some(newest) = self.newest.get_mut(layer as usize)
            && !disposable
        {
            *newest = number;
        }
        if layer > 0 || disposable {
            return false;
        }
        self.newest.iter_mut().skip(1).for_each(|newest| *newest = 0);
        self.base += 1;
        long_term_every > 0 && self.base.is_multiple_of(long_term_every)
    }
}

/// Random bytes without two zeros in a row, so that they hold no start code and need no emulation prevention
/// (clause 7.4.1), and with a last byte that is not zero.
fn fill_with_noise(rng: &mut Rng, out: &mut [u8]) {
    rng.fill(out);
    let mut previous = 0;
    for byte in out.iter_mut() {
        if *byte == 0 && previous == 0 {
            *byte = 0xff;
        }
        previous = *byte;
    }
    if let Some(last) = out.last_mut() {
        *last |= 0x80;
    }
}

fn between(rng: &mut Rng, range: &RangeInclusive<usize>) -> usize {
    let spread = range.end().saturating_sub(*range.start()) as u64;
    range.start() + rng.below(spread + 1) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The NAL units of a byte stream whose only zero pairs are start codes.
    fn nal_units(stream: &[u8]) -> Vec<&[u8]> {
        let starts: Vec<usize> =
            (0..stream.len()).filter(|i| stream[*i..].starts_with(&START_CODE)).map(|i| i + 3).collect();
        let ends = starts.iter().skip(1).map(|start| start - 3).chain([stream.len()]);
        let nal = |(start, end): (&usize, usize)| &stream[*start..end];
        // A zero before a start code belongs to the start code (Annex B.1.2).
        starts.iter().zip(ends).map(nal).map(|nal| nal.strip_suffix(&[0]).unwrap_or(nal)).collect()
    }

    #[track_caller]
    fn check(model: &SourceModel, units: usize, key_requests: &[usize]) -> Vec<SourceUnit> {
        let mut source = SyntheticSource::new(7, model.clone());
        (0..units)
            .map(|n| {
                if key_requests.contains(&n) {
                    source.request_key();
                }
                let unit = source.next_unit();
                let headers: Vec<u8> = nal_units(&unit.bytes).iter().map(|nal| nal[0]).collect();
                let mut expected = if model.delimiters { vec![0x09] } else { vec![] };
                match (unit.key, unit.disposable) {
                    (true, false) => expected.extend([0x67, 0x68, 0x65]),
                    (false, true) => expected.push(0x01),
                    (false, false) => expected.push(0x41),
                    (true, true) => panic!("a key is not disposable"),
                }
                assert_eq!(headers, expected, "unit {n}");
                assert!(unit.bytes.starts_with(&START_CODE_LONG));
                let nal_units = nal_units(&unit.bytes);
                let slice = nal_units.last().unwrap();
                // first_mb_in_slice is 0: ue(v) codes it as a single set bit.
                assert_ne!(slice[1] & 0x80, 0);
                assert!(slice.windows(2).all(|pair| pair != [0, 0]));
                assert_ne!(unit.bytes.last(), Some(&0));
                unit
            })
            .collect()
    }

    #[test]
    fn units_have_the_shape_that_is_asked_for() {
        let model = SourceModel { disposable_every: 3, ..SourceModel::default() };
        for delimiters in [false, true] {
            let units = check(&SourceModel { delimiters, ..model.clone() }, 20, &[5]);
            let places = |wanted: fn(&SourceUnit) -> bool| {
                units.iter().enumerate().filter(|(_, unit)| wanted(unit)).map(|(n, _)| n).collect::<Vec<_>>()
            };
            assert_eq!(places(|unit| unit.key), [0, 5]);
            assert_eq!(places(|unit| unit.disposable), [3, 8, 11, 14, 17]);
            assert!(units.iter().all(|unit| match unit.key {
                true => unit.bytes.len() == model.key_bytes,
                false => model.delta_bytes.contains(&unit.bytes.len()),
            }));
        }
    }

    #[test]
    fn no_two_units_are_equal_even_when_nothing_moves() {
        let model = SourceModel { still_ppm: 1_000_000, still_bytes: 0..=16, ..SourceModel::default() };
        let units = check(&model, 1_000, &[]);
        assert!(units.iter().skip(1).all(|unit| unit.bytes.len() <= 16));
        assert_eq!(units.iter().map(|unit| &unit.bytes).collect::<BTreeSet<_>>().len(), 1_000);
    }

    #[test]
    fn a_seed_fixes_the_units_and_the_rate_the_times() {
        let units = |seed| {
            let mut source = SyntheticSource::new(seed, SourceModel::default());
            (0..10).map(|_| source.next_unit()).collect::<Vec<_>>()
        };
        assert_eq!(units(1), units(1));
        assert_ne!(units(1), units(2));
        let mut source = SyntheticSource::new(1, SourceModel::default());
        let times = [(); 4].map(|()| {
            let at = source.next_capture();
            source.next_unit();
            at.as_micros()
        });
        assert_eq!(times, [0, 33_333, 66_666, 100_000]);
    }
}
