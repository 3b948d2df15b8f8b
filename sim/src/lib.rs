//! The proving side of the I/O line: virtual time, seeded faults and every checker.
#![forbid(unsafe_code)]

pub mod fuzzing;
