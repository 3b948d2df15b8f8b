//! The speed of the erasure code, in bytes of data times rows.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::Rng;
use nalcast_core::fec::{Decoder, Encoder, Layout, Symbol};

/// What a datagram of 1200 bytes carries of a frame.
const SEGMENT: usize = 1175;

fn frame(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count * SEGMENT];
    Rng::new(1).fill(&mut bytes);
    bytes
}

fn encode(bytes: &[u8], row: u16, out: &mut [u8]) {
    let layout = Layout::new((bytes.len() / SEGMENT) as u16);
    let mut encoder = Encoder::new(layout, row, out).expect("a row of the frame");
    (0..).zip(bytes.chunks(SEGMENT)).for_each(|(index, fragment)| encoder.add(index, 0, fragment));
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fec_encode");
    for count in [10, 40, 128] {
        let bytes = frame(count);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut out = [0; SEGMENT];
        for row in [0, 1] {
            let id = BenchmarkId::new(format!("row_{row}"), count);
            group.bench_function(id, |bencher| bencher.iter(|| encode(&bytes, row, &mut out)));
        }
    }
    group.finish();
}

/// The rows are the last ones, none of which is an exclusive or.
fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fec_decode");
    for (count, lost) in [(10, 1), (10, 4), (40, 1), (40, 4), (40, 16), (128, 1), (128, 4), (128, 16)] {
        let mut bytes = frame(count);
        let first = 128 - lost as u16;
        let mut rows = vec![0; lost * SEGMENT];
        (first..).zip(rows.chunks_mut(SEGMENT)).for_each(|(row, out)| encode(&bytes, row, out));
        let mut decoder = Decoder::default();
        group.throughput(Throughput::Bytes((bytes.len() * lost) as u64));
        group.bench_function(BenchmarkId::new(format!("{lost}_lost"), count), |bencher| {
            bencher.iter(|| {
                let mut have = [u64::MAX << lost, u64::MAX];
                let symbols = || (first..).zip(rows.chunks(SEGMENT)).map(|(row, bytes)| Symbol { row, bytes });
                assert!(decoder.decode(count as u16, SEGMENT, &mut bytes, &mut have, symbols));
            });
        });
        assert!(bytes == frame(count));
    }
    group.finish();
}

criterion_group!(benches, encoding, decoding);
criterion_main!(benches);
