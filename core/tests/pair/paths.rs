//! The way between server and viewer: how much it carries, where it leads, and how quickly it is found again.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::limits::{DATAGRAM_BYTES_BASE, DATAGRAM_BYTES_MAX, MTU_PROBE_BYTES, REPAIR_PERIOD_MAX};
use nalcast_core::recv::{ClientEvent, LostReason};
use nalcast_core::send::{ServerEvent, ViewerState};
use nalcast_core::wire::control::Control;

use crate::world::look::{DELAY, FRAME, MS, is_media, lost, messages, released, up, wanted};
use crate::world::{Datagram, Kind, World, server_config};

fn largest_media(world: &World, since: usize) -> usize {
    world.log[since..]
        .iter()
        .filter(|datagram| is_media(datagram))
        .map(|datagram| datagram.bytes.len())
        .max()
        .unwrap_or(0)
}

fn datagram_bytes_max(world: &World) -> usize {
    world.server.viewers().next().expect("a viewer").datagram_bytes_max
}

fn elsewhere(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 6000))
}

fn challenges(world: &World) -> usize {
    let is_challenge = |message: &Control<'_>| matches!(message, Control::PathChallenge(_));
    world.log.iter().filter(|datagram| !datagram.to_server && messages(datagram).iter().any(is_challenge)).count()
}

// --- How much it carries -----------------------------------------------------------------------------------

#[test]
fn the_largest_size_that_passes_is_found_within_two_round_trips_and_used() {
    for mtu in [1200, 1252, 1400, 1472] {
        let mut world = World::new(server_config(), DELAY);
        world.mtu = mtu;
        world.join();
        // Three round trips until the viewer's first report came, one for the probe.
        world.run(8 * DELAY + 10 * MS);
        let expected = MTU_PROBE_BYTES.into_iter().filter(|bytes| *bytes <= mtu).max().unwrap_or(DATAGRAM_BYTES_BASE);
        assert_eq!(datagram_bytes_max(&world), expected, "{mtu}");
        let since = world.log.len();
        world.feed(Kind::Key, 200_000);
        world.run(200 * MS);
        assert_eq!(released(&world, 0), [1]);
        // Fragments are as equal as they can be: nearly as large as they may be.
        let largest = largest_media(&world, since);
        assert!(largest <= expected && largest + 10 > expected, "{largest} of {expected}");
    }
}

/// A session over a path whose size was found, in which a key frame of `key_bytes` was shown.
fn over_a_wide_path(key_bytes: usize) -> World {
    let mut world = World::new(server_config(), DELAY);
    world.mtu = DATAGRAM_BYTES_MAX;
    world.join();
    world.run(200 * MS);
    world.feed(Kind::Key, key_bytes);
    world.run(100 * MS);
    assert_eq!(datagram_bytes_max(&world), DATAGRAM_BYTES_MAX);
    world
}

#[test]
fn a_path_that_shrinks_is_noticed_and_the_stream_goes_on() {
    let mut world = over_a_wide_path(50_000);
    world.mtu = 1400;
    let mut recovered = None;
    for i in 0..60 {
        let wanted = world.server_events.iter().any(|(_, event)| *event == ServerEvent::KeyFrameWanted);
        world.server_events.clear();
        let kind = if wanted { Kind::Key } else { Kind::Delta };
        let id = world.feed(kind, 10_000);
        world.run(FRAME);
        if recovered.is_none() && i > 0 && released(&world, 0).last() == Some(&id) {
            recovered = Some(i);
        }
    }
    let frames = recovered.expect("the stream goes on");
    assert!(frames * FRAME.as_millis() < 700, "after {frames} frames");
    assert_eq!(datagram_bytes_max(&world), 1372);
    assert_eq!(released(&world, 0).last(), Some(&61));
}

