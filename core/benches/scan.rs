//! Bytes a second through the NAL scanner, which looks at every byte.

use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::nal::{Codec, Inspector, annexb};

#[path = "../tests/world/oracle.rs"]
mod oracle;

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

criterion_group!(benches, nal);
criterion_main!(benches);
