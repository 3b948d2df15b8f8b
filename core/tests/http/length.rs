//! Bodies with a Content-Length.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::{Setup, accepted, refused};

fn post(length: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
}

fn post_in_words(length: &str) -> String {
    format!("POST / 1.1|Host=h|Content-Length={length}")
}

#[test]
fn a_length_that_is_not_decimal_digits_is_refused() {
    for length in [
        "‸+5",
        "‸-0",
        "‸-5",
        "‸5_0",
        "‸0x5",
        "‸0o5",
        "‸5 5",
        "‸5;",
        "‸5.",
        "‸5.0",
        "‸5e1",
        "‸a",
        "‸\"5\"",
        "‸\u{b2}",
        "‸5\t5",
    ] {
        refused(&post(length), ErrorKind::InvalidContentLength, 400);
    }
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:‸\r\n\r\n", ErrorKind::InvalidContentLength, 400);
    refused("POST / HTTP/1.0\r\nContent-Length: ‸x\r\n\r\n", ErrorKind::InvalidContentLength, 400);
    accepted(&post(" 5 \t").replace("\r\n\r\n", "\r\n\r\nabcde"), &format!("{}; data abcde; end", post_in_words("5")));
}

#[test]
fn a_length_beyond_64_bits_is_refused() {
    let unlimited = Setup::with(Limits { body_bytes_max: u64::MAX, ..Limits::default() });
    for length in ["18446744073709551616", "36893488147419103237", "99999999999999999999", "100000000000000000005"] {
        unlimited.refused(&post(&format!("‸{length}")), ErrorKind::ContentLengthOverflow, 400);
        refused(&post(&format!("‸{length}")), ErrorKind::ContentLengthOverflow, 400);
    }
    let most = "18446744073709551615";
    let incomplete = post(most).len();
    unlimited.accepted(&post(most), &format!("{}; Incomplete at {incomplete}", post_in_words(most)));
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_the_body() {
    refused(&post("‸1048577"), ErrorKind::BodyTooLarge, 413);
    refused(&post("‸18446744073709551615"), ErrorKind::BodyTooLarge, 413);
    let three = Setup::with(Limits { body_bytes_max: 3, ..Limits::default() });
    three.accepted(&format!("{}abc", post("3")), &format!("{}; data abc; end", post_in_words("3")));
    three.refused(&format!("{}abcd", post("‸4")), ErrorKind::BodyTooLarge, 413);
    let zero = Setup::with(Limits { body_bytes_max: 0, ..Limits::default() });
    zero.accepted(&post("0"), &format!("{}; end", post_in_words("0")));
    zero.refused(&format!("{}a", post("‸1")), ErrorKind::BodyTooLarge, 413);
}

#[test]
fn different_lengths_are_refused() {
    for lines in [
        "Content-Length: 5\r\nContent-Length: ‸6\r\n",
        "Content-Length: 0\r\ncontent-length: ‸6\r\n",
        "Content-Length: 5\r\nA: b\r\nContent-Length: ‸\r\n",
        "Content-Length: 5\r\nContent-Length: ‸x\r\nContent-Length: 5\r\n",
    ] {
        refused(&format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\nabcdef"), ErrorKind::RepeatedContentLength, 400);
    }
    refused(&post("‸5, 6"), ErrorKind::InvalidContentLength, 400);
}

#[test]
fn equal_lengths_are_refused() {
    let twice = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: ‸5\r\n\r\nabcde";
    refused(twice, ErrorKind::RepeatedContentLength, 400);
    for length in ["‸5,5", "‸5, 5", "‸5 ,5", "‸,5", "‸5,"] {
        refused(&post(length), ErrorKind::InvalidContentLength, 400);
    }
}

#[test]
fn leading_zeros_are_decimal_and_capped() {
    accepted(&format!("{}ab\r\nc", post("005")), &format!("{}; data ab\\r\\nc; end", post_in_words("005")));
    let ten = "00000000000000000010";
    accepted(&format!("{}0123456789", post(ten)), &format!("{}; data 0123456789; end", post_in_words(ten)));
    refused(&post(&format!("‸0{ten}")), ErrorKind::ContentLengthOverflow, 400);
    accepted(&post("00"), &format!("{}; end", post_in_words("00")));
}

#[test]
fn without_length_and_coding_there_is_no_body() {
    for method in ["GET", "POST", "PUT", "X"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n");
        let words = format!("{method} / 1.1|Host=h; end");
        accepted(&format!("{request}{request}"), &format!("{words}; {words}"));
        refused_body(&request, &words);
    }
    // A GET may have a body, if it says so.
    let get = "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    accepted(get, "GET / 1.1|Host=h|Content-Length=2; data ab; end; GET / 1.1|Host=h; end");
    accepted(&post("0"), &format!("{}; end", post_in_words("0")));
}

/// What follows is the next request, not a body.
fn refused_body(request: &str, words: &str) {
    Setup::default().refused_after(words, &format!("{request}‸{{}}"), ErrorKind::InvalidMethod, 400);
}
