//! Stand-in for the erasure code (to be replaced by the full one).

use alloc::vec;
use alloc::vec::Vec;

/// Layout.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    fragments: u16,
}

impl Layout {
    /// New.
    #[must_use]
    pub const fn new(fragments: u16) -> Self {
        Self { fragments: if fragments == 0 { 1 } else { fragments } }
    }
    /// Blocks.
    #[must_use]
    pub const fn blocks(&self) -> u8 {
        self.fragments.div_ceil(128) as u8
    }
    /// Block of fragment or row.
    #[must_use]
    pub const fn block_of(&self, index: u16) -> u8 {
        (index % self.blocks() as u16) as u8
    }
    /// Fragments of a block.
    #[must_use]
    pub const fn size_of(&self, block: u8) -> u16 {
        let nb = self.blocks() as u16;
        (self.fragments + nb - 1 - block as u16) / nb
    }
    /// Place of a row or fragment in its block.
    #[must_use]
    pub const fn row_in_block(&self, row: u16) -> u16 {
        row / self.blocks() as u16
    }
    /// Rows that there are.
    #[must_use]
    pub const fn rows_max(&self) -> u16 {
        self.blocks() as u16 * 128
    }
}

fn mul(mut a: u8, mut b: u8) -> u8 {
    let mut p = 0;
    while b != 0 {
        if b & 1 == 1 {
            p ^= a;
        }
        let hi = a & 0x80;
        a <<= 1;
        if hi != 0 {
            a ^= 0x1d;
        }
        b >>= 1;
    }
    p
}

fn inv(a: u8) -> u8 {
    let mut r = 1;
    for _ in 0..254 {
        r = mul(r, a);
    }
    r
}

fn entry(row: u16, column: u16) -> u8 {
    let cauchy = |r: u16| inv((128 + r) as u8 ^ column as u8);
    mul(cauchy(row), inv(cauchy(0)))
}

/// Encoder of one row.
#[derive(Debug)]
pub struct Encoder<'a> {
    layout: Layout,
    row: u16,
    out: &'a mut [u8],
}

impl<'a> Encoder<'a> {
    /// New.
    #[must_use]
    pub fn new(layout: Layout, row: u16, out: &'a mut [u8]) -> Option<Self> {
        out.fill(0);
        (row < layout.rows_max()).then_some(Self { layout, row, out })
    }
    /// Adds bytes of a fragment at an offset.
    pub fn add(&mut self, index: u16, offset: usize, bytes: &[u8]) {
        if self.layout.block_of(index) != self.layout.block_of(self.row) {
            return;
        }
        let factor = entry(self.layout.row_in_block(self.row), self.layout.row_in_block(index));
        let mut table = [0; 256];
        (0..=255u8).for_each(|b| table[usize::from(b)] = mul(b, factor));
        for (out, byte) in self.out.iter_mut().skip(offset).zip(bytes) {
            *out ^= table[usize::from(*byte)];
        }
    }
}

/// A row that is here.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Number.
    pub row: u16,
    /// Bytes.
    pub bytes: &'a [u8],
}

/// Decoder with its scratch memory.
#[derive(Debug, Default)]
pub struct Decoder {}

impl Decoder {
    /// Recovers everything missing.
    pub fn decode<'r, I: Iterator<Item = Symbol<'r>>>(
        &mut self,
        count: u16,
        segment: usize,
        bytes: &mut [u8],
        have: &mut [u64],
        rows: impl Fn() -> I,
    ) -> bool {
        let layout = Layout::new(count);
        for block in 0..layout.blocks() {
            let nb = u16::from(layout.blocks());
            let has = |have: &[u64], i: u16| have[usize::from(i / 64)] >> (i % 64) & 1 == 1;
            let missing: Vec<u16> =
                (u16::from(block)..count).step_by(usize::from(nb)).filter(|i| !has(have, *i)).collect();
            let used: Vec<_> = rows().filter(|row| layout.block_of(row.row) == block).take(missing.len()).collect();
            if used.len() < missing.len() {
                return false;
            }
            let n = missing.len();
            let mut right: Vec<Vec<u8>> = Vec::new();
            let mut matrix: Vec<Vec<u8>> = Vec::new();
            for row in &used {
                let mut sum = vec![0; segment];
                let mut enc = Encoder { layout, row: row.row, out: &mut sum };
                for i in (u16::from(block)..count).step_by(usize::from(nb)).filter(|i| has(have, *i)) {
                    enc.add(i, 0, &bytes[usize::from(i) * segment..][..segment]);
                }
                sum.iter_mut().zip(row.bytes).for_each(|(a, b)| *a ^= b);
                right.push(sum);
                matrix.push(
                    missing.iter().map(|i| entry(layout.row_in_block(row.row), layout.row_in_block(*i))).collect(),
                );
            }
            for c in 0..n {
                let Some(p) = (c..n).find(|r| matrix[*r][c] != 0) else { return false };
                matrix.swap(c, p);
                right.swap(c, p);
                let f = inv(matrix[c][c]);
                matrix[c].iter_mut().for_each(|v| *v = mul(*v, f));
                right[c].iter_mut().for_each(|v| *v = mul(*v, f));
                for r in 0..n {
                    let f = matrix[r][c];
                    if r != c && f != 0 {
                        let (m, s) = (matrix[c].clone(), right[c].clone());
                        matrix[r].iter_mut().zip(&m).for_each(|(a, b)| *a ^= mul(*b, f));
                        right[r].iter_mut().zip(&s).for_each(|(a, b)| *a ^= mul(*b, f));
                    }
                }
            }
            for (i, sum) in missing.iter().zip(&right) {
                bytes[usize::from(*i) * segment..][..segment].copy_from_slice(sum);
                have[usize::from(i / 64)] |= 1 << (i % 64);
            }
        }
        true
    }
}
