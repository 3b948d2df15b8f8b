//! One row being made.

use super::kernel::Kernel;
use super::layout::Layout;

/// A row to which the fragments of its block are added, in any order and in any pieces.
#[derive(Debug)]
pub struct Encoder<'a> {
    layout: Layout,
    row: u16,
    out: &'a mut [u8],
    kernel: Kernel,
}

impl<'a> Encoder<'a> {
    /// Begins row `row` in `out`, which is as long as the frame's fragments and need not be empty. `None` if there is no
    /// such row.
    #[must_use]
    pub fn new(layout: Layout, row: u16, out: &'a mut [u8]) -> Option<Self> {
        if row >= layout.rows_max() {
            return None;
        }
        out.fill(0);
        Some(Self { layout, row, out, kernel: Kernel::default() })
    }

    /// Adds the bytes of fragment `index` that begin at `offset` of it. Each byte is to be added once; the zeros behind a
    /// short fragment need not be. A fragment of another block changes nothing, nor does what lies beyond the row's end.
    pub fn add(&mut self, index: u16, offset: usize, bytes: &[u8]) {
        let target = self.out.get_mut(offset..).unwrap_or_default();
        self.kernel.add_multiple(target, self.layout.entry(self.row, index), bytes);
    }
}
