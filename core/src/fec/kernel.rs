//! Multiples of many elements at once: what all the time of coding goes into.
//!
//! A factor has one table for the low and one for the high half of a byte, of 16 products each; a processor looks up all
//! bytes of a vector in such a table by one instruction. The product is the sum of both.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x16, u8x32};

use super::field::product_of_definition;

/// Bytes that are worked on at once.
const LANES: usize = 32;

/// A factor's products with the low halves of bytes and with the high halves.
type Tables = [[u8; 16]; 2];

static TABLES: [Tables; 256] = tables();

const fn tables() -> [Tables; 256] {
    let mut tables = [[[0; 16]; 2]; 256];
    let mut factor: u8 = 0;
    loop {
        let mut half: u8 = 0;
        while half < 16 {
            let [low, high] = &mut tables[factor as usize];
            low[half as usize] = product_of_definition(factor, half);
            high[half as usize] = product_of_definition(factor, half << 4);
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
            2.. => {
                let tables = tables_of(factor);
                dispatch!(self.level, simd => add_multiple(simd, tables, target, source));
            }
        }
    }

    /// Makes `target` `factor` times what it was.
    pub(super) fn scale(self, target: &mut [u8], factor: u8) {
        if factor != 1 {
            let tables = tables_of(factor);
            dispatch!(self.level, simd => scale(simd, tables, target));
        }
    }
}

fn tables_of(factor: u8) -> &'static Tables {
    &TABLES[usize::from(factor)]
}

/// Adds `source` to `target`, as far as both reach.
fn add(target: &mut [u8], source: &[u8]) {
    target.iter_mut().zip(source).for_each(|(target, source)| *target ^= source);
}

#[inline(always)]
fn add_multiple<S: Simd>(simd: S, tables: &Tables, target: &mut [u8], source: &[u8]) {
    let multiplier = Multiplier::new(simd, tables);
    let len = target.len().min(source.len());
    let (targets, target_rest) = target.get_mut(..len).unwrap_or_default().as_chunks_mut::<LANES>();
    let (sources, source_rest) = source.get(..len).unwrap_or_default().as_chunks::<LANES>();
    for (target, source) in targets.iter_mut().zip(sources) {
        let sum = u8x32::from_slice(simd, target) ^ multiplier.product(source);
        sum.store_slice(target);
    }
    add(target_rest, &multiplier.product_of_rest(source_rest));
}

#[inline(always)]
fn scale<S: Simd>(simd: S, tables: &Tables, target: &mut [u8]) {
    let multiplier = Multiplier::new(simd, tables);
    let (targets, rest) = target.as_chunks_mut::<LANES>();
    for target in targets {
        multiplier.product(target).store_slice(target);
    }
    let product = multiplier.product_of_rest(rest);
    rest.iter_mut().zip(product).for_each(|(target, product)| *target = product);
}

/// A factor's tables in vectors.
struct Multiplier<S: Simd> {
    simd: S,
    low: u8x32<S>,
    high: u8x32<S>,
}

impl<S: Simd> Multiplier<S> {
    #[inline(always)]
    fn new(simd: S, [low, high]: &Tables) -> Self {
        let low = u8x32::block_splat(u8x16::from_slice(simd, low));
        let high = u8x32::block_splat(u8x16::from_slice(simd, high));
        Self { simd, low, high }
    }

    #[inline(always)]
    fn product(&self, bytes: &[u8; LANES]) -> u8x32<S> {
        let bytes = u8x32::from_slice(self.simd, bytes);
        let low = bytes & u8x32::splat(self.simd, 15);
        self.low.swizzle_dyn_within_blocks(low) ^ self.high.swizzle_dyn_within_blocks(bytes >> 4)
    }

    /// Of fewer bytes than lanes.
    #[inline(always)]
    fn product_of_rest(&self, bytes: &[u8]) -> [u8; LANES] {
        let mut lanes = [0; LANES];
        add(&mut lanes, bytes);
        self.product(&lanes).into()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::fec::field::multiply;

    /// Lengths around whole vectors, and one of each operand longer than the other.
    const LENGTHS: [(usize, usize); 9] =
        [(0, 0), (1, 1), (31, 31), (32, 32), (33, 33), (97, 97), (300, 300), (40, 70), (70, 40)];

    #[test]
    fn multiples_are_those_of_single_elements() {
        let kernel = Kernel::default();
        for (target_len, source_len) in LENGTHS {
            let before: Vec<u8> = (0..target_len).map(|i| (i * 5 + 3) as u8).collect();
            let source: Vec<u8> = (0..source_len).map(|i| (i * 11 + i / 8) as u8).collect();
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
