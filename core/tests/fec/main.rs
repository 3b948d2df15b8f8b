//! The erasure code against its definition, and against every way of losing something.

mod garbage;
mod losses;
mod matrix;
mod reference;
mod rows;
