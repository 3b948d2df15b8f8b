//! The primary screen, through the `scrap` crate.
//!
//! On X11 `scrap` reports no error once it runs: after the X server ends or changes the size of its screen, it
//! goes on returning the last picture. A capturer cannot move between threads.

use std::io::ErrorKind;

use super::{Display, Region, SourceError};
use crate::encode::Picture;
use crate::pipeline::{Capture, Captured};

/// A part of the primary screen.
pub struct Screen {
    capturer: ::scrap::Capturer,
    region: Region,
    rows: usize,
}

impl Screen {
    /// The given part of the primary screen, or all of it.
    ///
    /// # Errors
    ///
    /// When no X server answers, or the region does not lie inside its screen.
    pub fn open(region: Option<Region>) -> Result<Self, SourceError> {
        let no_display = || SourceError::NoDisplay { display: Display(std::env::var("DISPLAY").ok()) };
        let display = ::scrap::Display::primary().map_err(|error| {
            let absent = matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound);
            if absent { no_display() } else { SourceError::Screen(error) }
        })?;
        let (width, height) = (screen_pixels(display.width())?, screen_pixels(display.height())?);
        let region = region.unwrap_or_else(|| Region::whole(width, height)).fit(width, height)?;
        let rows = display.height();
        let capturer = ::scrap::Capturer::new(display).map_err(SourceError::Screen)?;
        Ok(Self { capturer, region, rows })
    }
}

fn screen_pixels(length: usize) -> Result<u32, SourceError> {
    u32::try_from(length).map_err(|_| SourceError::Screen(ErrorKind::InvalidData.into()))
}

impl Capture for Screen {
    fn size(&self) -> (u32, u32) {
        (self.region.width, self.region.height)
    }

    fn capture(&mut self, _: u64, previous: Option<&Picture>, picture: &mut Picture) -> Result<Captured, String> {
        let frame = match self.capturer.frame() {
            Ok(frame) => frame,
            // Other systems than X11 have a picture only when something was drawn.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Captured::Unchanged),
            Err(error) => return Err(format!("the screen can no longer be captured: {error}; start again")),
        };
        crop(&frame, frame.len() / self.rows.max(1), self.region, previous, picture)
            .ok_or_else(|| "the screen has changed its size: start again".to_owned())
    }
}

/// Copies the region's rows out of a screen whose rows are `stride` bytes apart, unless they are as before.
/// `None` when the screen is smaller than the region.
fn crop(
    screen: &[u8],
    stride: usize,
    region: Region,
    previous: Option<&Picture>,
    picture: &mut Picture,
) -> Option<Captured> {
    let (left, top) = (usize::try_from(region.x).ok()? * 4, usize::try_from(region.y).ok()?);
    let row_bytes = picture.stride();
    let row = |index: usize| {
        let start = (top + index) * stride + left;
        screen.get(start..start + row_bytes)
    };
    let unchanged = previous.is_some_and(|previous| {
        previous.bgra.chunks_exact(row_bytes).enumerate().all(|(index, before)| row(index) == Some(before))
    });
    if unchanged {
        return Some(Captured::Unchanged);
    }
    for (index, target) in picture.bgra.chunks_exact_mut(row_bytes).enumerate() {
        target.copy_from_slice(row(index)?);
    }
    Some(Captured::Changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_and_compares() {
        let region = Region { width: 2, height: 2, x: 1, y: 1 };
        // Four pixels and four bytes of padding a row; each pixel holds its own number.
        let mut screen: Vec<u8> = (0..4u8).flat_map(|y| (0..5u8).flat_map(move |x| [y * 16 + x; 4])).collect();
        let mut first = Picture::new(2, 2);
        assert_eq!(crop(&screen, 20, region, None, &mut first), Some(Captured::Changed));
        let pixels: Vec<u8> = first.bgra.chunks_exact(4).map(|pixel| pixel[0]).collect();
        assert_eq!(pixels, [0x11, 0x12, 0x21, 0x22]);

        let mut second = Picture::new(2, 2);
        screen[0] = 99;
        assert_eq!(crop(&screen, 20, region, Some(&first), &mut second), Some(Captured::Unchanged), "outside");
        screen[2 * 20 + 2 * 4] = 99;
        assert_eq!(crop(&screen, 20, region, Some(&first), &mut second), Some(Captured::Changed), "inside");
        assert_eq!(second.bgra[12], 99);
        assert_eq!(crop(&screen[..40], 20, region, None, &mut second), None, "the screen shrank");
    }
}
