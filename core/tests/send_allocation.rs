//! What leaves touches no heap: a frame is taken once, and its datagrams cost nothing but their sealing.

use core::net::SocketAddr;
use core::time::Duration;

use allocation_counter::measure;
use nalcast_core::Timestamp;
use nalcast_core::handshake::{Noise, SharedKey};
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig};
use nalcast_core::seal::Aead;
use nalcast_core::send::{Recovery, Server, ServerConfig};

#[path = "world/oracle.rs"]
mod oracle;
use oracle::{Kind, unit};

const SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 4600);
const VIEWER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 5000);

/// A server and a viewer that hear each other at once.
struct Pair {
    now: Timestamp,
    server: Server<Noise>,
    client: Client<Noise>,
    buf: Vec<u8>,
    /// Datagrams that the server sent, and allocations that sending them took.
    sent: usize,
    allocated: u64,
}

impl Pair {
    fn new(aead: Aead) -> Self {
        let noise = || Noise::with_key(SharedKey::new([7; 32]), aead);
        let now = Timestamp::from_millis(1_000);
        let server =
            ServerConfig { codec: Codec::H264, fps: 30, recovery: Recovery::KeyFrames, viewers_max: 1, pairing: false };
        let client = ClientConfig { server: SERVER, budget: None, smooth: false, code: None };
        Self {
            now,
            server: Server::new(server, noise(), [1; 32], now),
            client: Client::new(client, noise(), [2; 32], now),
            buf: vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX],
            sent: 0,
            allocated: 0,
        }
    }

    /// Until neither has anything to say.
    fn talk(&mut self) {
        let Self { now, server, client, buf, sent, allocated } = self;
        let now = *now;
        client.handle_timeout(now);
        let mut is_busy = true;
        while is_busy {
            is_busy = false;
            while let Some(said) = client.poll_transmit(now, buf) {
                server.handle_datagram(now, VIEWER, &mut buf[..said.len]);
                is_busy = true;
            }
            loop {
                let mut burst = None;
                let cost = measure(|| {
                    server.handle_timeout(now);
                    burst = server.poll_transmit(now, buf);
                });
                *allocated += cost.count_total;
                let Some(burst) = burst else { break };
                let mut at = 0;
                for len in burst.datagrams(buf).map(<[u8]>::len).collect::<Vec<_>>() {
                    client.handle_datagram(now, SERVER, &mut buf[at..at + len]);
                    at += len;
                    *sent += 1;
                }
                is_busy = true;
            }
            while server.poll_event().is_some() || client.poll_event().is_some() {}
        }
    }
}

#[test]
fn datagrams_leave_without_allocating() {
    for aead in [Aead::Aes128Gcm, Aead::ChaCha20Poly1305] {
        let mut pair = Pair::new(aead);
        for number in 0..30u64 {
            pair.talk();
            let kind = if number == 0 { Kind::Key } else { Kind::Delta };
            pair.server.handle_access_unit(pair.now, unit(kind, number, 50_000), pair.now).expect("taken");
            for _ in 0..33 {
                pair.talk();
                pair.now += Duration::from_millis(1);
            }
            if number == 5 {
                // What grows at first keeps its room from then on.
                (pair.sent, pair.allocated) = (0, 0);
            }
        }
        assert!(pair.sent > 24 * 50_000 / DATAGRAM_BYTES_MAX, "{}", pair.sent);
        assert_eq!(pair.allocated, 0, "{aead:?}: in {} datagrams", pair.sent);
    }
}
