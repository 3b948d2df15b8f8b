//! Multiples of many elements at once: what all the time of coding goes into.
//!
//! A factor has one table for the low and one for the high half of a byte, of 16 products each; nearly all processors
//! look up all bytes of a vector in such a table by one instruction. The product is the sum of both. The others add up
//! the factor's bits.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x32};

use super::field::{multiply, times_two};

/// Bytes that are worked on at once.
const LANES: usize = 32;

type Lanes = [u8; LANES];

/// A factor's products with the low halves of bytes and with the high halves.
type Tables = [[u8; 16]; 2];

static TABLES: [Tables; 256] = tables();

#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
const fn tables() -> [Tables; 256] {
    let mut tables = [[[0; 16]; 2]; 256];
    let mut factor: u8 = 0;
    loop {
        let mut half: u8 = 0;
        while half < 16 {
            let [low, high] = &mut tables[factor as usize];
            low[half as usize] = multiply(factor, half);
            high[half as usize] = multiply(factor, half << 4);
            half += 1;
        }
        if factor == u8::MAX {
            return tables;
        }
        factor += 1;
    }
}

/// The best that this processor can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    level: Level,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { level: Level::new() }
    }
}

impl Kernel {
    /// Adds `factor` times `source` to `target`, as far as both reach.
    pub(super) fn add_multiple(self, target: &mut [u8], factor: u8, source: &[u8]) {
        match factor {
            0 => {}
            1 => add(target, source),
            2.. if self.looks_up() => dispatch!(self.level, simd => {
                let tables = TablesInVectors::new(simd, factor);
                add_products(target, source, #[inline(always)] |lanes| tables.product(lanes));
            }),
            2.. => {
                let masks = masks(factor);
                add_products(target, source, |lanes| product_by_doubling(masks, lanes));
            }
        }
    }

    /// Makes `target` `factor` times what it was.
    pub(super) fn scale(self, target: &mut [u8], factor: u8) {
        match factor {
            1 => {}
            _ if self.looks_up() => dispatch!(self.level, simd => {
                let tables = TablesInVectors::new(simd, factor);
                replace_by_products(target, #[inline(always)] |lanes| tables.product(lanes));
            }),
            _ => {
                let masks = masks(factor);
                replace_by_products(target, |lanes| product_by_doubling(masks, lanes));
            }
        }
    }

    /// Whether there is an instruction that looks many bytes up at once: x86 has it since SSSE3.
    fn looks_up(self) -> bool {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let Level::Sse2(_) = self.level {
            return false;
        }
        !self.level.is_fallback()
    }
}

/// Adds `source` to `target`, as far as both reach.
#[inline(always)]
fn add(target: &mut [u8], source: &[u8]) {
    target.iter_mut().zip(source).for_each(|(target, source)| *target ^= source);
}

#[inline(always)]
fn add_products(target: &mut [u8], source: &[u8], product: impl Fn(&Lanes) -> Lanes) {
    let len = target.len().min(source.len());
    let (targets, target_rest) = target.get_mut(..len).unwrap_or_default().as_chunks_mut::<LANES>();
    let (sources, source_rest) = source.get(..len).unwrap_or_default().as_chunks::<LANES>();
    for (target, source) in targets.iter_mut().zip(sources) {
        add(target, &product(source));
    }
    add(target_rest, &product(&filled_up(source_rest)));
}

#[inline(always)]
fn replace_by_products(target: &mut [u8], product: impl Fn(&Lanes) -> Lanes) {
    let (targets, rest) = target.as_chunks_mut();
    for target in targets {
        *target = product(target);
    }
    let product = product(&filled_up(rest));
    rest.iter_mut().zip(product).for_each(|(target, product)| *target = product);
}

/// Fewer bytes than lanes, and zeros.
#[inline(always)]
fn filled_up(bytes: &[u8]) -> Lanes {
    let mut lanes = [0; LANES];
    add(&mut lanes, bytes);
    lanes
}

/// A factor's tables, once for each 16 lanes.
struct TablesInVectors<S: Simd> {
    simd: S,
    low: u8x32<S>,
    high: u8x32<S>,
}

impl<S: Simd> TablesInVectors<S> {
    #[inline(always)]
    fn new(simd: S, factor: u8) -> Self {
        #[expect(clippy::indexing_slicing, reason = "there is an entry for each byte")]
        let [low, high] = &TABLES[usize::from(factor)];
        let [low, high] = [low, high].map(|table| u8x32::block_splat(u8x16::from_slice(simd, table)));
        Self { simd, low, high }
    }

    #[inline(always)]
    fn product(&self, bytes: &Lanes) -> Lanes {
        let bytes = u8x32::from_slice(self.simd, bytes);
        let low = self.low.swizzle_dyn_within_blocks(bytes & u8x32::splat(self.simd, 15));
        let high = self.high.swizzle_dyn_within_blocks(bytes >> 4);
        (low ^ high).into()
    }
}

/// For each bit of a factor, whether it is set.
fn masks(factor: u8) -> [u8; 8] {
    [0, 1, 2, 3, 4, 5, 6, 7].map(|bit| if factor >> bit & 1 == 1 { u8::MAX } else { 0 })
}

/// The sum of the doubles that the factor has bits for. No byte decides what is done, so that even the oldest vectors will do.
#[inline(always)]
fn product_by_doubling(masks: [u8; 8], bytes: &Lanes) -> Lanes {
    let (mut product, mut double) = ([0; LANES], *bytes);
    for mask in masks {
        product.iter_mut().zip(&double).for_each(|(product, double)| *product ^= double & mask);
        double.iter_mut().for_each(|byte| *byte = times_two(*byte));
    }
    product
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::Rng;

    /// Lengths around whole vectors, and one of each operand longer than the other.
    const LENGTHS: [(usize, usize); 9] =
        [(0, 0), (1, 1), (31, 31), (32, 32), (33, 33), (97, 97), (300, 300), (40, 70), (70, 40)];

    #[test]
    fn multiples_are_those_of_single_elements() {
        let mut rng = Rng::new(41);
        // The least that a processor may be is one that cannot look up, on x86.
        for (level, (target_len, source_len)) in
            [Level::new(), Level::baseline()].into_iter().flat_map(|level| LENGTHS.map(|lengths| (level, lengths)))
        {
            let kernel = Kernel { level };
            let (mut before, mut source) = (vec![0; target_len], vec![0; source_len]);
            rng.fill(&mut before);
            rng.fill(&mut source);
            for factor in 0..=255 {
                let mut sum = before.clone();
                kernel.add_multiple(&mut sum, factor, &source);
                let source = source.iter().copied().chain(core::iter::repeat(0));
                let right: Vec<u8> = before.iter().zip(source).map(|(a, b)| a ^ multiply(factor, b)).collect();
                assert_eq!(sum, right, "{factor} {target_len} {source_len}");

                let mut scaled = before.clone();
                kernel.scale(&mut scaled, factor);
                let right: Vec<u8> = before.iter().map(|byte| multiply(factor, *byte)).collect();
                assert_eq!(scaled, right, "{factor} {target_len}");
            }
        }
    }
}
