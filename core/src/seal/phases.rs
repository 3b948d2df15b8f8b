//! The phases of a direction's keys: new keys after so many datagrams or so much time, and the old ones for a while.

use core::time::Duration;

use super::{Forged, Seal};
use crate::limits::{FORGED_DATAGRAMS_MAX, KEY_DATAGRAMS, KEY_DATAGRAMS_MAX, KEY_PERIOD};
use crate::time::Timestamp;

/// The keys that this side sends with.
#[derive(Debug)]
pub(super) struct Sending<S> {
    seal: S,
    phase: bool,
    /// The first packet number of the phase.
    first: u64,
    since: Option<Timestamp>,
    /// The largest packet number that the peer is known to have opened.
    acknowledged: u64,
}

impl<S: Seal> Sending<S> {
    pub(super) const fn new(seal: S) -> Self {
        Self { seal, phase: false, first: 1, since: None, acknowledged: 0 }
    }

    pub(super) const fn phase(&self) -> bool {
        self.phase
    }

    /// The keys for packet `number`, unless they were used as often as is safe.
    pub(super) const fn seal_for(&self, number: u64) -> Option<&S> {
        if number - self.first < KEY_DATAGRAMS_MAX { Some(&self.seal) } else { None }
    }

    pub(super) fn acknowledge(&mut self, number: u64) {
        self.acknowledged = self.acknowledged.max(number);
    }

    /// Takes new keys from packet `next` on if it is time to; not before the peer was seen to have these.
    pub(super) fn renew(&mut self, now: Timestamp, next: u64) {
        let since = *self.since.get_or_insert(now);
        let is_time = next - self.first >= KEY_DATAGRAMS || now - since >= KEY_PERIOD;
        if !is_time || self.acknowledged < self.first {
            return;
        }
        if let Some(seal) = self.seal.next_phase() {
            *self = Self { seal, phase: !self.phase, first: next, since: Some(now), acknowledged: self.acknowledged };
        }
    }
}

/// The keys that this side opens with.
#[derive(Debug)]
pub(super) struct Receiving<S> {
    seal: S,
    phase: bool,
    /// The packet number that began the phase.
    first: u64,
    next: Option<S>,
    /// For what was under way when the phase began, and until when, once that is decided.
    previous: Option<(S, Option<Timestamp>)>,
    /// Datagrams that did not open.
    forged: u64,
}

impl<S: Seal> Receiving<S> {
    pub(super) fn new(seal: S) -> Self {
        let next = seal.next_phase();
        Self { seal, phase: false, first: 0, next, previous: None, forged: 0 }
    }

    /// Opens `body` with the keys that `phase` and `number` call for. The first datagram of a phase begins it. Nothing
    /// opens any more after so many forgeries that one might succeed; the session ends by silence then.
    pub(super) fn open(&mut self, phase: bool, number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged> {
        if self.forged >= FORGED_DATAGRAMS_MAX {
            return Err(Forged);
        }
        let opened = self.try_open(phase, number, header, body);
        self.forged += u64::from(opened.is_err());
        opened
    }

    fn try_open(&mut self, phase: bool, number: u64, header: &[u8], body: &mut [u8]) -> Result<usize, Forged> {
        if phase == self.phase {
            return self.seal.open(number, header, body);
        }
        if number < self.first {
            let (previous, _) = self.previous.as_ref().ok_or(Forged)?;
            return previous.open(number, header, body);
        }
        let len = self.next.as_ref().ok_or(Forged)?.open(number, header, body)?;
        if let Some(seal) = self.next.take() {
            self.next = seal.next_phase();
            self.previous = Some((core::mem::replace(&mut self.seal, seal), None));
            (self.phase, self.first) = (phase, number);
        }
        Ok(len)
    }

    /// Forgets the old keys when nothing that they sealed can still be under way.
    pub(super) fn forget(&mut self, now: Timestamp, keep: Duration) {
        if let Some((_, until)) = &mut self.previous
            && now >= *until.get_or_insert(now + keep)
        {
            self.previous = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{Aead, Cipher};

    #[test]
    fn nothing_opens_after_too_many_forgeries() {
        let cipher = || Cipher::new(Aead::ChaCha20Poly1305, &[1; 32], b"").unwrap();
        for (forged, opens) in [(FORGED_DATAGRAMS_MAX - 2, true), (FORGED_DATAGRAMS_MAX - 1, false)] {
            let mut receiving = Receiving { forged, ..Receiving::new(cipher()) };
            assert_eq!(receiving.open(false, 1, b"h", &mut [0; 20]), Err(Forged));
            let mut body = [0; 20];
            cipher().seal(2, b"h", &mut body);
            assert_eq!(receiving.open(false, 2, b"h", &mut body).is_ok(), opens, "{forged}");
        }
    }
}
