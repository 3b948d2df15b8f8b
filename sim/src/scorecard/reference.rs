//! What a row is held against: the dynamic programme where losses are independent, the best fixed policy where they come
//! in bursts.

use core::time::Duration;

use nalcast_core::send::redundancy::rows_max;
use serde::Serialize;

use super::figures::Figures;
use super::grid;
use super::rows::{Group, Row};
use crate::limits::dynamic::{OVERHEAD_PRICE, Programme};
use crate::link::PPM;

/// Time that it takes to notice a loss and to answer a request, beyond the round trip.
pub(super) const DETECTION: Duration = Duration::from_millis(5);
/// Rounds of repair at most, as the sender's.
pub(super) const ROUNDS_MAX: u32 = 6;

/// Where a reference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// The dynamic programme over rounds: nothing can be better.
    Programme,
    /// The best fixed policy that a search found.
    Grid,
}

/// What a row is held against.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// Where it comes from.
    pub kind: Kind,
    /// Its cost, by the same measure as [`Figures::cost`](super::Figures::cost).
    pub cost: f64,
    /// Of that, the frames missed.
    pub miss: f64,
    /// What it does.
    pub policy: String,
}

impl Reference {
    /// The cost of `figures` over this one's.
    #[must_use]
    pub fn distance(&self, figures: &Figures) -> f64 {
        figures.cost / self.cost
    }
}

/// The reference of a row, if it has one.
pub(super) fn reference(row: &Row) -> Option<Reference> {
    match row.group {
        Group::Independent => row.loss_ppm().map(|ppm| programme(row, f64::from(ppm) / f64::from(PPM))),
        Group::Bursts | Group::Presets => Some(grid::best(row)),
        Group::Faults => None,
    }
}

/// How often a viewer asks in time for a round.
const REQUESTS: i32 = 2;

/// The best that a sender can do under its own cap of rows with as many rounds as fit, if each of them has to be asked for over
/// a path that loses requests as it loses rows.
fn programme(row: &Row, loss: f64) -> Reference {
    let fragments = usize::from(row.fragments);
    let rounds = rounds(row);
    let programme =
        Programme { fragments, loss, request_loss: loss.powi(REQUESTS), extra_max: rows_max(row.fragments).into() };
    let solution = programme.solve(fragments, rounds);
    let outcome = solution.outcome(rounds, fragments);
    let first = solution.extra(rounds, fragments);
    Reference {
        kind: Kind::Programme,
        cost: outcome.cost() - OVERHEAD_PRICE,
        miss: outcome.miss,
        policy: format!("{first} rows first, up to {rounds} rounds of repair"),
    }
}

/// Rounds of repair that fit.
fn rounds(row: &Row) -> usize {
    let round = row.rtt() + DETECTION;
    (row.spare.as_micros() / round.as_micros()).min(u128::from(ROUNDS_MAX)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorecard::rows::full;

    #[test]
    fn as_many_rounds_fit_as_the_budget_has_round_trips() {
        for (name, expected) in [
            ("loss 1 %, RTT 20, B 100, k 10", 4),
            ("loss 1 %, RTT 20, B 300, k 10", 6),
            ("loss 1 %, RTT 50, B 100, k 10", 1),
            ("loss 1 %, RTT 50, B 300, k 10", 5),
            ("loss 1 %, RTT 100, B 200, k 10", 1),
            ("loss 1 %, RTT 200, B 200, k 10", 0),
        ] {
            let row = full().into_iter().find(|row| row.name == name).unwrap();
            assert_eq!(rounds(&row), expected, "{name}");
        }
    }
}
