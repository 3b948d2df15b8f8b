//! What must not depend on anything else: one viewer on another, a run on chance, order on the link.

use core::time::Duration;

use nalcast_core::wire::control::Control;

use crate::world::look::{DELAY, FRAME, MS, asks_to_recover, is_media, released, say, up, wanted};
use crate::world::{Kind, World, server_config};

/// Every datagram to viewer 0, with its time, of a run with a second viewer that `spoil`s it; without key frames
/// on request, which are the one way in which viewers may feel each other.
fn schedule_of_the_first(spoil: Option<fn(&mut World)>) -> Vec<(Duration, Vec<u8>)> {
    let mut world = up();
    let start = world.now;
    if let Some(spoil) = spoil {
        world.join();
        world.run(500 * MS);
        spoil(&mut world);
    } else {
        world.run(500 * MS);
    }
    world.play(100, FRAME, |i| (if i % 3 == 2 { Kind::Disposable } else { Kind::Delta }, 300 + i * 400));
    world.run(500 * MS);
    let to_first = world.log.iter().filter(|datagram| datagram.viewer == 0 && !datagram.to_server);
    to_first.map(|datagram| (datagram.sent - start, datagram.bytes.clone())).collect()
}

#[test]
fn another_viewers_misery_changes_nothing_for_the_first() {
    let alone = schedule_of_the_first(None);
    let spoils: [fn(&mut World); 4] = [
        |_| (),
        |world| world.fate = Box::new(|datagram| if datagram.viewer == 1 { vec![] } else { vec![Duration::ZERO] }),
        |world| {
            let mut number = 0;
            world.fate = Box::new(move |datagram| {
                number += 1;
                if datagram.viewer == 1 && number % 2 == 0 { vec![] } else { vec![Duration::ZERO] }
            });
        },
        |world| {
            use nalcast_core::wire::control::Wish;
            let slow = Wish { sequence: 1, paused: false, kbps_max: 8, temporal_id_max: 0, budget_ms: 0 };
            say(world, 1, true, &Control::Wish(slow));
        },
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let together = schedule_of_the_first(Some(spoil));
        assert!(alone.len() > 1_000);
        // The second viewer of the table is served after the first: nothing is even a microsecond later.
        assert!(alone == together, "spoil {number}");
    }
}

/// A link with loss, duplication and reordering that a small generator decides.
fn rough(seed: u64, delay_max: u64) -> crate::world::Fate {
    let mut rng = nalcast_core::Rng::new(seed);
    Box::new(move |_| {
        let copies = if rng.chance_ppm(30_000) { 0 } else { 1 + u64::from(rng.chance_ppm(50_000)) };
        (0..copies).map(|_| Duration::from_micros(rng.below(delay_max))).collect()
    })
}

#[test]
fn the_same_seeds_and_inputs_give_the_same_datagrams_and_events() {
    let run = |seed| {
        let mut world = World::new(server_config(), DELAY);
        world.fate = rough(seed, 20_000);
        world.join();
        world.join();
        world.run(500 * MS);
        world.play(60, FRAME, |i| (if i % 20 == 0 { Kind::Key } else { Kind::Delta }, 3_000));
        let log: Vec<_> = world.log.iter().map(|datagram| (datagram.sent, datagram.bytes.clone())).collect();
        let events: Vec<_> = world.viewers.iter().map(|viewer| format!("{:?}", viewer.events)).collect();
        (log, events, world.server_events)
    };
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

#[test]
fn everything_twice_is_the_same_as_once() {
    let mut world = up();
    world.fate = Box::new(|_| vec![Duration::ZERO, Duration::from_millis(7)]);
    world.play(100, FRAME, |_| (Kind::Delta, 3_000));
    world.run(300 * MS);
    assert_eq!(released(&world, 0), (1..=101).collect::<Vec<_>>());
    assert_eq!((wanted(&world), world.log.iter().filter(|datagram| asks_to_recover(datagram)).count()), (0, 0));
    let (server, viewer) = (world.server.stats(), world.viewers[0].client.stats());
    assert!(server.datagrams_dropped > 100 && viewer.datagrams_dropped > 100, "the second copy is not opened");
}

#[test]
fn once_it_is_learned_reordering_costs_nothing() {
    let mut world = up();
    let mut rng = nalcast_core::Rng::new(5);
    world.fate = Box::new(move |_| vec![Duration::from_micros(rng.below(15_000))]);
    // While it is learned, a key frame may be asked for.
    world.play(60, FRAME, |i| (if i % 10 == 9 { Kind::Key } else { Kind::Delta }, 6_000));
    world.run(100 * MS);
    let (before, asked, from) = (released(&world, 0).len(), wanted(&world), world.log.len());
    world.play(200, FRAME, |_| (Kind::Delta, 6_000));
    world.run(100 * MS);
    assert_eq!(released(&world, 0).len() - before, 200);
    assert_eq!(wanted(&world), asked);
    assert!(!world.log[from..].iter().any(asks_to_recover));
    assert!(world.log[from..].iter().filter(|datagram| is_media(datagram)).count() >= 1_000);
}

#[test]
fn what_an_authentic_server_says_in_madness_is_survived() {
    for newest_frame in [0, 1, 1_000, 1 << 20, u64::MAX - 1, u64::MAX] {
        let mut world = up();
        say(&mut world, 0, false, &Control::Heartbeat { newest_frame, server_time_us: u64::MAX });
        world.run(100 * MS);
        for (from, to) in [(0, u16::MAX), (u16::MAX, 0), (2, 1), (0x8000, 0x8001), (2, 2)] {
            say(&mut world, 0, false, &Control::Skip { from, to, next: 7 });
            world.run(50 * MS);
        }
        world.run(12_000 * MS);
    }
}
