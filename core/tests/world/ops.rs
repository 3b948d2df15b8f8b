//! A run that a string of bytes decides: what is fed, who comes and goes, what the link does, what strangers send.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::recv::ClientState;
use nalcast_core::send::{Recovery, ServerConfig, ServerEvent};
use nalcast_core::wire::control::{Control, Wish};
use nalcast_core::{Rng, Timestamp};

use super::look::{MS, say};
use super::{Fate, Kind, World, server_config};

/// Viewers that a run has at most.
const VIEWERS_MAX: usize = 4;
/// Operations of a run at most: enough for libFuzzer to find what it looks for.
const OPS_MAX: usize = 400;
/// In which a healed network must bring every viewer that is not over its picture.
const HEALING_PERIOD: Duration = Duration::from_secs(40);

/// Runs `data` as operations, then heals the network and expects everybody to see.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let mut next = || bytes.next();
    let Some(choice) = next() else { return };
    let config = ServerConfig {
        recovery: if choice & 1 == 0 { Recovery::KeyFrames } else { Recovery::Nothing },
        viewers_max: 1 + usize::from(choice >> 1 & 3),
        ..server_config()
    };
    // Every second run crosses the wrap of 32-bit clocks.
    let start = if choice & 8 == 0 { 1_000_000 } else { (1 << 32) - 2_000_000 };
    let mut world = World::starting_at(Timestamp::from_micros(start), config, Duration::from_millis(10));
    world.join();
    world.run(100 * MS);
    let mut ended = false;
    for _ in 0..OPS_MAX {
        let Some(code) = next() else { break };
        let (a, b) = (next().unwrap_or_default(), next().unwrap_or_default());
        ended |= operate(&mut world, code, a, b);
        if ended {
            break;
        }
    }
    if !ended {
        heal(&mut world);
    }
}

/// Does one operation; whether it was the server's last.
fn operate(world: &mut World, code: u8, a: u8, b: u8) -> bool {
    let viewer = usize::from(a) % world.viewers.len();
    let (len, time) = (usize::from(a) * 16 + usize::from(b), u32::from(a) + 1);
    match code % 16 {
        0 => feed(world, Kind::Key, len * 4),
        1 | 2 => feed(world, Kind::Delta, len),
        3 => feed(world, Kind::Disposable, len),
        4 => feed(world, Kind::BareKey, len),
        5 | 6 => world.run(time * MS / 4),
        7 => world.run(time * MS * 20),
        8 => join(world, a, b),
        9 => world.at_viewer(viewer, |client, now| client.handle_leave(now)),
        10 => world.at_viewer(viewer, |client, now| client.handle_undecodable(now, u64::from(b))),
        11 => world.fate = rough(a, b),
        12 => damage(world, a, b),
        13 => {
            let bytes: Vec<u8> = (0..b).map(|i| i.wrapping_mul(a) ^ code).collect();
            world.inject(viewer, b & 1 == 0, bytes);
        }
        14 => wish(world, viewer, a, b),
        _ if a == 255 => return end(world, b),
        _ if a > 250 => {
            let id = world.server.viewers().next().map(|viewer| viewer.id);
            if let Some(id) = id {
                world.at_server(|server, now| server.kick(now, id));
            }
        }
        _ => say_anything(world, viewer, a, b),
    }
    false
}

fn feed(world: &mut World, kind: Kind, len: usize) {
    let unit = super::unit(kind, world.source.units(), len);
    // A stream that begins with a delta frame is refused until its first key frame.
    let _refused = world.try_feed(unit);
}

fn join(world: &mut World, a: u8, b: u8) {
    if world.viewers.len() < VIEWERS_MAX {
        let host = world.viewers.len() as u8 * (a & 1);
        let address = SocketAddr::from(([10, 0, 1, host], 5_000 + world.viewers.len() as u16));
        world.join_from(address, Duration::from_micros(u64::from(b) << 24));
    }
}

/// A link that loses up to half, doubles up to a quarter, and delays by up to 64 ms.
fn rough(a: u8, b: u8) -> Fate {
    let mut rng = Rng::new(u64::from(a) << 8 | u64::from(b));
    let (lost, doubled) = (u32::from(a) * 2_000, u32::from(b) * 1_000);
    let jitter = u64::from(a ^ b) * 250;
    Box::new(move |_| {
        let copies = if rng.chance_ppm(lost) { 0 } else { 1 + u64::from(rng.chance_ppm(doubled)) };
        (0..copies).map(|_| Duration::from_micros(rng.below(jitter + 1))).collect()
    })
}

