//! What the transport must know of an access unit: where decoding can begin and what may be left out.

use super::annexb::nal_units;
use super::{Codec, h264, h265, sps};

/// What one access unit is to a decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnitInfo {
    /// Decoding can begin here: an IDR picture in H.264, an IRAP picture in H.265.
    pub key: bool,
    /// No other unit needs this one: its picture is no reference, and it carries no parameter set.
    pub disposable: bool,
    /// Temporal sub-layer, 0 to 7; H.264 says so only in prefix NAL units and has 0 without them.
    pub temporal_id: u8,
    /// Every kind of set a decoder needs is in the unit: SPS and PPS, and VPS in H.265.
    pub has_parameter_sets: bool,
    /// Cannot be decoded if decoding began at the CRA picture in front of it (H.265 RASL).
    pub rasl: bool,
    /// Slices, or NAL units with parts of them (VCL).
    pub vcl_units: u16,
}

/// Looks at access units in stream order; remembers of the stream only how many sub-layers it has.
#[derive(Clone, Debug)]
pub struct Inspector {
    codec: Codec,
    /// By SPS id, the highest temporal id; slices name their SPS only through their PPS, so the highest of all counts.
    temporal_id_max: [Option<u8>; 16],
}

impl Inspector {
    /// An inspector at the start of a stream.
    #[must_use]
    pub const fn new(codec: Codec) -> Self {
        Self { codec, temporal_id_max: [None; 16] }
    }

    /// What `access_unit`, the stream's next one, is.
    pub fn inspect(&mut self, access_unit: &[u8]) -> UnitInfo {
        let mut tally = Tally::default();
        for nal in nal_units(access_unit) {
            match self.codec {
                Codec::H264 => tally.h264(nal.payload),
                Codec::H265 => self.h265(nal.payload, &mut tally),
            }
        }
        tally.info(self.codec)
    }

    fn h265(&mut self, nal: &[u8], tally: &mut Tally) {
        let Some(header) = h265::Header::parse(nal).filter(|header| header.layer_id == 0) else { return };
        match header.unit_type {
            h265::UnitType::Slice { sub_layer_non_reference } | h265::UnitType::Rasl { sub_layer_non_reference } => {
                tally.info.rasl |= matches!(header.unit_type, h265::UnitType::Rasl { .. });
                // Pictures of higher sub-layers may still refer to a sub-layer non-reference picture.
                let highest = self.temporal_id_max.iter().max().copied().flatten() == Some(header.temporal_id);
                tally.slice(!(sub_layer_non_reference && highest), header.temporal_id);
            }
            h265::UnitType::Irap => {
                tally.info.key = true;
                tally.slice(true, header.temporal_id);
            }
            h265::UnitType::Vps => tally.vps = true,
            h265::UnitType::Sps => {
                tally.sps = true;
                if let Some(sps) = sps::h265(nal)
                    && let Some(known) = self.temporal_id_max.get_mut(usize::from(sps.id))
                {
                    *known = Some(sps.temporal_id_max);
                }
            }
            h265::UnitType::Pps => tally.pps = true,
            h265::UnitType::Aud | h265::UnitType::PrefixSei | h265::UnitType::Other(_) => {}
        }
    }
}

/// What was seen of one unit.
#[derive(Default)]
struct Tally {
    info: UnitInfo,
    referenced: bool,
    vps: bool,
    sps: bool,
    pps: bool,
}

impl Tally {
    fn h264(&mut self, nal: &[u8]) {
        let Some(header) = h264::Header::parse(nal) else { return };
        match header.unit_type {
            h264::UnitType::Slice
            | h264::UnitType::PartitionA
            | h264::UnitType::PartitionB
            | h264::UnitType::PartitionC => self.slice(header.ref_idc != 0, 0),
            h264::UnitType::Idr => {
                self.info.key = true;
                self.slice(true, 0);
            }
            h264::UnitType::Prefix => {
                let temporal_id = h264::prefix_temporal_id(nal).unwrap_or(0);
                self.info.temporal_id = self.info.temporal_id.max(temporal_id);
            }
            h264::UnitType::Sps => self.sps = true,
            h264::UnitType::Pps => self.pps = true,
            h264::UnitType::Sei | h264::UnitType::Aud | h264::UnitType::Other(_) => {}
        }
    }

    fn slice(&mut self, referenced: bool, temporal_id: u8) {
        self.referenced |= referenced;
        self.info.temporal_id = self.info.temporal_id.max(temporal_id);
        self.info.vcl_units = self.info.vcl_units.saturating_add(1);
    }

