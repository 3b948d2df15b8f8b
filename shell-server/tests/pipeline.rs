//! The threads between a capture and the driver, with a capture and an encoder that only count.
#![expect(clippy::unwrap_used, reason = "a step that fails in a function of the tests fails the test")]

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use shell_server::encode::{EncodeError, Encoder, Picture};
use shell_server::pipeline::{Capture, Captured, EVENTS_MAX, Pipeline, spawn};
use shell_server::source::{SourceError, SourceEvent};

/// Far longer than anything takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gives `changes` different pictures, then the same one again and again, or fails.
struct Script {
    changes: u64,
    then_fail: bool,
    dropped: Arc<AtomicBool>,
}

impl Script {
    fn new(changes: u64) -> Self {
        Self { changes, then_fail: false, dropped: Arc::default() }
    }
}

impl Capture for Script {
    fn size(&self) -> (u32, u32) {
        (16, 16)
    }

    fn capture(&mut self, index: u64, previous: Option<&Picture>, picture: &mut Picture) -> Result<Captured, String> {
        if self.changes == 0 {
            assert!(previous.is_some());
            return if self.then_fail { Err("unplugged".to_owned()) } else { Ok(Captured::Unchanged) };
        }
        self.changes -= 1;
        picture.bgra.fill(index.to_le_bytes()[0]);
        Ok(Captured::Changed)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::SeqCst);
    }
}

/// Writes down what it was asked for, with `shade` what the picture showed, and each limit it is told; leaves out the
/// picture `skip`, fails at the picture `fail`.
#[derive(Default)]
struct Scribe {
    pictures: u64,
    shade: bool,
    skip: Option<u64>,
    fail: Option<u64>,
    told: Option<Option<u64>>,
}

impl Encoder for Scribe {
    fn encode(&mut self, picture: &Picture, force_key: bool) -> Result<Option<Bytes>, EncodeError> {
        let number = self.pictures;
        self.pictures += 1;
        if self.fail == Some(number) {
            return Err(EncodeError::BitRate(7));
        }
        let mut unit = format!("{number} {}", if force_key { "key" } else { "plain" });
        if self.shade {
            unit += &format!(" {}", picture.bgra[0]);
        }
        if let Some(limit) = self.told.take() {
            unit += &format!(" limit {limit:?}");
        }
        assert_eq!(picture.bgra.len(), 16 * 16 * 4);
        Ok((self.skip != Some(number)).then(|| Bytes::from(unit)))
    }

    fn limit_bitrate(&mut self, bits_per_second: Option<u64>) -> Result<(), EncodeError> {
        self.told = Some(bits_per_second);
        Ok(())
    }
}

async fn next(pipeline: &mut Pipeline) -> Option<String> {
    let event = tokio::time::timeout(PATIENCE, pipeline.events.recv()).await.expect("the pipeline hangs")?;
    Some(match event {
        SourceEvent::AccessUnit { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
        SourceEvent::Ended => "ended".to_owned(),
        SourceEvent::Failed(reason) => format!("failed: {reason}"),
    })
}

fn join(pipeline: Pipeline) {
    pipeline.mailbox.stop();
    drop(pipeline.events);
    for thread in pipeline.threads {
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_still_picture_is_encoded_once_and_again_as_a_key_frame_on_request() {
    let mut pipeline = spawn(240, || Ok(Script::new(1)), |_| Ok(Scribe::default())).unwrap();
    pipeline.mailbox.start();
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("0 plain"));
    for expected in ["1 key", "2 key"] {
        pipeline.mailbox.request_key_frame();
        assert_eq!(next(&mut pipeline).await.as_deref(), Some(expected));
    }
    join(pipeline);
}

#[tokio::test]
async fn the_encoder_is_told_a_limit_once_before_its_next_picture() {
    let mut pipeline = spawn(240, || Ok(Script::new(1)), |_| Ok(Scribe::default())).unwrap();
    pipeline.mailbox.limit_bitrate(Some(700_000));
    pipeline.mailbox.start();
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("0 plain limit Some(700000)"));
    let limits = [
        (Some(700_000), "1 key"),
        (Some(300_000), "2 key limit Some(300000)"),
        (None, "3 key limit None"),
        (None, "4 key"),
    ];
    for (limit, expected) in limits {
        pipeline.mailbox.limit_bitrate(limit);
        pipeline.mailbox.request_key_frame();
        assert_eq!(next(&mut pipeline).await.as_deref(), Some(expected));
    }
    join(pipeline);
}

#[tokio::test]
async fn a_key_frame_does_not_wait_for_the_next_tick() {
    // One picture a second: if the request waited for the next one, that would be the key frame.
    let scribe = Scribe { shade: true, ..Scribe::default() };
    let mut pipeline = spawn(1, || Ok(Script::new(u64::MAX)), |_| Ok(scribe)).unwrap();
    pipeline.mailbox.start();
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("0 plain 0"));
    pipeline.mailbox.request_key_frame();
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("1 key 0"));
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("2 plain 1"));
    join(pipeline);
}

#[tokio::test]
async fn a_key_frame_that_was_left_out_is_still_owed() {
    let scribe = Scribe { skip: Some(1), ..Scribe::default() };
    let mut pipeline = spawn(5, || Ok(Script::new(u64::MAX)), |_| Ok(scribe)).unwrap();
    pipeline.mailbox.start();
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("0 plain"));
    pipeline.mailbox.request_key_frame();
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("2 key"));
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("3 plain"));
    join(pipeline);
}

#[tokio::test]
async fn failures_are_told_and_end_the_stream() {
    let mut script = Script::new(1);
    script.then_fail = true;
    let mut pipeline = spawn(240, || Ok(script), |_| Ok(Scribe::default())).unwrap();
    pipeline.mailbox.start();
    let mut told = Vec::new();
    while let Some(event) = next(&mut pipeline).await {
        told.push(event);
    }
    assert!(told.contains(&"failed: unplugged".to_owned()), "{told:?}");
    join(pipeline);

    let scribe = Scribe { fail: Some(0), ..Scribe::default() };
    let mut pipeline = spawn(240, || Ok(Script::new(9)), |_| Ok(scribe)).unwrap();
    pipeline.mailbox.start();
    assert_eq!(next(&mut pipeline).await, Some(format!("failed: {}", EncodeError::BitRate(7))));
    assert_eq!(next(&mut pipeline).await, None);
    join(pipeline);
}

#[tokio::test]
async fn an_encoder_that_cannot_be_made_ends_the_capture() {
    let script = Script::new(9);
    let dropped = Arc::clone(&script.dropped);
    let opened = spawn(240, || Ok(script), |_| Err::<Scribe, _>(EncodeError::BitRate(0)));
    assert!(matches!(opened, Err(SourceError::Encode(EncodeError::BitRate(0)))));
    let gone = async {
        while !dropped.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the capture thread goes on");
}

#[tokio::test]
async fn a_driver_that_reads_nothing_holds_little_and_can_stop_at_any_time() {
    let mut pipeline = spawn(240, || Ok(Script::new(u64::MAX)), |_| Ok(Scribe::default())).unwrap();
    pipeline.mailbox.start();
    let waiting = async {
        while pipeline.mailbox.replaced() == 0 || pipeline.events.len() < EVENTS_MAX {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("nothing is ever replaced");
    assert_eq!(next(&mut pipeline).await.as_deref(), Some("0 plain"), "the oldest is still there");
    join(pipeline);
}
