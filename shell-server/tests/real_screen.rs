//! The real screen: runs where `NALCAST_REAL_TESTS` is set and the X server's picture stands still, as in `make test`.
#![cfg(all(feature = "capture", feature = "codec"))]

use core::time::Duration;

use shell_server::source::{self, SourceConfig, SourceError, SourceEvent, SourceHandle, SourceKind};

/// Far longer than anything takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(region: &str) -> SourceConfig {
    SourceConfig {
        kind: SourceKind::Screen,
        region: region.parse().ok(),
        fps: 30,
        bitrate_bps: 4_000_000,
        repeat: false,
        wait_for_start: false,
    }
}

async fn is_key(source: &mut SourceHandle) -> bool {
    match tokio::time::timeout(PATIENCE, source.events.recv()).await.expect("the source hangs") {
        Some(SourceEvent::AccessUnit { bytes, .. }) => bytes.starts_with(&[0, 0, 0, 1, 0x67]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_still_screen_is_shared_once_and_again_on_request() {
    if std::env::var_os("NALCAST_REAL_TESTS").is_none() {
        return;
    }
    let mut screen = source::open(&config("321x240+10+20")).unwrap();
    assert_eq!((screen.info.width, screen.info.height), (320, 240));
    assert!(is_key(&mut screen).await);
    for _ in 0..3 {
        screen.control.request_key_frame();
        assert!(is_key(&mut screen).await);
    }
    let times = screen.finish();
    assert_eq!((times.access_units, times.key_frames), (4, 3), "{times}");

    let outside = source::open(&config("100x100+100000+0"));
    assert!(matches!(outside, Err(SourceError::Region(_))), "{outside:?}");
}
