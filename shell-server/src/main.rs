//! The `shell-server` binary.

fn main() {}
