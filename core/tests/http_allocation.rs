//! A parser that has warmed up reads requests without touching the heap.

use allocation_counter::measure;
use nalcast_core::http::{Event, Limits, RequestParser};

#[path = "../benches/requests/mod.rs"]
mod requests;

/// The sizes of reads: byte by byte, odd ones, a page, and all there is.
const STEPS: [usize; 5] = [1, 7, 64, 4096, usize::MAX];

/// How often a stream is read before allocations count: the buffer finds its size, and so does the list of fields.
const WARM_UPS: usize = 4;

const WITH_LENGTH: &str = "POST /wishes HTTP/1.1\r\nHost: nalcast.test\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\
    Content-Length: 40\r\n\r\n0123456789012345678901234567890123456789";

const CHUNKED: &str = "POST /wishes HTTP/1.1\r\nHost: nalcast.test\r\nTransfer-Encoding: chunked\r\n\r\n\
    10;name=\"value\"\r\n0123456789abcdef\r\n7\r\n0123456\r\n0;last\r\nChecksum: 12345\r\nSignature: abcdef\r\n\r\n";

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: nalcast.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n";

/// What a pass over a stream came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    requests: usize,
    fields: usize,
    data_bytes: usize,
}

/// Feeds the stream `step` bytes at a time; what an event holds is dropped before the next read.
fn read(parser: &mut RequestParser, stream: &[u8], step: usize) -> Tally {
    let mut tally = Tally::default();
    for piece in stream.chunks(step) {
        parser.buffer_mut().extend_from_slice(piece);
        while let Some(event) = parser.poll().expect("valid requests") {
            match event {
                Event::Head(head) => tally.fields += head.view().fields().count(),
                Event::Data(data) => tally.data_bytes += data.len(),
                Event::Trailers(trailers) => tally.fields += trailers.fields().count(),
                Event::End { .. } => tally.requests += 1,
                Event::Continue | Event::Upgrade(_) => {}
            }
        }
    }
    tally
}

fn check(name: &str, stream: &[u8], expected: &Tally) {
    for step in STEPS {
        let mut parser = RequestParser::new(Limits::default());
        for _ in 0..WARM_UPS {
            assert_eq!(read(&mut parser, stream, step), *expected, "{name}, {step} bytes at a time");
        }
        let mut tally = Tally::default();
        let allocated = measure(|| tally = read(&mut parser, stream, step));
        assert_eq!(tally, *expected, "{name}, {step} bytes at a time");
        assert_eq!(allocated.count_total, 0, "{name}, {step} bytes at a time: {allocated:?}");
    }
}

#[test]
fn heads_are_read_without_allocation() {
    for set in requests::sets() {
        let stream = set.requests.concat();
        let lines = stream.split(|byte| *byte == b'\n').count() - 1;
        let requests = set.requests.len();
        // Of the lines of each request, the first and the last are no fields.
        check(set.name, &stream, &Tally { requests, fields: lines - 2 * requests, data_bytes: 0 });
    }
}

#[test]
fn bodies_are_read_without_allocation() {
    check("length", WITH_LENGTH.as_bytes(), &Tally { requests: 1, fields: 4, data_bytes: 40 });
    check("chunked", CHUNKED.as_bytes(), &Tally { requests: 1, fields: 4, data_bytes: 23 });
    let mixed = [WITH_LENGTH, CHUNKED, UPGRADE, CHUNKED, WITH_LENGTH, WITH_LENGTH].concat();
    check("mixed", mixed.as_bytes(), &Tally { requests: 6, fields: 3 * 4 + 2 * 4 + 3, data_bytes: 3 * 40 + 2 * 23 });
}

/// The counter counts: where bodies outlive the next reads, the buffer has to grow.
#[test]
fn what_is_kept_costs_an_allocation() {
    let mut parser = RequestParser::new(Limits::default());
    let mut kept = Vec::with_capacity(1000);
    let mut read_and_keep = |parser: &mut RequestParser| {
        for _ in 0..100 {
            parser.buffer_mut().extend_from_slice(WITH_LENGTH.as_bytes());
            while let Some(event) = parser.poll().expect("valid requests") {
                if let Event::Data(data) = event {
                    kept.push(data);
                }
            }
        }
    };
    read_and_keep(&mut parser);
    assert!(measure(|| read_and_keep(&mut parser)).count_total > 0);
    assert!(kept.iter().all(|data| data.len() == 40));
}
