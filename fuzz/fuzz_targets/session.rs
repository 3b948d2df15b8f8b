//! Fuzzes the body of the same name in `sim::fuzzing`.
#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| sim::fuzzing::session::session(data));
