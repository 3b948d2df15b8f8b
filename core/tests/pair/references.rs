//! The cheapest way back: upper layers are done without, a picture refers to what everybody has, a key frame comes last.

use core::time::Duration;

use nalcast_core::send::{Recovery, References, ServerConfig, ServerEvent};
use nalcast_core::wire::control::{Control, Wish};

use crate::world::look::{DELAY, FRAME, MS, asks_to_recover, frame_of, lose_frames, released, say, wanted};
use crate::world::{Kind, World, server_config};

pub(crate) const MARKED: References = References { refers_to: None, marks_long_term: true };

fn to(id: u64) -> References {
    References { refers_to: Some(id), marks_long_term: false }
}

/// `viewers` that have shown frame 1, a key frame and long-term reference, and the next ten.
pub(crate) fn up(viewers: usize) -> World {
    let mut world = World::new(ServerConfig { recovery: Recovery::LongTermReferences, ..server_config() }, DELAY);
    (0..viewers).for_each(|_| {
        world.join();
    });
    world.run(300 * MS);
    world.feed_told(Kind::Key, 5_000, MARKED);
    world.run(200 * MS);
    world.play(10, FRAME, |_| (Kind::Delta, 900));
    assert_eq!(shared(&world), [1]);
    assert!((0..viewers).all(|viewer| released(&world, viewer).len() == 11));
    world.server_events.clear();
    world
}

pub(crate) fn shared(world: &World) -> Vec<u64> {
    let events = world.server_events.iter();
    events
        .filter_map(
            |(_, event)| if let ServerEvent::ReferenceShared { reference } = event { Some(*reference) } else { None },
        )
        .collect()
}

pub(crate) fn references_wanted(world: &World) -> Vec<u64> {
    let events = world.server_events.iter();
    events
        .filter_map(
            |(_, event)| if let ServerEvent::ReferenceWanted { reference } = event { Some(*reference) } else { None },
        )
        .collect()
}

/// Frame 12 is lost for good; a dozen more are fed.
fn lose_one(world: &mut World) {
    lose_frames(world, 12..=12);
    world.play(12, FRAME, |_| (Kind::Delta, 900));
}

#[test]
fn a_picture_that_refers_to_what_everybody_has_mends_a_loss_without_a_key_frame() {
    let mut world = up(1);
    // So old that no decoder would still have it if it were not marked.
    world.play(60, FRAME, |_| (Kind::Delta, 900));
    let lost = world.source.newest() + 1;
    lose_frames(&mut world, lost..=lost);
    world.play(12, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![1], 0));
    let way_back = world.feed_told(Kind::Delta, 2_000, to(1));
    world.run(50 * MS);
    assert_eq!(released(&world, 0).last(), Some(&way_back));
    let mended = world.now;
    world.play(20, FRAME, |_| (Kind::Delta, 900));
    world.run(100 * MS);
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
    assert!(!world.log.iter().any(|datagram| datagram.sent > mended && asks_to_recover(datagram)));
    assert_eq!((references_wanted(&world).len(), wanted(&world)), (1, 0));
    assert_eq!(world.server.stats().recovery_frames, 1);
}

#[test]
fn a_way_back_that_is_lost_in_part_is_repaired() {
    let mut world = up(1);
    lose_one(&mut world);
    let way_back = world.source.newest() + 1;
    let mut number = 0;
    world.fate = Box::new(move |datagram| {
        let is_way_back = frame_of(datagram).is_some_and(|id| u64::from(id) == way_back);
        number += usize::from(is_way_back);
        // Its second and third fragment, the first time.
        if is_way_back && (2..=3).contains(&number) { vec![] } else { vec![Duration::ZERO] }
    });
    world.feed_told(Kind::Delta, 6_000, to(1));
    world.play(4, FRAME, |_| (Kind::Delta, 900));
    world.run(50 * MS);
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
    assert_eq!(wanted(&world), 0);
}

#[test]
fn a_way_back_is_repaired_for_a_viewer_that_has_given_up_what_was_before() {
    let mut world = up(1);
    lose_frames(&mut world, 12..=12);
    // Long enough for the repair deadline to pass.
    world.play(80, FRAME, |_| (Kind::Delta, 900));
    let way_back = world.source.newest() + 1;
    let mut number = 0;
    world.fate = Box::new(move |datagram| {
        let is_way_back = frame_of(datagram).is_some_and(|id| u64::from(id) == way_back);
        number += usize::from(is_way_back);
        // More of it than its rows stand in for.
        if is_way_back && (3..=7).contains(&number) { vec![] } else { vec![Duration::ZERO] }
    });
    world.feed_told(Kind::Delta, 6_000, to(1));
    world.play(4, FRAME, |_| (Kind::Delta, 900));
    // So many lost repairs look like a path that carries little.
    world.run(200 * MS);
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
}

