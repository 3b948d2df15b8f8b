//! How the rate behaves on paths that are built for it.

mod hostile;
mod path;
mod reports;

use alloc::vec;
use alloc::vec::Vec;

use path::{MBIT, Path, Run, Sample, Source};

fn bottleneck(mbit: u64) -> Path {
    Path { capacity: vec![(0, mbit * MBIT)], ..Path::default() }
}

fn steady() -> Source {
    Source { key_interval: u64::MAX, ..Source::default() }
}

/// Runs many seeds over a path that carries far more than is sent; the milliseconds in which the rate
/// was lowered or repairs were held back.
fn lowered_ms(path: impl Fn() -> Path, fps: u64, seconds: u64) -> usize {
    let lowered = |seed| {
        let run = Run::new(path(), Source { fps, seed, key_interval: fps * 5, ..Source::default() }).until_s(seconds);
        run.samples.iter().filter(|sample| sample.estimate.is_some() || sample.is_rising).count()
    };
    (0..10).map(lowered).sum()
}

/// What arrived, percent of `rate`, in each `window` of `from..to`.
fn utilisation(run: &Run, rate: u64, from: u64, to: u64, window: u64) -> Vec<u64> {
    (from..to).step_by(window as usize).map(|at| run.percent_of(rate, at, at + window)).collect()
}

fn dropped_permille(run: &Run, from: u64, to: u64) -> u64 {
    let sum = |part: fn(&Sample) -> u64| run.during(from, to).iter().map(part).sum::<u64>();
    sum(|sample| sample.dropped) * 1_000 / sum(|sample| sample.sent)
}

fn lowest_estimate(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.estimate.unwrap_or(u64::MAX)).min().unwrap()
}

fn highest_estimate(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.estimate.unwrap_or(u64::MAX)).max().unwrap()
}

#[test]
fn a_path_that_shows_no_limit_slows_nothing_down() {
    let lowered = |path: fn() -> Path| lowered_ms(path, 30, 60);
    assert_eq!(lowered(Path::default), 0);
    assert_eq!(lowered(|| Path { drift_ppm: 100, ..Path::default() }), 0, "a clock that runs fast");
    assert_eq!(lowered(|| Path { drift_ppm: -100, ..Path::default() }), 0, "a clock that runs slow");
}

#[test]
fn random_loss_is_no_limit() {
    for loss_ppm in [20_000, 100_000, 200_000] {
        assert_eq!(lowered_ms(|| Path { loss_ppm, ..Path::default() }, 30, 30), 0, "{loss_ppm} ppm");
    }
}

#[test]
fn jitter_and_stalls_are_no_limit() {
    for fps in [5, 30, 60] {
        for (loss_ppm, reorders) in [(0, false), (0, true), (100_000, false)] {
            let path = || Path { jitter_ms: 15, reorders, loss_ppm, ..Path::default() };
            assert_eq!(lowered_ms(path, fps, 30), 0, "{fps} fps, loss {loss_ppm}, reordered: {reorders}");
        }
    }
    for stall_ms in [50, 200] {
        assert_eq!(lowered_ms(|| Path { stall_ms, ..Path::default() }, 30, 30), 0, "{stall_ms} ms");
    }
}

#[test]
fn a_bottleneck_is_used_and_its_queue_kept_short() {
    for (delay, queue_max, p95_max) in [(1, 100, 60), (20, 100, 60), (150, 130, 80)] {
        let path = || Path { delay_ms: vec![(0, delay)], ..bottleneck(2) };
        let run = Run::new(path(), steady()).until_s(60);
        let used = utilisation(&run, 2 * MBIT, 5_000, 60_000, 1_000);
        assert!(used.iter().all(|percent| (80..=105).contains(percent)), "delay {delay}: {used:?}");
        let estimates = (lowest_estimate(run.during(2_000, 60_000)), highest_estimate(run.during(2_000, 60_000)));
        assert!(estimates.0 >= 2 * MBIT * 80 / 100 && estimates.1 <= 2 * MBIT * 135 / 100, "{estimates:?}");
        assert!(run.queue_ms_max(2_000, 60_000) < queue_max, "{} ms", run.queue_ms_max(2_000, 60_000));
        let run = Run::new(path(), Source::default()).until_s(60);
        let p95 = run.queue_ms_p95(3_000, 60_000);
        assert!(p95 <= p95_max, "with key frames: {p95} ms");
    }
}

#[test]
fn jitter_and_loss_at_a_bottleneck_change_little() {
    for (jitter_ms, reorders, loss_ppm) in [(15, false, 0), (15, true, 0), (0, false, 100_000)] {
        let run = Run::new(Path { jitter_ms, reorders, loss_ppm, ..bottleneck(2) }, steady()).until_s(60);
        let used = run.percent_of(2 * MBIT, 5_000, 60_000) * 1_000_000 / (1_000_000 - u64::from(loss_ppm));
        assert!((80..=105).contains(&used), "{jitter_ms} ms, {loss_ppm} ppm: {used} %");
        assert!(run.queue_ms_max(3_000, 60_000) < 100, "{} ms", run.queue_ms_max(3_000, 60_000));
    }
}

