//! Fills in the status page's snapshot from the machine.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use nalcast_core::Timestamp;
use nalcast_core::handshake::Handshake;
use nalcast_core::send::{LeaveReason, Server, ServerEvent, ServerStats, ViewerId, ViewerInfo, ViewerState};
use tokio::sync::watch;

use crate::source::{SourceControl, SourceInfo};
use crate::status::{RefusedDatagrams, StatusReceiver, StatusSnapshot, Totals, ViewerStatus, ViewersLeft};

/// The time over which rates are measured.
const RATE_PERIOD: Duration = Duration::from_secs(1);

/// Keeps the status page up to date.
#[derive(Debug)]
pub struct StatusBoard {
    snapshots: watch::Sender<Arc<StatusSnapshot>>,
    is_open: bool,
    source: SourceInfo,
    control: SourceControl,
    captured: Rate,
    frames: Rate,
    frame_bytes: Rate,
    viewers: BTreeMap<ViewerId, ViewerRates>,
    left: ViewersLeft,
    bitrate_wanted: Option<u64>,
}

impl StatusBoard {
    /// A board that tells about a source, and whether anybody is let in, and where its snapshots appear.
    #[must_use]
    pub fn new(is_open: bool, source: SourceInfo, control: SourceControl) -> (Self, StatusReceiver) {
        let (snapshots, receiver) = watch::channel(Arc::default());
        let board = Self {
            snapshots,
            is_open,
            source,
            control,
            captured: Rate::default(),
            frames: Rate::default(),
            frame_bytes: Rate::default(),
            viewers: BTreeMap::new(),
            left: ViewersLeft::default(),
            bitrate_wanted: None,
        };
        (board, receiver)
    }

    /// Counts who leaves, and keeps what the encoder is asked for.
    pub const fn note(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::ViewerLeft { reason, .. } => self.count_leaving(*reason),
            ServerEvent::BitrateWanted(bits_per_second) => self.bitrate_wanted = *bits_per_second,
            ServerEvent::ViewerJoined { .. }
            | ServerEvent::ViewerMoved { .. }
            | ServerEvent::PairingCode(_)
            | ServerEvent::KeyFrameWanted
            | ServerEvent::ReferenceWanted { .. }
            | ServerEvent::ReferenceShared { .. }
            | ServerEvent::Finished => {}
        }
    }

    const fn count_leaving(&mut self, reason: LeaveReason) {
        let count = match reason {
            LeaveReason::Left => &mut self.left.said_so,
            LeaveReason::Expired => &mut self.left.silent,
            LeaveReason::Replaced => &mut self.left.replaced,
            LeaveReason::Closed(_) => &mut self.left.closed,
        };
        *count += 1;
    }

    /// Publishes how the machine stands.
    pub fn update<S: Handshake>(&mut self, now: Timestamp, server: &Server<S>) {
        self.viewers.retain(|id, _| server.viewers().any(|viewer| viewer.id == *id));
        let viewers = server.viewers().map(|viewer| {
            self.viewers.entry(viewer.id).or_insert_with(|| ViewerRates::starting(now)).status(now, &viewer)
        });
        let viewers = viewers.collect();
        let size = server.picture_size().map(|(width, height)| (width.into(), height.into()));
        let (width, height) = size.unwrap_or((self.source.width, self.source.height));
        let totals = Totals {
            traffic: server.traffic(),
            datagrams_judged: server.packets_judged(),
            ..self.totals(&server.stats())
        };
        self.snapshots.send_replace(Arc::new(StatusSnapshot {
            source: self.source.name.clone(),
            is_open: self.is_open,
            codec: self.source.codec.to_string(),
            width,
            height,
            captured_per_second: self.source.live.then(|| self.captured.per_second(now, totals.pictures_captured)),
            frames_per_second: self.frames.per_second(now, totals.frames),
            bits_per_second: self.frame_bytes.bits_per_second(now, totals.frame_bytes),
            bits_per_second_wanted: self.bitrate_wanted,
            uptime: now - Timestamp::ZERO,
            viewers,
            totals,
        }));
    }

    fn totals(&self, stats: &ServerStats) -> Totals {
        let (pictures_captured, pictures_replaced) = self.control.pictures();
        let understandable = stats.datagrams_unknown + stats.datagrams_forged + stats.datagrams_replayed;
        Totals {
            pictures_captured,
            pictures_replaced,
            frames: stats.access_units,
            frame_bytes: stats.access_unit_bytes,
            key_frames: stats.key_frames,
            key_frames_wanted: stats.key_frames_wanted,
            frames_refused: stats.access_units_refused,
            datagrams_sent: stats.datagrams_sent,
            bytes_sent: stats.bytes_sent,
            datagrams_received: stats.datagrams_received,
            bytes_received: stats.bytes_received,
            datagrams_refused: RefusedDatagrams {
                malformed: stats.datagrams_dropped.saturating_sub(understandable),
                unknown_session: stats.datagrams_unknown,
                forged: stats.datagrams_forged,
                replayed: stats.datagrams_replayed,
            },
            viewers_joined: stats.viewers_joined,
            viewers_left: self.left,
            viewers_refused: stats.viewers_refused,
            handshakes_refused: stats.handshakes_refused,
            handshakes_limited: stats.handshakes_limited,
            viewers_moved: stats.viewers_moved,
            ..Totals::default()
        }
    }
}

