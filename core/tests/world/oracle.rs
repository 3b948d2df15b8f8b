//! Access units of the right shape, and what a viewer may make of them.
#![allow(dead_code, reason = "each binary that includes this file uses a part of it")]

use std::collections::BTreeSet;

use bytes::Bytes;
use nalcast_core::recv::ClientEvent;

/// Baseline profile, level 3.1, 1280x720 (ITU-T H.264, clause 7.3.2.1.1), and a picture parameter set for it.
pub(crate) const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe4];
/// The same for 640x368.
pub(crate) const SPS_SMALL: &[u8] = &[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x02, 0x80, 0xbe, 0x40];
pub(crate) const PPS: &[u8] = &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80];

/// What an access unit is to a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    /// A key frame of another size.
    SmallKey,
    /// A key frame that relies on the parameter sets of an earlier one.
    BareKey,
    Delta,
    Disposable,
    /// Of the first layer above the base; others may refer to it.
    Upper,
}

/// An access unit of `len` bytes, or a little more if they do not suffice; `number` makes it unlike any other.
pub(crate) fn unit(kind: Kind, number: u64, len: usize) -> Bytes {
    let slice: &[u8] = match kind {
        Kind::Key | Kind::SmallKey | Kind::BareKey => &[0, 0, 1, 0x65, 0x88, 0x84],
        Kind::Delta => &[0, 0, 1, 0x41, 0x9a, 0x24],
        Kind::Upper => &[0, 0, 1, 0x6e, 0x80, 0x80, 0x2f, 0x20, 0, 0, 1, 0x41, 0x9a, 0x24],
        Kind::Disposable => &[0, 0, 1, 0x01, 0x9a, 0x24],
    };
    let mut unit = match kind {
        Kind::Key => [SPS, PPS].concat(),
        Kind::SmallKey => [SPS_SMALL, PPS].concat(),
        Kind::BareKey | Kind::Delta | Kind::Disposable | Kind::Upper => vec![0],
    };
    unit.extend_from_slice(slice);
    let mut state = number;
    // No byte is below 4, so that no start code and no emulation prevention appears.
    unit.extend((0..5u32).map(|i| (number >> (7 * i)) as u8 | 0x80));
    while unit.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        unit.push((state >> 56) as u8 | 0x40);
    }
    unit.into()
}

#[derive(Debug)]
struct Made {
    bytes: Bytes,
    /// The last frame before it that later ones may refer to; none for a key frame.
    reference: Option<u64>,
    has_parameter_sets: bool,
}

/// What the source made: frame id 1 is the first.
#[derive(Debug, Default)]
pub(crate) struct Source {
    frames: Vec<Made>,
    last_reference: Option<u64>,
}

impl Source {
    pub(crate) fn units(&self) -> u64 {
        self.frames.len() as u64
    }

    pub(crate) fn newest(&self) -> u64 {
        self.units()
    }

    /// `told` is the frame that it refers to, if that is not the last one which may be referred to.
    pub(crate) fn made(&mut self, id: u64, bytes: Bytes, told: Option<u64>) {
        assert_eq!(id, self.newest() + 1, "frame ids have no gaps");
        let has_parameter_sets = [SPS, SPS_SMALL].iter().any(|set| bytes.starts_with(set));
        let header = if has_parameter_sets { bytes[SPS.len() + PPS.len() + 3] } else { bytes[4] };
        let reference = if header == 0x65 { None } else { told.or(self.last_reference) };
        if header != 0x01 {
            self.last_reference = Some(id);
        }
        self.frames.push(Made { bytes, reference, has_parameter_sets });
    }

    pub(crate) fn bytes(&self, id: u64) -> &Bytes {
        &self.frames[usize::try_from(id).expect("few frames") - 1].bytes
    }
}

/// What one viewer got in its session; panics when it gets what it must not.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// The server may lie: nothing it says is checked.
    pub(crate) blind: bool,
    released: BTreeSet<u64>,
    abandoned: BTreeSet<u64>,
    recorded: BTreeSet<u64>,
}

impl Oracle {
    pub(crate) fn newest(&self) -> Option<u64> {
        self.released.last().copied()
    }

    pub(crate) fn check(&mut self, source: &Source, event: &ClientEvent) {
        if self.blind {
            return;
        }
        match event {
            ClientEvent::Connected => *self = Self::default(),
            ClientEvent::AccessUnit(unit) => {
                let id = unit.frame_id;
                assert!((1..=source.newest()).contains(&id), "frame {id} does not exist");
                assert!(self.released.last().is_none_or(|last| *last < id), "{id} after {:?}", self.released.last());
                assert!(!self.abandoned.contains(&id), "frame {id} had been given up");
                let made = &source.frames[usize::try_from(id).expect("few frames") - 1];
                assert_eq!(unit.bytes, made.bytes, "bytes of frame {id}");
                assert_eq!(unit.key, made.reference.is_none());
                assert!(made.reference.is_none_or(|of| self.released.contains(&of)), "{id} needs {:?}", made.reference);
                let beside = unit.parameter_sets.as_ref().is_some_and(|sets| **sets == [SPS, PPS].concat());
                assert!(!unit.key || made.has_parameter_sets != beside, "{id} has its parameter sets once");
                self.released.insert(id);
            }
            ClientEvent::Abandoned { from, to, .. } => {
                assert!(from <= to, "{event:?}");
                assert!(self.released.range(*from..=*to).next().is_none(), "{event:?} of a released frame");
                self.abandoned.extend(*from..=*to);
            }
            ClientEvent::Frame(record) => {
                let times = [record.first_packet, record.completed, record.released, record.decoded, record.shown];
                assert!(times.into_iter().flatten().is_sorted(), "{record:?}");
                assert!(self.recorded.insert(record.frame_id), "told twice: {record:?}");
            }
            ClientEvent::Lost { .. } | ClientEvent::Config(_) | ClientEvent::Freeze(_) | ClientEvent::Ended(_) => {}
        }
    }
}
