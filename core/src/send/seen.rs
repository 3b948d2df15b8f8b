//! Which handshakes came to something lately: a recorded INIT makes no second session.

use alloc::collections::{BTreeSet, VecDeque};

use crate::limits::{COOKIE_SECRET_PERIOD, SEEN_HANDSHAKES_MAX};
use crate::time::Timestamp;
use crate::wire::long::ClientNonce;

/// The nonces of accepted handshakes, as long as their cookies are good; a handshake message is good for its nonce
/// alone.
#[derive(Debug, Default)]
pub(super) struct Seen {
    nonces: BTreeSet<ClientNonce>,
    order: VecDeque<(Timestamp, ClientNonce)>,
}

impl Seen {
    /// Whether a handshake with this nonce was accepted before.
    pub(super) fn contains(&self, nonce: &ClientNonce) -> bool {
        self.nonces.contains(nonce)
    }

    /// Remembers one; the oldest goes if there are too many.
    pub(super) fn insert(&mut self, now: Timestamp, nonce: ClientNonce) {
        // A cookie outlives one change of its secret.
        let is_over = |at: Timestamp| now - at > COOKIE_SECRET_PERIOD * 2;
        while let Some((at, oldest)) = self.order.front()
            && (is_over(*at) || self.order.len() >= SEEN_HANDSHAKES_MAX)
        {
            self.nonces.remove(oldest);
            self.order.pop_front();
        }
        if self.nonces.insert(nonce) {
            self.order.push_back((now, nonce));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(number: u64) -> ClientNonce {
        number.to_be_bytes()
    }

    #[test]
    fn they_are_remembered_for_a_time_and_not_without_end() {
        let at = Timestamp::from_millis;
        let mut seen = Seen::default();
        seen.insert(at(0), nonce(1));
        seen.insert(at(239_000), nonce(2));
        assert!(seen.contains(&nonce(1)) && seen.contains(&nonce(2)) && !seen.contains(&nonce(3)));
        seen.insert(at(241_000), nonce(3));
        assert!(!seen.contains(&nonce(1)) && seen.contains(&nonce(2)));
        for number in 0..2 * SEEN_HANDSHAKES_MAX as u64 {
            seen.insert(at(242_000), nonce(100 + number));
            assert!(seen.order.len() <= SEEN_HANDSHAKES_MAX && seen.order.len() == seen.nonces.len());
        }
        assert!(!seen.contains(&nonce(100)) && seen.contains(&nonce(99 + 2 * SEEN_HANDSHAKES_MAX as u64)));
    }
}
