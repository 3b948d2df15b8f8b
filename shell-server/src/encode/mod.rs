//! From pictures to access units.

use bytes::Bytes;

#[cfg(feature = "codec")]
pub mod convert;
#[cfg(feature = "codec")]
pub mod openh264;

/// One picture: rows of blue, green, red, unused bytes, without padding between the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// `width * height * 4` bytes.
    pub bgra: Vec<u8>,
}

impl Picture {
    /// A black picture.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, bgra: vec![0; width as usize * height as usize * 4] }
    }

    /// Bytes from one row to the next.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.width as usize * 4
    }
}

/// What an encoder is told before its first picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Width of the pictures, in pixels.
    pub width: u32,
    /// Height of the pictures, in pixels.
    pub height: u32,
    /// Pictures per second; the rate control divides the bit rate by it.
    pub fps: u32,
    /// Bits per second aimed at.
    pub bitrate_bps: u32,
}

/// Why a picture could not be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// H.264 level 5.2 and the 4:2:0 format set the bounds.
    #[error(
        "a picture of {width}x{height} cannot be encoded: sides must be even, at least 16 and at most 3840x2160 \
         (or 2160x3840) pixels; share a smaller part with --region"
    )]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The bit rate is zero or beyond what the encoder can count.
    #[error("a bit rate of {0} bit/s is out of range: choose one from 1 to 2147483647")]
    BitRate(u32),
    /// The buffer of a picture does not have the length its size asks for.
    #[error("a picture of {width}x{height} came with {length} bytes")]
    Picture {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes found.
        length: usize,
    },
    /// The encoder library refused a call.
    #[error("the H.264 encoder failed in {call} (code {code}); restart, or choose another size or bit rate")]
    Library {
        /// Name of the library's function.
        call: &'static str,
        /// What it returned.
        code: i32,
    },
}

/// Turns pictures into access units, one for one and without delay.
pub trait Encoder {
    /// Encodes `picture`; with `force_key`, as a key frame that needs nothing before it. `None` when the rate
    /// control left the picture out.
    ///
    /// # Errors
    ///
    /// When the picture is malformed or the encoder fails; it must then be given up.
    fn encode(&mut self, picture: &Picture, force_key: bool) -> Result<Option<Bytes>, EncodeError>;

    /// Aims at `bits_per_second` from the next picture on, but never at more than [`EncoderConfig::bitrate_bps`];
    /// `None` aims at that again. The stream goes on: this makes no key frame.
    ///
    /// # Errors
    ///
    /// When the encoder fails; it must then be given up.
    fn limit_bitrate(&mut self, bits_per_second: Option<u64>) -> Result<(), EncodeError>;
}
