//! The server's only loop: datagram, timeout, access unit or wish of the owner -> core -> send.
//!
//! It knows neither capture nor a real socket, so the simulator runs this very loop. It decides nothing about the
//! protocol; what it does decide is how much it does before it looks around again.

use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;

use nalcast_core::handshake::Handshake;
use nalcast_core::limits::{BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX};
use nalcast_core::send::{Server, ServerEvent, ServerStats};
use nalcast_core::socket::Refused;
use nalcast_core::{DatagramSocket, Timestamp};
use shell_common::clock::Clock;
use shell_common::receive_errors::ReceiveErrors;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::control::Removal;
use crate::source::SourceEvent;

/// Datagrams that are taken in before the loop looks at its other inputs again.
const DATAGRAMS_PER_TURN_MAX: usize = 64;
/// How often [`ServerHooks::observe`] is called while no viewer joins or leaves.
const OBSERVE_INTERVAL: Duration = Duration::from_millis(250);

/// What the loop tells the rest of the program. No method may wait.
pub trait ServerHooks {
    /// Enough viewers are there: the source may begin. Called once.
    fn start_source(&mut self) {}
    /// The encoder should make its next picture a key frame.
    fn request_key_frame(&mut self) {}
    /// The source should make so many bits a second at most, or as many as it likes.
    fn limit_bitrate(&mut self, _bits_per_second: Option<u64>) {}
    /// The access unit with this number, counted from 0, is about to be handed to the core.
    fn handing_over(&mut self, _index: u64) {}
    /// Something happened to the viewers.
    fn event(&mut self, _event: &ServerEvent) {}
    /// Time to look at the machine: a few times a second, and when a viewer joins or leaves.
    fn observe<S: Handshake>(&mut self, _now: Timestamp, _server: &Server<S>) {}
}

/// The loop's connections to the rest of the program.
#[derive(Debug)]
pub struct ServerIo<'a, H> {
    /// What the source hands out.
    pub source: &'a mut mpsc::Receiver<SourceEvent>,
    /// Viewers that are to be removed.
    pub removals: &'a mut mpsc::Receiver<Removal>,
    /// Who is told.
    pub hooks: &'a mut H,
    /// Viewers that must be there at a time before the source may begin.
    pub wait_viewers: usize,
}

/// Why the loop ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEnd {
    /// The source was at its end.
    EndOfSource,
    /// It was asked to end.
    Shutdown,
}

/// What a loop did.
#[derive(Clone, Copy, Debug)]
pub struct ServerReport {
    /// Why it ended.
    pub end: ServerEnd,
    /// The machine's counters.
    pub stats: ServerStats,
    /// Datagrams that the socket did not take.
    pub send_errors: u64,
    /// Errors while receiving, which ICMP messages cause too.
    pub receive_errors: u64,
}

