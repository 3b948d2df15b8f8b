//! Turning access units into pictures.

use nalcast_core::nal::Codec;

#[cfg(feature = "codec")]
mod openh264;

/// Picture width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Pixels as `0x00RRGGBB` words (the top byte is not looked at), row after row without padding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pixels {
    /// Width and height; their product is the length of `words`.
    pub size: PictureSize,
    /// One word a pixel.
    pub words: Vec<u32>,
}

impl Pixels {
    /// Takes another size and keeps the memory when it suffices. What the pixels then hold is unspecified.
    pub fn resize(&mut self, size: PictureSize) {
        self.size = size;
        self.words.resize(size.width * size.height, 0);
    }
}

/// Why an access unit gave no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// This build has no decoder for the codec; the stream can only be recorded and logged.
    #[error("this build cannot decode {0}: nothing will be shown, but recording and the frame log work")]
    Unsupported(Codec),
    /// The decoder library refused to start.
    #[error("the decoder could not be started: {0}")]
    Start(String),
    /// The decoder refused the bytes: something before them is missing, or they are damaged.
    #[error("the decoder refused the access unit ({0}); a key frame is needed")]
    Refused(String),
    /// The decoder took the bytes without complaint and gave no picture, as OpenH264 does when a slice is missing.
    #[error("the access unit gave no picture, so a part of it is missing; a key frame is needed")]
    NoPicture,
    /// The colour conversion refused the planes.
    #[error("the picture could not be converted for display: {0}")]
    Conversion(String),
}

/// A decoder of one stream.
pub trait Decode: Send {
    /// Takes parameter sets (Annex B) that came apart from the access units.
    ///
    /// # Errors
    /// [`DecodeError::Refused`] when they are damaged.
    fn configure(&mut self, parameter_sets: &[u8]) -> Result<(), DecodeError>;

    /// Decodes one whole access unit (Annex B) and, where `pixels` is given, writes the picture there.
    ///
    /// # Errors
    /// Any [`DecodeError`] but `Unsupported` and `Start`; afterwards only a key unit can be decoded.
    fn decode(&mut self, unit: &[u8], pixels: Option<&mut Pixels>) -> Result<PictureSize, DecodeError>;
}

/// A fresh decoder for a codec.
///
/// # Errors
/// [`DecodeError::Unsupported`] when this build has none, [`DecodeError::Start`] when it refuses to start.
pub fn decoder_for(codec: Codec) -> Result<Box<dyn Decode>, DecodeError> {
    match codec {
        #[cfg(feature = "codec")]
        Codec::H264 => Ok(Box::new(openh264::Openh264Decoder::new()?)),
        #[cfg(not(feature = "codec"))]
        Codec::H264 => Err(DecodeError::Unsupported(codec)),
        Codec::H265 => Err(DecodeError::Unsupported(codec)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #[cfg(feature = "codec")]
    pub(crate) use super::openh264::tests::{flat_stream, split_before_idr};

    use super::*;

    #[test]
    fn h265_is_named_as_not_decodable() {
        let error = decoder_for(Codec::H265).err().expect("no H.265 decoder is built in");
        assert_eq!(error, DecodeError::Unsupported(Codec::H265));
        assert!(error.to_string().contains("H.265"));
    }
}
