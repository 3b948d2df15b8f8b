//! What a stream may look like: its parameter sets, its references, its length.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::recv::ClientEvent;
use nalcast_core::send::AccessUnitRefused;
use nalcast_core::wire::control::{Control, Wish};

use crate::world::look::{DELAY, FRAME, MS, asks_to_recover, messages, released, say, up, wanted};
use crate::world::oracle::SPS;
use crate::world::{Kind, World, server_config, unit};

fn has_config(datagram: &crate::world::Datagram) -> bool {
    !datagram.to_server && messages(datagram).iter().any(|message| matches!(message, Control::Config(_)))
}

#[test]
fn a_key_frame_without_parameter_sets_is_released_with_them_beside() {
    let mut world = up();
    let key = world.feed(Kind::BareKey, 5_000);
    let late = world.join();
    world.run(300 * MS);
    // The oracle compares the sets byte for byte.
    assert_eq!((released(&world, 0), released(&world, late)), (vec![1, key], vec![key]));
    let config = world.viewers[late]
        .events
        .iter()
        .find_map(|(_, event)| if let ClientEvent::Config(config) = event { Some(config.clone()) } else { None });
    let config = config.map(|config| (config.width, config.height, config.parameter_sets.starts_with(SPS)));
    assert_eq!(config, Some((1280, 720, true)));
}

#[test]
fn a_key_frame_whose_parameter_sets_never_came_is_refused() {
    let mut world = World::new(server_config(), DELAY);
    let bare = unit(Kind::BareKey, 0, 500);
    assert_eq!(world.try_feed(bare), Err(AccessUnitRefused::WithoutParameterSets));
    assert_eq!(world.try_feed(unit(Kind::Delta, 0, 500)), Err(AccessUnitRefused::BeforeFirstKeyFrame));
    assert_eq!(world.server.stats().access_units_refused, 2);
}

#[test]
fn a_stream_that_changes_its_size_goes_on_and_says_so() {
    let mut world = up();
    // The description is lost at first; the key frame itself has all that a decoder needs.
    let mut configs = 0;
    world.fate = Box::new(move |datagram| {
        configs += usize::from(has_config(datagram));
        if has_config(datagram) && configs % 2 == 1 { vec![] } else { vec![Duration::ZERO] }
    });
    for kind in [Kind::SmallKey, Kind::Key, Kind::SmallKey] {
        world.feed(kind, 5_000);
        world.run(FRAME);
        world.play(10, FRAME, |_| (Kind::Delta, 2_000));
    }
    assert_eq!(released(&world, 0), (1..=34).collect::<Vec<_>>());
    let sizes = |viewer: usize| -> Vec<_> {
        let events = world.viewers[viewer].events.iter();
        let size = |(_, event): &(Timestamp, ClientEvent)| {
            if let ClientEvent::Config(config) = event { Some((config.width, config.height)) } else { None }
        };
        events.filter_map(size).collect()
    };
    assert_eq!(sizes(0), [(1280, 720), (640, 368), (1280, 720), (640, 368)]);
    assert_eq!(world.server.picture_size(), Some((640, 368)));
    assert_eq!(wanted(&world), 0);
}

#[test]
fn the_description_is_repeated_until_it_is_heard() {
    let mut world = up();
    let mut lost = 0;
    world.fate = Box::new(move |datagram| {
        lost += usize::from(has_config(datagram));
        if has_config(datagram) && lost <= 3 { vec![] } else { vec![Duration::ZERO] }
    });
    world.feed(Kind::BareKey, 5_000);
    let late = world.join();
    world.run(1_000 * MS);
    assert_eq!(released(&world, late), [2], "it waited for its parameter sets");
    let told = world.log.iter().filter(|datagram| has_config(datagram) && datagram.viewer == late).count();
    assert_eq!(told, 4);
    world.run(5_000 * MS);
    assert_eq!(world.log.iter().filter(|datagram| has_config(datagram) && datagram.viewer == late).count(), told);
    assert_eq!(wanted(&world), 0);
}

