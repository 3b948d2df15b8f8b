//! H.264 through Cisco's OpenH264.
//!
//! The crate's safe decoder keeps error concealment off, which is what is wanted here: after a loss it refuses
//! everything up to the next IDR picture in place of showing invented pixels.

use openh264::decoder::{DecodedYUV, Decoder};
use openh264::formats::YUVSource;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix, yuv420_to_bgra};

use super::{Decode, DecodeError, PictureSize, Pixels};

const BYTES_PER_PIXEL: u32 = 4;

pub(super) struct Openh264Decoder {
    decoder: Decoder,
}

impl Openh264Decoder {
    pub(super) fn new() -> Result<Self, DecodeError> {
        let decoder = Decoder::new().map_err(|error| DecodeError::Start(error.to_string()))?;
        Ok(Self { decoder })
    }
}

impl Decode for Openh264Decoder {
    fn configure(&mut self, parameter_sets: &[u8]) -> Result<(), DecodeError> {
        self.decoder.decode(parameter_sets).map(|_| ()).map_err(|error| DecodeError::Refused(error.to_string()))
    }

    fn decode(&mut self, unit: &[u8], pixels: Option<&mut Pixels>) -> Result<PictureSize, DecodeError> {
        let picture = match self.decoder.decode(unit) {
            Ok(Some(picture)) => picture,
            Ok(None) => return Err(DecodeError::NoPicture),
            Err(error) => return Err(DecodeError::Refused(error.to_string())),
        };
        let (width, height) = picture.dimensions();
        let size = PictureSize { width, height };
        if let Some(pixels) = pixels {
            pixels.resize(size);
            convert(&picture, pixels)?;
        }
        Ok(size)
    }
}

/// Writes the planes straight into the words that the window takes: BGRA bytes are `0xAARRGGBB` on a little-endian
/// machine. The sender codes BT.709 in the limited range.
fn convert(picture: &DecodedYUV<'_>, pixels: &mut Pixels) -> Result<(), DecodeError> {
    let conversion = |error: &dyn core::fmt::Display| DecodeError::Conversion(error.to_string());
    let (y_stride, u_stride, v_stride) = picture.strides();
    let narrow = |length: usize| u32::try_from(length).map_err(|error| conversion(&error));
    let planes = YuvPlanarImage {
        y_plane: picture.y(),
        y_stride: narrow(y_stride)?,
        u_plane: picture.u(),
        u_stride: narrow(u_stride)?,
        v_plane: picture.v(),
        v_stride: narrow(v_stride)?,
        width: narrow(pixels.size.width)?,
        height: narrow(pixels.size.height)?,
    };
    let stride = planes.width * BYTES_PER_PIXEL;
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut pixels.words);
    yuv420_to_bgra(&planes, bytes, stride, YuvRange::Limited, YuvStandardMatrix::Bt709)
        .map_err(|error| conversion(&error))?;
    if cfg!(target_endian = "big") {
        pixels.words.iter_mut().for_each(|word| *word = word.swap_bytes());
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use openh264::encoder::{Encoder, EncoderConfig, RateControlMode};
    use openh264::formats::YUVBuffer;

    use super::*;

    const SIZE: PictureSize = PictureSize { width: 64, height: 48 };

    /// A stream of flat pictures, one for each triple of luma, Cb and Cr, coded as the server does: an IDR picture
    /// with its parameter sets in the same unit, then P pictures.
    pub(crate) fn flat_stream(colours: &[[u8; 3]]) -> Vec<Vec<u8>> {
        let config = EncoderConfig::new().rate_control_mode(RateControlMode::Off).skip_frames(false).num_threads(1);
        let mut encoder = Encoder::with_api_config(openh264::OpenH264API::from_source(), config).unwrap();
        let pixels = SIZE.width * SIZE.height;
        colours
            .iter()
            .map(|&[luma, cb, cr]| {
                let mut planes = vec![luma; pixels];
                planes.resize(pixels + pixels / 4, cb);
                planes.resize(pixels + pixels / 2, cr);
                encoder.encode(&YUVBuffer::from_vec(planes, SIZE.width, SIZE.height)).unwrap().to_vec()
            })
            .collect()
    }

    /// BT.709 limited range (ITU-R BT.709-6, clause 3): what the three samples must look like on the screen.
    #[test]
    fn pictures_come_back_in_the_right_colours() {
        let table = [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([126, 128, 128], [128, 128, 128]),
            ([63, 102, 240], [255, 0, 0]),
            ([173, 42, 26], [0, 255, 0]),
            ([32, 240, 118], [0, 0, 255]),
        ];
        for (sample, rgb) in table {
            let mut decoder = Openh264Decoder::new().unwrap();
            let mut pixels = Pixels::default();
            let size = decoder.decode(&flat_stream(&[sample])[0], Some(&mut pixels)).unwrap();
            assert_eq!(size, SIZE);
            assert_eq!(pixels.words.len(), SIZE.width * SIZE.height);
            let middle = pixels.words[SIZE.width * SIZE.height / 2];
            let [_, red, green, blue] = middle.to_be_bytes();
            for (seen, wanted) in [red, green, blue].into_iter().zip(rgb) {
                assert!(seen.abs_diff(wanted) <= 6, "{sample:?} gave {middle:08x}, wanted about {rgb:?}");
            }
        }
    }

    #[test]
    fn the_same_memory_serves_every_picture() {
        let mut decoder = Openh264Decoder::new().unwrap();
        let mut pixels = Pixels::default();
        let units = flat_stream(&[[40, 128, 128], [200, 128, 128]]);
        decoder.decode(&units[0], Some(&mut pixels)).unwrap();
        let before = (pixels.words.as_ptr(), pixels.words[0]);
        decoder.decode(&units[1], Some(&mut pixels)).unwrap();
        assert_eq!(before.0, pixels.words.as_ptr());
        assert_ne!(before.1, pixels.words[0]);
    }

    #[test]
    fn a_stream_without_its_first_picture_is_refused_and_an_empty_unit_is_no_picture() {
        let mut decoder = Openh264Decoder::new().unwrap();
        let units = flat_stream(&[[40, 128, 128], [200, 128, 128]]);
        assert!(matches!(decoder.decode(&units[1], None), Err(DecodeError::Refused(_))));
        let mut decoder = Openh264Decoder::new().unwrap();
        let (parameter_sets, idr) = split_before_idr(&units[0]);
        assert_eq!(decoder.configure(parameter_sets), Ok(()));
        assert_eq!(decoder.decode(parameter_sets, None), Err(DecodeError::NoPicture));
        assert_eq!(decoder.decode(idr, None), Ok(SIZE));
    }

    /// Splits an IDR unit into its parameter sets and the rest, at the start code of NAL unit type 5.
    pub(crate) fn split_before_idr(unit: &[u8]) -> (&[u8], &[u8]) {
        let idr = unit.windows(5).position(|bytes| bytes[..4] == [0, 0, 0, 1] && bytes[4] & 0x1F == 5).unwrap();
        unit.split_at(idr)
    }
}
