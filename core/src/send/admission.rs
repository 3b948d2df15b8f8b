//! The door: LONG datagrams, answered without remembering anything until an address has proved itself.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use super::cookie::Cookies;
use super::events::ServerEvent;
use super::gate::Gate;
use super::pairing::Pairing;
use super::seen::Seen;
use super::server::Server;
use super::state::ViewerInput;
use super::token::Tokens;
use super::viewer::{Accepted, Viewer, ViewerId};
use crate::handshake::{Auth, Handshake, PairingCode, Proposal};
use crate::limits::{
    AMPLIFICATION_FACTOR_MAX, FRAME_BYTES_MAX, HALF_OPEN_GRACE, HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS_MAX,
};
use crate::secrets::Secrets;
use crate::time::Timestamp;
use crate::transmit::Transmit;
use crate::wire::long::{
    CONTEXT_BYTES_MAX, ClientNonce, INIT_BYTES, Init, Long, Pair1, SessionParameters, nonce_of_any_version,
};
use crate::wire::{CloseCode, VERSION, WireError};

/// Largest answer to a LONG datagram.
const ANSWER_BYTES_MAX: usize = 192;
/// Answers that wait to be sent; a shell that drains after each input never has more than one.
const ANSWERS_MAX: usize = 64;

const _: () = assert!(ANSWER_BYTES_MAX <= AMPLIFICATION_FACTOR_MAX * INIT_BYTES);

#[derive(Debug)]
struct Answer {
    to: SocketAddr,
    bytes: [u8; ANSWER_BYTES_MAX],
    len: usize,
}

/// What the door needs: the secret behind its cookies, and a short queue of answers.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) secrets: Secrets,
    cookies: Cookies,
    pub(super) tokens: Tokens,
    answers: VecDeque<Answer>,
    next_id: u64,
    seen: Seen,
    gate: Gate,
    pairing: Option<Pairing>,
}

impl Door {
    pub(super) fn new(now: Timestamp, seed: [u8; 32], pairs: bool) -> Self {
        let mut secrets = Secrets::new(seed);
        let (cookies, tokens) = (Cookies::new(now, &mut secrets), Tokens::new(&mut secrets));
        let answers = VecDeque::with_capacity(ANSWERS_MAX);
        let pairing = pairs.then(|| Pairing::new(now, &mut secrets));
        Self { secrets, cookies, tokens, answers, next_id: 1, seen: Seen::default(), gate: Gate::new(now), pairing }
    }

    /// The code that lets viewers in now.
    pub(super) fn pairing_code(&self) -> Option<PairingCode> {
        self.pairing.as_ref()?.code().map(|(code, _)| code)
    }

    /// When that changes.
    pub(super) fn pairing_due(&self) -> Option<Timestamp> {
        self.pairing.as_ref().map(Pairing::due)
    }

    /// Changes it if it is time to; whether it did.
    pub(super) fn renew_code(&mut self, now: Timestamp) -> bool {
        let Self { pairing, secrets, .. } = self;
        pairing.as_mut().is_some_and(|pairing| pairing.renew(now, secrets))
    }

    pub(super) fn poll_transmit(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        let answer = self.answers.pop_front()?;
        let bytes = answer.bytes.get(..answer.len)?;
        buf.get_mut(..answer.len)?.copy_from_slice(bytes);
        Some(Transmit { destination: answer.to, len: answer.len, segment_size: None })
    }

    fn answer(&mut self, to: SocketAddr, long: &Long<'_>) -> usize {
        let mut bytes = [0; ANSWER_BYTES_MAX];
        let Some(len) = long.write(&mut bytes) else { return 0 };
        if self.answers.len() >= ANSWERS_MAX {
            return 0;
        }
        self.answers.push_back(Answer { to, bytes, len });
        len
    }
}

