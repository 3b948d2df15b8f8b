//! The encoder against a decoder: what was drawn comes back, in the form that viewers count on.
#![cfg(feature = "codec")]
#![expect(clippy::unwrap_used, reason = "a step that fails in a function of the tests fails the test")]

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use shell_server::encode::convert::I420;
use shell_server::encode::openh264::OpenH264Encoder;
use shell_server::encode::{EncodeError, Encoder, EncoderConfig, Picture};
use shell_server::source::Region;
use shell_server::source::pattern::{Pattern, read_counter};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_bgra};

const CONFIG: EncoderConfig = EncoderConfig { width: 640, height: 360, fps: 30, bitrate_bps: 2_000_000 };

fn drawn(width: u32, height: u32, index: u64) -> Picture {
    let mut picture = Picture::new(width, height);
    Pattern::new(Some(Region::whole(width, height)), 30).unwrap().draw(index, &mut picture);
    picture
}

/// The NAL units of an access unit, without their start codes.
fn nal_units(unit: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        (0..unit.len().saturating_sub(2)).filter(|&at| unit[at..].starts_with(&[0, 0, 1])).collect();
    let ends = starts.iter().skip(1).map(|&next| next - usize::from(unit[next - 1] == 0)).chain([unit.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &unit[start + 3..end]).collect()
}

/// `nal_unit_type` of each NAL unit (ITU-T H.264, 7.3.1).
fn nal_unit_types(unit: &[u8]) -> Vec<u8> {
    nal_units(unit).iter().map(|nal_unit| nal_unit[0] & 0x1F).collect()
}

/// Peak signal-to-noise ratio of the luma, in dB.
fn luma_psnr(picture: &Picture, decoded: &impl YUVSource) -> f64 {
    let mut original = I420::new(picture.width, picture.height);
    original.fill_from(picture).unwrap();
    let [(luma, stride), ..] = original.planes();
    let rows = luma.chunks(stride as usize).zip(decoded.y().chunks(decoded.strides().0));
    let squares: u64 = rows
        .flat_map(|(one, other)| one.iter().zip(other).take(picture.width as usize))
        .map(|(one, other)| u64::from(one.abs_diff(*other)).pow(2))
        .sum();
    let pixels = f64::from(picture.width) * f64::from(picture.height);
    10.0 * (255.0 * 255.0 * pixels / (squares.max(1) as f64)).log10()
}

fn to_bgra(decoded: &impl YUVSource) -> Vec<u8> {
    let (width, height) = decoded.dimensions();
    let stride = |bytes: usize| u32::try_from(bytes).unwrap();
    let planes = YuvPlanarImage {
        y_plane: decoded.y(),
        y_stride: stride(decoded.strides().0),
        u_plane: decoded.u(),
        u_stride: stride(decoded.strides().1),
        v_plane: decoded.v(),
        v_stride: stride(decoded.strides().2),
        width: stride(width),
        height: stride(height),
    };
    let mut bgra = vec![0; width * height * 4];
    yuv420_to_bgra(&planes, &mut bgra, stride(width) * 4, YuvRange::Limited, YuvStandardMatrix::Bt709).unwrap();
    bgra
}

#[test]
fn round_trip_is_faithful_and_without_delay() {
    let mut encoder = OpenH264Encoder::new(CONFIG).unwrap();
    let mut decoder = Decoder::new().unwrap();
    for index in 0..45_u64 {
        let picture = drawn(CONFIG.width, CONFIG.height, index);
        let unit = encoder.encode(&picture, false).unwrap().expect("every picture gives an access unit");
        let decoded = decoder.decode(&unit).unwrap().expect("every access unit gives a picture");
        let psnr = luma_psnr(&picture, &decoded);
        assert!(psnr > 35.0, "picture {index}: {psnr:.1} dB");
        let number = read_counter(&to_bgra(&decoded), CONFIG.width as usize * 4);
        assert_eq!(number.map(u64::from), Some(index));
    }
}

#[test]
fn key_frames_come_first_and_on_demand_only() {
    let mut encoder = OpenH264Encoder::new(CONFIG).unwrap();
    for index in 0..120 {
        // A still picture is the hard case: an encoder may think it has nothing to say.
        let picture = drawn(CONFIG.width, CONFIG.height, index.min(60));
        let force_key = [50, 100, 101].contains(&index);
        let types = nal_unit_types(&encoder.encode(&picture, force_key).unwrap().unwrap());
        let expected: &[u8] = if index == 0 || force_key { &[7, 8, 5] } else { &[1] };
        assert_eq!(types, expected, "picture {index}");
    }
}

#[test]
fn parameter_sets_are_the_known_ones() {
    let unit = OpenH264Encoder::new(CONFIG).unwrap().encode(&drawn(640, 360, 0), true).unwrap().unwrap();
    let hex: String = nal_units(&unit)[0].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "6742c01e8c680a02ff966a0202020f08846a");
}

