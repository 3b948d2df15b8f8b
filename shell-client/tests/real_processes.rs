//! Both programs over real sockets: runs where `NALCAST_REAL_TESTS` is set, as in `make test`.

#[path = "real/process.rs"]
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use nalcast_core::nal::{AccessUnits, Codec};
use process::{PATIENCE, Process, turn};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const H264: &str = "../core/tests/fixtures/plain.h264";
const H265: &str = "../core/tests/fixtures/plain.h265";
const COPIES: usize = 40;

/// A file of several hundred access units: a short stream over and over, each time from its key frame on.
fn long_file(directory: &TempDir, fixture: &str) -> PathBuf {
    let once = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture)).expect("the fixture");
    let extension = Path::new(fixture).extension().expect("an extension");
    let path = directory.path().join("source").with_extension(extension);
    fs::write(&path, once.repeat(COPIES)).expect("a writable directory");
    path
}

fn units(path: &Path, codec: Codec) -> Vec<Vec<u8>> {
    let mut splitter = AccessUnits::new(codec);
    splitter.push(&fs::read(path).expect("the file"));
    splitter.finish();
    let mut units = Vec::new();
    while let Some(unit) = splitter.next_unit().expect("units of legal size") {
        units.push(unit.to_vec());
    }
    units
}

