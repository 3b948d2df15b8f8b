//! What is lost or withheld, and how the picture comes back.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::rc::Rc;

use nalcast_core::send::{Recovery, ServerConfig};
use nalcast_core::wire::control::{Control, Wish};

use crate::world::look::{
    DELAY, FRAME, MS, asks_for_more, asks_to_recover, is_media, lose_frames, lose_media, messages, released, say, up,
    wanted,
};
use crate::world::{Datagram, Kind, World, server_address, server_config};

#[test]
fn a_lost_fragment_is_asked_for_within_the_tolerance_and_sent_again() {
    let mut world = up();
    lose_media(&mut world, |number, _| number == 1);
    let sent = world.now;
    world.feed(Kind::Delta, 5_000);
    world.run(30 * MS);
    let asked = world.log.iter().find(|datagram| asks_for_more(datagram)).expect("NEED").sent;
    // One way, pacing, and the tolerance of an eighth of the round trip.
    assert!(asked - sent <= DELAY + 10 * MS + 2 * DELAY / 8 + MS, "{:?}", asked - sent);
    world.run(2 * DELAY);
    assert_eq!(released(&world, 0), [1, 2]);
    world.play(20, FRAME, |_| (Kind::Delta, 1_000));
    world.run(100 * MS);
    assert_eq!((released(&world, 0).len(), wanted(&world)), (22, 0));
    assert!(!world.log.iter().any(asks_to_recover), "nothing was given up");
    assert!(!world.log.iter().any(|datagram| datagram.sent > sent + 200 * MS && asks_for_more(datagram)));
}

#[test]
fn a_loss_that_falls_due_while_the_shell_is_busy_is_asked_for_all_the_same() {
    let mut world = up();
    let kept = Rc::new(RefCell::new(Vec::new()));
    let hand = Rc::clone(&kept);
    world.fate = Box::new(move |datagram| {
        if is_media(datagram) {
            hand.borrow_mut().push(datagram.bytes.clone());
            return vec![];
        }
        vec![Duration::ZERO]
    });
    world.feed(Kind::Delta, 5_000);
    world.run(5 * MS);
    let client = &mut world.viewers[0].client;
    let arrived = world.now + DELAY;
    for (_, mut bytes) in kept.take().into_iter().enumerate().filter(|(index, _)| *index != 1) {
        client.handle_datagram(arrived, server_address(), &mut bytes);
    }
    let mut buf = [0; 2_048];
    while client.poll_transmit(arrived, &mut buf).is_some() {}
    // The tolerance is over when the shell, which was busy, asks once more what is to be sent.
    let mut now = arrived + 3 * MS;
    let mut asked = false;
    while now < arrived + 20 * MS {
        while let Some(sent) = client.poll_transmit(now, &mut buf) {
            let report = Datagram { viewer: 0, to_server: true, sent: now, bytes: buf[..sent.len].to_vec() };
            asked |= asks_for_more(&report);
        }
        let Some((due, _)) = client.poll_timeout() else { break };
        now = now.max(due);
        client.handle_timeout(now);
    }
    assert!(asked, "nothing was asked for");
}

#[test]
fn what_repair_does_not_bring_in_time_a_key_frame_mends() {
    let mut world = up();
    let sent = world.now;
    lose_frames(&mut world, 2..=2);
    let broken = world.feed(Kind::Delta, 5_000);
    world.play(12, FRAME, |_| (Kind::Delta, 1_000));
    assert_eq!((broken, released(&world, 0)), (2, vec![1]));
    let asked = world.log.iter().find(|datagram| asks_to_recover(datagram)).expect("RECOVER").sent;
    let budget = world.viewers[0].client.stats().budget;
    assert!((budget..budget + 4 * DELAY + 20 * MS).contains(&(asked - sent)), "{:?}, {budget:?}", asked - sent);
    assert_eq!(wanted(&world), 1);
    let key = world.feed(Kind::Key, 20_000);
    world.run(300 * MS);
    assert_eq!(released(&world, 0), [1, key]);
    let mended = world.now;
    world.play(20, FRAME, |_| (Kind::Delta, 1_000));
    world.run(100 * MS);
    assert_eq!((released(&world, 0).len(), wanted(&world)), (22, 1));
    assert!(!world.log.iter().any(|datagram| datagram.sent > mended && asks_to_recover(datagram)));
}

#[test]
fn a_lost_disposable_frame_costs_nothing_but_itself() {
    let mut world = up();
    lose_frames(&mut world, 5..=5);
    world.play(10, FRAME, |i| if i == 3 { (Kind::Disposable, 900) } else { (Kind::Delta, 900) });
    world.run(300 * MS);
    assert_eq!(released(&world, 0), (1..=11).filter(|id| *id != 5).collect::<Vec<_>>());
    assert_eq!(wanted(&world), 0);
}

#[test]
fn the_last_frame_arrives_whatever_of_it_was_lost() {
    for first_lost in [0, 2] {
        let mut world = up();
        let sent = world.now;
        lose_media(&mut world, move |number, _| number < 6 && number >= first_lost);
        world.feed(Kind::Delta, 4_000);
        world.run(1_000 * MS);
        assert_eq!((released(&world, 0), wanted(&world)), (vec![1, 2], 0), "from fragment {first_lost} on");
        let media = world.log.iter().filter(|datagram| is_media(datagram) && datagram.sent >= sent).count();
        assert!(media < 25, "{media}: what is known to be there is not repeated");
    }
}

