//! Sources as the driver sees them.
#![expect(clippy::unwrap_used, reason = "a step that fails in a function of the tests fails the test")]

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use nalcast_core::nal::{AccessUnits, Codec};
use shell_server::source::{self, SourceConfig, SourceError, SourceEvent, SourceHandle, SourceKind};

/// Far longer than anything takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(kind: SourceKind) -> SourceConfig {
    SourceConfig { kind, region: None, fps: 240, bitrate_bps: 1_000_000, repeat: false, wait_for_start: false }
}

fn file(path: &Path) -> SourceConfig {
    config(SourceKind::File(path.to_owned()))
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/fixtures").join(name)
}

/// The access units of a fixture, cut in one go.
fn units_of(name: &str, codec: Codec) -> Vec<Vec<u8>> {
    let mut units = AccessUnits::new(codec);
    units.push(&fs::read(fixture(name)).unwrap());
    units.finish();
    core::iter::from_fn(|| units.next_unit().unwrap()).map(|unit| unit.to_vec()).collect()
}

async fn next(source: &mut SourceHandle) -> Option<SourceEvent> {
    tokio::time::timeout(PATIENCE, source.events.recv()).await.expect("the source hangs")
}

/// The next `count` access units; anything else is a failure.
async fn units(source: &mut SourceHandle, count: usize) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    while units.len() < count {
        match next(source).await {
            Some(SourceEvent::AccessUnit { bytes, .. }) => units.push(bytes.to_vec()),
            other => panic!("after {} access units: {other:?}", units.len()),
        }
    }
    units
}

#[tokio::test]
async fn a_file_comes_out_byte_for_byte_and_ends() {
    for (name, codec, size) in [
        ("plain.h264", Codec::H264, (64, 64)),
        ("aud-slices-b.h264", Codec::H264, (64, 64)),
        ("crop.h265", Codec::H265, (70, 50)),
    ] {
        let expected = units_of(name, codec);
        let mut opened = source::open(&file(&fixture(name))).unwrap();
        assert_eq!((opened.info.codec, opened.info.live), (codec, false), "{name}");
        assert_eq!((opened.info.width, opened.info.height), size, "{name}");
        assert_eq!(units(&mut opened, expected.len()).await, expected, "{name}");
        assert_eq!(next(&mut opened).await, Some(SourceEvent::Ended), "{name}");
        assert_eq!(next(&mut opened).await, None, "{name}");
        assert_eq!(opened.finish().access_units, expected.len() as u64, "{name}");
    }
}

#[tokio::test]
async fn a_repeated_file_starts_again() {
    let expected = units_of("plain.h264", Codec::H264);
    let mut opened = source::open(&SourceConfig { repeat: true, ..file(&fixture("plain.h264")) }).unwrap();
    let twice = units(&mut opened, expected.len() * 2).await;
    assert_eq!(twice, [expected.clone(), expected].concat());
}

#[test]
fn a_name_without_extension_is_judged_by_its_content() {
    let directory = tempfile::tempdir().unwrap();
    for (name, codec) in [("plain.h264", Codec::H264), ("plain.h265", Codec::H265)] {
        let path = directory.path().join("recording");
        fs::copy(fixture(name), &path).unwrap();
        assert_eq!(source::open(&file(&path)).unwrap().info.codec, codec, "{name}");
    }
}

#[tokio::test]
async fn nothing_comes_before_the_start() {
    let waiting = SourceConfig { wait_for_start: true, ..file(&fixture("plain.h264")) };
    let mut opened = source::open(&waiting).unwrap();
    // That nothing happens can only be waited for; too short a wait would miss a fault, but not invent one.
    let early = tokio::time::timeout(Duration::from_millis(50), opened.events.recv()).await;
    assert!(early.is_err(), "{early:?}");
    opened.control.start();
    assert_eq!(units(&mut opened, 1).await, units_of("plain.h264", Codec::H264)[..1]);
}

#[test]
fn files_that_cannot_be_shared() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, content: Option<&[u8]>, expected: fn(&SourceError) -> bool, says: &str| {
        let path = directory.path().join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let error = source::open(&file(&path)).unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
        let line = error.to_string();
        assert!(line.contains(name) && line.contains(says) && !line.contains('\n'), "{line}");
    };
    check("missing.h264", None, |error| matches!(error, SourceError::File { .. }), "No such file");
    check("empty.h264", Some(b""), |error| matches!(error, SourceError::EmptyFile { .. }), "empty");
    let not_annexb = |error: &SourceError| matches!(error, SourceError::NotAnnexB { .. });
    check("film.mp4", Some(b"\0\0\0\x20ftypisom\0\0\0\x01isom"), not_annexb, "ffmpeg");
    check("text.h264", Some(b"hello"), not_annexb, "Annex-B");
    check("zeros.h264", Some(&[0; 100]), not_annexb, "Annex-B");
    let unknown = |error: &SourceError| matches!(error, SourceError::UnknownCodec { .. });
    check("slices.bin", Some(b"\0\0\0\x01\x65\x88\x84\0"), unknown, ".h265");
}

#[test]
fn rates_out_of_range() {
    for fps in [0, 241] {
        let error = source::open(&SourceConfig { fps, ..file(&fixture("plain.h264")) }).unwrap_err();
        assert!(matches!(error, SourceError::FrameRate(wrong) if wrong == fps), "{error:?}");
    }
}

#[cfg(feature = "codec")]
#[tokio::test]
async fn the_test_picture_is_shared_live() {
    let region = Some("300x201".parse().unwrap());
    let mut opened = source::open(&SourceConfig { region, ..config(SourceKind::Pattern) }).unwrap();
    assert_eq!((opened.info.width, opened.info.height, opened.info.live), (300, 200, true));
    let is_key = |unit: &[u8]| unit.starts_with(&[0, 0, 0, 1, 0x67]);
    let first = units(&mut opened, 3).await;
    assert_eq!(first.iter().map(|unit| is_key(unit)).collect::<Vec<_>>(), [true, false, false]);
    opened.control.request_key_frame();
    assert!(units(&mut opened, 60).await.iter().any(|unit| is_key(unit)));
    let times = opened.finish();
    assert_eq!((times.key_frames, times.encode.count), (1, times.access_units), "{times}");

    let error = source::open(&SourceConfig { bitrate_bps: 0, ..config(SourceKind::Pattern) }).unwrap_err();
    assert!(matches!(error, SourceError::Encode(_)), "{error:?}");
}

#[cfg(not(feature = "codec"))]
#[test]
fn a_build_without_the_codec_says_so() {
    for kind in [SourceKind::Pattern, SourceKind::Screen] {
        let error = source::open(&config(kind)).unwrap_err();
        assert!(error.to_string().contains("--features codec"), "{error}");
    }
}
