//! A viewer whose address changed: the new one has to prove itself before the stream follows (RFC 9000 §8.2, §9).

use core::net::SocketAddr;
use core::time::Duration;

use crate::limits::{AMPLIFICATION_FACTOR_MAX, PATH_CHALLENGE_FIRST, PATH_CHALLENGE_TRIES_MAX, ROAMING_PERIOD_MIN};
use crate::secrets::Secrets;
use crate::time::Timestamp;

/// What a challenge is.
type Challenge = [u8; 8];

/// Largest datagram with a challenge in it.
const CHALLENGE_DATAGRAM_BYTES_MAX: usize = 64;

/// Where else the viewer may be.
#[derive(Debug, Default)]
pub(super) struct Roaming {
    candidate: Option<Candidate>,
    switched_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Candidate {
    address: SocketAddr,
    challenge: Challenge,
    received: usize,
    sent: usize,
    tries: u32,
    wait: Duration,
    next: Timestamp,
}

impl Roaming {
    /// An authentic datagram of `len` bytes came from `from`, which is not where the viewer is; `newest` if no later one
    /// had come before. A newer place takes the older one's turn.
    pub(super) fn heard_at(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        len: usize,
        newest: bool,
        secrets: &mut Secrets,
    ) {
        match &mut self.candidate {
            Some(candidate) if candidate.address == from => candidate.received += len,
            _ if newest => {
                let next = self.switched_at.map_or(now, |at| now.max(at + ROAMING_PERIOD_MIN));
                let (challenge, wait) = (secrets.bytes(), PATH_CHALLENGE_FIRST);
                self.candidate =
                    Some(Candidate { address: from, challenge, received: len, sent: 0, tries: 0, wait, next });
            }
            _ => {}
        }
    }

    /// The viewer's newest datagram came from where it is known to be.
    pub(super) fn heard_at_home(&mut self) {
        self.candidate = None;
    }

    /// When there is something to ask, or to give up.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.candidate.as_ref().map(|candidate| candidate.next)
    }

    /// The challenge to send now, and where to. Nothing if the address has not sent enough to be sent this much.
    pub(super) fn poll(&mut self, now: Timestamp) -> Option<(SocketAddr, Challenge)> {
        let candidate = self.candidate.as_mut().filter(|candidate| now >= candidate.next)?;
        if candidate.tries >= PATH_CHALLENGE_TRIES_MAX {
            self.candidate = None;
            return None;
        }
        candidate.tries += 1;
        candidate.next = now + candidate.wait;
        candidate.wait *= 2;
        let allowed = candidate.received * AMPLIFICATION_FACTOR_MAX;
        (candidate.sent + CHALLENGE_DATAGRAM_BYTES_MAX <= allowed).then_some((candidate.address, candidate.challenge))
    }

    /// A challenge left as a datagram of `len` bytes.
    pub(super) fn sent(&mut self, len: usize) {
        if let Some(candidate) = &mut self.candidate {
            candidate.sent += len;
        }
    }

    /// Whether an answer from `from` proves that the viewer is there.
    pub(super) fn is_proof(&mut self, now: Timestamp, from: SocketAddr, answer: Challenge) -> bool {
        let proven =
            |candidate: &Candidate| candidate.address == from && candidate.tries > 0 && candidate.challenge == answer;
        let is_proof = self.candidate.as_ref().is_some_and(proven);
        if is_proof {
            *self = Self { candidate: None, switched_at: Some(now) };
        }
        is_proof
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 5000))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn heard(roaming: &mut Roaming, millis: u64, from: u8, len: usize) {
        roaming.heard_at(at(millis), address(from), len, true, &mut Secrets::new([from; 32]));
    }

    #[test]
    fn only_the_right_answer_from_the_right_place_proves_it() {
        let mut roaming = Roaming::default();
        heard(&mut roaming, 0, 2, 100);
        let (to, challenge) = roaming.poll(at(0)).unwrap();
        assert_eq!(to, address(2));
        assert!(!roaming.is_proof(at(1), address(3), challenge), "relayed from elsewhere");
        assert!(!roaming.is_proof(at(1), address(2), [0; 8]));
        assert!(roaming.is_proof(at(1), address(2), challenge));
        assert!(!roaming.is_proof(at(1), address(2), challenge), "once");
    }

    #[test]
    fn an_address_is_asked_three_times_and_sent_no_more_than_three_times_its_bytes() {
        let mut roaming = Roaming::default();
        heard(&mut roaming, 0, 2, 100);
        let asked = (0..3_000).filter(|millis| {
            let asks = roaming.poll(at(*millis)).is_some();
            if asks {
                roaming.sent(38);
            }
            asks
        });
        assert_eq!(asked.collect::<alloc::vec::Vec<_>>(), [0, 200, 600]);
        assert_eq!(roaming.due(), None, "given up");
        for (len, answers) in [(21, 0), (22, 1), (34, 2), (47, 3)] {
            let mut roaming = Roaming::default();
            heard(&mut roaming, 0, 2, len);
            let asked = (0..3_000).filter(|millis| {
                roaming.poll(at(*millis)).is_some() && {
                    roaming.sent(38);
                    true
                }
            });
            assert_eq!(asked.count(), answers, "{len}");
        }
    }

    #[test]
    fn a_late_datagram_from_an_old_place_is_no_move() {
        let mut roaming = Roaming::default();
        roaming.heard_at(at(0), address(2), 100, false, &mut Secrets::new([0; 32]));
        assert_eq!(roaming.due(), None);
        heard(&mut roaming, 0, 2, 100);
        roaming.heard_at_home();
        assert_eq!(roaming.due(), None);
    }

    #[test]
    fn a_viewer_moves_once_a_second_at_most() {
        let mut roaming = Roaming::default();
        heard(&mut roaming, 0, 2, 100);
        let (_, challenge) = roaming.poll(at(0)).unwrap();
        assert!(roaming.is_proof(at(10), address(2), challenge));
        heard(&mut roaming, 20, 3, 100);
        assert_eq!(roaming.poll(at(1_009)), None);
        assert!(roaming.poll(at(1_010)).is_some());
    }
}
