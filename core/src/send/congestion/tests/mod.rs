//! How the rate behaves on paths that are built for it.

extern crate std;
mod path;

use alloc::vec;
use std::println;

use path::{MBIT, Path, Run, Source};

fn show(name: &str, run: &Run) {
    for second in 0..run.samples.len() as u64 / 1_000 {
        let (from, to) = (second * 1_000, second * 1_000 + 1_000);
        let last = run.samples[to as usize - 1];
        let sum = |f: fn(&path::Sample) -> u64| run.during(from, to).iter().map(f).sum::<u64>() * 8 / 1000;
        println!("{name} {second:3}: est {:?} sent {} delivered {} dropped {} queue max {} p95 {} rising {}",
            last.estimate.map(|e| e * 8 / 1000), sum(|s| s.sent), sum(|s| s.delivered), sum(|s| s.dropped), run.queue_ms_max(from, to), run.queue_ms_p95(from, to),
            run.during(from, to).iter().filter(|s| s.is_rising).count());
    }
}

#[test]
fn explore() {
    let run = Run::new(Path::default(), Source::default()).until_s(20);
    show("clean", &run);
    let run = Run::new(Path { capacity: vec![(0, 2 * MBIT)], ..Path::default() }, Source::default()).until_s(60);
    show("two", &run);
    let run = Run::new(Path { capacity: vec![(0, 2 * MBIT)], ..Path::default() }, Source { obeys: false, ..Source::default() }).until_s(20);
    show("disobey", &run);
    let run = Run::new(Path { capacity: vec![(0, 4 * MBIT), (20_000, MBIT), (40_000, 4 * MBIT)], ..Path::default() }, Source::default()).until_s(70);
    show("step", &run);
    let run = Run::new(Path { loss_ppm: 100_000, ..Path::default() }, Source::default()).until_s(20);
    show("loss10", &run);
    for reorders in [false, true] {
    let run = Run::new(Path { jitter_ms: 15, reorders, ..Path::default() }, Source::default()).until_s(20);
    show("jitter", &run);
    }
    let run = Run::new(Path { blackout: (5_000, 6_000), ..Path::default() }, Source::default()).until_s(10);
    show("black", &run);
    let run = Run::new(Path { capacity: vec![(0, 2 * MBIT)], blackout: (15_000, 16_000), ..Path::default() }, Source::default()).until_s(20);
    show("black2", &run);
    let run = Run::new(Path { capacity: vec![(0, 2 * MBIT)], polices: true, ..Path::default() }, Source::default()).until_s(40);
    show("police", &run);
    let run = Run::new(Path { loss_ppm: 400_000, ..Path::default() }, Source::default()).until_s(30);
    show("loss40", &run);
    let run = Run::new(Path { delay_ms: vec![(0, 20), (5_000, 100)], ..Path::default() }, Source::default()).until_s(15);
    show("longer", &run);
    let run = Run::new(Path { drift_ppm: 100, ..Path::default() }, Source::default()).until_s(15);
    show("drift", &run);
}
