//! The touching side of the I/O line, both halves: clock, signals, files, sockets and the frame of a program.

pub mod cipher;
pub mod clock;
pub mod key;
pub mod net;
pub mod output;
pub mod private;
pub mod program;
pub mod receive_errors;
pub mod signals;
pub mod udp;
