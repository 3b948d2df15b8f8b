//! What old keys sealed, once there are new ones, and a forged word about which keys they are.

use core::cell::RefCell;
use std::rc::Rc;

use nalcast_core::limits::KEY_PERIOD;
use sim::attack::{Arena, Datagram, Verdict};

use super::{DELAY, MS, SECOND, expect_picture, is_sealed, state, taken_by_server, taken_by_viewer};

const PHASE_BIT: u8 = 0x20;

fn phase(datagram: &Datagram) -> bool {
    datagram.bytes[0] & PHASE_BIT != 0
}

type Kept = Rc<RefCell<Vec<Datagram>>>;

/// Keeps back every `n`-th sealed datagram of one direction.
fn keep_back(arena: &mut Arena, to_server: bool, n: usize) -> Kept {
    let kept = Kept::default();
    let keep = Rc::clone(&kept);
    let mut count = 0;
    arena.hand = Box::new(move |datagram| {
        if !is_sealed(datagram) || datagram.is_to_server() != to_server {
            return Verdict::pass();
        }
        count += 1;
        if count % n != 0 {
            return Verdict::pass();
        }
        keep.borrow_mut().push(datagram.clone());
        Verdict::drop()
    });
    kept
}

fn taken(arena: &Arena, to_server: bool) -> u64 {
    if to_server { taken_by_server(arena) } else { taken_by_viewer(arena) }
}

/// Delivers a datagram; how many were taken for that.
fn deliver(arena: &mut Arena, datagram: &Datagram) -> u64 {
    let before = taken(arena, datagram.is_to_server());
    arena.inject(datagram.from, datagram.to, datagram.bytes.clone());
    taken(arena, datagram.is_to_server()) - before
}

/// What was kept back costs the viewer key frames, which it may not ask for at any time.
#[track_caller]
fn expect_picture_soon(arena: &mut Arena) {
    arena.frame_interval = Some(33 * MS);
    arena.run(3 * SECOND);
    expect_picture(arena);
    assert!(!arena.guests[0].was_disturbed());
}

/// A session whose keys of one direction have just changed, and what was kept back until then.
fn just_after_the_change(to_server: bool) -> (Arena, Vec<Datagram>) {
    let mut arena = Arena::with_viewer(1, DELAY);
    (arena.frame_interval, arena.records) = (None, false);
    arena.run(KEY_PERIOD - 5 * SECOND);
    (arena.frame_interval, arena.records) = (Some(33 * MS), true);
    let kept = keep_back(&mut arena, to_server, 2);
    arena.log.clear();
    let changed = |arena: &Arena| {
        let new = |datagram: &&Datagram| is_sealed(datagram) && datagram.is_to_server() == to_server && phase(datagram);
        arena.log.iter().any(|datagram| new(&datagram))
    };
    assert!(arena.run_until(20 * SECOND, changed), "the keys change");
    arena.hand = Box::new(|_| Verdict::pass());
    // The first that the new keys sealed is on its way.
    arena.run(DELAY);
    let old = kept.borrow().iter().filter(|datagram| !phase(datagram)).cloned().collect();
    (arena, old)
}

#[test]
fn what_old_keys_sealed_is_taken_for_a_while_and_once() {
    for to_server in [true, false] {
        let (mut arena, old) = just_after_the_change(to_server);
        let [.., forgotten, late] = &old[..] else { panic!("two were kept back") };
        assert_eq!(deliver(&mut arena, late), 1, "to the server: {to_server}");
        assert_eq!(deliver(&mut arena, late), 0, "nor twice");
        // Three times the wait for an answer, and the time until it is noticed.
        arena.run(SECOND);
        let forged = arena.server.stats().datagrams_forged;
        assert_eq!(deliver(&mut arena, forgotten), 0, "their keys are gone, to the server: {to_server}");
        assert_eq!(arena.server.stats().datagrams_forged, forged + u64::from(to_server), "not for its age");
        expect_picture_soon(&mut arena);
    }
}

#[test]
fn a_forged_phase_changes_nothing() {
    for to_server in [true, false] {
        let early = (Arena::with_viewer(2, DELAY), false);
        for (mut arena, new_keys) in [early, (just_after_the_change(to_server).0, true)] {
            let kept = keep_back(&mut arena, to_server, 1);
            arena.run(150 * MS);
            arena.frame_interval = None;
            let kept = kept.take();
            assert!(kept.len() > 2 && kept.iter().all(|datagram| phase(datagram) == new_keys));
            for datagram in &kept {
                let mut forged = datagram.clone();
                forged.bytes[0] ^= PHASE_BIT;
                let before = state(&mut arena);
                assert_eq!(deliver(&mut arena, &forged), 0);
                assert!(state(&mut arena) == before, "to the server: {to_server}, new keys: {new_keys}");
                // The twin: with the phase that it was sealed in.
                assert_eq!(deliver(&mut arena, datagram), 1);
            }
            arena.hand = Box::new(|_| Verdict::pass());
            expect_picture_soon(&mut arena);
        }
    }
}

/// Whatever an attacker keeps back or changes, each direction goes on to the next keys, and the next.
#[test]
fn keys_go_on_changing_under_attack() {
    let mut arena = Arena::with_viewer(3, DELAY);
    arena.hand = Box::new(|datagram| {
        let mut forged = datagram.clone();
        forged.bytes[0] ^= PHASE_BIT;
        Verdict::pass().and(5 * MS, forged.clone()).and(SECOND, forged)
    });
    arena.frame_interval = Some(SECOND);
    arena.run(3 * KEY_PERIOD);
    for to_server in [true, false] {
        let sealed = arena.log.iter().filter(|seen| is_sealed(seen) && seen.is_to_server() == to_server);
        let mut phases: Vec<bool> = sealed.map(phase).collect();
        phases.dedup();
        assert!(phases.len() >= 3, "to the server: {to_server}, {phases:?}");
    }
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed());
}
