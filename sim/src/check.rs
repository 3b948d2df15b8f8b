//! The checkers: what must hold at every step, whatever the network does.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use nalcast_core::limits::{
    AMPLIFICATION_FACTOR_MAX, DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX, GLOBAL_BUFFER_BYTES_MAX, QUEUE_BYTES_MAX,
    SORTED_BUFFER_BYTES_MAX,
};
use nalcast_core::recv::{Abandoned, AccessUnit, ClientStats, FrameRecord};
use nalcast_core::seal::Seal as _;
use nalcast_core::send::{ServerStats, ViewerInfo};
use nalcast_core::wire::control::{Control, Messages};
use nalcast_core::wire::sealed::{Header, TO_SERVER_BYTES, TO_VIEWER_BYTES};

use crate::plain::PlainSeal;
use crate::source::SourceUnit;

/// The type number of ACCEPT, the first answer that only a proven address gets.
const ACCEPT: u8 = 3;

/// A law that was broken, in words.
pub type Violation = String;

/// What one server made: by frame id, what a viewer must find.
#[derive(Debug, Default)]
pub struct Made {
    units: BTreeMap<u64, MadeUnit>,
}

#[derive(Debug)]
struct MadeUnit {
    bytes: Bytes,
    /// The frame that it refers to; none if decoding can begin with it.
    reference: Option<u64>,
}

impl Made {
    /// The server took `unit` as frame `frame_id`.
    pub fn add(&mut self, frame_id: u64, unit: &SourceUnit) {
        let reference = unit.refers_to(frame_id);
        self.units.insert(frame_id, MadeUnit { bytes: unit.bytes.clone(), reference });
    }

    /// The newest frame.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.units.last_key_value().map(|(id, _)| *id)
    }
}

/// The frame id that the newest server gives to the next access unit.
pub(crate) fn next_frame(made: &[Made]) -> u64 {
    made.last().and_then(Made::newest).unwrap_or_default() + 1
}

/// Watches what one viewer's core releases and gives up within one session.
#[derive(Debug, Default)]
pub struct SessionChecker {
    released: BTreeMap<u64, ()>,
    last_ended: Option<u64>,
    recorded: BTreeSet<u64>,
}

impl SessionChecker {
    /// The viewer was handed a unit; `made` is what the server of this session made.
    ///
    /// # Errors
    /// If it is not the unit that was sent, came twice or out of order, or cannot be decoded.
    pub fn released(&mut self, unit: &AccessUnit, made: &Made) -> Result<(), Violation> {
        let id = unit.frame_id;
        self.ends(id, id)?;
        let expected = made.units.get(&id).ok_or_else(|| format!("frame {id} was released but never made"))?;
        if unit.bytes != expected.bytes {
            return Err(format!("frame {id} is not what was sent: {} bytes differ", unit.bytes.len()));
        }
        if let Some(reference) = expected.reference
            && !self.released.contains_key(&reference)
        {
            return Err(format!("frame {id} was released without its reference {reference}"));
        }
        self.released.insert(id, ());
        Ok(())
    }

    /// The viewer told a frame's way.
    ///
    /// # Errors
    /// If that is not the way of a frame that ended, is told twice, or goes back in time.
    pub fn recorded(&mut self, record: &FrameRecord) -> Result<(), Violation> {
        let id = record.frame_id;
        let times = [record.first_packet, record.completed, record.released, record.decoded, record.shown];
        let known: Vec<_> = times.into_iter().flatten().collect();
        let released = self.released.contains_key(&id);
        let ended = released || record.abandoned.is_some();
        let once = self.recorded.insert(id);
        match known.is_sorted() && once && ended && released == record.released.is_some() {
            true => Ok(()),
            false => Err(format!("frame {id} has no such way: {record:?}")),
        }
    }

    /// The viewer gave frames up.
    ///
    /// # Errors
    /// If one of them had ended before.
    pub fn abandoned(&mut self, from: u64, to: u64, _reason: Abandoned) -> Result<(), Violation> {
        self.ends(from, to)
    }

    /// The last frame released.
    #[must_use]
    pub fn last_released(&self) -> Option<u64> {
        self.released.last_key_value().map(|(id, ())| *id)
    }

    /// How many frames were released.
    #[must_use]
    pub fn count(&self) -> usize {
        self.released.len()
    }

