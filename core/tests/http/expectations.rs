//! Expect.

use nalcast_core::http::{ErrorKind, Event};

use crate::harness::{Setup, accepted, refused};
use crate::{CHUNKED, CHUNKED_IN_WORDS};

fn post(version: &str, expect: &str, length: usize) -> String {
    format!("POST / HTTP/{version}\r\nHost: h\r\nExpect: {expect}\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn continue_is_said_if_http_1_1_expects_it_and_a_body_follows() {
    let words = |version, expect, length| format!("POST / {version}|Host=h|Expect={expect}|Content-Length={length}");
    for expect in ["100-continue", "100-Continue", "100-CONTINUE"] {
        accepted(
            &format!("{}ab", post("1.1", expect, 2)),
            &format!("{}; continue; data ab; end", words("1.1", expect, 2)),
        );
        accepted(&post("1.1", expect, 0), &format!("{}; end", words("1.1", expect, 0)));
        accepted(&format!("{}ab", post("1.0", expect, 2)), &format!("{}; data ab; close", words("1.0", expect, 2)));
    }
    let get = "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n";
    accepted(get, "GET / 1.1|Host=h|Expect=100-continue; end");
    accepted(
        &format!("{}0\r\n\r\n", CHUNKED.replace("Host", "Expect: 100-continue\r\nHost")),
        &format!("{}; continue; end", CHUNKED_IN_WORDS.replace("|Host", "|Expect=100-continue|Host")),
    );
    let twice =
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na";
    let words = "POST / 1.1|Host=h|Expect=100-continue|Expect=100-continue|Content-Length=1";
    accepted(twice, &format!("{words}; continue; data a; end"));
}

#[test]
fn continue_comes_before_the_body_is_asked_for() {
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(post("1.1", "100-continue", 2).as_bytes());
    let Ok(Some(Event::Head(head))) = parser.poll() else { panic!("a complete head") };
    assert!(head.expects_continue());
    assert!(!parser.wants_bytes(), "there is more to say first");
    assert!(matches!(parser.poll(), Ok(Some(Event::Continue))));
    assert!(parser.buffer_mut().is_empty(), "the client may wait");
    assert!(matches!(parser.poll(), Ok(None)));
    assert!(parser.wants_bytes());

    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(format!("{}a", post("1.1", "100-continue", 2)).as_bytes());
    assert!(matches!(parser.poll(), Ok(Some(Event::Head(_)))));
    assert!(matches!(parser.poll(), Ok(Some(Event::Continue))));
    assert_eq!(parser.buffer_mut()[..], *b"a", "the client did not wait");

    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(post("1.1", "100-continue", 0).as_bytes());
    let Ok(Some(Event::Head(head))) = parser.poll() else { panic!("a complete head") };
    assert!(!head.expects_continue());
}

#[test]
fn other_expectations_are_refused() {
    for expect in
        ["200-ok", "100-continu", "100-continue, x", "100-continue,", "100-continue;a", "x", "\"100-continue\""]
    {
        refused(&post("1.1", &format!("‸{expect}"), 2), ErrorKind::UnknownExpectation, 417);
        let words = format!("POST / 1.0|Host=h|Expect={expect}|Content-Length=0; close");
        accepted(&post("1.0", expect, 0), &words);
    }
    refused("GET / HTTP/1.1\r\nHost: h\r\nExpect:‸\r\n\r\n", ErrorKind::UnknownExpectation, 417);
    let second = "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nExpect: ‸x\r\n\r\n";
    refused(second, ErrorKind::UnknownExpectation, 417);
}
