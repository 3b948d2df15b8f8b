//! Fields behind a chunked body.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::Setup;
use crate::{CHUNKED, CHUNKED_IN_WORDS};

fn accepted_section(setup: Setup, section: &str, events: &str) {
    setup.accepted(&format!("{CHUNKED}0\r\n{section}"), &format!("{CHUNKED_IN_WORDS}; {events}end"));
}

fn refused_section(setup: Setup, section: &str, kind: ErrorKind, status: u16) {
    setup.refused_after(CHUNKED_IN_WORDS, &format!("{CHUNKED}0\r\n{section}"), kind, status);
}

#[test]
fn trailers_are_fields_apart_from_the_head() {
    let setup = Setup::default();
    accepted_section(setup, "\r\n", "");
    accepted_section(setup, "A: b\r\n\r\n", "trailers|A=b; ");
    accepted_section(setup, "A:\t b \r\nETag: \"\u{e9}\"\r\nA: c\r\n\r\n", "trailers|A=b|ETag=\"\\xe9\"|A=c; ");
    for (section, kind) in [
        ("A‸ : b\r\n\r\n", ErrorKind::SpaceBeforeColon),
        ("‸ A: b\r\n\r\n", ErrorKind::LeadingWhitespace),
        ("A: b\r\n‸ c\r\n\r\n", ErrorKind::LeadingWhitespace),
        ("‸: b\r\n\r\n", ErrorKind::InvalidFieldName),
        ("A‸/: b\r\n\r\n", ErrorKind::InvalidFieldName),
        ("A‸\r\n\r\n", ErrorKind::MissingColon),
        ("A: b‸\0\r\n\r\n", ErrorKind::InvalidFieldValue),
        ("A: b‸\n\r\n", ErrorKind::BareLf),
        ("‸\nGET / HTTP/1.1", ErrorKind::BareLf),
        ("A: b\r\n‸\n", ErrorKind::BareLf),
        ("A: b‸\rc: d\r\n\r\n", ErrorKind::BareCr),
        ("‸\r\r\n", ErrorKind::BareCr),
    ] {
        refused_section(setup, section, kind, 400);
    }
}

#[test]
fn trailers_keep_to_limits_of_their_own() {
    let setup = Setup::with(Limits { trailer_bytes_max: 12, trailer_count_max: 2, ..Limits::default() });
    accepted_section(setup, "A: 45678\r\n\r\n", "trailers|A=45678; ");
    accepted_section(setup, "A:\r\nB:\r\n\r\n", "trailers|A=|B=; ");
    refused_section(setup, "A: 456789\r\n\r‸\n", ErrorKind::TrailersTooLarge, 431);
    refused_section(setup, "A: 456789\r\nB‸: c\r\n\r\n", ErrorKind::TrailersTooLarge, 431);
    refused_section(setup, "A:\r\nB:\r\n‸C:\r\n\r\n", ErrorKind::TooManyFields, 431);
    let setup = Setup::with(Limits { trailer_count_max: 0, ..Limits::default() });
    refused_section(setup, "‸A: b\r\n\r\n", ErrorKind::TooManyFields, 431);
    // Names and values have the limits of the head, in which the longest name here is Transfer-Encoding.
    let setup = Setup::with(Limits { name_bytes_max: 17, value_bytes_max: 7, ..Limits::default() });
    accepted_section(setup, "Abcdefghijklmnopq: 1234567\r\n\r\n", "trailers|Abcdefghijklmnopq=1234567; ");
    refused_section(setup, "Abcdefghijklmnopq‸r: 1234567\r\n\r\n", ErrorKind::FieldNameTooLong, 431);
    refused_section(setup, "Abcdefghijklmnopq: 1234567‸8\r\n\r\n", ErrorKind::FieldValueTooLong, 431);
    // By default 32 fields and 8 KiB.
    let lines = "A: b\r\n".repeat(32);
    accepted_section(Setup::default(), &format!("{lines}\r\n"), &format!("trailers{}; ", "|A=b".repeat(32)));
    refused_section(Setup::default(), &format!("{lines}‸A: b\r\n\r\n"), ErrorKind::TooManyFields, 431);
    let (full, value) = ("A: ".len() + "\r\n\r\n".len() + "B: \r\n".len(), "v".repeat(4096));
    let rest = "w".repeat(8192 - full - 4096);
    let section = format!("A: {value}\r\nB: {rest}\r\n\r\n");
    accepted_section(Setup::default(), &section, &format!("trailers|A={value}|B={rest}; "));
    let section = format!("A: {value}\r\nB: {rest}w\r\n\r‸\n");
    refused_section(Setup::default(), &section, ErrorKind::TrailersTooLarge, 431);
}

#[test]
fn trailers_that_belong_into_the_head_are_refused() {
    for name in [
        "Authorization",
        "Cache-Control",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Cookie",
        "Expect",
        "Forwarded",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Keep-Alive",
        "Max-Forwards",
        "Pragma",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Range",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "X-Forwarded-For",
    ] {
        let (kind, setup) = (ErrorKind::ForbiddenTrailer, Setup::default());
        refused_section(setup, &format!("{name}: ‸a\r\n\r\n"), kind, 400);
        refused_section(setup, &format!("A: b\r\n{}:‸\r\nB: c\r\n\r\n", name.to_lowercase()), kind, 400);
        accepted_section(setup, &format!("{name}-: a\r\n\r\n"), &format!("trailers|{name}-=a; "));
    }
}
