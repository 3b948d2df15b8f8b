//! A hundred thousand handshakes that come to nothing: the server's memory stays as it is, and whoever is honest and
//! begins among them has a picture within two seconds.
//!
//! A binary of its own, for what is allocated in it is counted.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use allocation_counter::measure;
use nalcast_core::Timestamp;
use nalcast_core::handshake::Noise;
use nalcast_core::limits::{HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS_MAX};
use sim::attack::{Arena, Knocker, SERVER, insider, stranger};

const ATTEMPTS: u64 = 100_000;
/// The honest viewer begins after so many.
const HONEST_AT: u64 = 50_000;
const MS: Duration = Duration::from_millis(1);
/// Each way.
const DELAY: Duration = Duration::from_millis(10);

/// An address of the attacker's own, in a network of its own.
fn address(number: u64) -> SocketAddr {
    let ip = Ipv4Addr::from_bits(0x0b00_0000 + (number as u32) * 256 + 9);
    SocketAddr::new(IpAddr::V4(ip), 6_000)
}

/// Somebody knocks, proves its address, and is not heard of again.
fn knock(arena: &mut Arena, handshake: Noise, number: u64) {
    knock_from(arena, handshake, number, address(number));
}

fn knock_from(arena: &mut Arena, handshake: Noise, number: u64, from: SocketAddr) {
    arena.listen_at(from);
    let mut knocker = Knocker::new(arena.now, handshake, number);
    let init = knocker.says(arena.now).expect("an INIT");
    arena.inject(from, SERVER, init);
    // All that the attacker heard there is forgotten again, lest its own memory be measured.
    let heard = arena.inboxes.remove(&from).unwrap_or_default();
    if let Some(init) = heard.first().and_then(|retry| knocker.hears(arena.now, retry)) {
        arena.inject(from, SERVER, init);
    }
    arena.ledger.forget(from);
}

/// `attempts` of them, `per_second` each second of virtual time, with an honest viewer among them if `honest_at` is not
/// beyond the last; how long that one waits for its first frame.
fn flood(arena: &mut Arena, handshake: &Noise, attempts: core::ops::Range<u64>, per_second: u32) -> Option<Duration> {
    let mut joined: Option<Timestamp> = None;
    for number in attempts {
        if number == HONEST_AT && arena.frame_interval.is_some() {
            joined = Some(arena.now);
            arena.join(DELAY);
        }
        knock(arena, handshake.clone(), number);
        // Now sooner, now later: nothing that happens at fixed times may be what lets somebody in.
        let pause = arena.rng.below(2_000_000 / u64::from(per_second));
        arena.run(Duration::from_micros(pause));
    }
    let (first, _) = arena.guests.first()?.released.first()?;
    Some(*first - joined?)
}

fn arena(frame_interval: Option<Duration>) -> Arena {
    let mut arena = Arena::new(1);
    arena.records = false;
    arena.frame_interval = frame_interval;
    arena.run(100 * MS);
    arena
}

#[test]
fn strangers_take_no_place() {
    let mut arena = arena(Some(33 * MS));
    let waited = flood(&mut arena, &stranger(), 0..ATTEMPTS, 1_000).expect("the honest viewer has its picture");
    let stats = arena.server.stats();
    println!(
        "strangers: {} INITs, {} RETRYs, first frame after {waited:?}",
        stats.datagrams_received, stats.retries_sent
    );
    assert!(waited <= Duration::from_secs(2), "{waited:?}");
    assert_eq!(arena.server.viewer_count(), 1);
    assert!(!arena.guests[0].was_disturbed());
}

#[test]
fn insiders_take_the_places_of_each_other() {
    let mut arena = arena(Some(33 * MS));
    let waited = flood(&mut arena, &insider(), 0..ATTEMPTS, 1_000).expect("the honest viewer has its picture");
    let stats = arena.server.stats();
    println!(
        "insiders: {} datagrams, {} RETRYs, first frame after {waited:?}",
        stats.datagrams_received, stats.retries_sent
    );
    assert!(waited <= Duration::from_secs(2), "{waited:?}");
    assert!(!arena.guests[0].was_disturbed());
    // There is no more than one place for each, and they were taken.
    assert_eq!(arena.server.viewer_count(), 1 + HALF_OPEN_MAX);
    arena.run(Duration::from_secs(11));
    assert_eq!(arena.server.viewer_count(), 1);
}

/// The twin: where all places are taken anew within a round trip, nobody can be quick enough.
#[test]
fn insiders_that_fill_every_place_in_a_round_trip_keep_others_out() {
    let mut arena = arena(Some(33 * MS));
    let rate = HALF_OPEN_MAX as u32 * 50 * 2;
    let waited = flood(&mut arena, &insider(), HONEST_AT - 1_000..HONEST_AT + 2 * u64::from(rate), rate);
    assert_eq!(waited, None, "with a round trip of 20 ms, {rate} a second");
}

/// Those of one host take sixteen places, whatever their ports; twin: those of as many hosts take as many places.
#[test]
fn a_host_has_sixteen_places() {
    for (hosts, places) in [(1, HALF_OPEN_PER_ADDRESS_MAX), (3, 3 * HALF_OPEN_PER_ADDRESS_MAX)] {
        let mut arena = arena(None);
        for number in 0..1_000 {
            let from = SocketAddr::new(address(number % hosts).ip(), 1_000 + number as u16);
            knock_from(&mut arena, insider(), number, from);
            arena.run(10 * MS);
            assert!(arena.server.viewer_count() <= places);
        }
        assert_eq!(arena.server.viewer_count(), places, "{hosts} hosts");
    }
}

/// Bytes that the server holds more of after `attempts` than before, and the most that it held more at a time.
fn held(arena: &mut Arena, handshake: &Noise, attempts: core::ops::Range<u64>) -> (i64, u64) {
    let allocated = measure(|| {
        flood(arena, handshake, attempts, 150);
    });
    (allocated.bytes_current, allocated.bytes_max)
}

#[test]
fn memory_stays_as_it_is() {
    for (name, handshake) in [("strangers", stranger()), ("insiders", insider())] {
        let mut arena = arena(None);
        let (first, most) = held(&mut arena, &handshake, 0..5_000);
        let (rest, more) = held(&mut arena, &handshake, 5_000..15_000);
        println!(
            "{name}: {first} B held after 5000 attempts, at most {most} B; {rest} B more after 10000 more, at most {more} B"
        );
        assert!(most <= HALF_OPEN_MAX as u64 * 256 * 1_024, "{name}: {most} B");
        assert!(rest <= 16 * 1_024, "{name}: {rest} B more");
    }
}

/// The twin: those who are let in do cost memory, and the count sees it.
#[test]
fn sessions_cost_memory() {
    let mut arena = arena(None);
    let allocated = measure(|| {
        for _ in 0..8 {
            arena.join(DELAY);
        }
        arena.run(Duration::from_secs(1));
    });
    assert!(allocated.bytes_current > 8 * 128 * 1_024, "{allocated:?}");
}
