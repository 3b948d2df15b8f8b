//! Writing into pixels with a font that is compiled in, so that messages need nothing from the system.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width};

use crate::decode::Pixels;

const WEIGHT: FontWeight = FontWeight::Regular;
const RASTER: RasterHeight = RasterHeight::Size20;
/// Between the upper edges of two lines.
pub(super) const LINE_HEIGHT: usize = RASTER.val() + 6;

/// How wide a text becomes.
pub(super) fn width_of(text: &str) -> usize {
    text.chars().count() * get_raster_width(WEIGHT, RASTER)
}

/// Breaks a text between words into lines of at most `width` pixels; a longer word is broken where it must be.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let columns = (width / get_raster_width(WEIGHT, RASTER)).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(columns) {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + part.len() <= columns => {
                    line.push(' ');
                    line.extend(part);
                }
                Some(_) | None => lines.push(part.iter().collect()),
            }
        }
    }
    lines
}

/// Writes one line with its upper left corner at `left` and `top`; what does not fit is cut off.
pub(super) fn write(canvas: &mut Pixels, (left, top): (usize, usize), text: &str, colour: u32) {
    let advance = get_raster_width(WEIGHT, RASTER);
    for (place, letter) in text.chars().enumerate() {
        let raster = get_raster(letter, WEIGHT, RASTER).or_else(|| get_raster('?', WEIGHT, RASTER));
        if let Some(raster) = raster {
            draw(canvas, (left + place * advance, top), &raster, colour);
        }
    }
}

fn draw(canvas: &mut Pixels, (left, top): (usize, usize), raster: &RasterizedChar, colour: u32) {
    let width = canvas.size.width;
    if left >= width {
        return;
    }
    for (line, row) in canvas.words.chunks_exact_mut(width).skip(top).zip(raster.rows()) {
        for (pixel, &coverage) in line[left..].iter_mut().zip(row) {
            *pixel = blended(*pixel, colour, coverage.into());
        }
    }
}

/// The colour over the ground, as much of it as the letter covers (0 to 255).
fn blended(ground: u32, colour: u32, coverage: u32) -> u32 {
    let channel = |shift: u32| {
        let (below, above) = (ground >> shift & 0xFF, colour >> shift & 0xFF);
        ((below * (255 - coverage) + above * coverage + 127) / 255) << shift
    };
    channel(16) | channel(8) | channel(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::PictureSize;

    #[test]
    fn breaks_between_words_and_within_long_ones() {
        let advance = get_raster_width(WEIGHT, RASTER);
        let table: [(&str, usize, &[&str]); 5] = [
            ("", 10, &[]),
            ("waiting for it", 10, &["waiting", "for it"]),
            ("waiting for it", 14, &["waiting for it"]),
            ("an unbreakable one", 5, &["an", "unbre", "akabl", "e one"]),
            ("ab", 0, &["a", "b"]),
        ];
        for (text, columns, lines) in table {
            assert_eq!(wrapped(text, columns * advance), lines, "{text:?} in {columns}");
        }
    }

    #[test]
    fn letters_are_drawn_and_cut_off_at_the_edges() {
        let mut canvas = Pixels::default();
        canvas.resize(PictureSize { width: 30, height: 15 });
        write(&mut canvas, (20, 5), "W\u{e9}", 0x00FF_FFFF);
        assert!(canvas.words.contains(&0x00FF_FFFF), "drawn");
        let untouched = |place: usize| place % 30 < 20 || place / 30 < 5;
        assert!(canvas.words.iter().enumerate().all(|(place, &word)| word == 0 || !untouched(place)));
        write(&mut canvas, (30, 0), "W", 1);
        write(&mut canvas, (0, 15), "W", 1);
    }

    #[test]
    fn blending_reaches_both_ends() {
        for (coverage, wanted) in [(0, 0x0010_2030), (255, 0x00FF_0080), (128, 0x0088_1058)] {
            assert_eq!(blended(0x0010_2030, 0x00FF_0080, coverage), wanted, "{coverage}");
        }
    }
}
