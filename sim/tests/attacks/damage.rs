//! Datagrams that are cut short, made longer, or have a bit changed: nothing comes of them but a count.

use core::net::SocketAddr;

use nalcast_core::Timestamp;
use nalcast_core::send::ViewerInfo;
use sim::attack::{Arena, Datagram, Kind, SERVER, Verdict, cut, extended, flipped};

use super::theft::knocks_with_token;
use super::{
    DELAY, MS, SECOND, elsewhere, expect_picture, is_sealed, present, state, taken_by_server, taken_by_viewer,
};

/// Everything that may be made of one datagram: each length that it has not, each bit changed, and what is too long for
/// any path.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let longer = [bytes.len() + 1, bytes.len() + 16, 1_473, 9_000, 65_535].into_iter();
    let longer = longer.filter(|len| *len > bytes.len());
    (0..bytes.len())
        .map(|len| cut(bytes, len))
        .chain(longer.flat_map(|len| [extended(bytes, len, 0), extended(bytes, len, 0xff)]))
        .chain((0..bytes.len() * 8).map(|bit| flipped(bytes, bit)))
}

/// What the attacker keeps back of what one side sends in `arena` within 150 ms, during which `act` happens.
fn kept_back(arena: &mut Arena, to_server: bool, act: impl FnOnce(&mut Arena)) -> Vec<Datagram> {
    let seen = arena.log.len();
    arena.hand = Box::new(move |datagram| match datagram.is_to_server() == to_server {
        true => Verdict::drop(),
        false => Verdict::pass(),
    });
    act(arena);
    arena.run(150 * MS);
    arena.frame_interval = None;
    let kept = arena.log.split_off(seen);
    kept.into_iter().filter(|datagram| datagram.is_to_server() == to_server).collect()
}

/// Nothing that is made of `original` changes anything about either side; what the server answers goes nowhere.
fn expect_nothing(arena: &mut Arena, original: &Datagram) -> usize {
    let before = state(arena);
    let look = |arena: &Arena| {
        let infos: Vec<ViewerInfo> = arena.server.viewers().collect();
        (timeouts(arena), infos, arena.events.len(), taken_by_viewer(arena), arena.guests[0].released.len())
    };
    let (seen, log, mut count) = (look(arena), arena.log.len(), 0);
    for bytes in damaged(&original.bytes) {
        arena.inject(original.from, original.to, bytes);
        assert_eq!(look(arena), seen, "{:?} to {}", original.kind(), original.to);
        count += 1;
    }
    assert!(state(arena) == before, "{:?} to {}", original.kind(), original.to);
    // A cookie, a word about versions, or the same ACCEPT again is all that anybody hears.
    let answers = arena.log.split_off(log);
    assert!(answers.iter().all(|answer| !is_sealed(answer) && !answer.is_to_server()));
    count
}

fn timeouts(arena: &Arena) -> [Option<Timestamp>; 2] {
    [arena.server.poll_timeout().map(|(at, _)| at), arena.guests[0].client.poll_timeout().map(|(at, _)| at)]
}

#[test]
fn damage_to_what_a_viewer_says_in_its_session_changes_nothing() {
    let mut arena = Arena::with_viewer(1, DELAY);
    let kept = kept_back(&mut arena, true, |arena| arena.at_guest(0, |client, now| client.handle_pause(now, true)));
    assert!(kept.len() > 3);
    let mut count = 0;
    for datagram in &kept {
        let taken = taken_by_server(&arena);
        count += expect_nothing(&mut arena, datagram);
        assert_eq!(taken_by_server(&arena), taken);
        // The twin: undamaged it is taken.
        arena.inject(datagram.from, SERVER, datagram.bytes.clone());
        assert_eq!(taken_by_server(&arena), taken + 1);
    }
    println!("{count} damaged datagrams of a viewer's, of {} kinds and lengths: none was taken", kept.len());
    arena.hand = Box::new(|_| Verdict::pass());
    arena.at_guest(0, |client, now| client.handle_pause(now, false));
    arena.run(SECOND);
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed());
}

#[test]
fn a_damaged_goodbye_is_none() {
    let mut arena = Arena::with_viewer(2, DELAY);
    let kept = kept_back(&mut arena, true, |arena| arena.at_guest(0, |client, now| client.handle_leave(now)));
    let goodbye = kept.last().expect("a CLOSE");
    expect_nothing(&mut arena, goodbye);
    assert_eq!(present(&arena).len(), 1);
    arena.inject(goodbye.from, SERVER, goodbye.bytes.clone());
    assert_eq!(present(&arena).len(), 0, "the twin: undamaged it is one");
}

