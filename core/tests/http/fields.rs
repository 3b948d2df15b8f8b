//! Field lines of a head.

use nalcast_core::http::ErrorKind;

use crate::harness::{Setup, accepted, refused};

/// A request with `lines` in front of its Host.
fn with(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\n{lines}Host: h\r\n\r\n")
}

fn refused_lines(lines: &str, kind: ErrorKind) {
    refused(&with(lines), kind, 400);
}

#[test]
fn a_control_byte_in_a_value_is_refused() {
    let controls = (0..0x20).chain([0x7f]).map(char::from).filter(|control| !"\t\r\n".contains(*control));
    for control in controls {
        refused_lines(&format!("A: b‸{control}\r\n"), ErrorKind::InvalidFieldValue);
        refused_lines(&format!("A:‸{control}\r\n"), ErrorKind::InvalidFieldValue);
        refused_lines(&format!("A: {}‸{control}b\r\n", "b".repeat(70)), ErrorKind::InvalidFieldValue);
    }
    refused("GET / HTTP/1.1\r\nHost: h‸\0\r\n\r\n", ErrorKind::InvalidFieldValue, 400);
    accepted(&with("A: b\tc\r\n"), "GET / 1.1|A=b\\tc|Host=h; end");
}

#[test]
fn bytes_from_0x80_are_opaque_in_a_value() {
    accepted(&with("A: caf\u{e9}\u{80}\u{ff}\r\n"), "GET / 1.1|A=caf\\xe9\\x80\\xff|Host=h; end");
    accepted(&with("A: \u{ff}\u{c3}\u{28}\r\n"), "GET / 1.1|A=\\xff\\xc3(|Host=h; end");
    // No whitespace: a no-break space stays.
    accepted(&with("A: \u{a0}b\u{85}\r\n"), "GET / 1.1|A=\\xa0b\\x85|Host=h; end");
}

#[test]
fn whitespace_around_a_value_is_not_part_of_it() {
    accepted(&with("A:\r\nB: \t \r\n"), "GET / 1.1|A=|B=|Host=h; end");
    accepted(&with("A:b\r\nB:  b\r\nC: b \r\n"), "GET / 1.1|A=b|B=b|C=b|Host=h; end");
    accepted(&with("A:\t b \t c\t \r\n"), "GET / 1.1|A=b \\t c|Host=h; end");
    accepted(&with("A:b:c: d\r\n"), "GET / 1.1|A=b:c: d|Host=h; end");
    // Found by chance: a second request in the same read, whose last value is followed by whitespace.
    let (first, second) = ("GET / HTTP/1.1\r\nHost:xample.com\r\n\r\n", with("aAAaA:\t  a0 a0a AaAAAaA AA \t\t\r\n"));
    let words = "GET / 1.1|Host=xample.com; end; GET / 1.1|aAAaA=a0 a0a AaAAAaA AA|Host=h; end";
    Setup::default().refused_after(words, &format!("{first}{second}.‸"), ErrorKind::Incomplete, 400);
}

#[test]
fn whitespace_between_name_and_colon_is_refused() {
    for lines in ["A‸ : b\r\n", "A‸\t: b\r\n", "A‸ b: c\r\n", "Content-Length‸ : 5\r\n", "A‸ \r\n"] {
        refused_lines(lines, ErrorKind::SpaceBeforeColon);
    }
    refused("GET / HTTP/1.1\r\nHost‸ : h\r\n\r\n", ErrorKind::SpaceBeforeColon, 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding‸ : chunked\r\n\r\n", ErrorKind::SpaceBeforeColon, 400);
}

#[test]
fn a_folded_line_is_refused() {
    for lines in ["A: b\r\n‸ c\r\n", "A: b\r\n‸\tc\r\n", "A: b\r\n‸ \r\n", "A:\r\n‸ b: c\r\n"] {
        refused_lines(lines, ErrorKind::LeadingWhitespace);
    }
    refused("GET / HTTP/1.1\r\nHost: h\r\n‸ folded\r\n\r\n", ErrorKind::LeadingWhitespace, 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\n‸\tfolded\r\n\r\n", ErrorKind::LeadingWhitespace, 400);
}

#[test]
fn whitespace_right_behind_the_request_line_is_refused() {
    for lines in ["‸ A: b\r\n", "‸\tA: b\r\n", "‸ \r\n", "‸ Content-Length: 5\r\n"] {
        refused_lines(lines, ErrorKind::LeadingWhitespace);
    }
    refused("GET / HTTP/1.1\r\n‸ Host: h\r\n\r\n", ErrorKind::LeadingWhitespace, 400);
}

#[test]
fn a_line_needs_a_token_and_a_colon() {
    for lines in
        ["‸: b\r\n", "‸:\r\n", "‸\u{0}A: b\r\n", "‸\"A\": b\r\n", "A‸(: b\r\n", "A‸\u{e9}: b\r\n", "A‸\u{0}: b\r\n"]
    {
        refused_lines(lines, ErrorKind::InvalidFieldName);
    }
    for separator in "(),/;<=>?@[\\]{}\"\u{1f}\u{7f}\u{80}\u{ff}".chars() {
        refused_lines(&format!("Ab‸{separator}cd: e\r\n"), ErrorKind::InvalidFieldName);
        refused_lines(&format!("‸{separator}b: e\r\n"), ErrorKind::InvalidFieldName);
        refused_lines(&format!("{}‸{separator}: e\r\n", "a".repeat(40)), ErrorKind::InvalidFieldName);
    }
    for lines in ["A‸\r\n", "A‸\n", "A: b\r\nB‸\r\n", "chunked‸\r\n"] {
        refused_lines(lines, ErrorKind::MissingColon);
    }
    refused("GET / HTTP/1.1\r\nHo‸/st: h\r\n\r\n", ErrorKind::InvalidFieldName, 400);
    refused("GET / HTTP/1.1\r\nH‸\u{f6}st: h\r\n\r\n", ErrorKind::InvalidFieldName, 400);
    refused("GET / HTTP/1.1\r\nHost‸\r\n\r\n", ErrorKind::MissingColon, 400);
    accepted(&with("!#$%&'*+-.^_`|~09azAZ: b\r\n"), "GET / 1.1|!#$%&'*+-.^_`|~09azAZ=b|Host=h; end");
}

#[test]
fn names_with_underscores_are_names_of_their_own() {
    for name in ["Content_Length", "Transfer_Encoding", "_", "Content-Length_"] {
        accepted(&with(&format!("{name}: 5\r\n")), &format!("GET / 1.1|{name}=5|Host=h; end"));
    }
    refused("GET / HTTP/1.1\r\nHost_: h\r\n_Host: h\r\n\r\n‸", ErrorKind::MissingHost, 400);
}

/// Names as long as those that matter, and alike at their start or end.
#[test]
fn names_that_resemble_known_ones_mean_nothing() {
    for name in [
        "Content-Lengtg",
        "Content-_ength",
        "Content-Type-X",
        "Contest-Length",
        "Transfer-Encodinh",
        "Tran-fer-Encoding",
        "Transfer-Encodin",
        "Expert",
        "Expebt",
        "Exxect",
        "Upgrape",
        "Upgxade",
        "Connectiom",
        "Connective",
        "Conndction",
        "Conneation",
        "Connexion",
    ] {
        let input = with(&format!("{name}: close, upgrade\r\nUpgrade: x\r\n"));
        accepted(&input, &format!("GET / 1.1|{name}=close, upgrade|Upgrade=x|Host=h; end"));
    }
}
