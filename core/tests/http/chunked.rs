//! Chunk sizes, extensions and line ends.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::Setup;
use crate::{CHUNKED, CHUNKED_IN_WORDS};

/// The head and the body are accepted and end cleanly.
fn accepted_body(setup: Setup, body: &str, events: &str) {
    setup.accepted(&format!("{CHUNKED}{body}"), &format!("{CHUNKED_IN_WORDS}; {events}end"));
}

/// The body is refused at its mark, after the head and these events.
fn refused_body(setup: Setup, body: &str, events: &str, kind: ErrorKind, status: u16) {
    setup.refused_after(&format!("{CHUNKED_IN_WORDS}{events}"), &format!("{CHUNKED}{body}"), kind, status);
}

fn bad(body: &str, kind: ErrorKind) {
    refused_body(Setup::default(), body, "", kind, 400);
}

fn good(body: &str, events: &str) {
    accepted_body(Setup::default(), body, events);
}

#[test]
fn chunks_are_joined_in_order() {
    good("0\r\n\r\n", "");
    good("3\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n", "data abc\\r\\n; ");
    good("A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n", "data 01234567890123456789; ");
    good("0000000000000002\r\nab\r\n0000000000000000\r\n\r\n", "data ab; ");
}

#[test]
fn a_chunk_size_is_hexadecimal_digits_and_nothing_else() {
    for body in [
        "‸\r\nab\r\n",
        "‸;a\r\nab\r\n",
        "‸+2\r\nab\r\n",
        "‸-2\r\nab\r\n",
        "‸ 2\r\nab\r\n",
        "‸\t2\r\nab\r\n",
        "‸g\r\nab\r\n",
        "‸\0\r\nab\r\n",
        "‸\u{b2}\r\nab\r\n",
        "0‸x2\r\nab\r\n",
        "2‸_0\r\nab\r\n",
        "2‸ \r\nab\r\n",
        "2‸\t\r\nab\r\n",
        "2‸ ;a\r\nab\r\n",
        "2‸h\r\nab\r\n",
        "2‸,2\r\nab\r\n",
        "2‸.0\r\nab\r\n",
        "0‸ \r\n\r\n",
    ] {
        bad(body, ErrorKind::InvalidChunkSize);
    }
    refused_body(Setup::default(), "1\r\na\r\n‸\r\n", "; data a", ErrorKind::InvalidChunkSize, 400);
}

#[test]
fn a_chunk_size_beyond_64_bits_or_the_body_limit_is_refused() {
    bad("1234567812345678‸0\r\n", ErrorKind::ChunkSizeOverflow);
    bad("0000000000000000‸2\r\nab\r\n", ErrorKind::ChunkSizeOverflow);
    let unlimited = Setup::with(Limits { body_bytes_max: u64::MAX, ..Limits::default() });
    let most = format!("{CHUNKED}ffffffffffffffff\r\na");
    unlimited.accepted(&most, &format!("{CHUNKED_IN_WORDS}; data a; Incomplete at {}", most.len()));
    refused_body(Setup::default(), "ffffffffffffffff‸\r\n", "", ErrorKind::BodyTooLarge, 413);
    refused_body(Setup::default(), "100001‸\r\n", "", ErrorKind::BodyTooLarge, 413);
    let five = Setup::with(Limits { body_bytes_max: 5, ..Limits::default() });
    accepted_body(five, "5\r\nabcde\r\n0\r\n\r\n", "data abcde; ");
    accepted_body(five, "2\r\nab\r\n3;x\r\ncde\r\n0\r\n\r\n", "data abcde; ");
    refused_body(five, "6‸\r\nabcdef\r\n", "", ErrorKind::BodyTooLarge, 413);
    refused_body(five, "6‸;x\r\nabcdef\r\n", "", ErrorKind::BodyTooLarge, 413);
    // All chunks count together, and the last one may lack the room for nothing.
    refused_body(five, "3\r\nabc\r\n3‸\r\ndef\r\n", "; data abc", ErrorKind::BodyTooLarge, 413);
    refused_body(five, "5\r\nabcde\r\n1‸\r\nf\r\n", "; data abcde", ErrorKind::BodyTooLarge, 413);
    refused_body(five, "5\r\nabcde\r\nffffffffffffffff‸\r\nf", "; data abcde", ErrorKind::BodyTooLarge, 413);
}

