//! One attempt to join: INIT, RETRY's cookie, ACCEPT.

use alloc::boxed::Box;
use core::time::Duration;

use crate::handshake::pairing::{Exchange, Share};
use crate::handshake::{Auth, Handshake, Message, PairingCode};
use crate::limits::{INIT_RETRY_FIRST, INIT_RETRY_MAX, INIT_TRIES_MAX};
use crate::seal::{Channel, Direction};
use crate::secrets::Secrets;
use crate::time::Timestamp;
use crate::wire::long::{CONTEXT_BYTES_MAX, ClientNonce, Cookie, Init, Long, Pair1, SessionParameters, Token};
use crate::wire::{CloseCode, VERSION};

/// INITs that may stay unanswered with one cookie before it counts as spoiled.
const COOKIE_TRIES_MAX: u32 = 3;

/// What a handshake datagram did to the attempt.
#[derive(Debug)]
pub(super) enum Answer<H: Handshake> {
    /// Not for this attempt, or nothing new.
    Ignored,
    /// A cookie came: INIT goes out again with it.
    Retried,
    /// The server wants another proof than ours, one of these.
    Unwanted { auth_modes: u8 },
    /// The server took us in.
    Accepted(Accepted<H>),
    /// The server refused.
    Rejected(CloseCode),
    /// The server speaks none of our versions.
    Incompatible,
}

/// What the server took us in with.
#[derive(Debug)]
pub(super) struct Accepted<H: Handshake> {
    pub(super) channel: Box<Channel<H::Seal>>,
    pub(super) connection_id: u32,
    pub(super) parameters: SessionParameters,
    /// How to come back, if it is another way than this one.
    pub(super) next: Option<H>,
}

/// How far the making of a key out of a code has come.
#[derive(Debug)]
struct Code<H> {
    code: PairingCode,
    /// Our share, once there is a cookie for it to be bound to.
    exchange: Option<(Exchange, Share)>,
    /// The handshake with the key that came of it.
    paired: Option<H>,
}

/// What is said and known under one nonce.
#[derive(Debug)]
struct Hello<P> {
    pending: P,
    message: Message,
}

#[derive(Debug)]
pub(super) struct Attempt<H: Handshake> {
    nonce: ClientNonce,
    /// Made for the first INIT; the same for each repetition.
    hello: Option<Hello<H::Pending>>,
    cookie: Option<Cookie>,
    code: Option<Code<H>>,
    /// From an earlier session.
    token: Option<Token>,
    tries: u32,
    cookie_tries: u32,
    send_at: Timestamp,
    wait: Duration,
}

impl<H: Handshake> Attempt<H> {
    pub(super) fn new(now: Timestamp, secrets: &mut Secrets, token: Option<Token>, code: Option<PairingCode>) -> Self {
        Self {
            nonce: secrets.bytes(),
            hello: None,
            cookie: None,
            code: code.map(|code| Code { code, exchange: None, paired: None }),
            token,
            tries: 0,
            cookie_tries: 0,
            send_at: now,
            wait: INIT_RETRY_FIRST,
        }
    }

    /// When the next INIT is due, or the attempt has failed.
    pub(super) const fn due(&self) -> Timestamp {
        self.send_at
    }

    /// Whether every try was in vain.
    pub(super) fn has_failed(&self, now: Timestamp) -> bool {
        self.tries >= INIT_TRIES_MAX && now >= self.send_at
    }

    /// How many INITs were sent.
    pub(super) const fn tries(&self) -> u32 {
        self.tries
    }

    /// Writes the INIT that is due.
    pub(super) fn poll_transmit(
        &mut self,
        now: Timestamp,
        handshake: &H,
        secrets: &mut Secrets,
        buf: &mut [u8],
    ) -> Option<usize> {
        if now < self.send_at || self.tries >= INIT_TRIES_MAX {
            return None;
        }
        if self.cookie_tries >= COOKIE_TRIES_MAX {
            // The cookie was damaged on the way or its secret is gone: begin anew.
            self.nonce = secrets.bytes();
            self.hello = None;
            self.cookie = None;
            self.cookie_tries = 0;
            if let Some(code) = &mut self.code {
                (code.exchange, code.paired) = (None, None);
            }
        }
        self.tries += 1;
        self.cookie_tries += u32::from(self.cookie.is_some());
        self.send_at = now + self.wait;
        self.wait = (self.wait * 2).min(INIT_RETRY_MAX);
        if self.code.as_ref().is_some_and(|code| code.paired.is_none()) {
            return self.write_pair(secrets, buf);
        }
        let handshake = self.paired().unwrap_or(handshake);
        let init = Init {
            nonce: self.nonce,
            cookie: self.cookie,
            token: self.token.as_ref().map_or(&[], Token::as_bytes),
            auth: handshake.auth().to_wire(),
            ciphers: handshake.ciphers(),
            versions: &[VERSION],
            handshake: &[],
        };
        if self.hello.is_none() {
            let (pending, message) = handshake.begin(secrets, init.context(&mut [0; CONTEXT_BYTES_MAX]))?;
            self.hello = Some(Hello { pending, message });
        }
        let message = &self.hello.as_ref()?.message;
        Long::Init(Init { handshake: message.as_bytes(), ..init }).write(buf)
    }

