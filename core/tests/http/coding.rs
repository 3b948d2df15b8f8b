//! Transfer-Encoding: which codings are taken.

use nalcast_core::http::ErrorKind;

use crate::harness::{accepted, refused};

fn post(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n0\r\n\r\n")
}

#[test]
fn coding_and_length_exclude_each_other() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: ‸chunked",
        "Transfer-Encoding: ‸chunked\r\nContent-Length: 5",
        "Transfer-Encoding: ‸chunked\r\nA: b\r\nContent-Length: 0",
        "Content-Length: x\r\nTransfer-Encoding: ‸chunked",
        "Content-Length: 5\r\nTransfer-Encoding: ‸identity",
        "Content-Length: 5\r\nTransfer-Encoding:‸",
    ] {
        refused(&post(lines), ErrorKind::AmbiguousFraming, 400);
    }
}

#[test]
fn a_coding_in_http_1_0_is_refused() {
    for coding in ["chunked", "gzip, chunked", "x", ""] {
        let input = format!("POST / HTTP/1.0\r\nTransfer-Encoding: ‸{coding}\r\n\r\n0\r\n\r\n");
        refused(&input, ErrorKind::TransferEncodingInHttp10, 400);
    }
    let both = "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: ‸chunked\r\n\r\n0\r\n\r\n";
    refused(both, ErrorKind::TransferEncodingInHttp10, 400);
}

#[test]
fn a_coding_that_does_not_end_in_chunked_is_refused() {
    for coding in ["gzip", "identity", "chunked, gzip", "chunked,identity", "gzip, deflate", "trailers"] {
        refused(&post(&format!("Transfer-Encoding: ‸{coding}")), ErrorKind::InvalidTransferEncoding, 400);
    }
}

#[test]
fn other_codings_before_chunked_are_not_implemented() {
    for coding in ["gzip, chunked", "gzip,chunked", "gzip\t, CHUNKED", "gzip, deflate, chunked", "identity, chunked"] {
        refused(&post(&format!("Transfer-Encoding: ‸{coding}")), ErrorKind::UnsupportedTransferCoding, 501);
    }
}

#[test]
fn whatever_merely_resembles_chunked_is_refused() {
    for coding in [
        "chunked, chunked",
        "chunked,chunked",
        "chunked, gzip, chunked",
        "xchunked",
        "chunkedx",
        "chunke",
        "chunked;a=b",
        "chunked;",
        "\"chunked\"",
        "'chunked'",
        "chunked chunked",
        "chunked\tx",
        ", chunked",
        "chunked,",
        "chunked, ",
        ",",
        "gzip,, chunked",
        "g(z, chunked",
        "gzip;q=1, chunked",
        "chunked\u{80}",
        "\u{a0}chunked",
    ] {
        refused(&post(&format!("Transfer-Encoding: ‸{coding}")), ErrorKind::InvalidTransferEncoding, 400);
    }
    for lines in [
        "Transfer-Encoding:‸",
        "Transfer-Encoding: ‸chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: ‸chunked\r\ntransfer-encoding: identity",
        "Transfer-Encoding: ‸gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: ‸\r\nTransfer-Encoding: chunked",
    ] {
        refused(&post(lines), ErrorKind::InvalidTransferEncoding, 400);
    }
    refused(&post("Transfer-Encoding: ‸\u{b}chunked"), ErrorKind::InvalidFieldValue, 400);
    refused(&post("Transfer-Encoding:\r\n‸ chunked"), ErrorKind::LeadingWhitespace, 400);
}

#[test]
fn chunked_is_recognised_in_any_case() {
    for coding in ["chunked", "Chunked", "CHUNKED", "cHuNkEd"] {
        let name = if coding == "chunked" { "transfer-ENCODING" } else { "Transfer-Encoding" };
        accepted(&post(&format!("{name}: {coding} \t")), &format!("POST / 1.1|Host=h|{name}={coding}; end"));
    }
}
