//! The viewer's machine: connects, stays connected, releases access units.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use super::attempt::{Accepted, Answer, Attempt};
use super::events::{AccessUnit, ClientEvent, ClientStats, EndReason, LostReason, TimeoutReason};
use super::outcome::Outcome;
use super::session::{Session, Wants};
use super::state::{ClientInput, ClientState};
use crate::handshake::{Auth, Handshake, PairingCode};
use crate::limits::{EVENTS_MAX, RECONNECT_FIRST, RECONNECT_MAX};
use crate::rng::Rng;
use crate::secrets::Secrets;
use crate::time::{Timestamp, micros};
use crate::transmit::Transmit;
use crate::wire::CloseCode;
use crate::wire::long::Token;
use crate::wire::sealed::Header;

/// INITs that may meet a closed port before the viewer believes it.
const UNREACHABLE_TRIES: u32 = 3;

/// How a viewer behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where the server is.
    pub server: SocketAddr,
    /// Time from capture to display that is aimed at; by the path if absent.
    pub budget: Option<Duration>,
    /// Show frames as evenly as they were taken, which makes each wait for those that are slower; else each is shown as
    /// soon as it can be.
    pub smooth: bool,
    /// The code that the server shows, for who has no key. Once let in by it, the viewer is told the key.
    pub code: Option<PairingCode>,
}

#[derive(Debug)]
enum Phase<H: Handshake> {
    Connecting(Box<Attempt<H>>),
    Session(Box<Session<H::Seal>>),
    Waiting { until: Timestamp },
    Ended,
}

/// The viewer's machine.
///
/// Feed it with `handle_*`; after each call drain [`poll_transmit`](Self::poll_transmit), then
/// [`poll_event`](Self::poll_event), then read [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Client<H: Handshake> {
    config: ClientConfig,
    handshake: H,
    secrets: Secrets,
    rng: Rng,
    state: ClientState,
    phase: Phase<H>,
    events: VecDeque<ClientEvent>,
    pause: Duration,
    /// Whether the user wants no media for now.
    paused: bool,
    /// Lets the viewer in again without proving its address. One that is no good costs nothing: the server answers as it
    /// would without.
    token: Option<Token>,
    sessions: u64,
    dropped: u64,
    now: Timestamp,
}

