//! Whole lines are scanned in blocks of 64 bytes: every fault is found at every place of a block, and whatever is
//! legal is legal there, too.

use nalcast_core::http::ErrorKind;

use crate::harness::Setup;

/// More than two blocks.
const PLACES: usize = 140;

/// Heads whose field of interest starts at each place in turn; `tail` follows, marked where it is refused.
fn refused_everywhere(tail: &str, kind: ErrorKind) {
    for padding in 0..PLACES {
        let start = format!("GET / HTTP/1.1\r\nP: {}\r\nHost: h\r\n", "p".repeat(padding));
        Setup::default().refused(&format!("{start}{tail}"), kind, 400);
        // Without anything behind, the last block is not a whole one.
        let end = tail.find('‸').expect("a mark") + '‸'.len_utf8() + 2;
        if let Some(short) = tail.get(..end) {
            Setup::default().refused(&format!("{start}{short}"), kind, 400);
        }
    }
}

#[test]
fn bare_cr_is_found_everywhere() {
    for tail in
        ["A: b‸\rB: c\r\nC: d\r\n\r\n", "A: b‸\r\rB: c\r\nC: d\r\n\r\n", "A: b\r\n‸\rB: c\r\n\r\n", "A: b‸\r \n\r\n"]
    {
        refused_everywhere(tail, ErrorKind::BareCr);
    }
}

#[test]
fn bare_lf_is_found_everywhere() {
    for tail in ["A: b‸\nB: c\r\n\r\n", "A: b\r\n‸\nB: c\r\n\r\n", "A: b‸\n\r\n\r\n", "A: b‸\n\n"] {
        refused_everywhere(tail, ErrorKind::BareLf);
    }
}

#[test]
fn control_bytes_are_found_everywhere() {
    for control in ['\0', '\u{8}', '\u{b}', '\u{1f}', '\u{7f}'] {
        refused_everywhere(&format!("A: b‸{control}c\r\nB: c\r\n\r\n"), ErrorKind::InvalidFieldValue);
    }
}

#[test]
fn wrong_names_are_found_everywhere() {
    refused_everywhere("A-name‸ : b\r\nB: c\r\n\r\n", ErrorKind::SpaceBeforeColon);
    refused_everywhere("A-name‸/x: b\r\nB: c\r\n\r\n", ErrorKind::InvalidFieldName);
    refused_everywhere("‸: b\r\nB: c\r\n\r\n", ErrorKind::InvalidFieldName);
    refused_everywhere("A-name‸\r\nB: c\r\n\r\n", ErrorKind::MissingColon);
    refused_everywhere("‸ A: b\r\nB: c\r\n\r\n", ErrorKind::LeadingWhitespace);
}

#[test]
fn the_empty_line_is_found_everywhere() {
    for padding in 0..PLACES {
        let value = "p".repeat(padding);
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nP: {value}\r\n\r\n");
        let words = format!("GET / 1.1|Host=h|P={value}; end");
        Setup::default().accepted(&format!("{head}{head}"), &format!("{words}; {words}"));
        // What follows is looked at only then, whatever it is.
        Setup::default().refused_after(&words, &format!("{head}‸\0\n\r\r\n: \r\n\r\n"), ErrorKind::InvalidMethod, 400);
    }
}

#[test]
fn targets_are_checked_everywhere() {
    for padding in 0..PLACES {
        let path = "p".repeat(padding);
        let rest = format!("a{path} HTTP/1.1\r\nHost: h\r\n\r\n");
        for byte in ['#', '\t', '\u{80}', '\u{ff}'] {
            Setup::default().refused(&format!("GET /{path}‸{byte}{rest}"), ErrorKind::InvalidTarget, 400);
        }
        Setup::default().refused(&format!("GET /{path} ‸{rest}"), ErrorKind::InvalidVersion, 400);
    }
}
