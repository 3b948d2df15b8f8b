//! H.264 and H.265 byte streams (ITU-T H.264 and H.265, Annex B).

/// The video codec of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264, also called AVC.
    H264,
    /// ITU-T H.265, also called HEVC.
    H265,
}
