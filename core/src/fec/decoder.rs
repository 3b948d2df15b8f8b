//! What is missing, out of rows.
//!
//! A row less those of its fragments that are here is an equation for the missing ones. As many rows as fragments are
//! missing make a system whose right-hand sides are collected in the places of the missing fragments, where elimination
//! turns them into the fragments themselves.

use alloc::vec::Vec;
use core::ops::Range;

use super::field::divide;
use super::kernel::Kernel;
use super::layout::Layout;
use crate::limits::FRAGMENTS_PER_FRAME_MAX;

/// A row that is here.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its number.
    pub row: u16,
    /// Its bytes, as many as fragments have.
    pub bytes: &'a [u8],
}

/// Recovers fragments. It keeps nothing from one frame to the next but the memory that it works in: up to 128 x 128
/// coefficients.
#[derive(Debug, Default)]
pub struct Decoder {
    kernel: Kernel,
    /// The fragments of a block that are missing.
    missing: Vec<u16>,
    /// The rows that stand in for them.
    rows: Vec<u16>,
    /// For each of these rows the entries of the missing fragments.
    coefficients: Vec<u8>,
}

impl Decoder {
    /// Recovers all missing fragments of a frame of `count` fragments: writes them to their places in `bytes` and marks
    /// them in `have`.
    ///
    /// * `bytes` are `count` places of `segment` bytes. The place of a last fragment that is short ends with zeros. What
    ///   is in the places of missing fragments makes no difference.
    /// * `have` has bit `i mod 64` of word `i div 64` set if fragment `i` is in its place.
    /// * `rows` gives the rows that are here, in any order, the same each time. Those that are not `segment` bytes long,
    ///   that are given twice or that there cannot be are passed over.
    ///
    /// Says whether everything is here now. If not, because some block has too few rows or because `bytes` or `have` are
    /// not of these sizes, nothing was changed.
    pub fn decode<'r, I: Iterator<Item = Symbol<'r>>>(
        &mut self,
        count: u16,
        segment: usize,
        bytes: &mut [u8],
        have: &mut [u64],
        rows: impl Fn() -> I,
    ) -> bool {
        let count_fits = (1..=FRAGMENTS_PER_FRAME_MAX).contains(&usize::from(count));
        let len_fits = usize::from(count).checked_mul(segment) == Some(bytes.len());
        if !count_fits || !len_fits || have.len() < usize::from(count).div_ceil(64) {
            return false;
        }
        let layout = Layout::new(count);
        let block = |number| Block { layout, number, segment };
        let is_solvable = |block: Block| block.useful(rows()).count() >= block.missing(have).count();
        if !(0..layout.blocks()).map(block).all(is_solvable) {
            return false;
        }
        (0..layout.blocks()).map(block).all(|block| self.decode_block(block, bytes, have, rows()))
    }

