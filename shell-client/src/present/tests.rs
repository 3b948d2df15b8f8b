use super::*;

pub(crate) fn unit(frame_id: u64, key: bool, bytes: &[u8]) -> ReleasedUnit {
    let now = Instant::now();
    ReleasedUnit {
        frame_id,
        codec: Codec::H264,
        key,
        late: false,
        parameter_sets: None,
        bytes: Bytes::copy_from_slice(bytes),
        captured: Some(now),
        completed: now,
        released: now,
    }
}

/// What the threads share, without the threads.
fn shared() -> Arc<Shared> {
    let (events, _) = mpsc::channel(1);
    Arc::new(Shared {
        queue: UnitQueue::default(),
        mailbox: Mailbox::default(),
        latency: Mutex::new(LatencyStats::new(8)),
        events,
        worker: Mutex::new(None),
    })
}

#[test]
fn after_an_overflow_only_a_key_unit_is_taken_again() {
    let mut sender = UnitSender { shared: shared(), dropped: 0 };
    let taken = (0..1000).take_while(|&id| sender.send(unit(id, id == 0, b"x")).is_ok()).count() as u64;
    assert_eq!(sender.send(unit(taken + 1, false, b"x")), Err(Overrun { dropped: 2 }));
    assert_eq!(sender.send(unit(taken + 2, true, b"x")), Err(Overrun { dropped: 3 }), "a key unit needs room too");
    let _ = sender.shared.queue.pop(Duration::ZERO);
    let _ = sender.shared.queue.pop(Duration::ZERO);
    assert_eq!(sender.send(unit(taken + 3, false, b"x")), Err(Overrun { dropped: 4 }), "it refers to a dropped one");
    assert_eq!(sender.send(unit(taken + 4, true, b"x")), Ok(()));
    assert_eq!(sender.send(unit(taken + 5, false, b"x")), Ok(()));
}

#[test]
fn what_cannot_be_decoded_is_still_logged_and_recorded() {
    let (log, recording) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let options = PresentOptions {
        window: false,
        recorder: Some(Recorder::create(recording.path()).unwrap()),
        frame_log: Some(FrameLog::create(log.path()).unwrap()),
    };
    let (mut sender, handle, mut events) = presenter(options).unwrap();
    for (id, bytes) in [(0, "first"), (1, "second")] {
        sender.send(ReleasedUnit { codec: Codec::H265, ..unit(id, id == 0, bytes.as_bytes()) }).unwrap();
    }
    drop(sender);
    handle.finish();
    handle.finish();
    assert_eq!(std::fs::read(recording.path()).unwrap(), b"firstsecond");
    let log = std::fs::read_to_string(log.path()).unwrap();
    let sizes: Vec<_> =
        log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["size"].clone()).collect();
    assert_eq!(sizes, [5, 6]);
    assert!(events.try_recv().is_err(), "no key frame would help");
    assert!(handle.wait(Duration::MAX).ended);
}

#[cfg(feature = "codec")]
mod with_codec {
    use super::*;
    use crate::decode::tests::{flat_stream, split_before_idr};

    /// Sends the units and gives what was said of them, times left out.
    fn said(window: bool, units: Vec<ReleasedUnit>) -> (Vec<String>, PresentHandle) {
        let (mut sender, handle, mut events) =
            presenter(PresentOptions { window, ..PresentOptions::default() }).unwrap();
        units.into_iter().for_each(|unit| sender.send(unit).unwrap());
        drop(sender);
        handle.finish();
        let mut said = Vec::new();
        while let Ok(event) = events.try_recv() {
            said.push(match event {
                PresentEvent::FirstPicture { frame_id, width, height } => format!("first {frame_id} {width}x{height}"),
                PresentEvent::DecodeFailed { frame_id } => format!("failed {frame_id}"),
                PresentEvent::Decoded { frame_id } => format!("decoded {frame_id}"),
                PresentEvent::Shown { frame_id, latency, .. } => format!("shown {frame_id} {}", latency.is_some()),
                PresentEvent::PauseToggled => "pause".to_owned(),
                PresentEvent::WindowClosed => "closed".to_owned(),
            });
        }
        (said, handle)
    }

    fn stream() -> Vec<Vec<u8>> {
        flat_stream(&[[40, 128, 128], [80, 128, 128], [120, 128, 128]])
    }

    #[test]
    fn headless_pictures_count_as_shown_once_decoded() {
        let stream = stream();
        let units = vec![unit(7, true, &stream[0]), unit(8, false, &stream[1])];
        let (said, handle) = said(false, units);
        assert_eq!(said, ["decoded 7", "first 7 64x48", "shown 7 true", "decoded 8", "shown 8 true"]);
        let lines = handle.latency_summary();
        let stages: Vec<_> = lines.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(stages, ["network", "release", "queue", "decode", "total"]);
        assert!(handle.wait(Duration::MAX).picture.is_none());
    }

    #[test]
    fn the_window_finds_the_newest_picture() {
        let stream = stream();
        let units = stream.iter().zip(0..).map(|(bytes, id)| unit(id, id == 0, bytes)).collect();
        let (said, handle) = said(true, units);
        assert_eq!(said, ["decoded 0", "first 0 64x48", "decoded 1", "decoded 2"]);
        let picture = handle.wait(Duration::MAX).picture.unwrap();
        assert_eq!(picture.frame_id, 2);
        assert_eq!(picture.pixels.words.len(), 64 * 48);
    }

    #[test]
    fn units_fail_until_a_key_unit_comes() {
        let stream = stream();
        let damaged = stream[0].split_at(stream[0].len() / 2).0;
        let units = vec![
            unit(0, false, &stream[1]),
            unit(1, true, damaged),
            unit(2, false, &stream[1]),
            unit(3, true, &stream[0]),
            unit(4, false, &stream[1]),
        ];
        let (said, _) = said(false, units);
        assert_eq!(
            said,
            [
                "failed 0",
                "failed 1",
                "failed 2",
                "decoded 3",
                "first 3 64x48",
                "shown 3 true",
                "decoded 4",
                "shown 4 true"
            ]
        );
    }

    #[test]
    fn parameter_sets_that_came_apart_reach_the_decoder_first() {
        let stream = stream();
        let (sets, idr) = split_before_idr(&stream[0]);
        let with_sets = ReleasedUnit { parameter_sets: Some(Bytes::copy_from_slice(sets)), ..unit(0, true, idr) };
        assert_eq!(said(false, vec![with_sets]).0, ["decoded 0", "first 0 64x48", "shown 0 true"]);
        assert_eq!(said(false, vec![unit(0, true, idr)]).0, ["failed 0"]);
    }

    #[test]
    fn a_late_picture_is_decoded_but_shown_only_if_nothing_newer_waits() {
        let stream = stream();
        for (late, more_wait, visible) in
            [(false, false, true), (false, true, true), (true, false, true), (true, true, false)]
        {
            let shared = shared();
            let options = PresentOptions { window: true, ..PresentOptions::default() };
            let mut worker = worker::Worker::new(Arc::clone(&shared), options);
            worker.handle_unit(&ReleasedUnit { late, ..unit(0, true, &stream[0]) }, more_wait);
            let seen = shared.mailbox.wait(Duration::ZERO).picture.is_some();
            assert_eq!(seen, visible, "late: {late}, more waits: {more_wait}");
            worker.handle_unit(&unit(1, false, &stream[1]), false);
            assert!(shared.mailbox.wait(Duration::ZERO).picture.is_some(), "its follower can be decoded");
        }
    }
}
