//! Proofs of an address, cookies and tokens, in the hands of somebody else.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::limits::{COOKIE_SECRET_PERIOD, TOKEN_PERIOD};
use sim::attack::{Arena, Datagram, Kind, Knocker, SERVER, Verdict, insider, kind, with_proofs_of};

use super::{DELAY, SECOND, elsewhere, present};

/// What the server answers to a datagram from an address at which the attacker listens.
fn answer(arena: &mut Arena, from: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
    arena.listen_at(from);
    arena.inject(from, SERVER, bytes.to_vec());
    arena.inboxes.get_mut(&from)?.pop()
}

/// What a knocker at `home` says once it has a cookie for there.
fn knocks_with_cookie(arena: &mut Arena, home: SocketAddr, seed: u64) -> Vec<u8> {
    let mut knocker = Knocker::new(arena.now, insider(), seed);
    let init = knocker.says(arena.now).expect("an INIT");
    let retry = answer(arena, home, &init).expect("a RETRY");
    let init = knocker.hears(arena.now, &retry).expect("an INIT with its cookie");
    assert_eq!(kind(&init), Some(Kind::InitWithCookie));
    init
}

/// An arena whose viewer was cut off and knocks again with its token, but is not heard; what it says.
pub(crate) fn knocks_with_token(seed: u64) -> (Arena, Vec<u8>) {
    let mut arena = Arena::with_viewer(seed, DELAY);
    arena.frame_interval = None;
    let has_token = |datagram: &Datagram| datagram.kind() == Some(Kind::InitWithToken);
    arena.hand = Box::new(|_| Verdict::drop());
    let knocks = arena.run_until(20 * SECOND, |arena| arena.log.iter().any(has_token));
    assert!(knocks, "it lost its session");
    let init = arena.seen(has_token).expect("it has a token").bytes;
    // Another viewer, so that there is one to be disturbed.
    arena.hand = Box::new(|_| Verdict::pass());
    arena.guests.clear();
    arena.run(20 * SECOND);
    assert_eq!(present(&arena), []);
    arena.frame_interval = Some(Duration::from_millis(33));
    arena.join(DELAY);
    arena.run(SECOND);
    (arena, init)
}

#[test]
fn a_stolen_cookie_is_good_for_its_address_and_handshake_alone() {
    let mut arena = Arena::new(1);
    let home = elsewhere(1);
    let init = knocks_with_cookie(&mut arena, home, 1);
    let own = Knocker::new(arena.now, insider(), 2).says(arena.now).expect("the thief's INIT");
    let own = with_proofs_of(&init, &own).expect("two INITs");
    let others = [elsewhere(2), SocketAddr::new(home.ip(), home.port() + 1), SocketAddr::from(([10, 9, 8, 7], 6_000))];
    for (from, bytes) in others.map(|from| (from, &init)).into_iter().chain([(home, &own)]) {
        let answered = answer(&mut arena, from, bytes).expect("an answer");
        assert_eq!((kind(&answered), present(&arena).len()), (Some(Kind::Retry), 0), "{from}");
    }
    // The twin: where it belongs it is as good as ever.
    let answered = answer(&mut arena, home, &init).expect("an answer");
    assert_eq!((kind(&answered), present(&arena).len()), (Some(Kind::Accept), 1));
}

#[test]
fn a_cookie_is_good_for_two_periods_of_its_secret_at_most() {
    for (age, opens) in [(COOKIE_SECRET_PERIOD - SECOND, true), (COOKIE_SECRET_PERIOD * 2 + SECOND, false)] {
        let mut arena = Arena::new(2);
        let init = knocks_with_cookie(&mut arena, elsewhere(1), 1);
        arena.run(age);
        answer(&mut arena, elsewhere(1), &init).expect("an answer");
        assert_eq!(present(&arena).len(), usize::from(opens), "{age:?}");
    }
}

#[test]
fn a_stolen_token_is_good_for_its_host_and_one_session_alone() {
    let (mut arena, init) = knocks_with_token(3);
    let home = SocketAddr::from(([198, 51, 100, 1], 5_000));
    let there = present(&arena).len();
    // The thief may even know the key.
    let own = |arena: &Arena, seed| {
        let own = Knocker::new(arena.now, insider(), seed).says(arena.now).expect("an INIT");
        with_proofs_of(&init, &own).expect("two INITs")
    };
    for (from, seed) in [(elsewhere(2), 1), (SocketAddr::from(([198, 51, 100, 2], 5_000)), 2)] {
        for bytes in [own(&arena, seed), init.clone()] {
            let answered = answer(&mut arena, from, &bytes).expect("an answer");
            assert_eq!((kind(&answered), present(&arena).len()), (Some(Kind::Retry), there), "{from}");
        }
    }
    // The twin: from its own host it is good, whatever the port, as behind a router that gave it another one; once.
    let port = |port| SocketAddr::new(home.ip(), port);
    let bytes = own(&arena, 3);
    let answered = answer(&mut arena, port(9), &bytes).expect("an answer");
    assert_eq!((kind(&answered), present(&arena).len()), (Some(Kind::Accept), there + 1));
    let bytes = own(&arena, 4);
    let answered = answer(&mut arena, port(10), &bytes).expect("an answer");
    assert_eq!((kind(&answered), present(&arena).len()), (Some(Kind::Retry), there + 1));
}

#[test]
fn a_token_is_good_for_a_day() {
    for (age, expected) in [(TOKEN_PERIOD / 2, Kind::Accept), (TOKEN_PERIOD, Kind::Retry)] {
        let (mut arena, init) = knocks_with_token(4);
        arena.guests.clear();
        arena.frame_interval = None;
        arena.run(age);
        let answered = answer(&mut arena, SocketAddr::from(([198, 51, 100, 1], 9)), &init).expect("an answer");
        assert_eq!(kind(&answered), Some(expected), "{age:?}");
    }
}
