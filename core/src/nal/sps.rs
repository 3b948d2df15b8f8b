//! What is read of a sequence parameter set: its id, its sub-layers and the size of its pictures.

use super::h264;
use super::h265;
use super::rbsp::RbspReader;

/// A sequence parameter set, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sps {
    /// 0 to 31 in H.264, 0 to 15 in H.265.
    pub(super) id: u8,
    /// The highest temporal id that pictures may have; 0 in H.264, which does not say.
    pub(super) temporal_id_max: u8,
    /// Width and height of the cropped picture in pixels; `None` if unreadable or beyond 65535.
    pub(super) dimensions: Option<(u16, u16)>,
}

/// Clause 7.3.2.1.1 of ITU-T H.264; `None` if `nal` is no SPS or has no readable id.
pub(super) fn h264(nal: &[u8]) -> Option<Sps> {
    let header = h264::Header::parse(nal)?;
    if header.unit_type != h264::UnitType::Sps || header.ref_idc == 0 {
        return None;
    }
    let mut reader = RbspReader::new(nal.get(h264::HEADER_BYTES..)?);
    let profile = reader.bits(8)?;
    reader.skip(16)?;
    let id = reader.ue_up_to(31)?;
    Some(Sps { id, temporal_id_max: 0, dimensions: h264_dimensions(&mut reader, profile) })
}

fn h264_dimensions(reader: &mut RbspReader<'_>, profile: u32) -> Option<(u16, u16)> {
    let chroma = match profile {
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135 => h264_chroma(reader)?,
        _ => Chroma::YUV420,
    };
    reader.ue_up_to(12)?;
    match reader.ue_up_to(2)? {
        0 => {
            reader.ue_up_to(12)?;
        }
        1 => {
            reader.skip(1)?;
            reader.se()?;
            reader.se()?;
            for _ in 0..reader.ue_up_to(255)? {
                reader.se()?;
            }
        }
        _ => {}
    }
    reader.ue()?;
    reader.skip(1)?;
    let width = reader.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = reader.ue()?.checked_add(1)?.checked_mul(16)?;
    let frame_mbs_only = reader.flag()?;
    // Fields halve the height of a map unit and so double what one of them, and one step of cropping, stands for.
    let fields = if frame_mbs_only { 1 } else { 2 };
    if !frame_mbs_only {
        reader.skip(1)?;
    }
    reader.skip(1)?;
    let unit = Chroma { width: chroma.width, height: chroma.height * fields };
    cropped(reader, (width, map_units.checked_mul(fields)?), unit)
}

