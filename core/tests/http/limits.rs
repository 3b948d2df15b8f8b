//! The limits of a head hold at the byte.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::Setup;

const LIMITS: Limits = Limits {
    empty_lines_max: 0,
    method_bytes_max: 4,
    target_bytes_max: 6,
    head_bytes_max: 57,
    field_count_max: 2,
    name_bytes_max: 5,
    value_bytes_max: 7,
    body_bytes_max: 3,
    chunk_line_bytes_max: 256,
    extension_bytes_max: 4 << 10,
    trailer_bytes_max: 8 << 10,
    trailer_count_max: 32,
};

#[test]
fn what_reaches_its_limits_is_accepted_and_what_exceeds_them_is_too_large() {
    let exact = "POST /45678 HTTP/1.1\r\nNames:   value67\r\nHost: hhhh567\r\n\r\n";
    assert_eq!(exact.len(), LIMITS.head_bytes_max as usize);
    let small = Setup::with(LIMITS);
    small.accepted(exact, "POST /45678 1.1|Names=value67|Host=hhhh567; end");
    let line = "GET / HTTP/1.1\r\n";
    for (fields, kind) in [
        ("Named‸6: a\r\nHost: h\r\n\r\n", ErrorKind::FieldNameTooLong),
        ("Host: h\r\nNamed‸67: a\r\n\r\n", ErrorKind::FieldNameTooLong),
        ("Name: value67‸8", ErrorKind::FieldValueTooLong),
        ("Name: value67‸8\r\nHost: h\r\n\r\n", ErrorKind::FieldValueTooLong),
        ("Name: value67‸ \r\nHost: h\r\n\r\n", ErrorKind::FieldValueTooLong),
        ("Host:  \tvalue67‸8\r\n\r\n", ErrorKind::FieldValueTooLong),
        ("A: b\r\nA: b\r\n‸A: b\r\n", ErrorKind::TooManyFields),
        ("A: b\r\nHost: h\r\n‸A: b\r\n\r\n", ErrorKind::TooManyFields),
    ] {
        small.refused(&format!("{line}{fields}"), kind, 431);
    }
}

#[test]
fn a_head_beyond_its_limit_is_too_large() {
    let line = "GET / HTTP/1.1\r\n";
    let small = Setup::with(LIMITS);
    let spaces = " ".repeat(57 - line.len() - 2);
    small.refused(&format!("{line}A:{spaces}‸ "), ErrorKind::HeadTooLarge, 431);
    small.refused("POST /45678 HTTP/1.1\r\nNames:   value67\r\nHost:  hhhh567\r\n\r‸\n", ErrorKind::HeadTooLarge, 431);
    // Empty lines in front do not count, and each head has its own count.
    let two = Setup::with(Limits { empty_lines_max: 2, ..LIMITS });
    let exact = "POST /45678 HTTP/1.1\r\nNames:   value67\r\nHost: hhhh567\r\n\r\n";
    let words = "POST /45678 1.1|Names=value67|Host=hhhh567; end";
    two.accepted(&format!("\r\n\r\n{exact}\r\n{exact}"), &format!("{words}; {words}"));
}

#[test]
fn the_default_limits_are_those_that_are_documented() {
    let setup = Setup::default();
    let line = "GET / HTTP/1.1\r\nHost: h\r\n";
    let fields = |count: usize| "A: b\r\n".repeat(count);
    let words = |fields: &str| format!("GET / 1.1|Host=h{fields}; end");
    setup.accepted(&format!("{line}{}\r\n", fields(99)), &words(&"|A=b".repeat(99)));
    setup.refused(&format!("{line}{}‸A: b\r\n\r\n", fields(99)), ErrorKind::TooManyFields, 431);
    let name = "n".repeat(256);
    setup.accepted(&format!("{line}{name}: b\r\n\r\n"), &words(&format!("|{name}=b")));
    setup.refused(&format!("{line}{name}‸n: b\r\n\r\n"), ErrorKind::FieldNameTooLong, 431);
    let value = "v".repeat(8 << 10);
    setup.accepted(&format!("{line}A: {value}\r\n\r\n"), &words(&format!("|A={value}")));
    setup.refused(&format!("{line}A: {value}‸v\r\n\r\n"), ErrorKind::FieldValueTooLong, 431);
    let rest = "v".repeat((16 << 10) - line.len() - value.len() - "A: \r\nB: \r\n\r\n".len());
    let full = format!("{line}A: {value}\r\nB: {rest}\r\n\r\n");
    setup.accepted(&full, &words(&format!("|A={value}|B={rest}")));
    setup.refused(&format!("{line}A: {value}\r\nB: {rest}v\r\n\r‸\n"), ErrorKind::HeadTooLarge, 431);
}

/// Whole lines are taken many at a time: the limit must hold where they are counted, too.
#[test]
fn the_number_of_fields_is_limited_across_many_lines() {
    for count in [1, 63, 64, 65, 90] {
        let setup = Setup::with(Limits { field_count_max: count, ..Limits::default() });
        let lines = "Ab: cd\r\n".repeat(count as usize - 1);
        let words = "|Ab=cd".repeat(count as usize - 1);
        setup.accepted(&format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n"), &format!("GET / 1.1|Host=h{words}; end"));
        let input = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}‸Ab: cd\r\n\r\n");
        setup.refused(&input, ErrorKind::TooManyFields, 431);
    }
}
