//! NAL unit headers of H.264 (clauses 7.3.1 and 7.4.1 of ITU-T H.264).

use super::Role;

/// Bytes of the NAL unit header.
pub const HEADER_BYTES: usize = 1;

/// A decoded NAL unit header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `nal_ref_idc`, 0 to 3: a slice with 0 belongs to a picture that no other one refers to.
    pub ref_idc: u8,
    /// `nal_unit_type`.
    pub unit_type: UnitType,
}

/// The NAL unit types that matter to a transport (Table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitType {
    /// 1: a slice of a picture that is not IDR.
    Slice,
    /// 2: the slice header and the most important part of a slice.
    PartitionA,
    /// 3: intra residuals of a slice.
    PartitionB,
    /// 4: inter residuals of a slice.
    PartitionC,
    /// 5: a slice of an IDR picture, where decoding can begin.
    Idr,
    /// 6: supplemental enhancement information.
    Sei,
    /// 7: a sequence parameter set.
    Sps,
    /// 8: a picture parameter set.
    Pps,
    /// 9: an access unit delimiter.
    Aud,
    /// 14: says to which layer the slice behind it belongs (Annexes F and G).
    Prefix,
    /// Any other type, by its number.
    Other(u8),
}

impl Header {
    /// The header of the NAL unit that starts with `nal`; `None` without a byte or with `forbidden_zero_bit` set.
    #[must_use]
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let byte = *nal.first()?;
        if byte & 0x80 != 0 {
            return None;
        }
        let unit_type = match byte & 31 {
            1 => UnitType::Slice,
            2 => UnitType::PartitionA,
            3 => UnitType::PartitionB,
            4 => UnitType::PartitionC,
            5 => UnitType::Idr,
            6 => UnitType::Sei,
            7 => UnitType::Sps,
            8 => UnitType::Pps,
            9 => UnitType::Aud,
            14 => UnitType::Prefix,
            other => UnitType::Other(other),
        };
        Some(Self { ref_idc: byte >> 5, unit_type })
    }

    /// Whether the unit holds a coded slice or a part of one (VCL).
    #[must_use]
    pub const fn is_slice(self) -> bool {
        matches!(
            self.unit_type,
            UnitType::Slice | UnitType::PartitionA | UnitType::PartitionB | UnitType::PartitionC | UnitType::Idr
        )
    }
}

/// Whether `first_mb_in_slice` is 0: its Exp-Golomb code leads the slice header, and 0 is the single bit 1.
#[must_use]
pub fn is_first_slice(nal: &[u8]) -> bool {
    nal.get(HEADER_BYTES).is_some_and(|byte| byte & 0x80 != 0)
}

/// `temporal_id` of a prefix NAL unit (clauses F.7.3.1.1 and G.7.3.1.1); `None` if it is too short.
#[must_use]
pub fn prefix_temporal_id(nal: &[u8]) -> Option<u8> {
    let [first, _, third] = nal.get(HEADER_BYTES..)?.first_chunk()?;
    let svc_extension = first & 0x80 != 0;
    // Scalable: 5 + 3 flags and ids, 8 more, then the 3 bits. Multiview: a view_id of 10 bits shifts them by 2.
    Some(if svc_extension { third >> 5 } else { (third >> 3) & 7 })
}

/// Clause 7.4.1.2.3. A prefix NAL unit also stands in front of later slices of a picture, so it cannot open one itself.
pub(super) fn role(nal: &[u8]) -> Role {
    let Some(header) = Header::parse(nal) else { return Role::Other };
    match header.unit_type {
        UnitType::Slice | UnitType::PartitionA | UnitType::Idr => Role::Slice { first: is_first_slice(nal) },
        UnitType::PartitionB | UnitType::PartitionC => Role::Slice { first: false },
        UnitType::Sei | UnitType::Sps | UnitType::Pps | UnitType::Aud | UnitType::Other(15..=18) => Role::Opens,
        UnitType::Prefix => Role::Prefix,
        UnitType::Other(_) => Role::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let cases = [
            (0x65, Some((3, UnitType::Idr))),
            (0x01, Some((0, UnitType::Slice))),
            (0x41, Some((2, UnitType::Slice))),
            (0x67, Some((3, UnitType::Sps))),
            (0x6e, Some((3, UnitType::Prefix))),
            (0x1f, Some((0, UnitType::Other(31)))),
            (0xe5, None),
        ];
        for (byte, expected) in cases {
            let header = expected.map(|(ref_idc, unit_type)| Header { ref_idc, unit_type });
            assert_eq!(Header::parse(&[byte]), header, "{byte:#x}");
        }
        assert_eq!(Header::parse(&[]), None);
    }

    #[test]
    fn every_type_has_its_role() {
        let (first, later) = (Role::Slice { first: true }, Role::Slice { first: false });
        for unit_type in 0..32u8 {
            let expected = match unit_type {
                1 | 2 | 5 => (first, later),
                3 | 4 => (later, later),
                6..=9 | 15..=18 => (Role::Opens, Role::Opens),
                14 => (Role::Prefix, Role::Prefix),
                _ => (Role::Other, Role::Other),
            };
            assert_eq!((role(&[unit_type, 0x80]), role(&[unit_type, 0x7f])), expected, "type {unit_type}");
        }
        assert_eq!(role(&[0x65]), later);
        assert_eq!(role(&[]), Role::Other);
    }

    #[test]
    fn temporal_ids_of_prefixes() {
        assert_eq!(prefix_temporal_id(&[0x6e, 0x80, 0x80, 0b0100_1111]), Some(2));
        assert_eq!(prefix_temporal_id(&[0x6e, 0x40, 0x00, 0b1101_1001]), Some(3));
        assert_eq!(prefix_temporal_id(&[0x6e, 0x80, 0x80]), None);
    }
}
