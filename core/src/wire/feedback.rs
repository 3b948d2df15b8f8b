//! FEEDBACK: the viewer's one report. Everything in it is state that is true now and is repeated while it stays
//! true, so that a lost report loses nothing.
//!
//! | field | size |
//! |---|---|
//! | flags: bit 0 NEED, 1 RECOVER, 2 ECN, 3 paused, 4 something was decoded | u8 |
//! | CONFIG epoch that was heard | u8 |
//! | largest packet number received, low bits | u32 |
//! | time since it was received, 64 us units | u16 |
//! | when it was received, viewer's clock, 64 us units, low bits | u24 |
//! | last decoded frame, then the first frame still waited for, low bits | 2 x u16 |
//! | number of bits (varint <= 512), then the bits: bit i = packet largest-1-i received | varint, n/8 |
//! | for each set bit: time between it and the next newer reception, 64 us units; 255 = u16 follows | 1 or 3 B |
//! | NEED: count u8, then frame u16, block u8, missing u8, slack u8 (2 ms) each | 5 B each |
//! | RECOVER: kind u8, first bad u16, last good u16 | 5 |
//! | ECN: CE count | u16 |

use super::{Reader, WireError, Writer};
use crate::limits;
use core::time::Duration;

/// Microseconds in the unit of times in a report.
pub const TIME_UNIT_US: u64 = 64;
/// The unit of times left in a report.
pub const SLACK_UNIT: Duration = Duration::from_millis(2);
/// [`Need::missing`] of a frame of which nothing came.
pub const WHOLE_FRAME: u8 = 255;
const GAP_ESCAPE: u8 = 255;
/// Bytes of one NEED.
const NEED_BYTES: usize = 5;

const HAS_NEED: u8 = 1;
const HAS_RECOVER: u8 = 2;
const HAS_ECN: u8 = 4;
const PAUSED: u8 = 8;
const DECODED: u8 = 16;
const RESERVED: u8 = 0xe0;

/// What would help a viewer that cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoverKind {
    /// A frame that refers to an older, confirmed picture.
    Reference,
    /// A key frame.
    Key,
}

/// The viewer cannot decode what comes: it asks for a way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recover {
    /// What would help.
    pub kind: RecoverKind,
    /// First frame that it cannot decode, low bits.
    pub first_bad: u16,
    /// Last frame that it decoded, low bits.
    pub last_good: u16,
}

/// A frame that the viewer still wants more fragments of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The frame, low bits.
    pub frame: u16,
    /// Block within the frame.
    pub block: u8,
    /// Symbols missing; [`WHOLE_FRAME`] if nothing of it came.
    pub missing: u8,
    /// Time left until they are useless, in [`SLACK_UNIT`]; the largest stands for more, too.
    pub slack: u8,
}

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// CONFIG epoch that was heard.
    pub config_epoch: u8,
    /// Largest packet number received, low bits.
    pub largest: u32,
    /// Time since it was received, in [`TIME_UNIT_US`].
    pub ack_delay: u16,
    /// When it was received, viewer's clock in [`TIME_UNIT_US`], low 24 bits.
    pub received_at: u32,
    /// Last frame handed to the decoder, low bits; none yet if absent.
    pub last_decoded: Option<u16>,
    /// The lowest frame that is neither complete nor given up, low bits.
    pub waiting_for: u16,
    /// The viewer wants no media now.
    pub paused: bool,
    /// Packets below the largest that were received.
    pub acks: Acks<'a>,
    /// Frames that need more fragments.
    pub needs: Needs<'a>,
    /// The way back that is needed.
    pub recover: Option<Recover>,
    /// Congestion-experienced marks seen.
    pub ce_count: Option<u16>,
}

impl Need {
    /// The form that a report holds.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; NEED_BYTES] {
        let [high, low] = self.frame.to_be_bytes();
        [high, low, self.block, self.missing, self.slack]
    }
}

