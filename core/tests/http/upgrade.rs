//! Offers to change the protocol.

use nalcast_core::http::{ErrorKind, Event};

use crate::harness::{Setup, accepted};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const WORDS: &str = "GET / 1.1|Host=h|Connection=Upgrade|Upgrade=websocket";

#[test]
fn an_upgrade_is_offered_behind_a_complete_http_1_1_request() {
    let at = GET.len();
    accepted(
        &format!("{GET}GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        &format!("{WORDS}; upgrade at {at}; end; GET / 1.1|Host=h; end"),
    );
    // Never while the body is on its way.
    let lines = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let words = "|Host=h|Connection=Upgrade|Upgrade=websocket";
    let post = format!("POST / HTTP/1.1\r\n{lines}Content-Length: 2\r\n\r\nab");
    accepted(&post, &format!("POST / 1.1{words}|Content-Length=2; data ab; upgrade at {}; end", post.len()));
    let post = format!("POST / HTTP/1.1\r\n{lines}Content-Length: 2\r\n\r\na");
    accepted(&post, &format!("POST / 1.1{words}|Content-Length=2; data a; Incomplete at {}", post.len()));
    let chunked = format!("POST / HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n");
    let chunked_in_words = format!("POST / 1.1{words}|Transfer-Encoding=chunked");
    for (body, events) in
        [("0\r\n\r\n", ""), ("1\r\na\r\n0\r\n\r\n", "data a; "), ("0\r\nA: b\r\n\r\n", "trailers|A=b; ")]
    {
        let at = chunked.len() + body.len();
        accepted(&format!("{chunked}{body}"), &format!("{chunked_in_words}; {events}upgrade at {at}; end"));
    }
}

#[test]
fn an_upgrade_that_is_not_offered_properly_is_ignored() {
    for (version, connection, upgrade, is_offered) in [
        ("1.1", "upgrade", "x", true),
        ("1.1", "keep-alive, UPGRADE", "x", true),
        ("1.1", "a\r\nConnection: b,\tUpgrade ,c", "x", true),
        ("1.1", "keep-alive", "x", false),
        ("1.1", "upgraded, xupgrade, upgrade;a, up-grade", "x", false),
        ("1.0", "upgrade, keep-alive", "x", false),
        ("1.1", "upgrade", "", false),
    ] {
        let upgrade = if upgrade.is_empty() { String::new() } else { format!("Upgrade: {upgrade}\r\n") };
        let input = format!("GET / HTTP/{version}\r\nHost: h\r\nConnection: {connection}\r\n{upgrade}\r\n");
        let lines: String = input.lines().skip(1).filter(|line| !line.is_empty()).map(word).collect();
        let offer = if is_offered { format!("upgrade at {}; ", input.len()) } else { String::new() };
        accepted(&input, &format!("GET / {version}{lines}; {offer}end"));
    }
    accepted("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n", "GET / 1.1|Host=h|Upgrade=h2c; end");
}

fn word(line: &str) -> String {
    let (name, value) = line.split_once(": ").expect("a field line");
    format!("|{name}={}", value.replace('\t', "\\t"))
}

#[test]
fn an_accepted_upgrade_hands_over_the_rest_of_the_stream() {
    let taking = Setup { takes_upgrades: true, ..Setup::default() };
    for rest in ["", "\u{81}\u{0}", "GET / HTTP/1.1\r\n\r\n", "\0\r\n"] {
        taking.accepted(&format!("{GET}{rest}"), &format!("{WORDS}; switched at {}", GET.len()));
    }
    let earlier = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let words = format!("GET / 1.1|Host=h; end; {WORDS}; switched at {}", earlier.len() + GET.len());
    taking.accepted(&format!("{earlier}{GET}rest"), &words);
    // Also behind a last request, since no other follows in HTTP.
    let last = GET.replace("Upgrade\r\n", "Upgrade, close\r\n");
    let words = format!("{}; switched at {}", WORDS.replace("=Upgrade", "=Upgrade, close"), last.len());
    taking.accepted(&format!("{last}rest"), &words);
}

#[test]
fn a_dropped_upgrade_goes_on_with_http() {
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(GET.as_bytes());
    assert!(matches!(parser.poll(), Ok(Some(Event::Head(_)))));
    assert!(matches!(parser.poll(), Ok(Some(Event::Upgrade(offer))) if offer.offset() == GET.len() as u64));
    assert!(!parser.wants_bytes(), "the request has not ended");
    assert!(matches!(parser.poll(), Ok(Some(Event::End { keep_alive: true }))));
    Setup::default().refused_after(
        &format!("{WORDS}; upgrade at {}; end", GET.len()),
        &format!("{GET}‸\u{81}\u{0}"),
        ErrorKind::InvalidMethod,
        400,
    );
}
