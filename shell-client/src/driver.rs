//! The viewer's only loop: datagram, timeout or word from the decoder -> core -> send.
//!
//! It knows neither decoder nor window nor a real socket, so the simulator runs this very loop. It decides nothing
//! about the protocol; what it does decide is how much it does before it looks around again.

use core::error::Error;
use core::future::pending;
use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;
use std::io;

use nalcast_core::handshake::Handshake;
use nalcast_core::limits::DATAGRAM_BYTES_MAX;
use nalcast_core::recv::{Client, ClientEvent, ClientStats, EndReason};
use nalcast_core::socket::Refused;
use nalcast_core::{DatagramSocket, Timestamp};
use shell_common::clock::Clock;
use shell_common::receive_errors::ReceiveErrors;
use tokio::time::Instant;

/// Datagrams that are taken in before the loop looks at its other inputs again.
const DATAGRAMS_PER_TURN_MAX: usize = 64;
/// How often [`Sink::observe`] is called.
const OBSERVE_INTERVAL: Duration = Duration::from_millis(250);
/// How often the socket looks whether the network has changed.
const ROUTE_INTERVAL: Duration = Duration::from_secs(1);

/// Where the loop leaves what the core released. No method but [`word`](Self::word) may wait.
pub trait Sink {
    /// The core says something; access units come this way too.
    fn event(&mut self, now: Timestamp, event: ClientEvent);

    /// Time to look at the figures: a few times a second.
    fn observe(&mut self, _now: Timestamp, _figures: &Figures) {}

    /// Waits for the next word from decoder or user. Dropping the future loses none.
    fn word(&mut self) -> impl Future<Output = Word> {
        pending()
    }
}

/// What a sink has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The decoder could not use this frame.
    Undecodable {
        /// Which.
        frame_id: u64,
    },
    /// The decoder is done with this frame.
    Decoded {
        /// Which.
        frame_id: u64,
    },
    /// This frame is on the screen; without one, it is decoded.
    Shown {
        /// Which.
        frame_id: u64,
    },
    /// The user wants no media for now, or media again.
    Pause(bool),
    /// The user wants to leave.
    Leave,
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The machine's counters, of the present session.
    pub stats: ClientStats,
    /// Bytes of all datagrams that came, of all sessions.
    pub bytes_received: u64,
    /// Datagrams that the socket did not take.
    pub send_errors: u64,
    /// Errors while receiving, which ICMP messages cause too.
    pub receive_errors: u64,
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOutcome {
    /// Why.
    pub reason: EndReason,
    /// What was counted.
    pub figures: Figures,
}

/// Why the loop could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError<E> {
    /// The socket keeps failing.
    #[error("the UDP socket keeps failing ({0}); check the network and start again")]
    Socket(#[source] E),
}

/// Watches until the server ends, the user leaves or `shutdown` resolves; then says goodbye.
///
/// # Errors
/// [`DriverError`] when the socket fails for good. One datagram that cannot be sent is no failure.
pub async fn run<D: DatagramSocket, S: Handshake>(
    socket: &D,
    client: Client<S>,
    clock: Clock,
    sink: &mut impl Sink,
    shutdown: impl Future<Output = ()>,
) -> Result<ClientOutcome, DriverError<D::Error>> {
    let mut driver = Driver::new(socket, client, clock.now());
    let mut received = [0; DATAGRAM_BYTES_MAX];
    let mut shutdown = pin!(shutdown);
    let mut stopping = false;
    let mut sleep = pin!(tokio::time::sleep_until(Instant::now()));
    loop {
        let deadline = clock.instant(driver.deadline());
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        let wake = tokio::select! {
            biased;
            () = &mut shutdown, if !stopping => Wake::Shutdown,
            () = &mut sleep => Wake::Timeout,
            // A few words a frame, so it cannot starve the datagrams behind it.
            word = sink.word() => Wake::Word(word),
            datagram = socket.recv_from(&mut received) => Wake::Datagram(datagram),
        };
        let now = clock.now();
        match wake {
            Wake::Shutdown | Wake::Word(Word::Leave) => {
                stopping |= matches!(wake, Wake::Shutdown);
                driver.client.handle_leave(now);
            }
            Wake::Timeout => {}
            Wake::Word(Word::Pause(paused)) => driver.client.handle_pause(now, paused),
            Wake::Word(Word::Decoded { frame_id }) => driver.client.handle_decoded(now, frame_id),
            Wake::Word(Word::Shown { frame_id }) => driver.client.handle_shown(now, frame_id),
            Wake::Word(Word::Undecodable { frame_id }) => driver.client.handle_undecodable(now, frame_id),
            Wake::Datagram(datagram) => driver.handle_received(now, datagram, &mut received)?,
        }
        // Whatever woke the loop, timeouts and datagrams get their share of each turn. Datagrams first, and all of them: when
        // the loop was held up, what seems overdue may have come by now.
        driver.receive_more(now, &mut received, sink)?;
        driver.drain(now, sink).await;
        driver.handle_due(now, sink).await;
        if let Some(reason) = driver.ended {
            return Ok(ClientOutcome { reason, figures: driver.figures() });
        }
        driver.observe_when_due(now, sink);
        driver.follow_route_when_due(now);
    }
}

