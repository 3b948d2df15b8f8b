//! Paths that suddenly carry less, and say nothing about it.

use core::ops::RangeInclusive;
use core::time::Duration;

use nalcast_core::limits::{DATAGRAM_BYTES_BASE, DATAGRAM_BYTES_MAX};
use sim::attack::Arena;
use sim::link::{LinkConfig, LossModel};
use sim::source::SourceModel;

use super::{MS, SECOND, expect_picture, info};

/// Each way; a round trip takes twice as long.
const FAR: Duration = Duration::from_millis(25);

fn path(mtu_bytes: usize) -> LinkConfig {
    LinkConfig { delay: FAR, mtu_bytes, ..LinkConfig::default() }
}

/// A viewer with its picture over a path that carries everything; its frames have `delta_bytes` bytes.
fn up(seed: u64, delta_bytes: RangeInclusive<usize>) -> Arena {
    let model = SourceModel { key_bytes: 20_000, delta_bytes, disposable_every: 0, ..SourceModel::default() };
    let mut arena = Arena::with_source(seed, model);
    arena.frame_interval = Some(33 * MS);
    arena.join_over(path(0));
    arena.run(2 * SECOND);
    assert_eq!(info(&arena).datagram_bytes_max, DATAGRAM_BYTES_MAX);
    arena
}

#[test]
fn the_stream_goes_on_within_a_second_of_a_path_carrying_less() {
    let mut slowest = Duration::ZERO;
    for (mtu, fits) in [(1_400, 1_372), (1_300, 1_252), (1_200, 1_200)] {
        for seed in 0..4 {
            let mut arena = up(seed, 10_000..=10_000);
            arena.run(Duration::from_millis(11 * seed));
            let (now, released) = (arena.now, arena.guests[0].released.len());
            let last = arena.frames;
            for link in [path(mtu), path(mtu)] {
                arena.guests[0].down.set_config(now, link.clone());
                arena.guests[0].up.set_config(now, link);
            }
            // What was on its way does not count: a frame that was made since is back on the screen.
            let back = |arena: &Arena| arena.guests[0].newest() > Some(last + 2);
            assert!(arena.run_until(SECOND, back), "{mtu} B, seed {seed}: not within a second");
            slowest = slowest.max(arena.now - now);
            assert!(arena.guests[0].released.len() > released);
            arena.run(SECOND);
            expect_picture(&mut arena);
            assert_eq!(info(&arena).datagram_bytes_max, fits, "and the largest size that passes is found");
            assert!(!arena.guests[0].was_disturbed());
        }
    }
    println!("a path that carries less: the stream goes on after {slowest:?} at most, with a round trip of 50 ms");
}

/// Where some frames are cut into datagrams that still pass and others are not, the former say nothing of the latter.
#[test]
fn the_stream_goes_on_whatever_sizes_its_datagrams_have() {
    for (mtu, fits) in [(1_440, 1_432), (1_420, 1_372), (1_400, 1_372), (1_300, 1_252), (1_200, 1_200)] {
        for seed in 0..4 {
            let mut arena = up(seed, 6_000..=12_000);
            let now = arena.now;
            for link in [path(mtu), path(mtu)] {
                arena.guests[0].down.set_config(now, link.clone());
                arena.guests[0].up.set_config(now, link);
            }
            arena.run(3 * SECOND);
            assert_eq!(info(&arena).datagram_bytes_max, fits, "{mtu} B, seed {seed}");
            let (made, released) = (arena.frames, arena.guests[0].released.len() as u64);
            arena.run(5 * SECOND);
            let released = arena.guests[0].released.len() as u64 - released;
            assert!(released + 5 >= arena.frames - made, "{mtu} B, seed {seed}: {released} of {}", arena.frames - made);
        }
    }
}

/// The twin: heavy loss takes large and small alike, and is no reason to send smaller ones.
#[test]
fn loss_alone_does_not_make_datagrams_smaller() {
    for (seed, ppm) in [(1, 50_000), (2, 200_000), (3, 400_000)] {
        let mut arena = up(seed, 6_000..=12_000);
        let lossy = LinkConfig { loss: LossModel::Independent { ppm }, ..path(0) };
        arena.guests[0].down.set_config(arena.now, lossy.clone());
        arena.guests[0].up.set_config(arena.now, lossy);
        for _ in 0..100 {
            arena.run(100 * MS);
            assert_eq!(info(&arena).datagram_bytes_max, DATAGRAM_BYTES_MAX, "{ppm} ppm at {}", arena.now);
        }
    }
}

/// Nor does an outage, in which nothing at all comes through.
#[test]
fn an_outage_does_not_make_datagrams_smaller() {
    let mut arena = up(4, 10_000..=10_000);
    for cut in [true, false] {
        arena.guests[0].down.set_partitioned(cut);
        arena.guests[0].up.set_partitioned(cut);
        for _ in 0..30 {
            arena.run(50 * MS);
            assert_eq!(info(&arena).datagram_bytes_max, DATAGRAM_BYTES_MAX, "at {}", arena.now);
        }
    }
    arena.run(SECOND);
    expect_picture(&mut arena);
}

/// A path that carries the smallest datagrams only, from the start: probes are lost, and nothing else is.
#[test]
fn probes_that_are_lost_cost_nothing() {
    let mut arena = Arena::new(5);
    arena.frame_interval = Some(33 * MS);
    arena.join_over(path(DATAGRAM_BYTES_BASE));
    arena.run(10 * SECOND);
    let guest = &arena.guests[0];
    assert_eq!(guest.down.stats().dropped_mtu, 15, "five sizes, three times each");
    let ids: Vec<u64> = guest.released.iter().map(|(_, id)| *id).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "no frame is missed");
    expect_picture(&mut arena);
}
