//! The status page over real sockets and with real clients: runs where `NALCAST_REAL_TESTS` is set, as in `make test`.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use nalcast_core::secrets::Secrets;
use nalcast_core::send::ViewerId;
use shell_server::control::{Control, ControlToken, Removal};
use shell_server::http::{StatusListener, StatusServer};
use shell_server::status::StatusSnapshot;
use tokio::net::TcpSocket;
use tokio::sync::{mpsc, watch};

/// Far longer than anything takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

struct Page {
    address: SocketAddr,
    token: ControlToken,
    removals: mpsc::Receiver<Removal>,
    _server: StatusServer,
    _snapshots: watch::Sender<Arc<StatusSnapshot>>,
}

/// A status page on a free port, or nothing where real sockets are not wanted.
fn page() -> Option<Page> {
    page_at(Ipv4Addr::LOCALHOST)
}

fn page_at(ip: Ipv4Addr) -> Option<Page> {
    std::env::var_os("NALCAST_REAL_TESTS")?;
    let snapshot = StatusSnapshot { source: "a test".into(), ..StatusSnapshot::default() };
    let (snapshots, status) = watch::channel(Arc::new(snapshot));
    let listener = StatusListener::bind(SocketAddr::from((ip, 0))).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let token = ControlToken::random(&mut Secrets::new([1; 32]));
    let (control, removals) = Control::new(token.clone());
    let server = listener.start(status, control).expect("a thread");
    Some(Page { address, token, removals, _server: server, _snapshots: snapshots })
}

