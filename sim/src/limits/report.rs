//! How far the core's choice of rows is from the least possible cost.

use core::fmt;

use nalcast_core::limits::ROUNDS_MAX;
use nalcast_core::send::redundancy::{Round, rows_max};

use super::dynamic::{Outcome, Programme};

/// Sizes of frames that are reported on.
pub const FRAGMENTS: [u16; 6] = [1, 2, 5, 10, 20, 40];
/// Losses that are reported on, in millionths.
pub const LOSSES_PPM: [u32; 6] = [5_000, 10_000, 20_000, 50_000, 100_000, 200_000];
/// Rows beyond the need that the programme looks at, where there is no cap: more are never best.
const EXTRA_MAX: u16 = 128;

/// The conditions under which a frame is sent.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Fragments of the frame: one code block.
    pub fragments: u16,
    /// Chance that a row is lost, in millionths.
    pub loss_ppm: u32,
    /// Chance that a round's request is, in millionths.
    pub request_loss_ppm: u32,
    /// Whether each round is kept to the parity that a frame may have at most.
    pub capped: bool,
}

/// What the core's choice comes to under some conditions, and what is possible.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The conditions.
    pub conditions: Conditions,
    /// Rounds that fit behind the first.
    pub rounds: usize,
    /// What the core's choice comes to.
    pub core: Outcome,
    /// What the best comes to.
    pub best: Outcome,
}

impl Line {
    /// How far the core's cost is from the best, 1 being as good.
    #[must_use]
    pub fn distance(&self) -> f64 {
        self.core.distance(&self.best)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conditions { fragments, loss_ppm, request_loss_ppm, .. } = self.conditions;
        let percent = |ppm: u32| f64::from(ppm) / 1e4;
        write!(f, "{fragments:3} {:5.2} % {:7.4} % {:2}", percent(loss_ppm), percent(request_loss_ppm), self.rounds)?;
        for outcome in [&self.core, &self.best] {
            write!(f, "  {:8.2e} {:6.2} %", outcome.miss, 100.0 * outcome.overhead())?;
        }
        write!(f, "  {:.4}", self.distance())
    }
}

/// How far the core is from the best for frames of [`FRAGMENTS`], at [`LOSSES_PPM`] and with every number of rounds,
/// if requests are repeated so that `request_loss_ppm` of a loss are lost.
#[must_use]
pub fn report(request_loss_ppm: impl Fn(u32) -> u32) -> Vec<Line> {
    let conditions = FRAGMENTS.into_iter().flat_map(|fragments| {
        LOSSES_PPM.map(|loss_ppm| Conditions {
            fragments,
            loss_ppm,
            request_loss_ppm: request_loss_ppm(loss_ppm),
            capped: false,
        })
    });
    conditions.flat_map(|conditions| conditions.lines()).collect()
}

impl Conditions {
    /// A line for every number of rounds.
    #[must_use]
    pub fn lines(self) -> Vec<Line> {
        let programme = self.programme();
        let fragments = programme.fragments;
        let solution = programme.solve(fragments, ROUNDS_MAX);
        let extra = |rounds_left, need| usize::from(self.round(rounds_left, need).extra_rows());
        let line = |rounds| {
            let (core, best) = (programme.evaluate(rounds, extra), solution.outcome(rounds, fragments));
            Line { conditions: self, rounds, core, best }
        };
        (0..=ROUNDS_MAX).map(line).collect()
    }

    /// What the best is found with.
    #[must_use]
    pub fn programme(&self) -> Programme {
        let chance = |ppm: u32| f64::from(ppm) / 1e6;
        Programme {
            fragments: usize::from(self.fragments),
            loss: chance(self.loss_ppm),
            request_loss: chance(self.request_loss_ppm),
            extra_max: usize::from(self.extra_max()),
        }
    }

    fn extra_max(&self) -> u16 {
        if self.capped { rows_max(self.fragments) } else { EXTRA_MAX }
    }

    /// What the core is asked in one round.
    fn round(&self, rounds_left: usize, need: usize) -> Round {
        Round {
            loss_ppm: self.loss_ppm,
            request_loss_ppm: self.request_loss_ppm,
            rounds_left: rounds_left as u8,
            needed: need as u16,
            frame_fragments: self.fragments,
            extra_max: self.extra_max(),
        }
    }
}