#[test]
fn a_lost_first_key_frame_is_sent_again() {
    for recovery in [Recovery::Nothing, Recovery::KeyFrames, Recovery::LongTermReferences] {
        let mut world = World::new(ServerConfig { recovery, ..server_config() }, DELAY);
        world.join();
        world.run(200 * MS);
        lose_media(&mut world, |number, _| number < 8);
        world.feed(Kind::Key, 5_000);
        world.run(50 * MS);
        world.play(4, FRAME, |_| (Kind::Delta, 1_000));
        world.run(300 * MS);
        assert_eq!(released(&world, 0), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn thirty_two_cries_for_help_become_one_request() {
    let mut world = World::new(server_config(), DELAY);
    (0..32).for_each(|_| {
        world.join();
    });
    world.run(300 * MS);
    world.feed(Kind::Key, 5_000);
    world.run(300 * MS);
    world.server_events.clear();
    lose_frames(&mut world, 2..=2);
    world.play(12, FRAME, |_| (Kind::Delta, 900));
    assert_eq!(wanted(&world), 1);
    let cries = world.log.iter().filter(|datagram| asks_to_recover(datagram));
    assert!(cries.map(|datagram| datagram.viewer).collect::<std::collections::BTreeSet<_>>().len() == 32);
    let key = world.feed(Kind::Key, 5_000);
    world.run(300 * MS);
    assert!((0..32).all(|viewer| released(&world, viewer).last() == Some(&key)));
    assert_eq!(wanted(&world), 1);
}

#[test]
fn a_second_loss_soon_after_the_first_is_mended_as_fast() {
    let mut world = up();
    for round in 1..=3 {
        let first = world.source.units() + 1;
        lose_frames(&mut world, first..=first);
        world.play(12, FRAME, |_| (Kind::Delta, 900));
        world.run(30 * MS);
        assert_eq!(wanted(&world), round, "round {round}");
        world.feed(Kind::Key, 5_000);
        world.play(20, FRAME, |_| (Kind::Delta, 900));
    }
}

#[test]
fn a_viewer_that_is_always_stuck_costs_the_others_few_key_frames() {
    let mut world = up();
    let bad = world.join();
    world.run(200 * MS);
    lose_media(&mut world, move |number, datagram| datagram.viewer == bad && number % 5 == 0);
    twenty_seconds_of_answered_requests(&mut world);
}

#[test]
fn a_viewer_that_is_always_too_slow_costs_the_others_few_key_frames() {
    let mut world = up();
    let slow = Wish { sequence: 100, paused: false, kbps_max: 300, temporal_id_max: 3, budget_ms: 100 };
    say(&mut world, 0, true, &Control::Wish(slow));
    world.run(100 * MS);
    twenty_seconds_of_answered_requests(&mut world);
    let dropped = world.server.viewers().map(|viewer| viewer.frames_dropped).sum::<u64>();
    assert!(dropped > 10, "{dropped} frames dropped");
}

/// An encoder that answers each request at once; one viewer may cost it few.
fn twenty_seconds_of_answered_requests(world: &mut World) {
    let mut answered = 0;
    for _ in 0..600 {
        let asked = wanted(world);
        world.feed(if asked > answered { Kind::Key } else { Kind::Delta }, 6_000);
        answered = asked;
        world.run(FRAME);
    }
    // Three at once and then one in two seconds, for twenty seconds.
    assert!(wanted(world) <= 3 + 10 + 1, "{} key frames", wanted(world));
}

#[test]
fn what_a_file_lost_is_given_up_at_the_repair_deadline() {
    let mut world = World::new(ServerConfig { recovery: Recovery::Nothing, ..server_config() }, DELAY);
    world.feed(Kind::Key, 5_000);
    world.join();
    world.run(300 * MS);
    lose_frames(&mut world, 2..=2);
    world.feed(Kind::Delta, 4_000);
    let expired = |world: &World| {
        let [_, _, _, expired, ..] = world.viewers[0].client.stats().receiver.frames_abandoned;
        expired
    };
    // The frames behind it need it: nothing goes on, and nothing is given up, while it may still be repaired.
    world.play(50, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((expired(&world), released(&world, 0)), (0, vec![1]));
    world.play(20, FRAME, |_| (Kind::Delta, 900));
    assert_eq!((expired(&world), released(&world, 0)), (1, vec![1]));
}

#[test]
fn withheld_frames_are_told_until_the_viewer_has_heard() {
    let mut world = up();
    // The viewer wants little: much of what is made has to be left out.
    let wish = Control::Wish(Wish { sequence: 100, paused: false, kbps_max: 400, temporal_id_max: 3, budget_ms: 100 });
    say(&mut world, 0, true, &wish);
    world.run(100 * MS);
    let skips = Rc::new(Cell::new(0));
    let seen = Rc::clone(&skips);
    world.fate = Box::new(move |datagram| {
        let is_skip = !datagram.to_server && messages(datagram).iter().any(|m| matches!(m, Control::Skip { .. }));
        seen.set(seen.get() + usize::from(is_skip));
        // The first few are lost.
        if is_skip && seen.get() <= 2 { vec![] } else { vec![Duration::ZERO] }
    });
    world.play(30, FRAME, |i| (if i % 2 == 0 { Kind::Disposable } else { Kind::Delta }, 6_000));
    world.play(1, FRAME, |_| (Kind::Key, 3_000));
    world.run(3_000 * MS);
    assert!(skips.get() > 2, "{} SKIPs", skips.get());
    let told = skips.get();
    let [skipped, ..] = world.viewers[0].client.stats().receiver.frames_abandoned;
    let [(_, queue)] = [(0, world.server.viewers().next().expect("a viewer"))];
    assert!(queue.frames_dropped > 0 && skipped + 1 > 0);
    assert_eq!(released(&world, 0).last(), Some(&32));
    assert!(!world.log.iter().any(asks_to_recover), "what is told is not missed");
    world.run(3_000 * MS);
    assert_eq!(skips.get(), told, "and not told for ever");
}