    fn decode_block<'r>(
        &mut self,
        block: Block,
        bytes: &mut [u8],
        have: &mut [u64],
        rows: impl Iterator<Item = Symbol<'r>>,
    ) -> bool {
        self.missing.clear();
        self.missing.extend(block.missing(have));
        if self.missing.is_empty() {
            return true;
        }
        self.collect(block, bytes, rows);
        self.reduce(block, bytes, have);
        self.solve(block, bytes);
        let is_complete = self.rows.len() == self.missing.len();
        if is_complete {
            self.missing.iter().for_each(|index| mark(have, *index));
        }
        is_complete
    }

    /// Puts a row into the place of each missing fragment.
    fn collect<'r>(&mut self, block: Block, bytes: &mut [u8], rows: impl Iterator<Item = Symbol<'r>>) {
        self.rows.clear();
        for (index, symbol) in self.missing.iter().zip(block.useful(rows)) {
            if let Some(place) = bytes.get_mut(place(*index, block.segment)) {
                place.copy_from_slice(symbol.bytes);
                self.rows.push(symbol.row);
            }
        }
    }

    /// Takes the fragments that are here out of these rows.
    fn reduce(&self, block: Block, bytes: &mut [u8], have: &[u64]) {
        for index in block.fragments().filter(|index| has(have, *index)) {
            for (sum, row) in self.missing.iter().zip(&self.rows) {
                let factor = block.layout.entry(*row, index);
                add_multiple(self.kernel, bytes, block.segment, *sum, factor, index);
            }
        }
    }

    /// Gauss-Jordan elimination of the coefficients, the places of the missing fragments being the right-hand sides.
    ///
    /// No row has to change places with another: each pivot is the quotient of two determinants of square parts of the
    /// matrix, neither of which is zero.
    fn solve(&mut self, block: Block, bytes: &mut [u8]) {
        let Self { kernel, missing, rows, coefficients } = self;
        coefficients.clear();
        for row in rows.iter() {
            coefficients.extend(missing.iter().map(|index| block.layout.entry(*row, *index)));
        }
        let size = missing.len();
        for (pivot, pivot_place) in (0..).zip(missing.iter()) {
            let inverse = divide(1, coefficient(coefficients, size, pivot, pivot));
            scale(*kernel, coefficients, size, pivot, inverse);
            scale(*kernel, bytes, block.segment, *pivot_place, inverse);
            for (row, row_place) in (0..).zip(missing.iter()).filter(|(row, _)| *row != pivot) {
                let factor = coefficient(coefficients, size, row, pivot);
                add_multiple(*kernel, coefficients, size, row, factor, pivot);
                add_multiple(*kernel, bytes, block.segment, *row_place, factor, *pivot_place);
            }
        }
    }
}

/// One block of a frame with places of `segment` bytes.
#[derive(Clone, Copy, Debug)]
struct Block {
    layout: Layout,
    number: u8,
    segment: usize,
}

impl Block {
    fn fragments(self) -> impl Iterator<Item = u16> {
        self.layout.fragments_of(self.number)
    }

    fn missing(self, have: &[u64]) -> impl Iterator<Item = u16> {
        self.fragments().filter(|index| !has(have, *index))
    }

    /// The rows that say something about this block, each once.
    fn useful<'r>(self, rows: impl Iterator<Item = Symbol<'r>>) -> impl Iterator<Item = Symbol<'r>> {
        let mut seen = 0_u128;
        rows.filter(move |symbol| {
            let bit = 1_u128.checked_shl(self.layout.row_in_block(symbol.row).into()).unwrap_or_default();
            let is_new = bit & !seen != 0;
            let is_useful =
                is_new && self.layout.block_of(symbol.row) == self.number && symbol.bytes.len() == self.segment;
            seen |= if is_useful { bit } else { 0 };
            is_useful
        })
    }
}

fn has(have: &[u64], index: u16) -> bool {
    have.get(usize::from(index / 64)).is_some_and(|word| word >> (index % 64) & 1 == 1)
}

fn mark(have: &mut [u64], index: u16) {
    if let Some(word) = have.get_mut(usize::from(index / 64)) {
        *word |= 1 << (index % 64);
    }
}

/// Where the place `index` of places of `len` bytes is.
fn place(index: u16, len: usize) -> Range<usize> {
    let start = usize::from(index) * len;
    start..start + len
}

fn coefficient(coefficients: &[u8], size: usize, row: u16, column: u16) -> u8 {
    coefficients.get(usize::from(row) * size + usize::from(column)).copied().unwrap_or_default()
}

/// Adds `factor` times the place `from` to the place `to`.
fn add_multiple(kernel: Kernel, places: &mut [u8], len: usize, to: u16, factor: u8, from: u16) {
    if let Ok([to, from]) = places.get_disjoint_mut([place(to, len), place(from, len)]) {
        kernel.add_multiple(to, factor, from);
    }
}

fn scale(kernel: Kernel, places: &mut [u8], len: usize, at: u16, factor: u8) {
    if let Some(place) = places.get_mut(place(at, len)) {
        kernel.scale(place, factor);
    }
}
