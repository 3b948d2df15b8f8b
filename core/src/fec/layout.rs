//! Which fragments and rows belong together, and how each row is made of them.

use super::field::divide;
use crate::limits::FRAGMENTS_PER_FRAME_MAX;

/// Fragments of a block, and rows of a block: two halves of the field.
const BLOCK_MAX: u16 = 128;

/// Fragments of one frame.
#[expect(clippy::cast_possible_truncation, reason = "the wire's 12 bits")]
const FRAGMENTS_MAX: u16 = FRAGMENTS_PER_FRAME_MAX as u16;

/// The blocks of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    fragments: u16,
    blocks: u8,
}

impl Layout {
    /// The layout of a frame of so many fragments. There is at least one, and there are no more than
    /// [`FRAGMENTS_PER_FRAME_MAX`], whatever is said.
    #[must_use]
    pub const fn new(fragments: u16) -> Self {
        let fragments = match fragments {
            0 => 1,
            1..=FRAGMENTS_MAX => fragments,
            _ => FRAGMENTS_MAX,
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 4096 / 128")]
        let blocks = fragments.div_ceil(BLOCK_MAX) as u8;
        Self { fragments, blocks }
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(&self) -> u8 {
        self.blocks
    }

    /// The block that a fragment or a row belongs to.
    #[must_use]
    pub const fn block_of(&self, index: u16) -> u8 {
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of blocks")]
        let block = (index % self.blocks as u16) as u8;
        block
    }

    /// How many fragments belong to a block; none if there is no such block.
    #[must_use]
    pub const fn size_of(&self, block: u8) -> u16 {
        if block >= self.blocks {
            return 0;
        }
        (self.fragments - block as u16).div_ceil(self.blocks as u16)
    }

    /// Which row of its block a row is.
    #[must_use]
    pub const fn row_in_block(&self, row: u16) -> u16 {
        row / self.blocks as u16
    }

    /// How many rows there are, in all blocks.
    #[must_use]
    pub const fn rows_max(&self) -> u16 {
        self.blocks as u16 * BLOCK_MAX
    }

    /// The fragments of a block.
    pub(super) fn fragments_of(self, block: u8) -> impl Iterator<Item = u16> {
        (u16::from(block)..self.fragments).step_by(usize::from(self.blocks))
    }

    /// What fragment `index` is multiplied by in row `row`, which there is: zero if they belong to different blocks, or if
    /// there is no such fragment.
    pub(super) fn entry(self, row: u16, index: u16) -> u8 {
        if self.block_of(row) != self.block_of(index) || index >= self.fragments {
            return 0;
        }
        let blocks = u16::from(self.blocks);
        entry(row / blocks, index / blocks)
    }
}

/// The entry of a block's matrix, both less than 128.
fn entry(row: u16, column: u16) -> u8 {
    // 128 plus a row has the bits of both.
    #[expect(clippy::cast_possible_truncation, reason = "row and column are less than 128")]
    let point = |row: u16| (BLOCK_MAX | (row ^ column)) as u8;
    divide(point(0), point(row))
}
