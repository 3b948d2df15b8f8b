//! One attempt to join: INIT, RETRY's cookie, ACCEPT.

use alloc::boxed::Box;
use core::time::Duration;

use crate::limits::{INIT_RETRY_FIRST, INIT_RETRY_MAX, INIT_TRIES_MAX};
use crate::rng::Rng;
use crate::seal::{Channel, Direction, Seal};
use crate::time::Timestamp;
use crate::wire::long::{AUTH_OPEN, ClientNonce, Cookie, Init, Long, SessionParameters, accept_clear_len};
use crate::wire::{CloseCode, VERSION};

/// INITs that may stay unanswered with one cookie before it counts as spoiled.
const COOKIE_TRIES_MAX: u32 = 3;

/// What a handshake datagram did to the attempt.
#[derive(Debug)]
pub(super) enum Answer<S> {
    /// Not for this attempt, or nothing new.
    Ignored,
    /// A cookie came: INIT goes out again with it.
    Retried,
    /// The server took us in.
    Accepted { channel: Box<Channel<S>>, connection_id: u32, parameters: SessionParameters },
    /// The server refused.
    Rejected(CloseCode),
    /// The server speaks none of our versions.
    Incompatible,
}

#[derive(Debug)]
pub(super) struct Attempt {
    nonce: ClientNonce,
    cookie: Option<Cookie>,
    tries: u32,
    cookie_tries: u32,
    send_at: Timestamp,
    wait: Duration,
}

impl Attempt {
    pub(super) fn new(now: Timestamp, rng: &mut Rng) -> Self {
        Self {
            nonce: rng.next_u64().to_be_bytes(),
            cookie: None,
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
    pub(super) fn poll_transmit(&mut self, now: Timestamp, rng: &mut Rng, buf: &mut [u8]) -> Option<usize> {
        if now < self.send_at || self.tries >= INIT_TRIES_MAX {
            return None;
        }
        if self.cookie_tries >= COOKIE_TRIES_MAX {
            // The cookie was damaged on the way or its secret is gone: begin anew.
            self.nonce = rng.next_u64().to_be_bytes();
            self.cookie = None;
            self.cookie_tries = 0;
        }
        self.tries += 1;
        self.cookie_tries += u32::from(self.cookie.is_some());
        self.send_at = now + self.wait;
        self.wait = (self.wait * 2).min(INIT_RETRY_MAX);
        Long::Init(Init {
            nonce: self.nonce,
            cookie: self.cookie,
            token: &[],
            auth: AUTH_OPEN,
            aead_offer: 0,
            versions: &[VERSION],
            handshake: &[],
        })
        .write(buf)
    }

    pub(super) fn handle<S: Seal>(&mut self, now: Timestamp, datagram: &mut [u8], seal: &S) -> Answer<S> {
        let Ok(long) = Long::parse(datagram) else {
            return Answer::Ignored;
        };
        match long {
            Long::Retry { nonce, cookie, .. } if nonce == self.nonce && self.cookie.is_none() => {
                self.cookie = Some(cookie);
                self.send_at = now;
                self.wait = INIT_RETRY_FIRST;
                Answer::Retried
            }
            Long::Accept { nonce, connection_id, handshake, .. } if nonce == self.nonce => {
                let clear = accept_clear_len(handshake.len());
                accept(datagram, clear, seal)
                    .map(|parameters| Answer::Accepted {
                        channel: Box::new(Channel::new(seal.for_session(connection_id), Direction::ToServer)),
                        connection_id,
                        parameters,
                    })
                    .unwrap_or(Answer::Ignored)
            }
            Long::Reject { nonce, code } if nonce == self.nonce => Answer::Rejected(code),
            Long::Versions { nonce, versions } if nonce == self.nonce && !versions.contains(&VERSION) => {
                Answer::Incompatible
            }
            Long::Init(_) | Long::Retry { .. } | Long::Accept { .. } | Long::Reject { .. } | Long::Versions { .. } => {
                Answer::Ignored
            }
        }
    }
}

/// Opens the session parameters at the end of an ACCEPT, whose clear part the tag covers too.
fn accept<S: Seal>(datagram: &mut [u8], clear: usize, seal: &S) -> Option<SessionParameters> {
    let (header, body) = datagram.split_at_mut_checked(clear)?;
    let len = seal.open(Direction::ToViewer, 0, header, body).ok()?;
    SessionParameters::parse(body.get(..len)?).ok()
}
