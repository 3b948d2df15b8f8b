//! A viewer that knocks, and answers that are not the server's or not whole.
//!
//! RETRY, VERSIONS and REJECT come before there are keys: only the nonce in them tells that who sent them saw the
//! viewer's INIT. Who does see it, on the way, can send the viewer away; who does not, cannot.

use core::time::Duration;

use nalcast_core::recv::ClientState;
use sim::attack::{Arena, Datagram, Kind, SERVER, Verdict, cut, flipped, garbage};

use super::{DELAY, MS, SECOND, present};

/// What one damaged datagram in the place of the first of `kind` does to a viewer that knocks.
fn knocks(kind: Kind, damage: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Arena {
    let mut arena = Arena::new(5);
    let mut hit = false;
    arena.hand = Box::new(move |datagram| {
        if hit || datagram.kind() != Some(kind) {
            return Verdict::pass();
        }
        hit = true;
        let bytes = damage(&datagram.bytes);
        // It comes before the original does.
        Verdict::pass().and(DELAY - MS, Datagram { bytes, ..datagram.clone() })
    });
    arena.records = false;
    arena.join(DELAY);
    arena
}

#[test]
fn a_viewer_gets_in_whatever_comes_before_the_true_accept() {
    let len = 14 + 4 + 1 + 32 + 16 + 21;
    for bit in 0..len * 8 {
        let mut arena = knocks(Kind::Accept, move |bytes| flipped(bytes, bit));
        arena.run(6 * DELAY);
        assert!(arena.guests[0].is_live() && present(&arena).len() == 1, "bit {bit}");
    }
    for cut_to in 0..len {
        let mut arena = knocks(Kind::Accept, move |bytes| cut(bytes, cut_to));
        arena.run(6 * DELAY);
        assert!(arena.guests[0].is_live(), "cut to {cut_to}");
    }
    // The twin: without the true one it is not in.
    let mut arena = Arena::new(5);
    arena.hand = Box::new(|datagram| match datagram.kind() {
        Some(Kind::Accept) => {
            Verdict::drop().and(DELAY, Datagram { bytes: flipped(&datagram.bytes, 700), ..datagram.clone() })
        }
        _ => Verdict::pass(),
    });
    arena.join(DELAY);
    arena.run(SECOND);
    assert_eq!(arena.guests[0].client.state(), ClientState::Connecting);
}

/// A RETRY proves nothing, so a damaged cookie is taken; it costs the viewer a while, no more. The bits that say which
/// proofs the server takes are the exception: who sees the viewer's nonce can send it away.
#[test]
fn a_damaged_retry_costs_a_while() {
    let modes = 14 * 8..15 * 8;
    let mut slowest = Duration::ZERO;
    for bit in (0..33 * 8).filter(|bit| !modes.contains(bit)) {
        let mut arena = knocks(Kind::Retry, move |bytes| flipped(bytes, bit));
        let began = arena.now;
        assert!(arena.run_until(10 * SECOND, |arena| arena.guests[0].is_live()), "bit {bit}");
        slowest = slowest.max(arena.now - began);
    }
    println!("a viewer whose cookie was damaged on the way is in after {slowest:?} at most");
}

/// An answer without keys: RETRY for another kind of proof, VERSIONS, or REJECT for each reason there is.
fn answers(nonce: &[u8]) -> Vec<Vec<u8>> {
    let head = |kind: u8, rest: &[u8]| [&[kind][..], b"nalc\x01", nonce, rest].concat();
    let rejects = (0..6).map(|code| head(5, &[0, code]));
    rejects.chain([head(2, &[0; 19]), head(2, &[1; 19]), head(4, &[1, 9]), head(3, &[0; 90])]).collect()
}

#[test]
fn who_does_not_see_the_nonce_cannot_send_a_viewer_away() {
    let mut arena = Arena::new(9);
    arena.join(DELAY);
    let home = arena.guests[0].address;
    let mut rng = arena.rng.fork(1);
    for _ in 0..1_000 {
        let nonce = garbage(&mut rng, 8);
        for answer in answers(&nonce) {
            arena.inject(SERVER, home, answer);
        }
        arena.run(Duration::from_micros(30));
    }
    arena.run(6 * DELAY);
    assert!(arena.guests[0].is_live() && !arena.guests[0].was_disturbed());
}

/// The twin: who sees it can.
#[test]
fn who_sees_the_nonce_can_send_a_viewer_away() {
    let mut arena = Arena::new(9);
    arena.join(DELAY);
    let home = arena.guests[0].address;
    let nonce = arena.seen(|datagram| datagram.kind() == Some(Kind::Init)).expect("an INIT").bytes[6..14].to_vec();
    arena.inject(SERVER, home, answers(&nonce).remove(2));
    assert_eq!(arena.guests[0].client.state(), ClientState::Ended);
}
