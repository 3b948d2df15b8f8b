//! The bars: what each row is demanded of, and whether it clears it.

use core::fmt;

use serde::Serialize;

use super::figures::Figures;
use super::quantile::{mean_at_least, poisson_999};
use super::reference::{Kind, Reference};
use super::rows::{Demand, Row};
use crate::limits::dynamic::OVERHEAD_PRICE;

/// Share of the least possible cost that a policy may have where losses are independent.
const DISTANCE_MAX: f64 = 1.10;
/// Share of the best fixed policy's cost that a policy may have where losses come in bursts.
const DISTANCE_OF_BURSTS_MAX: f64 = 1.25;
/// Share of the misses of the best policy, before chance.
const MISSES_MAX: f64 = 1.25;
/// Frames of more fragments than this have no bar for their distance.
const FRAGMENTS_MAX: u16 = 20;

/// How a bar was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Cleared.
    Pass,
    /// Missed.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
        })
    }
}

/// One demand.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// What is demanded.
    pub what: &'static str,
    /// What was measured; as favourable as chance allows in 95 cases of a hundred where misses are few.
    pub measured: f64,
    /// What is allowed.
    pub allowed: f64,
    /// Whether it was met.
    pub verdict: Verdict,
}

impl Bar {
    fn at_most(what: &'static str, measured: f64, allowed: f64) -> Self {
        let verdict = if measured <= allowed { Verdict::Pass } else { Verdict::Fail };
        Self { what, measured, allowed, verdict }
    }
}

/// The least that the cost may be in truth: a few misses more or less are chance.
fn least_cost(figures: &Figures) -> f64 {
    mean_at_least(figures.missed) / figures.frames.max(1) as f64 + OVERHEAD_PRICE * figures.extra_rows
}

pub(super) fn judge(row: &Row, figures: &Figures, reference: Option<&Reference>) -> Vec<Bar> {
    let mut bars = Vec::new();
    if let Some(reference) = reference {
        let distance = least_cost(figures) / reference.cost;
        match reference.kind {
            Kind::Programme => {
                if row.fragments <= FRAGMENTS_MAX {
                    bars.push(Bar::at_most("distance", distance, DISTANCE_MAX));
                }
                let expected = MISSES_MAX * reference.miss * figures.frames as f64;
                bars.push(Bar::at_most("misses", figures.missed as f64, poisson_999(expected) as f64));
            }
            Kind::Grid => bars.push(Bar::at_most("distance", distance, DISTANCE_OF_BURSTS_MAX)),
        }
    }
    let [parity, repairs] = figures.redundant_when_settled.map(|count| count as f64);
    match row.demand {
        Demand::None => {}
        Demand::Untouched => {
            bars.push(Bar::at_most("repairs", repairs, 0.0));
            bars.push(Bar::at_most("parity", parity, 0.0));
            bars.push(Bar::at_most("held back, ms", figures.held_ms, 0.0));
        }
        Demand::NoRepair => bars.push(Bar::at_most("repairs", repairs, 0.0)),
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorecard::rows::full;

    fn row(name: &str) -> Row {
        full().into_iter().find(|row| row.name == name).unwrap()
    }

    fn figures(frames: u64, missed: u64, extra_rows: f64) -> Figures {
        Figures {
            frames,
            missed,
            in_time_percent: 0.0,
            usable_percent: 0.0,
            latency_ms: [None; 4],
            held_ms: 0.0,
            freeze_seconds: 0.0,
            seconds: 0.0,
            overhead_percent: 0.0,
            parity_percent: 0.0,
            repair_percent: 0.0,
            reports_kbps: 0.0,
            extra_rows,
            redundant_when_settled: [0; 2],
            cost: missed as f64 / frames as f64 + OVERHEAD_PRICE * extra_rows,
        }
    }

    fn check(name: &str, kind: Kind, figures: &Figures, expected: &[(&str, Verdict)]) {
        let reference = Reference { kind, cost: 2e-4, miss: 1e-4, policy: String::new() };
        let bars = judge(&row(name), figures, Some(&reference));
        let verdicts: Vec<_> = bars.iter().map(|bar| (bar.what, bar.verdict)).collect();
        assert_eq!(verdicts, expected, "{bars:?}");
    }

    #[test]
    fn distances_and_misses_have_their_bars() {
        use Verdict::{Fail, Pass};
        let cell = "loss 1 %, RTT 50, B 100, k 10";
        for (figures, distance, misses) in [
            (figures(100_000, 0, 0.21), Pass, Pass),
            (figures(100_000, 0, 0.23), Fail, Pass),
            // Twelve and a half are expected at most, and chance makes 25 of them once in a thousand times.
            (figures(100_000, 24, 0.05), Pass, Pass),
            (figures(100_000, 30, 0.05), Fail, Fail),
            (figures(1_000, 2, 0.0), Fail, Pass),
        ] {
            check(cell, Kind::Programme, &figures, &[("distance", distance), ("misses", misses)]);
        }
        check("wifi", Kind::Grid, &figures(100_000, 0, 0.24), &[("distance", Pass)]);
        check("wifi", Kind::Grid, &figures(100_000, 0, 0.26), &[("distance", Fail)]);
    }

    #[test]
    fn a_path_without_loss_may_cost_nothing() {
        let verdicts = |name, figures: &Figures| -> Vec<_> {
            judge(&row(name), figures, None).iter().map(|bar| (bar.what, bar.verdict == Verdict::Pass)).collect()
        };
        let nothing = figures(100, 0, 0.0);
        let much = Figures { redundant_when_settled: [1, 1], held_ms: 0.1, ..nothing };
        let whats = ["repairs", "parity", "held back, ms"];
        assert_eq!(verdicts("clean, RTT 50, B 300", &nothing), whats.map(|what| (what, true)));
        assert_eq!(verdicts("clean, RTT 50, B 300", &much), whats.map(|what| (what, false)));
        assert_eq!(verdicts("reordering +-15 ms", &nothing), [("repairs", true)]);
        assert_eq!(verdicts("reordering +-15 ms", &much), [("repairs", false)]);
        assert_eq!(verdicts("blackout 1 s", &much), []);
    }
}
