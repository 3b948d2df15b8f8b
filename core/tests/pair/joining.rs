//! Handshake, first picture, late joiners.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::send::{Recovery, ServerConfig, ServerEvent};
use nalcast_core::{Timestamp, limits};

use crate::world::look::{DELAY, FRAME, MS, asks_to_recover, is_media, lost, released, up, wanted};
use crate::world::{Kind, World, server_config};

#[test]
fn a_newcomer_proves_its_address_and_its_session_before_anything_large_is_sent() {
    let mut world = World::new(server_config(), DELAY);
    world.feed(Kind::Key, 50_000);
    world.join();
    world.run(500 * MS);
    let of_kind = |kind: u8, to_server: bool| {
        world.log.iter().filter(move |datagram| datagram.to_server == to_server && datagram.bytes[0] == kind)
    };
    assert_eq!((of_kind(1, true).count(), of_kind(2, false).count(), of_kind(3, false).count()), (2, 1, 1));
    let answers = world.log.iter().filter(|datagram| !datagram.to_server && datagram.bytes[0] & 0x80 == 0);
    assert!(answers.clone().all(|datagram| datagram.bytes.len() <= 128));
    let stats = world.server.stats();
    assert!(stats.unproven_bytes_sent > 0 && stats.unproven_bytes_sent * 10 < stats.unproven_bytes_received);
    // Media leaves a round trip after ACCEPT: when the viewer's first sealed datagram is there.
    let media = world.log.iter().find(|datagram| is_media(datagram)).expect("media").sent;
    let accepted = of_kind(3, false).next().expect("ACCEPT").sent;
    assert_eq!(media - accepted, 2 * DELAY);
    assert_eq!(world.viewers[0].events[0].0 - accepted, DELAY);
}

#[test]
fn without_a_sealed_word_of_the_viewer_no_media_ever_leaves() {
    let mut world = World::new(server_config(), DELAY);
    world.feed(Kind::Key, 50_000);
    world.fate = Box::new(|datagram| {
        let sealed_by_viewer = datagram.to_server && datagram.bytes[0] & 0x80 != 0;
        if sealed_by_viewer { vec![] } else { vec![Duration::ZERO] }
    });
    world.join();
    world.play(60, FRAME, |_| (Kind::Delta, 2_000));
    assert!(!world.log.iter().any(is_media));
    world.run(limits::HALF_OPEN_PERIOD);
    world.fate = Box::new(|_| vec![]);
    world.run(limits::HALF_OPEN_PERIOD);
    assert_eq!(world.server.viewer_count(), 0, "half-open handshakes are forgotten");
    assert!(!world.server_events.iter().any(|(_, event)| matches!(event, ServerEvent::ViewerJoined { .. })));
}

#[test]
fn a_late_joiner_begins_with_the_global_buffer_if_that_is_cheap() {
    let mut world = up();
    world.play(20, FRAME, |i| if i % 4 == 3 { (Kind::Disposable, 300) } else { (Kind::Delta, 300) });
    let late = world.join();
    world.run(100 * MS);
    // The key frame, and all that somebody may refer to.
    let chain: Vec<u64> = (1..=21).filter(|id| *id == 1 || (id - 2) % 4 != 3).collect();
    assert_eq!(released(&world, late), chain);
    assert_eq!((wanted(&world), world.server.stats().joins_from_cache), (0, 1));
    // What was left out is told, not taken for lost.
    world.run(3_000 * MS);
    assert_eq!(wanted(&world), 0);
    assert!(!world.log.iter().any(asks_to_recover));
}

#[test]
fn a_late_joiner_to_a_long_still_scene_begins_with_the_global_buffer_too() {
    let mut world = up();
    world.play(200, FRAME, |_| (Kind::Delta, 30));
    let late = world.join();
    world.play(60, FRAME, |_| (Kind::Delta, 30));
    world.run(100 * MS);
    assert_eq!(released(&world, late), (1..=261).collect::<Vec<_>>());
    assert_eq!(wanted(&world), 0);
}

#[test]
fn late_joiners_to_a_dear_scene_share_one_key_frame() {
    let mut world = up();
    world.play(20, FRAME, |_| (Kind::Delta, 3_000));
    let late: Vec<usize> = (0..5).map(|_| world.join()).collect();
    world.play(3, FRAME, |_| (Kind::Delta, 3_000));
    world.run(30 * MS);
    assert_eq!(wanted(&world), 1);
    let key = world.feed(Kind::Key, 20_000);
    world.play(10, FRAME, |_| (Kind::Delta, 3_000));
    for viewer in late {
        assert_eq!(released(&world, viewer), (key..=key + 10).collect::<Vec<_>>());
    }
    assert_eq!(released(&world, 0).len() as u64, key + 10, "who was there saw all");
    assert_eq!(wanted(&world), 1);
}

#[test]
fn who_comes_in_one_short_moment_shares_a_key_frame_even_of_a_fast_encoder() {
    let mut world = up();
    world.play(20, FRAME, |_| (Kind::Delta, 3_000));
    let mut answered = 0;
    for millis in 0..100 {
        if millis % 5 == 0 && millis < 20 {
            world.join();
        }
        if wanted(&world) > answered {
            answered = wanted(&world);
            world.feed(Kind::Key, 20_000);
        }
        world.run(MS);
    }
    assert_eq!(wanted(&world), 1);
    assert!((1..5).all(|viewer| released(&world, viewer) == [22]));
}

#[test]
fn a_file_that_makes_no_key_frames_serves_late_joiners_from_the_global_buffer() {
    let mut world = World::new(ServerConfig { recovery: Recovery::Nothing, ..server_config() }, DELAY);
    world.join();
    world.run(100 * MS);
    world.feed(Kind::Key, 20_000);
    world.play(20, FRAME, |_| (Kind::Delta, 3_000));
    let late = world.join();
    world.play(20, FRAME, |_| (Kind::Delta, 3_000));
    world.run(100 * MS);
    assert_eq!(released(&world, late), (1..=41).collect::<Vec<_>>());
    assert_eq!(wanted(&world), 0);
}

#[test]
fn viewers_behind_one_address_may_join_all_at_once() {
    let mut world = World::new(server_config(), 50 * MS);
    world.feed(Kind::Key, 5_000);
    for port in 0..8 {
        world.join_from(SocketAddr::from(([10, 0, 2, 1], 6_000 + port)), Duration::ZERO);
    }
    let all_see = world.run_until(20_000 * MS, |world| (0..8).all(|viewer| !released(world, viewer).is_empty()));
    assert!(all_see);
    // Nobody was pushed out while half-open.
    assert!((0..8).all(|viewer| lost(&world, viewer).is_empty()));
    assert!(world.now < Timestamp::from_millis(6_000), "all see a picture after {}", world.now);
}

#[test]
fn every_access_unit_arrives_in_order_and_byte_for_byte() {
    let mut world = up();
    world.play(200, FRAME, |i| match i {
        100 => (Kind::Key, 60_000),
        _ if i % 3 == 1 => (Kind::Disposable, 700),
        _ => (Kind::Delta, 100 + i * 61),
    });
    world.run(500 * MS);
    assert_eq!(released(&world, 0), (1..=201).collect::<Vec<_>>());
    assert_eq!(wanted(&world), 0);
    assert_eq!(world.viewers[0].client.stats().receiver.frames_abandoned, [0; 6]);
}
