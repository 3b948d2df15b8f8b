//! Fills in the status page's snapshot from the machine.

use core::time::Duration;
use std::collections::BTreeMap;

use nalcast_core::Timestamp;
use nalcast_core::seal::Seal;
use nalcast_core::send::{Server, ViewerId, ViewerInfo, ViewerState};
use tokio::sync::watch;

use crate::source::SourceInfo;
use crate::status::{StatusSnapshot, ViewerStatus};

/// The time over which rates are measured.
const RATE_PERIOD: Duration = Duration::from_secs(1);

/// Keeps the status page up to date.
#[derive(Debug)]
pub struct StatusBoard {
    snapshots: watch::Sender<StatusSnapshot>,
    source: SourceInfo,
    frames: Rate,
    viewers: BTreeMap<ViewerId, ViewerRates>,
}

impl StatusBoard {
    /// A board that tells about `source`, and where its snapshots appear.
    #[must_use]
    pub fn new(source: SourceInfo) -> (Self, watch::Receiver<StatusSnapshot>) {
        let (snapshots, receiver) = watch::channel(StatusSnapshot::default());
        (Self { snapshots, source, frames: Rate::default(), viewers: BTreeMap::new() }, receiver)
    }

    /// Publishes how the machine stands.
    pub fn update<S: Seal>(&mut self, now: Timestamp, server: &Server<S>) {
        self.viewers.retain(|id, _| server.viewers().any(|viewer| viewer.id == *id));
        let viewers = server.viewers().map(|viewer| self.viewers.entry(viewer.id).or_default().status(now, &viewer));
        let viewers = viewers.collect();
        let size = server.picture_size().map(|(width, height)| (width.into(), height.into()));
        let (width, height) = size.unwrap_or((self.source.width, self.source.height));
        self.snapshots.send_replace(StatusSnapshot {
            source: self.source.name.clone(),
            width,
            height,
            frames_per_second: self.frames.milli_per_second(now, server.stats().access_units) as f32 / 1000.0,
            uptime: now - Timestamp::ZERO,
            viewers,
        });
    }
}

#[derive(Debug, Default)]
struct ViewerRates {
    bytes: Rate,
    /// Packets judged and packets lost at the start of the period, and the loss of the last one.
    judged: (u64, u64),
    loss: f32,
}

impl ViewerRates {
    fn status(&mut self, now: Timestamp, viewer: &ViewerInfo) -> ViewerStatus {
        if self.bytes.is_period_over(now) {
            let (judged, lost) = viewer.packets_judged;
            let judged_now = judged.saturating_sub(self.judged.0);
            let lost_now = lost.saturating_sub(self.judged.1);
            self.loss = if judged_now == 0 { 0.0 } else { lost_now as f32 / judged_now as f32 };
            self.judged = (judged, lost);
        }
        let bits_per_second = self.bytes.milli_per_second(now, viewer.bytes_sent) / 1000 * 8;
        ViewerStatus {
            address: viewer.address,
            state: word(viewer.state).to_owned(),
            round_trip: viewer.rtt,
            loss: self.loss,
            sent_kbit_per_second: u32::try_from(bits_per_second / 1000).unwrap_or(u32::MAX),
        }
    }
}

const fn word(state: ViewerState) -> &'static str {
    match state {
        ViewerState::HalfOpen => "joining",
        ViewerState::Live => "watching",
        ViewerState::Stalled => "silent",
        ViewerState::Closing | ViewerState::Gone => "leaving",
    }
}

/// How fast a counter grew over the last whole period.
#[derive(Debug, Default)]
struct Rate {
    since: Timestamp,
    from: u64,
    last: u64,
}

impl Rate {
    fn is_period_over(&self, now: Timestamp) -> bool {
        now - self.since >= RATE_PERIOD
    }

    fn milli_per_second(&mut self, now: Timestamp, count: u64) -> u64 {
        if self.is_period_over(now) {
            let passed = (now - self.since).as_millis().max(1);
            let grown = u128::from(count.saturating_sub(self.from)) * 1_000_000;
            self.last = u64::try_from(grown / passed).unwrap_or(u64::MAX);
            (self.since, self.from) = (now, count);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_whole_periods() {
        let mut rate = Rate::default();
        let table =
            [(0, 0, 0), (500, 15, 0), (1000, 30, 30_000), (1500, 100, 30_000), (3000, 90, 30_000), (4000, 90, 0)];
        for (ms, count, expected) in table {
            assert_eq!(rate.milli_per_second(Timestamp::from_millis(ms), count), expected, "at {ms} ms");
        }
    }

    #[test]
    fn a_viewers_figures_are_of_the_last_second() {
        let mut viewer = ViewerInfo {
            id: ViewerId(1),
            address: "192.0.2.1:5".parse().unwrap(),
            state: ViewerState::Live,
            rtt: None,
            packets_sent: 0,
            packets_judged: (100, 25),
            bytes_sent: 125_000,
            frames_sent: 0,
            frames_dropped: 0,
            queue_bytes: 0,
            last_decoded: None,
        };
        let mut rates = ViewerRates::default();
        let status = rates.status(Timestamp::from_millis(1000), &viewer);
        assert_eq!((status.loss, status.sent_kbit_per_second), (0.25, 1000));
        viewer.packets_judged = (200, 25);
        let status = rates.status(Timestamp::from_millis(2000), &viewer);
        assert_eq!((status.loss, status.sent_kbit_per_second, &*status.state), (0.0, 0, "watching"));
    }
}
