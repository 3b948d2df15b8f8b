//! The request parser against its verdict table, and under every way to cut up its input.

use nalcast_core::http::{ErrorKind, Event, Framing, HeadView, Limits, RequestParser, Version};
use proptest::prelude::*;

/// What a parser said, adjacent data merged: equal however the input is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Head { offset: u64, framing: Framing, head: String },
    Continue,
    Data(Vec<u8>),
    Trailers(Vec<(Vec<u8>, Vec<u8>)>),
    Upgrade { offset: u64 },
    End { keep_alive: bool },
    Error { kind: ErrorKind, offset: u64 },
}

/// Feeds `input` cut at `cuts`, then ends the stream. Checks on the way what holds for every input.
fn drive(limits: Limits, input: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let mut parser = RequestParser::new(limits);
    let mut seen = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        parser.buffer_mut().extend_from_slice(&input[start..end]);
        start = end;
        drain(&mut parser, &mut seen);
        let is_over = matches!(seen.last(), Some(Seen::Error { .. } | Seen::End { keep_alive: false }));
        assert_eq!(parser.wants_bytes(), !is_over);
    }
    match (parser.finish(), seen.last()) {
        (Ok(()), None | Some(Seen::End { .. })) => {}
        (Err(error), Some(Seen::Error { kind, offset })) => {
            assert_eq!((error.kind(), error.offset()), (*kind, *offset))
        }
        (Err(error), _) => {
            assert_eq!((error.kind(), error.offset()), (ErrorKind::Incomplete, input.len() as u64));
            assert_eq!(parser.finish(), Err(error));
            seen.push(Seen::Error { kind: error.kind(), offset: error.offset() });
        }
        (Ok(()), Some(last)) => panic!("the stream ended cleanly after {last:?}"),
    }
    assert!(parser.head_bytes_examined() <= 2 * input.len() as u64 + 16, "more than linear work");
    seen
}

fn drain(parser: &mut RequestParser, seen: &mut Vec<Seen>) {
    loop {
        match parser.poll() {
            Ok(None) => return,
            Ok(Some(Event::Head(head))) => {
                let (offset, framing) = (head.offset(), head.framing());
                // Borrowed and detached heads alternate, and must not differ.
                let head =
                    if seen.len().is_multiple_of(2) { describe(head.view()) } else { describe(head.detach().view()) };
                seen.push(Seen::Head { offset, framing, head });
            }
            Ok(Some(Event::Continue)) => seen.push(Seen::Continue),
            Ok(Some(Event::Data(data))) => {
                assert!(!data.is_empty());
                match seen.last_mut() {
                    Some(Seen::Data(earlier)) => earlier.extend_from_slice(&data),
                    _ => seen.push(Seen::Data(data.to_vec())),
                }
            }
            Ok(Some(Event::Trailers(trailers))) => {
                let fields = trailers.fields().map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
                seen.push(Seen::Trailers(fields));
            }
            Ok(Some(Event::Upgrade(offer))) => seen.push(Seen::Upgrade { offset: offer.offset() }),
            Ok(Some(Event::End { keep_alive })) => seen.push(Seen::End { keep_alive }),
            Err(error) => {
                let failed = Seen::Error { kind: error.kind(), offset: error.offset() };
                if seen.last() != Some(&failed) {
                    seen.push(failed);
                }
                assert!(parser.poll().is_err_and(|again| again == error));
                return;
            }
        }
    }
}

fn describe(head: HeadView<'_>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let version = if head.version() == Version::Http10 { "1.0" } else { "1.1" };
    let mut out = format!("{} {} {version}", text(head.method()), text(head.target()));
    for field in head.fields() {
        assert!(head.bytes()[field.value_offset..].starts_with(field.value));
        out.push_str(&format!("|{}={}", text(field.name), text(field.value)));
    }
    out
}

/// `input` with every character up to U+00FF as one byte; `‸` marks a place and is left out.
fn bytes_and_mark(input: &str) -> (Vec<u8>, Option<u64>) {
    let mark = input.chars().position(|c| c == '‸').map(|at| at as u64);
    (input.chars().filter(|c| *c != '‸').map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(), mark)
}