#[test]
fn bit_rate_is_kept() {
    let config = EncoderConfig { bitrate_bps: 1_000_000, ..CONFIG };
    let mut encoder = OpenH264Encoder::new(config).unwrap();
    let bytes: usize = (0..90)
        .map(|index| encoder.encode(&drawn(config.width, config.height, index), false).unwrap().unwrap().len())
        .sum();
    let bits_per_second = bytes * 8 / 3;
    assert!((50_000..1_500_000).contains(&bits_per_second), "{bits_per_second} bit/s, asked for 1000000");
}

/// Coarse noise, a part of it new in each picture: more than any bit rate here can show well, but no new scene, which
/// the encoder would begin with a key frame.
fn noise(index: u64) -> Picture {
    let mut picture = Picture::new(CONFIG.width, CONFIG.height);
    for (at, pixel) in (0..).zip(picture.bgra.chunks_exact_mut(4)) {
        let (x, y) = (at % u64::from(CONFIG.width), at / u64::from(CONFIG.width));
        let turn = if x < u64::from(CONFIG.width) / 4 { index } else { 0 };
        let cell =
            (x / 4 + 1000 * turn).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (y / 4).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        let shade = (cell.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 56) as u8;
        pixel[..3].fill(shade);
    }
    picture
}

/// Bytes of two seconds of moving pictures, none of them in a key frame.
fn two_seconds(encoder: &mut OpenH264Encoder, from: u64) -> usize {
    (from..from + 60)
        .map(|index| {
            let unit = encoder.encode(&noise(index), false).unwrap().unwrap();
            assert_eq!(nal_unit_types(&unit), [1], "picture {index}");
            unit.len()
        })
        .sum()
}

#[test]
fn the_bit_rate_follows_its_limit_in_flight_without_a_key_frame() {
    let mut encoder = OpenH264Encoder::new(CONFIG).unwrap();
    encoder.encode(&noise(0), true).unwrap();
    // More than it was opened for is no more; with less than the floor the quantiser is at its end.
    let bytes_of = |bits_per_second: usize| bits_per_second * 2 / 8;
    let table = [
        (None, 2_000_000),
        (Some(1_000_000), 1_000_000),
        (Some(500_000), 500_000),
        (Some(1), 450_000),
        (None, 2_000_000),
        (Some(500_000), 500_000),
        (Some(u64::MAX), 2_000_000),
        (Some(50_000_000), 2_000_000),
    ];
    for ((limit, bits_per_second), from) in table.into_iter().zip((1..).step_by(60)) {
        encoder.limit_bitrate(limit).unwrap();
        let (bytes, aim) = (two_seconds(&mut encoder, from), bytes_of(bits_per_second));
        assert!((aim * 9 / 10..aim * 10 / 9).contains(&bytes), "{bytes} bytes with {limit:?}, not {aim}");
    }
}

#[test]
fn another_size_starts_another_stream() {
    let mut encoder = OpenH264Encoder::new(CONFIG).unwrap();
    let mut decoder = Decoder::new().unwrap();
    for (width, height, types) in [(640, 360, vec![7, 8, 5]), (640, 360, vec![1]), (320, 240, vec![7, 8, 5])] {
        let unit = encoder.encode(&drawn(width, height, 0), false).unwrap().unwrap();
        assert_eq!(nal_unit_types(&unit), types, "{width}x{height}");
        let decoded = decoder.decode(&unit).unwrap().unwrap();
        assert_eq!(decoded.dimensions(), (width as usize, height as usize));
    }
}

#[test]
fn bounds() {
    let check = |width, height, bitrate_bps, expected: Option<EncodeError>| {
        let opened = OpenH264Encoder::new(EncoderConfig { width, height, fps: 30, bitrate_bps });
        assert_eq!(opened.err(), expected, "{width}x{height} at {bitrate_bps} bit/s");
    };
    for (width, height) in [(16, 16), (3840, 2160), (2160, 3840)] {
        check(width, height, 1_000_000, None);
    }
    for (width, height) in [(0, 0), (14, 100), (3842, 100), (3840, 2162), (2162, 3840), (641, 360), (640, 361)] {
        check(width, height, 1_000_000, Some(EncodeError::Size { width, height }));
    }
    for bitrate in [0, u32::MAX] {
        check(640, 360, bitrate, Some(EncodeError::BitRate(bitrate)));
    }
    let mut encoder = OpenH264Encoder::new(CONFIG).unwrap();
    let short = Picture { bgra: vec![0; 100], ..Picture::new(640, 360) };
    assert_eq!(encoder.encode(&short, false), Err(EncodeError::Picture { width: 640, height: 360, length: 100 }));
}
