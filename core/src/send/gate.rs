//! How often each source may knock. A handshake costs the server two multiplications on a curve, and a guess at a code
//! should not be cheap.
//!
//! Only sources that have proved their address are counted: with a forged address nobody can use up another's share.

use alloc::collections::BTreeMap;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use super::token_bucket::TokenBucket;
use crate::limits::{
    FAILURES_OF_HOST_BURST, FAILURES_OF_HOST_SPACING, HANDSHAKES_BURST, HANDSHAKES_OF_NETWORK_BURST,
    HANDSHAKES_OF_NETWORK_SPACING, HANDSHAKES_SPACING, PAIRING_LAPSES_BURST, PAIRING_LAPSES_SPACING, SOURCES_MAX,
};
use crate::time::Timestamp;

/// The addresses that belong together: version, and as many leading bytes as count.
type Source = (u8, [u8; 7]);

/// Counts knocks and failed proofs.
pub(super) struct Gate {
    all: TokenBucket,
    networks: Buckets,
    failures: Buckets,
    /// Exchanges of codes that came to nothing.
    lapses: Buckets,
}

impl Gate {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            all: TokenBucket::new(now, HANDSHAKES_BURST, HANDSHAKES_SPACING),
            networks: Buckets::new(HANDSHAKES_OF_NETWORK_BURST, HANDSHAKES_OF_NETWORK_SPACING),
            failures: Buckets::new(FAILURES_OF_HOST_BURST, FAILURES_OF_HOST_SPACING),
            lapses: Buckets::new(PAIRING_LAPSES_BURST, PAIRING_LAPSES_SPACING),
        }
    }

    /// Whether a handshake from `host` is looked at.
    pub(super) fn admits(&mut self, now: Timestamp, host: IpAddr) -> bool {
        self.failures.of(now, host_of(host)).has(now) && self.networks.of(now, network_of(host)).take(now)
    }

    /// Whether one more handshake is answered, whoever asks. To be asked about those that have proved their right: the
    /// others must not use up what is there for all.
    pub(super) fn admits_another(&mut self, now: Timestamp) -> bool {
        self.all.take(now)
    }

    /// Whether `host` may begin an exchange of codes, which keeps everybody else waiting.
    pub(super) fn admits_exchange(&mut self, now: Timestamp, host: IpAddr) -> bool {
        self.lapses.of(now, host_of(host)).has(now) && self.admits(now, host)
    }

    /// An exchange of codes with `host` came to nothing.
    pub(super) fn lapsed(&mut self, now: Timestamp, host: IpAddr) {
        self.lapses.of(now, host_of(host)).take(now);
    }

    /// A handshake from `host` did not prove its right.
    pub(super) fn failed(&mut self, now: Timestamp, host: IpAddr) {
        self.failures.of(now, host_of(host)).take(now);
    }
}

/// Thousands of counts are nothing to be read.
impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// A bucket for each of the sources heard last.
struct Buckets {
    burst: u32,
    period: Duration,
    sources: BTreeMap<Source, (Timestamp, TokenBucket)>,
}

impl Buckets {
    const fn new(burst: u32, period: Duration) -> Self {
        Self { burst, period, sources: BTreeMap::new() }
    }

    /// The bucket of `source`, in the place of the one that was not asked for the longest time if there are too many.
    fn of(&mut self, now: Timestamp, source: Source) -> &mut TokenBucket {
        if self.sources.len() >= SOURCES_MAX
            && !self.sources.contains_key(&source)
            && let Some(idle) = self.sources.iter().min_by_key(|(_, (asked, _))| *asked).map(|(source, _)| *source)
        {
            self.sources.remove(&idle);
        }
        let new = || (now, TokenBucket::new(now, self.burst, self.period));
        let (asked, bucket) = self.sources.entry(source).or_insert_with(new);
        *asked = now;
        bucket
    }
}

/// Who may share a network: an IPv4 /24, or the /56 that a household has with IPv6.
fn network_of(host: IpAddr) -> Source {
    match host {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            (4, [a, b, c, 0, 0, 0, 0])
        }
        IpAddr::V6(_) => host_of(host),
    }
}

/// Who is one: an IPv4 address, or an IPv6 /56, in which one host may take any address.
fn host_of(host: IpAddr) -> Source {
    match host {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            (4, [a, b, c, d, 0, 0, 0])
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, ..] = ip.octets();
            (6, [a, b, c, d, e, f, g])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn admitted(gate: &mut Gate, millis: u64, hosts: impl IntoIterator<Item = IpAddr>) -> usize {
        hosts.into_iter().filter(|host| gate.admits(at(millis), *host)).count()
    }

    #[test]
    fn a_network_knocks_many_times_at_once_and_then_twenty_times_a_second() {
        for (hosts, others) in [
            (["192.0.2.1", "192.0.2.200"], "192.0.3.1"),
            (["2001:db8:0:aa01::1", "2001:db8:0:aaff::9"], "2001:db8:0:ab00::1"),
        ] {
            let mut gate = Gate::new(at(0));
            let all = || hosts.map(ip).into_iter().cycle().take(100);
            assert_eq!(admitted(&mut gate, 0, all()), 64);
            assert_eq!(admitted(&mut gate, 0, [ip(others)]), 1, "another network");
            assert_eq!(admitted(&mut gate, 500, all()), 10);
            assert_eq!(admitted(&mut gate, 10_000, all()), 64, "no more than the burst is saved up");
        }
    }

    #[test]
    fn all_together_are_answered_a_thousand_times_a_second() {
        let mut gate = Gate::new(at(0));
        let mut answered = |millis| (0..5_000).filter(|_| gate.admits_another(at(millis))).count();
        assert_eq!([answered(0), answered(100), answered(10_000)], [200, 100, 200]);
    }

    #[test]
    fn a_host_that_guesses_is_not_listened_to_and_its_neighbours_are() {
        let mut gate = Gate::new(at(0));
        let (guesser, neighbour) = (ip("192.0.2.1"), ip("192.0.2.2"));
        for guess in 0..10 {
            assert!(gate.admits(at(guess * 100), guesser), "{guess}");
            gate.failed(at(guess * 100), guesser);
        }
        assert!(!gate.admits(at(5_000), guesser) && gate.admits(at(5_000), neighbour));
        assert!(gate.admits(at(6_100), guesser));
        gate.failed(at(6_100), guesser);
        assert!(!gate.admits(at(6_200), guesser));
    }

    #[test]
    fn the_memory_of_sources_is_bounded_and_keeps_those_that_knock() {
        let mut gate = Gate::new(at(0));
        let guesser = ip("192.0.2.1");
        (0..10).for_each(|_| gate.failed(at(0), guesser));
        for n in 0..5_000u64 {
            let [.., a, b] = n.to_be_bytes();
            gate.admits(at(n), IpAddr::from([10, a, b, 1]));
            assert!(!gate.admits(at(n).min(at(5_000)), guesser));
            assert!(gate.networks.sources.len() <= SOURCES_MAX && gate.failures.sources.len() <= SOURCES_MAX);
        }
    }
}
