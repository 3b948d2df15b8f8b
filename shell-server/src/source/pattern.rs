//! A drawn test picture: small coloured text, a scrolling listing, moving shapes, a clock, and the number of
//! the picture in a form that machines can read back after decoding.

use super::canvas::{Canvas, Colour, rgb};
use super::{Region, RegionError};
use crate::encode::Picture;
use crate::pipeline::{Capture, Captured};

/// Size without a region, in pixels.
pub const SIZE_DEFAULT: (u32, u32) = (1280, 720);
/// Least size in pixels: the row of counter blocks, and the clock below it.
pub const SIZE_MIN: (u32, u32) = (256, 128);
/// Side of a counter block in pixels: a whole macroblock, so that coding cannot smear one into another.
const BLOCK: usize = 16;
/// Counter blocks in a row, the highest bit first.
const BITS: usize = 16;
const DARK_MAX: u8 = 80;
const LIGHT_MIN: u8 = 176;

const BACKGROUND: Colour = rgb(0x0012_1820);
const GRID: Colour = rgb(0x001C_2530);
const INK: Colour = rgb(0x00D8_DEE9);
const BLACK: Colour = rgb(0);
const WHITE: Colour = rgb(0x00FF_FFFF);
const BARS: [Colour; 8] = [
    rgb(0x00C0_C0C0),
    rgb(0x00C0_C000),
    rgb(0x0000_C0C0),
    rgb(0x0000_C000),
    rgb(0x00C0_00C0),
    rgb(0x00C0_0000),
    rgb(0x0000_00C0),
    rgb(0x0040_4040),
];
const TEXT: [(Colour, &str); 12] = [
    (rgb(0x006A_7A8C), "// small coloured text is what chroma subsampling hurts first"),
    (rgb(0x00C6_92E9), "fn listen(port: u16) -> Result<Viewer, Error> {"),
    (rgb(0x0082_AAFF), "    let socket = UdpSocket::bind((host, port))?;"),
    (rgb(0x00C3_E88D), "    let greeting = \"the quick brown fox jumps over the lazy dog\";"),
    (rgb(0x00FF_CB6B), "    while let Some(frame) = sorted.next() { decoder.push(frame); }"),
    (rgb(0x00F0_7178), "    assert_ne!(lost, expected, \"0123456789 !#$%&()*+,-./:;<=>?@\");"),
    (rgb(0x0089_DDFF), "    Ok(Viewer { socket, greeting, window: Window::open()? })"),
    (rgb(0x00C6_92E9), "}"),
    (INK, "$ cargo test -p sim"),
    (rgb(0x00C3_E88D), "test result: ok. loss, reordering and duplication survived"),
    (INK, "$ ls -l | sort -k5 -n | tail"),
    (rgb(0x0082_AAFF), "-rw-r--r-- 1 user user 1048576 Jan  1 00:00 recording.h264"),
];
/// From one line of the listing to the next, in pixels.
const LINE: usize = 12;
/// Pictures between two steps of the listing, by one line each.
const PICTURES_PER_STEP: u64 = 10;

/// Draws the test picture. What it shows depends on size, rate and number of the picture alone.
#[derive(Debug)]
pub struct Pattern {
    width: u32,
    height: u32,
    fps: u32,
    /// Everything that stands still.
    backdrop: Vec<u8>,
    /// The listing, all of it, in rows as wide as the picture.
    listing: Vec<u8>,
}

impl Pattern {
    /// A test picture of the region's size, or [`SIZE_DEFAULT`].
    ///
    /// # Errors
    ///
    /// When the region is smaller than [`SIZE_MIN`].
    pub fn new(region: Option<Region>, fps: u32) -> Result<Self, RegionError> {
        let region = region.unwrap_or(Region::whole(SIZE_DEFAULT.0, SIZE_DEFAULT.1)).even(SIZE_MIN.0, SIZE_MIN.1)?;
        let (width, height) = (region.width, region.height);
        Ok(Self {
            width,
            height,
            fps: fps.max(1),
            backdrop: backdrop(width as usize, height as usize),
            listing: listing(width as usize),
        })
    }

    /// Draws picture `index` over all of `picture`, which has this pattern's size.
    pub fn draw(&self, index: u64, picture: &mut Picture) {
        let (width, height) = (self.width as usize, self.height as usize);
        picture.bgra.clone_from(&self.backdrop);
        let mut canvas = Canvas::new(&mut picture.bgra, width);

        let (top, bottom) = (listing_top(height), bars_top(height));
        let row_bytes = width * 4;
        let step = usize::try_from(index / PICTURES_PER_STEP % TEXT.len() as u64).unwrap_or(0);
        for line in 0..(bottom - top) / LINE {
            let source = (line + step) % TEXT.len() * LINE * row_bytes;
            canvas.rows(top + line * LINE, &self.listing[source..source + LINE * row_bytes]);
        }

        let fps = u64::from(self.fps);
        let seconds = index / fps;
        let clock = format!("{:02}:{:02}:{:02}", seconds / 3600 % 100, seconds / 60 % 60, seconds % 60);
        canvas.text(16, 32, 3, WHITE, &format!("{clock}.{:02}", index % fps * 100 / fps));
        canvas.text(16, 64, 2, rgb(0x00FF_CB6B), &format!("picture {index}"));

        // The sweep takes four seconds; the square bounces with other periods, so it does not retrace its way soon.
        let sweep = |period: u64, length: usize| usize::try_from(index % period * length as u64 / period).unwrap_or(0);
        let there_and_back = |period: u64, length: usize| {
            let way = sweep(period, length * 2);
            way.min(length * 2 - way)
        };
        canvas.fill(sweep(fps * 4, width), bottom, 8, height - bottom, WHITE);
        let side = (height / 10).max(BLOCK);
        let (x, y) =
            (there_and_back(fps * 7, width - side), there_and_back(fps * 5, bottom - top - side.min(bottom - top)));
        canvas.fill(x, top + y, side, side, rgb(0x00E0_6C75));
        canvas.fill(x + side / 4, top + y + side / 4, side / 2, side / 2, rgb(0x0056_B6C2));

        draw_counter(&mut canvas, index);
    }
}

