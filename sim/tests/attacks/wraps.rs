//! Sessions so long that the numbers on the wire begin anew: 2^16 frames, and 2^20 datagrams.

use core::time::Duration;

use bytes::Bytes;
use sim::attack::Arena;
use sim::link::{LinkConfig, LossModel};
use sim::source::SourceUnit;

use super::{DELAY, MS};

/// Frame ids on the wire.
const FRAME_IDS: u64 = 1 << 16;
/// Packet numbers on the wire.
const PACKET_NUMBERS: u64 = 1 << 20;
/// Frames around a wrap, during which the path is not clear.
const ROUGH: u64 = 300;

/// The `number`-th frame, of `len` bytes; cheap to make, and unlike every other one.
fn unit(number: u64, key: bool, len: usize) -> SourceUnit {
    let head: &[u8] = match key {
        true => &[
            0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 1, 0x40, 0x16, 0xe4, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 1,
            0x65, 0x88, 0x84,
        ],
        false => &[0, 0, 0, 1, 0x41, 0x9a, 0x24],
    };
    let mut bytes = head.to_vec();
    bytes.extend((0..5).map(|i| (number >> (7 * i)) as u8 | 0x80));
    bytes.resize(len.max(bytes.len()), 0x55);
    SourceUnit { bytes: Bytes::from(bytes), key, refers_back: u64::from(!key), ..SourceUnit::default() }
}

/// What the path does around a wrap.
#[derive(Clone, Copy, PartialEq)]
enum Path {
    Clear,
    /// Datagrams overtake each other and come twice; every fifth report is lost.
    Rough,
    /// And so are frames.
    Lossy,
}

fn set_path(arena: &mut Arena, path: Path) {
    let (now, guest) = (arena.now, &mut arena.guests[0]);
    let clear = LinkConfig { delay: DELAY, ..LinkConfig::default() };
    let rough = LinkConfig {
        hold_back_ppm: 200_000,
        hold_back_min: MS,
        hold_back_max: 8 * MS,
        duplicate_ppm: 100_000,
        duplicate_spread: 20 * MS,
        ..clear.clone()
    };
    let lossy = |link| LinkConfig { loss: LossModel::Independent { ppm: 200_000 }, ..link };
    let (down, up) = match path {
        Path::Clear => (clear.clone(), clear),
        Path::Rough => (rough.clone(), lossy(rough)),
        Path::Lossy => (lossy(rough.clone()), lossy(rough)),
    };
    guest.down.set_config(now, down);
    guest.up.set_config(now, up);
}

/// Plays `frames` frames of `len` bytes, one each `interval`; how many of them were not released.
fn play(arena: &mut Arena, frames: u64, len: usize, interval: Duration) -> u64 {
    let before = (arena.frames, arena.guests[0].released.len() as u64);
    for _ in 0..frames {
        let number = arena.frames + 1;
        let key = core::mem::take(&mut arena.keys_wanted) > 0;
        arena.feed_unit(&unit(number, key || number == 1, len));
        arena.run(interval);
    }
    arena.run(200 * MS);
    (arena.frames - before.0) - (arena.guests[0].released.len() as u64 - before.1)
}

fn begin(seed: u64) -> Arena {
    let mut arena = Arena::new(seed);
    arena.join(DELAY);
    arena.records = false;
    arena.run(200 * MS);
    assert_eq!(play(&mut arena, 1, 100, 10 * MS), 0);
    arena
}

/// That frames are what they were, and come in order, is watched by the arena.
#[test]
fn every_frame_arrives_while_frame_ids_wrap() {
    let mut arena = begin(1);
    for wrap in 1..=2 {
        let frames = wrap * FRAME_IDS - ROUGH / 2 - arena.frames;
        assert_eq!(play(&mut arena, frames, 30, 20 * MS), 0, "up to wrap {wrap}");
        set_path(&mut arena, Path::Rough);
        assert_eq!(play(&mut arena, ROUGH, 1_500, 20 * MS), 0, "around wrap {wrap}");
        set_path(&mut arena, Path::Clear);
    }
    assert!(!arena.guests[0].was_disturbed());
}

/// Around the wrap frames are lost, too: those that come are right, and afterwards they all come.
#[test]
fn a_stream_that_loses_frames_while_their_ids_wrap_goes_on() {
    let mut arena = begin(3);
    let frames = FRAME_IDS - ROUGH / 2 - arena.frames;
    assert_eq!(play(&mut arena, frames, 30, 20 * MS), 0);
    set_path(&mut arena, Path::Lossy);
    let lost = play(&mut arena, ROUGH, 1_500, 20 * MS);
    assert!(lost < ROUGH / 10, "{lost} of {ROUGH}");
    set_path(&mut arena, Path::Clear);
    play(&mut arena, 150, 1_500, 20 * MS);
    assert_eq!(play(&mut arena, 100, 1_500, 20 * MS), 0);
    assert!(!arena.guests[0].was_disturbed());
}

#[test]
fn every_frame_arrives_while_packet_numbers_wrap() {
    let mut arena = begin(2);
    let packets = |arena: &Arena| arena.guests[0].client.stats().packets_sent_by_server;
    // Two hundred datagrams each.
    while packets(&arena) < PACKET_NUMBERS - 2_000 {
        assert_eq!(play(&mut arena, 1, 290_000, 10 * MS), 0);
    }
    set_path(&mut arena, Path::Rough);
    while packets(&arena) < PACKET_NUMBERS + 2_000 {
        assert_eq!(play(&mut arena, 1, 10_000, 20 * MS), 0);
    }
    set_path(&mut arena, Path::Clear);
    assert_eq!(play(&mut arena, 100, 10_000, 20 * MS), 0);
    assert!(!arena.guests[0].was_disturbed());
}
