//! Whole connections, over an in-memory stream and virtual time.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::connection::{IDLE_PERIOD, REQUEST_PERIOD, serve_connection};
use crate::status::StatusSnapshot;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Runs a connection against `client`; returns what the server sent and how long the connection lasted.
async fn run<F: Future<Output = ()>>(
    client: impl FnOnce(tokio::io::WriteHalf<DuplexStream>) -> F,
) -> (String, Duration) {
    let (near, far) = duplex(256 << 10);
    let (mut from_server, to_server) = tokio::io::split(near);
    let snapshot = StatusSnapshot { source: "<pattern>".into(), ..StatusSnapshot::default() };
    let (_sender, status) = watch::channel(snapshot);
    let start = Instant::now();
    let server = async {
        serve_connection(far, IpAddr::V4(Ipv4Addr::LOCALHOST), status).await.unwrap();
        start.elapsed()
    };
    let mut sent = String::new();
    let (lasted, (), read) = tokio::join!(server, client(to_server), from_server.read_to_string(&mut sent));
    read.unwrap();
    (sent, lasted)
}

/// What the server answers to `input`, after which the client sends no more.
async fn answer(input: &str) -> String {
    let (sent, _) = run(async |mut stream| {
        stream.write_all(input.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    sent
}

fn status_lines(answers: &str) -> Vec<&str> {
    answers.lines().filter(|line| line.starts_with("HTTP/1.1 ")).map(|line| &line["HTTP/1.1 ".len()..]).collect()
}

#[tokio::test(start_paused = true)]
async fn every_route() {
    for (request, expected, detail) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", ">&lt;pattern&gt;</span>"),
        ("GET http://127.0.0.1?q HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "Content-Type: text/html"),
        ("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: application/json\r\n"),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: application/openmetrics-text;"),
        ("GET /status.css HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: text/css; charset=utf-8\r\n"),
        ("GET /status.js HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: text/javascript; charset"),
        (HEALTH, "200 OK", "\r\n\r\nok\n"),
        ("GET /healthz HTTP/1.0\r\n\r\n", "200 OK", "Connection: close"),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "204 No Content", "Allow: GET, HEAD, OPTIONS"),
        ("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n", "204 No Content", "Connection: keep-alive"),
        ("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found", "status page is under /"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed", "Allow: GET, HEAD, OPTIONS"),
        ("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", "501 Not Implemented", "not implemented"),
        ("get / HTTP/1.1\r\nHost: localhost\r\n\r\n", "501 Not Implemented", "use GET"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request", "answers only to localhost"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "needs a Host field"),
        ("GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported", "Connection: close"),
        ("GET / HT", "400 Bad Request", "ended inside a request"),
    ] {
        let answer = answer(request).await;
        assert_eq!(status_lines(&answer), [expected], "{request:?}");
        assert!(answer.contains(detail), "{request:?}: {answer}");
        assert!(answer.contains(
            "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        ));
        assert!(answer.contains("frame-ancestors 'none'"));
        assert!(answer.contains("X-Content-Type-Options: nosniff\r\n"));
        assert!(answer.contains("Cache-Control: no-store\r\n"));
    }
    assert_eq!(answer("").await, "");
}

#[tokio::test(start_paused = true)]
async fn head_is_get_without_the_body() {
    for path in ["/", "/status.css", "/status.js", "/api/v1/status", "/metrics", "/healthz", "/x"] {
        let rest = format!(" {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let get = answer(&format!("GET{rest}")).await;
        let head = answer(&format!("HEAD{rest}")).await;
        assert!(head.ends_with("\r\n\r\n") && get.starts_with(&head) && get.len() > head.len(), "{path}: {head}");
    }
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order() {
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nGET ";
    let missing = "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = answer(&format!("{HEALTH}{post}{HEALTH}{missing}{HEALTH}")).await;
    assert_eq!(status_lines(&answers), ["200 OK", "405 Method Not Allowed", "200 OK", "404 Not Found"]);
    assert_eq!(answers.matches("Connection: keep-alive").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_after_an_error() {
    let answers = answer(&format!("{HEALTH}GET / HTTP/1.1\nHost: localhost\r\n\r\n{HEALTH}")).await;
    assert_eq!(status_lines(&answers), ["200 OK", "400 Bad Request"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_body_is_declined_by_the_final_answer() {
    let (answers, _) = run(async |mut stream| {
        let request = "PUT / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
    })
    .await;
    assert_eq!(status_lines(&answers), ["405 Method Not Allowed"]);
    assert!(answers.contains("Connection: close"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_times_out() {
    let (answers, lasted) = run(async |mut stream| {
        for byte in HEALTH.bytes().cycle() {
            if stream.write_all(&[byte]).await.is_err() || byte == b'\r' {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert_eq!(status_lines(&answers), ["408 Request Timeout"]);
    assert!(lasted >= REQUEST_PERIOD && lasted < REQUEST_PERIOD + Duration::from_secs(2), "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_without_a_word() {
    let (answers, lasted) = run(async |mut stream| {
        sleep(IDLE_PERIOD / 2).await;
        let (begin, end) = HEALTH.split_at(9);
        stream.write_all(begin.as_bytes()).await.unwrap();
        sleep(REQUEST_PERIOD / 2).await;
        stream.write_all(format!("{end}\r\n").as_bytes()).await.unwrap();
        sleep(IDLE_PERIOD * 2).await;
    })
    .await;
    assert_eq!(status_lines(&answers), ["200 OK"]);
    assert_eq!(lasted, IDLE_PERIOD / 2 + REQUEST_PERIOD / 2 + IDLE_PERIOD);
}
