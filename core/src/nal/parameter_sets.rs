//! Keeps the newest parameter sets of a stream for viewers that join at a key frame without its own.

use alloc::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::annexb::{START_CODE, nal_units};
use super::rbsp::RbspReader;
use super::sps::{self, Sps};
use super::{Codec, h264, h265};
use crate::limits;

/// The newest VPS, SPS and PPS of a stream, by id.
///
/// They travel beside a key frame and never inside it. All of them together, with their start codes, have at most
/// [`limits::PARAMETER_SETS_BYTES_MAX`] bytes; a set that would not fit is refused.
#[derive(Clone, Debug)]
pub struct ParameterSets {
    codec: Codec,
    sets: BTreeMap<Key, Bytes>,
    annexb: Bytes,
    epoch: u8,
    refused: u64,
    dimensions: Option<(u16, u16)>,
}

/// In the order in which a decoder must read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Vps,
    Sps,
    Pps,
}

type Key = (Kind, u8);

impl ParameterSets {
    /// No set yet, epoch 0.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self { codec, sets: BTreeMap::new(), annexb: Bytes::new(), epoch: 0, refused: 0, dimensions: None }
    }

    /// Takes the sets of `access_unit`, the stream's next one. Whether that changed anything; then the epoch is new too.
    pub fn observe(&mut self, access_unit: &[u8]) -> bool {
        let mut changed = false;
        for nal in nal_units(access_unit) {
            if let Some(kind) = kind(self.codec, nal.payload) {
                changed |= self.take(kind, nal.payload);
            }
        }
        if changed {
            self.epoch = self.epoch.wrapping_add(1);
            self.annexb = self.written();
        }
        changed
    }

    /// Counts the changes of content, modulo 256.
    #[must_use]
    pub const fn epoch(&self) -> u8 {
        self.epoch
    }

    /// All sets as a byte stream to feed to a decoder: VPS, SPS and PPS by id, each behind a four-byte start code.
    #[must_use]
    pub fn as_annexb(&self) -> Bytes {
        self.annexb.clone()
    }

    /// Whether there is at least one set of each kind that a decoder needs.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let has = |wanted| self.sets.keys().any(|&(kind, _)| kind == wanted);
        has(Kind::Sps) && has(Kind::Pps) && (self.codec == Codec::H264 || has(Kind::Vps))
    }

    /// Width and height in pixels that the newest readable SPS gives the picture, cropping applied.
    #[must_use]
    pub const fn dimensions(&self) -> Option<(u16, u16)> {
        self.dimensions
    }

    /// How many sets were left out because they would not fit or have no readable id.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn take(&mut self, kind: Kind, nal: &[u8]) -> bool {
        let Some(id) = id(self.codec, kind, nal) else {
            self.refused += 1;
            return false;
        };
        if kind == Kind::Sps {
            self.dimensions = read_sps(self.codec, nal).and_then(|sps| sps.dimensions).or(self.dimensions);
        }
        if self.sets.get(&(kind, id)).is_some_and(|known| known == nal) {
            return false;
        }
        // Even if the new set will not fit, the old one is no longer what the stream means.
        let replaces = self.sets.remove(&(kind, id)).is_some();
        if kind == Kind::Sps && replaces {
            // A PPS is read with the SPS it names; those meant for the new one follow it in the stream.
            let codec = self.codec;
            self.sets.retain(|&(kind, _), pps| kind != Kind::Pps || sps_id_of_pps(codec, pps) != Some(id));
        }
        if self.written_bytes() + START_CODE.len() + nal.len() > limits::PARAMETER_SETS_BYTES_MAX {
            self.refused += 1;
            return replaces;
        }
        self.sets.insert((kind, id), Bytes::copy_from_slice(nal));
        true
    }

    fn written_bytes(&self) -> usize {
        self.sets.values().map(|nal| START_CODE.len() + nal.len()).sum()
    }

    fn written(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.written_bytes());
        for nal in self.sets.values() {
            out.put_slice(&START_CODE);
            out.put_slice(nal);
        }
        out.freeze()
    }
}

