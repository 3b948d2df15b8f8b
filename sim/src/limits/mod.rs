//! What no sender can beat, so that a measured figure can be held against it.
//!
//! Models and reports only: the core decides by integer tables that are checked against these.

pub mod dynamic;
pub mod erasure;
