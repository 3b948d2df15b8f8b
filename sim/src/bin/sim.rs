//! Runs seeds of the inner ring.

fn main() {}
