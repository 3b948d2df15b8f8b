//! The video that paths are compared on: real H.264 whose sizes are drawn, not encoded.
//!
//! Each picture replaces as many macroblocks by noise as its size needs (I_PCM, 384 bytes each) and leaves the others as
//! they were, so every decoder takes it, decoding costs next to nothing, and no encoder is needed to make it (ITU-T H.264,
//! clauses 7.3.3 to 7.3.5, Baseline profile). Every picture refers to the one before it.

use nalcast_core::Rng;

/// Baseline profile, level 3.1, 1280x720, frame_num of 4 bits, one reference, pictures in output order (clause 7.3.2.1.1).
const SPS: [u8; 13] = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
/// CAVLC, one slice group, deblocking control (clause 7.3.2.2).
const PPS: [u8; 8] = [0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80];
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// nal_ref_idc 3, nal_unit_type 5.
const IDR: u8 = 0x65;
/// nal_ref_idc 2, nal_unit_type 1.
const NON_IDR: u8 = 0x41;

const MACROBLOCKS: usize = WIDTH_MACROBLOCKS * 45;
const WIDTH_MACROBLOCKS: usize = 80;
/// Samples of an I_PCM macroblock, 4:2:0 with 8 bits.
const PCM_BYTES: usize = 384;
/// The same with what stands in front.
const PCM_BYTES_CODED: usize = PCM_BYTES + 2;
/// The black that video-range samples begin at, and how many values there are.
const SAMPLE_MIN: u8 = 16;
const SAMPLE_VALUES: u8 = 220;

/// Pictures a second.
pub const FPS: u32 = 30;
/// Pictures from one key frame to the next: ten seconds.
pub const KEY_INTERVAL: usize = 300;
/// Pictures in all: 30 seconds.
pub const UNITS: usize = 900;
/// What makes the whole stream 3.99 Mbit/s, with half of the pictures in up to 14 datagrams of 1200 bytes.
const DELTA_BYTES_MEDIAN: f64 = 15_535.0;
/// Of the logarithm of the sizes.
const DELTA_SPREAD: f64 = 0.3;
const KEY_BYTES: usize = 108_000;
const SEED: u64 = 720;

/// The access units of the stream, or its first ones.
#[must_use]
pub fn access_units(units: usize) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(SEED);
    (0..units)
        .map(|number| {
            let since_key = number % KEY_INTERVAL;
            if since_key == 0 {
                return key_unit(&mut rng, number / KEY_INTERVAL);
            }
            let bytes = DELTA_BYTES_MEDIAN * (DELTA_SPREAD * normal(&mut rng)).exp();
            delta_unit(&mut rng, since_key, bytes as usize)
        })
        .collect()
}

/// Nearly normally distributed, with mean 0 and variance 1: the sum of twelve even draws, less its mean.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0
}

fn key_unit(rng: &mut Rng, number: usize) -> Vec<u8> {
    let mut bits = Bits::after(&[&SPS[..], &PPS, &START_CODE, &[IDR]].concat());
    // first_mb_in_slice, slice_type I, pic_parameter_set_id, frame_num, idr_pic_id.
    [0, 7, 0].into_iter().for_each(|value| bits.ue(value));
    bits.put(0, 4);
    bits.ue(number as u32 % 2);
    // no_output_of_prior_pics_flag, long_term_reference_flag, slice_qp_delta, disable_deblocking_filter_idc.
    bits.put(0, 2);
    bits.ue(0);
    bits.ue(1);
    // What follows the noise takes about a byte each.
    let noisy = (KEY_BYTES - MACROBLOCKS) / PCM_BYTES_CODED;
    for _ in 0..noisy {
        bits.pcm(25, rng);
    }
    for address in noisy..MACROBLOCKS {
        // mb_type I_16x16_2_0_0, intra_chroma_pred_mode DC, mb_qp_delta 0: grey, as nothing is added to the prediction.
        [3, 0, 0].into_iter().for_each(|value| bits.ue(value));
        // coeff_token of no coefficients, by what the neighbours have (clause 9.2.1): 16 in I_PCM, none otherwise.
        let left = !address.is_multiple_of(WIDTH_MACROBLOCKS) && address - 1 < noisy;
        let above = address >= WIDTH_MACROBLOCKS && address - WIDTH_MACROBLOCKS < noisy;
        if left || above { bits.put(0b11, 6) } else { bits.put(1, 1) }
    }
    bits.finish()
}

