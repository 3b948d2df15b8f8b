//! What is sent again or along with a frame, and what is not: nothing that comes too late or makes a queue longer.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use nalcast_core::Timestamp;
use nalcast_core::send::{Recovery, ServerConfig};
use nalcast_core::wire::control::{Control, Wish};
use nalcast_core::wire::feedback::{Acks, Feedback, Need, Needs};
use nalcast_core::wire::media::FragmentHeader;
use nalcast_core::wire::{Reader, Writer};

use crate::world::look::{
    DELAY, FRAME, MS, asks_for_more, frame_of, is_media, lose_media, messages, plaintext, say, up,
};
use crate::world::{Datagram, Kind, World, server_config};

#[test]
fn what_nobody_needs_is_not_asked_for_when_it_would_come_too_late() {
    let asks = |kind, budget| {
        let mut world = World::new(server_config(), 40 * MS);
        world.budget = Some(budget);
        world.join();
        world.run(500 * MS);
        world.feed(Kind::Key, 3_000);
        world.run(500 * MS);
        let from = world.log.len();
        // All but one of its four fragments and two rows.
        lose_media(&mut world, |number, _| (1..6).contains(&number));
        world.feed(kind, 4_000);
        world.run(300 * MS);
        world.log[from..].iter().any(asks_for_more)
    };
    // A repair takes 80 ms from when it is asked for, 40 ms after the capture.
    assert!(asks(Kind::Disposable, 200 * MS));
    assert!(!asks(Kind::Disposable, 100 * MS));
    assert!(asks(Kind::Delta, 100 * MS), "others need it");
}

/// The viewer asks for a symbol of `frame`, so many milliseconds before that is of no use.
fn ask(world: &mut World, frame: u16, slack: u8) {
    let needs = [Need { frame, block: 0, missing: 1, slack }.to_bytes()];
    let report = Feedback {
        config_epoch: 1,
        largest: 1,
        ack_delay: 0,
        received_at: 0,
        last_decoded: Some(1),
        waiting_for: 2,
        paused: false,
        acks: Acks::default(),
        needs: Needs::from_bytes(&needs),
        recover: None,
        ce_count: None,
    };
    let mut body = [0; 100];
    let mut writer = Writer::new(&mut body);
    report.write(&mut writer);
    let len = writer.finish().expect("it fits");
    say(world, 0, true, &Control::Feedback(&body[..len]));
}

fn is_repair(datagram: &Datagram) -> bool {
    let text = plaintext(datagram).filter(|_| is_media(datagram));
    text.is_some_and(|text| FragmentHeader::read(&mut Reader::new(text)).is_ok_and(|header| header.repair))
}

/// A session whose viewer says nothing by itself while the cell holds.
fn muted(world: &mut World) -> Rc<Cell<bool>> {
    let is_mute = Rc::new(Cell::new(false));
    let mute = Rc::clone(&is_mute);
    world.fate = Box::new(move |datagram| if datagram.to_server && mute.get() { vec![] } else { vec![Duration::ZERO] });
    is_mute
}

#[test]
fn a_repair_that_has_to_wait_for_too_long_is_not_sent() {
    let repaired = |slack| {
        let mut world = up();
        let slow = Wish { sequence: 100, paused: false, kbps_max: 300, temporal_id_max: 3, budget_ms: 200 };
        say(&mut world, 0, true, &Control::Wish(slow));
        let is_mute = muted(&mut world);
        world.run(500 * MS);
        // It takes up what the viewer wants to have for 300 ms.
        world.feed(Kind::Delta, 11_000);
        world.run(50 * MS);
        is_mute.set(true);
        let from = world.log.len();
        is_mute.set(false);
        ask(&mut world, 2, slack);
        is_mute.set(true);
        world.run(900 * MS);
        world.log[from..].iter().filter(|datagram| frame_of(datagram) == Some(2)).any(is_repair)
    };
    assert!(repaired(250));
    assert!(!repaired(10));
}

