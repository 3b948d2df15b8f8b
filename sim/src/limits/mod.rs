//! What no sender can beat, so that a measured figure can be held against it.
//!
//! Models and reports only: the core decides by whole numbers, and how well is checked against these.

pub mod dynamic;
pub mod erasure;
mod report;

pub use report::{Conditions, FRAGMENTS, LOSSES_PPM, Line, report};
