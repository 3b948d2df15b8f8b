//! Request targets in their four forms.

use nalcast_core::http::{ErrorKind, Limits};

use crate::harness::{Setup, accepted, escaped, refused};

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn accepted_target(method: &str, target: &str) {
    accepted(
        &format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n"),
        &format!("{method} {} 1.1|Host=h; end", escaped(target.as_bytes())),
    );
}

#[test]
fn a_target_beyond_the_limit_is_too_long() {
    let longest = format!("/{}", "a".repeat(7999));
    accepted_target("GET", &longest);
    refused(&get(&format!("{longest}‸a")), ErrorKind::TargetTooLong, 414);
    let six = Setup::with(Limits { target_bytes_max: 6, ..Limits::default() });
    six.accepted(&get("/23456"), "GET /23456 1.1|Host=h; end");
    six.refused(&get("/23456‸7"), ErrorKind::TargetTooLong, 414);
    six.refused("GET /23456‸7", ErrorKind::TargetTooLong, 414);
    six.refused(&get("/23456‸#"), ErrorKind::InvalidTarget, 400);
    // A request line that fills the whole head is long for its target.
    let tiny = Setup::with(Limits { head_bytes_max: 5, ..Limits::default() });
    tiny.refused("GET /‸ HTTP/1.1\r\n", ErrorKind::TargetTooLong, 414);
}

#[test]
fn a_byte_that_no_uri_has_is_refused_in_a_target() {
    accepted_target("GET", "/!$&'()*+,;=:@-._~%41?/");
    accepted_target("GET", "/[]|{}^`<>\"\\");
    for byte in ['\0', '\u{1}', '\u{1f}', '\t', '\u{b}', '#', '\u{7f}', '\u{80}', '\u{e9}', '\u{ff}'] {
        refused(&get(&format!("/‸{byte}")), ErrorKind::InvalidTarget, 400);
        refused(&get(&format!("/a?b‸{byte}c")), ErrorKind::InvalidTarget, 400);
        let long = "a".repeat(70);
        refused(&get(&format!("/{long}‸{byte}{long}")), ErrorKind::InvalidTarget, 400);
    }
}

#[test]
fn a_path_that_does_not_start_with_a_slash_is_refused() {
    for target in ["a", "?a", "index.html", "%2f", "\\", ".", "../a", "http", "http:", "http:/a", "http:a"] {
        refused(&get(&format!("‸{target}")), ErrorKind::InvalidTargetForm, 400);
    }
}

#[test]
fn an_absolute_target_is_accepted() {
    for target in ["http://a/b", "http://a", "https://a:8/b?c", "HTTP://a?b", "x+y.z-1://[::1]:80/", "http://1.2.3.4:"]
    {
        accepted_target("GET", target);
        accepted_target("OPTIONS", target);
    }
    for target in [
        "http:///a",
        "http://",
        "http://u@h/a",
        "http://h:x/",
        "http://a,b/",
        "http://[::1/",
        "1http://h/",
        "h_://h/",
        "://h/",
    ] {
        refused(&get(&format!("‸{target}")), ErrorKind::InvalidTargetForm, 400);
    }
    // Host has to be there all the same, and to be valid.
    refused("GET http://a/ HTTP/1.1\r\n\r\n‸", ErrorKind::MissingHost, 400);
    refused("GET http://a/ HTTP/1.1\r\nHost: ‸a b\r\n\r\n", ErrorKind::InvalidHost, 400);
}

#[test]
fn connect_and_the_authority_form_need_each_other() {
    for target in ["h:80", "example.com:443", "[::1]:80", "1.2.3.4:1"] {
        refused(&get(&format!("‸{target}")), ErrorKind::InvalidTargetForm, 400);
    }
    for target in ["/", "h", "http://h:443/", "*", "h:x", ":443", "u@h:443", "[::1]", "h:443/"] {
        let input = format!("CONNECT ‸{target} HTTP/1.1\r\nHost: h\r\n\r\n");
        refused(&input, ErrorKind::InvalidTargetForm, 400);
    }
    // Methods are case-sensitive.
    refused("connect ‸h:443 HTTP/1.1\r\nHost: h\r\n\r\n", ErrorKind::InvalidTargetForm, 400);
    accepted_target("connect", "/");
}

#[test]
fn connect_is_not_implemented() {
    for target in ["h:443", "[::1]:443", "1.2.3.4:65535"] {
        let input = format!("CONNECT ‸{target} HTTP/1.1\r\nHost: h\r\n\r\n");
        refused(&input, ErrorKind::ConnectNotImplemented, 501);
    }
}

#[test]
fn the_asterisk_is_for_options_only() {
    accepted_target("OPTIONS", "*");
    accepted_target("OPTIONS", "/");
    for method in ["GET", "HEAD", "POST", "options", "OPTION", "OPTIONSX"] {
        let input = format!("{method} ‸* HTTP/1.1\r\nHost: h\r\n\r\n");
        refused(&input, ErrorKind::InvalidTargetForm, 400);
    }
    for target in ["**", "*/", "*?a"] {
        let input = format!("OPTIONS ‸{target} HTTP/1.1\r\nHost: h\r\n\r\n");
        refused(&input, ErrorKind::InvalidTargetForm, 400);
    }
}
