//! Ties the loop to decoder, recorder and window: hands released units over, keeps the status up to date.

use core::future::pending;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::recv::{AccessUnit, ClientEvent, ClientStats, Freeze, LostReason, StreamConfig};
use nalcast_core::time::micros;
use shell_common::clock::Clock;
use tokio::sync::mpsc;

use crate::driver::{Figures, Sink, Word};
use crate::present::{PresentEvent, ReleasedUnit, UnitSender, ViewerStatus};
use crate::stats_json::StatsJson;

/// The time over which rates are measured.
const RATE_PERIOD: Duration = Duration::from_secs(1);

/// The sink of the real program.
pub struct Viewer {
    units: UnitSender,
    events: mpsc::Receiver<PresentEvent>,
    clock: Clock,
    /// As people wrote it.
    server: String,
    status: ViewerStatus,
    lost: Option<(LostReason, Timestamp)>,
    /// A unit that found no room on its way to the decoder.
    overrun: Option<u64>,
    sessions: u64,
    paused: bool,
    released: u64,
    rates: Rates,
    stats: Option<StatsJson>,
    stats_at: Timestamp,
}

/// Counters at the beginning of the period in which rates are measured.
#[derive(Default)]
struct Rates {
    since: Timestamp,
    released: u64,
    bytes: u64,
    sent: u64,
    received: u64,
}

impl Viewer {
    /// Hands units to `units` and hears of them from `events`.
    #[must_use]
    pub fn new(units: UnitSender, events: mpsc::Receiver<PresentEvent>, clock: Clock, server: String) -> Self {
        let status = ViewerStatus { state: format!("connecting to {server}"), ..ViewerStatus::default() };
        units.set_status(status.clone());
        Self {
            units,
            events,
            clock,
            server,
            status,
            lost: None,
            overrun: None,
            sessions: 0,
            paused: false,
            released: 0,
            rates: Rates::default(),
            stats: None,
            stats_at: Timestamp::ZERO,
        }
    }

    /// Writes what happens to `stats`, too.
    #[must_use]
    pub fn with_stats(mut self, stats: Option<StatsJson>) -> Self {
        self.stats = stats;
        self
    }

    /// Sessions so far: 0 if the server never let this viewer in.
    #[must_use]
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Nothing happens before somebody types the server's code.
    pub fn wait_for_code(&mut self) {
        self.status.state = format!("type the code that {} shows, where this program was started", self.server);
        self.units.set_status(self.status.clone());
    }

    fn toggle_pause(&mut self) {
        self.paused = !self.paused;
        if self.lost.is_none() && self.sessions > 0 {
            self.status.playing = false;
            let state = if self.paused { "paused; press P to go on" } else { "waiting for a picture" };
            state.clone_into(&mut self.status.state);
            self.units.set_status(self.status.clone());
        }
    }

    fn handle_connected(&mut self) {
        self.sessions += 1;
        self.lost = None;
        let next = if self.paused { "paused; press P to go on" } else { "waiting for a picture" };
        self.status.state = format!("connected to {}, {next}", self.server);
        tracing::info!("connected to {}", self.server);
    }

    fn handle_lost(&mut self, now: Timestamp, reason: LostReason, retry_at: Timestamp) {
        self.lost = Some((reason, retry_at));
        self.status.playing = false;
        self.describe_wait(now);
        tracing::warn!("{}", self.status.state);
    }

    fn handle_config(&mut self, config: &StreamConfig) {
        (self.status.width, self.status.height) = (config.width, config.height);
    }

    fn handle_unit(&mut self, now: Timestamp, unit: AccessUnit) {
        let AccessUnit { frame_id, codec, key, late, capture, completed, parameter_sets, bytes } = unit;
        let instant = |at| self.clock.instant(at).into_std();
        let released = ReleasedUnit {
            frame_id,
            codec,
            key,
            late,
            parameter_sets,
            bytes,
            captured: capture.map(instant),
            completed: instant(completed),
            released: instant(now),
        };
        self.released += 1;
        if let Err(overrun) = self.units.send(released) {
            if overrun.dropped == 1 {
                tracing::warn!("{overrun}");
            }
            self.overrun = Some(frame_id);
        }
        if !self.status.playing && !self.paused {
            self.status.playing = true;
            "playing".clone_into(&mut self.status.state);
            self.units.set_status(self.status.clone());
        }
    }