#[test]
fn well_formed_extensions_are_ignored() {
    for line in [
        "2;a",
        "2;a;b;c",
        "2;a=b",
        "2;a=b;c=\"d\";e",
        "2;a=\"\"",
        "2;a=\"b;c\"",
        "2;a=\"=\t\u{e9} ~!\"",
        "2;a=\"\\\"\\\\\\b\"",
        "2;!#$%&'*+-.^_`|~09=!#$%&'*+-.^_`|~09",
    ] {
        good(&format!("{line}\r\nab\r\n0\r\n\r\n"), "data ab; ");
    }
    good("2\r\nab\r\n0;last=\"1\"\r\n\r\n", "data ab; ");
}

#[test]
fn malformed_extensions_are_refused() {
    for body in [
        "2;‸\r\nab\r\n",
        "2;‸;a\r\nab\r\n",
        "2;a;‸\r\nab\r\n",
        "2;‸=b\r\nab\r\n",
        "2;a=‸\r\nab\r\n",
        "2;a=‸;b\r\nab\r\n",
        "2;a=‸=\r\nab\r\n",
        "2;a=b‸=c\r\nab\r\n",
        "2;‸ a\r\nab\r\n",
        "2;a‸ \r\nab\r\n",
        "2;a‸ =b\r\nab\r\n",
        "2;a=‸ b\r\nab\r\n",
        "2;a=b‸ \r\nab\r\n",
        "2;a=b‸\"\r\nab\r\n",
        "2;‸\"a\"\r\nab\r\n",
        "2;a‸(\r\nab\r\n",
        "2;a=b‸,c\r\nab\r\n",
        "2;a‸\0\r\nab\r\n",
        "2;‸\u{e9}\r\nab\r\n",
        "2;‸\nab\r\n",
        "2;a=‸\nab\r\n",
        "2;a=\"b‸\r\nab\r\n",
        "2;a=\"b‸\nab\r\n",
        "2;a=\"\\‸\rab\r\n",
        "2;a=\"\\‸\nab\r\n",
        "2;a=\"\\‸\0\"\r\nab\r\n",
        "2;a=\"‸\0\"\r\nab\r\n",
        "2;a=\"‸\u{1f}\"\r\nab\r\n",
        "2;a=\"‸\u{7f}\"\r\nab\r\n",
        "2;a=\"b\"‸c\r\nab\r\n",
        "2;a=\"b\"‸ \r\nab\r\n",
        "2;a=\"b\"‸\"\r\nab\r\n",
        "2;a=\"b\"‸=c\r\nab\r\n",
        "0;‸\r\n\r\n",
    ] {
        bad(body, ErrorKind::InvalidChunkExtension);
    }
}

