//! Which long-term references everybody has, and whose word on that counts.

use core::time::Duration;

use nalcast_core::wire::Writer;
use nalcast_core::wire::control::Control;
use nalcast_core::wire::feedback::{Acks, Feedback, Needs, Recover, RecoverKind};

use crate::references::{MARKED, references_wanted, shared, up};
use crate::world::look::{FRAME, MS, frame_of, lose_frames, say, wanted};
use crate::world::{Datagram, Kind, World};

#[test]
fn what_one_viewer_lacks_is_no_reference_for_anybody() {
    let mut world = up(2);
    // The next long-term reference reaches the second viewer only.
    world.fate = Box::new(|datagram| {
        let lost = datagram.viewer == 0 && frame_of(datagram) == Some(12);
        if lost { vec![] } else { vec![Duration::ZERO] }
    });
    world.feed_told(Kind::Delta, 900, MARKED);
    world.play(12, FRAME, |_| (Kind::Delta, 900));
    assert_eq!(shared(&world), [] as [u64; 0]);
    // Both have the first one.
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![1], 0));
    // A newcomer has the newest picture and what leads to it, but for the first one as soon as there is a way round it.
    let mut world = up(1);
    world.feed(Kind::Key, 4_000);
    world.run(200 * MS);
    lose_frames(&mut world, 13..=13);
    world.play(12, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![], 1), "a key frame ended the references before it");
}

#[test]
fn a_viewer_that_always_needs_help_has_no_say_in_what_the_others_refer_to() {
    let mut world = up(2);
    let is_hopeless =
        |datagram: &Datagram| datagram.viewer == 1 && frame_of(datagram).is_some_and(|id| id.is_multiple_of(4));
    world.fate = Box::new(move |datagram| if is_hopeless(datagram) { vec![] } else { vec![Duration::ZERO] });
    // It asks for one way back after the other, until its right to them is used up.
    for _ in 0..120 {
        let pending = references_wanted(&world).len() + wanted(&world);
        world.feed(Kind::Delta, 900);
        world.run(FRAME);
        if wanted(&world) + references_wanted(&world).len() > pending {
            world.feed(Kind::Key, 3_000);
        }
    }
    world.server_events.clear();
    let marked = world.feed_told(Kind::Delta, 900, MARKED);
    world.run(200 * MS);
    assert_eq!(shared(&world), [marked], "the first viewer has it");
}

#[test]
fn a_viewer_that_shows_nothing_is_not_waited_for_long() {
    let mut world = up(2);
    // From the second viewer nothing is heard but that it is there.
    world.fate = Box::new(|datagram| {
        let is_media_to_it = datagram.viewer == 1 && !datagram.to_server && frame_of(datagram).is_some();
        if is_media_to_it { vec![] } else { vec![Duration::ZERO] }
    });
    let marked = world.feed_told(Kind::Delta, 900, MARKED);
    world.run(200 * MS);
    assert_eq!(shared(&world), [] as [u64; 0], "it may still come");
    world.run(800 * MS);
    lose_frames(&mut world, marked + 1..=marked + 1);
    world.play(12, FRAME, |_| (Kind::Delta, 900));
    assert_eq!(references_wanted(&world), [marked]);
}

/// Two viewers of which the second one has not got frame `marked`, a long-term reference.
fn one_lacks() -> (World, u64) {
    let mut world = up(2);
    let marked = world.source.newest() + 1;
    world.fate = Box::new(move |datagram| {
        let lost = datagram.viewer == 1 && frame_of(datagram).is_some_and(|id| u64::from(id) >= marked);
        if lost { vec![] } else { vec![Duration::ZERO] }
    });
    assert_eq!(world.feed_told(Kind::Delta, 900, MARKED), marked);
    world.run(100 * MS);
    assert_eq!(shared(&world), [] as [u64; 0]);
    (world, marked)
}

#[test]
fn a_reference_is_shared_once_who_lacks_it_is_gone_or_pauses_or_waited_for_long_enough() {
    let (mut world, marked) = one_lacks();
    world.at_viewer(1, |client, now| client.handle_leave(now));
    world.run(100 * MS);
    assert_eq!(shared(&world), [marked]);

    let (mut world, marked) = one_lacks();
    world.at_viewer(1, |client, now| client.handle_pause(now, true));
    world.run(100 * MS);
    assert_eq!(shared(&world), [marked]);

    let (mut world, marked) = one_lacks();
    world.run(750 * MS);
    assert_eq!(shared(&world), [] as [u64; 0]);
    world.run(100 * MS);
    assert_eq!(shared(&world), [marked]);
}

#[test]
fn a_viewer_that_says_it_failed_takes_no_reference_from_the_others() {
    let mut world = up(2);
    let key = world.feed_told(Kind::Key, 900, MARKED);
    world.run(40 * MS);
    assert_eq!(shared(&world), [key]);
    // It names a frame that the key frame on its way helps against: it costs it nothing.
    let first_bad = u16::try_from(key - 1).expect("a small number");
    let report = Feedback {
        config_epoch: 1,
        largest: 1,
        ack_delay: 0,
        received_at: 0,
        last_decoded: None,
        waiting_for: first_bad,
        paused: false,
        acks: Acks::default(),
        needs: Needs::default(),
        recover: Some(Recover { kind: RecoverKind::Key, first_bad, last_good: 0 }),
        ce_count: None,
    };
    let mut buf = [0; 100];
    let mut writer = Writer::new(&mut buf);
    report.write(&mut writer);
    let len = writer.finish().expect("it fits");
    say(&mut world, 1, true, &Control::Feedback(&buf[..len]));
    world.run(60 * MS);
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![], 0));
    let lost = key + 5;
    world.fate = Box::new(move |datagram| {
        let lost = datagram.viewer == 0 && frame_of(datagram).is_some_and(|id| u64::from(id) == lost);
        if lost { vec![] } else { vec![Duration::ZERO] }
    });
    world.play(16, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((references_wanted(&world), wanted(&world)), (vec![key], 0));
}
