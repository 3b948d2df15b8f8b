//! Each picture's way, and why the picture stood still.

use core::time::Duration;

use nalcast_core::recv::{Abandoned, ClientEvent, FrameRecord, Freeze, FreezeCause, Repaired};

use crate::world::look::{DELAY, FRAME, MS, frame_of, is_media, lose_frames, released, up};
use crate::world::{Kind, World};

fn freezes(world: &World) -> Vec<Freeze> {
    let events = world.viewers[0].events.iter();
    events.filter_map(|(_, event)| if let ClientEvent::Freeze(freeze) = event { Some(*freeze) } else { None }).collect()
}

fn records(world: &World) -> Vec<FrameRecord> {
    let events = world.viewers[0].events.iter();
    events.filter_map(|(_, event)| if let ClientEvent::Frame(record) = event { Some(*record) } else { None }).collect()
}

fn play(world: &mut World, frames: usize) {
    world.play(frames, FRAME, |_| (Kind::Delta, 1_000));
}

#[track_caller]
fn check(world: &World, cause: FreezeCause, length: Duration) {
    let found = freezes(world);
    let [freeze] = found[..] else { panic!("{found:?}") };
    assert_eq!(freeze.cause, cause, "{freeze:?}");
    assert!(freeze.length.abs_diff(length) <= 30 * MS, "{freeze:?}");
    let stats = world.viewers[0].client.stats().freezes;
    assert_eq!((stats.count[cause as usize], stats.count.iter().sum::<u64>()), (1, 1));
    assert_eq!((stats.total, stats.longest), (freeze.length, freeze.length));
}

#[test]
fn where_nothing_is_wrong_each_picture_has_its_way_and_none_freezes() {
    let mut world = up();
    play(&mut world, 60);
    world.run(100 * MS);
    let records = records(&world);
    assert_eq!(records.iter().map(|record| record.frame_id).collect::<Vec<_>>(), released(&world, 0));
    for record in records.iter().skip(10) {
        let captured = record.captured.expect("the clocks were compared");
        assert_eq!(record.encoded, Some(captured), "the source of this test takes no time");
        let arrived = record.first_packet.expect("it came") - captured;
        assert!(arrived.abs_diff(DELAY) <= MS, "{record:?}");
        assert!(record.completed <= record.released && record.released == record.shown, "{record:?}");
        assert_eq!((record.asked, record.repaired, record.abandoned), (None, Repaired::No, None));
    }
    assert_eq!(freezes(&world), []);
}

#[test]
fn a_screen_that_does_not_change_is_not_frozen() {
    let mut world = up();
    for pause in [400, 33, 900, 33, 33, 2_500, 33] {
        world.feed(Kind::Delta, 1_000);
        world.run(pause * MS);
    }
    assert_eq!(freezes(&world), []);
}

#[test]
fn what_was_lost_and_sent_again_is_told() {
    let mut world = up();
    play(&mut world, 10);
    // Of one frame nothing arrives for 150 ms, the path carries all the rest.
    let (lost, until) = (world.source.newest() + 1, world.now + 150 * MS);
    world.fate = Box::new(move |datagram| {
        let is_lost = frame_of(datagram).is_some_and(|id| u64::from(id) == lost) && datagram.sent < until;
        if is_lost { vec![] } else { vec![Duration::ZERO] }
    });
    play(&mut world, 20);
    world.run(100 * MS);
    check(&world, FreezeCause::BurstLoss, 33 * MS + 150 * MS);
    let record = records(&world).into_iter().find(|record| record.frame_id == lost).expect("it came");
    assert_eq!(record.repaired, Repaired::ByRepair);
    assert!(record.requests > 0 && record.asked < record.completed, "{record:?}");
}

#[test]
fn silence_is_told() {
    let mut world = up();
    play(&mut world, 10);
    let until = world.now + 500 * MS;
    world.fate = Box::new(move |datagram| if datagram.sent < until { vec![] } else { vec![Duration::ZERO] });
    play(&mut world, 40);
    world.run(100 * MS);
    check(&world, FreezeCause::Silence, 33 * MS + 500 * MS + 30 * MS);
}

#[test]
fn an_encoder_that_took_its_time_is_told() {
    let mut world = up();
    play(&mut world, 10);
    let captured = world.now;
    world.run(300 * MS);
    world.feed_taken(Kind::Delta, 1_000, captured);
    world.run(FRAME);
    play(&mut world, 10);
    check(&world, FreezeCause::LateSender, 33 * MS + 300 * MS);
}

#[test]
fn a_way_back_after_lost_frames_is_told() {
    let mut world = up();
    play(&mut world, 10);
    let first = world.source.newest() + 1;
    lose_frames(&mut world, first..=first + 3);
    play(&mut world, 10);
    world.feed(Kind::Key, 5_000);
    world.run(FRAME);
    play(&mut world, 10);
    check(&world, FreezeCause::MissingReference, 33 * MS + 10 * FRAME + 10 * MS);
    let given_up: Vec<_> = records(&world).into_iter().filter(|record| record.abandoned.is_some()).collect();
    assert_eq!(given_up.len(), 10);
    assert!(given_up.iter().any(|record| record.abandoned == Some(Abandoned::Overtaken)), "{given_up:?}");
    assert!(given_up[0].requests > 0 && given_up[0].shown.is_none(), "{given_up:?}");
}

#[test]
fn a_slow_decoder_is_told() {
    let mut world = up();
    play(&mut world, 10);
    world.viewers[0].shows = false;
    let stalled = world.source.newest() + 1;
    play(&mut world, 8);
    world.at_viewer(0, |client, now| {
        (stalled..stalled + 8).for_each(|id| {
            client.handle_decoded(now, id);
            client.handle_shown(now, id);
        });
    });
    world.viewers[0].shows = true;
    play(&mut world, 10);
    check(&world, FreezeCause::SlowDecoder, 8 * FRAME - 10 * MS + 33 * MS);
}

#[test]
fn a_path_too_narrow_for_a_picture_is_told() {
    let mut world = up();
    play(&mut world, 10);
    // Five milliseconds a datagram, and nothing is lost.
    let mut free = world.now;
    world.fate = Box::new(move |datagram| {
        if !is_media(datagram) {
            return vec![Duration::ZERO];
        }
        free = free.max(datagram.sent) + 5 * MS;
        vec![free - datagram.sent]
    });
    world.feed(Kind::Key, 60_000);
    world.run(10 * FRAME);
    play(&mut world, 10);
    check(&world, FreezeCause::SlowPath, FRAME + 52 * 5 * MS);
}

#[test]
fn a_pause_is_no_freeze() {
    let mut world = up();
    play(&mut world, 10);
    world.at_viewer(0, |client, now| client.handle_pause(now, true));
    play(&mut world, 30);
    world.at_viewer(0, |client, now| client.handle_pause(now, false));
    play(&mut world, 10);
    world.feed(Kind::Key, 5_000);
    play(&mut world, 10);
    assert_eq!(freezes(&world), []);
    assert_eq!(released(&world, 0).last(), Some(&world.source.newest()));
}

#[test]
fn who_shows_nothing_is_told_of_what_was_released_all_the_same() {
    let mut world = up();
    world.viewers[0].shows = false;
    play(&mut world, 200);
    world.run(100 * MS);
    let records = records(&world);
    assert!((130..200).contains(&records.len()), "{} records", records.len());
    assert!(records.iter().skip(2).all(|record| record.released.is_some() && record.shown.is_none()));
}