#[test]
fn extensions_beyond_the_limit_are_refused() {
    let four = Setup::with(Limits { extension_bytes_max: 4, ..Limits::default() });
    accepted_body(four, "2;abcd\r\nab\r\n0\r\n\r\n", "data ab; ");
    accepted_body(four, "2;a=\"\"\r\nab\r\n0\r\n\r\n", "data ab; ");
    refused_body(four, "2;abcd‸e\r\nab\r\n", "", ErrorKind::ExtensionsTooLarge, 400);
    refused_body(four, "2;a=b;‸c\r\nab\r\n", "", ErrorKind::ExtensionsTooLarge, 400);
    refused_body(four, "2;a=\"b‸\"\r\nab\r\n", "", ErrorKind::ExtensionsTooLarge, 400);
    refused_body(four, "2;a=\"\"‸;c\r\nab\r\n", "", ErrorKind::ExtensionsTooLarge, 400);
    // Those of all chunks count together, but each body has its own count.
    refused_body(four, "2;abc\r\nab\r\n0;d‸e\r\n\r\n", "; data ab", ErrorKind::ExtensionsTooLarge, 400);
    let twice = format!("{CHUNKED}2;abcd\r\nab\r\n0\r\n\r\n{CHUNKED}2;abcd\r\nab\r\n0\r\n\r\n");
    four.accepted(&twice, &format!("{CHUNKED_IN_WORDS}; data ab; end; {CHUNKED_IN_WORDS}; data ab; end"));
    // By default 4 KiB: sixteen lines with 250 bytes each, and the 96 that are left.
    let line = format!("1;{}\r\na\r\n", "e".repeat(250));
    let body = format!("{}1;{}", line.repeat(16), "e".repeat(96));
    good(&format!("{body}\r\na\r\n0\r\n\r\n"), &format!("data {}; ", "a".repeat(17)));
    let events = format!("; data {}", "a".repeat(16));
    refused_body(Setup::default(), &format!("{body}‸e\r\na\r\n"), &events, ErrorKind::ExtensionsTooLarge, 400);
}

#[test]
fn a_chunk_line_beyond_the_limit_is_refused() {
    let seven = Setup::with(Limits { chunk_line_bytes_max: 7, ..Limits::default() });
    accepted_body(seven, "0000002\r\nab\r\n2;abcde\r\ncd\r\n0\r\n\r\n", "data abcd; ");
    refused_body(seven, "0000000‸2\r\nab\r\n", "", ErrorKind::ChunkLineTooLong, 400);
    refused_body(seven, "2;abcde‸f\r\nab\r\n", "", ErrorKind::ChunkLineTooLong, 400);
    refused_body(seven, "2;abcde‸=f\r\nab\r\n", "", ErrorKind::ChunkLineTooLong, 400);
    refused_body(seven, "2;a=\"b\"‸;c\r\nab\r\n", "", ErrorKind::ChunkLineTooLong, 400);
    good(&format!("0;{}\r\n\r\n", "e".repeat(254)), "");
    bad(&format!("0;{}‸e\r\n\r\n", "e".repeat(254)), ErrorKind::ChunkLineTooLong);
}

#[test]
fn a_chunk_line_ends_in_cr_lf() {
    for body in ["2‸\nab\r\n", "2;a‸\nab\r\n", "2;a=b‸\nab\r\n", "2;a=\"b\"‸\nab\r\n", "‸\nab\r\n", "0‸\n\r\n"]
    {
        bad(body, ErrorKind::BareLf);
    }
}

#[test]
fn chunk_data_is_followed_by_exactly_cr_lf() {
    for body in ["2\r\nab‸c\r\n", "2\r\nab‸\n0\r\n", "2\r\nab‸0\r\n\r\n", "2\r\nab\r‸a", "2\r\nab\r‸\r\n", "2\r\nab‸\0"]
    {
        refused_body(Setup::default(), body, "; data ab", ErrorKind::InvalidChunkEnd, 400);
    }
}

#[test]
fn chunks_that_are_mostly_framing_are_refused() {
    // Each takes a byte more than its own four and the 16 KiB; the end of the last data line is still to come.
    let count = (16 << 10) + 2;
    let (chunks, data) = ("1\r\na\r\n".repeat(count), "a".repeat(count));
    good(&format!("{chunks}3\r\nabc\r\n0\r\n\r\n"), &format!("data {data}abc; "));
    let refused = format!("{chunks}1\r‸\na\r\n");
    refused_body(Setup::default(), &refused, &format!("; data {data}"), ErrorKind::WastefulChunks, 400);
    // So does the last chunk, which brings nothing.
    let refused = format!("{chunks}0\r‸\n\r\n");
    refused_body(Setup::default(), &refused, &format!("; data {data}"), ErrorKind::WastefulChunks, 400);
}