#[test]
fn a_newcomer_gets_what_leads_to_the_newest_picture_and_no_more() {
    let mut world = up(1);
    let way_back = world.feed_told(Kind::Delta, 2_000, to(1));
    world.run(100 * MS);
    let viewer = world.join();
    world.run(200 * MS);
    assert_eq!((released(&world, viewer), wanted(&world)), (vec![1, way_back], 0));
}

#[test]
fn whom_the_reference_did_not_help_a_key_frame_does() {
    let mut world = up(1);
    lose_one(&mut world);
    assert_eq!(references_wanted(&world), [1]);
    let way_back = world.source.newest() + 1;
    let is_lost = move |id: u16| id == 12 || u64::from(id) == way_back;
    world.fate =
        Box::new(move |datagram| if frame_of(datagram).is_some_and(is_lost) { vec![] } else { vec![Duration::ZERO] });
    world.feed_told(Kind::Delta, 2_000, to(1));
    world.play(8, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((references_wanted(&world).len(), wanted(&world)), (1, 1));
    let key = world.feed(Kind::Key, 5_000);
    world.run(200 * MS);
    assert_eq!(released(&world, 0).last(), Some(&key));
}

#[test]
fn a_decoder_that_failed_gets_a_key_frame() {
    let mut world = up(1);
    world.at_viewer(0, |client, now| client.handle_undecodable(now, 11));
    world.run(200 * MS);
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![], 1));
}

#[test]
fn thirty_two_viewers_that_lost_a_frame_make_one_request() {
    let mut world = up(32);
    lose_one(&mut world);
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![1], 0));
    let way_back = world.feed_told(Kind::Delta, 2_000, to(1));
    world.run(100 * MS);
    assert!((0..32).all(|viewer| released(&world, viewer).last() == Some(&way_back)));
    assert_eq!((references_wanted(&world).len(), wanted(&world)), (1, 0));
}

/// Layers like 0 1 0 1, whose upper one others refer to.
fn layered(world: &mut World, count: usize, len: usize) {
    for _ in 0..count {
        let base = world.source.newest();
        world.feed_told(Kind::Upper, len, to(base));
        world.run(FRAME / 3);
        world.feed_told(Kind::Disposable, len, to(base + 1));
        world.run(FRAME / 3);
        world.feed_told(Kind::Delta, len, to(base));
        world.run(FRAME / 3);
    }
}

#[test]
fn without_a_frame_of_an_upper_layer_the_base_layer_goes_on() {
    let mut world = up(1);
    lose_frames(&mut world, 15..=15);
    layered(&mut world, 10, 900);
    world.run(300 * MS);
    // Frames 12 to 41; frame 16 refers to the lost one.
    assert_eq!(released(&world, 0), (1..=41).filter(|id| ![15, 16].contains(id)).collect::<Vec<_>>());
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![], 0));
    assert!(!world.log.iter().any(asks_to_recover));
}

#[test]
fn a_slow_viewer_loses_its_upper_layers_and_keeps_the_base() {
    let mut world = up(1);
    let wish = Wish { sequence: 100, paused: false, kbps_max: 700, temporal_id_max: 3, budget_ms: 100 };
    say(&mut world, 0, true, &Control::Wish(wish));
    world.run(100 * MS);
    let from = world.source.newest();
    // Twice as much as it can have.
    layered(&mut world, 40, 2_000);
    world.run(1_000 * MS);
    let base = (1..=40).map(|i| from + i * 3).filter(|id| !released(&world, 0).contains(id)).count();
    let upper = (1..=120).filter(|i| i % 3 != 0 && !released(&world, 0).contains(&(from + i))).count();
    assert_eq!((base, wanted(&world) + references_wanted(&world).len()), (0, 0));
    assert!(upper > 30, "{upper} frames of upper layers left out");
}

#[test]
fn a_wish_for_the_base_layer_alone_is_heard() {
    let mut world = up(1);
    let wish = Wish { sequence: 100, paused: false, kbps_max: 0, temporal_id_max: 0, budget_ms: 100 };
    say(&mut world, 0, true, &Control::Wish(wish));
    world.run(100 * MS);
    let from = world.source.newest();
    layered(&mut world, 10, 900);
    world.run(300 * MS);
    let shown: Vec<_> = released(&world, 0).into_iter().filter(|id| *id > from).collect();
    // Nothing tells the layer of a frame that nobody refers to; it goes as what it needs has gone.
    assert_eq!(shown, (1..=10).map(|i| from + i * 3).collect::<Vec<_>>());
    assert_eq!(wanted(&world) + references_wanted(&world).len(), 0);
}

