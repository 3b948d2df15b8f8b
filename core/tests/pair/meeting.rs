//! A server and viewers with real handshakes, over links without any delay.

use core::net::SocketAddr;
use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::handshake::{Noise, PairingCode, SharedKey};
use nalcast_core::limits::DATAGRAM_BYTES_MAX;
use nalcast_core::recv::{Client, ClientConfig, ClientEvent};
use nalcast_core::seal::Aead;
use nalcast_core::send::{Server, ServerConfig, ServerEvent};

use crate::world::{server_address, server_config};

pub(crate) fn key(byte: u8) -> Noise {
    Noise::with_key(SharedKey::new([byte; 32]), Aead::ChaCha20Poly1305)
}

pub(crate) fn open() -> Noise {
    Noise::open(Aead::Aes128Gcm)
}

pub(crate) struct Guest {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client<Noise>,
    pub(crate) events: Vec<ClientEvent>,
    /// Datagrams that the server sent it.
    pub(crate) answers: usize,
    /// Nothing passes either way.
    pub(crate) cut_off: bool,
}

impl Guest {
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.events[..], [ClientEvent::Connected, ..])
    }
}

pub(crate) struct Meeting {
    pub(crate) now: Timestamp,
    pub(crate) server: Server<Noise>,
    pub(crate) server_events: Vec<ServerEvent>,
    pub(crate) guests: Vec<Guest>,
}

impl Meeting {
    pub(crate) fn new(server: Noise, pairing: bool) -> Self {
        let now = Timestamp::from_millis(1_000);
        let config = ServerConfig { pairing, ..server_config() };
        Self { now, server: Server::new(config, server, [1; 32], now), server_events: Vec::new(), guests: Vec::new() }
    }

    /// A viewer at a host of its own begins; its index.
    pub(crate) fn join(&mut self, handshake: Noise, code: Option<PairingCode>) -> usize {
        let number = u8::try_from(self.guests.len() + 1).expect("few viewers");
        self.join_from(SocketAddr::from(([192, 0, 2, number], 5000)), handshake, code)
    }

    pub(crate) fn join_from(&mut self, address: SocketAddr, handshake: Noise, code: Option<PairingCode>) -> usize {
        let config = ClientConfig { server: server_address(), budget: None, smooth: false, code };
        let seed = [u8::try_from(self.guests.len() + 2).expect("few viewers"); 32];
        let client = Client::new(config, handshake, seed, self.now);
        self.guests.push(Guest { address, client, events: Vec::new(), answers: 0, cut_off: false });
        self.guests.len() - 1
    }

    /// Lets time pass, a millisecond at a time.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut buf = vec![0; 10 * DATAGRAM_BYTES_MAX];
        while self.now < end {
            let Self { now, server, server_events, guests } = self;
            let now = *now;
            server.handle_timeout(now);
            guests.iter_mut().for_each(|guest| guest.client.handle_timeout(now));
            let mut is_busy = true;
            while is_busy {
                is_busy = false;
                for guest in &mut *guests {
                    while let Some(sent) = guest.client.poll_transmit(now, &mut buf) {
                        if !guest.cut_off {
                            server.handle_datagram(now, guest.address, &mut buf[..sent.len]);
                        }
                        is_busy = true;
                    }
                }
                while let Some(sent) = server.poll_transmit(now, &mut buf) {
                    is_busy = true;
                    let guest = guests.iter_mut().find(|guest| guest.address == sent.destination && !guest.cut_off);
                    let Some(guest) = guest else { continue };
                    guest.answers += 1;
                    guest.client.handle_datagram(now, server_address(), &mut buf[..sent.len]);
                }
            }
            for guest in &mut *guests {
                guest.events.extend(core::iter::from_fn(|| guest.client.poll_event()));
            }
            server_events.extend(core::iter::from_fn(|| server.poll_event()));
            self.now += Duration::from_millis(1);
        }
    }

    /// The code that the server showed last, unless it was used up since.
    pub(crate) fn code(&self) -> Option<PairingCode> {
        let shown = |event: &ServerEvent| if let ServerEvent::PairingCode(code) = event { Some(*code) } else { None };
        self.server_events.iter().rev().find_map(shown)?
    }
}