#[test]
fn a_frame_that_is_under_way_when_the_path_shrinks_is_cut_anew() {
    let mut world = over_a_wide_path(5_000);
    // At the viewer's word so slowly that the next frame takes a second.
    let wish = nalcast_core::wire::control::Wish {
        sequence: 100,
        paused: false,
        kbps_max: 800,
        temporal_id_max: 3,
        budget_ms: 0,
    };
    crate::world::look::say(&mut world, 0, true, &Control::Wish(wish));
    world.run(50 * MS);
    world.feed(Kind::Delta, 100_000);
    world.run(100 * MS);
    let since = world.log.len();
    assert!(largest_media(&world, 0) > 1400);
    world.mtu = 1300;
    world.run(REPAIR_PERIOD_MAX);
    world.run(1_000 * MS);
    assert_eq!(released(&world, 0), [1, 2]);
    assert_eq!(world.viewers[0].client.stats().receiver.fragments_contradicting, 0);
    assert!(largest_media(&world, since) > 1300, "what was lost in the hole");
}

#[test]
fn heavy_loss_alone_does_not_shrink_the_path() {
    let mut world = over_a_wide_path(50_000);
    let mut state = 1u32;
    world.fate = Box::new(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 24 < 64 { vec![] } else { vec![Duration::ZERO] }
    });
    for _ in 0..300 {
        world.feed(Kind::Delta, 9_000);
        world.run(FRAME);
        assert_eq!(datagram_bytes_max(&world), DATAGRAM_BYTES_MAX);
    }
}

// --- Where it leads ----------------------------------------------------------------------------------------

#[test]
fn a_viewer_whose_address_changes_keeps_its_session() {
    let mut world = up();
    world.mtu = 1472;
    world.play(30, FRAME, |_| (Kind::Delta, 3_000));
    let session = world.server.viewers().next().expect("a viewer").id;
    world.move_viewer(0, elsewhere(9));
    let moved_at = world.now;
    let followed = world.run_until(1_000 * MS, |world| {
        world.server_events.iter().any(|(_, event)| matches!(event, ServerEvent::ViewerMoved { .. }))
    });
    // A report, the challenge and its answer.
    assert!(followed && world.now - moved_at <= 250 * MS + 3 * DELAY, "{:?}", world.now - moved_at);
    for _ in 0..60 {
        let asked = world.server_events.iter().any(|(_, event)| *event == ServerEvent::KeyFrameWanted);
        world.server_events.retain(|(_, event)| *event != ServerEvent::KeyFrameWanted);
        world.feed(if asked { Kind::Key } else { Kind::Delta }, 3_000);
        world.run(FRAME);
    }
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
    let info = world.server.viewers().next().expect("a viewer");
    assert_eq!((info.id, info.address, info.state), (session, elsewhere(9), ViewerState::Live));
    assert_eq!((lost(&world, 0).len(), world.server.stats().viewers_moved), (0, 1));
    assert_eq!(info.datagram_bytes_max, 1472, "the new path's size was found");
    // From there it comes back without RETRY.
    let retries = world.server.stats().retries_sent;
    world.fate = Box::new(|_| vec![]);
    world.run(12_000 * MS);
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    world.run(6_000 * MS);
    assert_eq!((world.server.viewer_count(), world.server.stats().retries_sent), (1, retries));
}

#[test]
fn a_new_path_is_measured_anew() {
    let mut world = up();
    world.play(30, FRAME, |_| (Kind::Delta, 3_000));
    let rtt = |world: &World| world.server.viewers().next().and_then(|viewer| viewer.rtt);
    assert!(rtt(&world) < Some(30 * MS));
    world.delay = 10 * DELAY;
    world.move_viewer(0, elsewhere(9));
    world.run_until(2_000 * MS, |world| world.server.stats().viewers_moved == 1);
    assert_eq!(rtt(&world), None);
    world.run(500 * MS);
    assert!(rtt(&world) >= Some(20 * DELAY), "{:?}", rtt(&world));
}

/// Somebody between viewer and server sends what the viewer said from another address, and sooner.
fn steal(world: &mut World, from: SocketAddr) -> Datagram {
    let logged = world.log.len();
    world.fate = Box::new(|datagram| if datagram.to_server { vec![] } else { vec![Duration::ZERO] });
    world.run(300 * MS);
    let stolen = world.log[logged..].iter().rfind(|datagram| datagram.to_server).expect("a report").clone();
    world.inject_from(from, stolen.bytes.clone());
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    stolen
}