#[test]
fn who_was_away_while_the_references_changed_gets_a_key_frame() {
    let mut world = up(2);
    // For six seconds nothing reaches the first viewer, which goes on reporting; meanwhile all references are new.
    let until = world.now + 6_000 * MS;
    world.fate = Box::new(move |datagram| {
        let is_away = datagram.viewer == 0 && !datagram.to_server && datagram.sent < until;
        if is_away { vec![] } else { vec![Duration::ZERO] }
    });
    for _ in 0..3 {
        world.feed_told(Kind::Key, 3_000, MARKED);
        world.play(60, FRAME, |_| (Kind::Delta, 900));
    }
    world.server_events.clear();
    for _ in 0..60 {
        let key = wanted(&world) > 0;
        if key {
            world.server_events.clear();
        }
        let way_back = references_wanted(&world).last().copied();
        match way_back {
            Some(reference) if !key => world.feed_told(Kind::Delta, 1_500, to(reference)),
            _ => world.feed(if key { Kind::Key } else { Kind::Delta }, 900),
        };
        world.run(FRAME);
    }
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
}

#[test]
fn base_frames_that_refer_to_long_term_references_are_no_answer() {
    let mut world = up(2);
    let lost = world.source.newest() + 2;
    world.fate = Box::new(move |datagram| {
        let lost = datagram.viewer == 0 && frame_of(datagram).is_some_and(|id| u64::from(id) == lost);
        if lost { vec![] } else { vec![Duration::ZERO] }
    });
    // Each base frame is kept and refers to the one before; in between comes a frame of an upper layer that is kept, too.
    let mut base = world.feed_told(Kind::Delta, 900, MARKED);
    for _ in 0..12 {
        let next = world.feed_told(Kind::Delta, 900, References { refers_to: Some(base), marks_long_term: true });
        world.run(FRAME / 2);
        world.feed_told(Kind::Upper, 900, to(next));
        world.run(FRAME / 2);
        base = next;
    }
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![lost - 1], 0));
    // Those that it still made are none; asked again, it is the same.
    world.run(1_200 * MS);
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![lost - 1; 2], 0));
    world.feed_told(Kind::Delta, 900, to(lost - 1));
    world.run(2_000 * MS);
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![lost - 1; 2], 0));
}

#[test]
fn pauses_that_begin_and_end_make_no_key_frames_without_end() {
    let mut world = up(2);
    for _ in 0..40 {
        let wanted_before = wanted(&world) + references_wanted(&world).len();
        world.at_viewer(1, |client, now| client.handle_pause(now, true));
        world.play(2, FRAME, |_| (Kind::Delta, 900));
        world.at_viewer(1, |client, now| client.handle_pause(now, false));
        world.play(2, FRAME, |_| (Kind::Delta, 900));
        if wanted(&world) + references_wanted(&world).len() > wanted_before {
            world.feed(Kind::Key, 3_000);
        }
    }
    // 5.3 s: a burst, and one more each two seconds.
    let asked = wanted(&world) + references_wanted(&world).len();
    assert!((3..=5).contains(&asked), "{asked}");
}

#[test]
fn a_pause_in_which_nothing_was_missed_costs_nothing() {
    let mut world = up(1);
    world.at_viewer(0, |client, now| client.handle_pause(now, true));
    world.run(500 * MS);
    world.at_viewer(0, |client, now| client.handle_pause(now, false));
    world.run(500 * MS);
    world.play(5, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![], 0));
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
}

#[test]
fn a_frame_of_an_upper_layer_is_no_way_back_whatever_it_refers_to() {
    let mut world = up(1);
    lose_one(&mut world);
    assert_eq!(references_wanted(&world), [1]);
    world.feed_told(Kind::Upper, 900, to(1));
    world.feed_told(Kind::Disposable, 900, to(1));
    // The base layer goes on from what the viewer lacks.
    let base = world.source.newest() - 2;
    world.feed_told(Kind::Delta, 900, to(base));
    world.run(100 * MS);
    assert_eq!(world.server.stats().recovery_frames, 0);
    assert!(!released(&world, 0).contains(&world.source.newest()));
    let way_back = world.feed_told(Kind::Delta, 2_000, to(1));
    world.run(100 * MS);
    assert_eq!(released(&world, 0).last(), Some(&way_back));
}