fn kind(codec: Codec, nal: &[u8]) -> Option<Kind> {
    match codec {
        Codec::H264 => h264_kind(h264::Header::parse(nal)?.unit_type),
        Codec::H265 => h265_kind(h265::Header::parse(nal).filter(|header| header.layer_id == 0)?.unit_type),
    }
}

fn h264_kind(unit_type: h264::UnitType) -> Option<Kind> {
    if unit_type == h264::UnitType::Sps {
        Some(Kind::Sps)
    } else if unit_type == h264::UnitType::Pps {
        Some(Kind::Pps)
    } else {
        None
    }
}

fn h265_kind(unit_type: h265::UnitType) -> Option<Kind> {
    if unit_type == h265::UnitType::Vps {
        Some(Kind::Vps)
    } else if unit_type == h265::UnitType::Sps {
        Some(Kind::Sps)
    } else if unit_type == h265::UnitType::Pps {
        Some(Kind::Pps)
    } else {
        None
    }
}

/// The set's own id, within the range of clause 7.4.2 (H.264) or 7.4.3 (H.265).
fn id(codec: Codec, kind: Kind, nal: &[u8]) -> Option<u8> {
    match kind {
        Kind::Vps => nal.get(h265::HEADER_BYTES).map(|byte| byte >> 4),
        Kind::Sps => read_sps(codec, nal).map(|sps| sps.id),
        Kind::Pps => {
            let (mut reader, id_max) = pps_reader(codec, nal)?;
            reader.ue_up_to(id_max)
        }
    }
}

fn read_sps(codec: Codec, nal: &[u8]) -> Option<Sps> {
    match codec {
        Codec::H264 => sps::h264(nal),
        Codec::H265 => sps::h265(nal),
    }
}

fn sps_id_of_pps(codec: Codec, nal: &[u8]) -> Option<u8> {
    let (mut reader, id_max) = pps_reader(codec, nal)?;
    reader.ue_up_to(id_max)?;
    reader.ue_up_to(31)
}

