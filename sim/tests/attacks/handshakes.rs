//! Handshakes that were recorded and are sent again, and handshakes whose datagrams come in any order.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Rng;
use nalcast_core::limits::INIT_RETRY_FIRST;
use sim::attack::{Arena, Datagram, Kind, SERVER, Verdict};

use super::{DELAY, MS, SECOND, elsewhere, expect_picture, is_sealed, joins, present};

/// All that was said until the first viewer was in, the first sealed datagrams of each side among it.
fn handshake(arena: &Arena) -> Vec<Datagram> {
    let until = arena.log.iter().rposition(|datagram| !is_sealed(datagram)).expect("a handshake");
    let sealed = |to_server| arena.log.iter().find(move |d| is_sealed(d) && d.is_to_server() == to_server);
    let plain = arena.log[..=until].iter().filter(|datagram| !is_sealed(datagram));
    plain.chain(sealed(true)).chain(sealed(false)).cloned().collect()
}

/// From everywhere that the attacker can think of.
fn replay(arena: &mut Arena, datagram: &Datagram, home: SocketAddr) {
    let neighbour = SocketAddr::new(home.ip(), home.port() + 1);
    for from in [home, neighbour, elsewhere(66)] {
        match datagram.is_to_server() {
            true => arena.inject(from, SERVER, datagram.bytes.clone()),
            false => arena.inject(SERVER, datagram.to, datagram.bytes.clone()),
        }
    }
}

/// So long after the handshake: within the life of its cookie, of the server's memory of it, and of neither.
const AGES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(60),
    Duration::from_secs(230),
    Duration::from_secs(250),
    Duration::from_secs(2 * 3_600),
];

#[test]
fn a_recorded_handshake_opens_nothing_while_its_session_lasts() {
    for age in AGES {
        let mut arena = Arena::with_viewer(1, DELAY);
        let (recorded, home) = (handshake(&arena), arena.guests[0].address);
        assert_eq!(recorded.len(), 6, "INIT, RETRY, INIT, ACCEPT, and a sealed datagram of each side");
        (arena.records, arena.frame_interval) = (false, None);
        arena.run(age);
        let before = present(&arena);
        for datagram in &recorded {
            replay(&mut arena, datagram, home);
            assert_eq!(present(&arena), before, "{age:?}: {:?}", datagram.kind());
            arena.run(100 * MS);
        }
        expect_picture(&mut arena);
        assert!(!arena.guests[0].was_disturbed() && joins(&arena) == 1, "{age:?}");
    }
}

#[test]
fn a_recorded_handshake_opens_nothing_after_its_session() {
    for age in AGES {
        let mut arena = Arena::with_viewer(2, DELAY);
        let (recorded, home) = (handshake(&arena), arena.guests[0].address);
        (arena.records, arena.frame_interval) = (false, None);
        arena.at_guest(0, |client, now| client.handle_leave(now));
        arena.run(age.max(SECOND));
        for datagram in recorded.iter().chain(&recorded) {
            replay(&mut arena, datagram, home);
            assert_eq!(present(&arena), [], "{age:?}: {:?}", datagram.kind());
            arena.run(100 * MS);
        }
        assert_eq!(joins(&arena), 1);
    }
}

/// The twin: the same datagram, never heard before, does open a session; but not for ever, and not elsewhere.
#[test]
fn a_handshake_that_was_held_back_opens_a_session_as_long_as_its_cookie_is_good() {
    for (age, from_home, opens) in [(100, true, true), (100, false, false), (250, true, false)] {
        let mut arena = Arena::new(3);
        arena.hand = Box::new(|datagram| match datagram.kind() {
            Some(Kind::InitWithCookie) => Verdict::drop(),
            _ => Verdict::pass(),
        });
        arena.join(DELAY);
        arena.run(age * SECOND);
        let held = arena.log.iter().find(|datagram| datagram.kind() == Some(Kind::InitWithCookie));
        let held = held.expect("it was sent").clone();
        arena.inject(if from_home { held.from } else { elsewhere(66) }, SERVER, held.bytes);
        assert_eq!(present(&arena).len(), usize::from(opens), "after {age} s, from home: {from_home}");
    }
}

