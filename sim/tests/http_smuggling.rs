//! Request smuggling: streams that two parsers could cut into different requests. Each is refused, or read in the one
//! way that its bytes allow.

use sim::http_events::{Line, Options, Split, events};

/// What becomes of `stream`, however it is cut: the target and the number of body bytes of each complete request, and
/// the refusal.
fn verdict(stream: &str) -> String {
    let bytes: Vec<u8> = stream.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let lines = events(&bytes, Split::All, Options { host_rule: true, eof: true }).unwrap_or_else(|e| panic!("{e}"));
    let mut words = Vec::new();
    let mut request = String::new();
    for line in lines {
        match line {
            Line::Head { target, .. } => request = target,
            Line::Data { len, .. } => request.push_str(&format!("+{len}")),
            Line::Trailers { headers } => request.push_str(&format!("+{}t", headers.len())),
            Line::Upgrade { .. } => request.push('^'),
            Line::End { .. } => words.push(core::mem::take(&mut request)),
            Line::Error { kind, status, .. } => words.push(format!("{kind} {status}")),
            Line::NeedMore => panic!("the stream has ended"),
        }
    }
    words.join(" ")
}

const POST: &str = "POST /a HTTP/1.1\r\nHost: h\r\n";
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";

/// Requests with the fields `fields` and the body `body`, in front of another request.
fn check(fields: &str, body: &str, expected: &str) {
    let stream = format!("{POST}{fields}\r\n{body}{HIDDEN}");
    assert_eq!(verdict(&stream), expected, "{stream:?}");
}

/// A chunked body in front of another request.
fn check_chunked(body: &str, expected: &str) {
    check("Transfer-Encoding: chunked\r\n", body, expected);
}

#[test]
fn two_framings() {
    let length = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    for fields in [
        format!("{length}{chunked}"),
        format!("{chunked}{length}"),
        format!("{length}transfer-encoding:\tCHUNKED \r\n"),
        format!("{length}Transfer-Encoding: identity\r\n"),
        format!("{length}Transfer-Encoding:\r\n"),
        format!("{length}Transfer-Encoding: x, chunked\r\n"),
    ] {
        check(&fields, "0\r\n\r\n", "AmbiguousFraming 400");
    }
    // A name that only looks like it is another field, and hides nothing.
    check(&format!("{length}Transfer_Encoding: chunked\r\n"), "0\r\n\r\n", "/a+5 /hidden");
    check("Content_Length: 5\r\n", "", "/a /hidden");
    check("", "", "/a /hidden");
}