    const fn info(self, codec: Codec) -> UnitInfo {
        let vps_needed = matches!(codec, Codec::H265);
        let carries_set = self.vps || self.sps || self.pps;
        UnitInfo {
            disposable: self.info.vcl_units > 0 && !self.referenced && !carries_set,
            has_parameter_sets: self.sps && self.pps && (self.vps || !vps_needed),
            ..self.info
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 1], *nal].concat()).collect()
    }

    #[track_caller]
    fn check(inspector: &mut Inspector, nals: &[&[u8]], expected: UnitInfo) {
        assert_eq!(inspector.inspect(&unit(nals)), expected, "{nals:x?}");
    }

    #[test]
    fn h264_units() {
        let mut inspector = Inspector::new(Codec::H264);
        let one = UnitInfo { vcl_units: 1, ..UnitInfo::default() };
        check(&mut inspector, &[], UnitInfo::default());
        check(&mut inspector, &[&[9, 0xf0], &[6, 5]], UnitInfo::default());
        let sets: [&[u8]; 3] = [&[0x67, 66], &[0x68, 0xce], &[0x65, 0x88]];
        check(&mut inspector, &sets, UnitInfo { key: true, has_parameter_sets: true, ..one });
        check(&mut inspector, &sets[1..], UnitInfo { key: true, ..one });
        check(&mut inspector, &[&[0x41, 0x9a], &[0x41, 0x4a]], UnitInfo { vcl_units: 2, ..one });
        check(&mut inspector, &[&[0x01, 0x9a]], UnitInfo { disposable: true, ..one });
        check(&mut inspector, &[&[0x01, 0x9a], &[0x21, 0x4a]], UnitInfo { vcl_units: 2, ..one });
        // A picture parameter set outlives the picture that carries it.
        check(&mut inspector, &[&[0x68, 0xce], &[0x01, 0x9a]], one);
        let prefixed: [&[u8]; 2] = [&[0x0e, 0x80, 0x80, 0x4f], &[0x01, 0x9a]];
        check(&mut inspector, &prefixed, UnitInfo { disposable: true, temporal_id: 2, ..one });
    }

    #[test]
    fn h265_units() {
        let one = UnitInfo { vcl_units: 1, ..UnitInfo::default() };
        let (trail_n, trail_r): (&[u8], &[u8]) = (&[0x00, 1, 0xd0], &[0x02, 1, 0xd0]);
        let tsa_n_of_1: &[u8] = &[0x04, 2, 0xd0];
        let (rasl_n, cra): (&[u8], &[u8]) = (&[0x10, 1, 0xd0], &[0x2a, 1, 0xaf]);
        let sps_of_layers = |temporal_id_max: u8, id: u8| {
            // A profile, tier and level of ones, so that nothing looks like a start code.
            let mut sps = [&[0x42, 1, temporal_id_max << 1 | 1], &[0xff; 12][..]].concat();
            if temporal_id_max == 1 {
                sps.extend([0, 0]);
            }
            sps.push(if id == 0 { 0x80 } else { 0x40 });
            sps
        };
        let mut inspector = Inspector::new(Codec::H265);
        check(&mut inspector, &[trail_n], one);
        let irap: [&[u8]; 4] = [&[0x40, 1, 0x0c], &sps_of_layers(0, 0), &[0x44, 1, 0xc1], cra];
        check(&mut inspector, &irap, UnitInfo { key: true, has_parameter_sets: true, ..one });
        check(&mut inspector, &irap[1..], UnitInfo { key: true, ..one });
        check(&mut inspector, &[trail_n], UnitInfo { disposable: true, ..one });
        check(&mut inspector, &[trail_r], one);
        check(&mut inspector, &[rasl_n], UnitInfo { disposable: true, rasl: true, ..one });
        // The second layer's slices belong to the same picture and say nothing about the base.
        check(&mut inspector, &[trail_n, &[0x26, 9, 0xaf]], UnitInfo { disposable: true, ..one });

        check(&mut inspector, &[&sps_of_layers(1, 1), cra], UnitInfo { key: true, ..one });
        check(&mut inspector, &[trail_n], one);
        check(&mut inspector, &[tsa_n_of_1], UnitInfo { disposable: true, temporal_id: 1, ..one });
        check(&mut inspector, &[&sps_of_layers(0, 1), cra], UnitInfo { key: true, ..one });
        check(&mut inspector, &[trail_n], UnitInfo { disposable: true, ..one });
    }
}