    /// The key made out of the code, once there is one.
    fn paired(&self) -> Option<&H> {
        self.code.as_ref()?.paired.as_ref()
    }

    /// How this attempt proves its right.
    fn auth(&self, handshake: &H) -> Auth {
        if self.code.is_some() { Auth::Code } else { handshake.auth() }
    }

    /// Writes PAIR1, with our share once there is a cookie.
    fn write_pair(&mut self, secrets: &mut Secrets, buf: &mut [u8]) -> Option<usize> {
        let Self { nonce, cookie, code, .. } = self;
        let code = code.as_mut()?;
        let mut pair = Pair1 { nonce: *nonce, cookie: *cookie, share: &[] };
        if cookie.is_some() {
            if code.exchange.is_none() {
                code.exchange = Exchange::begin(code.code, &pair.context(), secrets);
            }
            pair.share = code.exchange.as_ref().map(|(_, share)| share)?;
        }
        Long::Pair1(pair).write(buf)
    }

    /// The server's share came: INIT goes out with the key that it makes with ours.
    fn conclude_pairing(&mut self, now: Timestamp, handshake: &H, share: &[u8]) -> Answer<H> {
        let Some(code) = &mut self.code else { return Answer::Ignored };
        let Some((exchange, _)) = code.exchange.take() else { return Answer::Ignored };
        // A share that is none was not the server's; the exchange is spent all the same, and begins anew in time.
        code.paired = exchange.finish(share).and_then(|key| handshake.paired(key));
        if code.paired.is_none() {
            self.cookie_tries = COOKIE_TRIES_MAX;
            return Answer::Ignored;
        }
        self.tries = 0;
        self.cookie_tries = 0;
        self.send_at = now;
        self.wait = INIT_RETRY_FIRST;
        Answer::Retried
    }

    pub(super) fn handle(&mut self, now: Timestamp, datagram: &[u8], handshake: &H) -> Answer<H> {
        let Ok(long) = Long::parse(datagram) else {
            return Answer::Ignored;
        };
        match long {
            Long::Retry { nonce, auth_modes, .. }
                if nonce == self.nonce && auth_modes & self.auth(handshake).bit() == 0 =>
            {
                Answer::Unwanted { auth_modes }
            }
            Long::Retry { nonce, cookie, .. } if nonce == self.nonce && self.cookie.is_none() => {
                self.cookie = Some(cookie);
                self.send_at = now;
                self.wait = INIT_RETRY_FIRST;
                Answer::Retried
            }
            Long::Accept { nonce, connection_id, handshake: response } if nonce == self.nonce => {
                self.accept(handshake, connection_id, response).unwrap_or(Answer::Ignored)
            }
            Long::Reject { nonce, code } if nonce == self.nonce => Answer::Rejected(code),
            Long::Versions { nonce, versions } if nonce == self.nonce && !versions.contains(&VERSION) => {
                Answer::Incompatible
            }
            Long::Pair2 { nonce, share } if nonce == self.nonce => self.conclude_pairing(now, handshake, share),
            Long::Pair1(_)
            | Long::Pair2 { .. }
            | Long::Init(_)
            | Long::Retry { .. }
            | Long::Accept { .. }
            | Long::Reject { .. }
            | Long::Versions { .. } => Answer::Ignored,
        }
    }

    fn accept(&mut self, handshake: &H, connection_id: u32, response: &[u8]) -> Option<Answer<H>> {
        let handshake = self.code.as_ref().and_then(|code| code.paired.as_ref()).unwrap_or(handshake);
        let pending = &mut self.hello.as_mut()?.pending;
        let mut parameters = [0; SessionParameters::BYTES];
        let concluded = handshake.conclude(pending, connection_id, response, &mut parameters)?;
        let parameters = SessionParameters::parse(parameters.get(..concluded.parameters_len)?).ok()?;
        let channel = Box::new(Channel::new(concluded.seals, Direction::ToServer));
        Some(Answer::Accepted(Accepted { channel, connection_id, parameters, next: concluded.next }))
    }
}
