//! The Host field.

use nalcast_core::http::ErrorKind;

use crate::harness::{Setup, accepted, refused};

const LINE: &str = "GET / HTTP/1.1\r\n";

#[test]
fn http_1_1_needs_exactly_one_valid_host() {
    for host in ["h", "example.com", "EXAMPLE.com:80", "h:", "127.0.0.1:9", "[::1]", "[::1]:80", "a%20b", "a_b~c", "-"]
    {
        accepted(&format!("{LINE}Host: {host}\r\n\r\n"), &format!("GET / 1.1|Host={host}; end"));
    }
    accepted(&format!("{LINE}hOsT:h\r\n\r\n"), "GET / 1.1|hOsT=h; end");
    refused(&format!("{LINE}\r\n‸"), ErrorKind::MissingHost, 400);
    refused(&format!("{LINE}A: b\r\nX-Host: h\r\nHosts: h\r\nHos: h\r\nHosf: h\r\n\r\n‸"), ErrorKind::MissingHost, 400);
    refused(&format!("{LINE}Host: h\r\nHost: ‸h\r\n\r\n"), ErrorKind::RepeatedHost, 400);
    refused(&format!("{LINE}Host: h\r\nA: b\r\nHOST: ‸i\r\nHost: j\r\n\r\n"), ErrorKind::RepeatedHost, 400);
    refused("GET / HTTP/1.0\r\nHost: h\r\nHost: ‸h\r\n\r\n", ErrorKind::RepeatedHost, 400);
    for host in [
        "u@h",
        "u:p@h",
        "h/p",
        "/",
        "a, b",
        "a,b",
        "a b",
        "a\tb",
        "h?q",
        "h#f",
        "http://h",
        "h:x",
        "h:+80",
        "h:65536",
        "h:80:80",
        "::1",
        "[::1",
        "[::1]x",
        "[::1]80",
        "[::g]",
        "[fe80::1%25eth0]",
        "caf\u{e9}",
        "a%2",
        "a%zz",
        "\"h\"",
        "<h>",
        "h\\",
    ] {
        refused(&format!("{LINE}Host: ‸{host}\r\n\r\n"), ErrorKind::InvalidHost, 400);
        refused(&format!("GET / HTTP/1.0\r\nHost: ‸{host}\r\n\r\n"), ErrorKind::InvalidHost, 400);
    }
}

/// Hosts are looked at many bytes at a time, and each byte counts.
#[test]
fn a_host_of_any_length_is_refused_for_one_byte() {
    for length in 1..=130 {
        let plain = "h".repeat(length);
        accepted(&format!("{LINE}Host: {plain}\r\nA: b\r\n\r\n"), &format!("GET / 1.1|Host={plain}|A=b; end"));
        for at in [1, length / 2, length - 1] {
            if at > 0 && at < length {
                let (start, end) = plain.split_at(at);
                refused(&format!("{LINE}Host: ‸{start} {end}\r\nA: b\r\n\r\n"), ErrorKind::InvalidHost, 400);
            }
        }
    }
}

#[test]
fn http_1_0_may_lack_a_host() {
    accepted("GET / HTTP/1.0\r\n\r\n", "GET / 1.0; close");
    accepted("GET / HTTP/1.0\r\nHost: h\r\n\r\n", "GET / 1.0|Host=h; close");
}

#[test]
fn an_empty_host_is_refused() {
    for host in ["", " ", " \t "] {
        let input = format!("{LINE}Host:{host}‸\r\n\r\n");
        refused(&input, ErrorKind::InvalidHost, 400);
    }
    refused(&format!("{LINE}Host: ‸:80\r\n\r\n"), ErrorKind::InvalidHost, 400);
    refused("GET / HTTP/1.0\r\nHost: ‸\r\n\r\n", ErrorKind::InvalidHost, 400);
}

#[test]
fn the_host_rule_can_be_lifted_to_replay_what_lacks_one() {
    let lifted = Setup { host_is_optional: true, ..Setup::default() };
    lifted.accepted(&format!("{LINE}\r\n"), "GET / 1.1; end");
    lifted.accepted(&format!("{LINE}Host: h\r\n\r\n"), "GET / 1.1|Host=h; end");
    // Only for those that lack one.
    lifted.refused(&format!("{LINE}Host: ‸a b\r\n\r\n"), ErrorKind::InvalidHost, 400);
    lifted.refused(&format!("{LINE}Host: h\r\nHost: ‸h\r\n\r\n"), ErrorKind::RepeatedHost, 400);
}
