//! Fitting a picture into the window: aspect kept, black beside it, and text readable.
//!
//! Shrinking averages the area that falls on a pixel, so that no thin stroke is lost; enlarging interpolates, or
//! repeats pixels where the factor is whole, which keeps strokes sharp.

use crate::decode::{PictureSize, Pixels};

/// Weights of one output pixel add up to this, so that a channel fits 16 bits through the whole sum.
const WEIGHT_SUM: u32 = 256;
const CHANNELS: usize = 4;
/// Blue, red and the unused byte apart from green: two channels are weighed with one multiplication.
const EVEN_CHANNELS: u32 = 0x00FF_00FF;

/// A rectangle of the window in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) size: PictureSize,
}

/// The largest rectangle of the picture's shape in the middle of the window.
pub(super) fn letterbox(picture: PictureSize, window: PictureSize) -> Rectangle {
    if picture.width == 0 || picture.height == 0 {
        return Rectangle::default();
    }
    let rounded = |side: usize, by: usize, over: usize| ((side * by + over / 2) / over).max(1);
    let size = if window.width * picture.height <= window.height * picture.width {
        PictureSize { width: window.width, height: rounded(window.width, picture.height, picture.width) }
    } else {
        PictureSize { width: rounded(window.height, picture.width, picture.height), height: window.height }
    };
    let size = PictureSize { width: size.width.min(window.width), height: size.height.min(window.height) };
    Rectangle { left: (window.width - size.width) / 2, top: (window.height - size.height) / 2, size }
}

/// Scales pictures of one size into one place; keeps its tables and rows from picture to picture.
#[derive(Default)]
pub(super) struct Scaler {
    from: PictureSize,
    to: PictureSize,
    columns: Axis,
    rows: Axis,
    sums: Vec<u16>,
    row: Vec<u32>,
}

impl Scaler {
    /// Draws `picture` into the place of `canvas`; what is beside it is left alone.
    pub(super) fn draw(&mut self, picture: &Pixels, canvas: &mut Pixels, place: Rectangle) {
        if (self.from, self.to) != (picture.size, place.size) {
            (self.from, self.to) = (picture.size, place.size);
            self.columns = Axis::new(picture.size.width, place.size.width);
            self.rows = Axis::new(picture.size.height, place.size.height);
        }
        if picture.words.is_empty() || canvas.words.is_empty() {
            return;
        }
        let lines = canvas.words.chunks_exact_mut(canvas.size.width).skip(place.top);
        for (line, taps) in lines.zip(&self.rows.pixels) {
            let source = picture.words.chunks_exact(picture.size.width).skip(taps.first);
            let weights = self.rows.weights_of(taps);
            let target = &mut line[place.left..place.left + place.size.width];
            if let (Some(only), [_]) = (source.clone().next(), weights) {
                self.columns.draw_line(only, target);
            } else {
                sum_rows(source.zip(weights), &mut self.sums, picture.size.width);
                narrow(&self.sums, &mut self.row);
                self.columns.draw_line(&self.row, target);
            }
        }
    }
}

/// The weighted sum of whole rows: plain 16-bit lanes that the compiler turns into vector instructions.
fn sum_rows<'a>(rows: impl Iterator<Item = (&'a [u32], &'a u32)>, sums: &mut Vec<u16>, width: usize) {
    sums.clear();
    sums.resize(width * CHANNELS, 0);
    for (row, &weight) in rows {
        let weight = weight as u16;
        let bytes: &[u8] = bytemuck::cast_slice(row);
        for (sum, &byte) in sums.iter_mut().zip(bytes) {
            *sum += u16::from(byte) * weight;
        }
    }
}

fn narrow(sums: &[u16], row: &mut Vec<u32>) {
    row.resize(sums.len() / CHANNELS, 0);
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(row);
    for (byte, &sum) in bytes.iter_mut().zip(sums) {
        *byte = (sum >> 8) as u8;
    }
}

/// For each output pixel of an axis, which input pixels it is made of.
#[derive(Default)]
struct Axis {
    pixels: Vec<Taps>,
    weights: Vec<u32>,
    /// Every output pixel is one input pixel, in the same order and number.
    identity: bool,
}

struct Taps {
    first: usize,
    count: usize,
    weights_at: usize,
}

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        let mut axis = Self { identity: from == to, ..Self::default() };
        for pixel in 0..to {
            let (first, weights) = if to.is_multiple_of(from) {
                (pixel / (to / from), vec![WEIGHT_SUM])
            } else if to < from {
                averaging(pixel, from, to)
            } else {
                interpolating(pixel, from, to)
            };
            axis.pixels.push(Taps { first, count: weights.len(), weights_at: axis.weights.len() });
            axis.weights.extend(weights);
        }
        axis
    }

    fn weights_of(&self, taps: &Taps) -> &[u32] {
        &self.weights[taps.weights_at..taps.weights_at + taps.count]
    }

    fn draw_line(&self, source: &[u32], target: &mut [u32]) {
        if self.identity {
            target.copy_from_slice(source);
            return;
        }
        for (pixel, taps) in target.iter_mut().zip(&self.pixels) {
            let (mut even, mut odd) = (0, 0);
            for (&word, &weight) in source[taps.first..].iter().zip(self.weights_of(taps)) {
                even += (word & EVEN_CHANNELS) * weight;
                odd += (word >> 8 & EVEN_CHANNELS) * weight;
            }
            *pixel = even >> 8 & EVEN_CHANNELS | odd & !EVEN_CHANNELS;
        }
    }
}

