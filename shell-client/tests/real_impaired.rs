//! Both programs with the proxy between them: runs where `NALCAST_REAL_TESTS` is set, as in `make test`.

#[path = "real/process.rs"]
mod process;

use std::fs;

use process::{Process, turn};
use serde_json::Value;
use sim::real::stream::access_units;
use tempfile::TempDir;

/// Two seconds, with a key frame.
const UNITS: usize = 60;

#[test]
fn a_video_arrives_byte_for_byte_through_a_path_that_reorders_and_doubles() {
    let Some(_turn) = turn() else { return };
    let directory = TempDir::new().expect("a directory");
    let [source, copy] = ["source.h264", "copy.h264"].map(|name| directory.path().join(name));
    let video = access_units(UNITS).concat();
    fs::write(&source, &video).expect("a file");
    let file = format!("file:{}", source.display());
    let (mut server, url) = Process::server(&["--source", &file, "--wait-viewers", "1", "--http", "off"], None);
    let to = url.trim().trim_start_matches("nalcast://");
    let impaired = ["--to", to, "--both", "delay=2ms,jitter=3ms,reorder,dup=5%:2ms"];
    let mut proxy = Process::start_until_input_ends("proxy", &impaired);
    let ready = proxy.line_with("proxy at ");
    let at = format!("nalcast://{}", ready.split(' ').nth(2).expect("an address"));

    let record = copy.to_str().expect("a path in UTF-8");
    let mut client = Process::start("shell-client", &[&at, "--headless", "--record", record], None);
    assert!(client.end().success(), "{:#?}", client.seen);
    assert!(fs::read(&copy).expect("a recording") == video, "not the same bytes");
    // A decoder takes the video without a word.
    assert!(client.seen.iter().any(|line| line.contains("first picture, 1280x720")), "{:#?}", client.seen);
    assert!(!client.seen.iter().any(|line| line.contains(" WARN ")), "{:#?}", client.seen);
    assert!(server.end().success(), "{:#?}", server.seen);

    proxy.end_input();
    assert!(proxy.end().success(), "{:#?}", proxy.seen);
    let report: Value = serde_json::from_str(proxy.seen.last().expect("a report")).expect("JSON");
    let down = |field: &str| report["down"][field].as_u64().expect(field);
    assert_eq!(report["viewers"], 1);
    assert!(down("sent_bytes") > video.len() as u64 && down("lost") == 0, "{report}");
    assert!(
        down("duplicated") > 0 && down("delivered") + down("in_flight") == down("sent") + down("duplicated"),
        "{report}"
    );
}