/// Why the loop could not go on. Viewers have been told as far as that was possible.
#[derive(Debug, thiserror::Error)]
pub enum DriverError<E> {
    /// The socket keeps failing.
    #[error("the UDP socket keeps failing ({0}); check the network and start again")]
    Socket(#[source] E),
    /// The source cannot go on: its own line for the user.
    #[error("{0}")]
    Source(String),
}

/// Serves viewers until the source ends or `shutdown` resolves, and then until every viewer has been told.
///
/// # Errors
/// [`DriverError`] when the source or the socket fails. One datagram that cannot be sent is no failure.
pub async fn run<D: DatagramSocket, S: Handshake, H: ServerHooks>(
    socket: &D,
    server: Server<S>,
    clock: Clock,
    io: ServerIo<'_, H>,
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, DriverError<D::Error>> {
    let ServerIo { source, removals, hooks, wait_viewers } = io;
    let mut driver = Driver::new(socket, server, hooks, wait_viewers, clock.now());
    let mut received = [0; DATAGRAM_BYTES_MAX];
    let mut shutdown = pin!(shutdown);
    let mut sleep = pin!(tokio::time::sleep_until(Instant::now()));
    while !driver.finished {
        let deadline = clock.instant(driver.deadline());
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        let wake = tokio::select! {
            biased;
            () = &mut shutdown, if !driver.stopping => Wake::Shutdown,
            () = &mut sleep => Wake::Timeout,
            datagram = socket.recv_from(&mut received) => Wake::Datagram(datagram),
            event = source.recv(), if driver.source_open => Wake::Source(event),
            removal = removals.recv(), if driver.removals_open => Wake::Removal(removal),
        };
        let now = clock.now();
        match wake {
            Wake::Shutdown => driver.handle_shutdown(now),
            Wake::Timeout => {}
            Wake::Datagram(datagram) => driver.handle_received(now, datagram, &mut received)?,
            Wake::Source(event) => driver.handle_source(now, event, &clock),
            Wake::Removal(removal) => driver.handle_removal(now, removal),
        }
        driver.drain(now).await;
        // Whatever woke the loop, every input gets its share of each turn, so that none can starve another.
        driver.handle_due(now).await;
        if driver.source_open
            && let Ok(event) = source.try_recv()
        {
            driver.handle_source(now, Some(event), &clock);
            driver.drain(now).await;
        }
        if let Ok(removal) = removals.try_recv() {
            driver.handle_removal(now, Some(removal));
            driver.drain(now).await;
        }
        driver.receive_more(now, &mut received).await?;
        driver.observe_when_due(now);
    }
    driver.into_report()
}

/// What ended the loop's wait.
enum Wake<E> {
    Shutdown,
    Timeout,
    Datagram(Result<(usize, SocketAddr), E>),
    Source(Option<SourceEvent>),
    Removal(Option<Removal>),
}

struct Driver<'a, D: DatagramSocket, S: Handshake, H> {
    socket: &'a D,
    server: Server<S>,
    hooks: &'a mut H,
    /// Viewers that are still waited for make the source wait; nothing once it began.
    wait_viewers: Option<usize>,
    viewers: usize,
    transmit: Vec<u8>,
    units: u64,
    source_open: bool,
    removals_open: bool,
    source_failure: Option<String>,
    stopping: bool,
    finished: bool,
    observe_at: Timestamp,
    send_errors: u64,
    receive_errors: ReceiveErrors,
}

impl<'a, D: DatagramSocket, S: Handshake, H: ServerHooks> Driver<'a, D, S, H> {
    fn new(socket: &'a D, server: Server<S>, hooks: &'a mut H, wait_viewers: usize, now: Timestamp) -> Self {
        let mut driver = Self {
            socket,
            server,
            hooks,
            wait_viewers: Some(wait_viewers),
            viewers: 0,
            transmit: vec![0; BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX],
            units: 0,
            source_open: true,
            removals_open: true,
            source_failure: None,
            stopping: false,
            finished: false,
            observe_at: now,
            send_errors: 0,
            receive_errors: ReceiveErrors::default(),
        };
        driver.start_source_when_awaited();
        driver
    }

    /// When the loop must turn at the latest.
    fn deadline(&self) -> Timestamp {
        self.server.poll_timeout().map_or(self.observe_at, |(at, _)| at.min(self.observe_at))
    }

    fn handle_shutdown(&mut self, now: Timestamp) {
        self.stopping = true;
        self.source_open = false;
        self.server.handle_shutdown(now);
    }

    fn handle_source(&mut self, now: Timestamp, event: Option<SourceEvent>, clock: &Clock) {
        match event {
            Some(SourceEvent::AccessUnit { bytes, captured }) => {
                self.hooks.handing_over(self.units);
                let captured = clock.timestamp(Instant::from_std(captured)).min(now);
                if let Err(error) = self.server.handle_access_unit(now, bytes, captured) {
                    let index = self.units;
                    tracing::warn!("access unit {index} is not sent: {error}");
                }
                self.units += 1;
            }
            Some(SourceEvent::Ended) => {
                self.source_open = false;
                self.server.handle_end_of_source(now);
            }
            Some(SourceEvent::Failed(reason)) => self.fail_source(now, reason),
            None => self.fail_source(now, "the source ended without a word: this is a bug in the program".to_owned()),
        }
    }

