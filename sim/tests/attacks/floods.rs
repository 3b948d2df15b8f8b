//! Floods with false senders: what the server sends to addresses that never asked is counted from outside.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use nalcast_core::Rng;
use nalcast_core::limits::{DATAGRAM_BYTES_BASE, DATAGRAM_BYTES_MAX};
use sim::attack::{Account, Arena, Kind, Knocker, Ledger, SERVER, garbage, insider, stranger};

use super::theft::knocks_with_token;
use super::{DELAY, MS, SECOND, elsewhere, expect_picture, is_sealed, present};

const DATAGRAMS: u64 = 5_000;

/// Makes a datagram of a flood.
type Make<'a> = Box<dyn FnMut(&mut Rng) -> Vec<u8> + 'a>;

/// An address that nobody listens at.
fn spoofed(rng: &mut Rng) -> SocketAddr {
    let ip = Ipv4Addr::from_bits(0x0a00_0000 | rng.below(1 << 24) as u32);
    SocketAddr::new(IpAddr::V4(ip), 1 + rng.below(65_535) as u16)
}

/// Floods a server, at which a viewer is, with what `make` makes: the account of all false senders, and the largest
/// ratio of any of them.
fn flood(mut arena: Arena, mut make: impl FnMut(&mut Rng) -> Vec<u8>) -> (Account, u64) {
    let before = present(&arena);
    arena.records = false;
    for number in 0..DATAGRAMS {
        let mut rng = arena.rng.fork(number);
        let from = spoofed(&mut rng);
        let bytes = make(&mut rng);
        arena.inject(from, SERVER, bytes);
        assert_eq!(present(&arena), before, "nobody was let in");
        if number % 10 == 0 {
            arena.run(MS);
        }
    }
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed());
    (arena.ledger.of_the_deaf(), arena.ledger.worst_permille())
}

/// An INIT with a nonce of its own.
fn fresh(init: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = init.to_vec();
    rng.fill(&mut bytes[6..14]);
    bytes
}

#[test]
fn no_flood_is_made_larger_than_it_is() {
    let arena = || Arena::with_viewer(1, DELAY);
    let mut knocker = Knocker::new(arena().now, stranger(), 7);
    let init = knocker.says(arena().now).expect("an INIT");
    let cookie = arena().seen(|datagram| datagram.kind() == Some(Kind::InitWithCookie)).expect("an INIT").bytes;
    let report = arena().seen(|datagram| is_sealed(datagram) && datagram.is_to_server()).expect("a report").bytes;
    let (with_token, token) = knocks_with_token(9);
    let guessed = |rng: &mut Rng| {
        let mut bytes = fresh(&cookie, rng);
        rng.fill(&mut bytes[15..33]);
        bytes
    };
    let size = |rng: &mut Rng, from: usize| from + rng.below((DATAGRAM_BYTES_MAX - from + 1) as u64) as usize;
    let kinds: [(&str, Arena, Make<'_>); 9] = [
        ("INIT", arena(), Box::new(|rng| fresh(&init, rng))),
        ("INIT with a guessed cookie", arena(), Box::new(guessed)),
        ("INIT with a stolen cookie", arena(), Box::new(|_| cookie.clone())),
        ("INIT with a stolen token", with_token, Box::new(|_| token.clone())),
        (
            "INIT of another version",
            arena(),
            Box::new(|rng| {
                let mut bytes = fresh(&init, rng);
                bytes[5] = 2 + rng.below(250) as u8;
                bytes.resize(size(rng, DATAGRAM_BYTES_BASE), 0);
                bytes
            }),
        ),
        (
            "INIT that is too short",
            arena(),
            Box::new(|rng| {
                let mut bytes = fresh(&init, rng);
                bytes[5] = 1 + rng.below(2) as u8;
                bytes.truncate(rng.below(1_200) as usize);
                bytes
            }),
        ),
        (
            "garbage",
            arena(),
            Box::new(|rng| {
                let len = size(rng, 0);
                garbage(rng, len)
            }),
        ),
        (
            "garbage behind our magic number",
            arena(),
            Box::new(|rng| {
                let len = size(rng, 6);
                let mut bytes = garbage(rng, len);
                bytes[0] &= 0x07;
                bytes[1..6].copy_from_slice(b"nalc\x01");
                bytes
            }),
        ),
        (
            "garbage in a session",
            arena(),
            Box::new(|rng| {
                // Half of them name the viewer's own session.
                let len = size(rng, 7);
                let mut bytes = garbage(rng, len);
                bytes[0] = bytes[0] & 0x0f | 0xc0;
                if rng.below(2) == 0 {
                    bytes[3..7].copy_from_slice(&report[3..7]);
                }
                bytes
            }),
        ),
    ];
    for (name, arena, make) in kinds {
        let (all, worst) = flood(arena, make);
        println!(
            "{name}: {} B sent for {} B received, {}.{:03} times, at worst {}.{:03} times",
            all.sent,
            all.received,
            all.permille() / 1_000,
            all.permille() % 1_000,
            worst / 1_000,
            worst % 1_000
        );
        assert!(all.received > 0 && worst <= 3_000, "{name}");
        assert_eq!(all.sent > 0, name.starts_with("INIT") && !name.ends_with("short"), "{name} is answered");
    }
}

/// The twins: a server that answers fourfold is found out, and one that does so where it was heard before is not.
#[test]
fn a_server_that_answers_fourfold_is_found_out() {
    let answer = |factor: usize, heard: bool| {
        let mut ledger = Ledger::default();
        if heard {
            ledger.received(elsewhere(1), 1_200);
            ledger.sent(elsewhere(1), 33).expect("a cookie");
            ledger.heard(elsewhere(1));
        }
        ledger.received(elsewhere(1), 1_200);
        (0..factor).try_for_each(|_| ledger.sent(elsewhere(1), 1_200)).is_ok()
    };
    assert!(answer(3, false) && !answer(4, false));
    assert!(answer(400, true));
}

/// The twin: an address that can hear answers the same INIT with its cookie, and gets in.
#[test]
fn who_hears_the_answer_gets_in() {
    let mut arena = Arena::new(1);
    arena.listen_at(elsewhere(1));
    let mut knocker = Knocker::new(arena.now, insider(), 7);
    let mut said = knocker.says(arena.now);
    while let Some(bytes) = said {
        arena.inject(elsewhere(1), SERVER, bytes);
        let answers = core::mem::take(arena.inboxes.get_mut(&elsewhere(1)).expect("it listens"));
        said = answers.first().and_then(|answer| knocker.hears(arena.now, answer));
    }
    assert!(knocker.is_in() && present(&arena).len() == 1);
    arena.run(SECOND);
    let account = arena.ledger.of(elsewhere(1));
    println!(
        "an address that answers: {} B sent for {} B received in the first second",
        account.sent, account.received
    );
    assert!(account.sent > account.received, "what it proved is worth something");
}