impl<'a> Feedback<'a> {
    /// Parses a message body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let flags = reader.u8()?;
        let (config_epoch, largest) = (reader.u8()?, reader.u32()?);
        let (ack_delay, received_at) = (reader.u16()?, reader.u24()?);
        let (decoded, waiting_for) = (reader.u16()?, reader.u16()?);
        let nothing_decoded = flags & DECODED == 0;
        if flags & RESERVED != 0 || (nothing_decoded && decoded != 0) {
            return Err(WireError::Field);
        }
        let acks = Acks::read(&mut reader)?;
        let needs = if flags & HAS_NEED == 0 { Needs(&[]) } else { Needs::read(&mut reader)? };
        let recover = if flags & HAS_RECOVER == 0 { None } else { Some(read_recover(&mut reader)?) };
        let ce_count = if flags & HAS_ECN == 0 { None } else { Some(reader.u16()?) };
        if !reader.is_empty() {
            return Err(WireError::Trailing);
        }
        Ok(Self {
            config_epoch,
            largest,
            ack_delay,
            received_at,
            last_decoded: (!nothing_decoded).then_some(decoded),
            waiting_for,
            paused: flags & PAUSED != 0,
            acks,
            needs,
            recover,
            ce_count,
        })
    }

    /// Appends the message body.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(flag(!self.needs.0.is_empty(), HAS_NEED)
            | flag(self.recover.is_some(), HAS_RECOVER)
            | flag(self.ce_count.is_some(), HAS_ECN)
            | flag(self.paused, PAUSED)
            | flag(self.last_decoded.is_some(), DECODED));
        writer.u8(self.config_epoch);
        writer.u32(self.largest);
        writer.u16(self.ack_delay);
        writer.u24(self.received_at);
        writer.u16(self.last_decoded.unwrap_or_default());
        writer.u16(self.waiting_for);
        writer.varint(u32::from(self.acks.bits));
        writer.bytes(self.acks.bitmap);
        writer.bytes(self.acks.gaps);
        if !self.needs.0.is_empty() {
            writer.u8(u8::try_from(self.needs.0.len() / NEED_BYTES).unwrap_or(u8::MAX));
            writer.bytes(self.needs.0);
        }
        if let Some(recover) = self.recover {
            writer.u8(match recover.kind {
                RecoverKind::Reference => 1,
                RecoverKind::Key => 2,
            });
            writer.u16(recover.first_bad);
            writer.u16(recover.last_good);
        }
        if let Some(count) = self.ce_count {
            writer.u16(count);
        }
    }
}

fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

fn read_recover(reader: &mut Reader<'_>) -> Result<Recover, WireError> {
    let kind = match reader.u8()? {
        1 => RecoverKind::Reference,
        2 => RecoverKind::Key,
        _ => return Err(WireError::Field),
    };
    Ok(Recover { kind, first_bad: reader.u16()?, last_good: reader.u16()? })
}

/// The packets below the largest that were received, with their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acks<'a> {
    bits: u16,
    bitmap: &'a [u8],
    gaps: &'a [u8],
}

impl<'a> Acks<'a> {
    /// Acknowledgements from their parts: `bits` valid bits in `bitmap`, most significant first, and one
    /// encoded gap ([`write_gap`]) for each that is set.
    #[must_use]
    pub const fn from_parts(bits: u16, bitmap: &'a [u8], gaps: &'a [u8]) -> Self {
        Self { bits, bitmap, gaps }
    }

    /// How many packets below the largest it tells of.
    #[must_use]
    pub const fn bits(&self) -> u64 {
        self.bits as u64
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let bits = reader.varint()?;
        let bits = u16::try_from(bits).map_err(|_| WireError::Field)?;
        if usize::from(bits) > limits::ACK_BITS_MAX {
            return Err(WireError::Field);
        }
        let bitmap = reader.bytes(usize::from(bits).div_ceil(8))?;
        let unused = usize::from(bits).div_ceil(8) * 8 - usize::from(bits);
        if bitmap.last().is_some_and(|last| u32::from(*last).trailing_zeros() < u32::try_from(unused).unwrap_or(8)) {
            return Err(WireError::Field);
        }
        let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
        let start = reader.rest();
        for _ in 0..set {
            if reader.u8()? == GAP_ESCAPE {
                reader.u16()?;
            }
        }
        let gaps = start.get(..start.len() - reader.rest().len()).unwrap_or_default();
        Ok(Self { bits, bitmap, gaps })
    }

    /// The received packets from new to old: how far below the largest (1 = the one before it), and how long
    /// before the next newer reception it came, in [`TIME_UNIT_US`].
    pub fn received(&self) -> impl Iterator<Item = (u64, u64)> + use<'a> {
        let (bits, bitmap) = (u64::from(self.bits), self.bitmap);
        let mut gaps = Reader::new(self.gaps);
        (0..bits).zip(bitmap.iter().flat_map(|byte| (0..8).map(move |i| byte & (0x80 >> i) != 0))).filter_map(
            move |(below, set)| {
                if !set {
                    return None;
                }
                let gap = match gaps.u8() {
                    Ok(GAP_ESCAPE) => u64::from(gaps.u16().unwrap_or(u16::MAX)),
                    Ok(gap) => u64::from(gap),
                    Err(_) => 0,
                };
                Some((below + 1, gap))
            },
        )
    }
}

