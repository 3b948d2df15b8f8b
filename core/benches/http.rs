//! Nanoseconds a request: this parser, which decides the framing too, beside httparse, which parses heads only.
//!
//! Both parse pipelines of requests that are in memory already, as after a read; what is taken from each request is
//! the number of its fields. At the end both are timed in turn, and the table shows the best of many rounds.
#![expect(clippy::disallowed_types, reason = "the core has no clock, but here it is timed")]

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::time::Duration;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use nalcast_core::http::{Event, Limits, RequestParser};

mod requests;

/// About as much as one read takes.
const PIPELINE_BYTES: usize = 32 << 10;
const ROUNDS: usize = 201;
/// Fields of one request that httparse has room for.
const FIELDS_MAX: usize = 64;

/// The requests of a set, again and again.
struct Pipeline {
    name: &'static str,
    stream: Vec<u8>,
    requests: usize,
}

fn pipelines() -> Vec<Pipeline> {
    let pipeline = |set: requests::Set| {
        let once = set.requests.concat();
        let copies = PIPELINE_BYTES.div_ceil(once.len());
        Pipeline { name: set.name, stream: once.repeat(copies), requests: set.requests.len() * copies }
    };
    requests::sets().into_iter().map(pipeline).collect()
}

#[inline(never)]
fn parse_with_httparse(mut stream: &[u8]) -> usize {
    let mut fields = 0;
    while !stream.is_empty() {
        let mut headers = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(stream, &mut headers) {
            Ok(httparse::Status::Complete(length)) => {
                fields += black_box(&request).headers.len();
                stream = &stream[length..];
            }
            other => panic!("{other:?}"),
        }
    }
    fields
}

#[inline(never)]
fn parse(parser: &mut RequestParser) -> usize {
    let mut fields = 0;
    loop {
        match parser.poll() {
            Ok(Some(Event::Head(head))) => fields += black_box(&head).view().fields().len(),
            Ok(Some(_)) => {}
            Ok(None) => return fields,
            Err(error) => panic!("{error}"),
        }
    }
}

fn time_httparse(pipeline: &Pipeline) -> Duration {
    let start = Instant::now();
    black_box(parse_with_httparse(black_box(&pipeline.stream)));
    start.elapsed()
}

fn time(pipeline: &Pipeline, parser: &mut RequestParser) -> Duration {
    parser.buffer_mut().extend_from_slice(&pipeline.stream);
    let start = Instant::now();
    black_box(parse(black_box(parser)));
    start.elapsed()
}

/// A head of `bytes` bytes that arrives byte by byte.
fn time_bytewise(head: &[u8]) -> Duration {
    let limits = Limits { head_bytes_max: 1 << 20, field_count_max: 1 << 16, ..Limits::default() };
    let mut parser = RequestParser::new(limits);
    let mut fields = 0;
    let start = Instant::now();
    for byte in head {
        parser.buffer_mut().extend_from_slice(&[*byte]);
        fields += parse(&mut parser);
    }
    let time = start.elapsed();
    assert!(fields > 0, "the head is complete");
    time
}

fn long_head(bytes: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: nalcast.test\r\n".to_vec();
    while head.len() + 4 < bytes {
        let room = bytes - head.len() - 4;
        let value = "v".repeat(room.min(600).saturating_sub("Name: ".len()));
        head.extend_from_slice(format!("Name: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn criterion_benches(criterion: &mut Criterion) {
    for pipeline in pipelines() {
        let mut group = criterion.benchmark_group(format!("http/{}", pipeline.name));
        group.throughput(Throughput::Bytes(pipeline.stream.len() as u64));
        group.bench_function("httparse", |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| time_httparse(&pipeline)).sum());
        });
        let mut parser = RequestParser::new(Limits::default());
        group.bench_function("nalcast", |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| time(&pipeline, &mut parser)).sum());
        });
        group.finish();
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn print_table() {
    println!("\nns a request, the best of {ROUNDS} rounds in turn; framing is decided by nalcast alone");
    println!("{:<12} {:>6} {:>9} {:>9} {:>6}", "requests", "bytes", "httparse", "nalcast", "ratio");
    for pipeline in pipelines() {
        let mut parser = RequestParser::new(Limits::default());
        let (mut theirs, mut ours) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            for _ in 0..8 {
                theirs = theirs.min(time_httparse(&pipeline));
            }
            for _ in 0..8 {
                ours = ours.min(time(&pipeline, &mut parser));
            }
        }
        let each = |time: Duration| time.as_nanos() as f64 / pipeline.requests as f64;
        let bytes = pipeline.stream.len() / pipeline.requests;
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("{:<12} {bytes:>6} {:>9.1} {:>9.1} {ratio:>6.2}", pipeline.name, each(theirs), each(ours));
    }
    println!("\none byte at a time, ns a byte");
    for bytes in [720, 4 << 10, 16 << 10, 64 << 10] {
        let head = long_head(bytes);
        let best = (0..ROUNDS).map(|_| time_bytewise(&head)).min().unwrap_or_default();
        println!("{:<12} {:>6.2}", head.len(), best.as_nanos() as f64 / head.len() as f64);
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    criterion_benches(&mut criterion);
    criterion.final_summary();
    // `cargo test` only wants to see that it runs.
    if std::env::args().any(|argument| argument == "--bench") {
        print_table();
    }
}