fn json_lines(path: &Path) -> Vec<Value> {
    let log = fs::read_to_string(path).expect("the log");
    assert!(log.ends_with('\n'), "the last line is whole");
    log.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serves a file to `viewers` viewers at once: all of them get it byte for byte, and both logs say so.
fn arrives(fixture: &str, codec: Codec, viewers: usize) -> Vec<Process> {
    let directory = TempDir::new().expect("a directory");
    let source = long_file(&directory, fixture);
    let units = units(&source, codec);
    assert!(units.len() >= 300, "{} access units", units.len());
    let server_log = directory.path().join("server.jsonl");
    let file = format!("file:{}", text(&source));
    let count = viewers.to_string();
    let arguments = [
        "--source",
        &file,
        "--fps",
        "120",
        "--wait-viewers",
        &count,
        "--http",
        "off",
        "--frame-log",
        text(&server_log),
    ];
    let (mut server, url) = Process::server(&arguments, None);
    let mut clients = Vec::new();
    for i in 0..viewers {
        let record = directory.path().join(format!("record-{i}"));
        let log = directory.path().join(format!("client-{i}.jsonl"));
        let arguments = [&*url, "--headless", "--record", text(&record), "--frame-log", text(&log)];
        clients.push((Process::start("shell-client", &arguments, None), record, log));
    }
    for (client, record, log) in &mut clients {
        assert!(client.end().success(), "{:#?}", client.seen);
        assert!(fs::read(record).expect("a recording") == fs::read(&source).expect("the source"), "not the same bytes");
        let lines = json_lines(log);
        assert_eq!(lines.len(), units.len());
        for (line, unit) in lines.iter().zip(&units) {
            assert_eq!(line["size"], unit.len());
            assert_eq!(line["sha256"], hex(unit));
        }
        let times: Vec<u64> = lines.iter().map(|line| line["t_ns"].as_u64().expect("a time")).collect();
        assert!(times.is_sorted());
    }
    assert!(server.end().success(), "{:#?}", server.seen);
    let numbers: Vec<u64> = json_lines(&server_log).iter().map(|line| line["au"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (0..units.len() as u64).collect::<Vec<_>>());
    clients.into_iter().map(|(client, ..)| client).collect()
}

#[test]
fn an_h264_file_arrives_byte_for_byte_at_two_viewers_at_once() {
    let Some(_turn) = turn() else { return };
    arrives(H264, Codec::H264, 2);
}

#[test]
fn an_h265_file_arrives_byte_for_byte_and_one_line_says_that_it_is_not_decoded() {
    let Some(_turn) = turn() else { return };
    let clients = arrives(H265, Codec::H265, 1);
    let told = clients[0].seen.iter().filter(|line| line.contains("H.265") && line.contains("not")).count();
    assert_eq!(told, 1, "{:#?}", clients[0].seen);
}

fn pattern() -> (Process, String) {
    Process::server(&["--source", "pattern", "--region", "640x360", "--http", "127.0.0.1:0"], None)
}

#[test]
fn a_killed_viewer_comes_back_and_the_other_one_never_notices() {
    let Some(_turn) = turn() else { return };
    let (mut server, url) = pattern();
    let mut steady = Process::start("shell-client", &[&url, "--headless"], None);
    steady.line_with("first picture");
    let mut killed = Process::start("shell-client", &[&url, "--headless"], None);
    killed.line_with("first picture");
    killed.signal("KILL");
    assert!(!killed.end().success());
    let mut back = Process::start("shell-client", &[&url, "--headless", "--duration", "600"], None);
    back.line_with("first picture");
    server.line_with("silent for too long");
    for client in [&mut back, &mut steady] {
        client.signal("INT");
        assert!(client.end().success(), "{:#?}", client.seen);
        assert!(!client.seen.iter().any(|line| line.contains("nothing heard")), "{:#?}", client.seen);
    }
    server.signal("TERM");
    assert!(server.end().success(), "{:#?}", server.seen);
}

#[test]
fn signals_end_each_side_in_order_with_whole_files() {
    let Some(_turn) = turn() else { return };
    for signal in ["INT", "TERM"] {
        let directory = TempDir::new().expect("a directory");
        let [server_log, log, record] =
            ["server.jsonl", "client.jsonl", "record"].map(|name| directory.path().join(name));
        let arguments =
            ["--source", "pattern", "--region", "640x360", "--http", "off", "--frame-log", text(&server_log)];
        let (mut server, url) = Process::server(&arguments, None);
        let files = ["--record", text(&record), "--frame-log", text(&log)];
        let mut leaver = Process::start("shell-client", &[&[&*url, "--headless"], &files[..]].concat(), None);
        leaver.line_with("first picture");
        let mut stayer = Process::start("shell-client", &[&url, "--headless"], None);
        stayer.line_with("first picture");
        leaver.signal(signal);
        assert!(leaver.end().success(), "{signal}: {:#?}", leaver.seen);
        server.line_with("left");
        let received = json_lines(&log).len();
        assert_eq!(units(&record, Codec::H264).len(), received, "{signal}: recording and log agree");
        server.signal(signal);
        assert!(server.end().success(), "{signal}: {:#?}", server.seen);
        assert!(json_lines(&server_log).len() >= received);
        // The viewer that stays says what happened and goes on trying.
        stayer.line_with("server stopped");
        stayer.signal(signal);
        stayer.end();
    }
}

#[test]
fn only_who_has_the_key_watches() {
    let Some(_turn) = turn() else { return };
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("key");
    let arguments = ["--source", "pattern", "--http", "off", "--new-key", "--key-file", text(&path)];
    let (server, url) = Process::server(&arguments, None);
    let key = fs::read_to_string(&path).expect("the key");
    assert!(!server.seen.iter().any(|line| line.contains(key.trim())), "{:#?}", server.seen);

    let mut invited = Process::start("shell-client", &[&url, "--headless", "--key-file", text(&path)], None);
    invited.line_with("first picture");
    let with_key = format!("{url}#{}", key.trim());
    let mut invited_too = Process::start("shell-client", &[&with_key, "--headless"], None);
    invited_too.line_with("first picture");

    let mut stranger = Process::start("shell-client", &[&url, "--headless"], None);
    assert!(!stranger.end().success());
    assert!(stranger.seen.iter().any(|line| line.contains("without its key")), "{:#?}", stranger.seen);
    // Whoever has another key hears nothing at all.
    let other = format!("{url}#{}", "A".repeat(43));
    let mut guessing = Process::start("shell-client", &[&other, "--headless", "--duration", "2"], None);
    assert!(!guessing.end().success());
    assert!(!guessing.seen.iter().any(|line| line.contains("first picture")), "{:#?}", guessing.seen);
    for client in [&mut invited, &mut invited_too] {
        client.signal("INT");
        assert!(client.end().success());
        assert!(!client.seen.iter().any(|line| line.contains(key.trim())), "{:#?}", client.seen);
    }
}

#[test]
fn who_types_the_code_watches_and_comes_back_without_it() {
    let Some(_turn) = turn() else { return };
    let arguments = ["--source", "pattern", "--http", "off", "--pairing-code", "--listen", "127.0.0.1:0"];
    let mut server = Process::start("shell-server", &arguments, None);
    let ready = server.line_with("nalcast://");
    assert!(!ready.contains('#'), "{ready}");
    let url = ready.split(' ').find(|word| word.starts_with("nalcast://")).expect("an address").to_owned();
    let shown = server.line_with("code: ");
    let code = shown.trim_start_matches("code: ");
    assert!(code.len() == 9 && code.is_char_boundary(4), "{shown}");

    let mut nobody = Process::start("shell-client", &[&url, "--headless"], None);
    assert!(!nobody.end().success());
    assert!(nobody.seen.iter().any(|line| line.contains("asks for the code")), "{:#?}", nobody.seen);

    let wrong = if code.ends_with('0') { "1" } else { "0" };
    let typed = format!("what code?\n{}{wrong}\n{code}\n", &code[..8]);
    let mut invited = Process::start_with_input("shell-client", &[&url, "--headless"], None, &typed);
    invited.line_with("first picture");
    assert!(invited.seen.iter().any(|line| line.contains("eight digits")), "{:#?}", invited.seen);
    assert!(invited.seen.iter().any(|line| line.contains("not the code")), "{:#?}", invited.seen);
    invited.signal("INT");
    assert!(invited.end().success());
}

/// Two recordings of different sizes, one behind the other.
#[test]
fn a_stream_that_changes_its_size_is_followed() {
    let Some(_turn) = turn() else { return };
    let directory = TempDir::new().expect("a directory");
    let mut both = Vec::new();
    for (size, name) in [("640x360", "first"), ("320x240", "second")] {
        let (_server, url) = Process::server(&["--source", "pattern", "--region", size, "--http", "off"], None);
        let path = directory.path().join(name);
        let mut client =
            Process::start("shell-client", &[&url, "--headless", "--record", text(&path), "--duration", "3"], None);
        assert!(client.end().success(), "{:#?}", client.seen);
        both.extend(fs::read(&path).expect("a recording"));
    }
    let (stream, copy) = (directory.path().join("both.h264"), directory.path().join("copy.h264"));
    fs::write(&stream, &both).expect("a file");
    let source = format!("file:{}", text(&stream));
    let (_server, url) = Process::server(&["--source", &source, "--wait-viewers", "1", "--http", "off"], None);
    let mut client = Process::start("shell-client", &[&url, "--headless", "--record", text(&copy)], None);
    client.line_with("640x360");
    client.line_with("320x240");
    assert!(client.end().success(), "{:#?}", client.seen);
    assert!(fs::read(&copy).expect("a recording") == both, "every byte came");
    assert!(!client.seen.iter().any(|line| line.contains(" WARN ")), "{:#?}", client.seen);
}

/// A viewer of each family at one server, which knows each by the address that it has itself.
#[test]
fn viewers_of_both_families_watch_one_server() {
    let Some(_turn) = turn() else { return };
    let arguments = ["--source", "pattern", "--region", "640x360", "--http", "off", "--open", "--listen", "[::]:0"];
    let mut server = Process::start("shell-server", &arguments, None);
    let ready = server.line_with("nalcast://");
    let port = ready.rsplit(':').next().expect("a port").trim();
    assert!(!ready.contains("0.0.0.0") && !ready.contains("[::]"), "{ready}");
    let mut clients = Vec::new();
    for host in ["127.0.0.1", "[::1]"] {
        if let Err(error) = std::net::UdpSocket::bind(format!("{host}:0")) {
            println!("skipped: no IPv6 on this machine ({error})");
            continue;
        }
        let mut client = Process::start("shell-client", &[&format!("nalcast://{host}:{port}"), "--headless"], None);
        server.line_with(&format!("viewer {host}:"));
        client.line_with("first picture");
        clients.push(client);
    }
    for client in &mut clients {
        client.signal("INT");
        assert!(client.end().success(), "{:#?}", client.seen);
    }
    server.signal("TERM");
    assert!(server.end().success(), "{:#?}", server.seen);
}

#[test]
fn the_status_page_names_the_viewer() {
    let Some(_turn) = turn() else { return };
    let (mut server, url) = pattern();
    let ready = server.line_with("status at ");
    let page = ready.split("http://").nth(1).expect("a status address");
    let address = page.split('/').next().expect("a part").to_owned();
    let mut client = Process::start("shell-client", &[&url, "--headless"], None);
    client.line_with("first picture");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).expect("the page's port");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let health = get("/healthz");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n") && health.ends_with("\r\n\r\nok\n"), "{health}");
    let page = get("/");
    assert!(page.contains("Viewers (1)") && page.contains("Anybody who can reach"), "{page}");
    assert!(get("/nothing").starts_with("HTTP/1.1 404 "));
}

#[test]
fn errors_are_one_clear_line_and_a_failure() {
    let Some(_turn) = turn() else { return };
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").to_string();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let nobody = format!("nalcast://{free}");
    let cases: [(&str, &[&str], &str); 5] = [
        ("shell-client", &[&nobody, "--headless"], "shell-client: "),
        ("shell-client", &["nalcast://127.0.0.1:1"], "--headless"),
        ("shell-server", &["--source", "screen", "--http", "off"], "DISPLAY"),
        ("shell-server", &["--source", "file:/nothing/here.h264", "--http", "off"], "/nothing/here.h264"),
        ("shell-server", &["--source", "pattern", "--listen", &port, "--http", "off"], &port),
    ];
    for (program, arguments, says) in cases {
        let mut process = Process::start(program, arguments, None);
        assert!(!process.end().success(), "{program} {arguments:?}");
        let named = |line: &&String| line.starts_with(&format!("{program}: "));
        let lines: Vec<_> = process.seen.iter().filter(named).collect();
        assert!(lines.len() == 1 && lines[0].contains(says), "{program} {arguments:?}: {:#?}", process.seen);
    }
    let mut wrong = Process::start("shell-client", &["http://elsewhere", "--headless"], None);
    assert!(!wrong.end().success());
    assert!(wrong.seen.iter().any(|line| line.contains("nalcast://HOST")), "{:#?}", wrong.seen);
}

#[test]
fn a_duration_ends_the_viewer_well() {
    let Some(_turn) = turn() else { return };
    let (_server, url) = pattern();
    let mut client = Process::start("shell-client", &[&url, "--headless", "--duration", "1.5"], None);
    assert!(client.end().success(), "{:#?}", client.seen);
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