fn whole_and_bytewise(limits: Limits, input: &[u8]) -> Vec<Seen> {
    let whole = drive(limits, input, &[]);
    let every: Vec<usize> = (0..input.len()).collect();
    assert_eq!(drive(limits, input, &every), whole, "{}", input.escape_ascii());
    whole
}

/// The input is refused at its mark.
fn refused_by(limits: Limits, input: &str, kind: ErrorKind, status: u16) {
    let (bytes, mark) = bytes_and_mark(input);
    let seen = whole_and_bytewise(limits, &bytes);
    let offset = mark.expect("the input has a mark");
    assert_eq!(seen.last(), Some(&Seen::Error { kind, offset }), "{input:?}");
    assert_eq!(kind.status().code(), status, "{input:?}");
}

/// The input is accepted and described so.
fn accepted(input: &str, expected: &str) {
    let (bytes, _) = bytes_and_mark(input);
    let seen = whole_and_bytewise(Limits::default(), &bytes);
    let words: Vec<String> = seen
        .iter()
        .map(|seen| match seen {
            Seen::Head { head, .. } => head.clone(),
            Seen::Continue => "continue".into(),
            Seen::Data(data) => format!("data {}", data.escape_ascii()),
            Seen::Trailers(fields) => {
                let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
                fields
                    .iter()
                    .map(|(name, value)| format!("trailer {}={}", text(name), text(value)))
                    .collect::<Vec<_>>()
                    .join("|")
            }
            Seen::Upgrade { offset } => format!("upgrade at {offset}"),
            Seen::End { keep_alive } => if *keep_alive { "end" } else { "close" }.into(),
            Seen::Error { kind, offset } => format!("{kind:?} at {offset}"),
        })
        .collect();
    assert_eq!(words.join("; "), expected, "{input:?}");
}

#[test]
fn accepted_requests() {
    let host = "Host: h\r\n\r\n";
    for (start, expected) in [
        ("GET / HTTP/1.1\r\n", "GET / 1.1|Host=h; end"),
        ("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n", "GET / 1.1|Host=h; end"),
        ("get /?q HTTP/1.1\r\n", "get /?q 1.1|Host=h; end"),
        ("M!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n", "M!#$%&\\'*+-.^_`|~9 / 1.1|Host=h; end"),
        ("GET / HTTP/1.9\r\n", "GET / 1.1|Host=h; end"),
        ("OPTIONS * HTTP/1.1\r\n", "OPTIONS * 1.1|Host=h; end"),
        ("GET http://a/b HTTP/1.1\r\n", "GET http://a/b 1.1|Host=h; end"),
        ("GET / HTTP/1.1\r\nA:\r\nB: \t \r\n", "GET / 1.1|A=|B=|Host=h; end"),
        ("GET / HTTP/1.1\r\nA:\t b \t c\t \r\n", "GET / 1.1|A=b \\t c|Host=h; end"),
        ("GET / HTTP/1.1\r\nA: caf\u{e9}\u{80}\u{ff}\r\n", "GET / 1.1|A=caf\\xe9\\x80\\xff|Host=h; end"),
        ("GET / HTTP/1.1\r\nContent_Length: 5\r\n", "GET / 1.1|Content_Length=5|Host=h; end"),
        (
            "GET / HTTP/1.1\r\nConnection: a, Close ,keep-alive\r\n",
            "GET / 1.1|Connection=a, Close ,keep-alive|Host=h; close",
        ),
        ("GET / HTTP/1.1\r\nConnection: closed\r\n", "GET / 1.1|Connection=closed|Host=h; end"),
        ("GET / HTTP/1.0\r\n", "GET / 1.0|Host=h; close"),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", "GET / 1.0|Connection=Keep-Alive|Host=h; end"),
        ("GET / HTTP/1.0\r\nExpect: x\r\n", "GET / 1.0|Expect=x|Host=h; close"),
        ("GET / HTTP/1.1\r\nExpect: 100-Continue\r\n", "GET / 1.1|Expect=100-Continue|Host=h; end"),
    ] {
        accepted(&format!("{start}{host}"), expected);
    }
    accepted("GET / HTTP/1.0\r\n\r\n", "GET / 1.0; close");
    accepted("\r\n", "");
}