#[test]
fn obfuscated_transfer_codings() {
    for value in [
        "",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
        "'chunked'",
        "chunked, identity",
        "chunked, chunked",
        ", chunked",
        "chunked,",
        "chunked chunked",
        "identity",
        "chunk\u{e9}d",
    ] {
        check(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n", "InvalidTransferEncoding 400");
    }
    check("Transfer-Encoding: x, chunked\r\n", "0\r\n\r\n", "UnsupportedTransferCoding 501");
    for value in ["\u{b}chunked", "\u{c}chunked", "chunked\0", "chunked\u{7f}"] {
        check(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n", "InvalidFieldValue 400");
    }
    check("Transfer-Encoding : chunked\r\n", "0\r\n\r\n", "SpaceBeforeColon 400");
    check("Transfer-Encoding\r\n : chunked\r\n", "0\r\n\r\n", "MissingColon 400");
    check("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "LeadingWhitespace 400");
    check("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", "BareLf 400");
    check("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n", "BareCr 400");
    let twice = "Transfer-Encoding: chunked\r\n".repeat(2);
    check(&twice, "0\r\n\r\n", "InvalidTransferEncoding 400");
    check("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", "InvalidTransferEncoding 400");
    // Only letters of another case are the same name.
    check("TRANSFER-encoding: \t ChUnKeD \t\r\n", "0\r\n\r\n", "/a /hidden");
    let old = format!("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}");
    assert_eq!(verdict(&old), "TransferEncodingInHttp10 400");
}

#[test]
fn two_lengths() {
    for value in ["", "+5", "-5", "5,5", "5, 6", "0x5", "0o5", "5_0", "5 5", "5;", "5.0", "\"5\"", "five", "5e0"] {
        check(&format!("Content-Length: {value}\r\n"), "abcde", "InvalidContentLength 400");
    }
    for second in ["5", "6", "05", ""] {
        check(&format!("Content-Length: 5\r\nContent-length: {second}\r\n"), "abcde", "RepeatedContentLength 400");
    }
    for value in ["18446744073709551616", "18446744073709551621", "000000000000000000005"] {
        check(&format!("Content-Length: {value}\r\n"), "abcde", "ContentLengthOverflow 400");
    }
    check("Content-Length: 9223372036854775808\r\n", "abcde", "BodyTooLarge 413");
    // Zeros in front are decimal.
    check("Content-Length: 0010\r\n", "abcdefghij", "/a+10 /hidden");
    check("Content-Length: \t5 \r\n", "abcde", "/a+5 /hidden");
}

/// A request without a body that a server would read, in front of bytes that a proxy took for one.
#[test]
fn bodies_of_requests_that_need_none() {
    let get = format!("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
    assert_eq!(verdict(&get), format!("/a+{}", HIDDEN.len()));
    let expects = format!("{POST}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len());
    assert_eq!(verdict(&expects), format!("/a+{}", HIDDEN.len()));
    check("Connection: close\r\nContent-Length: 1\r\n", "x", "/a+1");
    check("Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n", "x", "/a+1^ /hidden");
    check("Connection: Content-Length\r\nContent-Length: 2\r\n", "xy", "/a+2 /hidden");
}

#[test]
fn chunk_sizes() {
    for size in ["", "+3", "-3", "0x3", "3_", " 3", "3 ", "\t3", "3\t", "g", "3,", "3h", "\u{b}3", "3\0"] {
        check_chunked(&format!("{size}\r\nabc\r\n0\r\n\r\n"), "InvalidChunkSize 400");
    }
    for size in ["00000000000000003", "10000000000000003", "f0000000000000003"] {
        check_chunked(&format!("{size}\r\nabc\r\n0\r\n\r\n"), "ChunkSizeOverflow 400");
    }
    check_chunked("ffffffffffffffff\r\nabc\r\n0\r\n\r\n", "BodyTooLarge 413");
    // The sum wraps to 3.
    check_chunked("1\r\na\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n", "BodyTooLarge 413");
    check_chunked("0000000000000003\r\nabc\r\nA\r\n0123456789\r\n000\r\n\r\n", "/a+13 /hidden");
}

/// What proxies pass over in chunk extensions.
#[test]
fn chunk_extensions() {
    for extension in
        [";", ";;a", ";a;", ";a=", ";=a", ";a=b=c", ";a[", ";a=\"b", ";a=\"b\"c", ";a=\"\\", ";a=\"\0\"", ";a\u{e9}"]
    {
        check_chunked(&format!("3{extension}\r\nabc\r\n0\r\n\r\n"), "InvalidChunkExtension 400");
    }
    // The line ends at the LF for one side, and at the CRLF for the other.
    for (extension, kind) in [
        (";a\nxx", "BareLf"),
        (";a\rxx", "BareCr"),
        (";a=\"\nxx\"", "InvalidChunkExtension"),
        (";a=\"\rxx\"", "InvalidChunkExtension"),
    ] {
        check_chunked(&format!("3{extension}\r\nabc\r\n0\r\n\r\n"), &format!("{kind} 400"));
    }
    check_chunked("3;a;b=c;d=\"e;\\\" f\"\r\nabc\r\n0;z\r\n\r\n", "/a+3 /hidden");
    check_chunked(&format!("3;{}\r\nabc\r\n0\r\n\r\n", "a".repeat(300)), "ChunkLineTooLong 400");
    let long = format!("1;{}\r\na\r\n", "a".repeat(200)).repeat(40);
    check_chunked(&format!("{long}0\r\n\r\n"), "ExtensionsTooLarge 400");
}

/// Data that spills over, and line ends of which half is missing.
#[test]
fn chunk_ends() {
    for body in ["3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n", "3\r\nabc\n\r0\r\n\r\n"] {
        let found = verdict(&format!("{POST}Transfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}"));
        assert!(["InvalidChunkEnd 400", "BareLf 400", "BareCr 400"].contains(&&*found), "{body:?}: {found}");
    }
    check_chunked("3\nabc\r\n0\r\n\r\n", "BareLf 400");
    check_chunked("3\rabc\r\n0\r\n\r\n", "BareCr 400");
    check_chunked("3\r\r\nabc\r\n0\r\n\r\n", "BareCr 400");
    check_chunked("0\n\r\n", "BareLf 400");
    check_chunked("0\r\n\n", "BareLf 400");
    check_chunked("0\r\n\r\r\n", "BareCr 400");
    check_chunked("", "InvalidChunkSize 400");
}

#[test]
fn trailers_do_not_become_headers() {
    for name in
        ["Content-Length", "transfer-encoding", "HOST", "Authorization", "Connection", "Trailer", "Expect", "Upgrade"]
    {
        check_chunked(&format!("0\r\n{name}: x\r\n\r\n"), "ForbiddenTrailer 400");
    }
    check_chunked("0\r\nX: y\r\nSum: 1\r\n\r\n", "/a+2t /hidden");
    check_chunked("0\r\nX : y\r\n\r\n", "SpaceBeforeColon 400");
    check_chunked("0\r\nX: y\r\n folded\r\n\r\n", "LeadingWhitespace 400");
    check_chunked("0\r\nX: y\nZ: z\r\n\r\n", "BareLf 400");
    // The last chunk's line, taken for the end of the body: the next request is no trailer.
    check_chunked("0\r\n", "SpaceBeforeColon 400");
}

#[test]
fn versions_and_lines() {
    for (stream, expected) in [
        ("GET /a\r\nHost: h\r\n\r\n", "MissingVersion 400"),
        ("GET /a\nHost: h\r\n\r\n", "MissingVersion 400"),
        ("GET /a HTTP/1.1\nHost: h\r\n\r\n", "BareLf 400"),
        ("GET /a HTTP/1.1\rHost: h\r\n\r\n", "BareCr 400"),
        ("GET /a HTTP/1.10\r\nHost: h\r\n\r\n", "InvalidVersion 400"),
        ("GET /a HTTP/2.0\r\nHost: h\r\n\r\n", "UnsupportedVersion 505"),
        ("GET /a HTTP/1.1\r\n Host: h\r\n\r\n", "LeadingWhitespace 400"),
        ("GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", "RepeatedHost 400"),
        ("GET /a HTTP/1.1\r\nHost: h, i\r\n\r\n", "InvalidHost 400"),
        ("GET /a HTTP/1.1\r\nHost: h\r\n\n", "BareLf 400"),
        ("GET /a HTTP/1.1\r\nHost: h\r\nX\0: y\r\n\r\n", "InvalidFieldName 400"),
    ] {
        assert_eq!(verdict(&format!("{stream}{HIDDEN}")), expected, "{stream:?}");
    }
}
