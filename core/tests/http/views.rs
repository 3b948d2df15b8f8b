//! What a head tells about itself: its target in parts, its fields by name.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;

use nalcast_core::http::{Authority, Event, Host, KnownName, OwnedHead, Version};

use crate::harness::Setup;

/// The head of a request, which a parser accepts.
fn head(request: &str) -> OwnedHead {
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(request.as_bytes());
    let Ok(Some(Event::Head(head))) = parser.poll() else { panic!("{request:?} is a complete head") };
    head.detach()
}

fn get(target: &str) -> OwnedHead {
    head(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"))
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).expect("ASCII, or UTF-8 that was decoded")
}

#[test]
fn paths_and_queries() {
    for (target, path, query) in [
        ("/", "/", None),
        ("/a/b", "/a/b", None),
        ("/a?", "/a", Some("")),
        ("/a?b=c?d/e", "/a", Some("b=c?d/e")),
        ("/%2F%zz?%", "/%2F%zz", Some("%")),
        ("//a//b/../c", "//a//b/../c", None),
        ("http://h", "/", None),
        ("http://h/", "/", None),
        ("http://h?b", "/", Some("b")),
        ("http://h:80/a?b", "/a", Some("b")),
        ("/http://h/a", "/http://h/a", None),
    ] {
        let head = get(target);
        assert_eq!((text(head.view().path()), head.view().query().map(text)), (path, query), "{target}");
        assert_eq!(text(head.view().target()), target);
    }
    assert_eq!(head("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").view().path(), b"*");
}

#[test]
fn decoded_paths() {
    for (target, expected) in [
        ("/a+b", Ok("/a+b")),
        ("/a%20b%C3%a9?%zz", Ok("/a b\u{e9}")),
        ("/%2e%2E/x", Ok("/../x")),
        ("/%3f%23", Ok("/?#")),
        ("/%25%32%46", Ok("/%2F")),
        ("http://h/%41", Ok("/A")),
        ("http://h", Ok("/")),
        ("/%", Err(1)),
        ("/a%4", Err(2)),
        ("/a%4?b", Err(2)),
        ("/%4g", Err(1)),
        ("/%g4", Err(1)),
        ("/%+1", Err(1)),
        ("/%41%%", Err(4)),
        ("/a%2Fb", Err(2)),
        ("/a%2f", Err(2)),
        ("/%00", Err(1)),
        ("http://h/a%2f", Err(2)),
    ] {
        let head = get(target);
        let found = head.view().decoded_path();
        let found = found.as_deref().map(text).map_err(|error| error.offset());
        assert_eq!(found, expected, "{target}");
    }
    assert!(matches!(get("/plain?%41").view().decoded_path(), Ok(Cow::Borrowed(b"/plain"))));
    assert_eq!(get("/%ff").view().decoded_path().unwrap()[..], *b"/\xff");
    assert_eq!(
        get("/a%2f").view().decoded_path().unwrap_err().to_string(),
        "a percent sign (at byte 2) does not start an escape that is allowed here"
    );
}

#[test]
fn query_pairs() {
    let check = |target: &str, expected: &[Result<(&str, &str), usize>]| {
        let head = get(target);
        let found: Vec<_> = head.view().query_pairs().collect();
        let found: Vec<_> = found
            .iter()
            .map(|pair| match pair {
                Ok((name, value)) => Ok((text(name), text(value))),
                Err(error) => Err(error.offset()),
            })
            .collect();
        assert_eq!(found, expected, "{target}");
    };
    check("/", &[]);
    check("/?", &[]);
    check("/?&&", &[]);
    check("/?a", &[Ok(("a", ""))]);
    check("/?=", &[Ok(("", ""))]);
    check("/?a=1&b=2&a=3", &[Ok(("a", "1")), Ok(("b", "2")), Ok(("a", "3"))]);
    check("/?&=x&&a=b=c&", &[Ok(("", "x")), Ok(("a", "b=c"))]);
    check("/%zz?a+b=%2B+%26&%00=%2f?", &[Ok(("a b", "+ &")), Ok(("\0", "/?"))]);
    check("http://h?a=%41", &[Ok(("a", "A"))]);
    // One bad pair does not hide the others; the offset counts from the start of the query.
    check("/?a=%4&b=1&%zz=2&c=3", &[Err(2), Ok(("b", "1")), Err(9), Ok(("c", "3"))]);
    check("/?%=%&x=%4", &[Err(0), Err(6)]);
    let head = get("/?a=b+c");
    let pair = head.view().query_pairs().next().unwrap().unwrap();
    assert!(matches!(pair, (Cow::Borrowed(b"a"), Cow::Owned(value)) if value == b"b c"));
}

