//! Streams of events, over an in-memory stream and virtual time.

use core::time::Duration;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::connection::serve_connection;
use super::limits::{EVENT_PERIOD_MAX, EVENT_PERIOD_MIN, EVENT_STREAMS_MAX, WRITE_PERIOD};
use super::samples;
use super::server::Site;
use crate::status::StatusSnapshot;

fn site() -> (watch::Sender<Arc<StatusSnapshot>>, Site) {
    let (sender, status) = watch::channel(Arc::default());
    (sender, Site::new(status, samples::control(), || 0))
}

/// A client of `site`, with its request sent; the connection runs by itself.
async fn connect(site: &Site, request_line: &str) -> (DuplexStream, tokio::task::JoinHandle<std::io::Result<()>>) {
    let (mut near, far) = duplex(64 << 10);
    let serving = tokio::spawn(serve_connection(far, samples::HERE, site.clone()));
    near.write_all(format!("{request_line}\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    (near, serving)
}

const FOLLOW: &str = "GET /api/v1/events HTTP/1.1";

/// What has come by now.
async fn read(stream: &mut DuplexStream) -> String {
    // Everybody else has run when the shortest of times has passed.
    sleep(Duration::from_nanos(1)).await;
    let mut buffer = vec![0; 64 << 10];
    tokio::select! {
        biased;
        read = stream.read(&mut buffer) => String::from_utf8(buffer[..read.unwrap()].to_vec()).unwrap(),
        () = core::future::ready(()) => String::new(),
    }
}

fn rename(sender: &watch::Sender<Arc<StatusSnapshot>>, source: &str) {
    sender.send_modify(|status| Arc::make_mut(status).source = source.to_owned());
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_at_most_once_a_period() {
    let (sender, site) = site();
    let (mut stream, serving) = connect(&site, FOLLOW).await;
    let head = read(&mut stream).await;
    assert!(head.contains("Content-Type: text/event-stream\r\n"), "{head}");
    assert!(head.contains("Connection: close\r\n"), "it never ends, so nothing can follow: {head}");
    assert!(head.contains("Transfer-Encoding: chunked\r\n") && head.contains("Cache-Control: no-store\r\n"), "{head}");
    assert!(head.contains("\r\ndata: {\"uptime_seconds\":0.0,"), "{head}");
    assert!(head.ends_with("}\n\n\r\n"), "{head}");

    rename(&sender, "one");
    rename(&sender, "two");
    assert_eq!(read(&mut stream).await, "", "too soon");
    sleep(EVENT_PERIOD_MIN).await;
    let event = read(&mut stream).await;
    assert!(event.contains("\"name\":\"two\"") && !event.contains("one"), "{event}");

    sleep(EVENT_PERIOD_MAX - Duration::from_millis(10)).await;
    assert_eq!(read(&mut stream).await, "", "nothing to tell");
    sleep(Duration::from_millis(10)).await;
    assert_eq!(read(&mut stream).await, "3\r\n:\n\n\r\n", "a sign of life");

    drop(sender);
    sleep(EVENT_PERIOD_MIN).await;
    assert_eq!(read(&mut stream).await, "0\r\n\r\n");
    drop(stream);
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn old_clients_and_those_who_only_ask_for_the_head() {
    let (_sender, site) = site();
    let (mut stream, _serving) = connect(&site, "GET /api/v1/events HTTP/1.0").await;
    let head = read(&mut stream).await;
    assert!(head.contains("\r\n\r\ndata: {") && !head.contains("chunked"), "{head}");
    let (mut stream, serving) = connect(&site, "HEAD /api/v1/events HTTP/1.1").await;
    let head = read(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let asked = Instant::now();
    assert_eq!((stream.read(&mut [0; 1]).await.unwrap(), asked.elapsed()), (0, Duration::ZERO), "there is no more");
    drop(stream);
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn places_are_few_and_given_back() {
    let (_sender, site) = site();
    let mut clients = Vec::new();
    for _ in 0..EVENT_STREAMS_MAX {
        let (mut stream, serving) = connect(&site, FOLLOW).await;
        assert!(read(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
        clients.push((stream, serving));
    }
    let (mut stream, _serving) = connect(&site, FOLLOW).await;
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 503 "));
    let (gone, serving) = clients.pop().unwrap();
    drop(gone);
    serving.await.unwrap().unwrap();
    let (mut stream, _serving) = connect(&site, FOLLOW).await;
    assert!(read(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_cut_off() {
    let (sender, site) = site();
    let (stream, serving) = connect(&site, FOLLOW).await;
    let start = Instant::now();
    let mut changes = 0_u32;
    while !serving.is_finished() {
        changes += 1;
        rename(&sender, &"x".repeat(16 << 10));
        sleep(EVENT_PERIOD_MIN).await;
    }
    assert_eq!(serving.await.unwrap().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert!(start.elapsed() < WRITE_PERIOD + EVENT_PERIOD_MIN * 8, "{:?}, {changes} changes", start.elapsed());
    drop(stream);
}
