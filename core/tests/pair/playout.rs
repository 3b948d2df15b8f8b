//! When a picture is shown: as soon as it can be, or as evenly as it was taken.

use core::time::Duration;

use nalcast_core::Rng;
use nalcast_core::recv::{ClientEvent, FrameRecord};

use crate::world::look::{DELAY, FRAME, MS, frame_of, released};
use crate::world::{Kind, World, server_config};

/// From capture to release, of the frames shown after two seconds on a path that delays each frame by up to 40 ms.
fn delays(smooth: bool) -> Vec<Duration> {
    let mut world = World::new(server_config(), DELAY);
    world.smooth = smooth;
    world.join();
    world.run(300 * MS);
    world.feed(Kind::Key, 5_000);
    world.run(300 * MS);
    let mut rng = Rng::new(3);
    let (mut newest, mut extra) = (None, Duration::ZERO);
    world.fate = Box::new(move |datagram| {
        let frame = frame_of(datagram);
        if frame.is_some() && frame != newest {
            newest = frame;
            extra = Duration::from_micros(rng.below(40_000));
        }
        vec![if frame.is_some() { extra } else { Duration::ZERO }]
    });
    world.play(400, FRAME, |_| (Kind::Delta, 2_500));
    world.run(200 * MS);
    assert_eq!(released(&world, 0).len(), 401, "nothing is given up");
    let events = world.viewers[0].events.iter();
    let records =
        events.filter_map(|(_, event)| if let ClientEvent::Frame(record) = event { Some(*record) } else { None });
    let records = records.filter(|record| record.frame_id > 260);
    records
        .map(|FrameRecord { captured, released, .. }| released.expect("it was") - captured.expect("it was"))
        .collect()
}

fn spread(delays: &[Duration]) -> Duration {
    // The slowest twentieth may be late.
    let mut sorted = delays.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() * 19 / 20 - 1] - sorted[0]
}

#[test]
fn pictures_are_shown_as_soon_as_they_can_be_unless_evenness_is_wanted() {
    let (at_once, smooth) = (delays(false), delays(true));
    assert!(spread(&at_once) > 30 * MS, "{:?}", spread(&at_once));
    assert!(spread(&smooth) <= 6 * MS, "{:?}", spread(&smooth));
    // What waits does so for its slower fellows and no longer.
    let slowest = |delays: &[Duration]| delays.iter().copied().max().expect("frames");
    assert!(slowest(&smooth) <= slowest(&at_once) + 2 * MS, "{:?} {:?}", slowest(&smooth), slowest(&at_once));
}

#[test]
fn evenness_costs_no_repair_and_gives_up_nothing_that_comes_in_time() {
    let mut world = World::new(server_config(), DELAY);
    world.smooth = true;
    world.join();
    world.run(300 * MS);
    world.feed(Kind::Key, 5_000);
    world.run(300 * MS);
    let mut rng = Rng::new(4);
    world.fate = Box::new(move |datagram| {
        let lost = frame_of(datagram).is_some() && rng.chance_ppm(50_000);
        if lost { vec![] } else { vec![Duration::ZERO] }
    });
    // A lost frame that nobody needs comes again before its turn: it is shown, too.
    world.play(300, FRAME, |i| (if i % 2 == 0 { Kind::Delta } else { Kind::Disposable }, 2_500));
    world.run(200 * MS);
    let shown = released(&world, 0).len();
    assert!(shown >= 299, "{shown} of 301");
}