/// From `chroma_format_idc` to the scaling matrices.
fn h264_chroma(reader: &mut RbspReader<'_>) -> Option<Chroma> {
    let format = reader.ue_up_to(3)?;
    if format == 3 {
        reader.skip(1)?;
    }
    reader.ue_up_to(6)?;
    reader.ue_up_to(6)?;
    reader.skip(1)?;
    if reader.flag()? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if reader.flag()? {
                skip_scaling_list(reader, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(Chroma::of_format(format))
}

/// Clause 7.3.2.1.1.1: the list ends early once its next scale is 0.
fn skip_scaling_list(reader: &mut RbspReader<'_>, len: u32) -> Option<()> {
    let mut last = 8i64;
    for _ in 0..len {
        let next = (last + reader.se()?).rem_euclid(256);
        if next == 0 {
            break;
        }
        last = next;
    }
    Some(())
}

/// Clause 7.3.2.2.1 of ITU-T H.265; `None` if `nal` is no SPS of the base layer or has no readable id.
pub(super) fn h265(nal: &[u8]) -> Option<Sps> {
    let header = h265::Header::parse(nal)?;
    if header.unit_type != h265::UnitType::Sps || header.layer_id != 0 {
        return None;
    }
    let mut reader = RbspReader::new(nal.get(h265::HEADER_BYTES..)?);
    reader.skip(4)?;
    let temporal_id_max = reader.bits(3).and_then(|bits| u8::try_from(bits).ok())?;
    if temporal_id_max > h265::TEMPORAL_ID_MAX {
        return None;
    }
    reader.skip(1)?;
    skip_profile_tier_level(&mut reader, temporal_id_max)?;
    let id = reader.ue_up_to(15)?;
    Some(Sps { id, temporal_id_max, dimensions: h265_dimensions(&mut reader) })
}

/// Clause 7.3.3 of ITU-T H.265.
fn skip_profile_tier_level(reader: &mut RbspReader<'_>, temporal_id_max: u8) -> Option<()> {
    const PROFILE_BITS: u32 = 88;
    const LEVEL_BITS: u32 = 8;
    reader.skip(PROFILE_BITS + LEVEL_BITS)?;
    let mut sub_layer_bits = 0;
    for _ in 0..temporal_id_max {
        sub_layer_bits += if reader.flag()? { PROFILE_BITS } else { 0 };
        sub_layer_bits += if reader.flag()? { LEVEL_BITS } else { 0 };
    }
    if temporal_id_max > 0 {
        // Flag pairs stand for 8 sub-layers, whatever their true number.
        reader.skip(2 * (8 - u32::from(temporal_id_max)))?;
    }
    reader.skip(sub_layer_bits)
}

fn h265_dimensions(reader: &mut RbspReader<'_>) -> Option<(u16, u16)> {
    let format = reader.ue_up_to(3)?;
    if format == 3 {
        reader.skip(1)?;
    }
    let coded = (reader.ue()?, reader.ue()?);
    cropped(reader, coded, Chroma::of_format(format))
}

/// Reads the flag and the four offsets of a cropping or conformance window, in units of `unit`.
fn cropped(reader: &mut RbspReader<'_>, (width, height): (u32, u32), unit: Chroma) -> Option<(u16, u16)> {
    let [left, right, top, bottom] =
        if reader.flag()? { [reader.ue()?, reader.ue()?, reader.ue()?, reader.ue()?] } else { [0; 4] };
    let shrink = |coded: u32, one: u32, other: u32, unit: u32| {
        let visible = coded.checked_sub(one.checked_add(other)?.checked_mul(unit)?)?;
        u16::try_from(visible).ok().filter(|&visible| visible > 0)
    };
    Some((shrink(width, left, right, unit.width)?, shrink(height, top, bottom, unit.height)?))
}

/// Luma samples per chroma sample in each direction, which is the step of cropping (Table 6-1 of both standards).
#[derive(Clone, Copy, Debug)]
struct Chroma {
    width: u32,
    height: u32,
}

impl Chroma {
    const YUV420: Self = Self { width: 2, height: 2 };

    const fn of_format(chroma_format_idc: u8) -> Self {
        match chroma_format_idc {
            1 => Self::YUV420,
            2 => Self { width: 2, height: 1 },
            _ => Self { width: 1, height: 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Writes an SPS from syntax elements, so that a case says what it means.
    #[derive(Default)]
    struct Bits(Vec<bool>);

    impl Bits {
        fn u(mut self, count: u32, value: u32) -> Self {
            self.0.extend((0..count).rev().map(|bit| (value >> bit) & 1 == 1));
            self
        }

        fn ue(self, values: &[u32]) -> Self {
            values.iter().fold(self, |bits, &value| {
                let len = (value + 1).ilog2();
                bits.u(len, 0).u(len + 1, value + 1)
            })
        }

        fn nal(self, header: &[u8]) -> Vec<u8> {
            let mut bytes = header.to_vec();
            for chunk in self.u(1, 1).0.chunks(8) {
                let byte = chunk.iter().enumerate().fold(0, |byte, (bit, &set)| byte | (u8::from(set) << (7 - bit)));
                if bytes.ends_with(&[0, 0]) && byte <= 3 {
                    bytes.push(3);
                }
                bytes.push(byte);
            }
            bytes
        }
    }

    /// `width_mbs`, `height` in map units, whether frames only, and cropping; chroma format if High.
    fn h264_sps(format: Option<u32>, size: (u32, u32), frames_only: bool, crop: Option<[u32; 4]>) -> Vec<u8> {
        let mut bits = Bits::default().u(8, if format.is_some() { 244 } else { 66 }).u(16, 30).ue(&[3]);
        if let Some(format) = format {
            bits = bits.ue(&[format]);
            if format == 3 {
                bits = bits.u(1, 0);
            }
            // A flat first scaling list, one that ends at once (delta -8), and none of the others.
            bits = bits.ue(&[0, 0]).u(2, 1).u(1, 1).ue(&[0; 16]).u(1, 1).ue(&[16]);
            bits = bits.u(if format == 3 { 10 } else { 6 }, 0);
        }
        // Picture order count type 1 with a cycle of two frames.
        bits = bits.ue(&[0, 1]).u(1, 0).ue(&[4, 5, 2, 7, 8]).ue(&[4]).u(1, 0).ue(&[size.0 - 1, size.1 - 1]);
        bits = if frames_only { bits.u(2, 0b11) } else { bits.u(3, 0b011) };
        match crop {
            Some(crop) => bits.u(1, 1).ue(&crop),
            None => bits.u(1, 0),
        }
        .nal(&[0x67])
    }

    #[track_caller]
    fn check(nal: &[u8], dimensions: Option<(u16, u16)>) {
        assert_eq!(h264(nal), Some(Sps { id: 3, temporal_id_max: 0, dimensions }), "{nal:x?}");
        // However it is cut off, it is read without panic, and to nothing wrong.
        for len in 0..nal.len() {
            let read = nal.get(..len).and_then(h264).and_then(|sps| sps.dimensions);
            assert!(read.is_none() || read == dimensions, "{len} bytes of {nal:x?}");
        }
    }

    #[test]
    fn h264_dimensions_with_cropping() {
        check(&h264_sps(None, (80, 45), true, None), Some((1280, 720)));
        check(&h264_sps(None, (120, 68), true, Some([0, 0, 0, 4])), Some((1920, 1080)));
        check(&h264_sps(None, (120, 34), false, Some([0, 0, 0, 2])), Some((1920, 1080)));
        check(&h264_sps(Some(0), (2, 2), true, Some([1, 2, 3, 4])), Some((29, 25)));
        check(&h264_sps(Some(1), (2, 2), true, Some([1, 2, 3, 4])), Some((26, 18)));
        check(&h264_sps(Some(2), (2, 2), true, Some([1, 2, 3, 4])), Some((26, 25)));
        check(&h264_sps(Some(3), (2, 2), true, Some([1, 2, 3, 4])), Some((29, 25)));
    }

    #[test]
    fn hostile_sizes_are_no_dimensions() {
        const HUGE: u32 = u32::MAX - 1;
        check(&h264_sps(None, (4095, 1), true, None), Some((65520, 16)));
        check(&h264_sps(None, (4096, 1), true, None), None);
        check(&h264_sps(None, (HUGE, HUGE), false, None), None);
        check(&h264_sps(None, (1, 1), true, Some([0, 8, 0, 0])), None);
        check(&h264_sps(None, (1, 1), true, Some([HUGE, HUGE, 0, 0])), None);
        check(&h264_sps(None, (1, 1), true, Some([0, 0, HUGE, 0])), None);
    }

    #[test]
    fn h265_sub_layers_and_dimensions() {
        // Of three sub-layers the first gives its profile and level, the second only its level.
        let ptl = |bits: Bits| bits.u(32, 7).u(32, 7).u(32, 7);
        let bits = ptl(Bits::default().u(4, 0).u(3, 2).u(1, 1)).u(4, 0b1101).u(12, 0);
        let bits = ptl(bits).u(8, 93).ue(&[5, 1, 1920, 1088]).u(1, 1).ue(&[0, 0, 0, 4]);
        let nal = bits.nal(&[0x42, 1]);
        assert_eq!(h265(&nal), Some(Sps { id: 5, temporal_id_max: 2, dimensions: Some((1920, 1080)) }));
        assert_eq!(h265(&nal[..10]), None);
        let of_layer_1 = [&[0x42, 9], &nal[2..]].concat();
        assert_eq!(h265(&of_layer_1), None);
        let of_eight_sub_layers = [&[0x42, 1, 0x0f], &nal[3..]].concat();
        assert_eq!(h265(&of_eight_sub_layers), None);
    }
}
