//! Keys out of a short code that somebody reads aloud: SPAKE2 (RFC 9382) over the group of Ed25519.
//!
//! Both sides exchange a share. Whoever does not know the code learns nothing from them, and can try one code for each
//! exchange: there is nothing to be searched at leisure, as there would be if the code itself were the handshake's key.

use core::fmt;

use rand_core_06::{CryptoRng, Error, RngCore};
use spake2::{Ed25519Group, Identity, Password, Spake2};

use super::SharedKey;
use crate::secrets::Secrets;

/// Bytes of a share.
pub const SHARE_BYTES: usize = 33;

/// What each side tells the other.
pub type Share = [u8; SHARE_BYTES];

/// Eight digits, good for a short time and few tries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PairingCode([u8; Self::DIGITS]);

impl PairingCode {
    /// How many digits it has.
    pub const DIGITS: usize = 8;

    /// A new one; all are equally likely.
    #[must_use]
    pub fn random(secrets: &mut Secrets) -> Self {
        // 256 is no multiple of 10: what would favour the low digits is drawn again.
        let digit = |_| loop {
            let [byte] = secrets.bytes();
            if byte < 250 {
                break b'0' + byte % 10;
            }
        };
        Self(core::array::from_fn(digit))
    }

    /// The code that somebody typed, blanks and dashes left out; nothing unless it has eight digits.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut digits = [0; Self::DIGITS];
        let mut count = 0;
        for character in typed.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let digit = character.to_digit(10).and_then(|digit| u8::try_from(digit).ok())?;
            *digits.get_mut(count)? = b'0' + digit;
            count += 1;
        }
        (count == Self::DIGITS).then_some(Self(digits))
    }

    /// Its two halves, to be read aloud.
    #[must_use]
    pub fn expose(&self) -> (&str, &str) {
        let digits = core::str::from_utf8(&self.0).unwrap_or_default();
        digits.split_at_checked(Self::DIGITS / 2).unwrap_or_default()
    }
}

/// Says nothing of it.
impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingCode")
    }
}

/// The viewer's side of an exchange, between its share and the server's.
pub struct Exchange(Spake2<Ed25519Group>);

impl Exchange {
    /// The viewer's share. `context` is what was said before and both must have heard alike.
    #[must_use]
    pub fn begin(code: PairingCode, context: &[u8], secrets: &mut Secrets) -> Option<(Self, Share)> {
        let (password, viewer, server) = identities(code, context);
        let (state, share) = Spake2::start_a_with_rng(&password, &viewer, &server, Randomness(secrets));
        Some((Self(state), share.try_into().ok()?))
    }

    /// The key, given the server's share. It is the server's too if both had the same code.
    #[must_use]
    pub fn finish(self, share: &[u8]) -> Option<SharedKey> {
        key(self.0, share)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

/// The server's share and its key, given the viewer's share; nothing if that is none.
#[must_use]
pub fn answer(code: PairingCode, context: &[u8], share: &[u8], secrets: &mut Secrets) -> Option<(Share, SharedKey)> {
    let (password, viewer, server) = identities(code, context);
    let (state, own) = Spake2::start_b_with_rng(&password, &viewer, &server, Randomness(secrets));
    Some((own.try_into().ok()?, key(state, share)?))
}

fn identities(code: PairingCode, context: &[u8]) -> (Password, Identity, Identity) {
    (Password::new(code.0), Identity::new(context), Identity::new(b"nalcast server"))
}

fn key(state: Spake2<Ed25519Group>, share: &[u8]) -> Option<SharedKey> {
    let key = state.finish(share).ok()?;
    Some(SharedKey::new(key.try_into().ok()?))
}

/// Our generator, as the library wants it.
struct Randomness<'a>(&'a mut Secrets);

impl RngCore for Randomness<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl CryptoRng for Randomness<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    fn code(digits: &str) -> PairingCode {
        PairingCode::parse(digits).unwrap()
    }

    /// The keys of both sides.
    fn exchange(codes: [&str; 2], contexts: [&[u8]; 2]) -> Option<[SharedKey; 2]> {
        let (mut secrets_v, mut secrets_s) = (Secrets::new([1; 32]), Secrets::new([2; 32]));
        let (viewer, share) = Exchange::begin(code(codes[0]), contexts[0], &mut secrets_v)?;
        let (answer, server_key) = answer(code(codes[1]), contexts[1], &share, &mut secrets_s)?;
        Some([viewer.finish(&answer)?, server_key])
    }

    #[test]
    fn the_same_code_makes_the_same_key_and_nothing_else_does() {
        let [viewer, server] = exchange(["12345678"; 2], [b"c"; 2]).unwrap();
        assert_eq!(viewer, server);
        let [viewer, server] = exchange(["12345678", "12345679"], [b"c"; 2]).unwrap();
        assert_ne!(viewer, server);
        let [viewer, server] = exchange(["12345678"; 2], [b"c", b"d"]).unwrap();
        assert_ne!(viewer, server, "somebody changed what was said before");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        let secrets = || Secrets::new([1; 32]);
        let (viewer, share) = Exchange::begin(code("12345678"), b"c", &mut secrets()).unwrap();
        assert!(viewer.finish(&share).is_none(), "its own, sent back");
        for bad in [&[][..], &share[..32], &[share.as_slice(), &[0]].concat(), &[0xff; SHARE_BYTES]] {
            assert!(answer(code("12345678"), b"c", bad, &mut secrets()).is_none());
        }
    }

    #[test]
    fn codes_are_eight_digits_however_they_are_typed() {
        let code = code("12345678");
        assert_eq!(code.expose(), ("1234", "5678"));
        for typed in ["1234 5678", " 12-34-56-78\n", "1234\u{a0}5678"] {
            assert_eq!(PairingCode::parse(typed), Some(code), "{typed:?}");
        }
        for typed in ["", "1234567", "123456789", "1234567a", "1234567\u{664}"] {
            assert_eq!(PairingCode::parse(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn every_digit_is_drawn_in_every_place_about_equally_often() {
        let mut secrets = Secrets::new([3; 32]);
        let mut counts = [[0u32; 10]; PairingCode::DIGITS];
        let mut seen = BTreeSet::new();
        for _ in 0..5_000 {
            let code = PairingCode::random(&mut secrets);
            seen.insert(code.0);
            for (place, digit) in counts.iter_mut().zip(code.0) {
                place[usize::from(digit - b'0')] += 1;
            }
        }
        assert!(seen.len() >= 4_990 && counts.iter().flatten().all(|count| (400..=600).contains(count)), "{counts:?}");
    }
}
