//! Whatever the strict parser accepts, httparse accepts and reads the same: on requests that were generated, then damaged.

use core::cell::Cell;

use nalcast_core::http::{Event, Limits, RequestParser};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use sim::fuzzing::http_parser::check_head;

const CASES: u32 = 20_000;

#[test]
fn what_is_accepted_is_read_the_same() {
    let config =
        Config { cases: CASES, rng_seed: RngSeed::Fixed(9112), failure_persistence: None, ..Config::default() };
    let accepted = Cell::new(0);
    let compare = |request: Vec<u8>| {
        let mut parser = RequestParser::new(Limits::default());
        parser.buffer_mut().extend_from_slice(&request);
        if let Ok(Some(Event::Head(head))) = parser.poll() {
            check_head(head.view());
            accepted.set(accepted.get() + 1);
        }
        Ok(())
    };
    TestRunner::new(config).run(&damaged(), compare).unwrap();
    // Otherwise one of the two verdicts would be hardly tried.
    assert!((CASES / 5..CASES * 4 / 5).contains(&accepted.get()), "{} accepted", accepted.get());
}

fn request() -> impl Strategy<Value = String> {
    let method = prop_oneof![
        select(vec!["GET", "POST", "OPTIONS", "PUT"]).prop_map(str::to_owned),
        "[!#$%&'*+.^_`|~a-zA-Z0-9-]{1,9}"
    ];
    let target = prop_oneof![
        "/[!-\"$-~]{0,40}",
        select(vec!["/", "*", "http://a/b?c", "http://[::1]:80", "https://u@h/", "h:443", "x"]).prop_map(str::to_owned),
    ];
    let version = select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.7", "HTTP/2.0"]);
    let name = prop_oneof![
        "[!#$%&'*+.^_`|~a-zA-Z0-9-]{1,20}",
        select(vec!["Accept", "Cookie", "Content_Length"]).prop_map(str::to_owned)
    ];
    let field = (name, "[ \t]{0,3}", "[ -~\t\u{80}-\u{ff}]{0,60}", "[ \t]{0,3}")
        .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}"));
    let framing = select(vec!["", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n"]);
    (method, target, version, framing, prop::collection::vec(field, 0..8)).prop_map(
        |(method, target, version, framing, fields)| {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            format!("{method} {target} {version}\r\nHost: example.com\r\n{framing}{fields}\r\nabc")
        },
    )
}

/// Requests as bytes, up to two of which were replaced, inserted or removed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"\r\n\r\n \t:,;\0\x7f\xe9#/*HT1.".to_vec()), any::<u8>()];
    let changes = prop::collection::vec((any::<Index>(), byte, 0..3u8), 0..3);
    (request(), changes).prop_map(|(request, changes)| {
        let mut bytes: Vec<u8> = request.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
        for (index, byte, how) in changes {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}
