//! The outer ring: the shells' own loops, the same checkers, faults on and then off.

use core::time::Duration;

use nalcast_core::recv::EndReason;
use sim::link::{LinkConfig, LossModel};
use sim::outer::{OuterReport, OuterScenario, OuterViewer, run};
use sim::scenario::clean;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn scenario(seed: u64, viewers: usize, path: &LinkConfig) -> OuterScenario {
    OuterScenario {
        seed,
        viewers: vec![OuterViewer::new(path.clone(), path.clone()); viewers],
        crash: None,
        faults_end: MS(5_000),
        source_ends: MS(9_000),
    }
}

/// Runs a scenario with two seeds: every law holds, and every viewer has fresh frames after the faults and the end.
fn check(build: impl Fn(u64) -> OuterScenario) -> Vec<OuterReport> {
    let mut last = Vec::new();
    for seed in [1, 2] {
        let scenario = build(seed);
        last = run(&scenario).unwrap_or_else(|violations| panic!("seed {seed}: {}", violations.join("\n")));
        for (i, viewer) in last.iter().enumerate() {
            let fresh = viewer.released.iter().filter(|(at, _)| *at > scenario.faults_end).count();
            assert!(fresh > 30, "seed {seed}: viewer {i} had {fresh} frames after the faults: {viewer:?}");
            assert_eq!(viewer.end, Some(EndReason::EndOfStream), "seed {seed}: viewer {i}");
        }
    }
    last
}

#[test]
fn clean_network() {
    for viewer in check(|seed| scenario(seed, 2, &clean(10))) {
        assert_eq!((viewer.abandoned, viewer.sessions), (0, 1));
    }
}

#[test]
fn five_percent_loss() {
    check(|seed| scenario(seed, 2, &LinkConfig { loss: LossModel::Independent { ppm: 50_000 }, ..clean(20) }));
}

#[test]
fn burst_loss() {
    check(|seed| scenario(seed, 2, &LinkConfig { loss: LossModel::runs(100, 8), ..clean(20) }));
}

#[test]
fn reordering_duplication_and_jitter() {
    let path = LinkConfig {
        jitter: MS(10),
        jitter_reorders: true,
        hold_back_ppm: 20_000,
        hold_back_max: MS(15),
        duplicate_ppm: 100_000,
        duplicate_spread: MS(20),
        ..clean(20)
    };
    check(|seed| scenario(seed, 2, &path));
}

#[test]
fn corruption() {
    check(|seed| scenario(seed, 2, &LinkConfig { corrupt_ppm: 20_000, truncate_ppm: 10_000, ..clean(20) }));
}

#[test]
fn bottleneck_queue() {
    let reports = check(|seed| scenario(seed, 1, &LinkConfig { rate_bps: 900_000, queue_bytes: 20_000, ..clean(20) }));
    // A source that makes what it likes gets no more than three fifths of its pictures through.
    assert!(reports[0].released.len() > 190, "{} of 270 pictures", reports[0].released.len());
}

#[test]
fn partition_and_heal() {
    let reports = check(|seed| {
        let mut scenario = scenario(seed, 2, &clean(10));
        scenario.viewers[0].cut = Some((MS(2_000), MS(4_500)));
        scenario
    });
    assert_eq!(reports[0].sessions, 1);
    assert_eq!(reports[1].abandoned, 0, "the other viewer notices nothing");
}

#[test]
fn server_crash_and_restart() {
    let reports = check(|seed| {
        let mut scenario = scenario(seed, 2, &clean(10));
        scenario.crash = Some((MS(2_000), MS(3_000)));
        scenario.source_ends = MS(25_000);
        scenario
    });
    assert!(reports.iter().all(|viewer| viewer.sessions == 2), "{:?}", reports[0].sessions);
}

#[test]
fn thirty_two_viewers_and_one_slow_one() {
    let reports = check(|seed| {
        let mut scenario = scenario(seed, 32, &clean(10));
        scenario.source_ends = MS(30_000);
        scenario.viewers[31].down = LinkConfig { rate_bps: 300_000, queue_bytes: 15_000, ..clean(40) };
        scenario
    });
    assert!(reports[..31].iter().all(|viewer| viewer.abandoned == 0), "the slow viewer cost another one frames");
}

#[test]
fn a_late_joiner() {
    let reports = check(|seed| {
        let mut scenario = scenario(seed, 2, &clean(10));
        scenario.viewers[1].starts = MS(3_000);
        scenario
    });
    assert!(reports[1].released[0].0 < MS(3_200), "first picture at {:?}", reports[1].released[0].0);
}

#[test]
fn a_killed_viewer_comes_back_before_and_after_it_expired() {
    for away in [1_000, 11_500] {
        let reports = check(|seed| {
            let mut scenario = scenario(seed, 2, &clean(10));
            scenario.viewers[0].killed = Some((MS(2_000), MS(2_000 + away)));
            scenario.source_ends = MS(16_000);
            scenario
        });
        assert_eq!((reports[0].sessions, reports[1].abandoned), (2, 0));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let path = LinkConfig { loss: LossModel::Independent { ppm: 50_000 }, jitter: MS(5), ..clean(20) };
    let report = |seed| run(&scenario(seed, 3, &path)).expect("every law holds");
    assert_eq!(report(7), report(7));
    assert_ne!(report(7), report(8));
}
