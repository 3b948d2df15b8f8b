//! The limits against published and simulated figures, and the core's tables against the limits.

mod monte_carlo;
mod published;
mod redundancy;
