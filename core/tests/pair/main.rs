//! Server and viewers together over a link in virtual time.

#[path = "../world/mod.rs"]
mod world;

mod joining;
mod loss;
mod membership;
