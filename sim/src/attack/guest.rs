//! An honest viewer, its two links, and what is checked of it.

use core::net::SocketAddr;

use nalcast_core::handshake::Noise;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent, ClientState};
use nalcast_core::{Rng, Timestamp};

use super::SERVER;
use crate::check::{self, Made, SessionChecker, Violation};
use crate::link::{Link, LinkConfig};

/// A viewer and its path.
#[derive(Debug)]
pub struct Guest {
    /// Where it is now.
    pub address: SocketAddr,
    /// Its machine.
    pub client: Client<Noise>,
    /// From the server to it.
    pub down: Link,
    /// From it to the server.
    pub up: Link,
    /// Every frame that was released to it, and when.
    pub released: Vec<(Timestamp, u64)>,
    /// Everything else that its machine told.
    pub events: Vec<(Timestamp, ClientEvent)>,
    session: SessionChecker,
    /// Where it was before; nobody listens there.
    pub(super) left: Vec<SocketAddr>,
}

impl Guest {
    pub(super) fn new(
        now: Timestamp,
        address: SocketAddr,
        handshake: Noise,
        links: [LinkConfig; 2],
        rng: &Rng,
    ) -> Self {
        let [down, up] = links;
        Self {
            address,
            client: client(now, handshake, rng),
            down: Link::new(down, rng.fork(1).next_u64()),
            up: Link::new(up, rng.fork(2).next_u64()),
            released: Vec::new(),
            events: Vec::new(),
            session: SessionChecker::default(),
            left: Vec::new(),
        }
    }

    /// Begins anew, as a program that was started again at the same address.
    pub(super) fn restart(&mut self, now: Timestamp, handshake: Noise, rng: &Rng) {
        self.client = client(now, handshake, rng);
    }

    /// Takes in what its machine tells.
    pub(super) fn listen(&mut self, now: Timestamp, made: &Made) -> Result<(), Violation> {
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::AccessUnit(unit) => {
                    self.session.released(&unit, made)?;
                    self.released.push((now, unit.frame_id));
                    self.client.handle_shown(now, unit.frame_id);
                    continue;
                }
                ClientEvent::Connected => self.session = SessionChecker::default(),
                ClientEvent::Abandoned { from, to, reason } => self.session.abandoned(from, to, reason)?,
                ClientEvent::Frame(record) => {
                    self.session.recorded(&record)?;
                    continue;
                }
                ClientEvent::Lost { .. } | ClientEvent::Config(_) | ClientEvent::Freeze(_) | ClientEvent::Ended(_) => {}
            }
            self.events.push((now, event));
        }
        check::client_caps(&self.client.stats())
    }

    /// When anything of it wants to be woken next.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        let timeout = self.client.poll_timeout().map(|(at, _)| at);
        [timeout, self.down.poll_timeout(), self.up.poll_timeout()].into_iter().flatten().min()
    }

    /// Whether it is in a session.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.client.state() == ClientState::Live
    }

    /// The last frame that was released to it.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.released.last().map(|(_, id)| *id)
    }

    /// How often it got into a session.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.events.iter().filter(|(_, event)| matches!(event, ClientEvent::Connected)).count()
    }

    /// Whether it ever lost a session, or is over.
    #[must_use]
    pub fn was_disturbed(&self) -> bool {
        self.events.iter().any(|(_, event)| matches!(event, ClientEvent::Lost { .. } | ClientEvent::Ended(_)))
    }
}

fn client(now: Timestamp, handshake: Noise, rng: &Rng) -> Client<Noise> {
    let mut seed = [0; 32];
    rng.fork(3).fill(&mut seed);
    Client::new(ClientConfig { server: SERVER, budget: None, smooth: false, code: None }, handshake, seed, now)
}
