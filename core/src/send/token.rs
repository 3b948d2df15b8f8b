//! Address tokens: a viewer that was here before need not prove its address again (RFC 9000 §8.1.3).

use alloc::collections::BTreeSet;
use core::net::IpAddr;

use super::cookie::{constant_time_eq, keyed_hash};
use crate::limits::{SEEN_TOKENS_MAX, TOKEN_PERIOD};
use crate::secrets::Secrets;
use crate::time::Timestamp;

/// Bytes of a token: its serial number, its time, and the keyed hash over both and the host's address.
pub(super) const TOKEN_BYTES: usize = 8 + 8 + 16;

/// A token as it travels.
pub(super) type Token = [u8; TOKEN_BYTES];

/// Makes tokens, and takes each of them once. A token outlives the server's memory of handshakes by far; used twice, a
/// recorded INIT would be as good as new.
#[derive(Debug)]
pub(super) struct Tokens {
    secret: [u8; 16],
    next_serial: u64,
    used: BTreeSet<u64>,
    /// Tokens below are too old to tell whether they were used.
    oldest: u64,
}

impl Tokens {
    pub(super) fn new(secrets: &mut Secrets) -> Self {
        Self { secret: secrets.bytes(), next_serial: 0, used: BTreeSet::new(), oldest: 0 }
    }

    /// A token for a viewer at `host`.
    pub(super) fn make(&mut self, now: Timestamp, host: IpAddr) -> Token {
        let serial = self.next_serial;
        self.next_serial += 1;
        let mut token = [0; TOKEN_BYTES];
        let (head, mac) = token.split_at_mut(16);
        let (serial_bytes, time) = head.split_at_mut(8);
        serial_bytes.copy_from_slice(&serial.to_be_bytes());
        time.copy_from_slice(&now.as_micros().to_be_bytes());
        mac.copy_from_slice(&self.mac(head, host));
        token
    }

    /// The serial number of a token that is good for `host` and was not used yet.
    pub(super) fn check(&self, now: Timestamp, host: IpAddr, token: &[u8]) -> Option<u64> {
        let (head, mac) = token.split_at_checked(16)?;
        let (serial, time) = head.split_at_checked(8)?;
        if !constant_time_eq(&self.mac(head, host), mac.try_into().ok()?) {
            return None;
        }
        let serial = u64::from_be_bytes(serial.try_into().ok()?);
        let made = Timestamp::from_micros(u64::from_be_bytes(time.try_into().ok()?));
        let is_good = now - made < TOKEN_PERIOD && serial >= self.oldest && !self.used.contains(&serial);
        is_good.then_some(serial)
    }

    /// The token with this number let somebody in.
    pub(super) fn spend(&mut self, serial: u64) {
        self.used.insert(serial);
        while self.used.len() > SEEN_TOKENS_MAX
            && let Some(oldest) = self.used.pop_first()
        {
            self.oldest = oldest + 1;
        }
    }

    fn mac(&self, head: &[u8], host: IpAddr) -> [u8; 16] {
        keyed_hash(&self.secret, host, head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn host(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_token_is_good_for_one_host_one_day_and_one_use() {
        let now = Timestamp::from_millis(5_000);
        let mut tokens = Tokens::new(&mut Secrets::new([7; 32]));
        tokens.make(now, host(1));
        let token = tokens.make(now, host(1));
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(tokens.check(now, host(1), &token), Some(1));
        assert_eq!(tokens.check(now + (day - Duration::from_micros(1)), host(1), &token), Some(1));
        assert_eq!(tokens.check(now + day, host(1), &token), None);
        assert_eq!(tokens.check(now, host(2), &token), None);
        assert_eq!(tokens.check(now, host(1), &token[..31]), None);
        assert_eq!(tokens.check(now, host(1), &[]), None);
        for bit in 0..TOKEN_BYTES * 8 {
            let mut damaged = token;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(tokens.check(now, host(1), &damaged), None, "bit {bit}");
        }
        let another_servers = Tokens::new(&mut Secrets::new([8; 32])).make(now, host(1));
        assert_eq!(tokens.check(now, host(1), &another_servers), None);
        tokens.spend(1);
        assert_eq!(tokens.check(now, host(1), &token), None);
    }

    #[test]
    fn the_memory_of_uses_is_bounded_and_forgets_on_the_safe_side() {
        let now = Timestamp::ZERO;
        let mut tokens = Tokens::new(&mut Secrets::new([7; 32]));
        let first = tokens.make(now, host(1));
        let unused = tokens.make(now, host(1));
        tokens.spend(0);
        for _ in 0..SEEN_TOKENS_MAX + 10 {
            let token = tokens.make(now, host(1));
            let serial = tokens.check(now, host(1), &token).unwrap();
            tokens.spend(serial);
            assert!(tokens.used.len() <= SEEN_TOKENS_MAX);
        }
        assert_eq!(tokens.check(now, host(1), &first), None);
        assert_eq!(tokens.check(now, host(1), &unused), None, "too old to tell");
    }
}
