//! Address cookies: proof that an address hears us, without remembering it.

use core::hash::Hasher;
use core::net::{IpAddr, SocketAddr};

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::limits::COOKIE_SECRET_PERIOD;
use crate::secrets::Secrets;
use crate::time::Timestamp;
use crate::wire::long::{ClientNonce, Cookie};

/// Makes and checks cookies; their secret changes every [`COOKIE_SECRET_PERIOD`], the one before still counts.
#[derive(Debug)]
pub(super) struct Cookies {
    current: [u8; 16],
    previous: [u8; 16],
    changed: Timestamp,
}

impl Cookies {
    pub(super) fn new(now: Timestamp, secrets: &mut Secrets) -> Self {
        Self { current: secrets.bytes(), previous: secrets.bytes(), changed: now }
    }

    pub(super) fn make(
        &mut self,
        now: Timestamp,
        secrets: &mut Secrets,
        address: SocketAddr,
        nonce: &ClientNonce,
    ) -> Cookie {
        self.rotate(now, secrets);
        let time = seconds(now);
        Cookie { mac: mac(&self.current, address, nonce, time), time }
    }

    pub(super) fn check(
        &mut self,
        now: Timestamp,
        secrets: &mut Secrets,
        address: SocketAddr,
        nonce: &ClientNonce,
        cookie: &Cookie,
    ) -> bool {
        self.rotate(now, secrets);
        let fits = |secret| constant_time_eq(&mac(secret, address, nonce, cookie.time), &cookie.mac);
        // Both are always computed: how long a refusal takes tells nothing.
        fits(&self.current) | fits(&self.previous)
    }

    fn rotate(&mut self, now: Timestamp, secrets: &mut Secrets) {
        if now - self.changed < COOKIE_SECRET_PERIOD {
            return;
        }
        let long_ago = now - self.changed >= COOKIE_SECRET_PERIOD * 2;
        self.previous = if long_ago { secrets.bytes() } else { self.current };
        self.current = secrets.bytes();
        self.changed = now;
    }
}

fn mac(secret: &[u8; 16], address: SocketAddr, nonce: &ClientNonce, time: u16) -> [u8; 16] {
    let mut rest = [0; 2 + size_of::<ClientNonce>() + 2];
    let (port, nonce_and_time) = rest.split_at_mut(2);
    port.copy_from_slice(&address.port().to_be_bytes());
    let (nonce_bytes, time_bytes) = nonce_and_time.split_at_mut(nonce.len());
    nonce_bytes.copy_from_slice(nonce);
    time_bytes.copy_from_slice(&time.to_be_bytes());
    keyed_hash(secret, address.ip(), &rest)
}

/// SipHash-2-4 with 128 bits over a host's address and what else is to be proven.
pub(super) fn keyed_hash(secret: &[u8; 16], host: IpAddr, rest: &[u8]) -> [u8; 16] {
    let mut hasher = SipHasher24::new_with_key(secret);
    match host {
        IpAddr::V4(ip) => hasher.write(&ip.octets()),
        IpAddr::V6(ip) => hasher.write(&ip.octets()),
    }
    hasher.write(rest);
    hasher.finish128().as_bytes()
}

pub(super) fn constant_time_eq(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[expect(clippy::cast_possible_truncation, reason = "the wire carries the low bits")]
const fn seconds(now: Timestamp) -> u16 {
    (now.as_micros() / 1_000_000) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const NONCE: ClientNonce = [1; 8];

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_is_good_for_one_address_and_nonce() {
        let now = Timestamp::from_millis(5_000);
        let mut secrets = Secrets::new([7; 32]);
        let mut cookies = Cookies::new(now, &mut secrets);
        let home = address("192.0.2.1:5000");
        let cookie = cookies.make(now, &mut secrets, home, &NONCE);
        let mut check =
            |address, nonce: &ClientNonce, cookie| cookies.check(now, &mut secrets, address, nonce, &cookie);
        assert!(check(home, &NONCE, cookie));
        assert!(!check(address("192.0.2.1:5001"), &NONCE, cookie));
        assert!(!check(address("192.0.2.2:5000"), &NONCE, cookie));
        assert!(!check(home, &[2; 8], cookie));
        assert!(!check(home, &NONCE, Cookie { time: cookie.time + 1, ..cookie }));
    }

    #[test]
    fn a_cookie_outlives_one_change_of_secret_but_not_two() {
        let start = Timestamp::ZERO;
        let home = address("[2001:db8::1]:9");
        for (age, good) in [(119, true), (121, true), (239, true), (241, false), (500, false)] {
            // A busy server changes its secret in time, an idle one when it is next asked.
            for busy in [false, true] {
                let mut secrets = Secrets::new([7; 32]);
                let mut cookies = Cookies::new(start, &mut secrets);
                let cookie = cookies.make(start, &mut secrets, home, &NONCE);
                if busy && age > 120 {
                    cookies.make(start + Duration::from_secs(120), &mut secrets, home, &NONCE);
                }
                let now = start + Duration::from_secs(age);
                assert_eq!(cookies.check(now, &mut secrets, home, &NONCE, &cookie), good, "{age} s, busy: {busy}");
            }
        }
    }
}