/// Appends the time between two receptions, in [`TIME_UNIT_US`], in the form a report holds.
pub fn write_gap(writer: &mut Writer<'_>, gap: u64) {
    match u8::try_from(gap) {
        Ok(short) if short != GAP_ESCAPE => writer.u8(short),
        _ => {
            writer.u8(GAP_ESCAPE);
            writer.u16(u16::try_from(gap).unwrap_or(u16::MAX));
        }
    }
}

/// The frames that need more fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs<'a>(&'a [u8]);

impl<'a> Needs<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = usize::from(reader.u8()?);
        if count == 0 || count > limits::NEED_MAX {
            return Err(WireError::Field);
        }
        Ok(Self(reader.bytes(count * NEED_BYTES)?))
    }

    /// A list from what [`Need::to_bytes`] gave.
    #[must_use]
    pub const fn from_bytes(needs: &'a [[u8; NEED_BYTES]]) -> Self {
        Self(needs.as_flattened())
    }

    /// The list, most urgent first.
    pub fn iter(&self) -> impl Iterator<Item = Need> + use<'a> {
        self.0.as_chunks::<NEED_BYTES>().0.iter().map(|&[high, low, block, missing, slack]| Need {
            frame: u16::from_be_bytes([high, low]),
            block,
            missing,
            slack,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    const REPORT: Feedback<'_> = Feedback {
        config_epoch: 3,
        largest: 0x0102_0304,
        ack_delay: 17,
        received_at: 0xab_cdef,
        last_decoded: Some(9),
        waiting_for: 11,
        paused: false,
        acks: Acks { bits: 10, bitmap: &[0b1010_0000, 0b0100_0000], gaps: &[5, 255, 1, 0, 7] },
        needs: Needs(&[0, 11, 0, 255, 20]),
        recover: Some(Recover { kind: RecoverKind::Key, first_bad: 11, last_good: 9 }),
        ce_count: Some(4),
    };

    fn written(report: &Feedback<'_>) -> Vec<u8> {
        let mut buf = vec![0; 1200];
        let mut writer = Writer::new(&mut buf);
        report.write(&mut writer);
        let len = writer.finish().unwrap();
        buf.truncate(len);
        buf
    }

    #[test]
    fn a_report_comes_back() {
        for report in [REPORT, Feedback { last_decoded: None, recover: None, ce_count: None, ..REPORT }] {
            assert_eq!(Feedback::parse(&written(&report)), Ok(report));
        }
        let received: Vec<_> = REPORT.acks.received().collect();
        assert_eq!(received, [(1, 5), (3, 256), (10, 7)]);
        assert_eq!(REPORT.needs.iter().map(|need| need.missing).collect::<Vec<_>>(), [255]);
    }

    #[test]
    fn every_cut_and_a_trailing_byte_are_refused() {
        let bytes = written(&REPORT);
        for cut in 0..bytes.len() {
            assert!(Feedback::parse(&bytes[..cut]).is_err(), "cut to {cut}");
        }
        assert_eq!(Feedback::parse(&[bytes, vec![0]].concat()), Err(WireError::Trailing));
    }

    #[test]
    fn bits_beyond_the_count_and_beyond_the_cap_are_refused() {
        let unused_bit = Feedback { acks: Acks { bits: 10, bitmap: &[0, 0b0010_0000], gaps: &[0] }, ..REPORT };
        assert_eq!(Feedback::parse(&written(&unused_bit)), Err(WireError::Field));
        let many = Feedback { acks: Acks { bits: 520, bitmap: &[0; 65], gaps: &[] }, ..REPORT };
        assert_eq!(Feedback::parse(&written(&many)), Err(WireError::Field));
    }

    #[test]
    fn long_gaps_take_the_escape() {
        for (gap, len) in [(0, 1), (254, 1), (255, 3), (1 << 20, 3)] {
            let mut buf = [0; 4];
            let mut writer = Writer::new(&mut buf);
            write_gap(&mut writer, gap);
            assert_eq!(writer.finish(), Some(len));
        }
    }
}
