//! Server and viewers together over a link in virtual time.

#[path = "../../../sim/src/plain.rs"]
#[allow(unreachable_pub, reason = "the simulator, where the file belongs, makes it public")]
mod plain;
#[path = "../world/mod.rs"]
mod world;

mod admission;
mod freezes;
mod hostile;
mod isolation;
mod joining;
mod keys;
mod loss;
mod meeting;
mod membership;
mod pairing;
mod paths;
mod playout;
mod references;
mod repairs;
mod shared_references;
mod streams;