#[test]
fn a_reference_may_lie_as_far_back_as_it_likes() {
    let mut world = up();
    world.play(300, MS, |_| (Kind::Disposable, 60));
    world.feed(Kind::Delta, 500);
    world.play(300, MS, |_| (Kind::Disposable, 60));
    world.run(300 * MS);
    assert_eq!(released(&world, 0), (1..=602).collect::<Vec<_>>());
    assert_eq!(wanted(&world), 0);
}

#[test]
fn ids_and_clocks_wrap_unseen() {
    // A minute before the server's 32-bit clock wraps; the viewers' wrap at other times.
    let start = Timestamp::from_micros((1 << 32) - 60_000_000);
    let mut world = World::starting_at(start, server_config(), DELAY);
    for (number, ahead) in [(1, 0), (2, 40_000_000), (3, (1 << 31) - 500_000_000), (4, 7 << 40)] {
        world.join_from(SocketAddr::from(([10, 0, 1, number], 5000)), Duration::from_micros(ahead));
    }
    world.run(300 * MS);
    let kind = |i: usize| match i {
        _ if i.is_multiple_of(20_000) => Kind::Key,
        _ if i % 7 == 3 => Kind::Disposable,
        _ => Kind::Delta,
    };
    for round in 0..7 {
        world.play(10_000, 2 * MS, |i| (kind(i + round * 10_000), 40));
        world.log.clear();
    }
    world.run(300 * MS);
    for viewer in 0..4 {
        assert_eq!(released(&world, viewer).len(), 70_000);
        let ahead = world.viewers[viewer].clock_ahead;
        for (_, event) in &world.viewers[viewer].events {
            let ClientEvent::AccessUnit(unit) = event else { continue };
            let made = start + ahead + 300 * MS + 2 * MS * u32::try_from(unit.frame_id - 1).expect("few frames");
            assert_eq!(unit.capture, Some(made), "frame {}", unit.frame_id);
            assert!(!unit.late);
        }
    }
}

#[test]
fn a_paused_viewer_costs_nothing_and_gets_its_picture_when_it_resumes() {
    let mut world = up();
    let wish =
        |sequence, paused| Control::Wish(Wish { sequence, paused, kbps_max: 0, temporal_id_max: 3, budget_ms: 0 });
    say(&mut world, 0, true, &wish(100, true));
    world.run(50 * MS);
    let paused_at = world.now;
    world.play(60, FRAME, |i| (if i == 30 { Kind::Key } else { Kind::Delta }, 400));
    assert_eq!((wanted(&world), released(&world, 0).len()), (0, 1));
    let media = |datagram: &&crate::world::Datagram| crate::world::look::is_media(datagram);
    assert_eq!(world.log.iter().filter(media).filter(|datagram| datagram.sent > paused_at).count(), 0);
    say(&mut world, 0, true, &wish(101, false));
    world.run(100 * MS);
    let heard =
        world.log.iter().flat_map(messages).filter(|message| matches!(message, Control::WishHeard(100..))).count();
    assert_eq!(heard, 2);
    assert_eq!(wanted(&world), 1, "a chain longer than it is worth");
    let key = world.feed(Kind::Key, 5_000);
    world.run(100 * MS);
    assert_eq!(released(&world, 0), [1, key]);
}

#[test]
fn a_still_scene_costs_next_to_nothing() {
    let mut world = up();
    world.run(1_000 * MS);
    let from = world.log.len();
    world.run(60_000 * MS);
    let still = &world.log[from..];
    let bytes = |to_server| -> usize { still.iter().filter(|d| d.to_server == to_server).map(|d| d.bytes.len()).sum() };
    assert!(bytes(true) < 60 * 400 && bytes(false) < 60 * 100, "{} B up, {} B down", bytes(true), bytes(false));
    assert!(!still.iter().any(asks_to_recover));
}