fn delta_unit(rng: &mut Rng, since_key: usize, bytes: usize) -> Vec<u8> {
    let mut bits = Bits::after(&[&START_CODE[..], &[NON_IDR]].concat());
    // first_mb_in_slice, slice_type P, pic_parameter_set_id, frame_num.
    [0, 5, 0].into_iter().for_each(|value| bits.ue(value));
    bits.put(since_key as u32 % 16, 4);
    // num_ref_idx_active_override_flag, ref_pic_list_modification_flag_l0, adaptive_ref_pic_marking_mode_flag.
    bits.put(0, 3);
    bits.ue(0);
    bits.ue(1);
    let noisy = ((bytes + PCM_BYTES_CODED / 2) / PCM_BYTES_CODED).clamp(1, MACROBLOCKS / 2);
    let before = rng.below((MACROBLOCKS - noisy) as u64) as usize;
    for place in 0..noisy {
        // mb_skip_run.
        bits.ue(if place == 0 { before as u32 } else { 0 });
        bits.pcm(30, rng);
    }
    bits.ue((MACROBLOCKS - noisy - before) as u32);
    bits.finish()
}

/// A NAL unit as it is written. It needs no emulation prevention (clause 7.4.1): samples are never zero, and nothing
/// else has 16 zero bits in a row.
struct Bits {
    out: Vec<u8>,
    /// Of the last byte, how many bits are taken; 0 for all.
    used: u32,
}

impl Bits {
    fn after(head: &[u8]) -> Self {
        Self { out: head.to_vec(), used: 0 }
    }

    /// u(n).
    fn put(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            if self.used == 0 {
                self.out.push(0);
            }
            if let Some(last) = self.out.last_mut() {
                *last |= ((value >> at & 1) as u8) << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// ue(v), and se(v) of 0 (clause 9.1).
    fn ue(&mut self, value: u32) {
        let bits = (value + 1).ilog2();
        self.put(0, bits);
        self.put(value + 1, bits + 1);
    }

    /// An I_PCM macroblock, whose mb_type depends on the slice.
    fn pcm(&mut self, mb_type: u32, rng: &mut Rng) {
        self.ue(mb_type);
        self.used = 0;
        let begin = self.out.len();
        self.out.resize(begin + PCM_BYTES, 0);
        let samples = &mut self.out[begin..];
        rng.fill(samples);
        samples.iter_mut().for_each(|sample| *sample = SAMPLE_MIN + *sample % SAMPLE_VALUES);
    }

    /// rbsp_trailing_bits.
    fn finish(mut self) -> Vec<u8> {
        self.put(1, 1);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use nalcast_core::nal::{AccessUnits, Codec, Inspector};

    use super::*;

    #[test]
    fn the_stream_has_the_shape_that_figures_are_compared_on() {
        let units = access_units(UNITS);
        assert_eq!(units.len(), UNITS);
        let bytes: usize = units.iter().map(Vec::len).sum();
        let mbps = bytes as f64 * 8.0 * f64::from(FPS) / UNITS as f64 / 1e6;
        assert!((3.97..4.01).contains(&mbps), "{mbps} Mbit/s");
        // 1175 bytes fit a datagram of 1200.
        let mut datagrams: Vec<_> = units.iter().map(|unit| unit.len().div_ceil(1175)).collect();
        datagrams.sort_unstable();
        assert_eq!(datagrams[UNITS / 2], 14, "{datagrams:?}");
        let mean = bytes / UNITS;
        assert!((mean * 5..mean * 8).contains(&units[KEY_INTERVAL].len()), "{}", units[KEY_INTERVAL].len());
    }

    #[test]
    fn the_stream_falls_into_the_units_that_it_was_made_of() {
        let units = access_units(KEY_INTERVAL + 20);
        let (mut splitter, mut inspector) = (AccessUnits::new(Codec::H264), Inspector::new(Codec::H264));
        splitter.push(&units.concat());
        splitter.finish();
        for (number, unit) in units.iter().enumerate() {
            assert_eq!(splitter.next_unit().unwrap().unwrap(), unit);
            let info = inspector.inspect(unit);
            let key = number % KEY_INTERVAL == 0;
            assert_eq!((info.key, info.has_parameter_sets, info.disposable), (key, key, false), "unit {number}");
            // Nothing looks like a start code but those that are.
            let zeros = unit.windows(3).filter(|bytes| bytes[..2] == [0, 0] && bytes[2] <= 3).count();
            assert_eq!(zeros, if key { 6 } else { 2 });
        }
        assert_eq!(splitter.next_unit(), Ok(None));
        assert_eq!(units[..20], access_units(20)[..], "the same every time");
    }
}