#[derive(Debug)]
struct ViewerRates {
    bytes: Rate,
    frames: Rate,
    /// From the first report on, which only says where the viewer begins.
    decoded: Option<Rate>,
    /// Datagrams judged and lost when some were judged last, and the loss among those.
    judged: (u64, u64),
    loss: Option<f64>,
}

impl ViewerRates {
    const fn starting(now: Timestamp) -> Self {
        let (bytes, frames) = (Rate::starting(now, 0), Rate::starting(now, 0));
        Self { bytes, frames, decoded: None, judged: (0, 0), loss: None }
    }

    fn status(&mut self, now: Timestamp, viewer: &ViewerInfo) -> ViewerStatus {
        let (judged, lost) = viewer.packets_judged;
        if self.bytes.is_period_over(now) && judged > self.judged.0 {
            let (judged_now, lost_now) = (judged - self.judged.0, lost.saturating_sub(self.judged.1));
            self.loss = Some(lost_now as f64 / judged_now as f64);
            self.judged = (judged, lost);
        }
        let decoded = viewer
            .last_decoded
            .map(|frame| self.decoded.get_or_insert_with(|| Rate::starting(now, frame)).per_second(now, frame));
        ViewerStatus {
            id: viewer.id.0,
            address: viewer.address,
            state: word(viewer.state),
            round_trip: viewer.rtt,
            capture_to_report: viewer.capture_to_report,
            loss: self.loss,
            sent_bits_per_second: self.bytes.bits_per_second(now, viewer.bytes_sent),
            sent_frames_per_second: self.frames.per_second(now, viewer.frames_sent),
            decoded_frames_per_second: decoded,
            frames_sent: viewer.frames_sent,
            frames_dropped: viewer.frames_dropped,
            datagram_bytes_max: viewer.datagram_bytes_max as u64,
            queue_bytes: viewer.queue_bytes as u64,
            bytes_sent: viewer.bytes_sent,
            datagrams_sent: viewer.packets_sent,
            traffic: viewer.traffic,
            datagrams_judged: viewer.packets_judged,
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
    last_milli: u64,
}

impl Rate {
    const fn starting(now: Timestamp, count: u64) -> Self {
        Self { since: now, from: count, last_milli: 0 }
    }

    fn is_period_over(&self, now: Timestamp) -> bool {
        now - self.since >= RATE_PERIOD
    }

    fn per_second(&mut self, now: Timestamp, count: u64) -> f64 {
        self.milli_per_second(now, count) as f64 / 1000.0
    }

    fn bits_per_second(&mut self, now: Timestamp, bytes: u64) -> u64 {
        self.milli_per_second(now, bytes).saturating_mul(8) / 1000
    }

    fn milli_per_second(&mut self, now: Timestamp, count: u64) -> u64 {
        if self.is_period_over(now) {
            let passed = (now - self.since).as_millis().max(1);
            let grown = u128::from(count.saturating_sub(self.from)) * 1_000_000;
            self.last_milli = u64::try_from(grown / passed).unwrap_or(u64::MAX);
            (self.since, self.from) = (now, count);
        }
        self.last_milli
    }
}

#[cfg(test)]
mod tests {
    use nalcast_core::handshake::{Noise, SharedKey};
    use nalcast_core::seal::Aead;
    use nalcast_core::send::{Recovery, ServerConfig};

    use super::*;
    use crate::source::{self, SourceConfig, SourceKind};

    #[test]
    fn rates_are_of_whole_periods() {
        let mut rate = Rate::default();
        let table =
            [(0, 0, 0), (500, 15, 0), (1000, 30, 30_000), (1500, 100, 30_000), (3000, 90, 30_000), (4000, 90, 0)];
        for (ms, count, expected) in table {
            assert_eq!(rate.milli_per_second(Timestamp::from_millis(ms), count), expected, "at {ms} ms");
        }
    }

    fn viewer() -> ViewerInfo {
        ViewerInfo {
            datagram_bytes_max: 1200,
            id: ViewerId(1),
            address: "192.0.2.1:5".parse().unwrap(),
            state: ViewerState::Live,
            rtt: None,
            packets_sent: 0,
            packets_judged: (0, 0),
            traffic: nalcast_core::send::Traffic::default(),
            loss_ppm: 0,
            bytes_sent: 0,
            frames_sent: 0,
            frames_dropped: 0,
            queue_bytes: 0,
            last_decoded: None,
            capture_to_report: None,
        }
    }

    #[test]
    fn a_viewers_figures_are_of_the_last_second_of_its_own() {
        let at = Timestamp::from_millis;
        let mut rates = ViewerRates::starting(at(60_000));
        let mut figures = |ms, viewer: ViewerInfo| {
            let status = rates.status(at(ms), &viewer);
            (status.sent_bits_per_second, status.sent_frames_per_second, status.decoded_frames_per_second)
        };
        let begun = ViewerInfo { bytes_sent: 125_000, frames_sent: 30, last_decoded: Some(3_000), ..viewer() };
        assert_eq!(figures(60_000, viewer()), (0, 0.0, None));
        assert_eq!(figures(61_000, begun), (1_000_000, 30.0, Some(0.0)), "the first report is no progress");
        let later = ViewerInfo { last_decoded: Some(3_025), ..begun };
        assert_eq!(figures(62_000, later), (0, 0.0, Some(25.0)));
    }

    #[test]
    fn the_bit_rate_asked_for_is_the_last_one() {
        let config = SourceConfig {
            kind: SourceKind::File(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/fixtures/plain.h264").into()),
            region: None,
            fps: 30,
            bitrate_bps: 0,
            repeat: false,
            wait_for_start: true,
        };
        let source = source::open(&config).unwrap();
        let (codec, now) = (source.info.codec, Timestamp::from_millis(1));
        let config = ServerConfig { codec, fps: 30, recovery: Recovery::Nothing, viewers_max: 1, pairing: false };
        let noise = Noise::with_key(SharedKey::new([7; 32]), Aead::Aes128Gcm);
        let server = Server::new(config, noise, [1; 32], now);
        let (mut board, snapshots) = StatusBoard::new(true, source.info.clone(), source.control.clone());
        for wanted in [Some(700_000), Some(800_000), None] {
            board.note(&ServerEvent::BitrateWanted(wanted));
            board.note(&ServerEvent::KeyFrameWanted);
            board.update(now, &server);
            assert_eq!(snapshots.borrow().bits_per_second_wanted, wanted);
        }
    }

    #[test]
    fn loss_is_that_of_the_datagrams_judged_last() {
        let mut rates = ViewerRates::starting(Timestamp::ZERO);
        let table = [
            (1000, (0, 0), None),
            (2000, (100, 25), Some(0.25)),
            (3000, (100, 25), Some(0.25)),
            (3500, (200, 125), Some(0.25)),
            (4000, (200, 25), Some(0.0)),
        ];
        for (ms, packets_judged, expected) in table {
            let status = rates.status(Timestamp::from_millis(ms), &ViewerInfo { packets_judged, ..viewer() });
            assert_eq!(status.loss, expected, "at {ms} ms");
        }
    }
}