impl Capture for Pattern {
    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn capture(&mut self, index: u64, _: Option<&Picture>, picture: &mut Picture) -> Result<Captured, String> {
        self.draw(index, picture);
        Ok(Captured::Changed)
    }
}

/// Number of the picture, modulo 65536, from a decoded test picture whose rows are `stride` bytes apart.
/// `None` when the blocks are neither clearly black nor clearly white.
#[must_use]
pub fn read_counter(bgra: &[u8], stride: usize) -> Option<u32> {
    (0..BITS).try_fold(0, |number, bit| {
        let pixel = BLOCK / 2 * stride + (bit * BLOCK + BLOCK / 2) * 4;
        let channels = bgra.get(pixel..pixel + 3)?;
        if channels.iter().all(|&value| value >= LIGHT_MIN) {
            Some(number << 1 | 1)
        } else if channels.iter().all(|&value| value <= DARK_MAX) {
            Some(number << 1)
        } else {
            None
        }
    })
}

fn draw_counter(canvas: &mut Canvas<'_>, index: u64) {
    for bit in 0..BITS {
        let colour = if index >> (BITS - 1 - bit) & 1 == 1 { WHITE } else { BLACK };
        canvas.fill(bit * BLOCK, 0, BLOCK, BLOCK, colour);
    }
}

/// Where the listing starts, in rows from the top.
fn listing_top(height: usize) -> usize {
    (height / 7).max(88).min(bars_top(height))
}

/// Where the colour bars start, in rows from the top.
fn bars_top(height: usize) -> usize {
    height - height / 8
}

fn backdrop(width: usize, height: usize) -> Vec<u8> {
    let mut bgra = vec![0; width * height * 4];
    let mut canvas = Canvas::new(&mut bgra, width);
    canvas.fill(0, 0, width, height, BACKGROUND);
    for x in (0..width).step_by(64) {
        canvas.fill(x, 0, 1, height, GRID);
    }
    let label = format!("nalcast test picture {width}x{height}");
    canvas.text(BITS * BLOCK + BLOCK, 4, 1, INK, &label);
    let bar = width.div_ceil(BARS.len());
    for (index, colour) in BARS.into_iter().enumerate() {
        canvas.fill(index * bar, bars_top(height), bar, height, colour);
    }
    bgra
}

fn listing(width: usize) -> Vec<u8> {
    let mut bgra = vec![0; width * TEXT.len() * LINE * 4];
    let mut canvas = Canvas::new(&mut bgra, width);
    canvas.fill(0, 0, width, TEXT.len() * LINE, BACKGROUND);
    for (index, (colour, text)) in TEXT.into_iter().enumerate() {
        canvas.text(0, index * LINE + 2, 1, GRID, &format!(" {:02}", index + 1));
        canvas.text(40, index * LINE + 2, 1, colour, text);
        // A second column in another order, where the picture is wide enough to show it.
        let (colour, text) = TEXT[(index * 5 + 3) % TEXT.len()];
        canvas.text(640, index * LINE + 2, 1, colour, text);
    }
    bgra
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(pattern: &Pattern, index: u64) -> Picture {
        let mut picture = Picture::new(pattern.width, pattern.height);
        picture.bgra.fill(0x55);
        pattern.draw(index, &mut picture);
        picture
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::new(Some(text.parse().unwrap()), 30).unwrap()
    }

    #[test]
    fn depends_on_the_number_alone() {
        let (one, other) = (pattern("640x360"), pattern("640x360+7+9"));
        let _ = drawn(&other, 999);
        for index in [0, 1, 29, 1234] {
            assert_eq!(drawn(&one, index), drawn(&other, index), "picture {index}");
            assert_ne!(drawn(&one, index), drawn(&one, index + 1), "picture {index}");
        }
    }

    #[test]
    fn counter_reads_back() {
        let pattern = pattern("256x128");
        for (index, expected) in [(0, 0), (1, 1), (0x8000, 0x8000), (0xFFFF, 0xFFFF), (0x1_2345, 0x2345)] {
            let picture = drawn(&pattern, index);
            assert_eq!(read_counter(&picture.bgra, picture.stride()), Some(expected), "picture {index}");
        }
        assert_eq!(read_counter(&[0x80; 256 * 16 * 4], 256 * 4), None, "grey");
        assert_eq!(read_counter(&[0; 100], 256 * 4), None, "too short");
    }

    #[test]
    fn any_size_from_the_least_on() {
        for size in ["256x128", "258x130", "720x1280", "3840x2160"] {
            let pattern = pattern(size);
            for index in [0, 119, 209, u64::from(u32::MAX)] {
                let picture = drawn(&pattern, index);
                assert_eq!(picture.bgra.len(), (pattern.width * pattern.height * 4) as usize, "{size}");
            }
        }
        assert!(Pattern::new(Some(Region::whole(254, 128)), 30).is_err());
        assert_eq!(Pattern::new(None, 30).unwrap().size(), SIZE_DEFAULT);
        assert_eq!(Pattern::new(Some(Region::whole(301, 201)), 30).unwrap().size(), (300, 200));
    }
}
