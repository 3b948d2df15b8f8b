//! Sealed datagrams that were recorded and are sent again, in both directions.

use core::time::Duration;

use nalcast_core::Rng;
use sim::attack::{Arena, Datagram, SERVER, Verdict};

use super::{DELAY, MS, SECOND, expect_picture, is_sealed, taken_by_server, taken_by_viewer};

/// Sealed datagrams in the log, to the server or to the viewer.
fn sealed(arena: &Arena, to_server: bool) -> Vec<Datagram> {
    let of_direction = |datagram: &&Datagram| is_sealed(datagram) && datagram.is_to_server() == to_server;
    arena.log.iter().filter(of_direction).cloned().collect()
}

#[test]
fn a_recorded_session_is_worth_nothing() {
    let mut arena = Arena::with_viewer(1, DELAY);
    arena.run(4 * SECOND);
    arena.records = false;
    // The last of them are on their way.
    arena.run(2 * DELAY);
    for pause in [Duration::ZERO, 10 * MS, SECOND, 60 * SECOND] {
        arena.run(pause);
        let taken = (taken_by_server(&arena), taken_by_viewer(&arena));
        let (released, stats) = (arena.guests[0].released.len(), arena.server.stats());
        let (up, down) = (sealed(&arena, true), sealed(&arena, false));
        assert!(up.len() > 100 && down.len() > 100);
        for datagram in up.iter().chain(&down) {
            arena.inject(datagram.from, datagram.to, datagram.bytes.clone());
        }
        assert_eq!((taken_by_server(&arena), taken_by_viewer(&arena)), taken, "after {pause:?}");
        assert_eq!(arena.guests[0].released.len(), released);
        assert_eq!(arena.server.stats().datagrams_replayed, stats.datagrams_replayed + up.len() as u64);
    }
    expect_picture(&mut arena);
}

#[test]
fn each_datagram_counts_once_however_often_it_comes() {
    let mut arena = Arena::new(2);
    let mut rng = Rng::new(2);
    arena.frame_interval = Some(33 * MS);
    // At once, out of order, and seconds later.
    arena.hand = Box::new(move |datagram| {
        [1, 50_000, 3_000_000].into_iter().fold(Verdict::pass(), |verdict, spread| {
            verdict.and(DELAY + Duration::from_micros(rng.below(spread)), datagram.clone())
        })
    });
    arena.join(DELAY);
    arena.run(5 * SECOND);
    arena.frame_interval = None;
    arena.run(5 * SECOND);
    // The frames themselves are watched by the arena: one that was released twice ends the test.
    let handshakes = arena.log.iter().filter(|datagram| datagram.is_to_server() && !is_sealed(datagram)).count() as u64;
    let sent = (sealed(&arena, true).len() as u64, sealed(&arena, false).len() as u64);
    assert!(taken_by_server(&arena) <= sent.0 + 4 * handshakes && taken_by_viewer(&arena) <= sent.1);
    let copies = arena.server.stats().datagrams_replayed;
    assert!(copies > 2 * sent.0, "{copies} copies of {} were refused", sent.0);
    expect_picture(&mut arena);
}

/// The twin: a copy whose original never came is as good as the original, once.
#[test]
fn a_copy_counts_if_the_original_was_kept_back() {
    for to_server in [true, false] {
        let mut arena = Arena::with_viewer(3, DELAY);
        let seen = arena.log.len();
        arena.hand = Box::new(move |datagram| match datagram.is_to_server() == to_server {
            true => Verdict::drop(),
            false => Verdict::pass(),
        });
        arena.run(100 * MS);
        arena.frame_interval = None;
        let kept: Vec<Datagram> = arena.log.split_off(seen);
        let kept = kept.into_iter().filter(|datagram| datagram.is_to_server() == to_server);
        let taken = |arena: &Arena| if to_server { taken_by_server(arena) } else { taken_by_viewer(arena) };
        for datagram in kept {
            let before = taken(&arena);
            for _ in 0..3 {
                arena.inject(datagram.from, datagram.to, datagram.bytes.clone());
                assert_eq!(taken(&arena), before + 1, "to the server: {to_server}");
            }
        }
    }
}

/// A datagram of one direction or session is nothing in another.
#[test]
fn a_datagram_is_good_for_its_direction_and_session_alone() {
    let mut arena = Arena::with_viewer(4, DELAY);
    arena.join(DELAY);
    arena.run(SECOND);
    arena.records = false;
    let homes = [arena.guests[0].address, arena.guests[1].address];
    let (up, down) = (sealed(&arena, true), sealed(&arena, false));
    // Far behind what both sessions have heard: only the numbers of the longer one are new to the shorter.
    let late = |sealed: Vec<Datagram>, home| {
        let own = sealed.into_iter().filter(move |datagram| datagram.from == home || datagram.to == home);
        own.rev().take(60).collect::<Vec<_>>()
    };
    let second: Vec<_> = late(down, homes[0]);
    let packets = |arena: &Arena| arena.guests[1].client.stats().packets_received;
    let (taken, second_taken) = (taken_by_server(&arena), packets(&arena));
    for datagram in &second {
        arena.inject(SERVER, homes[1], datagram.bytes.clone());
    }
    for datagram in late(up, homes[0]) {
        // In the other session's name, and back to where it came from.
        let name = arena.seen(|seen| is_sealed(seen) && seen.from == homes[1]).expect("a report").bytes;
        let mut bytes = datagram.bytes.clone();
        bytes[3..7].copy_from_slice(&name[3..7]);
        arena.inject(homes[1], SERVER, bytes);
        arena.inject(SERVER, homes[0], datagram.bytes);
    }
    assert_eq!((taken_by_server(&arena), packets(&arena)), (taken, second_taken));
    expect_picture(&mut arena);
}
