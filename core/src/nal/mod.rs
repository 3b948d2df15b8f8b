//! H.264 and H.265 byte streams (ITU-T H.264 and H.265, Annex B).
//!
//! Nothing here rewrites a byte: [`AccessUnits`] cuts a stream where one picture ends and the next begins,
//! [`Inspector`] reads what the transport must know of a unit, and [`ParameterSets`] keeps what a viewer that
//! joins needs in front of its first key frame.

mod access_unit;
pub mod annexb;
pub mod h264;
pub mod h265;
mod inspect;
mod parameter_sets;
mod rbsp;
mod sps;

pub use access_unit::{AccessUnits, TooLarge};
pub use inspect::{Inspector, UnitInfo};
pub use parameter_sets::ParameterSets;

/// The video codec of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264, also called AVC.
    H264,
    /// ITU-T H.265, also called HEVC.
    H265,
}

impl core::fmt::Display for Codec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
        })
    }
}

impl Codec {
    /// The codec that a file name extension (without its dot, in any case) stands for.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        let is_one_of = |names: [&str; 3]| names.iter().any(|name| name.eq_ignore_ascii_case(extension));
        if is_one_of(["h264", "264", "avc"]) {
            Some(Self::H264)
        } else if is_one_of(["h265", "265", "hevc"]) {
            Some(Self::H265)
        } else {
            None
        }
    }

    /// The codec of the byte stream that starts with `bytes`: the one whose first readable parameter set it holds.
    ///
    /// Slices alone tell nothing, for their header bytes mean something in both codecs.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        annexb::nal_units(bytes).find_map(|nal| {
            if h265::is_vps(nal.payload) || sps::h265(nal.payload).is_some_and(|sps| sps.dimensions.is_some()) {
                Some(Self::H265)
            } else if sps::h264(nal.payload).is_some_and(|sps| sps.dimensions.is_some()) {
                Some(Self::H264)
            } else {
                None
            }
        })
    }

    /// Bytes of a NAL unit that [`Codec::role`] looks at.
    const fn role_bytes(self) -> usize {
        match self {
            Self::H264 => h264::HEADER_BYTES + 1,
            Self::H265 => h265::HEADER_BYTES + 1,
        }
    }

    /// The part that the NAL unit that starts with `nal` plays in the partition of a stream into access units.
    fn role(self, nal: &[u8]) -> Role {
        match self {
            Self::H264 => h264::role(nal),
            Self::H265 => h265::role(nal),
        }
    }
}

/// What a NAL unit means for the boundary between two access units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Begins an access unit if the one before it has a coded slice: parameter sets, delimiters and the like.
    Opens,
    /// A coded slice.
    Slice {
        /// Whether it is the first one of its picture.
        first: bool,
    },
    /// Belongs to the same unit as the slice right behind it.
    Prefix,
    /// Belongs to the unit that it is found in.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_name_codecs() {
        let cases = [
            ("h264", Some(Codec::H264)),
            ("264", Some(Codec::H264)),
            ("AVC", Some(Codec::H264)),
            ("h265", Some(Codec::H265)),
            ("265", Some(Codec::H265)),
            ("Hevc", Some(Codec::H265)),
            ("", None),
            (".h264", None),
            ("mp4", None),
        ];
        for (extension, codec) in cases {
            assert_eq!(Codec::from_extension(extension), codec, "{extension}");
        }
    }

    #[test]
    fn only_parameter_sets_tell_the_codec() {
        assert_eq!(Codec::detect(&[0, 0, 1, 0x65, 0x88, 0, 0, 1, 0x26, 1, 0xaf]), None);
        assert_eq!(Codec::detect(b""), None);
        let vps_of_layer = |layer: u8| [0, 0, 1, 0x40, (layer << 3) | 1, 0x0c, 1, 0xff, 0xff];
        assert_eq!(Codec::detect(&vps_of_layer(0)), Some(Codec::H265));
        assert_eq!(Codec::detect(&vps_of_layer(1)), None);
    }
}
