//! The `shell-client` binary.

fn main() {}
