//! What arrives touches the heap once per frame, not once per datagram: reports are made, and repairs asked for, in place.

use core::time::Duration;
use std::collections::BTreeMap;

use allocation_counter::measure;
use nalcast_core::Timestamp;
use nalcast_core::limits::DATAGRAM_BYTES_MAX;
use nalcast_core::recv::{Client, ClientEvent};

mod crafted;
use crafted::{Frames, Known, SERVER, stage};

const PACKET_SPACING: Duration = Duration::from_micros(200);
const FRAME_PERIOD: Duration = Duration::from_millis(33);
const WARM_UP: usize = 100;
const FRAMES: usize = 200;

/// What becomes of a frame's datagrams on the way.
type Way = fn(&mut Vec<Vec<u8>>);

struct Viewer {
    client: Client<Known>,
    frames: Frames,
    now: Timestamp,
    released: usize,
    reports: usize,
}

impl Viewer {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000);
        let (_, mut viewers) = stage(1, now);
        let (id, client) = viewers.remove(0);
        Self { client, frames: Frames::to(id), now, released: 0, reports: 0 }
    }

    /// Allocations that a frame of so many fragments and rows costs from its first datagram until the next one's.
    fn frame(&mut self, count: u16, rows: u16, way: Way) -> u64 {
        let mut datagrams = self.frames.next(self.now, count, rows);
        way(&mut datagrams);
        let end = self.now + FRAME_PERIOD;
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let cost = measure(|| {
            for datagram in &mut datagrams {
                self.now += PACKET_SPACING;
                self.client.handle_datagram(self.now, SERVER, datagram);
                self.drain(&mut out);
            }
            while let Some((at, _)) = self.client.poll_timeout().filter(|(at, _)| *at < end) {
                self.now = self.now.max(at);
                self.client.handle_timeout(self.now);
                self.drain(&mut out);
            }
        });
        self.now = end;
        cost.count_total
    }

    fn drain(&mut self, out: &mut [u8]) {
        while self.client.poll_transmit(self.now, out).is_some() {
            self.reports += 1;
        }
        while let Some(event) = self.client.poll_event() {
            self.released += usize::from(matches!(event, ClientEvent::AccessUnit(_)));
        }
    }
}

/// How many frames cost so many allocations, once all that grows has grown.
fn allocations(count: u16, rows: u16, way: Way) -> BTreeMap<u64, usize> {
    let mut viewer = Viewer::new();
    (0..WARM_UP).for_each(|_| _ = viewer.frame(count, rows, way));
    let (released, reports) = (viewer.released, viewer.reports);
    let mut costs = BTreeMap::new();
    (0..FRAMES).for_each(|_| *costs.entry(viewer.frame(count, rows, way)).or_default() += 1);
    assert!(viewer.released - released >= FRAMES - 1, "{} frames", viewer.released - released);
    assert!(viewer.reports - reports >= FRAMES, "{} reports", viewer.reports - reports);
    costs
}

/// The frame's buffer and what shares it with the shell, the bits of what is there, the state of its blocks.
const PER_FRAME: u64 = 4;

const IN_ORDER: Way = |_| ();
const REORDERED: Way = |datagrams| datagrams.chunks_mut(6).for_each(<[_]>::reverse);

fn lose<const N: usize>(datagrams: &mut Vec<Vec<u8>>) {
    datagrams.drain(5..5 + N);
}

#[test]
fn a_frame_costs_the_same_however_many_packets_it_has() {
    for count in [1, 10, 20, 64, 100, 130] {
        for (rows, way) in [(0, IN_ORDER), (0, REORDERED), (3, IN_ORDER)] {
            assert_eq!(allocations(count, rows, way), BTreeMap::from([(PER_FRAME, FRAMES)]), "{count} and {rows} rows");
        }
    }
    // The last fragment, if it comes first, is kept aside until another one tells where it belongs.
    assert_eq!(allocations(2, 0, REORDERED), BTreeMap::from([(PER_FRAME + 1, FRAMES)]));
}

#[test]
fn rows_that_are_kept_until_they_suffice_cost_no_allocation_each() {
    // Two buffers, which double as they fill: the rows' numbers and their bytes.
    let ways: [(u16, Way); 5] = [(1, lose::<1>), (2, lose::<2>), (4, lose::<4>), (8, lose::<8>), (16, lose::<16>)];
    for (rows, way) in ways {
        let costs = allocations(40, rows, way);
        let most = PER_FRAME + 2 + 2 * u64::from(rows.ilog2());
        assert!(
            costs.len() == 1 && costs.keys().all(|cost| (PER_FRAME + 2..=most).contains(cost)),
            "{rows}: {costs:?}"
        );
        assert_eq!(costs, allocations(80, rows, way), "{rows} rows of a larger frame");
    }
}

#[test]
fn what_is_lost_and_asked_for_costs_nothing_more() {
    // Each third frame never becomes whole, and nothing behind the first of them can be shown.
    fn some(datagrams: &mut Vec<Vec<u8>>) {
        if datagrams[0][2].is_multiple_of(3) {
            datagrams.truncate(12);
        }
    }
    let mut viewer = Viewer::new();
    (0..WARM_UP).for_each(|_| _ = viewer.frame(20, 0, some));
    let reports = viewer.reports;
    let most = (0..FRAMES).map(|_| viewer.frame(20, 0, some)).max();
    assert!(viewer.reports - reports > FRAMES);
    assert!(most <= Some(PER_FRAME), "{most:?}");
}
