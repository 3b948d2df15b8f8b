//! Time a packet takes through the viewer's machine, its share of the reports included.
#![expect(clippy::disallowed_types, reason = "what is measured here is real time")]

use core::time::Duration;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcast_core::Timestamp;
use nalcast_core::limits::DATAGRAM_BYTES_MAX;
use nalcast_core::recv::{Client, ClientEvent};

#[path = "../tests/crafted/mod.rs"]
mod crafted;
use crafted::{Frames, Known, SERVER, stage};

/// Full datagrams of one frame.
const COUNT: u16 = 20;
const FRAMES_PER_SECOND: u64 = 30;
const WARM_UP_FRAMES: u64 = 100;
const PACKET_SPACING: Duration = Duration::from_micros(100);

/// What becomes of a frame's datagrams on the way; as many arrive as the frame has fragments.
type Way = fn(&mut Vec<Vec<u8>>);

const IN_ORDER: Way = |_| ();
/// Nothing comes more than five places away from its own.
const REORDERED: Way = |datagrams| datagrams.chunks_mut(6).for_each(<[_]>::reverse);
/// Two rows make good what is lost.
const TWO_LOST: Way = |datagrams| {
    datagrams.remove(11);
    datagrams.remove(3);
};

struct Viewer {
    client: Client<Known>,
    frames: Frames,
    now: Timestamp,
    released: u64,
}

impl Viewer {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000);
        let (_, mut viewers) = stage(1, now);
        let (id, client) = viewers.remove(0);
        Self { client, frames: Frames::to(id), now, released: 0 }
    }

    /// Time that `count` frames take.
    fn take(&mut self, count: u64, rows: u16, way: Way) -> Duration {
        let mut spent = Duration::ZERO;
        for _ in 0..count {
            let mut datagrams = self.frames.next(self.now, COUNT, rows);
            way(&mut datagrams);
            assert_eq!(datagrams.len(), usize::from(COUNT));
            let began = Instant::now();
            self.receive(&mut datagrams);
            spent += began.elapsed();
            self.now += Duration::from_micros(1_000_000 / FRAMES_PER_SECOND) - PACKET_SPACING * COUNT.into();
        }
        spent
    }

    fn receive(&mut self, datagrams: &mut [Vec<u8>]) {
        let mut out = [0; DATAGRAM_BYTES_MAX];
        for datagram in datagrams {
            self.now += PACKET_SPACING;
            if self.client.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                self.client.handle_timeout(self.now);
            }
            self.client.handle_datagram(self.now, SERVER, datagram);
            while self.client.poll_transmit(self.now, &mut out).is_some() {}
            while let Some(event) = self.client.poll_event() {
                self.released += u64::from(matches!(event, ClientEvent::AccessUnit(_)));
            }
        }
    }
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("viewer");
    group.throughput(Throughput::Elements(COUNT.into()));
    let ways: [(&str, u16, Way); 3] =
        [("in_order", 0, IN_ORDER), ("reordered_by_5", 0, REORDERED), ("2_of_20_lost_2_rows", 2, TWO_LOST)];
    for (name, rows, way) in ways {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                // A new one each time: its keys do not last for ever.
                let mut viewer = Viewer::new();
                viewer.take(WARM_UP_FRAMES, rows, way);
                let spent = viewer.take(count, rows, way);
                // The last one may wait for its time.
                assert!(viewer.released + 2 >= WARM_UP_FRAMES + count, "{name}: {} frames", viewer.released);
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, receive);
criterion_main!(benches);
