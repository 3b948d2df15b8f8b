//! The server's machine: takes access units and datagrams in, gives datagrams and events out.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use bytes::Bytes;

use super::admission::Door;
use super::events::{LeaveReason, ServerEvent, ServerStats, TimeoutReason, ViewerInfo};
use super::references::{Recovery, References};
use super::remedy::{RemedyPolicy, Request};
use super::state::{ViewerInput, ViewerState};
use super::stream::{AccessUnitRefused, Stream};
use super::target::Target;
use super::viewer::{Traffic, Viewer, ViewerId};
use super::viewers::Viewers;
use crate::handshake::Handshake;
use crate::limits::{EVENTS_MAX, REPAIR_PERIOD_MAX, VIEWERS_MAX};
use crate::nal::Codec;
use crate::time::Timestamp;
use crate::transmit::Transmit;
use crate::wire::CloseCode;
use crate::wire::sealed::Header;

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Codec of the source.
    pub codec: Codec,
    /// Frames a second at most.
    pub fps: u8,
    /// What the source can do for a viewer that lost a frame.
    pub recovery: Recovery,
    /// Viewers at once, at most [`VIEWERS_MAX`].
    pub viewers_max: usize,
    /// Whether viewers without the key are let in by a code, which [`ServerEvent::PairingCode`] tells.
    pub pairing: bool,
}

/// The server's machine.
///
/// Feed it with `handle_*`; after each call drain [`poll_transmit`](Self::poll_transmit), then
/// [`poll_event`](Self::poll_event), then read [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Server<H: Handshake> {
    pub(super) config: ServerConfig,
    pub(super) handshake: H,
    pub(super) door: Door,
    pub(super) viewers: Viewers<H::Seal>,
    pub(super) stream: Stream,
    pub(super) stats: ServerStats,
    pub(super) remedies: RemedyPolicy,
    /// The newest long-term reference that the shell was told everybody has.
    pub(super) confirmed: Option<u64>,
    pub(super) target: Target,
    events: VecDeque<ServerEvent>,
    /// Set once: what viewers are told from then on, and until when those that are behind may catch up.
    pub(super) ending: Option<(CloseCode, Timestamp)>,
    finished: bool,
    now: Timestamp,
}

impl<H: Handshake> Server<H> {
    /// A server without viewers. `seed` decides everything secret about it and must come from a good source.
    pub fn new(mut config: ServerConfig, handshake: H, seed: [u8; 32], now: Timestamp) -> Self {
        config.viewers_max = config.viewers_max.min(VIEWERS_MAX);
        let door = Door::new(now, seed, config.pairing);
        let code = door.pairing_code().map(|code| ServerEvent::PairingCode(Some(code)));
        Self {
            door,
            viewers: Viewers::new(),
            stream: Stream::new(now, config.codec, config.fps, config.recovery),
            stats: ServerStats::default(),
            remedies: RemedyPolicy::new(now, config.recovery),
            confirmed: None,
            target: Target::new(now),
            events: code.into_iter().collect(),
            ending: None,
            finished: false,
            config,
            handshake,
            now,
        }
    }

    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> ServerStats {
        let mut stats = self.stats;
        stats.global_buffer_bytes = self.stream.buffer.bytes();
        stats
    }

