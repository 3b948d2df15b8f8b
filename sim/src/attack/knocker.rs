//! Somebody who knocks by hand: what it says and hears is carried by the attacker.

use nalcast_core::handshake::Noise;
use nalcast_core::recv::{Client, ClientConfig, ClientState};
use nalcast_core::{Rng, Timestamp};

use super::SERVER;

/// A viewer's machine without a network.
#[derive(Debug)]
pub struct Knocker(Client<Noise>);

impl Knocker {
    /// One that knows the key of `handshake`, and whose every choice follows from `seed`.
    #[must_use]
    pub fn new(now: Timestamp, handshake: Noise, seed: u64) -> Self {
        let mut bytes = [0; 32];
        Rng::new(seed).fill(&mut bytes);
        Self(Client::new(
            ClientConfig { server: SERVER, budget: None, smooth: false, code: None },
            handshake,
            bytes,
            now,
        ))
    }

    /// What it has to say now.
    pub fn says(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let mut buf = [0; 2_048];
        let transmit = self.0.poll_transmit(now, &mut buf)?;
        Some(buf.get(..transmit.len)?.to_vec())
    }

    /// The server's answer reaches it; what it says to that.
    pub fn hears(&mut self, now: Timestamp, answer: &[u8]) -> Option<Vec<u8>> {
        self.0.handle_datagram(now, SERVER, &mut answer.to_vec());
        self.says(now)
    }

    /// Whether the server let it in.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.0.state() == ClientState::Live
    }
}