#[test]
fn a_damaged_goodbye_of_the_server_is_none() {
    let mut arena = Arena::with_viewer(7, DELAY);
    let kept = kept_back(&mut arena, false, |arena| {
        let id = arena.server.viewers().next().expect("a viewer").id;
        assert!(arena.server.kick(arena.now, id));
    });
    let goodbye = kept.last().expect("a CLOSE");
    expect_nothing(&mut arena, goodbye);
    assert!(arena.guests[0].is_live());
    arena.inject(SERVER, goodbye.to, goodbye.bytes.clone());
    assert!(!arena.guests[0].is_live(), "the twin: undamaged it is one");
}

/// A report that would begin a move, and the challenge that answers it.
#[test]
fn a_damaged_move_is_none() {
    for to_server in [true, false] {
        let mut arena = Arena::with_viewer(8, DELAY);
        let kept = kept_back(&mut arena, to_server, |arena| {
            arena.relocate(0, elsewhere(1));
            arena.run(300 * MS);
        });
        let of_new_place = |datagram: &&Datagram| datagram.from == elsewhere(1) || datagram.to == elsewhere(1);
        let word = kept.iter().find(of_new_place).expect("a report or a challenge");
        expect_nothing(&mut arena, word);
        arena.hand = Box::new(|_| Verdict::pass());
        assert_eq!(arena.server.stats().viewers_moved, 0);
        arena.inject(word.from, word.to, word.bytes.clone());
        arena.run(5 * DELAY);
        assert_eq!(arena.server.stats().viewers_moved, 1, "the twin: undamaged it is one, to the server: {to_server}");
    }
}

#[test]
fn damage_to_what_the_server_says_in_a_session_changes_nothing() {
    let mut arena = Arena::with_viewer(3, DELAY);
    let kept = kept_back(&mut arena, false, |_| ());
    let lengths: Vec<usize> = kept.iter().map(|datagram| datagram.bytes.len()).collect();
    assert!(lengths.iter().any(|len| *len > 1_000) && lengths.iter().any(|len| *len < 100), "{lengths:?}");
    let mut count = 0;
    for datagram in &kept {
        let taken = taken_by_viewer(&arena);
        count += expect_nothing(&mut arena, datagram);
        assert_eq!(taken_by_viewer(&arena), taken);
        arena.inject(SERVER, datagram.to, datagram.bytes.clone());
        assert_eq!(taken_by_viewer(&arena), taken + 1);
    }
    println!("{count} damaged datagrams of the server's, of {} kinds and lengths: none was taken", kept.len());
    arena.hand = Box::new(|_| Verdict::pass());
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed());
}

/// Every handshake datagram that there is, at either side of a session that is up.
#[test]
fn damage_to_handshakes_changes_nothing_about_a_session() {
    let (mut arena, token) = knocks_with_token(4);
    let home = arena.guests[0].address;
    let kinds = [Kind::Init, Kind::InitWithCookie, Kind::Retry, Kind::Accept];
    let mut originals: Vec<Datagram> =
        kinds.iter().filter_map(|kind| arena.seen(|datagram| datagram.kind() == Some(*kind))).collect();
    assert_eq!(originals.len(), kinds.len());
    let nonce = originals[0].bytes[6..14].to_vec();
    let head = |kind: u8, rest: &[u8]| [&[kind][..], b"nalc\x01", &nonce, rest].concat();
    let made = [(home, SERVER, token), (SERVER, home, head(4, &[1, 2])), (SERVER, home, head(5, &[0, 2]))];
    originals.extend(made.map(|(from, to, bytes)| Datagram { at: arena.now, from, to, bytes }));
    arena.frame_interval = None;
    arena.run(100 * MS);
    for original in originals {
        // Each to either side, wherever it was meant to go.
        for (from, to) in [(home, SERVER), (SERVER, home)] {
            let original = Datagram { from, to, ..original.clone() };
            if original.kind() != Some(Kind::InitWithToken) {
                expect_nothing(&mut arena, &original);
            }
        }
    }
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed());
}

/// The same at the server: an INIT that is not what the viewer sent lets nobody in.
#[test]
fn a_damaged_init_lets_nobody_in() {
    let mut arena = Arena::new(6);
    arena.hand = Box::new(|datagram| match datagram.kind() {
        Some(Kind::InitWithCookie) => Verdict::drop(),
        _ => Verdict::pass(),
    });
    arena.join(DELAY);
    arena.run(3 * DELAY);
    let original = arena.seen(|datagram| datagram.kind() == Some(Kind::InitWithCookie)).expect("an INIT");
    let home: SocketAddr = original.from;
    let inject = |arena: &mut Arena, bytes: Vec<u8>| {
        arena.inject(home, SERVER, bytes);
        arena.server.viewer_count()
    };
    for bytes in damaged(&original.bytes) {
        assert_eq!(inject(&mut arena, bytes), 0);
    }
    arena.run(20 * SECOND);
    assert_eq!(inject(&mut arena, original.bytes), 1, "the twin: undamaged it does");
}