#[test]
fn who_asks_for_what_is_gone_is_told_so() {
    let mut world = up();
    world.play(300, FRAME / 3, |_| (Kind::Delta, 300));
    let from = world.log.len();
    ask(&mut world, 3, 50);
    world.run(50 * MS);
    let covers =
        |message: &Control<'_>| matches!(message, Control::Skip { from, to, .. } if (*from..=*to).contains(&3));
    assert!(world.log[from..].iter().any(|datagram| messages(datagram).iter().any(covers)));
}

/// Parity that goes along with a file's frames, of each dozen, on a path that loses one datagram in eight and carries so many
/// bytes a second from the fourth dozen on.
fn parity(bytes_per_second: u64) -> Vec<u64> {
    let mut world = World::new(ServerConfig { recovery: Recovery::Nothing, ..server_config() }, DELAY * 6);
    world.budget = Some(150 * MS);
    world.join();
    world.run(800 * MS);
    world.feed(Kind::Key, 5_000);
    world.run(400 * MS);
    let narrow_from = world.now + FRAME * 36;
    let (mut number, mut free_at) = (0, Timestamp::ZERO);
    world.fate = Box::new(move |datagram| {
        if datagram.to_server || !is_media(datagram) {
            return vec![Duration::ZERO];
        }
        number += 1;
        if number % 8 == 0 {
            return vec![];
        }
        if datagram.sent < narrow_from {
            return vec![Duration::ZERO];
        }
        let takes = Duration::from_micros(datagram.bytes.len() as u64 * 1_000_000 / bytes_per_second);
        free_at = free_at.max(datagram.sent) + takes;
        vec![free_at - datagram.sent]
    });
    let mut before = 0;
    (0..6)
        .map(|_| {
            world.play(12, FRAME, |_| (Kind::Delta, 4_500));
            let sent = world.server.traffic().parity_packets - before;
            before += sent;
            sent
        })
        .collect()
}

#[test]
fn while_the_delay_rises_no_parity_makes_the_queue_longer() {
    let (wide, narrow) = (parity(10_000_000), parity(150_000));
    assert_eq!(wide[..4], narrow[..4]);
    assert!(wide[4] >= 24, "{} rows for a dozen frames", wide[4]);
    assert!(narrow[4] * 4 <= wide[4], "{} of {} rows where the path carries less than is made", narrow[4], wide[4]);
}

#[test]
fn against_bursts_rows_leave_later_than_their_frame_and_none_is_left_out() {
    // A round trip takes longer than there is time: only what goes along helps.
    let mut world = World::new(server_config(), DELAY * 6);
    world.budget = Some(120 * MS);
    world.join();
    world.run(800 * MS);
    world.feed(Kind::Key, 5_000);
    world.run(400 * MS);
    // Bursts of three datagrams.
    lose_media(&mut world, |number, _| number % 60 < 3);
    world.play(120, FRAME, |_| (Kind::Disposable, 6_000));
    // So many at a time that not all rows can wait.
    let (from, first) = (world.log.len(), world.source.newest() + 1);
    world.play(40, MS, |_| (Kind::Disposable, 6_000));
    world.run(300 * MS);
    let sent = |id: u64, parity: bool| {
        let of_frame = world.log[from..].iter().filter(move |datagram| frame_of(datagram).map(u64::from) == Some(id));
        let header = |datagram: &Datagram| {
            let text = plaintext(datagram)?;
            FragmentHeader::read(&mut Reader::new(text)).ok().filter(|header| header.parity == parity && !header.repair)
        };
        of_frame.filter(move |datagram| header(datagram).is_some()).map(|datagram| datagram.sent).collect::<Vec<_>>()
    };
    let waited: Vec<_> =
        (first..first + 20).map(|id| sent(id, true).first().map(|at| *at - sent(id, false)[0])).collect();
    assert!(waited.iter().all(Option::is_some), "each has rows: {waited:?}");
    assert!(waited[..8].iter().all(|time| *time > Some(20 * MS)), "{waited:?}");
    assert!(waited.contains(&Some(Duration::ZERO)), "so many cannot wait: {waited:?}");
}