    /// Each frame ends exactly once, in order, and none is passed over in silence.
    fn ends(&mut self, from: u64, to: u64) -> Result<(), Violation> {
        if from > to {
            return Err(format!("an empty range {from}..={to} ended"));
        }
        if let Some(last) = self.last_ended
            && from != last + 1
        {
            return Err(format!("frame {from} ended after frame {last}"));
        }
        self.last_ended = Some(to);
        Ok(())
    }
}

/// Watches what the server sends to one address.
#[derive(Debug, Default)]
pub struct AddressChecker {
    received: u64,
    sent: u64,
    proven: bool,
    confirmed: bool,
    /// A viewer moved here: its datagrams prove it less than its answer to a challenge does.
    moved: bool,
}

impl AddressChecker {
    /// Watches an address that a viewer with a session has just come to.
    #[must_use]
    pub fn moved() -> Self {
        Self { moved: true, ..Self::default() }
    }

    /// A datagram from the address reached the server.
    pub fn received(&mut self, datagram: &[u8]) {
        self.received += datagram.len() as u64;
        if Header::is_sealed(datagram) {
            let answers = messages(datagram).any(|message| matches!(message, Control::PathResponse(_)));
            self.proven |= answers;
            self.confirmed |= !self.moved || self.proven;
        }
    }

    /// The server is gone, and what it knew.
    pub const fn forget(&mut self) {
        *self = Self { received: 0, sent: 0, proven: false, confirmed: false, moved: false };
    }

    /// The server sends a datagram to the address, of which it says that datagrams up to `size_known` reach it.
    ///
    /// # Errors
    /// If it is too large, too much for an unproven address, or media before the session was confirmed.
    pub fn sends(&mut self, datagram: &[u8], size_known: Option<usize>) -> Result<(), Violation> {
        if datagram.is_empty() || datagram.len() > DATAGRAM_BYTES_MAX {
            return Err(format!("a datagram of {} bytes", datagram.len()));
        }
        self.sent += datagram.len() as u64;
        if Header::is_sealed(datagram) {
            let is_media = datagram.get(TO_VIEWER_BYTES).is_some_and(|first| first & 0x80 == 0);
            if is_media && size_known.is_some_and(|known| datagram.len() > known) {
                return Err(format!("media of {} bytes on a path of {size_known:?}", datagram.len()));
            }
            if self.moved && !self.confirmed && !is_media {
                let few = self.sent <= self.received * AMPLIFICATION_FACTOR_MAX as u64;
                return if few { Ok(()) } else { Err("more than three times what came from a new address".into()) };
            }
            return if self.confirmed { Ok(()) } else { Err("sealed data before the session was confirmed".into()) };
        }
        self.proven |= datagram.first() == Some(&ACCEPT);
        if !self.proven && self.sent > self.received * AMPLIFICATION_FACTOR_MAX as u64 {
            return Err(format!("{} bytes sent to an unproven address for {} received", self.sent, self.received));
        }
        Ok(())
    }
}

/// The messages in a datagram that a viewer sends, sealed as [`Plain`](crate::plain::Plain) seals it.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Control<'_>> {
    let end = datagram.len().saturating_sub(PlainSeal::TAG_BYTES);
    Messages::new(datagram.get(TO_SERVER_BYTES..end).unwrap_or_default()).filter_map(Result::ok)
}

/// The caps of a viewer's buffers.
///
/// # Errors
/// Names the one that was exceeded.
pub fn client_caps(stats: &ClientStats) -> Result<(), Violation> {
    at_most("sorted buffer bytes", stats.receiver.held_bytes_peak, SORTED_BUFFER_BYTES_MAX)
}

/// The caps of the server's buffers.
///
/// # Errors
/// Names the one that was exceeded.
pub fn server_caps(stats: &ServerStats, viewers: impl Iterator<Item = ViewerInfo>) -> Result<(), Violation> {
    at_most("global buffer bytes", stats.global_buffer_bytes as u64, GLOBAL_BUFFER_BYTES_MAX)?;
    let unproven = stats.unproven_bytes_received * AMPLIFICATION_FACTOR_MAX as u64;
    at_most("bytes to unproven addresses", stats.unproven_bytes_sent, unproven as usize)?;
    for viewer in viewers {
        at_most("queue bytes", viewer.queue_bytes as u64, QUEUE_BYTES_MAX + FRAME_BYTES_MAX)?;
    }
    Ok(())
}