impl<H: Handshake> Client<H> {
    /// A viewer that starts to connect at once. `seed` decides everything random about it, and
    /// everything secret.
    pub fn new(config: ClientConfig, handshake: H, seed: [u8; 32], now: Timestamp) -> Self {
        let mut secrets = Secrets::new(seed);
        let rng = Rng::new(secrets.next_u64());
        let phase = Phase::Connecting(Box::new(Attempt::new(now, &mut secrets, None, config.code)));
        Self {
            config,
            handshake,
            secrets,
            rng,
            state: ClientState::Connecting,
            phase,
            events: VecDeque::new(),
            pause: RECONNECT_FIRST,
            paused: false,
            token: None,
            sessions: 0,
            dropped: 0,
            now,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> ClientState {
        self.state
    }

    /// Counters and measurements.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        let mut stats = ClientStats { datagrams_dropped: self.dropped, sessions: self.sessions, ..Default::default() };
        if let Phase::Session(session) = &self.phase {
            stats.rtt = session.rtt();
            stats.budget = session.receiver.budget.get(stats.rtt);
            stats.packets_sent_by_server = session.arrivals.largest();
            stats.packets_received = session.arrivals.received();
            stats.reports = session.reports();
            stats.newest_frame = session.newest_frame();
            stats.receiver = *session.receiver.stats();
            stats.freezes = session.history.freezes();
        }
        stats
    }

    /// A datagram came; it is opened in place.
    pub fn handle_datagram(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) {
        self.advance(now);
        if from != self.config.server {
            self.dropped += 1;
            return;
        }
        match &mut self.phase {
            Phase::Connecting(attempt) if !Header::is_sealed(datagram) => {
                let answer = attempt.handle(now, datagram, &self.handshake);
                self.handle_answer(now, answer);
            }
            Phase::Session(session) if Header::is_sealed(datagram) => {
                if session.handle_datagram(now, datagram).is_err() {
                    self.dropped += 1;
                }
                self.collect(now);
            }
            Phase::Session(_) | Phase::Connecting(_) | Phase::Waiting { .. } | Phase::Ended => self.dropped += 1,
        }
    }

    /// The network said that nobody listens at the server's address.
    pub fn handle_unreachable(&mut self, now: Timestamp) {
        self.advance(now);
        if let Phase::Connecting(attempt) = &self.phase
            && self.sessions == 0
            && attempt.tries() >= UNREACHABLE_TRIES
        {
            self.end(ClientInput::GaveUp, EndReason::Unreachable);
        }
    }

    /// The decoder could not use a frame: the viewer needs a way back.
    pub fn handle_undecodable(&mut self, now: Timestamp, frame_id: u64) {
        self.advance(now);
        if let Phase::Session(session) = &mut self.phase {
            session.handle_undecodable(now, frame_id);
        }
    }

    /// The decoder is done with a frame that was released.
    pub fn handle_decoded(&mut self, now: Timestamp, frame_id: u64) {
        self.advance(now);
        if let Phase::Session(session) = &mut self.phase {
            session.history.decoded(now, frame_id);
        }
    }

    /// A frame that was released is on the screen; where there is none, it was decoded.
    pub fn handle_shown(&mut self, now: Timestamp, frame_id: u64) {
        self.advance(now);
        if let Phase::Session(session) = &mut self.phase {
            let freeze = session.history.shown(now, frame_id);
            self.events.extend(freeze.map(ClientEvent::Freeze));
            self.collect(now);
        }
    }

    /// The user wants no media for now, or media again; it also holds for the sessions to come.
    pub fn handle_pause(&mut self, now: Timestamp, paused: bool) {
        self.advance(now);
        self.paused = paused;
        if let Phase::Session(session) = &mut self.phase {
            session.pause(now, paused);
        }
    }

    /// The user wants to leave.
    pub fn handle_leave(&mut self, now: Timestamp) {
        self.advance(now);
        match &mut self.phase {
            Phase::Session(session) if self.state == ClientState::Live => {
                session.leave(now);
                self.step(ClientInput::Leave);
            }
            Phase::Connecting(_) | Phase::Waiting { .. } => self.end(ClientInput::Leave, EndReason::Left),
            Phase::Session(_) | Phase::Ended => {}
        }
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
        match &mut self.phase {
            Phase::Connecting(attempt) => {
                if attempt.has_failed(now) {
                    self.give_up_attempt(now);
                }
            }
            Phase::Session(session) => {
                session.handle_timeout(now);
                if session.is_silent(now) {
                    self.lose(now, ClientInput::Lost, LostReason::Silence);
                } else {
                    self.collect(now);
                }
            }
            Phase::Waiting { until } => {
                if now >= *until {
                    self.step(ClientInput::PauseOver);
                    self.phase =
                        Phase::Connecting(Box::new(Attempt::new(now, &mut self.secrets, self.token, self.config.code)));
                }
            }
            Phase::Ended => {}
        }
    }

    /// The next datagram to send, written to the start of `buf`.
    pub fn poll_transmit(&mut self, now: Timestamp, buf: &mut [u8]) -> Option<Transmit> {
        self.advance(now);
        let len = match &mut self.phase {
            Phase::Connecting(attempt) => attempt.poll_transmit(now, &self.handshake, &mut self.secrets, buf)?,
            Phase::Session(session) => {
                let len = session.poll_transmit(now, buf);
                // Answering the server's CLOSE was the session's last word.
                self.collect(now);
                len?
            }
            Phase::Waiting { .. } | Phase::Ended => return None,
        };
        Some(Transmit { destination: self.config.server, len, segment_size: None })
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        match &self.phase {
            Phase::Connecting(attempt) => Some((attempt.due(), TimeoutReason::Handshake)),
            Phase::Session(session) => Some((session.poll_timeout(self.now), TimeoutReason::Session)),
            Phase::Waiting { until } => Some((*until, TimeoutReason::Reconnect)),
            Phase::Ended => None,
        }
    }

    fn advance(&mut self, now: Timestamp) {
        debug_assert!(now >= self.now, "time ran backwards: {now} after {}", self.now);
        self.now = self.now.max(now);
    }

    fn handle_answer(&mut self, now: Timestamp, answer: Answer<H>) {
        match answer {
            Answer::Ignored => self.dropped += 1,
            Answer::Retried => {}
            Answer::Accepted(Accepted { channel, connection_id, parameters, next }) => {
                if let Some(handshake) = next {
                    self.handshake = handshake;
                    self.config.code = None;
                }
                self.step(ClientInput::Accepted);
                let wants = Wants { budget: self.config.budget, smooth: self.config.smooth, paused: self.paused };
                let session = Session::new(now, *channel, connection_id, &parameters, wants);
                self.phase = Phase::Session(Box::new(session));
                self.sessions += 1;
                self.pause = RECONNECT_FIRST;
                self.push(ClientEvent::Connected);
            }
            Answer::Rejected(CloseCode::Full) => self.lose(now, ClientInput::Full, LostReason::Full),
            Answer::Rejected(CloseCode::Busy) => self.lose(now, ClientInput::Full, LostReason::Busy),
            Answer::Rejected(CloseCode::Shutdown) => self.lose(now, ClientInput::Full, LostReason::Shutdown),
            Answer::Rejected(CloseCode::Kicked) => self.end(ClientInput::Refused, EndReason::Kicked),
            Answer::Rejected(CloseCode::WrongCode) => self.end(ClientInput::Refused, EndReason::WrongCode),
            Answer::Rejected(CloseCode::EndOfStream) => self.end(ClientInput::Refused, EndReason::EndOfStream),
            Answer::Rejected(CloseCode::Protocol | CloseCode::Leaving) => {
                self.end(ClientInput::Refused, EndReason::Protocol);
            }
            Answer::Unwanted { auth_modes } => {
                let reason = match self.handshake.auth() {
                    Auth::Open if self.config.code.is_some() => EndReason::CodeUnwanted,
                    Auth::Open if auth_modes & Auth::Code.bit() != 0 => EndReason::CodeNeeded,
                    Auth::Open => EndReason::KeyNeeded,
                    Auth::Key | Auth::Code => EndReason::KeyUnwanted,
                };
                self.end(ClientInput::Refused, reason);
            }
            Answer::Incompatible => self.end(ClientInput::Refused, EndReason::Incompatible),
        }
    }

    /// Turns what the session did into events, and notices its end.
    fn collect(&mut self, now: Timestamp) {
        let Phase::Session(session) = &mut self.phase else { return };
        if let Some(config) = session.take_config() {
            self.events.push_back(ClientEvent::Config(config));
        }
        while let Some(outcome) = session.poll_outcome(now) {
            let event = match outcome {
                Outcome::Abandoned { from, to, reason, .. } => ClientEvent::Abandoned { from, to, reason },
                Outcome::Released(released) => ClientEvent::AccessUnit(AccessUnit::new(released, session.stream())),
            };
            self.events.push_back(event);
        }
        while let Some(record) = session.history.poll() {
            self.events.push_back(ClientEvent::Frame(record));
        }
        debug_assert!(self.events.len() <= EVENTS_MAX, "the shell does not drain its events");
        let left = session.has_left(now);
        match session.close_received() {
            Some(CloseCode::EndOfStream) => self.end(ClientInput::Dismissed, EndReason::EndOfStream),
            Some(CloseCode::Kicked) => self.end(ClientInput::Dismissed, EndReason::Kicked),
            Some(CloseCode::Protocol | CloseCode::WrongCode) => self.end(ClientInput::Dismissed, EndReason::Protocol),
            Some(_) if self.state == ClientState::Leaving => self.end(ClientInput::Left, EndReason::Left),
            Some(CloseCode::Full | CloseCode::Busy) => self.lose(now, ClientInput::Lost, LostReason::Full),
            Some(CloseCode::Shutdown | CloseCode::Leaving) => {
                self.lose(now, ClientInput::Lost, LostReason::Shutdown);
            }
            None if left => self.end(ClientInput::Left, EndReason::Left),
            None => {}
        }
    }

    fn give_up_attempt(&mut self, now: Timestamp) {
        if self.sessions == 0 {
            self.end(ClientInput::GaveUp, EndReason::NoAnswer);
        } else {
            self.lose(now, ClientInput::Unanswered, LostReason::NoAnswer);
        }
    }

    fn lose(&mut self, now: Timestamp, input: ClientInput, reason: LostReason) {
        if self.state == ClientState::Leaving {
            return self.end(input, EndReason::Left);
        }
        self.step(input);
        if let Phase::Session(session) = &self.phase {
            self.token = session.token();
        }
        let jitter = Duration::from_micros(self.rng.below(micros(self.pause / 4)));
        let retry_at = now + self.pause + jitter;
        self.pause = (self.pause * 2).min(RECONNECT_MAX);
        self.phase = Phase::Waiting { until: retry_at };
        self.push(ClientEvent::Lost { reason, retry_at });
    }

    fn end(&mut self, input: ClientInput, reason: EndReason) {
        self.step(input);
        self.phase = Phase::Ended;
        self.push(ClientEvent::Ended(reason));
    }

    fn step(&mut self, input: ClientInput) {
        let after = self.state.after(input);
        debug_assert!(after.is_some(), "{:?} has no meaning in {:?}", input, self.state);
        self.state = after.unwrap_or(self.state);
    }

    fn push(&mut self, event: ClientEvent) {
        self.events.push_back(event);
    }
}
