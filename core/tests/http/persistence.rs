//! Whether another request may follow, and where it starts.

use nalcast_core::http::ErrorKind;

use crate::harness::{Setup, accepted, escaped};
use crate::{CHUNKED, CHUNKED_IN_WORDS};

fn check(version: &str, lines: &[&str], expected: &str) {
    let fields: String = lines.iter().map(|value| format!("Connection: {value}\r\n")).collect();
    let words: String = lines.iter().map(|value| format!("|Connection={}", escaped(value.as_bytes()))).collect();
    accepted(
        &format!("GET / HTTP/{version}\r\n{fields}Host: h\r\n\r\n"),
        &format!("GET / {version}{words}|Host=h; {expected}"),
    );
}

#[test]
fn persistence_is_the_rule_in_http_1_1_and_asked_for_in_http_1_0() {
    check("1.1", &[], "end");
    check("1.1", &["keep-alive"], "end");
    check("1.1", &["close"], "close");
    check("1.1", &["CLOSE"], "close");
    check("1.1", &["a, Close ,keep-alive"], "close");
    check("1.1", &["close, keep-alive"], "close");
    check("1.1", &["keep-alive", "close"], "close");
    check("1.1", &["close", "keep-alive"], "close");
    check("1.1", &["a,,\tclose\t,"], "close");
    for other in ["closed", "xclose", "clos", "close x", "\"close\"", "close;a", "c-lose", "", ","] {
        check("1.1", &[other], "end");
        check("1.0", &[other], "close");
    }
    check("1.0", &[], "close");
    check("1.0", &["keep-alive"], "end");
    check("1.0", &["Keep-Alive"], "end");
    check("1.0", &["a", "b, KEEP-ALIVE"], "end");
    check("1.0", &["keep-alive, close"], "close");
    check("1.0", &["keep-alive", "close"], "close");
    check("1.0", &["keep-alivex, keep_alive, keep-aliv"], "close");
}

#[test]
fn bytes_behind_a_last_request_are_ignored() {
    let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let words = "GET / 1.1|Host=h|Connection=close; close";
    for rest in ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\0ignored", "\r\n", "\n", " "] {
        accepted(&format!("{last}{rest}"), words);
        accepted(&format!("GET / HTTP/1.0\r\n\r\n{rest}"), "GET / 1.0; close");
    }
    let body = "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.0\r\n\r\n";
    accepted(body, "POST / 1.0|Content-Length=2; data ab; close");
    let chunked = CHUNKED.replace("Host", "Connection: close\r\nHost");
    let chunked_in_words = CHUNKED_IN_WORDS.replace("|Host", "|Connection=close|Host");
    accepted(&format!("{chunked}0\r\n\r\n{last}"), &format!("{chunked_in_words}; close"));
}

#[test]
fn a_pipelined_request_starts_right_behind_the_body() {
    let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let post = |length: usize| format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let post_in_words = |length: usize| format!("POST / 1.1|Host=h|Content-Length={length}");
    accepted(
        &format!("{}ab\r\n{}GETGET / HTTP/1.0\r\n\r\n\0ignored", post(2), post(3)),
        &format!("{}; data ab; end; {}; data GET; end; GET / 1.0; close", post_in_words(2), post_in_words(3)),
    );
    // A request inside a body is body.
    accepted(
        &format!("{}{get}{get}", post(get.len())),
        &format!("{}; data {}; end; GET / 1.1|Host=h; end", post_in_words(get.len()), escaped(get.as_bytes())),
    );
    accepted(
        &format!("{CHUNKED}1b\r\n{get}\r\n0\r\nA: b\r\n\r\n{get}"),
        &format!("{CHUNKED_IN_WORDS}; data {}; trailers|A=b; end; GET / 1.1|Host=h; end", escaped(get.as_bytes())),
    );
    // One fault ends it all, but takes nothing back.
    let setup = Setup::default();
    let before = format!("{}; data ab; end", post_in_words(2));
    setup.refused_after(&before, &format!("{}ab‸\0{get}", post(2)), ErrorKind::InvalidMethod, 400);
    setup.refused_after(
        &before,
        &format!("{}abGET / HTTP/1.1\r\nHost: ‸\r\n\r\n{get}", post(2)),
        ErrorKind::InvalidHost,
        400,
    );
}

#[test]
fn fields_of_one_request_mean_nothing_to_the_next() {
    let first = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nUpgrade: x\r\nConnection: upgrade\r\n\
                 Content-Length: 1\r\n\r\na";
    let first_in_words = "POST / 1.1|Host=h|Expect=100-continue|Upgrade=x|Connection=upgrade|Content-Length=1; \
                          continue; data a; upgrade at 103; end";
    accepted(&format!("{first}GET / HTTP/1.1\r\nHost: h\r\n\r\n"), &format!("{first_in_words}; GET / 1.1|Host=h; end"));
    let setup = Setup::default();
    setup.refused_after(first_in_words, &format!("{first}GET / HTTP/1.1\r\n\r\n‸"), ErrorKind::MissingHost, 400);
    // Nor does where they stood.
    let late = "GET / HTTP/1.1\r\nA: b\r\nB: c\r\nHost: h\r\n\r\n";
    let words = "GET / 1.1|A=b|B=c|Host=h; end; GET / 1.1|Host=h|A=b; end";
    accepted(&format!("{late}GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"), words);
}
