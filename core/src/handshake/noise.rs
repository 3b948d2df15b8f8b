//! Keys by the Noise Protocol Framework: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s` (revision 34).
//!
//! Both sides are anonymous but for the pre-shared key, which already the first message proves. An ephemeral key on
//! each side keeps what was said secret even if the pre-shared key becomes known later.

use alloc::boxed::Box;
use core::fmt;

use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher as NoiseCipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};

use super::{Auth, Concluded, Handshake, MESSAGE_BYTES_MAX, Message, Proposal, SharedKey};
use crate::seal::{Aead, Cipher, Seals};
use crate::secrets::Secrets;
use crate::wire::Writer;

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// The key of servers that let anybody in: it keeps out nobody, and the traffic is encrypted all the same.
const OPEN_KEY: [u8; SharedKey::BYTES] = *b"nalcast lets anybody in who asks";

/// The handshake of real sessions.
#[derive(Clone)]
pub struct Noise {
    auth: Auth,
    key: SharedKey,
    /// What whoever has the code is told, to come back with.
    invitation: Option<SharedKey>,
    /// Of the two, the cipher that is faster here.
    prefers: Aead,
}

impl Noise {
    /// For whoever knows `key`.
    #[must_use]
    pub const fn with_key(key: SharedKey, prefers: Aead) -> Self {
        Self { auth: Auth::Key, key, invitation: None, prefers }
    }

    /// For anybody.
    #[must_use]
    pub const fn open(prefers: Aead) -> Self {
        Self { auth: Auth::Open, key: SharedKey::new(OPEN_KEY), invitation: None, prefers }
    }

    fn builder<'a>(&'a self, secrets: &mut Secrets, context: &'a [u8]) -> Option<Builder<'a>> {
        let pattern: NoiseParams = PATTERN.parse().ok()?;
        let resolver = Resolver { seed: secrets.bytes() };
        let builder = Builder::with_resolver(pattern, Box::new(resolver));
        builder.psk(0, self.key.expose()).ok()?.prologue(context).ok()
    }

    /// The preferred cipher if it is offered, else the other.
    fn choose(&self, offer: u8) -> Option<Aead> {
        let all = [self.prefers, Aead::Aes128Gcm, Aead::ChaCha20Poly1305];
        all.into_iter().find(|aead| offer & aead.bit() != 0)
    }
}

impl fmt::Debug for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Noise").field("auth", &self.auth).field("prefers", &self.prefers).finish_non_exhaustive()
    }
}

impl Handshake for Noise {
    type Seal = Cipher;
    type Pending = Box<HandshakeState>;
    type Heard = Box<HandshakeState>;

    fn auth(&self) -> Auth {
        self.auth
    }

    fn ciphers(&self) -> u8 {
        Aead::ALL
    }

    fn begin(&self, secrets: &mut Secrets, context: &[u8]) -> Option<(Self::Pending, Message)> {
        let mut state = self.builder(secrets, context)?.build_initiator().ok()?;
        let message = Message::written(|out| state.write_message(&[], out).ok())?;
        Some((Box::new(state), message))
    }

    fn hear(&self, secrets: &mut Secrets, context: &[u8], message: &[u8]) -> Option<Self::Heard> {
        let mut state = self.builder(secrets, context)?.build_responder().ok()?;
        // Nothing is in the first message but the proof.
        state.read_message(message, &mut []).ok()?;
        Some(Box::new(state))
    }

    fn answer(
        &self,
        mut state: Self::Heard,
        viewer: Proposal<'_>,
        parameters: &[u8],
    ) -> Option<(Seals<Cipher>, Message)> {
        let aead = self.choose(viewer.ciphers)?;
        let mut payload = [0; MESSAGE_BYTES_MAX];
        let mut writer = Writer::new(&mut payload);
        writer.u8(aead.to_wire());
        writer.bytes(parameters);
        if let Some(key) = &self.invitation {
            writer.bytes(key.expose());
        }
        let payload_len = writer.finish()?;
        let message = Message::written(|out| state.write_message(payload.get(..payload_len)?, out).ok())?;
        Some((seals(&mut state, aead, viewer.connection_id)?, message))
    }

    fn conclude(
        &self,
        pending: &mut Self::Pending,
        connection_id: u32,
        response: &[u8],
        parameters: &mut [u8],
    ) -> Option<Concluded<Self>> {
        let mut payload = [0; MESSAGE_BYTES_MAX];
        let payload_len = pending.read_message(response, &mut payload).ok()?;
        let (aead, mut rest) = payload.get(..payload_len)?.split_first()?;
        let mut next = None;
        if self.auth == Auth::Code {
            let key;
            (rest, key) = rest.split_last_chunk()?;
            next = Some(Self::with_key(SharedKey::new(*key), self.prefers));
        }
        parameters.get_mut(..rest.len())?.copy_from_slice(rest);
        let seals = seals(pending, Aead::from_wire(*aead)?, connection_id)?;
        Some(Concluded { seals, parameters_len: rest.len(), next })
    }

    fn paired(&self, key: SharedKey) -> Option<Self> {
        // A viewer has nothing to tell yet, and does not.
        Some(Self { auth: Auth::Code, key, invitation: Some(self.key.clone()), prefers: self.prefers })
    }
}

/// The keys that a finished handshake gives; the session's name is part of them.
fn seals(state: &mut HandshakeState, aead: Aead, connection_id: u32) -> Option<Seals<Cipher>> {
    // The first is that of what the initiator sends (revision 34, §5.2).
    let (to_server, to_viewer) = state.dangerously_get_raw_split();
    let context = connection_id.to_be_bytes();
    Some(Seals {
        to_viewer: Cipher::new(aead, &to_viewer, &context)?,
        to_server: Cipher::new(aead, &to_server, &context)?,
    })
}