#[test]
fn authorities() {
    let name = |name, port| Some(Authority { host: Host::Name(name), port });
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", name("example.com", None)),
        ("GET / HTTP/1.1\r\nHost: Example.COM:8080\r\n\r\n", name("Example.COM", Some(8080))),
        ("GET / HTTP/1.1\r\nHost: h:\r\n\r\n", name("h", None)),
        ("GET / HTTP/1.1\r\nHost: h:00080\r\n\r\n", name("h", Some(80))),
        ("GET / HTTP/1.1\r\nHost: 1.2.3\r\n\r\n", name("1.2.3", None)),
        // The target wins over Host.
        ("GET http://a:1/b HTTP/1.1\r\nHost: other\r\n\r\n", name("a", Some(1))),
        ("GET http://a HTTP/1.0\r\n\r\n", name("a", None)),
        ("OPTIONS * HTTP/1.1\r\nA: b\r\nhost: h\r\nB: c\r\n\r\n", name("h", None)),
        ("GET / HTTP/1.0\r\nA: b\r\n\r\n", None),
        (
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n\r\n",
            Some(Authority { host: Host::V4(Ipv4Addr::LOCALHOST), port: Some(65535) }),
        ),
        (
            "GET http://[::1]:80?q HTTP/1.1\r\nHost: other\r\n\r\n",
            Some(Authority { host: Host::V6(Ipv6Addr::LOCALHOST), port: Some(80) }),
        ),
    ] {
        assert_eq!(head(request).view().authority(), expected, "{request:?}");
    }
}

#[test]
fn fields_by_name() {
    let head = head("GET / HTTP/1.1\r\nAb-C: 1\r\nhOST: h\r\nX:\r\naB-c: 2\r\n\r\n");
    let view = head.view();
    for name in ["ab-c", "AB-C", "Ab-C"] {
        assert_eq!(view.get(name), Some(&b"1"[..]), "the first of two");
    }
    assert_eq!((view.get("HOST"), view.get("x")), (Some(&b"h"[..]), Some(&b""[..])));
    for name in ["", "ab", "ab-", "ab-cd", "ab_c", "hos", "hosts"] {
        assert_eq!(view.get(name), None, "{name:?}");
    }
    let offsets: Vec<_> = view.fields().map(|field| (text(field.name), field.value_offset)).collect();
    assert_eq!(offsets, [("Ab-C", 22), ("hOST", 31), ("X", 36), ("aB-c", 44)]);
}

#[test]
fn trailers_by_name() {
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(
        b"POST / HTTP/1.1\r\nHost: h\r\nA: head\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nB: 1\r\nb: 2\r\n\r\n",
    );
    assert!(matches!(parser.poll(), Ok(Some(Event::Head(_)))));
    let Ok(Some(Event::Trailers(trailers))) = parser.poll() else { panic!("trailers") };
    assert_eq!((trailers.get("B"), trailers.get("b")), (Some(&b"1"[..]), Some(&b"1"[..])));
    assert_eq!((trailers.get("A"), trailers.get("Host")), (None, None), "the head has fields of its own");
    assert_eq!(trailers.fields().count(), 2);
}

#[test]
fn known_names() {
    let names = [
        ("Host", KnownName::Host),
        ("Expect", KnownName::Expect),
        ("Upgrade", KnownName::Upgrade),
        ("Connection", KnownName::Connection),
        ("Content-Length", KnownName::ContentLength),
        ("Transfer-Encoding", KnownName::TransferEncoding),
    ];
    for (name, known) in names {
        for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            assert_eq!(KnownName::of(spelling.as_bytes()), known, "{spelling}");
        }
        // No byte less, more or other.
        for at in 0..name.len() {
            let (start, end) = (&name[..at], &name[at + 1..]);
            for other in [format!("{start}{end}"), format!("{start}_{end}"), format!("{start}~{}", &name[at..])] {
                assert_eq!(KnownName::of(other.as_bytes()), KnownName::Other, "{other}");
            }
        }
        let long = format!("{name}{}", "x".repeat(32));
        assert_eq!(KnownName::of(long.as_bytes()), KnownName::Other, "{long}");
    }
    for name in ["", "a", "hos", "Cookie", "Content-Type"] {
        assert_eq!(KnownName::of(name.as_bytes()), KnownName::Other, "{name}");
    }
}

#[test]
fn a_detached_head_outlives_the_buffer() {
    let request = "GET http://[::1]:80/p?q HTTP/1.1\r\nHost: other\r\n\r\n";
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(request.as_bytes());
    let Ok(Some(Event::Head(head))) = parser.poll() else { panic!("a complete head") };
    assert_eq!((head.offset(), head.keep_alive(), head.expects_continue()), (0, true, false));
    let head = head.detach();
    assert!(matches!(parser.poll(), Ok(Some(Event::End { keep_alive: true }))));
    drop(parser);
    let view = head.view();
    assert_eq!(view.bytes(), request.as_bytes());
    assert_eq!((text(view.method()), view.version()), ("GET", Version::Http11));
    let authority = view.authority().unwrap();
    assert_eq!((authority.host, authority.port), (Host::V6(Ipv6Addr::LOCALHOST), Some(80)));
    assert_eq!((view.path(), view.query()), (&b"/p"[..], Some(&b"q"[..])));
    assert_eq!((view.get("HOST"), view.get("hos")), (Some(&b"other"[..]), None));
}
