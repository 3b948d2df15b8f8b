//! Rectangles and 8x8 letters on a BGRA picture, clipped at its edges.

use font8x8::legacy::BASIC_LEGACY;

/// Blue, green, red, unused.
pub(super) type Colour = [u8; 4];

/// A colour from its usual notation, 0xRRGGBB.
pub(super) const fn rgb(colour: u32) -> Colour {
    let [_, red, green, blue] = colour.to_be_bytes();
    [blue, green, red, 0]
}

/// Side of a letter at scale 1, in pixels.
pub(super) const LETTER: usize = 8;

/// Pixels that are drawn on; rows follow each other without padding.
#[derive(Debug)]
pub(super) struct Canvas<'a> {
    bgra: &'a mut [u8],
    width: usize,
    height: usize,
}

impl<'a> Canvas<'a> {
    /// Draws on `bgra`, of which whole rows of `width` pixels are used.
    pub(super) fn new(bgra: &'a mut [u8], width: usize) -> Self {
        let height = bgra.len() / (width * 4);
        Self { bgra, width, height }
    }

    pub(super) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Colour) {
        let (x, right) = (x.min(self.width), (x + width).min(self.width));
        for row in y.min(self.height)..(y + height).min(self.height) {
            let start = row * self.width * 4;
            for pixel in self.bgra[start + x * 4..start + right * 4].chunks_exact_mut(4) {
                pixel.copy_from_slice(&colour);
            }
        }
    }

    /// Writes ASCII letters from left to right; others are left blank.
    pub(super) fn text(&mut self, x: usize, y: usize, scale: usize, colour: Colour, text: &str) {
        for (index, letter) in text.bytes().enumerate() {
            let left = x + index * LETTER * scale;
            let Some(rows) = BASIC_LEGACY.get(usize::from(letter)) else { continue };
            for (row, bits) in rows.iter().enumerate() {
                for column in (0..LETTER).filter(|column| bits >> column & 1 == 1) {
                    self.fill(left + column * scale, y + row * scale, scale, scale, colour);
                }
            }
        }
    }

    /// Copies whole rows from another picture of the same width.
    pub(super) fn rows(&mut self, y: usize, rows: &[u8]) {
        let start = (y * self.width * 4).min(self.bgra.len());
        let length = rows.len().min(self.bgra.len() - start);
        self.bgra[start..start + length].copy_from_slice(&rows[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_inside_only() {
        let mut bgra = vec![0; 10 * 9 * 4];
        let mut canvas = Canvas::new(&mut bgra, 10);
        canvas.fill(8, 8, 100, 100, rgb(0x0001_0203));
        canvas.fill(100, 0, 1, 1, rgb(0x00FF_FFFF));
        canvas.text(1, 0, 1, rgb(0x00FF_0000), "L@");
        canvas.rows(200, &[1; 40]);
        assert_eq!(bgra[(8 * 10 + 9) * 4..], [3, 2, 1, 0]);
        let first_row: Vec<u8> = bgra[..40].chunks_exact(4).map(|pixel| pixel[2]).collect();
        assert_eq!(first_row, [0, 255, 255, 255, 255, 0, 0, 0, 0, 0], "the serif of the L");
    }
}