/// Every datagram of an earlier attempt is sent again in every place of a later one.
#[test]
fn an_earlier_handshake_does_not_disturb_a_later_one() {
    for place in 0..8 {
        for number in 0..6 {
            let mut arena = Arena::with_viewer(4, DELAY);
            let earlier = handshake(&arena)[number].clone();
            arena.run(300 * SECOND);
            let mut count = 0;
            arena.hand = Box::new(move |_| {
                count += 1;
                if count == place + 1 { Verdict::pass().and(DELAY, earlier.clone()) } else { Verdict::pass() }
            });
            let began = arena.now;
            arena.restart(0);
            let in_again = arena.run_until(SECOND, |arena| joins(arena) == 2);
            assert!(in_again && arena.now - began == 5 * DELAY, "place {place}, datagram {number}");
            arena.run(SECOND);
            assert_eq!(present(&arena).len(), 1, "the new session took the old one's place");
            expect_picture(&mut arena);
            assert_eq!(arena.guests[0].sessions(), 2);
        }
    }
}

/// Hands on each handshake datagram up to `copies_max` times, each within `spread`.
fn shuffle(seed: u64, copies_max: u64, spread: Duration) -> sim::attack::Hand {
    let mut rng = Rng::new(seed);
    Box::new(move |datagram| {
        if is_sealed(datagram) {
            return Verdict::pass();
        }
        let copies = if copies_max == 0 { 0 } else { 1 + rng.below(copies_max) };
        (0..copies).fold(Verdict::drop(), |verdict, _| {
            verdict.and(DELAY + Duration::from_micros(rng.below(spread.as_micros() as u64)), datagram.clone())
        })
    })
}

/// A viewer knocks, is started again before it is answered, and knocks again from the same address.
fn two_attempts(seed: u64, copies_max: u64) -> Arena {
    let mut arena = Arena::new(seed);
    arena.frame_interval = Some(33 * MS);
    arena.hand = shuffle(seed, copies_max, 400 * MS);
    arena.join(DELAY);
    arena.run(Duration::from_millis(50 * (seed % 16)));
    arena.restart(0);
    arena.run(4 * SECOND);
    arena
}

#[test]
fn handshakes_in_any_order_and_number_let_the_viewer_in() {
    let mut slowest = Duration::ZERO;
    for seed in 0..64 {
        let mut arena = two_attempts(seed, 3);
        let guest = &arena.guests[0];
        assert!(guest.is_live() && !guest.was_disturbed(), "seed {seed}: {:?}", guest.events);
        let (first, _) = guest.released.first().copied().expect("a frame");
        slowest = slowest.max(first.saturating_sub(SECOND) - nalcast_core::Timestamp::ZERO);
        // What the other attempt left behind is forgotten.
        arena.run(12 * SECOND);
        assert_eq!(present(&arena).len(), 1, "seed {seed}");
        expect_picture(&mut arena);
    }
    println!("reordered handshakes: the slowest of 64 viewers had its picture after {slowest:?}");
}

/// An ACCEPT that was taken away is said again as soon as the viewer asks again.
#[test]
fn an_accept_that_was_taken_away_costs_one_repetition() {
    let mut arena = Arena::new(5);
    let mut taken = false;
    arena.hand = Box::new(move |datagram| {
        let takes = !taken && datagram.kind() == Some(Kind::Accept);
        taken |= takes;
        if takes { Verdict::drop() } else { Verdict::pass() }
    });
    arena.join(DELAY);
    let began = arena.now;
    assert!(arena.run_until(SECOND, |arena| arena.guests[0].is_live()));
    // A round trip until it had its cookie, then the first wait for an answer.
    assert_eq!(arena.now - began, 2 * DELAY + INIT_RETRY_FIRST + 2 * DELAY);
    arena.run(12 * SECOND);
    assert_eq!(present(&arena).len(), 1);
}

/// The twin: where nothing of the handshake arrives, nobody gets in.
#[test]
fn a_handshake_that_never_arrives_lets_nobody_in() {
    let arena = two_attempts(1, 0);
    assert!(!arena.guests[0].is_live() && present(&arena).is_empty());
}
