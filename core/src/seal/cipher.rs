//! Authenticated encryption of datagrams, and the keys for it.

use core::fmt;

use ring::aead::{AES_128_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};

use super::{Forged, Seal};

/// Bytes of the secret that a direction's keys come from.
pub(super) const SECRET_BYTES: usize = 32;

/// A cipher that both sides can agree on. Its number is its bit in an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aead {
    /// AES-128-GCM (NIST SP 800-38D): the faster one where the processor has instructions for it.
    Aes128Gcm = 0,
    /// ChaCha20-Poly1305 (RFC 8439): the faster one everywhere else.
    ChaCha20Poly1305 = 1,
}

impl Aead {
    /// All of them, as an offer.
    pub const ALL: u8 = Self::Aes128Gcm.bit() | Self::ChaCha20Poly1305.bit();

    /// Its bit in an offer.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The cipher of a number on the wire.
    #[must_use]
    pub const fn from_wire(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Aes128Gcm),
            1 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        self as u8
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128Gcm => &AES_128_GCM,
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

/// The keys of one direction.
#[derive(Clone)]
pub struct Cipher {
    aead: Aead,
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    /// What the next phase's keys come from.
    next_secret: [u8; SECRET_BYTES],
}

impl Cipher {
    /// The keys that come from a `secret` of a handshake; `context` is what else both sides must agree on.
    ///
    /// HKDF-Expand (RFC 5869 §2.3) with a label for each. Nothing if a key cannot be made, which only a defect does.
    #[must_use]
    pub fn new(aead: Aead, secret: &[u8; SECRET_BYTES], context: &[u8]) -> Option<Self> {
        let secret = Prk::new_less_safe(HKDF_SHA256, secret);
        let mut key = [0; SECRET_BYTES];
        let key = key.get_mut(..aead.algorithm().key_len())?;
        expand(&secret, b"nalcast key", context, key)?;
        let mut iv = [0; NONCE_LEN];
        expand(&secret, b"nalcast iv", context, &mut iv)?;
        let mut next_secret = [0; SECRET_BYTES];
        expand(&secret, b"nalcast next", context, &mut next_secret)?;
        let key = UnboundKey::new(aead.algorithm(), key).ok()?;
        Some(Self { aead, key: LessSafeKey::new(key), iv, next_secret })
    }

    /// The packet number, which never repeats under one key, mixed into the IV as in TLS 1.3 (RFC 8446 §5.3).
    fn nonce(&self, packet_number: u64) -> Nonce {
        let mut nonce = self.iv;
        nonce.iter_mut().rev().zip(packet_number.to_le_bytes()).for_each(|(byte, number)| *byte ^= number);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Seal for Cipher {
    const TAG_BYTES: usize = 16;

    fn seal(&self, packet_number: u64, header: &[u8], body: &mut [u8]) {
        let plaintext_len = body.len().saturating_sub(Self::TAG_BYTES);
        let (plaintext, room) = body.split_at_mut(plaintext_len);
        let tag = self.key.seal_in_place_separate_tag(self.nonce(packet_number), Aad::from(header), plaintext);
        // Fails only beyond the length that one nonce is good for, 64 GiB.
        debug_assert!(tag.is_ok(), "a datagram is short");
        match tag {
            Ok(tag) => room.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from),
            Err(_) => body.fill(0),
        }
    }

    fn open(&self, packet_number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged> {
        let opened = self.key.open_in_place(self.nonce(packet_number), Aad::from(header), body);
        opened.map(|plaintext| plaintext.len()).map_err(|_| Forged)
    }

    fn next_phase(&self) -> Option<Self> {
        Self::new(self.aead, &self.next_secret, &[])
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").field("algorithm", self.key.algorithm()).finish_non_exhaustive()
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(secret: &Prk, label: &[u8], context: &[u8], out: &mut [u8]) -> Option<()> {
    secret.expand(&[label, context], Length(out.len())).ok()?.fill(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIPHERS: [Aead; 2] = [Aead::Aes128Gcm, Aead::ChaCha20Poly1305];

    fn cipher(aead: Aead, secret: u8, context: &[u8]) -> Cipher {
        Cipher::new(aead, &[secret; SECRET_BYTES], context).unwrap()
    }

    fn sealed(cipher: &Cipher, number: u64) -> [u8; 21] {
        let mut body = *b"hello                ";
        cipher.seal(number, b"header", &mut body);
        body
    }

    #[test]
    fn what_was_sealed_opens_with_all_that_belongs_to_it() {
        for aead in CIPHERS {
            let ours = cipher(aead, 1, b"c");
            let body = sealed(&ours, 7);
            assert_ne!(&body[..5], b"hello");
            let open = |cipher: &Cipher, number, header: &[u8]| {
                let mut body = body;
                cipher.open(number, header, &mut body).map(|len| body[..len].to_vec())
            };
            assert_eq!(open(&ours, 7, b"header"), Ok(b"hello".to_vec()));
            assert_eq!(open(&ours, 8, b"header"), Err(Forged));
            assert_eq!(open(&ours, 7, b"heade"), Err(Forged));
            assert_eq!(open(&cipher(aead, 2, b"c"), 7, b"header"), Err(Forged));
            assert_eq!(open(&cipher(aead, 1, b"d"), 7, b"header"), Err(Forged));
            let mut short = [0; 15];
            assert_eq!(ours.open(7, b"header", &mut short), Err(Forged));
        }
    }

    #[test]
    fn a_phase_opens_nothing_of_another() {
        for aead in CIPHERS {
            let first = cipher(aead, 1, b"c");
            let second = first.next_phase().unwrap();
            let third = second.next_phase().unwrap();
            assert_eq!(second.open(7, b"header", &mut sealed(&second, 7)), Ok(5));
            for (ours, theirs) in [(&first, &second), (&second, &first), (&first, &third), (&second, &third)] {
                assert_eq!(theirs.open(7, b"header", &mut sealed(ours, 7)), Err(Forged));
            }
        }
    }

    #[test]
    fn no_two_numbers_give_the_same() {
        for aead in CIPHERS {
            let ours = cipher(aead, 1, b"");
            for (a, b) in [(0, 1), (1, 256), (1, 1 << 32), (1, 1 << 63)] {
                assert_ne!(sealed(&ours, a), sealed(&ours, b), "{a} {b}");
            }
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let text = alloc::format!("{:?}", cipher(Aead::Aes128Gcm, 1, b""));
        assert_eq!(text, "Cipher { algorithm: AES_128_GCM, .. }");
    }
}
