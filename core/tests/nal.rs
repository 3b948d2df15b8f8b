//! Byte streams: the fixtures of real encoders, and any bytes at all against a model.

use nalcast_core::limits;
use nalcast_core::nal::{Codec, Inspector, ParameterSets, UnitInfo, annexb};
use proptest::prelude::*;

mod nal_model;

struct Fixture {
    name: &'static str,
    stream: &'static [u8],
    codec: Codec,
    /// A letter per picture in stream order: `K` key, `d` disposable, `r` RASL, `x` both, `.` none of these.
    pictures: &'static str,
    /// The temporal id of each picture.
    temporal_ids: &'static str,
    slices: u16,
    dimensions: (u16, u16),
}

macro_rules! fixture {
    ($name:literal, $codec:ident, $pictures:literal, $temporal_ids:literal, $slices:literal, $dimensions:expr) => {
        Fixture {
            name: $name,
            stream: include_bytes!(concat!("fixtures/", $name)),
            codec: Codec::$codec,
            pictures: $pictures,
            temporal_ids: $temporal_ids,
            slices: $slices,
            dimensions: $dimensions,
        }
    };
}

const FIXTURES: [Fixture; 8] = [
    fixture!("plain.h264", H264, "K....K....", "0000000000", 1, (64, 64)),
    fixture!("aud-slices-b.h264", H264, "K.dd.dK.dd.d", "000000000000", 4, (64, 64)),
    fixture!("bpyramid.h264", H264, "K..dd..dd..d", "000000000000", 2, (64, 64)),
    fixture!("crop-interlaced.h264", H264, "K.......", "00000000", 1, (70, 52)),
    fixture!("plain.h265", H265, "K...K...", "00000000", 1, (64, 64)),
    fixture!("aud-b.h265", H265, "K..dKrx..d.d", "000000000000", 1, (64, 64)),
    fixture!("cra-temporal.h265", H265, "K..ddKr..dd.", "000110000110", 1, (64, 64)),
    fixture!("crop.h265", H265, "K.......", "00000000", 1, (70, 50)),
];

#[test]
fn units_of_real_encoders() {
    for fixture in FIXTURES {
        let units = nal_model::check(fixture.codec, limits::FRAME_BYTES_MAX, fixture.stream, &[1400, 3]);
        let mut inspector = Inspector::new(fixture.codec);
        let infos: Vec<_> = units.iter().map(|unit| inspector.inspect(unit)).collect();
        let pictures: String = infos.iter().map(letter).collect();
        assert_eq!(pictures, fixture.pictures, "{}", fixture.name);
        let temporal_ids: String = infos.iter().map(|info| info.temporal_id.to_string()).collect();
        assert_eq!(temporal_ids, fixture.temporal_ids, "{}", fixture.name);
        for info in infos {
            assert_eq!(info.vcl_units, fixture.slices, "{}", fixture.name);
            assert_eq!(info.has_parameter_sets, info.key, "{}", fixture.name);
        }
    }
}

fn letter(info: &UnitInfo) -> char {
    match (info.key, info.rasl, info.disposable) {
        (true, false, false) => 'K',
        (false, true, true) => 'x',
        (false, true, false) => 'r',
        (false, false, true) => 'd',
        (false, false, false) => '.',
        (true, _, _) => '!',
    }
}

#[test]
fn codecs_are_told_from_content() {
    for fixture in FIXTURES {
        assert_eq!(Codec::detect(fixture.stream), Some(fixture.codec), "{}", fixture.name);
    }
}

#[test]
fn parameter_sets_of_real_encoders() {
    for fixture in FIXTURES {
        let units = nal_model::check(fixture.codec, limits::FRAME_BYTES_MAX, fixture.stream, &[100]);
        let mut sets = ParameterSets::new(fixture.codec);
        let changes: Vec<_> = units.iter().map(|unit| sets.observe(unit)).collect();
        assert_eq!(changes.iter().position(|&changed| changed), Some(0), "{}", fixture.name);
        assert_eq!(changes.iter().filter(|&&changed| changed).count(), 1, "{}", fixture.name);
        assert_eq!((sets.epoch(), sets.refused(), sets.is_complete()), (1, 0, true), "{}", fixture.name);
        assert_eq!(sets.dimensions(), Some(fixture.dimensions), "{}", fixture.name);

        // Byte for byte what the first unit holds.
        let kinds = if fixture.codec == Codec::H264 { 2 } else { 3 };
        let written = sets.as_annexb();
        assert_eq!(annexb::nal_units(&written).count(), kinds, "{}", fixture.name);
        for set in annexb::nal_units(&written) {
            assert!(annexb::nal_units(&units[0]).any(|nal| nal.payload == set.payload), "{}", fixture.name);
        }
    }
}

/// Bytes that start codes, headers and slice beginnings are made of, and a few that are not.
fn byte_stream() -> impl Strategy<Value = Vec<u8>> {
    let start_code = prop_oneof![Just(vec![0, 0, 1]), Just(vec![0, 0, 0, 1]), Just(vec![0, 0, 0, 0, 0, 1])];
    let h264 = prop_oneof![Just(0x65), Just(0x41), Just(1), Just(0x6e), Just(0x67), Just(6), Just(9), 0u8..=255];
    let h265 = (prop_oneof![Just(0x26), Just(2), Just(0), 0u8..=255], prop_oneof![Just(1), 0u8..16]);
    let header = prop_oneof![h264.prop_map(|byte| vec![byte]), h265.prop_map(|(first, second)| vec![first, second])];
    let body = prop::collection::vec(prop_oneof![Just(0), Just(1), Just(3), Just(0x80), 0u8..=255], 0..6);
    let nal = (start_code, header, body).prop_map(|(start_code, header, body)| [start_code, header, body].concat());
    prop::collection::vec(nal, 0..20).prop_map(|nals| nals.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn streams_of_nal_units_are_cut_like_the_model_says(
        stream in byte_stream(),
        is_h265 in any::<bool>(),
        unit_bytes_max in prop_oneof![Just(limits::FRAME_BYTES_MAX), 1usize..80],
        piece_sizes in prop::collection::vec(1usize..40, 1..5),
    ) {
        let codec = if is_h265 { Codec::H265 } else { Codec::H264 };
        nal_model::check(codec, unit_bytes_max, &stream, &piece_sizes);
    }

    #[test]
    fn any_bytes_are_cut_like_the_model_says(
        stream in prop::collection::vec(prop_oneof![3 => 0u8..3, 1 => 0u8..=255], 0..200),
        is_h265 in any::<bool>(),
        piece_sizes in prop::collection::vec(1usize..9, 1..5),
    ) {
        let codec = if is_h265 { Codec::H265 } else { Codec::H264 };
        nal_model::check(codec, limits::FRAME_BYTES_MAX, &stream, &piece_sizes);
    }
}
