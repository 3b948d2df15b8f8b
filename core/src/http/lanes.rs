//! Sorts many bytes at once into the classes that tokens and lines end at: one bit a byte.

use fearless_simd::prelude::*;
use fearless_simd::{u8x16, u8x32, u8x64};

use super::grammar::{is_plain_host_byte, is_tchar};

/// Bytes of a block, in which lines are looked for.
pub(super) const BLOCK_BYTES: usize = 64;
/// Bytes in which the end of a name is looked for: longer names are rare.
pub(super) const NAME_BYTES: usize = 32;

/// What is in a block: bit `i` speaks of byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// CR.
    pub(super) cr: u64,
    /// LF.
    pub(super) lf: u64,
    /// Whatever cannot stand in a field value, CR and LF included.
    pub(super) control: u64,
}

impl Block {
    /// The block without its first bytes.
    #[inline(always)]
    pub(super) const fn without(self, bytes: usize) -> Self {
        let bytes = bytes % BLOCK_BYTES;
        Self { cr: self.cr >> bytes, lf: self.lf >> bytes, control: self.control >> bytes }
    }
}

/// What the lines of a block are told by, given the CRs of the block `before`.
impl Block {
    /// The bytes that an LF must be at: those behind a CR.
    #[inline(always)]
    const fn followed(self, before: u64) -> u64 {
        (self.cr << 1) | (before >> 63)
    }

    /// CRs of empty lines: those two bytes behind another.
    #[inline(always)]
    const fn empty(self, before: u64) -> u64 {
        self.cr & ((self.cr << 2) | (before >> 62))
    }

    /// Controls besides CR and LF, LFs without CR, and what stands behind a CR in place of an LF.
    #[inline(always)]
    const fn illegal(self, before: u64) -> u64 {
        (self.control ^ self.cr ^ self.lf) | (self.lf ^ self.followed(before))
    }

    /// Whether it is more than legal bytes of lines that are not empty.
    #[inline(always)]
    pub(super) const fn is_special(self, before: u64) -> bool {
        (self.empty(before) | self.illegal(before)) != 0
    }

    /// Where looking at the block ended: behind the empty line or the first illegal byte, or at its end.
    #[inline(always)]
    pub(super) const fn special_end(self, before: u64) -> usize {
        ((self.empty(before) | self.illegal(before)).trailing_zeros() as usize).wrapping_add(2)
    }

    /// The CRs that end lines, up to that of the empty line: what comes behind the head is none of its business.
    ///
    /// `present` are the bytes that the block has. An illegal byte in the place of an LF takes the line in front of it
    /// with it; if the CR is in the block before, the caller has to see to that.
    #[inline(always)]
    pub(super) const fn last_lines(self, before: u64, present: u64) -> u64 {
        let empty = self.empty(before);
        let head = present & (empty ^ empty.wrapping_sub(1));
        let illegal = self.illegal(before) & head;
        let legal = if illegal == 0 { u64::MAX } else { (illegal ^ illegal.wrapping_sub(1)) >> 2 };
        self.cr & head & legal
    }
}

#[inline(always)]
pub(super) fn block<S: Simd>(simd: S, bytes: &[u8; BLOCK_BYTES]) -> Block {
    let bytes = u8x64::from_slice(simd, bytes);
    let below_space = bytes.simd_le(u8x64::splat(simd, 0x1f)) & !bytes.simd_eq(u8x64::splat(simd, b'\t'));
    Block {
        cr: bytes.simd_eq(u8x64::splat(simd, b'\r')).to_bitmask(),
        lf: bytes.simd_eq(u8x64::splat(simd, b'\n')).to_bitmask(),
        control: (below_space | bytes.simd_eq(u8x64::splat(simd, 0x7f))).to_bitmask(),
    }
}

/// The bytes that cannot stand in a request target.
#[expect(clippy::arithmetic_side_effects, reason = "lanes wrap around")]
#[inline(always)]
pub(super) fn outside_target<S: Simd>(simd: S, bytes: &[u8; BLOCK_BYTES]) -> u64 {
    let bytes = u8x64::from_slice(simd, bytes);
    let visible = (bytes - u8x64::splat(simd, b'!')).simd_le(u8x64::splat(simd, b'~' - b'!'));
    (!visible | bytes.simd_eq(u8x64::splat(simd, b'#'))).to_bitmask()
}

/// A class of ASCII bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class {
    /// What tokens are made of.
    Token,
    /// What nearly all hosts are made of.
    PlainHost,
}

/// The bytes that are not of the class.
#[expect(clippy::arithmetic_side_effects, reason = "lanes are shifted by less than their width")]
#[inline(always)]
pub(super) fn outside<S: Simd>(simd: S, class: Class, bytes: &[u8; NAME_BYTES]) -> u64 {
    let rows = match class {
        Class::Token => &TOKEN_ROWS,
        Class::PlainHost => &PLAIN_HOST_ROWS,
    };
    let bytes = u8x32::from_slice(simd, bytes);
    let rows = u8x32::block_splat(u8x16::from_slice(simd, rows));
    let row_of = u8x32::block_splat(u8x16::from_slice(simd, &ROW_OF));
    let low = rows.swizzle_dyn_within_blocks(bytes & u8x32::splat(simd, 15));
    let high = row_of.swizzle_dyn_within_blocks(bytes >> 4);
    (low & high).simd_eq(u8x32::splat(simd, 0)).to_bitmask()
}

/// For each low nibble of a byte, in which rows of the ASCII table (by high nibble) it is of the class.
const TOKEN_ROWS: [u8; 16] = rows(Class::Token);
const PLAIN_HOST_ROWS: [u8; 16] = rows(Class::PlainHost);
/// The row of each high nibble.
const ROW_OF: [u8; 16] = [0, 0, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 0, 0, 0, 0, 0, 0, 0, 0];

const fn rows(class: Class) -> [u8; 16] {
    let mut rows = [0; 16];
    let mut byte = 0u8;
    while byte < 0x80 {
        let is_member = match class {
            Class::Token => is_tchar(byte),
            Class::PlainHost => is_plain_host_byte(byte),
        };
        if is_member {
            #[expect(clippy::indexing_slicing, reason = "a nibble is below 16, and this runs in the compiler")]
            {
                rows[(byte & 15) as usize] |= 1 << (byte >> 4);
            }
        }
        byte = byte.wrapping_add(1);
    }
    rows
}