    fn handle_freeze(&mut self, now: Timestamp, freeze: &Freeze) {
        let Freeze { length, cause, next, .. } = *freeze;
        tracing::debug!("the picture stood still for {} ms before frame {next}: {cause}", length.as_millis());
        if let Some(stats) = &mut self.stats {
            stats.freeze(now, freeze);
        }
    }

    fn describe_wait(&mut self, now: Timestamp) {
        let Some((reason, retry_at)) = self.lost else { return };
        let seconds = (retry_at - now).as_millis().div_ceil(1000);
        self.status.state = if seconds == 0 {
            format!("{reason}; trying again")
        } else {
            format!("{reason}; trying again in {seconds} s")
        };
    }

    fn measure(&mut self, now: Timestamp, figures: &Figures) {
        let passed = micros(now - self.rates.since);
        if passed < micros(RATE_PERIOD) {
            return;
        }
        let per_second = |grown: u64, scale: u64| grown.saturating_mul(scale) / (passed / 1_000).max(1);
        let ClientStats { packets_sent_by_server, packets_received, .. } = figures.stats;
        let Rates { released, bytes, sent, received, .. } = self.rates;
        let fps_milli = per_second(self.released.saturating_sub(released), 1_000_000);
        self.status.fps_milli = u32::try_from(fps_milli).unwrap_or(u32::MAX);
        self.status.bitrate_bps = per_second(figures.bytes_received.saturating_sub(bytes), 8_000);
        let sent_now = packets_sent_by_server.saturating_sub(sent);
        let lost_now = sent_now.saturating_sub(packets_received.saturating_sub(received));
        let loss_ppm = (lost_now * 1_000_000).checked_div(sent_now).unwrap_or(0);
        self.status.loss_ppm = u32::try_from(loss_ppm).unwrap_or(u32::MAX);
        self.rates = Rates {
            since: now,
            released: self.released,
            bytes: figures.bytes_received,
            sent: packets_sent_by_server,
            received: packets_received,
        };
    }
}

impl Sink for Viewer {
    fn event(&mut self, now: Timestamp, event: ClientEvent) {
        match event {
            ClientEvent::AccessUnit(unit) => return self.handle_unit(now, unit),
            ClientEvent::Connected => self.handle_connected(),
            ClientEvent::Lost { reason, retry_at } => self.handle_lost(now, reason, retry_at),
            ClientEvent::Config(config) => self.handle_config(&config),
            ClientEvent::Abandoned { from, to, reason } => {
                tracing::debug!("frames {from} to {to} given up: {reason:?}");
                return;
            }
            ClientEvent::Frame(record) => {
                if let Some(stats) = &mut self.stats {
                    stats.frame(&record);
                }
                return;
            }
            ClientEvent::Freeze(freeze) => return self.handle_freeze(now, &freeze),
            ClientEvent::Ended(_) => {
                self.status.playing = false;
                "ended".clone_into(&mut self.status.state);
            }
        }
        self.units.set_status(self.status.clone());
    }

    fn observe(&mut self, now: Timestamp, figures: &Figures) {
        self.describe_wait(now);
        self.measure(now, figures);
        if let Some(stats) = &mut self.stats
            && now >= self.stats_at
        {
            self.stats_at = now + RATE_PERIOD;
            stats.figures(now, figures);
        }
        self.units.set_status(self.status.clone());
    }

    async fn word(&mut self) -> Word {
        loop {
            if let Some(frame_id) = self.overrun.take() {
                return Word::Undecodable { frame_id };
            }
            match self.events.recv().await {
                Some(PresentEvent::DecodeFailed { frame_id }) => return Word::Undecodable { frame_id },
                Some(PresentEvent::PauseToggled) => {
                    self.toggle_pause();
                    return Word::Pause(self.paused);
                }
                Some(PresentEvent::WindowClosed) => return Word::Leave,
                Some(PresentEvent::Decoded { frame_id }) => return Word::Decoded { frame_id },
                Some(PresentEvent::Shown { frame_id, latency, .. }) => {
                    self.status.latency_us = latency.map(micros).or(self.status.latency_us);
                    return Word::Shown { frame_id };
                }
                Some(PresentEvent::FirstPicture { width, height, .. }) => {
                    tracing::info!("first picture, {width}x{height}");
                }
                None => pending().await,
            }
        }
    }
}