#[test]
fn the_stream_never_follows_an_address_that_does_not_answer() {
    let mut world = up();
    let home = world.viewers[0].address;
    let stolen = steal(&mut world, elsewhere(66));
    world.play(90, FRAME, |_| (Kind::Delta, 3_000));
    let info = world.server.viewers().next().expect("a viewer");
    assert_eq!((info.address, world.server.stats().viewers_moved), (home, 0));
    let sent = world.strangers[&elsewhere(66)];
    assert!(sent > 0 && sent <= 3 * stolen.bytes.len(), "{sent} for {}", stolen.bytes.len());
    assert!(sent < 2 * 29, "asked once: then the viewer spoke from where it is");
    assert_eq!(released(&world, 0).len(), 91, "and the viewer never noticed");
}

#[test]
fn an_address_that_repeats_what_was_heard_before_is_not_even_asked() {
    let mut world = up();
    world.run(300 * MS);
    let report = world.log.iter().rfind(|datagram| datagram.to_server).expect("a report").bytes.clone();
    world.inject_from(elsewhere(66), report);
    world.run(1_000 * MS);
    assert_eq!((world.strangers[&elsewhere(66)], challenges(&world)), (0, 0));
    assert!(world.server.stats().datagrams_replayed > 0);
}

#[test]
fn a_session_that_is_not_confirmed_yet_does_not_move() {
    let mut world = World::new(server_config(), DELAY);
    world.fate = Box::new(|datagram| {
        let is_report = datagram.to_server && datagram.bytes[0] & 0x80 != 0;
        if is_report { vec![] } else { vec![Duration::ZERO] }
    });
    world.join();
    world.run(100 * MS);
    let report = world.log.iter().find(|datagram| datagram.to_server && datagram.bytes[0] & 0x80 != 0);
    let report = report.expect("a report").bytes.clone();
    world.inject_from(elsewhere(66), report);
    world.run(1_000 * MS);
    assert_eq!(world.server.viewers().filter(|viewer| viewer.state.is_joined()).count(), 0);
    assert_eq!(world.strangers[&elsewhere(66)], 0);
}

// --- How quickly it is found again -------------------------------------------------------------------------

/// When the viewer's session began, counted from its first INIT since `since`.
fn connects_after(world: &World, since: usize) -> Duration {
    let first = world.log[since..].iter().find(|datagram| datagram.to_server && datagram.bytes[0] == 1);
    let sent = first.expect("an INIT").sent;
    let connected = |(_, event): &&(_, ClientEvent)| matches!(event, ClientEvent::Connected);
    world.viewers[0].events.iter().rfind(connected).expect("it is connected").0 - sent
}

#[test]
fn who_was_here_before_is_let_in_a_round_trip_sooner() {
    let mut world = up();
    assert_eq!(connects_after(&world, 0), 4 * DELAY);
    let retries = world.server.stats().retries_sent;
    let mut since = world.log.len();
    for _ in 0..3 {
        // The network is gone for so long that both sides give up.
        world.fate = Box::new(|_| vec![]);
        world.run(12_000 * MS);
        assert_eq!(lost(&world, 0).last(), Some(&LostReason::Silence));
        world.fate = Box::new(|_| vec![Duration::ZERO]);
        assert!(world.run_until(5_000 * MS, |world| world.server.viewer_count() == 1));
        world.run(200 * MS);
        let answered: Vec<_> =
            world.log[since..].iter().map(|datagram| (datagram.to_server, datagram.bytes[0])).collect();
        assert!(answered.contains(&(false, 3)) && !answered.contains(&(false, 2)), "no RETRY");
        since = world.log.len();
    }
    assert_eq!(world.server.stats().retries_sent, retries);
}

/// From the first INIT since `since` to the first picture of the session.
fn shows_after(world: &World, since: usize) -> Duration {
    let first = world.log[since..].iter().find(|datagram| datagram.to_server && datagram.bytes[0] == 1);
    let sent = first.expect("an INIT").sent;
    let later = |(at, event): &&(Timestamp, ClientEvent)| *at >= sent && matches!(event, ClientEvent::AccessUnit(_));
    world.viewers[0].events.iter().find(later).expect("a picture").0 - sent
}

