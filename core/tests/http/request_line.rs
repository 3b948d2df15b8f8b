//! Methods, spaces and versions.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::{Setup, accepted, refused};

#[test]
fn any_token_is_a_method_and_nothing_else_is() {
    for method in ["get", "Get", "BREW", "G", "ANNOUNCE", "12"] {
        accepted(&format!("{method} /?q HTTP/1.1\r\nHost: h\r\n\r\n"), &format!("{method} /?q 1.1|Host=h; end"));
    }
    accepted("M!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: h\r\n\r\n", "M!#$%&'*+-.^_`|~9 / 1.1|Host=h; end");
    for input in [
        "G‸\u{0}T / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET‸\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n",
        "GET‸\nHost: h\r\n\r\nGET / HTTP/1.1\r\n",
        "‸(GET) / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET‸, / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET‸:/ / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET‸\u{7f} / HTTP/1.1\r\nHost: h\r\n\r\n",
        "‸\u{e9} / HTTP/1.1\r\nHost: h\r\n\r\n",
        "‸\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3} a TLS hello",
    ] {
        refused(input, ErrorKind::InvalidMethod, 400);
    }
    for separator in "(),/:;<=>?@[\\]{}\"\t\u{1f}\u{80}\u{ff}".chars() {
        refused(&format!("G‸{separator}T / HTTP/1.1\r\nHost: h\r\n\r\n"), ErrorKind::InvalidMethod, 400);
    }
}

#[test]
fn a_method_beyond_the_limit_is_not_implemented() {
    let longest = "M".repeat(32);
    let rest = " / HTTP/1.1\r\nHost: h\r\n\r\n";
    accepted(&format!("{longest}{rest}"), &format!("{longest} / 1.1|Host=h; end"));
    refused(&format!("{longest}‸M{rest}"), ErrorKind::MethodTooLong, 501);
    let four = Setup::with(Limits { method_bytes_max: 4, ..Limits::default() });
    four.accepted(&format!("POST{rest}"), "POST / 1.1|Host=h; end");
    four.refused(&format!("POST‸S{rest}"), ErrorKind::MethodTooLong, 501);
    // A byte that cannot stand in a method is wrong in itself, wherever it is.
    four.refused(&format!("POST‸\t{rest}"), ErrorKind::InvalidMethod, 400);
}

#[test]
fn a_request_line_has_two_single_spaces_and_no_more() {
    for (input, kind) in [
        ("‸ GET / HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("‸ / HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("GET ‸ HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("‸\tGET / HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("GET‸\t/ HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("GET ‸ / HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET ‸\t/ HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET /‸\tHTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET / ‸ HTTP/1.1\r\n", ErrorKind::InvalidVersion),
        ("GET / ‸\tHTTP/1.1\r\n", ErrorKind::InvalidVersion),
        ("GET / ‸a HTTP/1.1\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1.1‸ \r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1.1‸\t\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1.1‸ HTTP/1.1\r\n", ErrorKind::InvalidVersion),
    ] {
        refused(&format!("{input}Host: h\r\n\r\n"), kind, 400);
    }
}

#[test]
fn a_request_line_without_version_is_refused() {
    for input in ["GET /‸\r\n", "GET /‸\n", "GET /a?b‸\r\n"] {
        refused(&format!("{input}Host: h\r\nContent-Length: 3\r\n\r\nabc"), ErrorKind::MissingVersion, 400);
    }
    refused("GET ‸\r\nHost: h\r\n\r\n", ErrorKind::MissingVersion, 400);
    refused("GET / ‸\r\nHost: h\r\n\r\n", ErrorKind::InvalidVersion, 400);
    refused("GET / ‸\nHost: h\r\n\r\n", ErrorKind::BareLf, 400);
}

#[test]
fn a_malformed_version_is_refused() {
    for version in [
        "‸http/1.1",
        "H‸ttp/1.1",
        "‸RTSP/1.0",
        "‸ICE/1.0",
        "‸1.1",
        "H‸P/1.1",
        "HTT‸/1.1",
        "HTTP‸\\1.1",
        "HTTP‸ /1.1",
        "HTTP/‸ 1.1",
        "HTTP/‸.1",
        "HTTP/‸x.1",
        "HTTP/1‸",
        "HTTP/1‸,1",
        "HTTP/1‸1.1",
        "HTTP/0‸1.1",
        "HTTP/1.‸",
        "HTTP/1.‸x",
        "HTTP/1.‸\u{b2}",
        "HTTP/1.1‸0",
        "HTTP/1.1‸.1",
        "HTTP/1.0‸1",
    ] {
        refused(&format!("GET / {version}\r\nHost: h\r\n\r\n"), ErrorKind::InvalidVersion, 400);
    }
}

#[test]
fn later_minor_versions_are_read_as_http_1_1() {
    for minor in 1..=9 {
        accepted(&format!("GET / HTTP/1.{minor}\r\nHost: h\r\n\r\n"), "GET / 1.1|Host=h; end");
    }
    refused("GET / HTTP/1.9\r\nA: b\r\n\r\n‸", ErrorKind::MissingHost, 400);
}

#[test]
fn other_major_versions_are_not_supported() {
    refused("PRI * ‸HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrorKind::UnsupportedVersion, 505);
    for version in ["0.9", "0.0", "2.0", "3.1", "9.9"] {
        refused(&format!("GET / ‸HTTP/{version}\r\nHost: h\r\n\r\n"), ErrorKind::UnsupportedVersion, 505);
    }
}
