//! A session that the server accepted: packets in, frames, reports and times out.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::Bytes;

use super::arrivals::{Arrival, Arrivals};
use super::history::History;
use super::outcome::Outcome;
use super::playout::ClockSync;
use super::receiver::{Pace, Receiver};
use super::reporter::{Reporter, Told};
use super::tolerance::ReorderTolerance;
use super::wishes::Wishes;
use crate::limits::{CLOSE_TRIES_MAX, IDLE_PERIOD, PING_PERIOD, RTT_INITIAL, UNCONFIRMED_PERIOD};
use crate::nal::Codec;
use crate::seal::{Channel, OpenError, Seal};
use crate::time::Timestamp;
use crate::wire::control::{Config, Control, Messages};
use crate::wire::long::{SessionParameters, Token};
use crate::wire::media::FragmentHeader;
use crate::wire::{CloseCode, Reader, WireError, frame_id_full};

/// Clock samples that are taken quickly at the start.
const QUICK_PINGS: u16 = 5;
const QUICK_PING_PERIOD: Duration = Duration::from_millis(50);
/// Frames a second before the stream was described.
const FPS_USUAL: u8 = 30;
/// Shortest wait for an answer, however short the path: the peer needs time too.
const RTO_MIN: Duration = Duration::from_millis(10);

/// What the server said about the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Codec of the stream.
    pub codec: Codec,
    /// Picture width, pixels; 0 while unknown.
    pub width: u16,
    /// Picture height, pixels; 0 while unknown.
    pub height: u16,
    /// Frames a second at most.
    pub fps: u8,
    /// VPS, SPS and PPS with start codes; empty if none is known.
    pub parameter_sets: Bytes,
    pub(super) parameter_epoch: u8,
}

/// Why a datagram was dropped; all it changes is a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    Unopened(OpenError),
    Replayed,
    Malformed(WireError),
}

/// How its user wants a session to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    pub(super) budget: Option<Duration>,
    pub(super) smooth: bool,
    pub(super) paused: bool,
}

#[derive(Debug)]
pub(super) struct Session<S> {
    channel: Channel<S>,
    connection_id: u32,
    pub(super) receiver: Receiver,
    pub(super) arrivals: Arrivals,
    path: Path,
    reporter: Reporter,
    config_is_new: bool,
    newest_frame: u64,
    last_heard: Timestamp,
    heard_anything: bool,
    next_ping: Timestamp,
    pings: u16,
    /// The newest PING and the packet number that it went out with: its PONG acknowledges that.
    last_ping: Option<(u16, u64)>,
    pongs: VecDeque<(u16, u32, Timestamp)>,
    /// What the server asked for last, to be answered.
    challenge: Option<[u8; 8]>,
    token: Option<Token>,
    wishes: Wishes,
    closing: Option<Closing>,
    closed_by_server: Option<CloseCode>,
    answer_close: Option<CloseCode>,
    was_stuck: bool,
    pub(super) history: History,
}

/// What is known of the path and the stream: all that the release rule asks for.
#[derive(Debug)]
struct Path {
    clock: ClockSync,
    tolerance: ReorderTolerance,
    /// The description that was heard last, and its epoch.
    config: Option<(u8, StreamConfig)>,
}

impl Path {
    /// The description, if it holds what a decoder needs.
    fn parameter_sets(&self) -> Option<&StreamConfig> {
        self.config.as_ref().map(|(_, stream)| stream).filter(|stream| !stream.parameter_sets.is_empty())
    }

    fn pace(&self, now: Timestamp) -> Pace<'_> {
        let fps = self.config.as_ref().map_or(FPS_USUAL, |(_, stream)| stream.fps.max(1));
        Pace {
            clock: &self.clock,
            tolerance: self.tolerance.get(now, self.clock.rtt()),
            frame_interval: Duration::from_secs(1) / u32::from(fps),
            parameter_epoch: self.parameter_sets().map(|stream| stream.parameter_epoch),
        }
    }
}

#[derive(Debug)]
struct Closing {
    tries: u32,
    next: Timestamp,
}

impl<S: Seal> Session<S> {
    pub(super) fn new(
        now: Timestamp,
        channel: Channel<S>,
        connection_id: u32,
        parameters: &SessionParameters,
        wants: Wants,
    ) -> Self {
        Self {
            channel,
            connection_id,
            receiver: Receiver::new(now, wants.budget, wants.smooth),
            arrivals: Arrivals::new(),
            path: Path { clock: ClockSync::default(), tolerance: ReorderTolerance::new(now), config: None },
            reporter: Reporter::new(now),
            config_is_new: false,
            newest_frame: parameters.newest_frame,
            last_heard: now,
            heard_anything: false,
            next_ping: now,
            pings: 0,
            last_ping: None,
            pongs: VecDeque::new(),
            challenge: None,
            token: None,
            wishes: Wishes::new(now, wants.paused),
            closing: None,
            closed_by_server: None,
            answer_close: None,
            was_stuck: false,
            history: History::new(now),
        }
    }

