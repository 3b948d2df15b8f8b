//! A viewer in Python, written from the description of the datagrams, joins a real server: runs where
//! `NALCAST_REAL_TESTS` is set, as in `make test`.

#[path = "real/process.rs"]
mod process;

use std::fs;
use std::path::Path;
use std::process::Command;

use nalcast_core::nal::{AccessUnits, Codec};
use process::{Process, turn};
use tempfile::TempDir;

#[test]
fn another_implementation_receives_a_key_frame() {
    let Some(_turn) = turn() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = root.join("core/tests/fixtures/plain.h264");
    let mut units = AccessUnits::new(Codec::H264);
    units.push(&fs::read(&source).expect("the fixture"));
    units.finish();
    let mut whole = Vec::new();
    while let Some(unit) = units.next_unit().expect("units of legal size") {
        whole.push(unit.to_vec());
    }

    let directory = TempDir::new().expect("a directory");
    let key = directory.path().join("key");
    let source = format!("file:{}", source.display());
    let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let key = text(&key);
    let arguments = ["--source", &source, "--loop", "--http", "off", "--new-key", "--key-file", &key];
    let (mut server, url) = Process::server(&arguments, None);
    let (host, port) = url.trim_start_matches("nalcast://").split_once(':').expect("a port");
    let script = text(&root.join("sim/tests/second_viewer.py"));
    for cipher in ["aes", "chacha", "both"] {
        let output = Command::new("python3").args([&script, host, port, &key, cipher]).output().expect("python3");
        assert!(output.status.success(), "{cipher}: {}", String::from_utf8_lossy(&output.stderr));
        // The newest key frame of the file, which goes round.
        assert!(whole.contains(&output.stdout), "{cipher}: {} bytes", output.stdout.len());
        server.line_with("is gone: left");
    }
    // Whoever has another key gets nothing.
    let other = directory.path().join("other");
    fs::write(&other, "A".repeat(43)).expect("a writable directory");
    let output = Command::new("python3").args([&script, host, port, &text(&other), "aes"]).output().expect("python3");
    assert!(!output.status.success() && output.stdout.is_empty());
    server.signal("INT");
    assert!(server.end().success());
}
