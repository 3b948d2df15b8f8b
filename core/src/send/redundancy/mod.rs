//! How many rows a frame is given beyond its own: with each round of sending, and against losses in bursts.
//!
//! Whole numbers only. What the decisions cost is held against exact optima by the simulator's tests.

mod bursts;
mod fixed;
mod rounds;

pub use bursts::{rows_for_bursts, rows_max};
pub use rounds::{Round, request_loss_ppm};