    pub(super) fn handle_datagram(&mut self, now: Timestamp, datagram: &mut [u8]) -> Result<(), Dropped> {
        let (number, plaintext) = self.channel.open(datagram).map_err(Dropped::Unopened)?;
        let Arrival::New { displacement } = self.arrivals.insert(now, number) else {
            return Err(Dropped::Replayed);
        };
        if !displacement.is_zero() {
            self.path.tolerance.observe(now, displacement);
        }
        self.last_heard = now;
        self.history.heard(now);
        self.heard_anything = true;
        let plaintext = datagram.get(plaintext).unwrap_or_default();
        let handled = match plaintext.first() {
            Some(first) if first & 0x80 == 0 => self.handle_media(now, plaintext),
            _ => self.handle_control(now, plaintext),
        };
        self.watch(now);
        handled.map_err(Dropped::Malformed)
    }

    fn handle_media(&mut self, now: Timestamp, plaintext: &[u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(plaintext);
        let header = FragmentHeader::read(&mut reader)?;
        let frame_id = frame_id_full(self.newest_frame, header.frame_id_low);
        self.newest_frame = self.newest_frame.max(frame_id);
        self.reporter.media(now, reader.rest().len(), header.end);
        self.receiver.handle_fragment(now, frame_id, header, reader.rest(), &self.path.pace(now));
        Ok(())
    }

    fn handle_control(&mut self, now: Timestamp, plaintext: &[u8]) -> Result<(), WireError> {
        for message in Messages::new(plaintext) {
            self.handle_message(now, message?);
        }
        Ok(())
    }

    fn handle_message(&mut self, now: Timestamp, message: Control<'_>) {
        match message {
            Control::Ping { id, sent_us } => {
                self.pongs.truncate(crate::limits::CONTROL_RETRANSMIT_MAX - 1);
                self.pongs.push_front((id, sent_us, now));
            }
            Control::Pong { id, sent_us, received_us, replied_us } => {
                if let Some((_, number)) = self.last_ping.filter(|(last, _)| *last == id) {
                    self.channel.acknowledge(number);
                }
                self.path.clock.observe(now, sent_us, received_us, replied_us);
            }
            Control::Config(config) => self.handle_config(now, &config),
            Control::Skip { from, to, .. } => {
                let from = frame_id_full(self.newest_frame, from);
                let to = frame_id_full(self.newest_frame, to);
                self.receiver.handle_skip(now, from, to, &self.path.pace(now));
            }
            Control::Pad(_) => self.reporter.urgent(now),
            Control::PathChallenge(challenge) => self.challenge = Some(challenge),
            Control::Token(token) => self.token = Token::new(token).or(self.token),
            Control::WishHeard(sequence) => self.wishes.heard(sequence),
            Control::Close(code) => {
                self.closed_by_server = Some(code);
                self.answer_close = Some(code);
            }
            Control::Heartbeat { newest_frame, .. } => {
                self.newest_frame = self.newest_frame.max(newest_frame);
                if newest_frame > 0 {
                    self.receiver.handle_newest(now, newest_frame, &self.path.pace(now));
                }
            }
            // Of no meaning to a viewer, or of a later version.
            Control::Feedback(_) | Control::Wish(_) | Control::PathResponse(_) | Control::Unknown(_) => {}
        }
    }

    fn handle_config(&mut self, now: Timestamp, config: &Config<'_>) {
        self.reporter.urgent(now);
        if self.path.config.as_ref().is_some_and(|(epoch, _)| *epoch == config.config_epoch) {
            return;
        }
        let stream = StreamConfig {
            codec: config.codec,
            width: config.width,
            height: config.height,
            fps: config.fps,
            parameter_sets: Bytes::copy_from_slice(config.parameter_sets),
            parameter_epoch: config.parameter_epoch,
        };
        self.path.config = Some((config.config_epoch, stream));
        self.config_is_new = true;
        // A key frame may have waited for its parameter sets.
        self.receiver.handle_timeout(now, &self.path.pace(now));
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.receiver.handle_timeout(now, &self.path.pace(now));
        self.watch(now);
    }

    pub(super) fn handle_undecodable(&mut self, now: Timestamp, frame_id: u64) {
        self.receiver.handle_undecodable(frame_id);
        self.watch(now);
    }

    /// A new need leaves at once; an old one is repeated by every report anyway.
    fn watch(&mut self, now: Timestamp) {
        let symbols = self.receiver.needs(now, &self.path.pace(now), |_, _| ());
        self.reporter.need(now, symbols);
        self.wishes.budget(now, self.receiver.budget.get(self.path.clock.rtt()));
        let stuck = self.receiver.stuck().is_some();
        if stuck && !self.was_stuck {
            self.reporter.urgent(now);
        }
        self.was_stuck = stuck;
    }

    /// Wants no media from now on, or media again.
    pub(super) fn pause(&mut self, now: Timestamp, paused: bool) {
        self.wishes.pause(now, paused);
        self.history.paused();
    }

    /// What lets the viewer in again without proving its address.
    pub(super) const fn token(&self) -> Option<Token> {
        self.token
    }

    /// Begins to leave: CLOSE is said until it is answered or said often enough.
    pub(super) const fn leave(&mut self, now: Timestamp) {
        if self.closing.is_none() {
            self.closing = Some(Closing { tries: 0, next: now });
        }
    }

    /// Whether leaving is over.
    pub(super) fn has_left(&self, now: Timestamp) -> bool {
        self.closing.as_ref().is_some_and(|closing| {
            self.closed_by_server.is_some() || (closing.tries >= CLOSE_TRIES_MAX && now >= closing.next)
        })
    }

    /// The server's CLOSE, once it has been answered.
    pub(super) const fn close_received(&self) -> Option<CloseCode> {
        if self.answer_close.is_some() { None } else { self.closed_by_server }
    }

    pub(super) fn is_silent(&self, now: Timestamp) -> bool {
        now >= self.silent_at()
    }

    fn silent_at(&self) -> Timestamp {
        self.last_heard + if self.heard_anything { IDLE_PERIOD } else { UNCONFIRMED_PERIOD }
    }

    pub(super) const fn newest_frame(&self) -> u64 {
        self.newest_frame
    }

    pub(super) const fn reports(&self) -> u64 {
        self.reporter.sent()
    }

    pub(super) fn poll_outcome(&mut self, now: Timestamp) -> Option<Outcome> {
        let outcome = self.receiver.poll_outcome()?;
        self.history.ended(now, &outcome);
        Some(outcome)
    }

    pub(super) fn take_config(&mut self) -> Option<StreamConfig> {
        let is_new = core::mem::take(&mut self.config_is_new);
        if is_new { self.stream().cloned() } else { None }
    }

    pub(super) fn stream(&self) -> Option<&StreamConfig> {
        self.path.config.as_ref().map(|(_, stream)| stream)
    }

    pub(super) fn rtt(&self) -> Option<Duration> {
        self.path.clock.rtt()
    }

    fn rto(&self) -> Duration {
        (self.rtt().unwrap_or(RTT_INITIAL) * 2).max(RTO_MIN)
    }

    pub(super) fn poll_transmit(&mut self, now: Timestamp, buf: &mut [u8]) -> Option<usize> {
        let config_epoch = self.path.config.as_ref().map_or(0, |(epoch, _)| *epoch);
        let told = Told { config_epoch, paused: self.wishes.is_paused() };
        let rto = self.rto();
        // Time may have passed since the last input: what is due by now is not noticed otherwise.
        self.handle_timeout(now);
        self.channel.renew(now, rto);
        let mut pinged = None;
        let Self { channel, reporter, arrivals, receiver, pongs, answer_close, closing, next_ping, pings, .. } = self;
        let Self { challenge, wishes, path, history, .. } = self;
        let sealed = channel.seal(Some(self.connection_id), buf, |writer| {
            if let Some(code) = answer_close.take() {
                return Control::Close(code).write(writer);
            }
            if let Some(closing) = closing {
                if now >= closing.next && closing.tries < CLOSE_TRIES_MAX {
                    closing.tries += 1;
                    closing.next = now + rto;
                    Control::Close(CloseCode::Leaving).write(writer);
                }
                return;
            }
            if let Some(challenge) = challenge.take() {
                Control::PathResponse(challenge).write(writer);
            }
            if let Some(wish) = wishes.poll(now, rto) {
                Control::Wish(wish).write(writer);
            }
            while let Some((id, sent_us, received)) = pongs.pop_back() {
                let (received_us, replied_us) = (received.low_u32(), now.low_u32());
                Control::Pong { id, sent_us, received_us, replied_us }.write(writer);
            }
            if now >= *next_ping {
                Control::Ping { id: *pings, sent_us: now.low_u32() }.write(writer);
                pinged = Some(*pings);
                *next_ping = now + if *pings < QUICK_PINGS { QUICK_PING_PERIOD } else { PING_PERIOD };
                *pings = pings.wrapping_add(1).max(1);
            }
            if now >= reporter.due() {
                reporter.write(now, writer, arrivals, receiver, &path.pace(now), told);
                history.asked(now, reporter.frames_asked());
            }
        });
        let (number, len) = sealed?;
        if let Some(id) = pinged {
            self.last_ping = Some((id, number));
        }
        Some(len)
    }

    pub(super) fn poll_timeout(&self, now: Timestamp) -> Timestamp {
        let mut earliest = self.silent_at();
        if let Some(closing) = &self.closing {
            return earliest.min(closing.next);
        }
        earliest = earliest.min(self.reporter.due()).min(self.next_ping);
        earliest = self.wishes.due().map_or(earliest, |due| earliest.min(due));
        self.receiver.poll_timeout(now, &self.path.pace(now)).map_or(earliest, |at| earliest.min(at))
    }
}
