//! Empty lines, bare LF and bare CR.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::{Setup, accepted, refused};
use crate::{CHUNKED, CHUNKED_IN_WORDS};

#[test]
fn empty_lines_before_the_request_line_are_skipped_up_to_a_cap() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    accepted("\r\n", "");
    accepted(&format!("\r\n{request}"), "GET / 1.1|Host=h; end");
    accepted(&format!("\r\n\r\n\r\n\r\n{request}"), "GET / 1.1|Host=h; end");
    // Each request has its own count.
    accepted(
        &format!("\r\n\r\n\r\n\r\n{request}\r\n\r\n\r\n\r\n{request}\r\n"),
        "GET / 1.1|Host=h; end; GET / 1.1|Host=h; end",
    );
    refused("\r\n\r\n\r\n\r\n‸\r\nGET / HTTP/1.1\r\n", ErrorKind::TooManyEmptyLines, 400);
    refused("‸\nGET / HTTP/1.1\r\n", ErrorKind::BareLf, 400);
    refused("\r\n‸\nGET / HTTP/1.1\r\n", ErrorKind::BareLf, 400);
    refused("‸\rGET / HTTP/1.1\r\n", ErrorKind::BareCr, 400);
    let none = Setup::with(Limits { empty_lines_max: 0, ..Limits::default() });
    none.refused("‸\r\nGET / HTTP/1.1\r\n", ErrorKind::TooManyEmptyLines, 400);
}

#[test]
fn bare_lf_as_line_end_in_a_head_is_refused() {
    for input in [
        "GET / HTTP/1.1‸\nHost: h\r\n\r\n",
        "GET / HTTP/1.1‸\nHost: h\n\n",
        "GET / HTTP/1.‸\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h‸\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h‸\n\r\n",
        "GET / HTTP/1.1\r\nHost:‸\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h \t‸\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n‸\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b‸\n\nGET /other HTTP/1.1\r\n\r\n",
    ] {
        refused(input, ErrorKind::BareLf, 400);
    }
}

#[test]
fn bare_cr_is_refused_anywhere() {
    for input in [
        "GET / HTTP/1.1‸\rHost: h\r\n\r\n",
        "GET / HTTP/1.1‸\r\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h‸\rA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h‸\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:‸\r h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n‸\rA",
        "GET / HTTP/1.1\r\nHost: h\r\n‸\r\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: b‸\r\0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n‸\r\0",
    ] {
        refused(input, ErrorKind::BareCr, 400);
    }
    // In a chunk line it is the byte behind that cannot be accepted.
    for input in ["2\r‸ab\r\n", "2\r‸\rab\r\n", "2;a\r‸b\r\n", "2;a=\"b\"\r‸b\r\n", "0\r‸0"] {
        let input = format!("{CHUNKED}{input}");
        Setup::default().refused_after(CHUNKED_IN_WORDS, &input, ErrorKind::BareCr, 400);
    }
    for input in ["0\r\nA: b‸\rc\r\n\r\n", "0\r\n‸\rA"] {
        let input = format!("{CHUNKED}{input}");
        Setup::default().refused_after(CHUNKED_IN_WORDS, &input, ErrorKind::BareCr, 400);
    }
}