/// A PPS starts with its own id and that of its SPS in both codecs.
fn pps_reader(codec: Codec, nal: &[u8]) -> Option<(RbspReader<'_>, u8)> {
    let (header_bytes, id_max) = match codec {
        Codec::H264 => (h264::HEADER_BYTES, 255),
        Codec::H265 => (h265::HEADER_BYTES, 63),
    };
    Some((RbspReader::new(nal.get(header_bytes..)?), id_max))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    /// An SPS (Baseline) whose id, then content, are told apart by `id_bits` and the bytes behind them.
    fn sps(id_bits: u8, rest: &[u8]) -> Vec<u8> {
        [&[0x67, 66, 0, 10, id_bits], rest].concat()
    }

    const PPS_0_OF_0: &[u8] = &[0x68, 0b1100_0001];
    const PPS_0_OF_0_CHANGED: &[u8] = &[0x68, 0b1100_0011];
    const PPS_1_OF_0: &[u8] = &[0x68, 0b0101_0001];
    const PPS_2_OF_1: &[u8] = &[0x68, 0b0110_1011];

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 1], *nal, &[0]].concat()).collect()
    }

    fn annexb(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&START_CODE, *nal].concat()).collect()
    }

    #[track_caller]
    fn check(sets: &mut ParameterSets, nals: &[&[u8]], epoch: u8, expected: &[&[u8]]) {
        let changes = epoch != sets.epoch();
        assert_eq!(sets.observe(&unit(nals)), changes, "{nals:x?}");
        assert_eq!(sets.epoch(), epoch, "{nals:x?}");
        assert_eq!(sets.as_annexb(), annexb(expected), "{nals:x?}");
    }

    #[test]
    fn newest_sets_by_id() {
        let (sps_0, sps_0_changed, sps_1) = (sps(0x80, &[1]), sps(0x80, &[2]), sps(0x40, &[1]));
        let mut sets = ParameterSets::new(Codec::H264);
        check(&mut sets, &[&[9, 0x10], &[0x65, 0x88]], 0, &[]);
        check(&mut sets, &[PPS_1_OF_0], 1, &[PPS_1_OF_0]);
        assert!(!sets.is_complete());
        // Its SPS comes later and replaces nothing, so the PPS stays.
        check(&mut sets, &[&sps_0, PPS_0_OF_0, &[0x65, 0x88]], 2, &[&sps_0, PPS_0_OF_0, PPS_1_OF_0]);
        assert!(sets.is_complete());
        check(&mut sets, &[&sps_0, PPS_0_OF_0], 2, &[&sps_0, PPS_0_OF_0, PPS_1_OF_0]);
        check(&mut sets, &[PPS_0_OF_0_CHANGED], 3, &[&sps_0, PPS_0_OF_0_CHANGED, PPS_1_OF_0]);
        let with_sps_1: [&[u8]; 5] = [&sps_0, &sps_1, PPS_0_OF_0_CHANGED, PPS_1_OF_0, PPS_2_OF_1];
        check(&mut sets, &[&sps_1, PPS_2_OF_1], 4, &with_sps_1);
        // Sets meant for an SPS that is no more go with it.
        check(&mut sets, &[&sps_0_changed, PPS_0_OF_0], 5, &[&sps_0_changed, &sps_1, PPS_0_OF_0, PPS_2_OF_1]);
        assert_eq!(sets.refused(), 0);
    }

    #[test]
    fn epochs_wrap() {
        let mut sets = ParameterSets::new(Codec::H264);
        for round in 0..=u8::MAX {
            assert!(sets.observe(&unit(&[&sps(0x80, &[round / 16 + 1, round % 16 + 1])])));
        }
        assert_eq!(sets.epoch(), 0);
    }

    #[test]
    fn sets_beyond_the_cap_are_refused() {
        let (small, huge) = (sps(0x80, &[1]), sps(0x80, &vec![7; limits::PARAMETER_SETS_BYTES_MAX]));
        let exact = sps(0x80, &vec![7; limits::PARAMETER_SETS_BYTES_MAX - START_CODE.len() - 5]);
        let too_large = [&exact, &[7][..]].concat();
        let mut sets = ParameterSets::new(Codec::H264);
        check(&mut sets, &[&too_large], 0, &[]);
        assert_eq!(sets.refused(), 1);
        let mut sets = ParameterSets::new(Codec::H264);
        check(&mut sets, &[&exact], 1, &[&exact]);
        check(&mut sets, &[PPS_0_OF_0], 1, &[&exact]);
        assert_eq!(sets.refused(), 1);
        check(&mut sets, &[&small, PPS_0_OF_0], 2, &[&small, PPS_0_OF_0]);
        // What the huge one replaces is gone all the same, and so is what was meant for it.
        check(&mut sets, &[&huge], 3, &[]);
        check(&mut sets, &[&huge], 3, &[]);
        assert_eq!(sets.refused(), 3);
        assert!(!sets.is_complete());
    }

    #[test]
    fn dimensions_of_the_newest_readable_set() {
        // Baseline, id 0, then 0 0 0 (frame number, order count), 1 reference, no gaps, 2 x 1 macroblocks, frames only.
        let readable = sps(0b1111_0100, &[0b0101_1001]);
        let mut sets = ParameterSets::new(Codec::H264);
        assert_eq!(sets.dimensions(), None);
        sets.observe(&unit(&[&readable]));
        assert_eq!(sets.dimensions(), Some((32, 16)));
        sets.observe(&unit(&[&sps(0x80, &[])]));
        assert_eq!(sets.dimensions(), Some((32, 16)));
    }

    #[test]
    fn unreadable_sets_are_refused() {
        let mut sets = ParameterSets::new(Codec::H264);
        check(&mut sets, &[&[0x67], &[0x68], &[0x67, 66, 0, 10, 2], &[0x68, 0, 0x80]], 0, &[]);
        assert_eq!(sets.refused(), 4);
    }
}