/// Somebody sends an earlier datagram again, changed or not.
fn damage(world: &mut World, a: u8, b: u8) {
    let Some(number) = world.log.len().checked_sub(1 + usize::from(a)) else { return };
    let mut datagram = world.log[number].clone();
    match b {
        0..64 => datagram.bytes.truncate(usize::from(b)),
        64..128 => {
            let at = usize::from(b - 64) % datagram.bytes.len();
            datagram.bytes[at] ^= 1 << (a % 8);
        }
        128..192 => datagram.bytes.extend((0..b).map(|i| i ^ a)),
        _ => {}
    }
    world.inject(datagram.viewer, datagram.to_server, datagram.bytes);
}

fn is_live(world: &World, viewer: usize) -> bool {
    world.viewers[viewer].client.state() == ClientState::Live
}

fn wish(world: &mut World, viewer: usize, a: u8, b: u8) {
    if is_live(world, viewer) {
        let kbps_max = if b & 2 == 0 { 0 } else { u32::from(a) * 40 };
        let wish = Wish { sequence: b, paused: b & 1 == 1, kbps_max, temporal_id_max: a & 3, budget_ms: 0 };
        say(world, viewer, true, &Control::Wish(wish));
    }
}

/// Either side says what is well-formed and makes no sense.
fn say_anything(world: &mut World, viewer: usize, a: u8, b: u8) {
    if !is_live(world, viewer) {
        return;
    }
    let (x, wide) = (u16::from_be_bytes([a, b]), u64::from(b) << (a % 64));
    let message = match a % 6 {
        0 => Control::Skip { from: x, to: x.wrapping_add(u16::from(b)), next: x },
        1 => Control::Heartbeat { newest_frame: wide, server_time_us: wide },
        2 => Control::Pong { id: x, sent_us: wide as u32, received_us: u32::from(x), replied_us: u32::from(b) },
        3 => Control::Ping { id: x, sent_us: u32::from(x) },
        4 => Control::WishHeard(b),
        _ => Control::Pad(usize::from(b)),
    };
    // A server that lies about its frames takes its viewers' pictures away; that is its right, but not the
    // subject here.
    let to_server = matches!(message, Control::Skip { .. } | Control::Heartbeat { .. } | Control::Pong { .. });
    say(world, viewer, to_server || b & 1 == 0, &message);
}

fn end(world: &mut World, b: u8) -> bool {
    if b & 1 == 0 {
        world.at_server(|server, now| server.handle_end_of_source(now));
    } else {
        world.at_server(|server, now| server.handle_shutdown(now));
    }
    world.run(Duration::from_secs(15));
    assert_eq!(world.server_events.last().map(|(_, event)| *event), Some(ServerEvent::Finished));
    assert_eq!((world.server.viewer_count(), world.server.poll_timeout()), (0, None));
    true
}

/// From now on the network is perfect and the encoder answers: whoever may see, sees.
fn heal(world: &mut World) {
    world.fate = Box::new(|_| vec![Duration::ZERO]);
    world.run(100 * MS);
    for viewer in 0..world.viewers.len() {
        if is_live(world, viewer) {
            let wish = Wish { sequence: 0, paused: false, kbps_max: 0, temporal_id_max: 3, budget_ms: 0 };
            // One of them is later than whatever was wished for before.
            for sequence in [60, 120, 180, 240] {
                say(world, viewer, true, &Control::Wish(Wish { sequence, ..wish }));
            }
        }
    }
    let end = world.now + HEALING_PERIOD;
    let mut answered = world.server_events.len();
    let mut number = 0;
    while world.now < end {
        let wanted = world.server_events[answered..].iter().any(|(_, event)| *event == ServerEvent::KeyFrameWanted);
        answered = world.server_events.len();
        // Whoever makes no key frame on request makes one now and then.
        feed(world, if wanted || number % 50 == 0 { Kind::Key } else { Kind::Delta }, 2_000);
        number += 1;
        world.run(200 * MS);
    }
    world.run(500 * MS);
    let states: Vec<_> = world.viewers.iter().map(|viewer| viewer.client.state()).collect();
    let live = states.iter().filter(|state| **state == ClientState::Live).count();
    let in_play = states.iter().filter(|state| **state != ClientState::Ended).count();
    let room = world.config.viewers_max;
    assert_eq!(live, in_play.min(room), "{states:?} with room for {room}");
    for viewer in &world.viewers {
        if viewer.client.state() == ClientState::Live {
            assert_eq!(viewer.oracle.newest(), Some(world.source.newest()), "{:?}", viewer.client.stats());
        }
    }
}
