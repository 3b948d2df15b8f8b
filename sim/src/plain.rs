//! Sessions without secrecy, for simulations and tests only: what is sent can be read, and costs next to nothing.

use core::hash::Hasher;

use nalcast_core::handshake::{Auth, Concluded, Handshake, Message, Proposal, SharedKey};
use nalcast_core::seal::{Direction, Forged, Seal, Seals};
use nalcast_core::secrets::Secrets;
use siphasher::sip128::{Hasher128, SipHasher13};

const TAG_BYTES: usize = 16;

/// A handshake that proves nothing and makes no keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

/// A checksum as long as an authentication tag: finds damage, stops nobody.
#[derive(Clone, Copy, Debug)]
pub struct PlainSeal {
    connection_id: u32,
    direction: Direction,
    phase: u64,
}

impl PlainSeal {
    /// Both directions of a session.
    #[must_use]
    pub const fn of_session(connection_id: u32) -> Seals<Self> {
        Seals {
            to_viewer: Self { connection_id, direction: Direction::ToViewer, phase: 0 },
            to_server: Self { connection_id, direction: Direction::ToServer, phase: 0 },
        }
    }
}

impl PlainSeal {
    fn checksum(&self, packet_number: u64, header: &[u8], plaintext: &[u8]) -> [u8; TAG_BYTES] {
        // Both are small: one number tells them all apart.
        let place = self.phase << 1 | u64::from(self.direction == Direction::ToViewer);
        checksum(self.connection_id, place, packet_number, header, plaintext)
    }
}

impl Seal for PlainSeal {
    const TAG_BYTES: usize = TAG_BYTES;

    fn seal(&self, packet_number: u64, header: &[u8], body: &mut [u8]) {
        let (plaintext, tag) = body.split_at_mut(body.len().saturating_sub(TAG_BYTES));
        let sum = self.checksum(packet_number, header, plaintext);
        tag.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
    }

    fn open(&self, packet_number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged> {
        let plaintext_len = body.len().checked_sub(TAG_BYTES).ok_or(Forged)?;
        let (plaintext, tag) = body.split_at(plaintext_len);
        let sum = self.checksum(packet_number, header, plaintext);
        if tag == sum { Ok(plaintext_len) } else { Err(Forged) }
    }

    fn next_phase(&self) -> Option<Self> {
        Some(Self { phase: self.phase + 1, ..*self })
    }
}

fn checksum(connection_id: u32, place: u64, packet_number: u64, header: &[u8], text: &[u8]) -> [u8; TAG_BYTES] {
    let mut hasher = SipHasher13::new();
    hasher.write_u32(connection_id);
    hasher.write_u64(place);
    hasher.write_u64(packet_number);
    hasher.write_u64(header.len() as u64);
    hasher.write(header);
    hasher.write(text);
    hasher.finish128().as_bytes()
}

impl Handshake for Plain {
    type Seal = PlainSeal;
    /// What was said in clear.
    type Pending = Vec<u8>;
    type Heard = Vec<u8>;

    fn auth(&self) -> Auth {
        Auth::Open
    }

    fn ciphers(&self) -> u8 {
        0
    }

    fn begin(&self, _secrets: &mut Secrets, context: &[u8]) -> Option<(Vec<u8>, Message)> {
        Some((context.to_vec(), Message::EMPTY))
    }

    fn hear(&self, _secrets: &mut Secrets, context: &[u8], _message: &[u8]) -> Option<Vec<u8>> {
        Some(context.to_vec())
    }

    fn answer(&self, context: Vec<u8>, viewer: Proposal<'_>, parameters: &[u8]) -> Option<(Seals<PlainSeal>, Message)> {
        let message = Message::written(|out| {
            let len = parameters.len() + TAG_BYTES;
            let (text, tag) = out.get_mut(..len)?.split_at_mut(parameters.len());
            text.copy_from_slice(parameters);
            tag.copy_from_slice(&checksum(viewer.connection_id, u64::MAX, 0, &context, parameters));
            Some(len)
        })?;
        Some((PlainSeal::of_session(viewer.connection_id), message))
    }

    fn paired(&self, _key: SharedKey) -> Option<Self> {
        None
    }

    fn conclude(
        &self,
        pending: &mut Vec<u8>,
        connection_id: u32,
        response: &[u8],
        parameters: &mut [u8],
    ) -> Option<Concluded<Self>> {
        let (text, tag) = response.split_at_checked(response.len().checked_sub(TAG_BYTES)?)?;
        if tag != checksum(connection_id, u64::MAX, 0, pending, text) {
            return None;
        }
        parameters.get_mut(..text.len())?.copy_from_slice(text);
        Some(Concluded { seals: PlainSeal::of_session(connection_id), parameters_len: text.len(), next: None })
    }
}
