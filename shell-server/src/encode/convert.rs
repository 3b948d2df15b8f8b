//! From packed BGRA to planar 4:2:0, BT.709, limited range.

use yuv::{
    BufferStoreMut, YuvChromaSubsampling, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    bgra_to_yuv420,
};

use super::{EncodeError, Picture};

/// The planes of one picture, reused from picture to picture.
#[derive(Debug)]
pub struct I420 {
    planes: YuvPlanarImageMut<'static, u8>,
}

impl I420 {
    /// Room for a picture of even sides, in pixels.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { planes: YuvPlanarImageMut::alloc(width, height, YuvChromaSubsampling::Yuv420) }
    }

    /// Replaces the planes by `picture`.
    ///
    /// # Errors
    ///
    /// When the picture is of another size than these planes.
    pub fn fill_from(&mut self, picture: &Picture) -> Result<(), EncodeError> {
        let Picture { width, height, ref bgra } = *picture;
        let malformed = EncodeError::Picture { width, height, length: bgra.len() };
        if (width, height) != (self.planes.width, self.planes.height) {
            return Err(malformed);
        }
        bgra_to_yuv420(
            &mut self.planes,
            bgra,
            width * 4,
            YuvRange::Limited,
            YuvStandardMatrix::Bt709,
            YuvConversionMode::Balanced,
        )
        .map_err(|_| malformed)
    }

    /// Luma, then the two chroma planes, each with its stride in bytes.
    #[must_use]
    pub fn planes(&self) -> [(&[u8], u32); 3] {
        fn plane<'a>(store: &'a BufferStoreMut<'_, u8>, stride: u32) -> (&'a [u8], u32) {
            (store.borrow(), stride)
        }
        let planes = &self.planes;
        [
            plane(&planes.y_plane, planes.y_stride),
            plane(&planes.u_plane, planes.u_stride),
            plane(&planes.v_plane, planes.v_stride),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills a picture with one colour and compares its luma and chroma (ITU-R BT.709-6, 3.4 and 3.5).
    fn check(bgr: [u8; 3], expected: [u8; 3]) {
        let mut picture = Picture::new(16, 16);
        for pixel in picture.bgra.chunks_exact_mut(4) {
            pixel[..3].copy_from_slice(&bgr);
        }
        let mut planes = I420::new(16, 16);
        planes.fill_from(&picture).unwrap();
        for ((plane, _), expected) in planes.planes().into_iter().zip(expected) {
            assert!(plane.iter().all(|&value| value.abs_diff(expected) <= 1), "{bgr:?}: {} != {expected}", plane[0]);
        }
    }

    #[test]
    fn bt709_limited() {
        check([0, 0, 0], [16, 128, 128]);
        check([255, 255, 255], [235, 128, 128]);
        check([0, 0, 255], [63, 102, 240]);
        check([0, 255, 0], [173, 42, 26]);
        check([255, 0, 0], [32, 240, 118]);
    }

    #[test]
    fn other_sizes_are_refused() {
        let mut planes = I420::new(16, 16);
        assert!(planes.fill_from(&Picture::new(16, 18)).is_err());
        assert!(planes.fill_from(&Picture { bgra: vec![0; 7], ..Picture::new(16, 16) }).is_err());
    }
}
