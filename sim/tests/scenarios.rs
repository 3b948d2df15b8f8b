//! Named scenarios of the inner ring: every law is checked at every step by the ring itself; here stands what else
//! each kind of fault must and must not do. Lost frames are mended by key frames, so no smoothness is asserted.

use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::recv::{Abandoned, EndReason};
use nalcast_core::send::Recovery;
use sim::link::{LinkConfig, LossModel};
use sim::report::Report;
use sim::scenario::{Partition, Scenario, clean};
use sim::world;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn run(scenario: &Scenario) -> Report {
    world::run(scenario, false).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Runs a scenario with several seeds; every viewer must be there at the end, and `also` must hold of each run.
fn check(build: impl Fn(u64) -> Scenario, also: impl Fn(&Report)) {
    for seed in 1..=5 {
        let report = run(&build(seed));
        for viewer in &report.viewers {
            assert_eq!(viewer.end, Some(EndReason::EndOfStream), "seed {seed}\n{report}");
            assert!(viewer.released > 0, "seed {seed}\n{report}");
        }
        also(&report);
    }
}

#[test]
fn clean_network_loses_and_delays_nothing() {
    check(
        |seed| Scenario::calm("clean", seed, 3),
        |report| {
            for viewer in &report.viewers {
                assert_eq!((viewer.lost(), viewer.late, viewer.dropped_down), (0, 0, 0), "{report}");
            }
            assert_eq!(report.server.joins_from_cache, 3, "{report}");
            assert_eq!(report.server.key_frames_wanted, 0, "the global buffer served everybody\n{report}");
        },
    );
}

#[test]
fn a_viewer_from_the_first_frame_on_gets_every_frame() {
    check(
        |seed| {
            let mut scenario = Scenario::calm("from the start", seed, 1);
            // Slow enough that the handshake is over before the second frame.
            scenario.source.fps = 5;
            scenario.viewers[0] = sim::scenario::ViewerPlan::new(clean(5), clean(5));
            scenario
        },
        |report| {
            let viewer = &report.viewers[0];
            assert_eq!(viewer.released + viewer.abandoned_for(Abandoned::Skipped), report.units, "{report}");
            assert_eq!(viewer.lost(), 0, "{report}");
        },
    );
}

#[test]
fn five_percent_loss() {
    let path = LinkConfig { loss: LossModel::Independent { ppm: 50_000 }, ..clean(20) };
    check(
        |seed| Scenario::impaired("5 % loss", seed, 2, &path),
        |report| {
            // What nobody refers to is not waited for; all else is repaired, or nearly.
            assert!(report.viewers.iter().all(|viewer| viewer.lost() * 20 < report.units), "{report}");
            assert!(report.server.key_frames_wanted <= 3, "{report}");
        },
    );
}

#[test]
fn burst_loss() {
    let path = LinkConfig { loss: LossModel::runs(100, 8), ..clean(20) };
    check(|seed| Scenario::impaired("burst loss", seed, 2, &path), |_| ());
}

#[test]
fn reordering_within_the_tolerance_loses_nothing_once_it_is_learned() {
    let path = LinkConfig { hold_back_ppm: 30_000, hold_back_max: MS(15), ..clean(20) };
    check(
        |seed| Scenario::impaired("reordering", seed, 1, &path),
        |report| {
            // A disposable frame may be overtaken before the tolerance is learned; later ones may not.
            assert!(report.viewers[0].lost() <= 12, "{report}");
        },
    );
}

#[test]
fn duplication_changes_nothing() {
    let path = LinkConfig { duplicate_ppm: 300_000, duplicate_spread: MS(20), ..clean(20) };
    check(
        |seed| Scenario::impaired("duplication", seed, 1, &path),
        |report| assert_eq!(report.viewers[0].lost(), 0, "{report}"),
    );
}

#[test]
fn corruption_is_loss_and_nothing_worse() {
    let path = LinkConfig { corrupt_ppm: 30_000, truncate_ppm: 10_000, ..clean(20) };
    check(|seed| Scenario::impaired("corruption", seed, 2, &path), |_| ());
}

#[test]
fn jitter_without_reordering_loses_nothing() {
    let path = LinkConfig { jitter: MS(25), ..clean(20) };
    check(
        |seed| Scenario::impaired("jitter", seed, 2, &path),
        |report| assert!(report.viewers.iter().all(|viewer| viewer.lost() == 0), "{report}"),
    );
}

#[test]
fn a_bottleneck_queue_below_the_bit_rate() {
    // The source makes about 1.1 Mbit/s; key frames of 30 kB overflow the queue.
    let path = LinkConfig { rate_bps: 900_000, queue_bytes: 20_000, ..clean(20) };
    check(
        |seed| Scenario::impaired("bottleneck", seed, 1, &path),
        |report| assert!(report.viewers[0].dropped_down > 0, "the queue never overflowed\n{report}"),
    );
}

#[test]
fn partition_and_heal() {
    for both_ways in [true, false] {
        for (millis, sessions) in [(1_000, 1), (3_000, 1), (11_500, 2)] {
            let build = |seed| {
                let mut scenario = Scenario::calm("partition", seed, 2);
                let from = at(2_000);
                scenario.viewers[0].partition = Some(Partition { from, to: from + MS(millis), both_ways });
                scenario.faults_end = at(14_000);
                scenario.source_ends = at(25_000);
                scenario
            };
            check(build, |report| {
                // Silence of ten seconds ends a session, anything shorter does not.
                assert_eq!(report.viewers[0].sessions, sessions, "cut off for {millis} ms\n{report}");
                assert_eq!(report.viewers[1].lost(), 0, "the other viewer is not touched\n{report}");
            });
        }
    }
}

#[test]
fn server_crash_and_restart() {
    check(
        |seed| {
            let mut scenario = Scenario::calm("crash", seed, 3);
            scenario.server_down = Some((at(3_000), at(4_000)));
            scenario.converges_within = Duration::from_secs(20);
            scenario.source_ends = at(32_000);
            scenario
        },
        |report| assert!(report.viewers.iter().all(|viewer| viewer.sessions == 2), "{report}"),
    );
}

#[test]
fn thirty_two_viewers_and_one_slow_one() {
    let fast_alone = |seed| Scenario::calm("31 viewers", seed, 31);
    let with_slow = |seed| {
        let mut scenario = Scenario::calm("32 viewers, one slow", seed, 32);
        scenario.source_ends = at(40_000);
        scenario.viewers[31].down = LinkConfig { rate_bps: 300_000, queue_bytes: 15_000, ..clean(40) };
        scenario
    };
    check(with_slow, |report| {
        assert!(report.viewers[31].dropped_down > 0, "{report}");
        for fast in &report.viewers[..31] {
            assert_eq!((fast.lost(), fast.late), (0, 0), "the slow viewer cost another one frames\n{report}");
        }
        // One key frame each two seconds is all that it may cost the others.
        assert!(report.server.key_frames_wanted <= 3 + 18 / 2, "{report}");
    });
    check(fast_alone, |report| assert_eq!(report.server.key_frames_wanted, 0, "{report}"));
}

#[test]
fn a_late_joiner_has_its_picture_at_once() {
    let build = |seed| {
        let mut scenario = Scenario::calm("late joiner", seed, 2);
        scenario.viewers[1].joins = at(5_000);
        scenario
    };
    check(build, |report| {
        let first = report.viewers[1].first_release.expect("it has frames");
        // Three round trips of 20 ms, the requests' collection, a key frame at the next capture, its journey.
        assert!(first < at(5_000) + MS(60 + 30 + 34 + 30), "{first}\n{report}");
        assert_eq!(report.viewers[0].lost(), 0, "{report}");
    });
    // On a screen that hardly changes the global buffer serves: nobody else pays with a key frame.
    let still = |seed| {
        let mut scenario = build(seed);
        scenario.source.delta_bytes = 20..=60;
        scenario
    };
    check(still, |report| {
        assert_eq!(report.server.key_frames_wanted, 0, "{report}");
        assert_eq!(report.server.joins_from_cache, 2, "{report}");
        assert_eq!(report.viewers[1].abandoned_for(Abandoned::Overtaken), 0, "withheld frames are told\n{report}");
    });
}

#[test]
fn an_expired_viewer_is_forgotten_and_comes_back() {
    for (away, sessions) in [(500, 2), (12_000, 2)] {
        let build = |seed| {
            let mut scenario = Scenario::calm("expired", seed, 2);
            scenario.viewers[0].killed = Some((at(2_000), at(2_000 + away)));
            scenario.faults_end = at(15_000);
            scenario.source_ends = at(20_000);
            scenario
        };
        check(build, |report| {
            assert_eq!(report.viewers[0].sessions, sessions, "{report}");
            assert_eq!(report.viewers[1].lost(), 0, "{report}");
        });
    }
}

#[test]
fn a_file_that_makes_no_key_frames_on_request_still_converges() {
    let path = LinkConfig { loss: LossModel::Independent { ppm: 20_000 }, ..clean(20) };
    let build = |seed| {
        let mut scenario = Scenario::impaired("file", seed, 2, &path);
        scenario.recovery = Recovery::Nothing;
        scenario.key_every = 60;
        scenario
    };
    check(build, |report| assert_eq!(report.server.key_frames_wanted, 0, "{report}"));
}

#[test]
fn a_full_server_turns_viewers_away_until_there_is_room() {
    for seed in 1..=5 {
        let mut scenario = Scenario::calm("full", seed, 3);
        scenario.viewers_max = 2;
        scenario.viewers[2].joins = at(500);
        scenario.viewers[0].leaves = Some(at(5_000));
        scenario.source_ends = at(20_000);
        let report = run(&scenario);
        assert!(report.server.viewers_refused > 0, "{report}");
        assert_eq!(report.viewers[0].end, Some(EndReason::Left), "{report}");
        assert!(report.viewers[2].first_release.is_some_and(|first| first > at(5_000)), "{report}");
    }
}
