//! Removing viewers, over an in-memory stream and virtual time.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::sync::Arc;

use nalcast_core::send::ViewerId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::connection::{Ends, serve_connection};
use super::samples::{HERE, token};
use super::server::Site;
use crate::control::{ANSWER_PERIOD, Control, REQUESTS_MAX, Removal};

/// The only viewer there is.
const PRESENT: ViewerId = ViewerId(7);
const NOBODY: [u64; 0] = [];
/// Longer than any answer takes.
const LONG: Duration = Duration::from_secs(60);

/// A site, and what it asks of the loop.
fn site() -> (Site, mpsc::Receiver<Removal>) {
    let (control, removals) = Control::new(token());
    // The snapshot stays readable without its sender.
    let (_, status) = watch::channel(Arc::default());
    (Site::new(status, control, || 784_111_777), removals)
}

/// What a client at `ends` is answered to `input`, after which it sends no more.
async fn answer_at(site: &Site, ends: Ends, input: &str) -> String {
    let (mut near, far) = duplex(64 << 10);
    let client = async {
        near.write_all(input.as_bytes()).await.unwrap();
        near.shutdown().await.unwrap();
        let mut answers = String::new();
        near.read_to_string(&mut answers).await.unwrap();
        answers
    };
    let both = async { tokio::join!(serve_connection(far, ends, site.clone()), client) };
    let (served, answers) = timeout(LONG, both).await.expect("somebody waits for ever");
    served.unwrap();
    answers
}

/// What is answered, and which viewers the loop was asked to remove meanwhile.
async fn removed_at(ends: Ends, input: &str) -> (String, Vec<u64>) {
    let (site, mut removals) = site();
    let mut asked = Vec::new();
    let serve = async {
        while let Some(removal) = removals.recv().await {
            asked.push(removal.viewer.0);
            let was_there = removal.viewer == PRESENT;
            removal.answer(was_there);
        }
    };
    let answers = tokio::select! {
        biased;
        () = serve => unreachable!("the site is still there"),
        answers = answer_at(&site, ends, input) => answers,
    };
    (answers, asked)
}

