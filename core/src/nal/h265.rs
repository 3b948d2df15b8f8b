//! NAL unit headers of H.265 (clauses 7.3.1.2 and 7.4.2.2 of ITU-T H.265).

use super::Role;

/// Bytes of the NAL unit header.
pub const HEADER_BYTES: usize = 2;
/// Largest temporal id: 7 sub-layers.
pub const TEMPORAL_ID_MAX: u8 = 6;

/// A decoded NAL unit header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `nal_unit_type`.
    pub unit_type: UnitType,
    /// `nuh_layer_id`: 0 is the base layer, the only one that is shown.
    pub layer_id: u8,
    /// Sub-layer of the unit, 0 to 6; a picture refers to none of a higher sub-layer.
    pub temporal_id: u8,
}

/// The NAL unit types that matter to a transport (Table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitType {
    /// 0 to 31 but for those below: a slice segment.
    Slice {
        /// Even types up to 14: no picture of the same sub-layer refers to this one.
        sub_layer_non_reference: bool,
    },
    /// 8 and 9: a picture that may refer to what came before its CRA picture, so it cannot be decoded after a join there.
    Rasl {
        /// As for [`UnitType::Slice`].
        sub_layer_non_reference: bool,
    },
    /// 16 to 21 (BLA, IDR and CRA): a slice segment of an intra picture, where decoding can begin.
    Irap,
    /// 32: a video parameter set.
    Vps,
    /// 33: a sequence parameter set.
    Sps,
    /// 34: a picture parameter set.
    Pps,
    /// 35: an access unit delimiter.
    Aud,
    /// 39: supplemental enhancement information for the picture behind it.
    PrefixSei,
    /// Any other type, by its number.
    Other(u8),
}

impl Header {
    /// The header of the NAL unit that starts with `nal`.
    ///
    /// `None` if it is cut short, or if `forbidden_zero_bit` or `nuh_temporal_id_plus1` has a forbidden value.
    #[must_use]
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let [first, second] = *nal.first_chunk()?;
        if first & 0x80 != 0 {
            return None;
        }
        let sub_layer_non_reference = |number: u8| number <= 14 && number.is_multiple_of(2);
        let unit_type = match (first >> 1) & 63 {
            16..=21 => UnitType::Irap,
            number @ 8..=9 => UnitType::Rasl { sub_layer_non_reference: sub_layer_non_reference(number) },
            number @ 0..=31 => UnitType::Slice { sub_layer_non_reference: sub_layer_non_reference(number) },
            32 => UnitType::Vps,
            33 => UnitType::Sps,
            34 => UnitType::Pps,
            35 => UnitType::Aud,
            39 => UnitType::PrefixSei,
            other => UnitType::Other(other),
        };
        let layer_id = ((first & 1) << 5) | (second >> 3);
        Some(Self { unit_type, layer_id, temporal_id: (second & 7).checked_sub(1)? })
    }

    /// Whether the unit holds a slice segment (VCL).
    #[must_use]
    pub const fn is_slice(self) -> bool {
        matches!(self.unit_type, UnitType::Slice { .. } | UnitType::Rasl { .. } | UnitType::Irap)
    }
}

/// `first_slice_segment_in_pic_flag`, the first bit of a slice segment header.
#[must_use]
pub fn is_first_slice(nal: &[u8]) -> bool {
    nal.get(HEADER_BYTES).is_some_and(|byte| byte & 0x80 != 0)
}

/// Whether this is surely a video parameter set: 16 bits in it are all ones in every version (clause 7.3.2.1).
pub(super) fn is_vps(nal: &[u8]) -> bool {
    Header::parse(nal).is_some_and(|header| header.unit_type == UnitType::Vps && header.layer_id == 0)
        && nal.get(4..6) == Some(&[0xff, 0xff])
}

/// Clause 7.4.2.4.4: only units of the base layer begin an access unit, and slices of higher layers follow in it.
pub(super) fn role(nal: &[u8]) -> Role {
    let Some(header) = Header::parse(nal) else { return Role::Other };
    if header.layer_id != 0 {
        return Role::Other;
    }
    match header.unit_type {
        UnitType::Slice { .. } | UnitType::Rasl { .. } | UnitType::Irap => Role::Slice { first: is_first_slice(nal) },
        UnitType::Vps
        | UnitType::Sps
        | UnitType::Pps
        | UnitType::Aud
        | UnitType::PrefixSei
        | UnitType::Other(41..=44 | 48..=55) => Role::Opens,
        UnitType::Other(_) => Role::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let slice = |sub_layer_non_reference| UnitType::Slice { sub_layer_non_reference };
        let rasl = |sub_layer_non_reference| UnitType::Rasl { sub_layer_non_reference };
        let cases = [
            ([0x40, 0x01], Some((UnitType::Vps, 0, 0))),
            ([0x42, 0x01], Some((UnitType::Sps, 0, 0))),
            ([0x26, 0x01], Some((UnitType::Irap, 0, 0))),
            ([0x2a, 0x01], Some((UnitType::Irap, 0, 0))),
            ([0x2c, 0x01], Some((slice(false), 0, 0))),
            ([0x00, 0x02], Some((slice(true), 0, 1))),
            ([0x02, 0x01], Some((slice(false), 0, 0))),
            ([0x10, 0x01], Some((rasl(true), 0, 0))),
            ([0x12, 0x07], Some((rasl(false), 0, 6))),
            ([0x1c, 0x01], Some((slice(true), 0, 0))),
            ([0x30, 0x01], Some((slice(false), 0, 0))),
            ([0x20, 0x01], Some((UnitType::Irap, 0, 0))),
            ([0x03, 0x0a], Some((slice(false), 33, 1))),
            ([0x26, 0x00], None),
            ([0xa6, 0x01], None),
        ];
        for (bytes, expected) in cases {
            let header = expected.map(|(unit_type, layer_id, temporal_id)| Header { unit_type, layer_id, temporal_id });
            assert_eq!(Header::parse(&bytes), header, "{bytes:x?}");
        }
        assert_eq!(Header::parse(&[0x40]), None);
    }

    #[test]
    fn every_type_has_its_role() {
        for unit_type in 0..64u8 {
            let expected = match unit_type {
                0..=31 => (Role::Slice { first: true }, Role::Slice { first: false }),
                32..=35 | 39 | 41..=44 | 48..=55 => (Role::Opens, Role::Opens),
                _ => (Role::Other, Role::Other),
            };
            let byte = unit_type << 1;
            assert_eq!((role(&[byte, 1, 0x80]), role(&[byte, 1, 0x7f])), expected, "type {unit_type}");
            assert_eq!(role(&[byte, 9, 0x80]), Role::Other, "type {unit_type} of layer 1");
        }
        assert_eq!(role(&[0x26, 1]), Role::Slice { first: false });
        assert_eq!(role(&[0x26]), Role::Other);
    }
}