#[test]
fn the_first_picture_takes_three_round_trips_and_two_with_a_token() {
    for rtt in [0, 50, 100] {
        let round_trip = rtt * MS;
        let mut world = World::new(server_config(), round_trip / 2);
        world.feed(Kind::Key, 60_000);
        world.join();
        world.run(1_000 * MS);
        // The key frame is paced over ten milliseconds.
        let cold = (connects_after(&world, 0), shows_after(&world, 0));
        assert!(cold.0 == 2 * round_trip && (3 * round_trip..=3 * round_trip + 10 * MS).contains(&cold.1), "{cold:?}");
        world.fate = Box::new(|_| vec![]);
        world.run(12_000 * MS);
        world.fate = Box::new(|_| vec![Duration::ZERO]);
        let since = world.log.len();
        assert!(world.run_until(5_000 * MS, |world| world.server.viewer_count() == 1));
        world.run(1_000 * MS);
        let again = (connects_after(&world, since), shows_after(&world, since));
        assert!(again.0 == round_trip && (2 * round_trip..=2 * round_trip + 10 * MS).contains(&again.1), "{again:?}");
    }
}

#[test]
fn a_token_lets_nobody_in_twice() {
    let mut world = up();
    world.fate = Box::new(|_| vec![]);
    world.run(12_000 * MS);
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    world.run(3_000 * MS);
    assert_eq!(world.server.viewer_count(), 1);
    let init =
        world.log.iter().rfind(|datagram| datagram.to_server && datagram.bytes[0] == 1).expect("an INIT").clone();
    assert_eq!((init.bytes[14], init.bytes[15]), (0, 32), "no cookie, but a token");
    world.at_viewer(0, |client, now| client.handle_leave(now));
    // Long enough for the server to forget the handshake, not so long that the token is too old.
    world.run(Duration::from_secs(3_600));
    let before = world.server.stats();
    world.inject(0, true, init.bytes);
    assert_eq!(world.server.viewer_count(), 0);
    assert_eq!(world.server.stats().retries_sent, before.retries_sent + 1, "it has to prove its address");
}

#[test]
fn a_room_full_of_viewers_at_one_address_is_in_within_a_second() {
    let mut world = World::new(server_config(), 5 * MS);
    world.feed(Kind::Key, 20_000);
    for port in 0..40 {
        world.join_from(SocketAddr::from(([203, 0, 113, 1], 5_000 + port)), Duration::ZERO);
    }
    world.run(1_000 * MS);
    let joined = world.server.viewers().filter(|viewer| viewer.state.is_joined()).count();
    assert_eq!(joined, 40);
    assert!((0..40).all(|viewer| released(&world, viewer) == [1]));
}

// --- Pause -------------------------------------------------------------------------------------------------

#[test]
fn a_paused_viewer_is_sent_no_media_and_has_its_picture_back_at_once() {
    let mut world = up();
    world.play(5, FRAME, |_| (Kind::Delta, 3_000));
    world.at_viewer(0, |client, now| client.handle_pause(now, true));
    world.run(3 * DELAY);
    let since = world.log.len();
    world.play(100, FRAME, |_| (Kind::Delta, 3_000));
    assert_eq!(largest_media(&world, since), 0);
    assert_eq!(wanted(&world), 0, "nor does it cost the others a key frame");
    world.at_viewer(0, |client, now| client.handle_pause(now, false));
    world.run(100 * MS);
    assert_eq!(wanted(&world), 1);
    let key = world.feed(Kind::Key, 5_000);
    world.run(50 * MS);
    assert_eq!(released(&world, 0).last(), Some(&key));
    assert_eq!(lost(&world, 0).len(), 0);
}

#[test]
fn a_pause_outlives_the_session_and_the_loss_of_its_announcement() {
    let mut world = up();
    world.fate = Box::new(|datagram| if datagram.to_server { vec![] } else { vec![Duration::ZERO] });
    world.at_viewer(0, |client, now| client.handle_pause(now, true));
    world.run(500 * MS);
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    world.run(300 * MS);
    let since = world.log.len();
    world.play(10, FRAME, |_| (Kind::Delta, 3_000));
    assert_eq!(largest_media(&world, since), 0);
    world.fate = Box::new(|_| vec![]);
    world.run(12_000 * MS);
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    world.run(6_000 * MS);
    assert_eq!(world.server.viewer_count(), 1);
    let since = world.log.len();
    world.play(10, FRAME, |_| (Kind::Key, 3_000));
    assert_eq!(largest_media(&world, since), 0);
}
