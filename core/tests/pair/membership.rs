//! Who is there, who is not, and how they part.

use core::time::Duration;

use nalcast_core::limits;
use nalcast_core::recv::{ClientEvent, ClientState, EndReason, LostReason};
use nalcast_core::send::{LeaveReason, Server, ServerConfig, ServerEvent};
use nalcast_core::wire::CloseCode;

use crate::world::look::{DELAY, FRAME, MS, is_media, last_event, lost, released, up, wanted};
use crate::world::{Kind, Plain, Source, World, server_config};

#[test]
fn a_full_server_says_so_and_takes_the_viewer_once_there_is_room() {
    let mut world = World::new(ServerConfig { viewers_max: 1, ..server_config() }, DELAY);
    world.join();
    world.run(200 * MS);
    world.feed(Kind::Key, 5_000);
    let second = world.join();
    world.run(100 * MS);
    assert_eq!(lost(&world, second), [LostReason::Full]);
    assert_eq!(world.viewers[second].client.state(), ClientState::Waiting);
    world.at_viewer(0, |client, now| client.handle_leave(now));
    world.run(1_500 * MS);
    assert_eq!(world.viewers[second].client.state(), ClientState::Live);
    assert_eq!(released(&world, second), [1]);
}

#[test]
fn viewers_that_join_at_the_same_time_do_not_overfill_the_server() {
    let mut world = World::new(ServerConfig { viewers_max: 2, ..server_config() }, DELAY);
    world.feed(Kind::Key, 5_000);
    (0..5).for_each(|_| {
        world.join();
    });
    for _ in 0..50 {
        world.run(100 * MS);
        assert!(world.server.viewers().filter(|viewer| viewer.state.is_joined()).count() <= 2);
    }
    let live = |world: &World| (0..5).filter(|viewer| !released(world, *viewer).is_empty()).count();
    assert_eq!(live(&world), 2);
    let refused = (0..5).filter(|viewer| lost(&world, *viewer).first() == Some(&LostReason::Full)).count();
    assert_eq!(refused, 3);
}

#[test]
fn leaving_is_noticed_at_once() {
    let mut world = up();
    world.at_viewer(0, |client, now| client.handle_leave(now));
    world.run(DELAY);
    assert_eq!(world.server.viewer_count(), 0);
    let left = world.server_events.last().expect("an event").1;
    assert!(matches!(left, ServerEvent::ViewerLeft { reason: LeaveReason::Left, .. }), "{left:?}");
    world.run(1_000 * MS);
    assert!(matches!(last_event(&world, 0), ClientEvent::Ended(EndReason::Left)));
    assert_eq!(world.viewers[0].client.poll_timeout(), None);
}

#[test]
fn a_still_session_stays_and_a_dead_one_expires_on_both_sides() {
    let mut world = up();
    world.run(60_000 * MS);
    assert_eq!((world.server.viewer_count(), lost(&world, 0).len()), (1, 0));
    let cut_at = world.now;
    world.fate = Box::new(|_| vec![]);
    let gone = world.run_until(20_000 * MS, |world| world.server.viewer_count() == 0);
    assert!(gone);
    assert!(world.now - cut_at <= limits::IDLE_PERIOD, "{:?}", world.now - cut_at);
    let reason = world.server_events.last().expect("an event").1;
    assert!(matches!(reason, ServerEvent::ViewerLeft { reason: LeaveReason::Expired, .. }), "{reason:?}");
    world.run(2_000 * MS);
    assert_eq!(lost(&world, 0), [LostReason::Silence]);
}

#[test]
fn a_session_over_which_nothing_is_heard_is_soon_given_up() {
    let mut world = World::new(server_config(), DELAY);
    world.fate = Box::new(|datagram| {
        let sealed_to_viewer = !datagram.to_server && datagram.bytes[0] & 0x80 != 0;
        if sealed_to_viewer { vec![] } else { vec![Duration::ZERO] }
    });
    world.join();
    world.run(4 * DELAY + limits::UNCONFIRMED_PERIOD - MS);
    assert_eq!((world.viewers[0].client.state(), lost(&world, 0).len()), (ClientState::Live, 0));
    world.run(2 * MS);
    assert_eq!(lost(&world, 0), [LostReason::Silence]);
}