impl<H: Handshake> Server<H> {
    /// Whether a LONG datagram was one that a viewer may send.
    pub(super) fn handle_long(&mut self, now: Timestamp, from: SocketAddr, datagram: &[u8]) -> bool {
        match Long::parse(datagram) {
            Ok(Long::Init(init)) => {
                self.handle_init(now, from, &init);
                true
            }
            Ok(Long::Pair1(pair)) if self.door.pairing.is_some() => {
                self.handle_pair(now, from, &pair);
                true
            }
            Err(WireError::Version) => {
                let Some(nonce) = nonce_of_any_version(datagram) else { return false };
                self.stats.unproven_bytes_received += INIT_BYTES as u64;
                let len = self.door.answer(from, &Long::Versions { nonce, versions: &[VERSION] });
                self.stats.unproven_bytes_sent += len as u64;
                true
            }
            Ok(
                Long::Retry { .. }
                | Long::Accept { .. }
                | Long::Versions { .. }
                | Long::Reject { .. }
                | Long::Pair1(_)
                | Long::Pair2 { .. },
            )
            | Err(_) => false,
        }
    }

    /// Asks an address to prove itself.
    fn retry(&mut self, now: Timestamp, from: SocketAddr, nonce: ClientNonce) {
        let Door { cookies, secrets, pairing, .. } = &mut self.door;
        let cookie = cookies.make(now, secrets, from, &nonce);
        let auth_modes = self.handshake.auth().bit() | pairing.as_ref().map_or(0, |_| Auth::Code.bit());
        self.stats.unproven_bytes_received += INIT_BYTES as u64;
        self.stats.retries_sent += 1;
        self.stats.unproven_bytes_sent += self.door.answer(from, &Long::Retry { nonce, auth_modes, cookie }) as u64;
    }

    /// A viewer that has a code wants to make a key of it.
    fn handle_pair(&mut self, now: Timestamp, from: SocketAddr, pair: &Pair1<'_>) {
        let nonce = pair.nonce;
        let Door { cookies, secrets, pairing, gate, .. } = &mut self.door;
        let is_proven = pair.cookie.is_some_and(|cookie| cookies.check(now, secrets, from, &nonce, &cookie));
        if !is_proven {
            return self.retry(now, from, nonce);
        }
        if !gate.admits_exchange(now, from.ip()) {
            self.stats.handshakes_limited += 1;
            return;
        }
        let Some(pairing) = pairing else { return };
        let (share, lapsed) = pairing.answer(now, from, pair, secrets);
        if let Some(address) = lapsed {
            // Whoever keeps the others waiting is soon not listened to.
            gate.lapsed(now, address.ip());
        }
        let busy = Long::Reject { nonce, code: CloseCode::Busy };
        self.door.answer(from, &share.as_ref().map_or(busy, |share| Long::Pair2 { nonce, share }));
    }

    /// How a viewer with this INIT has to prove its right: by a key of its own if it has paired.
    fn handshake_for(&self, now: Timestamp, from: SocketAddr, init: &Init<'_>) -> Option<H> {
        if init.auth != Auth::Code.to_wire() {
            return Some(self.handshake.clone());
        }
        let key = self.door.pairing.as_ref()?.key(now, from, &init.nonce)?;
        self.handshake.paired(key.clone())
    }

    /// The exchange of codes is over.
    fn finish_pairing(&mut self, now: Timestamp, from: SocketAddr, init: &Init<'_>, succeeded: bool) {
        let Some(pairing) = &mut self.door.pairing else { return };
        let had_code = pairing.code().is_some();
        pairing.finish(now, succeeded);
        if had_code && pairing.code().is_none() {
            self.push(ServerEvent::PairingCode(None));
        }
        if !succeeded {
            self.door.answer(from, &Long::Reject { nonce: init.nonce, code: CloseCode::WrongCode });
        }
    }