fn at_most(what: &str, value: u64, cap: usize) -> Result<(), Violation> {
    if value <= cap as u64 { Ok(()) } else { Err(format!("{what}: {value} over the cap of {cap}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalcast_core::Timestamp;
    use nalcast_core::nal::Codec;

    fn made() -> Made {
        let mut made = Made::default();
        for (id, refers_back) in [(1, 0), (2, 1), (3, 2), (4, 1)] {
            let bytes = Bytes::from(vec![id as u8; 10]);
            let key = id == 1;
            made.add(id, &SourceUnit { bytes, key, disposable: id == 2, refers_back, ..SourceUnit::default() });
        }
        made
    }

    fn unit(frame_id: u64, byte: u8) -> AccessUnit {
        AccessUnit {
            frame_id,
            codec: Codec::H264,
            key: false,
            late: false,
            capture: None,
            completed: Timestamp::ZERO,
            parameter_sets: None,
            bytes: Bytes::from(vec![byte; 10]),
        }
    }

    #[test]
    fn the_session_checker_finds_each_kind_of_wrong() {
        let check = |releases: &[(u64, u8)]| {
            let mut checker = SessionChecker::default();
            releases.iter().try_for_each(|(id, byte)| checker.released(&unit(*id, *byte), &made()))
        };
        assert_eq!(check(&[(1, 1), (2, 2), (3, 3), (4, 4)]), Ok(()));
        for (wrong, releases) in [
            ("other bytes", &[(1, 1), (2, 9)][..]),
            ("never made", &[(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]),
            ("twice", &[(1, 1), (1, 1)]),
            ("backwards", &[(1, 1), (2, 2), (1, 1)]),
            ("passed over in silence", &[(1, 1), (3, 3)]),
            ("without its reference", &[(3, 3)]),
        ] {
            assert!(check(releases).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_frame_ends_once() {
        let mut checker = SessionChecker::default();
        assert_eq!(checker.abandoned(3, 5, Abandoned::Skipped), Ok(()));
        assert!(checker.abandoned(5, 6, Abandoned::Late).is_err());
        assert!(SessionChecker::default().abandoned(5, 4, Abandoned::Late).is_err());
    }

    #[test]
    fn the_address_checker_finds_amplification_and_early_media() {
        let retry = [2; 33];
        let mut address = AddressChecker::default();
        assert!(address.sends(&retry, None).is_err(), "nothing was received");
        let mut address = AddressChecker::default();
        address.received(&[1; 11]);
        assert_eq!(address.sends(&retry, None), Ok(()));
        assert!(address.sends(&retry, None).is_err(), "six times what was received");
        let sealed = [0x80; 40];
        assert!(address.sends(&sealed, None).is_err());
        address.received(&sealed);
        assert_eq!(address.sends(&sealed, None), Ok(()));
        assert!(address.sends(&[0x80; DATAGRAM_BYTES_MAX + 1], None).is_err());
    }

    #[test]
    fn the_address_checker_knows_a_path_and_its_size() {
        let mut media = [0; 60];
        media[0] = 0x80;
        let mut address = AddressChecker::moved();
        address.received(&[0x80; 40]);
        assert!(address.sends(&media, None).is_err(), "media before the answer");
        assert_eq!(address.sends(&[0x80; 50], None), Ok(()), "a challenge");
        assert!(address.sends(&[0x80; 50], None).is_err(), "over three times");
        let mut response = [0; 7 + 10 + PlainSeal::TAG_BYTES];
        (response[0], response[7], response[8]) = (0xc0, 0x88, 8);
        address.received(&response);
        assert_eq!(address.sends(&media, Some(60)), Ok(()));
        assert!(address.sends(&media, Some(59)).is_err(), "larger than is known to pass");
    }

    #[test]
    fn caps_are_compared() {
        let mut stats = ClientStats::default();
        assert_eq!(client_caps(&stats), Ok(()));
        stats.receiver.held_bytes_peak = SORTED_BUFFER_BYTES_MAX as u64 + 1;
        assert!(client_caps(&stats).is_err());
        let server = ServerStats { unproven_bytes_sent: 4, unproven_bytes_received: 1, ..Default::default() };
        assert!(server_caps(&server, core::iter::empty()).is_err());
    }
}
