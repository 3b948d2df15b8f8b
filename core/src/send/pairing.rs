//! Viewers let in by a code that the server shows: which code is good, and the one exchange that may be under way.

use core::net::SocketAddr;

use crate::handshake::SharedKey;
use crate::handshake::pairing::{self, PairingCode, Share};
use crate::limits::{PAIRING_ATTEMPT_PERIOD, PAIRING_CODE_PERIOD, PAIRING_FAILURES_MAX, PAIRING_PAUSE};
use crate::secrets::Secrets;
use crate::time::Timestamp;
use crate::wire::long::{ClientNonce, Pair1};

/// The code that is shown, and who is trying it.
#[derive(Debug)]
pub(super) struct Pairing {
    code: PairingCode,
    /// When the next code takes its place.
    until: Timestamp,
    failures: u32,
    attempt: Option<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    address: SocketAddr,
    nonce: ClientNonce,
    share: Share,
    key: SharedKey,
    until: Timestamp,
}

impl Pairing {
    pub(super) fn new(now: Timestamp, secrets: &mut Secrets) -> Self {
        Self { code: PairingCode::random(secrets), until: now + PAIRING_CODE_PERIOD, failures: 0, attempt: None }
    }

    /// The code, and until when it is shown; nothing while guesses have used it up.
    pub(super) fn code(&self) -> Option<(PairingCode, Timestamp)> {
        (self.failures < PAIRING_FAILURES_MAX).then_some((self.code, self.until))
    }

    /// When the code changes.
    pub(super) const fn due(&self) -> Timestamp {
        self.until
    }

    /// Changes the code if it is time to; whether it did.
    pub(super) fn renew(&mut self, now: Timestamp, secrets: &mut Secrets) -> bool {
        if now < self.until {
            return false;
        }
        // An exchange under way may be finished: it was begun in time.
        let attempt = self.attempt.take();
        *self = Self { attempt, ..Self::new(now, secrets) };
        true
    }

    /// The server's share for a viewer that has proved its address, and the address of an exchange that came to nothing
    /// and now makes room. No share while another exchange is under way: each code is tried by one viewer at a time.
    pub(super) fn answer(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        pair: &Pair1<'_>,
        secrets: &mut Secrets,
    ) -> (Option<Share>, Option<SocketAddr>) {
        let lapsed = self.attempt.take_if(|attempt| now >= attempt.until).map(|attempt| attempt.address);
        if let Some(attempt) = &self.attempt {
            let again = attempt.address == from && attempt.nonce == pair.nonce;
            return (again.then_some(attempt.share), lapsed);
        }
        if self.failures >= PAIRING_FAILURES_MAX {
            return (None, lapsed);
        }
        let answer = pairing::answer(self.code, &pair.context(), pair.share, secrets);
        let share = answer.map(|(share, key)| {
            let until = now + PAIRING_ATTEMPT_PERIOD;
            self.attempt = Some(Attempt { address: from, nonce: pair.nonce, share, key, until });
            share
        });
        (share, lapsed)
    }

    /// The key of the exchange that an INIT belongs to.
    pub(super) fn key(&self, now: Timestamp, from: SocketAddr, nonce: &ClientNonce) -> Option<&SharedKey> {
        let attempt = self.attempt.as_ref()?;
        (attempt.address == from && attempt.nonce == *nonce && now < attempt.until).then_some(&attempt.key)
    }

    /// The exchange is over. If the viewer did not know the code, a few more like it use the code up; then there is none
    /// for a while, whoever asks.
    pub(super) fn finish(&mut self, now: Timestamp, succeeded: bool) {
        self.attempt = None;
        if !succeeded {
            self.failures += 1;
            if self.failures == PAIRING_FAILURES_MAX {
                self.until = now + PAIRING_PAUSE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::pairing::Exchange;
    use crate::wire::long::Cookie;

    const COOKIE: Cookie = Cookie { mac: [7; 16], time: 1 };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 5000))
    }

    fn secrets() -> Secrets {
        Secrets::new([9; 32])
    }

    /// A viewer's try; what came of it.
    fn attempt(pairing: &mut Pairing, seconds: u64, who: u8) -> (Option<Share>, Option<SocketAddr>) {
        let nonce = [who; 8];
        let context = Pair1 { nonce, cookie: Some(COOKIE), share: b"" }.context();
        let (_, share) = Exchange::begin(pairing.code, &context, &mut Secrets::new([who; 32])).unwrap();
        let pair = Pair1 { nonce, cookie: Some(COOKIE), share: &share };
        pairing.answer(at(seconds), address(who), &pair, &mut secrets())
    }

    #[test]
    fn one_viewer_tries_at_a_time_and_for_ten_seconds() {
        let mut pairing = Pairing::new(at(0), &mut secrets());
        let (first, _) = attempt(&mut pairing, 1, 1);
        assert!(first.is_some());
        assert_eq!(attempt(&mut pairing, 2, 1).0, first, "the same, said again");
        assert_eq!(attempt(&mut pairing, 2, 2), (None, None));
        assert!(pairing.key(at(10), address(1), &[1; 8]).is_some());
        assert!(
            pairing.key(at(10), address(2), &[1; 8]).is_none() && pairing.key(at(10), address(1), &[2; 8]).is_none()
        );
        assert!(pairing.key(at(11), address(1), &[1; 8]).is_none());
        let (second, lapsed) = attempt(&mut pairing, 11, 2);
        assert!(second.is_some());
        assert_eq!(lapsed, Some(address(1)));
    }

    #[test]
    fn three_wrong_guesses_use_a_code_up_and_the_next_one_has_to_wait() {
        let mut pairing = Pairing::new(at(0), &mut secrets());
        let mut all = secrets();
        for guess in 0..3 {
            assert!(pairing.code().is_some() && attempt(&mut pairing, guess, 1).0.is_some(), "{guess}");
            pairing.finish(at(guess), false);
        }
        assert!(pairing.code().is_none() && attempt(&mut pairing, 3, 1).0.is_none());
        assert!(!pairing.renew(at(2 + 29), &mut all) && pairing.renew(at(2 + 30), &mut all));
        assert!(attempt(&mut pairing, 33, 1).0.is_some());
        // Who knows it uses nothing up.
        for _ in 0..10 {
            pairing.finish(at(33), true);
        }
        assert!(pairing.code().is_some());
    }

    #[test]
    fn a_code_is_good_for_two_minutes() {
        let mut all = secrets();
        let mut pairing = Pairing::new(at(0), &mut all);
        let (first, _) = pairing.code().unwrap();
        assert!(!pairing.renew(at(119), &mut all) && pairing.renew(at(120), &mut all));
        assert_ne!(pairing.code().unwrap(), (first, at(240)));
        assert_eq!(pairing.due(), at(240));
    }
}
