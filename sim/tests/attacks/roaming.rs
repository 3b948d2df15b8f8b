//! A viewer's datagrams from addresses that are not its own.

use core::net::SocketAddr;
use core::time::Duration;

use sim::attack::{Arena, Datagram, SERVER, Verdict};

use super::{DELAY, MS, SECOND, elsewhere, expect_picture, info, is_sealed};

/// The attacker sends what the viewer says from `thief`, and what the viewer sent comes so much later.
fn race(thief: SocketAddr, behind: Duration) -> sim::attack::Hand {
    Box::new(move |datagram| {
        if !datagram.is_to_server() || datagram.from == thief {
            return Verdict::pass();
        }
        let copy = Datagram { from: thief, ..datagram.clone() };
        Verdict::drop().and(DELAY, copy).and(DELAY + behind, datagram.clone())
    })
}

fn ratio(permille: u64) -> String {
    format!("{}.{:03}", permille / 1_000, permille % 1_000)
}

#[test]
fn the_stream_never_follows_copies_that_come_first() {
    let mut worst = 0;
    for (seed, behind) in [(1, Duration::ZERO), (2, MS), (3, 5 * MS), (4, 40 * MS)] {
        let mut arena = Arena::with_viewer(seed, DELAY);
        let (home, frames) = (arena.guests[0].address, arena.guests[0].released.len());
        arena.hand = race(elsewhere(66), behind);
        for _ in 0..100 {
            arena.run(100 * MS);
            assert_eq!(info(&arena).address, home);
        }
        let account = arena.ledger.of(elsewhere(66));
        assert!(account.sent > 0 && account.sent <= 3 * account.received, "{account:?}");
        worst = worst.max(account.permille());
        // Three hundred frames were made in ten seconds.
        assert!(arena.guests[0].released.len() > frames + 290, "{}", arena.guests[0].released.len());
        expect_picture(&mut arena);
        assert!(!arena.guests[0].was_disturbed() && arena.server.stats().viewers_moved == 0);
    }
    println!("an address that copies are sent from: at worst {} times their bytes", ratio(worst));
}

/// The worst that it can be had for: a short datagram each time, from another place each time.
#[test]
fn no_place_is_sent_more_than_three_times_what_came_from_there() {
    let mut arena = Arena::with_viewer(5, DELAY);
    let mut count = 0;
    arena.hand = Box::new(move |datagram| {
        if !datagram.is_to_server() {
            return Verdict::pass();
        }
        count += 1;
        let from = SocketAddr::from(([10, 0, (count >> 8) as u8, count as u8], 7));
        Verdict::pass().and(9 * MS, Datagram { from, ..datagram.clone() })
    });
    arena.frame_interval = None;
    arena.run(60 * SECOND);
    let all = arena.ledger.of_the_deaf();
    println!(
        "{} B were sent to places that copies were sent from, {} B came from there: {} times, at worst {} times",
        all.sent,
        all.received,
        ratio(all.permille()),
        ratio(arena.ledger.worst_permille())
    );
    assert!(all.sent > 0 && arena.ledger.worst_permille() <= 3_000);
    arena.hand = Box::new(|_| Verdict::pass());
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed() && arena.server.stats().viewers_moved == 0);
}

/// The twin: who really moved is followed.
#[test]
fn the_stream_follows_a_viewer_that_moved() {
    let rtt = 2 * DELAY;
    for offset in 0..10 {
        let mut arena = Arena::with_viewer(6, DELAY);
        arena.run(offset * 7 * MS);
        arena.relocate(0, elsewhere(1));
        let moved = arena.now;
        let followed = arena.run_until(SECOND, |arena| arena.server.stats().viewers_moved == 1);
        // Nothing reaches it any more: its next report comes when there is nothing to report.
        let report = 250 * MS;
        assert!(followed && arena.now - moved <= 2 * rtt + report, "{:?}", arena.now - moved);
        assert_eq!(info(&arena).address, elsewhere(1));
        arena.run(SECOND);
        expect_picture(&mut arena);
        assert!(!arena.guests[0].was_disturbed());
    }
}

