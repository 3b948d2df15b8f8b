//! Time a packet takes through the server's machine, when a report comes for every ten.
#![expect(clippy::disallowed_types, reason = "what is measured here is real time")]

use core::time::Duration;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::send::Server;
use nalcast_core::wire::sealed::PACKET_NUMBER_BITS;
use nalcast_core::{Timestamp, Transmit};

#[path = "../tests/crafted/mod.rs"]
mod crafted;
use crafted::{Known, Reports, address, stage};
#[path = "../tests/world/oracle.rs"]
mod oracle;
use oracle::{Kind, unit};

const FRAME_BYTES: usize = 23_000;
const FRAME_PERIOD: Duration = Duration::from_micros(33_333);
const PACKETS_PER_REPORT: u32 = 10;
const WARM_UP_PACKETS: u64 = 5_000;

struct Peer {
    reports: Reports,
    unreported: u32,
    largest: u32,
}

struct Sharing {
    server: Server<Known>,
    peers: Vec<Peer>,
    now: Timestamp,
    frames: u64,
    buf: Vec<u8>,
    packets: u64,
    spent: Duration,
}

impl Sharing {
    fn new(viewers: u8) -> Self {
        let now = Timestamp::from_millis(1_000);
        let (server, clients) = stage(viewers, now);
        let peer = |(id, _)| Peer { reports: Reports::of(id), unreported: 0, largest: 0 };
        let peers = clients.into_iter().map(peer).collect();
        let buf = vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX];
        Self { server, peers, now, frames: 0, buf, packets: 0, spent: Duration::ZERO }
    }

    /// What the server does, on its account.
    fn timed<T>(&mut self, act: impl FnOnce(&mut Server<Known>, Timestamp, &mut [u8]) -> T) -> T {
        let began = Instant::now();
        let result = act(&mut self.server, self.now, &mut self.buf);
        self.spent += began.elapsed();
        result
    }

    /// Shares frames until `count` more packets have left; the time of the server alone.
    fn share(&mut self, count: u64) -> Duration {
        let (until, before) = (self.packets + count, self.spent);
        while self.packets < until {
            let kind = if self.frames == 0 { Kind::Key } else { Kind::Delta };
            let unit = unit(kind, self.frames, FRAME_BYTES);
            self.frames += 1;
            self.timed(|server, now, _| server.handle_access_unit(now, unit, now).expect("taken"));
            let end = self.now + FRAME_PERIOD;
            while self.now < end {
                self.send();
                let due = self.server.poll_timeout().map_or(end, |(at, _)| at.min(end));
                self.now = due.max(self.now + Duration::from_micros(1));
                self.timed(|server, now, _| server.handle_timeout(now));
            }
        }
        (self.spent - before) * u32::try_from(count).expect("few")
            / u32::try_from(self.packets + count - until).expect("few")
    }

    fn send(&mut self) {
        while let Some(burst) = self.timed(|server, now, buf| server.poll_transmit(now, buf)) {
            self.hear(&burst);
            while self.server.poll_event().is_some() {}
        }
    }

    /// A viewer has a burst, and reports if it is time to.
    fn hear(&mut self, burst: &Transmit) {
        let viewers = 0..u8::try_from(self.peers.len()).expect("few");
        let Some(viewer) = viewers.into_iter().find(|viewer| address(*viewer) == burst.destination) else { return };
        let Some(peer) = self.peers.get_mut(usize::from(viewer)) else { return };
        for datagram in burst.datagrams(&self.buf) {
            self.packets += 1;
            peer.unreported += 1;
            peer.largest = u32::from_be_bytes([0, datagram[0] & 0x0f, datagram[1], datagram[2]]);
        }
        if peer.unreported >= PACKETS_PER_REPORT {
            peer.unreported = 0;
            let mut report = peer.reports.next(self.now, peer.largest, self.frames.saturating_sub(1));
            self.timed(|server, now, _| server.handle_datagram(now, address(viewer), &mut report));
        }
    }
}

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("server_with_reports");
    group.throughput(Throughput::Elements(1));
    for viewers in [1, 8] {
        group.bench_function(format!("{viewers}_viewers"), |bencher| {
            bencher.iter_custom(|count| {
                let mut sharing = Sharing::new(viewers);
                sharing.share(WARM_UP_PACKETS);
                let spent = sharing.share(count);
                assert_eq!(sharing.server.stats().datagrams_dropped, 0, "the reports are not heard");
                // Beyond that their numbers cannot be told from their low bits alone.
                assert!(sharing.packets / u64::from(viewers) < 1 << PACKET_NUMBER_BITS);
                let (judged, lost) = sharing.server.packets_judged();
                assert!(judged * 2 > sharing.packets && lost == 0, "{lost} of {judged} are lost");
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, send);
criterion_main!(benches);
