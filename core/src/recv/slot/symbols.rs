//! How many symbols of each block of a frame are here: fragments, and rows that stand in for missing ones.

use alloc::vec;
use alloc::vec::Vec;

use crate::fec::Layout;

/// What one more row would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Its block lacks something.
    New,
    /// It is here already, or its block needs no more.
    Useless,
    /// No block has such a row.
    Impossible,
}

#[derive(Clone, Debug, Default)]
struct Block {
    data: u16,
    /// Which rows are here, by their place in the block.
    rows: u128,
}

/// The symbols of one frame.
#[derive(Debug)]
pub(super) struct Symbols {
    layout: Layout,
    blocks: Vec<Block>,
    missing: u16,
}

impl Symbols {
    pub(super) fn new(fragments: u16) -> Self {
        let layout = Layout::new(fragments);
        Self { layout, blocks: vec![Block::default(); usize::from(layout.blocks())], missing: fragments }
    }

    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Symbols without which some block cannot be decoded.
    pub(super) const fn missing(&self) -> u16 {
        self.missing
    }

    /// Rows of a block that are here.
    pub(super) fn rows_of(&self, block: u8) -> u16 {
        self.blocks.get(usize::from(block)).map_or(0, Block::row_count)
    }

    /// Counts a fragment that was not here before.
    pub(super) fn add_data(&mut self, index: u16) {
        let block = self.layout.block_of(index);
        self.missing -= u16::from(self.lacks(block));
        if let Some(block) = self.blocks.get_mut(usize::from(block)) {
            block.data += 1;
        }
    }

    pub(super) fn would_count_row(&self, row: u16) -> Counted {
        let block = self.layout.block_of(row);
        let (Some(bit), Some(counted)) = (self.bit(row), self.blocks.get(usize::from(block))) else {
            return Counted::Impossible;
        };
        if counted.rows & bit == 0 && self.lacks(block) { Counted::New } else { Counted::Useless }
    }

    /// Counts a row that [`would_count_row`](Self::would_count_row) found new.
    pub(super) fn add_row(&mut self, row: u16) {
        let bit = self.bit(row).unwrap_or_default();
        if let Some(block) = self.blocks.get_mut(usize::from(self.layout.block_of(row))) {
            block.rows |= bit;
            self.missing -= 1;
        }
    }

    fn lacks(&self, block: u8) -> bool {
        let here = self.blocks.get(usize::from(block)).map_or(0, |block| block.data + block.row_count());
        here < self.layout.size_of(block)
    }

    fn bit(&self, row: u16) -> Option<u128> {
        1u128.checked_shl(u32::from(self.layout.row_in_block(row)))
    }
}

impl Block {
    #[expect(clippy::cast_possible_truncation, reason = "at most 128")]
    const fn row_count(&self) -> u16 {
        self.rows.count_ones() as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_full_when_it_has_as_many_symbols_as_fragments() {
        // Two blocks of 65 and 64 fragments.
        let mut symbols = Symbols::new(129);
        (0..128).step_by(2).for_each(|index| symbols.add_data(index));
        assert_eq!(symbols.missing(), 65);
        assert_eq!(symbols.would_count_row(0), Counted::New);
        symbols.add_row(0);
        assert_eq!((symbols.would_count_row(0), symbols.would_count_row(2)), (Counted::Useless, Counted::Useless));
        assert_eq!((symbols.missing(), symbols.rows_of(0), symbols.rows_of(1)), (64, 1, 0));
        assert_eq!((symbols.would_count_row(255), symbols.would_count_row(257)), (Counted::New, Counted::Impossible));
        symbols.add_data(128);
        assert_eq!(symbols.missing(), 64, "the fragment that the row stands in for");
        (0..64).for_each(|i| symbols.add_row(2 * i + 1));
        assert_eq!(symbols.missing(), 0);
    }
}