#[test]
fn bodies_and_pipelines() {
    let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ";
    let head = |length| format!("POST / 1.1|Host=h|Content-Length={length}");
    accepted(&format!("{post}0\r\n\r\n"), &format!("{}; end", head("0")));
    accepted(&format!("{post}005\r\n\r\nab\r\nc"), &format!("{}; data ab\\r\\nc; end", head("005")));
    accepted(
        &format!("{post}2\r\n\r\nab\r\n{post}3\r\n\r\nGETGET / HTTP/1.0\r\n\r\n\0ignored"),
        &format!("{}; data ab; end; {}; data GET; end; GET / 1.0; close", head("2"), head("3")),
    );
    accepted(&format!("{post}3\r\n\r\nab"), &format!("{}; data ab; Incomplete at 49", head("3")));
    accepted(
        &format!("{post}2\r\nExpect: 100-continue\r\n\r\nab"),
        &format!("{}|Expect=100-continue; continue; data ab; end", head("2")),
    );
    accepted(&format!("{post}0\r\nExpect: 100-continue\r\n\r\n"), &format!("{}|Expect=100-continue; end", head("0")));
}

#[test]
fn refused_request_lines() {
    let refused = |input: &str, kind, status| refused_by(Limits::default(), input, kind, status);
    for (input, kind) in [
        ("\r\n\r\n\r\n\r\n‸\r\nGET / HTTP/1.1\r\n", ErrorKind::TooManyEmptyLines),
        ("‸\nGET / HTTP/1.1\r\n", ErrorKind::BareLf),
        ("‸\rGET / HTTP/1.1\r\n", ErrorKind::BareCr),
        ("GET / HTTP/1.1‸\nHost: h\r\n\r\n", ErrorKind::BareLf),
        ("GET / HTTP/1.1‸\rHost: h\r\n\r\n", ErrorKind::BareCr),
        ("GET / HTTP/1.1‸\r\r\nHost: h\r\n\r\n", ErrorKind::BareCr),
        ("‸ GET / HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("G‸\u{0}T / HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("GET‸\t/ HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("GET‸\r\n", ErrorKind::InvalidMethod),
        ("‸(GET) / HTTP/1.1\r\n", ErrorKind::InvalidMethod),
        ("GET ‸ / HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET /‸\u{e9} HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET /‸\u{7f} HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET /‸#a HTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET /‸\tHTTP/1.1\r\n", ErrorKind::InvalidTarget),
        ("GET /‸\r\nHost: h\r\n\r\n", ErrorKind::MissingVersion),
        ("GET /‸\nHost: h\r\n\r\n", ErrorKind::MissingVersion),
        ("GET / ‸ HTTP/1.1\r\n", ErrorKind::InvalidVersion),
        ("GET / ‸http/1.1\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1‸\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1.1‸0\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/0‸1.1\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1.‸x\r\n", ErrorKind::InvalidVersion),
        ("GET / HTTP/1.1‸ \r\n", ErrorKind::InvalidVersion),
        ("GET / ‸RTSP/1.0\r\n", ErrorKind::InvalidVersion),
        ("GET / ‸ICE/1.0\r\n", ErrorKind::InvalidVersion),
        ("GET ‸a HTTP/1.1\r\n", ErrorKind::InvalidTargetForm),
        ("GET ‸* HTTP/1.1\r\n", ErrorKind::InvalidTargetForm),
        ("GET ‸h:80 HTTP/1.1\r\n", ErrorKind::InvalidTargetForm),
        ("CONNECT ‸/ HTTP/1.1\r\n", ErrorKind::InvalidTargetForm),
    ] {
        refused(input, kind, 400);
    }
    refused("CONNECT ‸h:443 HTTP/1.1\r\n", ErrorKind::ConnectNotImplemented, 501);
    refused("PRI * ‸HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrorKind::UnsupportedVersion, 505);
    refused("GET / ‸HTTP/0.9\r\n", ErrorKind::UnsupportedVersion, 505);
}

#[test]
fn refused_fields() {
    let refused = |input: &str, kind, status| {
        refused_by(Limits::default(), &format!("GET / HTTP/1.1\r\n{input}"), kind, status);
    };
    for (input, kind) in [
        ("Host: h‸\nA: b\r\n\r\n", ErrorKind::BareLf),
        ("Host: h\r\n‸\n", ErrorKind::BareLf),
        ("Host: h‸\rA: b\r\n\r\n", ErrorKind::BareCr),
        ("Host: h\r\n‸\rA", ErrorKind::BareCr),
        ("Host: h‸\0\r\n\r\n", ErrorKind::InvalidFieldValue),
        ("Host: h‸\u{b}\r\n\r\n", ErrorKind::InvalidFieldValue),
        ("Host: h‸\u{7f}\r\n\r\n", ErrorKind::InvalidFieldValue),
        ("‸ Host: h\r\n\r\n", ErrorKind::LeadingWhitespace),
        ("Host: h\r\n‸ folded\r\n\r\n", ErrorKind::LeadingWhitespace),
        ("Host: h\r\n‸\tfolded\r\n\r\n", ErrorKind::LeadingWhitespace),
        ("Host‸ : h\r\n\r\n", ErrorKind::SpaceBeforeColon),
        ("‸: h\r\n\r\n", ErrorKind::InvalidFieldName),
        ("Ho‸/st: h\r\n\r\n", ErrorKind::InvalidFieldName),
        ("H‸\u{f6}st: h\r\n\r\n", ErrorKind::InvalidFieldName),
        ("Host‸\r\n\r\n", ErrorKind::MissingColon),
        ("A: b\r\n\r\n‸", ErrorKind::MissingHost),
        ("Host: h\r\nHost: ‸h\r\n\r\n", ErrorKind::RepeatedHost),
        ("Host: ‸\r\n\r\n", ErrorKind::InvalidHost),
        ("Host: ‸u@h\r\n\r\n", ErrorKind::InvalidHost),
        ("Host: ‸h/p\r\n\r\n", ErrorKind::InvalidHost),
        ("Host: ‸a, b\r\n\r\n", ErrorKind::InvalidHost),
        ("Host: ‸a b\r\n\r\n", ErrorKind::InvalidHost),
        ("Host: h\r\nContent-Length: ‸+5\r\n\r\n", ErrorKind::InvalidContentLength),
        ("Host: h\r\nContent-Length: 5\r\nContent-Length: ‸5\r\n\r\n", ErrorKind::RepeatedContentLength),
        ("Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: ‸chunked\r\n\r\n", ErrorKind::AmbiguousFraming),
        ("Host: h\r\nTransfer-Encoding: ‸gzip\r\n\r\n", ErrorKind::InvalidTransferEncoding),
        ("Host: h\r\nA‸", ErrorKind::Incomplete),
    ] {
        refused(input, kind, 400);
    }
    refused("Host: h\r\nContent-Length: ‸1048577\r\n\r\n", ErrorKind::BodyTooLarge, 413);
    refused("Host: h\r\nExpect: ‸200-ok\r\n\r\n", ErrorKind::UnknownExpectation, 417);
}

#[test]
fn limits_hold_at_the_byte() {
    let limits = Limits {
        empty_lines_max: 0,
        method_bytes_max: 4,
        target_bytes_max: 6,
        head_bytes_max: 57,
        field_count_max: 2,
        name_bytes_max: 5,
        value_bytes_max: 7,
        body_bytes_max: 3,
        ..Limits::default()
    };
    // Everything at its limit is accepted.
    let exact = b"POST /45678 HTTP/1.1\r\nNames:   value67\r\nHost: hhhh567\r\n\r\n";
    assert_eq!(exact.len(), limits.head_bytes_max as usize);
    assert!(matches!(whole_and_bytewise(limits, exact)[..], [Seen::Head { .. }, Seen::End { .. }]));
    for (input, kind, status) in [
        ("‸\r\nGET / HTTP/1.1\r\n", ErrorKind::TooManyEmptyLines, 400),
        ("POST‸S / HTTP/1.1\r\n", ErrorKind::MethodTooLong, 501),
        ("GET /23456‸7", ErrorKind::TargetTooLong, 414),
        ("GET / HTTP/1.1\r\nNamed‸6: a\r\n", ErrorKind::FieldNameTooLong, 431),
        ("GET / HTTP/1.1\r\nName: value67‸8", ErrorKind::FieldValueTooLong, 431),
        ("GET / HTTP/1.1\r\nA: b\r\nA: b\r\n‸A: b\r\n", ErrorKind::TooManyFields, 431),
    ] {
        refused_by(limits, input, kind, status);
    }
    let line = "GET / HTTP/1.1\r\n";
    let spaces = " ".repeat(57 - line.len() - 2);
    refused_by(limits, &format!("{line}A:{spaces}‸ "), ErrorKind::HeadTooLarge, 431);
    let tiny = Limits { head_bytes_max: 5, ..limits };
    refused_by(tiny, "GET /‸ HTTP/1.1\r\n", ErrorKind::TargetTooLong, 414);
}

#[test]
fn a_detached_head_outlives_the_buffer() {
    let mut parser = RequestParser::new(Limits::default());
    parser.buffer_mut().extend_from_slice(b"GET http://[::1]:80/p?q HTTP/1.1\r\nHost: other\r\n\r\n");
    let Ok(Some(Event::Head(head))) = parser.poll() else { panic!("a complete head") };
    let head = head.detach();
    assert!(matches!(parser.poll(), Ok(Some(Event::End { keep_alive: true }))));
    drop(parser);
    let authority = head.view().authority().unwrap();
    assert_eq!(authority.host, nalcast_core::http::Host::V6(core::net::Ipv6Addr::LOCALHOST));
    assert_eq!((authority.port, head.view().path()), (Some(80), &b"/p"[..]));
    assert_eq!((head.view().get("HOST"), head.view().get("hos")), (Some(&b"other"[..]), None));
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "GET / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "POST http://a/b?c HTTP/1.0",
        "\r\nX /y HTTP/1.3",
    ]);
    let field = prop_oneof![
        "[a-zA-Z_-]{1,12}:[ \t]{0,2}[ -~]{0,20}[ \t]{0,2}",
        prop::sample::select(vec![
            "Connection: close",
            "Connection: keep-alive, x",
            "Expect: 100-continue",
            "A: \u{e9}"
        ])
        .prop_map(str::to_owned),
    ];
    let body = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    (line, prop::collection::vec(field, 0..4), body).prop_map(|(line, fields, body)| {
        let mut out =
            format!("{line}\r\nHost: example.com\r\n{}", fields.iter().map(|f| format!("{f}\r\n")).collect::<String>());
        if let Some(body) = &body {
            out.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        [out.as_bytes(), b"\r\n", body.as_deref().unwrap_or_default()].concat()
    })
}

/// Pipelined requests, some bytes of which were changed.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let nasty = prop::sample::select(b"\r\n \t:,0\0\x7f\xe9/ACh".to_vec());
    let changes = prop::collection::vec((any::<prop::sample::Index>(), nasty, 0..3u8), 0..3);
    (prop::collection::vec(request(), 1..4), changes).prop_map(|(requests, changes)| {
        let mut bytes = requests.concat();
        for (index, byte, how) in changes {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.drain(at..(at + 2).min(bytes.len()))),
            }
            bytes.push(b'.');
        }
        bytes
    })
}