#[test]
fn after_the_end_no_key_frame_is_wanted() {
    for shutdown in [true, false] {
        let mut world = up();
        world.play(20, FRAME, |_| (Kind::Delta, 3_000));
        world.join();
        // The newcomer's need is known, and the encoder not asked yet.
        world.run(5 * DELAY);
        world.at_server(
            |server, now| {
                if shutdown { server.handle_shutdown(now) } else { server.handle_end_of_source(now) }
            },
        );
        world.run(5_000 * MS);
        assert_eq!(
            (wanted(&world), world.server_events.last().map(|(_, event)| *event)),
            (0, Some(ServerEvent::Finished))
        );
    }
}

#[test]
fn a_short_silence_stops_media_and_a_word_brings_it_back() {
    let mut world = up();
    world.fate = Box::new(|datagram| if datagram.to_server { vec![] } else { vec![Duration::ZERO] });
    world.play(100, FRAME, |_| (Kind::Delta, 1_000));
    let in_the_dark = world.now;
    world.play(30, FRAME, |_| (Kind::Delta, 1_000));
    assert!(!world.log.iter().any(|datagram| is_media(datagram) && datagram.sent >= in_the_dark));
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    world.run(300 * MS);
    assert_eq!(wanted(&world), 1);
    let key = world.feed(Kind::Key, 5_000);
    world.run(100 * MS);
    assert_eq!(released(&world, 0).last(), Some(&key));
}

#[test]
fn a_kicked_viewer_ends() {
    let mut world = up();
    let id = world.server.viewers().next().expect("a viewer").id;
    assert!(world.at_server(|server, now| server.kick(now, id)));
    world.run(1_000 * MS);
    assert!(matches!(last_event(&world, 0), ClientEvent::Ended(EndReason::Kicked)));
    let left = world.server_events.last().expect("an event").1;
    let reason = LeaveReason::Closed(CloseCode::Kicked);
    assert!(matches!(left, ServerEvent::ViewerLeft { reason: why, .. } if why == reason), "{left:?}");
    assert!(!world.at_server(|server, now| server.kick(now, id)), "gone");
}

#[test]
fn a_server_that_stops_is_tried_again() {
    let mut world = up();
    world.at_server(|server, now| server.handle_shutdown(now));
    world.run(1_000 * MS);
    assert_eq!(world.server_events.last().expect("an event").1, ServerEvent::Finished);
    assert_eq!(lost(&world, 0)[0], LostReason::Shutdown);
    // What still answers there says that it stops, not that it is full.
    world.run(5_000 * MS);
    assert!(lost(&world, 0).iter().all(|reason| *reason == LostReason::Shutdown), "{:?}", lost(&world, 0));
    world.server = Server::new(server_config(), Plain, [8; 32], world.now);
    world.source = Source::default();
    world.feed(Kind::Key, 5_000);
    world.run(20_000 * MS);
    assert_eq!(world.viewers[0].client.state(), ClientState::Live);
    assert_eq!(released(&world, 0), [1, 1], "frame 1 of either server");
}

#[test]
fn at_the_end_of_the_source_viewers_get_everything_and_are_told() {
    let mut world = up();
    let late = world.join();
    world.run(200 * MS);
    world.play(10, MS, |_| (Kind::Delta, 20_000));
    world.at_server(|server, now| server.handle_end_of_source(now));
    world.run(3_000 * MS);
    for viewer in [0, late] {
        assert_eq!(released(&world, viewer).last(), Some(&11));
        assert!(matches!(last_event(&world, viewer), ClientEvent::Ended(EndReason::EndOfStream)));
    }
    assert_eq!(world.server_events.last().expect("an event").1, ServerEvent::Finished);
    assert_eq!((world.server.viewer_count(), world.server.poll_timeout()), (0, None));
    let newcomer = world.join();
    world.run(100 * MS);
    assert!(matches!(last_event(&world, newcomer), ClientEvent::Ended(EndReason::EndOfStream)));
}

#[test]
fn what_was_sent_to_those_who_left_still_counts() {
    let mut world = up();
    world.join();
    world.run(300 * MS);
    let before = world.server.traffic();
    assert!(before.media_bytes > 40_000 && before.parity_packets > 0, "two key frames and their parity: {before:?}");
    let of_viewers: u64 = world.server.viewers().map(|viewer| viewer.traffic.media_bytes).sum();
    assert_eq!(of_viewers, before.media_bytes);
    let judged = world.server.packets_judged();
    assert!(judged.0 > 30, "{judged:?}");
    for viewer in [0, 1] {
        world.at_viewer(viewer, |client, now| client.handle_leave(now));
    }
    world.run(500 * MS);
    assert_eq!((world.server.viewer_count(), world.server.traffic()), (0, before));
    assert!(world.server.packets_judged() >= judged);
}
