//! The status page: a small HTTP/1.1 server around the core's request parser.

mod api;
mod connection;
mod metrics;
mod page;
mod routes;
mod server;

pub use server::serve;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
