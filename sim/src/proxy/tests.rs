use super::*;

fn ms(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn relay(down: &str, up: &str, seed: u64) -> Relay {
    Relay::new(down.parse().unwrap(), up.parse().unwrap(), seed)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Sends and then delivers on time: what arrived where, and when.
fn deliveries(relay: &mut Relay, sent: &[(u64, usize, Way, u8)]) -> Vec<(u64, usize, Way, u8)> {
    let mut arrived = Vec::new();
    let mut deliver = |relay: &mut Relay, until: Timestamp| {
        while let Some(at) = relay.poll_timeout().filter(|at| *at <= until) {
            while let Some(Delivery { viewer, way, bytes, due }) = relay.poll_deliver(at) {
                assert_eq!(due, at, "woken when it is due");
                arrived.push((at.as_micros() / 1000, viewer, way, bytes[0]));
            }
        }
    };
    for &(at, viewer, way, byte) in sent {
        deliver(relay, ms(at));
        relay.send(ms(at), viewer, way, &[byte; 100]);
    }
    deliver(relay, Timestamp::MAX);
    arrived
}

#[test]
fn each_direction_of_each_viewer_has_its_delay() {
    let mut relay = relay("delay=10ms", "delay=3ms", 1);
    assert_eq!(relay.viewer(address(1)), Some((0, true)));
    assert_eq!(relay.viewer(address(2)), Some((1, true)));
    assert_eq!(relay.viewer(address(1)), Some((0, false)));
    assert_eq!(relay.address(1), Some(address(2)));
    let sent = [(0, 0, Way::Down, 1), (1, 1, Way::Up, 2), (4, 0, Way::Up, 3), (10, 1, Way::Down, 4)];
    let wanted = [(4, 1, Way::Up, 2), (7, 0, Way::Up, 3), (10, 0, Way::Down, 1), (20, 1, Way::Down, 4)];
    assert_eq!(deliveries(&mut relay, &sent), wanted);
}

#[test]
fn a_blackout_swallows_what_is_sent_in_it_and_nothing_else() {
    let mut relay = relay("delay=10ms,blackout=5ms:8ms", "", 1);
    relay.viewer(address(1));
    let sent = [4, 5, 7, 8].map(|at| (at, 0, Way::Down, at as u8));
    assert_eq!(deliveries(&mut relay, &sent), [(14, 0, Way::Down, 4), (18, 0, Way::Down, 8)]);
    let counts = relay.counts();
    assert_eq!((counts.down.sent, counts.down.blacked_out, counts.down.delivered), (4, 2, 2));
}

#[test]
fn a_seed_fixes_what_is_lost_and_every_path_has_dice_of_its_own() {
    let lost = |seed: u64, viewer: usize, way: Way| {
        let mut relay = relay("loss=20%", "loss=20%", seed);
        assert!([1, 2].map(|port| relay.viewer(address(port))).iter().all(Option::is_some));
        let sent: Vec<_> = (0..200).map(|n| (n, viewer, way, n as u8)).collect();
        let arrived = deliveries(&mut relay, &sent);
        let counts = relay.counts();
        let counts = if way == Way::Down { counts.down } else { counts.up };
        assert_eq!((counts.sent, counts.lost), (200, 200 - arrived.len() as u64));
        assert_eq!((counts.sent_bytes, counts.delivered_bytes), (20_000, 100 * arrived.len() as u64));
        arrived.iter().map(|(.., n)| *n).collect::<Vec<_>>()
    };
    let first = lost(7, 0, Way::Down);
    assert!((100..200).contains(&first.len()), "{}", first.len());
    assert_eq!(first, lost(7, 0, Way::Down));
    for other in [lost(8, 0, Way::Down), lost(7, 1, Way::Down), lost(7, 0, Way::Up)] {
        assert_ne!(first, other);
    }
}

#[test]
fn a_queue_delivers_at_its_rate() {
    // 100 bytes at 100 kbit/s take 8 ms; two wait, the third finds the queue full.
    let mut relay = relay("rate=100k,queue=200,delay=10ms", "", 1);
    relay.viewer(address(1));
    let sent = [1, 2, 3].map(|byte| (0, 0, Way::Down, byte));
    let mut arrived = Vec::new();
    for (at, viewer, way, byte) in sent {
        relay.send(ms(at), viewer, way, &[byte; 100]);
    }
    while let Some(at) = relay.poll_timeout() {
        arrived.extend(relay.poll_deliver(at).map(|delivery| (at, delivery.bytes[0])));
    }
    assert_eq!(arrived, [(ms(18), 1), (ms(26), 2)]);
    assert_eq!(relay.counts().down.queue_full, 1);
}

#[test]
fn datagrams_down_are_counted_by_size_and_viewers_by_number() {
    let mut relay = relay("", "", 1);
    for port in 1..=VIEWERS_MAX as u16 {
        assert!(relay.viewer(address(port)).is_some());
    }
    assert_eq!(relay.viewer(address(9_999)), None);
    for len in [1, 600, 601, 1200, 1472, 1473] {
        relay.send(ms(0), 0, Way::Down, &vec![0; len]);
        relay.send(ms(0), 0, Way::Up, &vec![0; len]);
    }
    relay.send(ms(0), VIEWERS_MAX, Way::Down, b"nobody's");
    let counts = relay.counts();
    assert_eq!((counts.down_sizes, counts.viewers), ([2, 2, 0, 0, 0, 0, 1, 1], VIEWERS_MAX));
}

#[test]
fn what_comes_at_a_viewers_start_is_counted_apart() {
    let mut relay = relay("", "", 1);
    for port in [1, 2] {
        relay.viewer(address(port));
    }
    // Control and a probe of the path's size come before the first media and do not begin anything.
    let sent = [(0, 0, 100), (1, 0, 1452), (10, 0, 1200), (20, 0, 700), (34, 0, 1452), (35, 0, 1200), (40, 1, 1100)];
    for (at, viewer, len) in sent {
        relay.send(ms(at), viewer, Way::Down, &vec![0; len]);
        relay.send(ms(at), viewer, Way::Up, &vec![0; len]);
    }
    let counts = relay.counts();
    assert_eq!(counts.down_sizes, [1, 4, 0, 0, 0, 2, 0, 0]);
    assert_eq!(counts.down_start_sizes, [0, 3, 0, 0, 0, 1, 0, 0]);
}
