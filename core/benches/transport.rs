//! Time a packet takes through the machines: from datagrams to access units, and from access units to datagrams.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::handshake::{Noise, SharedKey};
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::nal::Codec;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent};
use nalcast_core::seal::Aead;
use nalcast_core::send::{Recovery, Server, ServerConfig};
use nalcast_core::{Rng, Timestamp};

#[path = "../tests/world/oracle.rs"]
mod oracle;
use oracle::{Kind, unit};

const START: Timestamp = Timestamp::from_millis(1_000);
const SERVER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 9000);
const FRAMES: u64 = 30;
const FRAME_BYTES: usize = 60_000;

/// The handshake of real sessions, so that sealing counts.
fn noise(prefers: Aead) -> Noise {
    Noise::with_key(SharedKey::new([7; 32]), prefers)
}

/// A server with `count` viewers that are in.
fn stage(count: u16, aead: Aead) -> (Server<Noise>, Vec<Client<Noise>>) {
    let config =
        ServerConfig { codec: Codec::H264, fps: 30, recovery: Recovery::KeyFrames, viewers_max: 1_000, pairing: false };
    let mut server = Server::new(config, noise(aead), [1; 32], START);
    let mut buf = vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
    let join = |number: u16| {
        let config = ClientConfig { server: SERVER, budget: None, smooth: false, code: None };
        let mut client = Client::new(config, noise(aead), [number as u8; 32], START);
        // INIT, RETRY, INIT, ACCEPT, the first report.
        loop {
            let mut said = false;
            while let Some(transmit) = client.poll_transmit(START, &mut buf) {
                server.handle_datagram(START, address(number), &mut buf[..transmit.len]);
                said = true;
            }
            while let Some(transmit) = server.poll_transmit(START, &mut buf) {
                client.handle_datagram(START, SERVER, &mut buf[..transmit.len]);
            }
            if !said {
                return client;
            }
        }
    };
    let clients: Vec<_> = (0..count).map(join).collect();
    assert_eq!(server.viewers().filter(|viewer| viewer.state.is_joined()).count(), usize::from(count));
    (server, clients)
}

fn address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    // Each in a network of its own, which may begin so many handshakes at a time.
    SocketAddr::from(([10, high, low, 1], 5_000))
}

/// One second of stream.
fn units() -> Vec<Bytes> {
    (0..FRAMES).map(|number| unit(if number == 0 { Kind::Key } else { Kind::Delta }, number, FRAME_BYTES)).collect()
}

/// Feeds the stream; every datagram with its time to `sent`.
fn transmit_all(
    server: &mut Server<Noise>,
    units: &[Bytes],
    buf: &mut [u8],
    mut sent: impl FnMut(Timestamp, &[u8]),
) -> u64 {
    let mut packets = 0;
    for (unit, number) in units.iter().zip(0..) {
        let start = START + Duration::from_millis(33) * number;
        server.handle_access_unit(start, unit.clone(), start).expect("taken");
        let mut now = start;
        while now < start + Duration::from_millis(30) {
            while let Some(transmit) = server.poll_transmit(now, buf) {
                for datagram in transmit.datagrams(buf) {
                    packets += 1;
                    sent(now, datagram);
                }
            }
            let Some((at, _)) = server.poll_timeout() else { break };
            now = now.max(at);
            if now < start + Duration::from_millis(30) {
                server.handle_timeout(now);
            }
        }
    }
    packets
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive");
    let mut buf = vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
    // Connection ids come from the seed, so the datagrams of one stage fit the viewer of the next.
    let mut in_order = Vec::new();
    transmit_all(&mut stage(1, Aead::Aes128Gcm).0, &units(), &mut buf, |at, datagram| {
        in_order.push((at, datagram.to_vec()))
    });
    let mut reordered = in_order.clone();
    let mut rng = Rng::new(1);
    for at in 1..reordered.len() {
        let other = at.saturating_sub(rng.below(8) as usize);
        let (first, second) = reordered.split_at_mut(at);
        if let (Some(a), Some(b)) = (first.get_mut(other), second.first_mut()) {
            core::mem::swap(&mut a.1, &mut b.1);
        }
    }
    group.throughput(Throughput::Elements(in_order.len() as u64));
    for (name, datagrams) in [("in_order", in_order), ("reordered", reordered)] {
        group.bench_function(name, |bencher| {
            let setup = || (stage(1, Aead::Aes128Gcm).1.remove(0), datagrams.clone());
            bencher.iter_batched(setup, |(client, datagrams)| receive_all(client, datagrams), BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn receive_all(mut client: Client<Noise>, datagrams: Vec<(Timestamp, Vec<u8>)>) -> Client<Noise> {
    let mut buf = [0; DATAGRAM_BYTES_MAX];
    let mut units = 0;
    for (now, mut datagram) in datagrams {
        client.handle_datagram(now, SERVER, &mut datagram);
        while client.poll_transmit(now, &mut buf).is_some() {}
        while let Some(event) = client.poll_event() {
            units += u64::from(matches!(event, ClientEvent::AccessUnit(_)));
        }
    }
    assert_eq!(units, FRAMES);
    client
}

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send");
    let mut buf = vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
    let units = units();
    for (viewers, aead) in [(1, Aead::Aes128Gcm), (64, Aead::Aes128Gcm), (64, Aead::ChaCha20Poly1305)] {
        let packets = transmit_all(&mut stage(viewers, aead).0, &units, &mut buf, |_, _| ());
        group.throughput(Throughput::Elements(packets));
        group.bench_function(format!("{viewers}_viewers/{aead:?}"), |bencher| {
            bencher.iter_batched(
                || stage(viewers, aead).0,
                |mut server| {
                    assert_eq!(transmit_all(&mut server, &units, &mut buf, |_, _| ()), packets);
                    server
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, receive, send);
criterion_main!(benches);
