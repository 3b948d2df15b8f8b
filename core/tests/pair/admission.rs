//! Who is let in: the door, with real handshakes and recorded ones.

use core::time::Duration;

use nalcast_core::handshake::Noise;
use nalcast_core::recv::{ClientEvent, EndReason};
use nalcast_core::send::Server;

use crate::meeting::{Meeting, key, open};
use crate::world::look::up;

/// What becomes of a viewer with one handshake at a server with another, after ten seconds: its events, and how many
/// datagrams of the server's it had.
fn meet(viewer: Noise, server: Noise) -> (Vec<ClientEvent>, usize, Server<Noise>) {
    let mut meeting = Meeting::new(server, false);
    meeting.join(viewer, None);
    meeting.run(Duration::from_secs(10));
    let guest = meeting.guests.remove(0);
    (guest.events, guest.answers, meeting.server)
}

fn is_connected(events: &[ClientEvent]) -> bool {
    matches!(events, [ClientEvent::Connected, ..])
}

#[test]
fn whoever_knows_the_key_is_let_in() {
    for (viewer, server) in [(key(1), key(1)), (open(), open())] {
        let (events, _, server) = meet(viewer, server);
        assert!(is_connected(&events), "{events:?}");
        assert_eq!((server.viewer_count(), server.stats().handshakes_refused), (1, 0));
    }
}

#[test]
fn whoever_has_another_key_hears_nothing_but_a_cookie() {
    let (events, answers, server) = meet(key(1), key(2));
    assert!(matches!(events[..], [ClientEvent::Ended(EndReason::NoAnswer)]), "{events:?}");
    let stats = server.stats();
    assert_eq!(answers as u64, stats.retries_sent, "a RETRY proves the address, and that is all that is said");
    assert!(stats.handshakes_refused >= 3 && stats.unproven_bytes_sent < stats.unproven_bytes_received, "{stats:?}");
    assert_eq!(server.viewer_count(), 0, "and no place is taken");
}

#[test]
fn a_viewer_is_told_that_a_key_is_needed_and_never_settles_for_less() {
    let (events, ..) = meet(open(), key(1));
    assert!(matches!(events[..], [ClientEvent::Ended(EndReason::KeyNeeded)]), "{events:?}");
    let (events, ..) = meet(key(1), open());
    assert!(matches!(events[..], [ClientEvent::Ended(EndReason::KeyUnwanted)]), "{events:?}");
}

#[test]
fn a_recorded_handshake_makes_no_second_session() {
    let mut world = up();
    // The first has no cookie yet, the last one has.
    let recorded = world.log.iter().rfind(|datagram| datagram.to_server && datagram.bytes[0] == 1);
    let recorded = recorded.expect("an INIT").bytes.clone();
    assert_eq!(recorded[14], 18, "with a cookie");
    world.at_viewer(0, |client, now| client.handle_leave(now));
    world.run(Duration::from_secs(1));
    assert_eq!(world.server.viewer_count(), 0);
    for _ in 0..10 {
        world.inject(0, true, recorded.clone());
        world.run(Duration::from_secs(5));
        assert_eq!(world.server.viewer_count(), 0);
    }
    assert_eq!(world.server.stats().handshakes_refused, 10);
}

#[test]
fn who_guesses_keys_is_soon_not_listened_to_and_his_neighbours_are() {
    let mut meeting = Meeting::new(key(1), false);
    let address = |host, port| core::net::SocketAddr::from(([192, 0, 2, host], port));
    for guess in 0..4 {
        meeting.join_from(address(1, 5_000 + guess), key(2), None);
        meeting.run(Duration::from_secs(4));
    }
    let stats = meeting.server.stats();
    // Ten at once, and one each six seconds.
    assert!((10..=13).contains(&stats.handshakes_refused) && stats.handshakes_limited > 0, "{stats:?}");
    let guesser = meeting.join_from(address(1, 6_000), key(1), None);
    let neighbour = meeting.join_from(address(2, 5_000), key(1), None);
    meeting.run(Duration::from_secs(1));
    assert!(!meeting.guests[guesser].is_connected() && meeting.guests[neighbour].is_connected());
}
