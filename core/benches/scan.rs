//! Bytes a second through what looks at every byte: the NAL scanner, and the head of a browser's request.

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::http::{Event, Limits, RequestParser};
use nalcast_core::nal::{Codec, Inspector, annexb};

#[path = "../tests/world/oracle.rs"]
mod oracle;

const REQUEST: &[u8] = b"GET /metrics?format=text HTTP/1.1\r\n\
    Host: 192.168.1.20:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: none\r\n\
    \r\n";

fn nal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("nal");
    for len in [1_000, 60_000, 1_000_000] {
        let unit = oracle::unit(oracle::Kind::Key, 1, len);
        group.throughput(Throughput::Bytes(unit.len() as u64));
        group.bench_function(format!("scan/{len}"), |bencher| {
            bencher.iter(|| annexb::nal_units(black_box(&unit)).count());
        });
        group.bench_function(format!("inspect/{len}"), |bencher| {
            let mut inspector = Inspector::new(Codec::H264);
            bencher.iter(|| inspector.inspect(black_box(&unit)));
        });
    }
    group.finish();
}

fn http(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("browser_request", |bencher| {
        let mut parser = RequestParser::new(Limits::default());
        bencher.iter(|| {
            parser.buffer_mut().extend_from_slice(black_box(REQUEST));
            let mut heads = 0;
            while let Ok(Some(event)) = parser.poll() {
                heads += usize::from(matches!(event, Event::Head(_)));
            }
            assert_eq!(heads, 1);
        });
    });
    group.finish();
}

criterion_group!(benches, nal, http);
criterion_main!(benches);