/// The other twin: an attacker that carries the challenge to the viewer and its answer back is a way to the viewer, as
/// any router is. The stream follows it, the viewer keeps its picture, and when it stops the stream comes home.
#[test]
fn who_carries_everything_both_ways_is_a_way() {
    let mut arena = Arena::with_viewer(7, DELAY);
    let (home, relay) = (arena.guests[0].address, elsewhere(66));
    arena.listen_at(relay);
    arena.hand = Box::new(move |datagram| match (datagram.to, datagram.from) {
        (to, SERVER) if to == relay => Verdict::pass().and(DELAY, Datagram { to: home, ..datagram.clone() }),
        (SERVER, from) if from == home => Verdict::drop().and(DELAY, Datagram { from: relay, ..datagram.clone() }),
        _ => Verdict::pass(),
    });
    let followed = arena.run_until(5 * SECOND, |arena| info(arena).address == relay);
    assert!(followed, "it answers the challenge");
    expect_picture(&mut arena);
    arena.hand = Box::new(|_| Verdict::pass());
    let returned = arena.run_until(5 * SECOND, |arena| info(arena).address == home);
    assert!(returned, "what the viewer sends comes from home again");
    arena.run(SECOND);
    expect_picture(&mut arena);
    assert!(!arena.guests[0].was_disturbed());
}

/// Half of that is nothing: the viewer's answer comes from where the viewer is.
#[test]
fn who_carries_the_challenge_alone_gets_nothing() {
    let mut arena = Arena::with_viewer(9, DELAY);
    let (home, thief) = (arena.guests[0].address, elsewhere(66));
    let mut steal = race(thief, MS);
    let mut was_asked = false;
    arena.hand = Box::new(move |datagram| match datagram.to == thief {
        true => {
            was_asked = true;
            Verdict::drop().and(DELAY, Datagram { to: home, ..datagram.clone() })
        }
        // What the viewer says from now on is not copied: its answer is in it.
        false if was_asked => Verdict::pass(),
        false => steal(datagram),
    });
    arena.run(5 * SECOND);
    assert!(arena.ledger.of(thief).sent > 0, "it was asked");
    assert_eq!((info(&arena).address, arena.server.stats().viewers_moved), (home, 0));
}

/// Who was let in, but has not been heard yet, is where its cookie went.
#[test]
fn a_session_begins_where_its_cookie_went() {
    for (from_home, joins) in [(false, 0), (true, 1)] {
        let mut arena = Arena::new(10);
        arena.hand = Box::new(|datagram| match is_sealed(datagram) && datagram.is_to_server() {
            true => Verdict::drop(),
            false => Verdict::pass(),
        });
        arena.join(DELAY);
        arena.run(200 * MS);
        let report = arena.seen(|datagram| is_sealed(datagram) && datagram.is_to_server()).expect("a report");
        let from = if from_home { report.from } else { elsewhere(66) };
        arena.inject(from, SERVER, report.bytes);
        arena.run(SECOND);
        assert_eq!(arena.server.stats().viewers_joined, joins, "from home: {from_home}");
        assert_eq!(arena.ledger.of(elsewhere(66)).sent, 0);
    }
}

/// What was heard before is not even answered, wherever it comes from.
#[test]
fn a_replay_from_elsewhere_is_not_answered() {
    let mut arena = Arena::with_viewer(8, DELAY);
    let reports: Vec<_> = arena.log.iter().filter(|seen| is_sealed(seen) && seen.is_to_server()).cloned().collect();
    for report in &reports {
        arena.inject(elsewhere(66), SERVER, report.bytes.clone());
        arena.run(MS);
    }
    assert_eq!(arena.ledger.of(elsewhere(66)).sent, 0);
    expect_picture(&mut arena);
}