    fn handle_init(&mut self, now: Timestamp, from: SocketAddr, init: &Init<'_>) {
        let nonce = init.nonce;
        if let Some(viewer) = self.viewers.find_attempt(from, &nonce) {
            let accept =
                Long::Accept { nonce, connection_id: viewer.connection_id, handshake: viewer.accept.as_bytes() };
            self.door.answer(from, &accept);
            return;
        }
        let Door { cookies, secrets, tokens, .. } = &mut self.door;
        let has_cookie = init.cookie.is_some_and(|cookie| cookies.check(now, secrets, from, &nonce, &cookie));
        let token = if has_cookie { None } else { tokens.check(now, from.ip(), init.token) };
        if !has_cookie && token.is_none() {
            return self.retry(now, from, nonce);
        }
        if self.door.seen.contains(&nonce) {
            self.stats.handshakes_refused += 1;
            return;
        }
        if !self.door.gate.admits(now, from.ip()) {
            self.stats.handshakes_limited += 1;
            return;
        }
        if let Some(code) = self.refusal() {
            self.stats.viewers_refused += 1;
            self.door.answer(from, &Long::Reject { nonce, code });
            return;
        }
        if self.open(now, from, init).is_some()
            && let Some(serial) = token
        {
            self.door.tokens.spend(serial);
        }
    }

    fn refusal(&self) -> Option<CloseCode> {
        let joined = self.viewers.iter().filter(|viewer| viewer.state.is_joined()).count();
        self.ended_with().or_else(|| (joined >= self.config.viewers_max).then_some(CloseCode::Full))
    }

    /// Makes a half-open subscription, in the place of the oldest one where there are too many. Nothing if that
    /// one is so young that it may still be confirmed: the newcomer's next INIT finds it gone or live. Nothing either,
    /// and no answer, if the viewer has not proved its right: strangers learn nothing.
    fn open(&mut self, now: Timestamp, from: SocketAddr, init: &Init<'_>) -> Option<()> {
        let (all, of_host) = self.viewers.half_open(from);
        let evicted = if of_host >= HALF_OPEN_PER_ADDRESS_MAX {
            let oldest = self.viewers.oldest_half_open(|viewer| viewer.address.ip() == from.ip());
            let is_young = |viewer: &mut Viewer<H::Seal>| now < viewer.accepted_at + HALF_OPEN_GRACE;
            if oldest.and_then(|index| self.viewers.get_mut(index)).is_some_and(is_young) {
                return None;
            }
            oldest
        } else if all >= HALF_OPEN_MAX {
            self.viewers.oldest_half_open(|_| true)
        } else {
            None
        };
        let connection_id = loop {
            let id = self.door.secrets.next_u32();
            if self.viewers.find(id).is_none() {
                break id;
            }
        };
        let handshake = self.handshake_for(now, from, init)?;
        let mut context = [0; CONTEXT_BYTES_MAX];
        let heard = handshake.hear(&mut self.door.secrets, init.context(&mut context), init.handshake);
        if handshake.auth() == Auth::Code {
            self.finish_pairing(now, from, init, heard.is_some());
        }
        let Some(heard) = heard else {
            self.stats.handshakes_refused += 1;
            self.door.gate.failed(now, from.ip());
            return None;
        };
        // Only what comes now costs much, and only those who have proved their right can bring it about.
        if !self.door.gate.admits_another(now) {
            self.stats.handshakes_limited += 1;
            return None;
        }
        let proposal = Proposal { message: init.handshake, ciphers: init.ciphers, connection_id };
        let (seals, response) = handshake.answer(heard, proposal, &self.parameters(now).to_bytes())?;
        if let Some(index) = evicted {
            self.remove(index, ViewerInput::Expired, None);
        }
        self.door.seen.insert(now, init.nonce);
        let id = ViewerId(self.door.next_id);
        self.door.next_id += 1;
        let accepted = Accepted { connection_id, nonce: init.nonce, accept: response };
        let index = self.viewers.insert(Viewer::new(now, id, from, accepted, seals));
        self.viewers.reschedule(index, &self.stream);
        let accept = Long::Accept { nonce: init.nonce, connection_id, handshake: response.as_bytes() };
        self.door.answer(from, &accept);
        Some(())
    }

    fn parameters(&self, now: Timestamp) -> SessionParameters {
        SessionParameters {
            frame_bytes_max: u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX),
            server_time_us: now.as_micros(),
            newest_frame: self.stream.newest_frame(),
        }
    }
}
