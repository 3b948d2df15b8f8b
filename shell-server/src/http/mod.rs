//! The status page: a small HTTP/1.1 server around the core's request parser.

mod access;
mod api;
mod assets;
mod connection;
mod events;
mod limits;
mod metrics;
mod page;
mod places;
mod response;
mod routes;
mod server;
mod thread;
mod viewers;

pub use connection::{Ends, serve_connection};
pub use server::{Site, serve};
pub use thread::{StatusListener, StatusServer};

#[cfg(test)]
mod event_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod viewer_tests;
