//! Twins: two runs that differ in one viewer's lot. Of the other one they must be alike to the microsecond.

use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::send::Recovery;
use sim::link::{LinkConfig, LossModel};
use sim::scenario::{Partition, Scenario, ViewerPlan, clean};
use sim::world;

/// What happened to the first viewer, of two: datagrams with their sizes, frames, with the times of all.
fn run(seed: u64, recovery: Recovery, other: ViewerPlan) -> Vec<String> {
    let mut scenario = Scenario::calm("twins", seed, 1);
    scenario.recovery = recovery;
    scenario.key_every = 45;
    let path = LinkConfig {
        loss: LossModel::Independent { ppm: 30_000 },
        jitter: Duration::from_millis(4),
        jitter_reorders: true,
        ..clean(20)
    };
    scenario.viewers = vec![ViewerPlan::new(path.clone(), path), other];
    let report = world::run(&scenario, true).unwrap_or_else(|failure| panic!("{failure}"));
    report.lines.into_iter().filter(|line| line.contains(" viewer 0: ")).collect()
}

/// It comes when the first one is there: whoever comes later gets other secrets.
fn plain() -> ViewerPlan {
    ViewerPlan { joins: Timestamp::from_millis(1_000), ..ViewerPlan::new(clean(10), clean(10)) }
}

#[test]
fn a_viewers_lot_is_its_own() {
    let with = |change: fn(&mut ViewerPlan)| {
        let mut plan = plain();
        change(&mut plan);
        plan
    };
    let lots = [
        ("half of what is sent to it is lost", with(|it| it.down.loss = LossModel::Independent { ppm: 500_000 })),
        ("half of its reports are lost", with(|it| it.up.loss = LossModel::Independent { ppm: 500_000 })),
        ("its path is slow", with(|it| (it.down.rate_bps, it.down.queue_bytes) = (400_000, 20_000))),
        ("its path is long", with(|it| it.down.delay = Duration::from_millis(300))),
        (
            "it dies and comes back",
            with(|it| {
                it.killed = Some((Timestamp::from_millis(3_000), Timestamp::from_millis(6_000)));
            }),
        ),
        (
            "it is cut off",
            with(|it| {
                let (from, to) = (Timestamp::from_millis(3_000), Timestamp::from_millis(7_000));
                it.partition = Some(Partition { from, to, both_ways: true });
            }),
        ),
        ("it moves", with(|it| it.moves = vec![Timestamp::from_millis(4_000)])),
    ];
    for seed in 1..=3 {
        let expected = run(seed, Recovery::Nothing, plain());
        assert!(expected.len() > 2_000 && expected.iter().any(|line| line.contains("sends")), "{}", expected.len());
        for (lot, plan) in &lots {
            let lines = run(seed, Recovery::Nothing, plan.clone());
            let differs = expected.iter().zip(&lines).find(|(one, other)| one != other);
            assert!(differs.is_none() && lines.len() == expected.len(), "seed {seed}, {lot}: {differs:?}");
        }
    }
}

/// The encoder is where viewers meet: if it follows them, what one needs the other one gets.
#[test]
fn an_encoder_that_follows_its_viewers_is_shared() {
    let slow = LinkConfig { rate_bps: 400_000, queue_bytes: 20_000, ..clean(10) };
    let other = ViewerPlan { down: slow, ..plain() };
    assert_ne!(run(1, Recovery::KeyFrames, plain()), run(1, Recovery::KeyFrames, other));
}
