//! The touching side of the I/O line, viewer: binds a socket, runs the core's client machine, decodes and shows.