/// What ended the loop's wait.
enum Wake<E> {
    Shutdown,
    Timeout,
    Word(Word),
    Datagram(Result<(usize, SocketAddr), E>),
}

struct Driver<'a, D: DatagramSocket, S: Handshake> {
    socket: &'a D,
    client: Client<S>,
    transmit: [u8; DATAGRAM_BYTES_MAX],
    ended: Option<EndReason>,
    observe_at: Timestamp,
    route_at: Timestamp,
    bytes_received: u64,
    send_errors: u64,
    receive_errors: ReceiveErrors,
}

impl<'a, D: DatagramSocket, S: Handshake> Driver<'a, D, S> {
    fn new(socket: &'a D, client: Client<S>, now: Timestamp) -> Self {
        Self {
            socket,
            client,
            transmit: [0; DATAGRAM_BYTES_MAX],
            ended: None,
            observe_at: now,
            route_at: now + ROUTE_INTERVAL,
            bytes_received: 0,
            send_errors: 0,
            receive_errors: ReceiveErrors::default(),
        }
    }

    /// When the loop must turn at the latest.
    fn deadline(&self) -> Timestamp {
        self.client.poll_timeout().map_or(self.observe_at, |(at, _)| at.min(self.observe_at))
    }

    fn handle_received(
        &mut self,
        now: Timestamp,
        datagram: Result<(usize, SocketAddr), D::Error>,
        received: &mut [u8],
    ) -> Result<(), DriverError<D::Error>> {
        match datagram {
            Ok((len, from)) => {
                self.bytes_received += len as u64;
                if let Some(datagram) = received.get_mut(..len) {
                    self.client.handle_datagram(now, from, datagram);
                }
            }
            Err(error) if self.receive_errors.are_too_many(now) => return Err(DriverError::Socket(error)),
            Err(error) => {
                tracing::debug!(%error, "receiving failed");
                self.note_unreachable(now, &error);
            }
        }
        Ok(())
    }

    async fn handle_due(&mut self, now: Timestamp, sink: &mut impl Sink) {
        if self.client.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.client.handle_timeout(now);
            self.drain(now, sink).await;
        }
    }

    fn receive_more(
        &mut self,
        now: Timestamp,
        received: &mut [u8],
        sink: &mut impl Sink,
    ) -> Result<(), DriverError<D::Error>> {
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            let Some(datagram) = self.socket.try_recv_from(received).transpose() else { break };
            self.handle_received(now, datagram, received)?;
            // What the machine wants to send may be asked for too soon: the next datagram may bring it.
            self.tell(now, sink);
        }
        Ok(())
    }

    /// Gives out what the machine has: datagrams, then events.
    async fn drain(&mut self, now: Timestamp, sink: &mut impl Sink) {
        while let Some(transmit) = self.client.poll_transmit(now, &mut self.transmit) {
            if let Err(Refused { datagrams, error }) = self.socket.send(&transmit, &self.transmit).await {
                self.send_errors += datagrams;
                tracing::debug!(%error, datagrams, "could not be sent");
                // A connected socket hands an ICMP message to whichever call comes first.
                note_unreachable(&mut self.client, now, &error);
            }
        }
        self.tell(now, sink);
    }

    fn tell(&mut self, now: Timestamp, sink: &mut impl Sink) {
        while let Some(event) = self.client.poll_event() {
            if let ClientEvent::Ended(reason) = event {
                self.ended = Some(reason);
            }
            sink.event(now, event);
        }
    }

    fn note_unreachable(&mut self, now: Timestamp, error: &D::Error) {
        note_unreachable(&mut self.client, now, error);
    }

    fn figures(&self) -> Figures {
        Figures {
            stats: self.client.stats(),
            bytes_received: self.bytes_received,
            send_errors: self.send_errors,
            receive_errors: self.receive_errors.total(),
        }
    }

    /// The loop turns at least as often as the sink observes.
    fn follow_route_when_due(&mut self, now: Timestamp) {
        if now >= self.route_at {
            self.route_at = now + ROUTE_INTERVAL;
            self.socket.follow_route();
        }
    }

    fn observe_when_due(&mut self, now: Timestamp, sink: &mut impl Sink) {
        if now >= self.observe_at {
            self.observe_at = now + OBSERVE_INTERVAL;
            sink.observe(now, &self.figures());
        }
    }
}

/// Tells the core when the network says that nobody listens at the server's port.
fn note_unreachable<S: Handshake>(client: &mut Client<S>, now: Timestamp, error: &(dyn Error + 'static)) {
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if error.downcast_ref().is_some_and(refused) {
        client.handle_unreachable(now);
    }
}
