//! Server and viewers together over a link in virtual time.

#[path = "../world/mod.rs"]
mod world;

mod isolation;
mod joining;
mod loss;
mod membership;
mod streams;