proptest! {
    #[test]
    fn events_do_not_depend_on_cuts(input in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8), small in any::<bool>()) {
        let defaults = Limits::default();
        let limits = if small { Limits { value_bytes_max: 16, head_bytes_max: 100, body_bytes_max: 10, ..defaults } } else { defaults };
        let mut cuts: Vec<usize> = cuts.iter().map(|index| index.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = whole_and_bytewise(limits, &input);
        prop_assert_eq!(drive(limits, &input, &cuts), whole);
    }

    #[test]
    fn a_request_is_read_as_it_was_meant(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 1..5)) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| {
            [format!("PUT /x HTTP/1.1\r\nHost: h\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
        }).collect();
        let found: Vec<Vec<u8>> = whole_and_bytewise(Limits::default(), &stream).into_iter().filter_map(|seen| match seen {
            Seen::Data(data) => Some(data),
            Seen::Head { .. } | Seen::Continue | Seen::Trailers(_) | Seen::Upgrade { .. } | Seen::End { .. } | Seen::Error { .. } => None,
        }).collect();
        prop_assert_eq!(found, bodies);
    }

    #[test]
    fn any_bytes_are_survived(input in prop::collection::vec(any::<u8>(), 0..200)) {
        whole_and_bytewise(Limits::default(), &input);
    }
}