    /// What was sent to all viewers since the start, by its purpose.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.viewers.traffic()
    }

    /// Packets to all viewers since the start whose fate is known, and how many of them were lost.
    #[must_use]
    pub fn packets_judged(&self) -> (u64, u64) {
        self.viewers.judged()
    }

    /// Picture size in pixels, once a parameter set told it.
    #[must_use]
    pub const fn picture_size(&self) -> Option<(u16, u16)> {
        self.stream.size()
    }

    /// The viewers, half-open ones too.
    pub fn viewers(&self) -> impl Iterator<Item = ViewerInfo> {
        self.viewers.iter().map(|viewer| ViewerInfo {
            id: viewer.id,
            address: viewer.address,
            state: viewer.state,
            datagram_bytes_max: viewer.datagram_bytes_max(),
            rtt: viewer.sent.rtt().get(),
            packets_sent: viewer.sent.sent(),
            packets_judged: viewer.sent.judged(),
            bytes_sent: viewer.bytes_sent,
            traffic: viewer.traffic,
            loss_ppm: viewer.sent.loss().ppm(),
            frames_sent: viewer.frames_sent,
            frames_dropped: viewer.queue().dropped(),
            queue_bytes: viewer.queue().bytes(),
            last_decoded: viewer.last_decoded(),
            capture_to_report: viewer.capture_to_report(),
        })
    }

    /// The source made an access unit (Annex-B, one picture), captured at `capture`. Its frame id.
    ///
    /// # Errors
    /// [`AccessUnitRefused`]; nothing has changed then.
    pub fn handle_access_unit(
        &mut self,
        now: Timestamp,
        unit: Bytes,
        capture: Timestamp,
    ) -> Result<u64, AccessUnitRefused> {
        self.handle_access_unit_with(now, unit, capture, References::default())
    }

    /// The same for a source that knows which frames its pictures refer to.
    ///
    /// # Errors
    /// [`AccessUnitRefused`]; nothing has changed then.
    pub fn handle_access_unit_with(
        &mut self,
        now: Timestamp,
        unit: Bytes,
        capture: Timestamp,
        references: References,
    ) -> Result<u64, AccessUnitRefused> {
        self.advance(now);
        let bytes = unit.len() as u64;
        let taken = if self.ending.is_some() {
            Err(AccessUnitRefused::AfterEnd)
        } else {
            self.stream.take(now, unit, capture, references)
        };
        let frame = taken.inspect_err(|_| self.stats.access_units_refused += 1)?;
        self.stats.access_units += 1;
        self.stats.access_unit_bytes += bytes;
        if frame.key {
            self.stats.key_frames += 1;
            self.confirmed = None;
            self.remedies.made(Request::KeyFrame);
        } else if let Some(reference) = frame.place.long_term {
            self.stats.recovery_frames += 1;
            self.remedies.made(Request::Reference(reference));
        }
        self.stream.buffer.push(frame.clone());
        for index in self.viewers.indices() {
            let Some(viewer) = self.viewers.get_mut(index) else { continue };
            viewer.offer(now, &frame, &self.stream);
            self.want_remedy_for(now, index);
            self.viewers.reschedule(index, &self.stream);
        }
        Ok(frame.id)
    }

    /// A datagram came; it is opened in place.
    pub fn handle_datagram(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) {
        self.advance(now);
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        let understood = if Header::is_sealed(datagram) {
            self.handle_sealed(now, from, datagram)
        } else {
            self.handle_long(now, from, datagram)
        };
        if !understood {
            self.stats.datagrams_dropped += 1;
        }
    }

    /// The source is at its end: viewers get what is on its way, then are told.
    pub fn handle_end_of_source(&mut self, now: Timestamp) {
        self.advance(now);
        self.ending.get_or_insert((CloseCode::EndOfStream, now + REPAIR_PERIOD_MAX));
        self.remedies.end();
        self.drain(now);
    }

    /// The server stops: viewers are told at once.
    pub fn handle_shutdown(&mut self, now: Timestamp) {
        self.advance(now);
        self.ending = Some((CloseCode::Shutdown, now));
        self.remedies.end();
        self.drain(now);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        while let Some(index) = self.viewers.timeouts.due(now) {
            let Some(input) = self.viewers.get_mut(index).and_then(|viewer| viewer.timeout_due(now)) else { break };
            match input {
                ViewerInput::Silent => {
                    if let Some(viewer) = self.viewers.get_mut(index) {
                        viewer.step(input);
                        viewer.stall(now);
                    }
                    self.viewers.reschedule(index, &self.stream);
                }
                ViewerInput::Expired => self.remove(index, input, Some(LeaveReason::Expired)),
                ViewerInput::Closed => self.remove_closed(index, input),
                ViewerInput::Heard | ViewerInput::Left | ViewerInput::Close => break,
            }
        }
        if self.ending.is_some() {
            self.drain(now);
        }
        if self.door.renew_code(now) {
            self.push(ServerEvent::PairingCode(self.door.pairing_code()));
        }
        self.ask_encoder(now);
        self.confirm_references(now);
    }

    /// The next datagrams to send to one viewer, written to the start of `buf`, which should hold
    /// [`BURST_DATAGRAMS_MAX`](crate::limits::BURST_DATAGRAMS_MAX) of the largest size.
    pub fn poll_transmit(&mut self, now: Timestamp, buf: &mut [u8]) -> Option<Transmit> {
        self.advance(now);
        let transmit = self.door.poll_transmit(buf).or_else(|| self.poll_viewers(now, buf))?;
        self.stats.datagrams_sent += transmit.len.div_ceil(transmit.segment_size.unwrap_or(transmit.len).max(1)) as u64;
        self.stats.bytes_sent += transmit.len as u64;
        Some(transmit)
    }

    fn poll_viewers(&mut self, now: Timestamp, buf: &mut [u8]) -> Option<Transmit> {
        while let Some(index) = self.viewers.transmits.due(now) {
            let viewer = self.viewers.get_mut(index);
            let sent = viewer.and_then(|viewer| Some((viewer.poll_transmit(now, &self.stream, buf)?, viewer.address)));
            self.viewers.reschedule(index, &self.stream);
            if let Some((transmit, proven)) = sent {
                if transmit.destination != proven {
                    self.stats.unproven_bytes_sent += transmit.len as u64;
                }
                return Some(transmit);
            }
            debug_assert!(self.viewers.transmits.due(now) != Some(index), "a viewer is due but sends nothing");
            if self.viewers.transmits.due(now) == Some(index) {
                self.viewers.transmits.set(index, None);
            }
        }
        None
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        let transmit = self.viewers.transmits.first().map(|(at, _)| (at, TimeoutReason::Transmit));
        let viewer = self.viewers.timeouts.first().map(|(at, _)| (at, TimeoutReason::Viewer));
        let pairing = self.door.pairing_due().map(|at| (at, TimeoutReason::Pairing));
        let remedy = self.remedies.due().map(|at| (at, TimeoutReason::Remedy));
        let drain = match self.ending {
            Some((CloseCode::EndOfStream, until)) if self.now < until => Some((until, TimeoutReason::Drain)),
            _ => None,
        };
        [transmit, viewer, pairing, remedy, drain].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// How many subscriptions there are, half-open ones too.
    #[must_use]
    pub fn viewer_count(&self) -> usize {
        self.viewers.len()
    }

    /// Ends one viewer's session; whether it was there.
    pub fn kick(&mut self, now: Timestamp, id: ViewerId) -> bool {
        self.advance(now);
        let index = self.viewers.iter().find(|viewer| viewer.id == id).map(|viewer| viewer.connection_id);
        let Some(index) = index.and_then(|connection_id| self.viewers.find(connection_id)) else { return false };
        match self.viewers.get_mut(index) {
            Some(viewer) if viewer.state.is_joined() => viewer.close(now, CloseCode::Kicked),
            Some(viewer) if viewer.state == ViewerState::HalfOpen => self.remove(index, ViewerInput::Close, None),
            _ => {}
        }
        self.viewers.reschedule(index, &self.stream);
        true
    }

    /// What viewers are refused with once the end has begun.
    pub(super) fn ended_with(&self) -> Option<CloseCode> {
        self.ending.map(|(code, _)| code)
    }

    /// Removes a viewer; one that had joined leaves with an event.
    pub(super) fn remove(&mut self, index: usize, input: ViewerInput, reason: Option<LeaveReason>) {
        let Some(mut viewer) = self.viewers.remove(index) else { return };
        viewer.step(input);
        self.confirm_references(self.now);
        if let Some(reason) = reason
            && viewer.has_joined
        {
            self.push(ServerEvent::ViewerLeft { viewer: viewer.id, address: viewer.address, reason });
        }
        self.finish_if_empty();
    }

    pub(super) fn remove_closed(&mut self, index: usize, input: ViewerInput) {
        let code = self.ended_with().unwrap_or(CloseCode::Kicked);
        self.remove(index, input, Some(LeaveReason::Closed(code)));
    }

    fn advance(&mut self, now: Timestamp) {
        debug_assert!(now >= self.now, "time ran backwards: {now} after {}", self.now);
        self.now = self.now.max(now);
    }

    pub(super) fn push(&mut self, event: ServerEvent) {
        self.events.push_back(event);
        debug_assert!(self.events.len() <= EVENTS_MAX + VIEWERS_MAX, "the shell does not drain its events");
    }

    /// Once the end has begun: says goodbye to every viewer that has everything, or that time has run out for.
    pub(super) fn drain(&mut self, now: Timestamp) {
        let Some((code, until)) = self.ending else { return };
        let last = self.stream.newest_frame();
        for index in self.viewers.indices() {
            let Some(viewer) = self.viewers.get_mut(index) else { continue };
            let has_all = |viewer: &Viewer<H::Seal>| viewer.queue().is_empty() && viewer.last_decoded() >= Some(last);
            match viewer.state {
                ViewerState::Live | ViewerState::Stalled if now >= until || last == 0 || has_all(viewer) => {
                    viewer.close(now, code);
                    self.viewers.reschedule(index, &self.stream);
                }
                ViewerState::HalfOpen if now >= until => self.remove(index, ViewerInput::Close, None),
                ViewerState::HalfOpen
                | ViewerState::Live
                | ViewerState::Stalled
                | ViewerState::Closing
                | ViewerState::Gone => {}
            }
        }
        self.finish_if_empty();
    }

    fn finish_if_empty(&mut self) {
        if self.ending.is_some() && self.viewers.is_empty() && !self.finished {
            self.finished = true;
            self.push(ServerEvent::Finished);
        }
    }
}
