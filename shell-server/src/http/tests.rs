//! Whole connections, over an in-memory stream and virtual time.

use core::time::Duration;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::connection::serve_connection;
use super::limits::{ANSWERS_BYTES_MAX, IDLE_PERIOD, LINGER_PERIOD, REQUEST_PERIOD, WRITE_PERIOD};
use super::samples;
use super::server::Site;
use crate::status::StatusSnapshot;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Runs a connection against `client`; returns what the server sent and how long the connection lasted.
async fn run<F: Future<Output = ()>>(
    client: impl FnOnce(tokio::io::WriteHalf<DuplexStream>) -> F,
) -> (String, Duration) {
    let (near, far) = duplex(256 << 10);
    let (mut from_server, to_server) = tokio::io::split(near);
    let snapshot = StatusSnapshot { source: "<pattern>".into(), ..StatusSnapshot::default() };
    let (_sender, status) = watch::channel(Arc::new(snapshot));
    let start = Instant::now();
    let server = async {
        serve_connection(far, samples::HERE, Site::new(status, samples::control(), || 784_111_777)).await.unwrap();
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
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: text/plain; version=0.0.4;"),
        (
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;q=0.5,*/*\r\n\r\n",
            "200 OK",
            "Content-Type: application/openmetrics-text; version=1.0.0;",
        ),
        ("GET /status.css HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: text/css; charset=utf-8\r\n"),
        ("GET /status.js HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 OK", "Content-Type: text/javascript; charset"),
        (HEALTH, "200 OK", "\r\n\r\nok\n"),
        ("GET /healthz HTTP/1.0\r\n\r\n", "200 OK", "Connection: close"),
        ("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 OK", "Connection: keep-alive"),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "204 No Content", "Allow: GET, HEAD, OPTIONS"),
        ("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n", "204 No Content", "Allow: GET, HEAD, OPTIONS"),
        ("OPTIONS /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found", "status page is under /"),
        ("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found", "status page is under /"),
        ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed", "Allow: GET, HEAD, OPTIONS"),
        ("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", "501 Not Implemented", "not implemented"),
        ("get / HTTP/1.1\r\nHost: localhost\r\n\r\n", "501 Not Implemented", "use GET"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request", "answers only to localhost"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", "403 Forbidden", "other sites"),
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
        assert_eq!(answer.contains("Cache-Control: no-store\r\n"), !request.contains("/status."), "{request:?}");
        assert!(answer.contains("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
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
    assert_eq!(answers.matches("Connection: close").count(), 1);
    assert!(answers.find("Connection: close") > answers.find("404 Not Found"));
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

#[tokio::test(start_paused = true)]
async fn a_part_of_the_page_is_sent_once() {
    for path in ["/status.css", "/status.js"] {
        let first = answer(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert!(first.contains("Cache-Control: no-cache\r\n"), "{first}");
        let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
        let again =
            answer(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n{HEALTH}")).await;
        assert_eq!(status_lines(&again), ["304 Not Modified", "200 OK"]);
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_read_and_thrown_away() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nGET /\r\n0\r\nSum: 1\r\n\r\n";
    let length = "Content-Length: 5\r\n\r\nGET /";
    for body in [chunked, length] {
        let answers = answer(&format!("POST /healthz HTTP/1.1\r\nHost: localhost\r\n{body}{HEALTH}")).await;
        assert_eq!(status_lines(&answers), ["405 Method Not Allowed", "200 OK"], "{body:?}");
    }
    let much = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n{HEALTH}");
    assert_eq!(status_lines(&answer(&much).await), ["413 Content Too Large"]);
    let endless = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{}", "Transfer-Encoding: chunked\r\n\r\n");
    let (answers, _) = run(async |mut stream| {
        stream.write_all(endless.as_bytes()).await.unwrap();
        let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    assert_eq!(status_lines(&answers), ["413 Content Too Large"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_head_request_gets_no_content() {
    let answers = answer("HEAD / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabc").await;
    assert!(answers.starts_with("HTTP/1.1 400 ") && answers.ends_with("\r\n\r\n"), "{answers}");
}

#[tokio::test(start_paused = true)]
async fn an_offer_of_another_protocol_is_passed_over() {
    let offer = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(status_lines(&answer(&format!("{offer}{HEALTH}")).await), ["200 OK", "200 OK"]);
}

/// Endless pipelining without reading fills no memory: the connection ends when nothing is read for so long.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_cut_off() {
    let (near, far) = duplex(4 << 10);
    let (_sender, status) = watch::channel(Arc::default());
    let start = Instant::now();
    let client = async {
        let (_unread, mut stream) = tokio::io::split(near);
        let mut written = 0;
        while stream.write_all(HEALTH.as_bytes()).await.is_ok() {
            written += HEALTH.len();
        }
        written
    };
    let serve = serve_connection(far, samples::HERE, Site::new(status, samples::control(), || 0));
    let (served, written) = tokio::join!(serve, client);
    assert_eq!(served.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed(), WRITE_PERIOD);
    assert!(written < 16 << 10, "{written} bytes were taken from somebody who does not read");
}

#[tokio::test(start_paused = true)]
async fn the_server_closes_where_the_client_asks_it_to() {
    for request in
        ["GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]
    {
        let (near, far) = duplex(4 << 10);
        let (mut from_server, mut to_server) = tokio::io::split(near);
        let (_sender, status) = watch::channel(Arc::default());
        let serve = serve_connection(far, samples::HERE, Site::new(status, samples::control(), || 0));
        let start = Instant::now();
        let client = async {
            to_server.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            from_server.read_to_string(&mut answer).await.unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO, "the client need not close first");
            answer
        };
        let (served, answer) = tokio::join!(serve, client);
        served.unwrap();
        assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
        // The client never closed.
        assert_eq!(start.elapsed(), LINGER_PERIOD);
    }
}

/// Of requests that come together, those whose answers are not gathered yet wait unanswered for the client to read.
#[tokio::test(start_paused = true)]
async fn few_answers_are_gathered() {
    let (near, far) = duplex(4 << 10);
    let (sender, status) = watch::channel(Arc::<StatusSnapshot>::default());
    let serve = serve_connection(far, samples::HERE, Site::new(status, samples::control(), || 0));
    let client = async {
        let (mut from_server, mut to_server) = tokio::io::split(near);
        let request = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
        to_server.write_all(request.repeat(4096 / request.len()).as_bytes()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        sender.send_modify(|status| Arc::make_mut(status).source = "later".into());
        to_server.shutdown().await.unwrap();
        let mut answers = String::new();
        from_server.read_to_string(&mut answers).await.unwrap();
        answers
    };
    let (served, answers) = tokio::join!(serve, client);
    served.unwrap();
    let first_later = answers.find("\"later\"").expect("not all were answered at once");
    assert!((ANSWERS_BYTES_MAX..ANSWERS_BYTES_MAX + 4096).contains(&first_later), "{first_later}");
}
