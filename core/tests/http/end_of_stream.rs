//! The end of the stream at every place, and what a failed or finished parser does.

use nalcast_core::http::ErrorKind;

use crate::harness::{Seen, Setup, in_words, refused};

const STREAMS: [&str; 5] = [
    "\r\nGET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nabcdeGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n1\r\nd\r\n0;z\r\nA: b\r\nC: d\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "PUT /x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nabPUT /x HTTP/1.0\r\n\r\nignored",
];

#[test]
fn a_stream_that_ends_inside_a_request_is_incomplete() {
    for stream in STREAMS {
        let whole = Setup::default().see(stream.as_bytes());
        assert!(matches!(whole.last(), Some(Seen::End { .. })), "{stream:?}");
        let (starts, ends) = request_starts_and_ends(stream);
        for length in 0..=stream.len() {
            let seen = Setup::default().see(&stream.as_bytes()[..length]);
            let is_between = length == 0 || starts.contains(&length) || ends.last().is_some_and(|last| length >= *last);
            let incomplete = Seen::Error { kind: ErrorKind::Incomplete, offset: length as u64 };
            assert_eq!(seen.last() != Some(&incomplete), is_between, "{length} of {stream:?}: {}", in_words(&seen));
            let ended = seen.iter().filter(|seen| matches!(seen, Seen::End { .. })).count();
            assert_eq!(ended, ends.iter().filter(|end| **end <= length).count(), "{length} of {stream:?}");
            let before = if is_between { &seen[..] } else { &seen[..seen.len() - 1] };
            assert!(is_start_of(before, &whole), "{length} of {stream:?}: {}", in_words(&seen));
        }
    }
}

/// Where requests start, told by their methods, and where they end: at the start of the next one.
fn request_starts_and_ends(stream: &str) -> (Vec<usize>, Vec<usize>) {
    let methods = ["GET ", "POST ", "PUT "];
    let is_start = |at: &usize| methods.iter().any(|method| stream[*at..].starts_with(method));
    let starts: Vec<usize> = (0..stream.len()).filter(is_start).collect();
    let mut ends = starts[1..].to_vec();
    ends.push(stream.find("ignored").unwrap_or(stream.len()));
    (starts, ends)
}

/// Only the data that came last may be less.
fn is_start_of(seen: &[Seen], whole: &[Seen]) -> bool {
    match (seen, whole) {
        ([], _) => true,
        ([Seen::Data(part)], [Seen::Data(data), ..]) => data.starts_with(part),
        ([first, rest @ ..], [other, others @ ..]) => first == other && is_start_of(rest, others),
        ([_, ..], []) => false,
    }
}

#[test]
fn a_head_that_breaks_off_is_incomplete() {
    for input in
        ["G‸", "GET‸", "GET ‸", "GET / HTTP/1.1‸", "GET / HTTP/1.1\r‸", "\r‸", "GET / HTTP/1.1\r\nHost: h\r\nA‸"]
    {
        refused(input, ErrorKind::Incomplete, 400);
    }
}

#[test]
fn a_stream_may_end_between_requests() {
    for input in ["", "\r\n", "\r\n\r\n"] {
        assert_eq!(Setup::default().see(input.as_bytes()), []);
    }
    let mut parser = Setup::default().parser();
    assert!(parser.wants_bytes());
    assert_eq!(parser.finish(), Ok(()));
    assert_eq!(parser.finish(), Ok(()));
    assert!(!parser.wants_bytes());
    // What comes after the end is not looked at.
    parser.buffer_mut().extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    assert!(matches!(parser.poll(), Ok(None)));
    assert!(parser.buffer_mut().is_empty());
}

/// The driver sees to it that every other error stays, too; this one is told in full.
#[test]
fn a_parser_that_failed_stays_failed() {
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(b"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n");
    let Err(error) = parser.poll() else { panic!("a space before the colon") };
    assert_eq!((error.kind(), error.offset()), (ErrorKind::SpaceBeforeColon, 26));
    assert_eq!((error.status().code(), error.close()), (400, true));
    assert_eq!(
        error.to_string(),
        "whitespace stands between a field name and its colon (at byte 26 of the connection)"
    );
    assert!(!parser.wants_bytes());
    parser.buffer_mut().extend_from_slice(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(parser.poll().is_err_and(|again| again == error));
    assert_eq!(parser.finish(), Err(error));
    assert!(!parser.wants_bytes());
}

#[test]
fn finishing_before_the_events_are_taken_is_incomplete() {
    let request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
    let mut parser = Setup::default().parser();
    parser.buffer_mut().extend_from_slice(request);
    for _ in 0..2 {
        assert!(matches!(parser.poll(), Ok(Some(_))));
    }
    let error = parser.finish().unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Incomplete, request.len() as u64));
}