    fn handle_removal(&mut self, now: Timestamp, removal: Option<Removal>) {
        match removal {
            Some(removal) => {
                let was_there = self.server.kick(now, removal.viewer);
                removal.answer(was_there);
            }
            None => self.removals_open = false,
        }
    }

    fn fail_source(&mut self, now: Timestamp, reason: String) {
        self.source_failure = Some(reason);
        self.handle_shutdown(now);
    }

    fn handle_received(
        &mut self,
        now: Timestamp,
        datagram: Result<(usize, SocketAddr), D::Error>,
        received: &mut [u8],
    ) -> Result<(), DriverError<D::Error>> {
        match datagram {
            Ok((len, from)) => {
                if let Some(datagram) = received.get_mut(..len) {
                    self.server.handle_datagram(now, from, datagram);
                }
                Ok(())
            }
            Err(error) if self.receive_errors.are_too_many(now) => Err(DriverError::Socket(error)),
            Err(error) => {
                tracing::debug!(%error, "receiving failed");
                Ok(())
            }
        }
    }

    async fn handle_due(&mut self, now: Timestamp) {
        if self.server.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.server.handle_timeout(now);
            self.drain(now).await;
        }
    }

    async fn receive_more(&mut self, now: Timestamp, received: &mut [u8]) -> Result<(), DriverError<D::Error>> {
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            let Some(datagram) = self.socket.try_recv_from(received).transpose() else { break };
            self.handle_received(now, datagram, received)?;
            self.drain(now).await;
        }
        Ok(())
    }

    /// Gives out what the machine has: datagrams, then events.
    async fn drain(&mut self, now: Timestamp) {
        while let Some(transmit) = self.server.poll_transmit(now, &mut self.transmit) {
            if let Err(Refused { datagrams, error }) = self.socket.send(&transmit, &self.transmit).await {
                self.send_errors += datagrams;
                tracing::debug!(%error, datagrams, to = %transmit.destination, "could not be sent");
            }
        }
        while let Some(event) = self.server.poll_event() {
            self.handle_event(now, &event);
        }
    }

    fn handle_event(&mut self, now: Timestamp, event: &ServerEvent) {
        self.hooks.event(event);
        match event {
            ServerEvent::ViewerJoined { .. } => {
                self.viewers += 1;
                self.observe_at = now;
                self.start_source_when_awaited();
            }
            ServerEvent::ViewerLeft { .. } => {
                self.viewers = self.viewers.saturating_sub(1);
                self.observe_at = now;
            }
            ServerEvent::ViewerMoved { .. } => self.observe_at = now,
            ServerEvent::PairingCode(_) | ServerEvent::ReferenceShared { .. } => {}
            // No encoder here keeps long-term references; a key frame helps as well.
            ServerEvent::KeyFrameWanted | ServerEvent::ReferenceWanted { .. } => self.hooks.request_key_frame(),
            ServerEvent::BitrateWanted(bits_per_second) => self.hooks.limit_bitrate(*bits_per_second),
            ServerEvent::Finished => self.finished = true,
        }
    }

    fn start_source_when_awaited(&mut self) {
        if self.wait_viewers.take_if(|awaited| self.viewers >= *awaited).is_some() {
            self.hooks.start_source();
        }
    }

    fn observe_when_due(&mut self, now: Timestamp) {
        if now >= self.observe_at {
            self.observe_at = now + OBSERVE_INTERVAL;
            self.hooks.observe(now, &self.server);
        }
    }

    fn into_report(self) -> Result<ServerReport, DriverError<D::Error>> {
        if let Some(reason) = self.source_failure {
            return Err(DriverError::Source(reason));
        }
        Ok(ServerReport {
            end: if self.stopping { ServerEnd::Shutdown } else { ServerEnd::EndOfSource },
            stats: self.server.stats(),
            send_errors: self.send_errors,
            receive_errors: self.receive_errors.total(),
        })
    }
}