fn delete(number: &str, fields: &str) -> String {
    format!("DELETE /api/v1/viewers/{number} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

fn bearer() -> String {
    format!("Authorization: Bearer {}\r\n", token().expose())
}

#[tokio::test(start_paused = true)]
async fn the_answers() {
    let elsewhere = Ends { peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), ..HERE };
    let mut transcript = String::new();
    for (title, ends, request) in [
        ("removed", HERE, delete("7", &bearer())),
        ("not there", HERE, delete("8", &bearer())),
        ("no number", HERE, delete("x", &bearer())),
        ("no token", HERE, delete("7", "")),
        ("not on this machine", elsewhere, delete("7", &bearer())),
        ("not to be read", HERE, delete("7", &bearer()).replace("DELETE", "GET")),
    ] {
        let (answer, _) = removed_at(ends, &request).await;
        transcript += &format!("--- {title}\n{}\n", answer.replace('\r', ""));
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test(start_paused = true)]
async fn only_the_whole_token_is_enough() {
    let token = token();
    let token = token.expose();
    let (begin, end) = token.split_at(20);
    for (fields, is_enough) in [
        (format!("Authorization: Bearer {token}\r\n"), true),
        (format!("authorization: bEARER   {token}\r\n"), true),
        (String::new(), false),
        ("Authorization: \r\n".into(), false),
        ("Authorization: Bearer\r\n".into(), false),
        (format!("Authorization: Bearer {begin}\r\n"), false),
        (format!("Authorization: Bearer {end}\r\n"), false),
        (format!("Authorization: Bearer {token}=\r\n"), false),
        (format!("Authorization: Bearer {begin} {end}\r\n"), false),
        (format!("Authorization: Bearer {}\r\n", "A".repeat(43)), false),
        (format!("Authorization: Bearer{token}\r\n"), false),
        (format!("Authorization: Basic {token}\r\n"), false),
        (format!("Authorization: {token}\r\n"), false),
        (format!("Cookie: Bearer {token}\r\n"), false),
        (format!("Authorization: Bearer x\r\nAuthorization: Bearer {token}\r\n"), false),
        (format!("Authorization: Bearer {token}\r\nAuthorization: Bearer x\r\n"), false),
    ] {
        let (answers, asked) = removed_at(HERE, &delete("7", &fields)).await;
        let (status, expected): (&str, &[u64]) = if is_enough { ("204 ", &[7]) } else { ("401 ", &[]) };
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{fields:?}: {answers}");
        assert_eq!(asked, expected, "{fields:?}");
        assert_eq!(answers.contains("\r\nWWW-Authenticate: Bearer"), !is_enough, "{fields:?}: {answers}");
        assert!(!answers.contains(end), "{answers}");
    }
    let in_the_query = format!("DELETE /api/v1/viewers/7?access_token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(removed_at(HERE, &in_the_query).await.0.starts_with("HTTP/1.1 401 "));
}

#[tokio::test(start_paused = true)]
async fn only_this_machine_removes_viewers() {
    for (peer, is_here) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("192.0.2.1", false),
        ("::ffff:192.0.2.1", false),
        ("2001:db8::1", false),
        ("0.0.0.0", false),
    ] {
        let ends = Ends { peer: peer.parse::<IpAddr>().unwrap(), ..HERE };
        let (answers, asked) = removed_at(ends, &delete("7", &bearer())).await;
        let (status, expected): (&str, &[u64]) = if is_here { ("204 ", &[7]) } else { ("403 ", &[]) };
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{peer}: {answers}");
        assert_eq!(asked, expected, "{peer}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_number_names_no_viewer() {
    for number in ["", "x", "-7", "+7", "7.0", "0x7", "%37", "7/", "7/8", "7%20", "18446744073709551616"] {
        let (answers, asked) = removed_at(HERE, &delete(number, &bearer())).await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{number:?}: {answers}");
        assert!(answers.contains("{\"error\":\"A viewer is named by its number"), "{number:?}: {answers}");
        assert_eq!(asked, NOBODY, "{number:?}");
        // A stranger is not told even that.
        assert!(removed_at(HERE, &delete(number, "")).await.0.starts_with("HTTP/1.1 401 "), "{number:?}");
    }
    let (answers, asked) = removed_at(HERE, &delete("18446744073709551615?why=because", &bearer())).await;
    assert!(answers.starts_with("HTTP/1.1 404 "), "{answers}");
    assert_eq!(asked, [u64::MAX]);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_can_only_be_removed() {
    let token = bearer();
    for (method, status) in [
        ("GET", "405 "),
        ("HEAD", "405 "),
        ("POST", "405 "),
        ("PUT", "405 "),
        ("PATCH", "405 "),
        ("TRACE", "405 "),
        ("OPTIONS", "204 "),
        ("BREW", "501 "),
        ("delete", "501 "),
    ] {
        let request = format!("{method} /api/v1/viewers/7 HTTP/1.1\r\nHost: localhost\r\n{token}\r\n");
        let (answers, asked) = removed_at(HERE, &request).await;
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{method}: {answers}");
        assert_eq!(answers.contains("\r\nAllow: DELETE, OPTIONS\r\n"), status != "501 ", "{method}: {answers}");
        assert_eq!(asked, NOBODY, "{method}");
    }
    for (path, status) in [("/", "405 "), ("/api/v1/status", "405 "), ("/api/v1/viewers", "404 "), ("/x", "404 ")] {
        let request = format!("DELETE {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n");
        let (answers, asked) = removed_at(HERE, &request).await;
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answers}");
        assert!(!answers.contains("DELETE"), "{path}: {answers}");
        assert_eq!(asked, NOBODY, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_site_gets_leave_whatever_it_knows() {
    let token = bearer();
    for (host, fields, status) in [
        ("evil.example", "", "421 "),
        ("localhost", "Origin: http://evil.example\r\n", "403 "),
        ("localhost", "Origin: null\r\n", "403 "),
        ("localhost", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", "403 "),
        ("localhost", "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n", "204 "),
    ] {
        let preflight = "Access-Control-Request-Method: DELETE\r\nAccess-Control-Request-Headers: authorization\r\n";
        for (method, more) in [("DELETE", &*token), ("OPTIONS", preflight)] {
            let request = format!("{method} /api/v1/viewers/7 HTTP/1.1\r\nHost: {host}\r\n{fields}{more}\r\n");
            let (answers, asked) = removed_at(HERE, &request).await;
            assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answers}");
            assert_eq!(asked.is_empty(), method == "OPTIONS" || status != "204 ", "{request}");
            assert!(!answers.contains("Access-Control-"), "{answers}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_whole_request_does_anything_and_its_body_is_thrown_away() {
    let token = bearer();
    let with_body = delete("7", &format!("{token}Content-Length: 5\r\n"));
    let next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let (answers, asked) = removed_at(HERE, &format!("{with_body}GET /{next}{}", delete("8", &token))).await;
    let statuses: Vec<_> = answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
    assert_eq!((statuses, asked), (vec!["204 No Content", "200 OK", "404 Not Found"], vec![7, 8]));
    for partial in [&*format!("{with_body}GET"), &delete("7", &token)[..40]] {
        let (answers, asked) = removed_at(HERE, partial).await;
        assert!(answers.starts_with("HTTP/1.1 400 "), "{answers}");
        assert_eq!(asked, NOBODY, "{partial:?}");
    }
    let (answers, asked) = removed_at(HERE, &delete("7", &format!("{token}Connection: close\r\n"))).await;
    assert!(answers.contains("\r\nConnection: close\r\n"), "{answers}");
    assert_eq!(asked, [7]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_busy_or_gone_is_not_waited_for() {
    let (site, removals) = site();
    let start = Instant::now();
    let waiting: Vec<_> = (0..REQUESTS_MAX)
        .map(|_| {
            let site = site.clone();
            tokio::spawn(async move { answer_at(&site, HERE, &delete("7", &bearer())).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let refused = answer_at(&site, HERE, &delete("7", &bearer())).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");
    assert!(refused.contains("{\"error\":\"The server is busy"), "{refused}");
    assert_eq!(start.elapsed(), Duration::from_millis(1));
    // Other answers do not depend on the loop.
    let health = answer_at(&site, HERE, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"));
    for waiting in waiting {
        assert!(waiting.await.unwrap().starts_with("HTTP/1.1 503 "));
    }
    assert_eq!(start.elapsed(), ANSWER_PERIOD);
    drop(removals);
    assert!(answer_at(&site, HERE, &delete("7", &bearer())).await.starts_with("HTTP/1.1 503 "));
    assert_eq!(start.elapsed(), ANSWER_PERIOD);
}

#[test]
fn the_token_is_in_no_debug_output() {
    let (site, _removals) = site();
    assert!(!format!("{site:?}").contains(token().expose()));
}
