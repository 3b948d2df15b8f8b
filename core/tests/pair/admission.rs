//! Who is let in: the door, with real handshakes and recorded ones.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::handshake::{Noise, SharedKey};
use nalcast_core::limits::DATAGRAM_BYTES_MAX;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent, EndReason};
use nalcast_core::seal::Aead;
use nalcast_core::send::Server;

use crate::world::look::up;
use crate::world::{server_address, server_config};

const VIEWER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1)), 5000);

fn key(byte: u8) -> Noise {
    Noise::with_key(SharedKey::new([byte; 32]), Aead::ChaCha20Poly1305)
}

fn open() -> Noise {
    Noise::open(Aead::Aes128Gcm)
}

/// What becomes of a viewer with one handshake at a server with another, after ten seconds without any delay: its
/// events, and how many datagrams of the server's it had.
fn meet(viewer: Noise, server: Noise) -> (Vec<ClientEvent>, usize, Server<Noise>) {
    let mut now = Timestamp::from_millis(1_000);
    let end = now + Duration::from_secs(10);
    let mut server = Server::new(server_config(), server, [1; 32], now);
    let mut client = Client::new(ClientConfig { server: server_address(), budget: None }, viewer, [2; 32], now);
    let (mut events, mut answers) = (Vec::new(), 0);
    let mut buf = vec![0; 10 * DATAGRAM_BYTES_MAX];
    while now < end {
        client.handle_timeout(now);
        server.handle_timeout(now);
        let mut is_busy = true;
        while is_busy {
            is_busy = false;
            while let Some(sent) = client.poll_transmit(now, &mut buf) {
                server.handle_datagram(now, VIEWER, &mut buf[..sent.len]);
                is_busy = true;
            }
            while let Some(sent) = server.poll_transmit(now, &mut buf) {
                client.handle_datagram(now, server_address(), &mut buf[..sent.len]);
                answers += 1;
                is_busy = true;
            }
        }
        while let Some(event) = client.poll_event() {
            events.push(event);
        }
        while server.poll_event().is_some() {}
        now += Duration::from_millis(1);
    }
    (events, answers, server)
}

fn is_connected(events: &[ClientEvent]) -> bool {
    matches!(events, [ClientEvent::Connected, ..])
}

#[test]
fn whoever_knows_the_key_is_let_in() {
    for (viewer, server) in [(key(1), key(1)), (open(), open())] {
        let (events, _, server) = meet(viewer, server);
        assert!(is_connected(&events), "{events:?}");
        assert_eq!((server.viewer_count(), server.stats().handshakes_refused), (1, 0));
    }
}

#[test]
fn whoever_has_another_key_hears_nothing_but_a_cookie() {
    let (events, answers, server) = meet(key(1), key(2));
    assert!(matches!(events[..], [ClientEvent::Ended(EndReason::NoAnswer)]), "{events:?}");
    let stats = server.stats();
    assert_eq!(answers as u64, stats.retries_sent, "a RETRY proves the address, and that is all that is said");
    assert!(stats.handshakes_refused >= 3 && stats.unproven_bytes_sent < stats.unproven_bytes_received, "{stats:?}");
    assert_eq!(server.viewer_count(), 0, "and no place is taken");
}

#[test]
fn a_viewer_is_told_that_a_key_is_needed_and_never_settles_for_less() {
    let (events, ..) = meet(open(), key(1));
    assert!(matches!(events[..], [ClientEvent::Ended(EndReason::KeyNeeded)]), "{events:?}");
    let (events, ..) = meet(key(1), open());
    assert!(matches!(events[..], [ClientEvent::Ended(EndReason::KeyUnwanted)]), "{events:?}");
}

#[test]
fn a_recorded_handshake_makes_no_second_session() {
    let mut world = up();
    // The first has no cookie yet, the last one has.
    let recorded = world.log.iter().rfind(|datagram| datagram.to_server && datagram.bytes[0] == 1);
    let recorded = recorded.expect("an INIT").bytes.clone();
    assert_eq!(recorded[14], 18, "with a cookie");
    world.at_viewer(0, |client, now| client.handle_leave(now));
    world.run(Duration::from_secs(1));
    assert_eq!(world.server.viewer_count(), 0);
    for _ in 0..10 {
        world.inject(0, true, recorded.clone());
        world.run(Duration::from_secs(5));
        assert_eq!(world.server.viewer_count(), 0);
    }
    assert_eq!(world.server.stats().handshakes_refused, 10);
}
