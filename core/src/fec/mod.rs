//! The erasure code: rows that stand in for any fragments of a frame that are lost.
//!
//! # The code
//!
//! The coded bytes are those that fragments carry: the frame's byte string, its header included, cut into `k` fragments
//! of S bytes. For coding, zeros fill the last one up to S. A row has S bytes, too.
//!
//! *Blocks.* A frame has ceil(k / 128) blocks. Of `n` blocks, fragment `i` belongs to block `i mod n` and is column
//! `i div n` of it; row `j` belongs to block `j mod n` and is row `j div n` of it, which is below 128. So neighbours
//! belong to different blocks, and a run of losses is shared by all.
//!
//! *Field.* Bytes are elements of GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1, 0x11d, bit `i` being the
//! coefficient of x^i.
//!
//! *Matrix.* With (128 + row) xor column as elements of the field, the entry at `row` and `column` is
//!
//! ```text
//! entry(row, column) = ((128 + 0) xor column) / ((128 + row) xor column)        0 <= row, column < 128
//! ```
//!
//! a Cauchy matrix whose columns are scaled so that row 0 is all ones. Byte `b` of a row is the sum over its block's
//! fragments of entry(row, column) times the fragment's byte `b`. Row 0 of a block is thus the exclusive or of its
//! fragments.
//!
//! *What follows.* Every square part of a Cauchy matrix can be inverted, and scaling columns does not change that: any m
//! rows of a block make up for any m of its fragments. No entry depends on how many rows or fragments there are: a
//! sender may make further rows at any time, and each one helps every viewer that lacks something of its block.
//!
//! # Why it stands here
//!
//! `reed-solomon-simd` and `reed-solomon-erasure` are set up for a number of rows that is known beforehand, and make all of
//! them. `raptorq` makes as many as are wanted, but of as many symbols as there are fragments one set in 256 does not do.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod decoder;
mod encoder;
mod field;
mod kernel;
mod layout;

pub use decoder::{Decoder, Symbol};
pub use encoder::Encoder;
pub use layout::Layout;