#[test]
fn the_rate_follows_steps() {
    let path = Path { capacity: vec![(0, 4 * MBIT), (20_000, MBIT), (40_000, 4 * MBIT)], ..Path::default() };
    let run = Run::new(path, steady()).until_s(70);
    assert!(run.queue_ms_max(22_000, 40_000) < 100, "{} ms", run.queue_ms_max(22_000, 40_000));
    let used = utilisation(&run, MBIT, 25_000, 40_000, 1_000);
    assert!(used.iter().all(|percent| (80..=105).contains(percent)), "{used:?}");
    let used = utilisation(&run, 4 * MBIT, 40_000, 70_000, 1_000);
    let recovered = used.iter().position(|percent| *percent >= 80).unwrap();
    assert!(recovered <= 10, "{recovered} s: {used:?}");
    assert!(run.queue_ms_max(40_000, 70_000) < 100, "{} ms", run.queue_ms_max(40_000, 70_000));
}

#[test]
fn a_deep_queue_is_drained() {
    let path = Path { capacity: vec![(0, 4 * MBIT), (10_000, MBIT)], queue_ms: 5_000, ..Path::default() };
    let run = Run::new(path, steady()).until_s(20);
    assert!(run.queue_ms_max(10_000, 20_000) < 800, "{} ms", run.queue_ms_max(10_000, 20_000));
    assert!(run.during(10_250, 11_000).iter().all(|sample| sample.is_rising), "a queue, though it shrinks");
    assert!(run.queue_ms_max(12_000, 20_000) < 100, "{} ms", run.queue_ms_max(12_000, 20_000));
}

#[test]
fn a_source_that_does_not_obey_is_held_back_by_pacing() {
    let run = Run::new(bottleneck(2), Source { obeys: false, ..steady() }).until_s(30);
    assert!(lowest_estimate(run.during(2_000, 30_000)) >= 2 * MBIT * 80 / 100);
    assert!(run.queue_ms_max(3_000, 30_000) < 100, "{} ms", run.queue_ms_max(3_000, 30_000));
    assert_eq!(dropped_permille(&run, 3_000, 30_000), 0);
}

#[test]
fn an_outage_costs_little_more_than_itself() {
    for (path, rate) in [(Path::default(), 4 * MBIT), (bottleneck(2), 2 * MBIT)] {
        let run = Run::new(Path { blackout: (15_000, 16_000), ..path }, steady()).until_s(20);
        let before = run.samples[14_999].estimate;
        assert!(lowest_estimate(run.during(15_950, 15_999)) <= rate / 4, "the rate falls in the dark");
        assert_eq!(run.samples[16_100].estimate.is_some(), before.is_some());
        assert!(run.samples[16_100].estimate >= before.map(|rate| rate * 95 / 100));
        let used = run.percent_of(rate, 16_100, 18_000);
        assert!(used >= 80, "{used} %");
    }
}

#[test]
fn a_policer_is_found_and_random_loss_told_from_it() {
    let run = Run::new(Path { polices: true, ..bottleneck(2) }, steady()).until_s(60);
    let used = run.percent_of(2 * MBIT, 5_000, 60_000);
    assert!(used >= 80, "{used} %");
    let dropped = dropped_permille(&run, 5_000, 60_000);
    assert!(dropped <= 50, "{dropped} of 1000");
    let run = Run::new(Path { loss_ppm: 400_000, ..Path::default() }, steady()).until_s(30);
    let lowered = run.samples.iter().filter(|sample| sample.estimate.is_some()).count();
    assert!((1..2_500).contains(&lowered), "{lowered} ms");
}

#[test]
fn a_shallow_queue_is_a_limit_too() {
    let run = Run::new(Path { queue_ms: 30, ..bottleneck(2) }, steady()).until_s(30);
    let used = run.percent_of(2 * MBIT, 3_000, 30_000);
    assert!((80..=105).contains(&used), "{used} %");
    let dropped = dropped_permille(&run, 3_000, 30_000);
    assert!(dropped <= 30, "{dropped} of 1000");
}

#[test]
fn a_moment_of_delay_is_forgotten_at_once() {
    let path = Path { delay_ms: vec![(0, 20), (5_000, 70), (5_170, 20)], ..Path::default() };
    let run = Run::new(path, steady()).until_s(10);
    let lowered = run.samples.iter().filter(|sample| sample.estimate.is_some()).count();
    assert!((1..150).contains(&lowered), "{lowered} ms");
}

#[test]
fn a_longer_path_is_no_queue() {
    let run = Run::new(Path { delay_ms: vec![(0, 20), (5_000, 100)], ..Path::default() }, steady()).until_s(10);
    let lowered = run.samples.iter().filter(|sample| sample.estimate.is_some()).count();
    assert!(lowered < 1_500, "{lowered} ms");
}

#[test]
fn an_estimate_is_bounded_by_what_arrives_and_forgotten_when_it_holds_nobody_back() {
    let path = Path { capacity: vec![(0, MBIT / 2), (10_000, 100 * MBIT)], ..Path::default() };
    let run = Run::new(path, Source { wish: MBIT, ..steady() }).until_s(60);
    let limited: Vec<Sample> =
        run.during(10_000, 60_000).iter().copied().take_while(|sample| sample.estimate.is_some()).collect();
    assert!((30_000..48_000).contains(&limited.len()), "{} ms", limited.len());
    let highest = highest_estimate(&limited);
    assert!((MBIT * 14 / 10..MBIT * 18 / 10).contains(&highest), "{highest}");
    assert!(run.during(59_000, 60_000).iter().all(|sample| sample.estimate.is_none()));
}