/// What a program prints; it has to end well.
fn output(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().expect("a pipe").write_all(input).expect("a reader");
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{program} {arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

impl Page {
    fn curl(&self, arguments: &[&str], path: &str) -> String {
        let url = format!("http://{}{path}", self.address);
        output("curl", &[&["-sS", "--noproxy", "*", "--max-time", "20"], arguments, &[&url]].concat(), b"12345")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// Everything the server says to `request`, until it closes.
    fn answer(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may have refused and closed before the last byte is written.
        let _ = stream.write_all(request);
        read_to_end(&mut stream)
    }

    fn is_well(&self) -> bool {
        self.answer(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ends_with("\r\n\r\nok\n")
    }
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // What was sent in vain can reset the connection behind the answer.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}, after {bytes:?}"),
    }
    String::from_utf8(bytes).expect("text")
}

#[test]
fn curl_is_happy() {
    let Some(page) = page() else { return };
    let code = ["-o", "/dev/null", "-w", "%{http_version} %{http_code} %{num_connects} "];
    let with = |more: &[&'static str]| [&code[..], more].concat();
    assert!(page.curl(&[], "/").contains(">a test<"));
    assert!(page.curl(&["--compressed"], "/api/v1/status").starts_with("{\"uptime_seconds\":"));
    assert_eq!(page.curl(&with(&[]), "/"), "1.1 200 1 ");
    assert_eq!(page.curl(&with(&["--http1.0"]), "/"), "1.1 200 1 ");
    assert_eq!(page.curl(&with(&["--head"]), "/metrics"), "1.1 200 1 ");
    assert_eq!(page.curl(&with(&["-X", "OPTIONS"]), "/"), "1.1 204 1 ");
    assert_eq!(page.curl(&with(&["-d", "a=b"]), "/"), "1.1 405 1 ");
    assert_eq!(page.curl(&with(&["-d", "a=b", "-H", "Expect: 100-continue"]), "/"), "1.1 405 1 ");
    // From standard input, so in chunks; with and without waiting for leave.
    assert_eq!(page.curl(&with(&["-T", "-", "-H", "Expect:"]), "/"), "1.1 405 1 ");
    assert_eq!(page.curl(&with(&["-T", "-", "-H", "Expect: 100-continue"]), "/"), "1.1 405 1 ");
    // A second request finds the connection open.
    let again = format!("http://{}/healthz", page.address);
    let second = page.curl(&[&with(&[])[..], &[&*again, "-o", "/dev/null"]].concat(), "/");
    assert_eq!(second, "1.1 200 1 1.1 200 0 ");
}

/// As the README shows it: the token is on no command line.
#[test]
fn curl_removes_a_viewer_with_a_token_from_standard_input() {
    let Some(Page { address, token, mut removals, _server, _snapshots }) = page() else { return };
    let answering = std::thread::spawn(move || {
        for was_there in [true, false] {
            let removal = removals.blocking_recv().expect("a request");
            assert_eq!(removal.viewer, ViewerId(7));
            removal.answer(was_there);
        }
    });
    let url = format!("http://{address}/api/v1/viewers/7");
    let arguments =
        ["-sS", "--noproxy", "*", "--max-time", "20", "-X", "DELETE", "-H", "@-", "-w", "%{http_code}", &url];
    let with_token = |token: &str| output("curl", &arguments, format!("Authorization: Bearer {token}\n").as_bytes());
    assert!(with_token("wrong").ends_with("401"));
    assert_eq!(with_token(token.expose()), "204");
    assert!(with_token(token.expose()).ends_with("404"));
    answering.join().expect("both requests came");
}

/// This machine under the address that others have for it stands for another machine: it looks no different.
#[test]
fn a_token_that_came_over_a_network_removes_nobody() {
    let Some(mut page) = page_at(Ipv4Addr::UNSPECIFIED) else { return };
    let outside = shell_server::net::reachable_address(page.address);
    let fields = format!("Authorization: Bearer {}\r\nConnection: close\r\n", page.token.expose());
    let delete = |host: SocketAddr| format!("DELETE /api/v1/viewers/7 HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
    for (address, status) in [(outside, 403), (SocketAddr::from((Ipv4Addr::LOCALHOST, outside.port())), 503)] {
        // A machine without a network has no other address.
        if status == 403 && address.ip().is_loopback() {
            continue;
        }
        page.address = address;
        // Nobody takes the request that is let through.
        page.removals.close();
        let answer = page.answer(delete(address).as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{address}: {answer}");
    }
}

#[test]
fn python_is_happy() {
    let Some(page) = page() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/pipelining.py");
    assert_eq!(output("python3", &[script, &page.address.to_string()], b""), "pipelined 20\n");
}

#[test]
fn whatever_is_wrong_gets_its_status_and_an_end() {
    let Some(page) = page() else { return };
    let line = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\n";
    let large = |name: &str, length: usize| format!("{line}{name}: {}\r\n\r\n", "x".repeat(length));
    for (request, status) in [
        ("\0\0\0\0".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400),
        ("GET /\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\nHost: localhost\n\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("{line}Host: localhost\r\n\r\n"), 400),
        (format!("{line}Name : value\r\n\r\n"), 400),
        (format!("{line}Name: value\r\n folded\r\n\r\n"), 400),
        (format!("{post}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"), 400),
        (format!("{post}Content-Length: +1\r\n\r\nx"), 400),
        (format!("{post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (format!("{post}Transfer-Encoding: identity\r\n\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n1;\r\nx\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\n"), 400),
        (format!("{post}Content-Length: 65537\r\n\r\n"), 413),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"), 413),
        (format!("GET /{} HTTP/1.1\r\n", "x".repeat(8000)), 414),
        (format!("{post}Expect: wonders\r\n\r\n"), 417),
        (large(&"n".repeat(257), 1), 431),
        (large("Cookie", 8193), 431),
        (format!("{line}{}\r\n", "A: b\r\n".repeat(100)), 431),
        (format!("{line}{}\r\n", format!("A: {}\r\n", "b".repeat(6000)).repeat(3)), 431),
        ("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 501),
        (format!("{} / HTTP/1.1\r\n", "X".repeat(33)), 501),
        (format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n"), 501),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
    ] {
        let answer = page.answer(request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.99?}: {answer:?}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{request:.99?}: {answer}");
        assert!(answer.contains("\r\n\r\nRefused: "), "{request:.99?}: {answer}");
    }
    assert!(page.is_well());
}

/// A connection from another address than that of everybody else, 127.0.0.1.
async fn connect_from(host: u8, page: &Page) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("a free port");
    let stream = socket.connect(page.address).await.expect("a connection").into_std().expect("a socket");
    stream.set_nonblocking(false).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// One client that holds as many connections as it can get, each with half a request, is told so at the next one, and
/// nobody else waits for it.
#[tokio::test]
async fn a_client_that_takes_every_place_stops_nobody_else() {
    let Some(page) = page() else { return };
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut stream = connect_from(2, &page).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
        slow.push(stream);
    }
    let refused = read_to_end(&mut connect_from(2, &page).await);
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("Too many connections"), "{refused}");
    for _ in 0..50 {
        assert!(page.is_well());
    }
    // They were slow, not wrong.
    slow[63].write_all(b"alhost\r\nConnection: close\r\n\r\n").unwrap();
    assert!(read_to_end(&mut slow[63]).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn clients_together_get_no_more_places_than_there_are() {
    let Some(page) = page() else { return };
    let mut idle = Vec::new();
    for host in 2..6 {
        for _ in 0..64 {
            idle.push(connect_from(host, &page).await);
        }
    }
    let refused = read_to_end(&mut connect_from(6, &page).await);
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    drop(idle);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !page.is_well() {
        assert!(std::time::Instant::now() < deadline, "places are not given back");
    }
}

#[tokio::test]
async fn a_flood_of_connections_stops_nobody_else_and_leaves_nothing_behind() {
    let Some(page) = page() else { return };
    let open_files = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    assert!(page.is_well());
    for turn in 0..1500_u32 {
        let mut stream = connect_from(2, &page).await;
        match turn % 3 {
            0 => drop(stream),
            1 => drop(stream.write_all(b"GET / HTTP/1.1\r\n")),
            _ => drop(stream.write_all(&[0xff; 512])),
        }
        if turn % 100 == 0 {
            assert!(page.is_well(), "after {turn} connections");
        }
    }
    // Closed connections linger for a second at most.
    let deadline = std::time::Instant::now() + PATIENCE;
    while open_files() > 40 {
        assert!(std::time::Instant::now() < deadline, "{} files are still open", open_files());
        std::thread::sleep(Duration::from_millis(50));
    }
}