/// The input pixels under an output pixel, each by the share of it that is covered.
fn averaging(pixel: usize, from: usize, to: usize) -> (usize, Vec<u32>) {
    // In units of 1/to of an input pixel, so that all borders are whole numbers.
    let (start, end) = (pixel * from, (pixel + 1) * from);
    let first = start / to;
    let covered = |input: usize| (end.min((input + 1) * to) - start.max(input * to)) as u32;
    (first, normalised((first..end.div_ceil(to)).map(covered).collect()))
}

/// The two input pixels whose middles are next to the middle of an output pixel.
fn interpolating(pixel: usize, from: usize, to: usize) -> (usize, Vec<u32>) {
    // In units of 1/(2 to) of an input pixel; the outermost half pixels have one neighbour only.
    let middle = ((2 * pixel + 1) * from).saturating_sub(to).min(2 * to * (from - 1));
    let (first, beyond) = (middle / (2 * to), middle % (2 * to));
    if beyond == 0 {
        (first, vec![WEIGHT_SUM])
    } else {
        (first, normalised(vec![(2 * to - beyond) as u32, beyond as u32]))
    }
}

/// Shares as weights that add up to exactly [`WEIGHT_SUM`], or a white area would come out grey or overflow.
fn normalised(shares: Vec<u32>) -> Vec<u32> {
    let total: u64 = shares.iter().copied().map(u64::from).sum();
    let (mut passed, mut given) = (0, 0);
    shares
        .into_iter()
        .map(|share| {
            passed += u64::from(share);
            let due = (passed * u64::from(WEIGHT_SUM) / total) as u32;
            due - core::mem::replace(&mut given, due)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size((width, height): (usize, usize)) -> PictureSize {
        PictureSize { width, height }
    }

    fn scaled(picture: &Pixels, to: (usize, usize)) -> Vec<u32> {
        let mut canvas = Pixels::default();
        canvas.resize(size(to));
        Scaler::default().draw(picture, &mut canvas, Rectangle { left: 0, top: 0, size: size(to) });
        canvas.words
    }

    fn pixels(width: usize, words: &[u32]) -> Pixels {
        Pixels { size: size((width, words.len() / width)), words: words.to_vec() }
    }

    #[test]
    fn letterboxes_keep_the_shape_in_the_middle() {
        let table = [
            ((1920, 1080), (1920, 1080), (0, 0, 1920, 1080)),
            ((1920, 1080), (960, 540), (0, 0, 960, 540)),
            ((1920, 1080), (1000, 1000), (0, 218, 1000, 563)),
            ((1080, 1920), (1000, 1000), (218, 0, 563, 1000)),
            ((64, 48), (640, 640), (0, 80, 640, 480)),
            ((10_000, 1), (100, 100), (0, 49, 100, 1)),
            ((1, 10_000), (100, 100), (49, 0, 1, 100)),
            ((0, 0), (100, 100), (0, 0, 0, 0)),
            ((64, 48), (0, 0), (0, 0, 0, 0)),
        ];
        for (picture, window, (left, top, width, height)) in table {
            let wanted = Rectangle { left, top, size: size((width, height)) };
            assert_eq!(letterbox(size(picture), size(window)), wanted, "{picture:?} in {window:?}");
        }
    }

    #[test]
    fn every_weight_sums_up_and_stays_inside() {
        for (from, to) in [(1, 1), (1, 7), (7, 1), (1080, 563), (563, 1080), (1920, 1919), (5, 12), (3000, 10)] {
            let axis = Axis::new(from, to);
            assert_eq!(axis.pixels.len(), to);
            for taps in &axis.pixels {
                assert_eq!(axis.weights_of(taps).iter().sum::<u32>(), WEIGHT_SUM, "{from} to {to}");
                assert!(taps.first + taps.count <= from, "{from} to {to}");
            }
        }
    }

    #[test]
    fn channels_are_averaged_apart_and_the_extremes_stay() {
        let (red, blue) = (0x00FF_0000, 0x0000_00FF);
        assert_eq!(scaled(&pixels(2, &[red, blue]), (1, 1)), [0x007F_007F]);
        assert_eq!(scaled(&pixels(1, &[red, blue]), (1, 1)), [0x007F_007F]);
        assert_eq!(scaled(&pixels(3, &[u32::MAX; 9]), (2, 2)), [u32::MAX; 4]);
        assert_eq!(scaled(&pixels(3, &[u32::MAX; 9]), (7, 5)), [u32::MAX; 35]);
        assert_eq!(scaled(&pixels(2, &[0x0012_3456; 2]), (5, 3)), [0x0012_3456; 15]);
    }

    #[test]
    fn whole_factors_repeat_pixels_and_others_blend_between_them() {
        assert_eq!(scaled(&pixels(2, &[1, 2]), (4, 2)), [1, 1, 2, 2, 1, 1, 2, 2]);
        assert_eq!(scaled(&pixels(2, &[0, 0xC0]), (3, 1)), [0, 0x60, 0xC0]);
        assert_eq!(scaled(&pixels(2, &[3, 4, 5, 6]), (2, 2)), [3, 4, 5, 6]);
    }

    #[test]
    fn what_is_beside_the_place_is_left_alone() {
        let mut canvas = pixels(4, &[9; 12]);
        let place = Rectangle { left: 1, top: 1, size: size((2, 1)) };
        Scaler::default().draw(&pixels(2, &[1, 2]), &mut canvas, place);
        assert_eq!(canvas.words, [9, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 9]);
    }
}