/// The framework's algorithms, with ephemeral keys that come from our own generator.
struct Resolver {
    seed: [u8; 32],
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Ephemerals(Secrets::new(self.seed))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn NoiseCipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

struct Ephemerals(Secrets);

impl Random for Ephemerals {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Seal;

    const PARAMETERS: &[u8] = b"parameters";

    fn key(byte: u8) -> Noise {
        Noise::with_key(SharedKey::new([byte; 32]), Aead::Aes128Gcm)
    }

    /// A handshake; what the viewer says it can use is `ciphers`.
    fn shake(
        viewer: &Noise,
        server: &Noise,
        contexts: [&[u8]; 2],
        ciphers: u8,
    ) -> Option<(Seals<Cipher>, Seals<Cipher>)> {
        let (mut secrets_v, mut secrets_s) = (Secrets::new([1; 32]), Secrets::new([2; 32]));
        let (mut pending, message) = viewer.begin(&mut secrets_v, contexts[0])?;
        let proposal = Proposal { message: message.as_bytes(), ciphers, connection_id: 5 };
        let (server_seals, response) = server.respond(&mut secrets_s, contexts[1], proposal, PARAMETERS)?;
        let mut parameters = [0; 32];
        let concluded = viewer.conclude(&mut pending, 5, response.as_bytes(), &mut parameters)?;
        assert_eq!(&parameters[..concluded.parameters_len], PARAMETERS);
        Some((concluded.seals, server_seals))
    }

    #[test]
    fn both_sides_have_the_same_keys() {
        for prefers in [Aead::Aes128Gcm, Aead::ChaCha20Poly1305] {
            let server = Noise { prefers, ..key(1) };
            for offer in 1..=Aead::ALL {
                let (viewer, server) = shake(&key(1), &server, [b"c"; 2], offer).unwrap();
                for (ours, theirs) in [(&server.to_viewer, &viewer.to_viewer), (&viewer.to_server, &server.to_server)] {
                    let mut body = *b"hello                ";
                    ours.seal(1, b"h", &mut body);
                    assert_eq!(theirs.open(1, b"h", &mut body), Ok(5));
                }
                let mut body = *b"hello                ";
                server.to_viewer.seal(1, b"h", &mut body);
                assert!(server.to_server.open(1, b"h", &mut body).is_err(), "directions have keys of their own");
            }
        }
        assert!(shake(&Noise::open(Aead::Aes128Gcm), &Noise::open(Aead::Aes128Gcm), [b"c"; 2], Aead::ALL).is_some());
    }

    #[test]
    fn nothing_comes_of_it_where_the_sides_differ() {
        assert!(shake(&key(1), &key(2), [b"c"; 2], Aead::ALL).is_none(), "another key");
        assert!(shake(&key(1), &key(1), [b"c", b"d"], Aead::ALL).is_none(), "heard otherwise in clear");
        assert!(shake(&key(1), &key(1), [b"c"; 2], 0).is_none(), "no cipher in common");
        assert!(shake(&key(1), &Noise::open(Aead::Aes128Gcm), [b"c"; 2], Aead::ALL).is_none());
    }

    #[test]
    fn keys_are_those_of_one_session() {
        let (mut pending, message) = key(1).begin(&mut Secrets::new([1; 32]), b"c").unwrap();
        let proposal = Proposal { message: message.as_bytes(), ciphers: Aead::ALL, connection_id: 5 };
        let (server, response) = key(1).respond(&mut Secrets::new([2; 32]), b"c", proposal, PARAMETERS).unwrap();
        // Somebody changed the name of the session, which is said in clear.
        let viewer = key(1).conclude(&mut pending, 6, response.as_bytes(), &mut [0; 32]).unwrap().seals;
        let mut body = *b"hello                ";
        server.to_viewer.seal(1, b"h", &mut body);
        assert!(viewer.to_viewer.open(1, b"h", &mut body).is_err());
    }

    #[test]
    fn a_forged_response_spoils_nothing() {
        let (mut secrets_v, mut secrets_s) = (Secrets::new([1; 32]), Secrets::new([2; 32]));
        let (mut pending, message) = key(1).begin(&mut secrets_v, b"c").unwrap();
        let proposal = Proposal { message: message.as_bytes(), ciphers: Aead::ALL, connection_id: 5 };
        let (server, response) = key(1).respond(&mut secrets_s, b"c", proposal, PARAMETERS).unwrap();
        let mut parameters = [0; 32];
        for bit in 0..response.as_bytes().len() * 8 {
            let mut forged = response.as_bytes().to_vec();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(key(1).conclude(&mut pending, 5, &forged, &mut parameters).is_none(), "bit {bit}");
        }
        for len in 0..response.as_bytes().len() {
            assert!(key(1).conclude(&mut pending, 5, &response.as_bytes()[..len], &mut parameters).is_none());
        }
        let viewer = key(1).conclude(&mut pending, 5, response.as_bytes(), &mut parameters).unwrap().seals;
        let mut body = *b"hello                ";
        server.to_viewer.seal(1, b"h", &mut body);
        assert_eq!(viewer.to_viewer.open(1, b"h", &mut body), Ok(5));
    }

    #[test]
    fn the_same_secrets_make_the_same_messages() {
        let message = |seed| key(1).begin(&mut Secrets::new([seed; 32]), b"c").unwrap().1;
        assert_eq!(message(1), message(1));
        assert_ne!(message(1), message(2));
    }
}
