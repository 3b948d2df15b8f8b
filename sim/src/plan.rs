//! A scenario's steps in order of time.

use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::limits::INIT_RETRY_MAX;

use crate::scenario::Scenario;

/// Time after the source's end in which everybody must have been told.
const GOODBYE: Duration = Duration::from_secs(15);

/// What changes from outside, of which viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanStep {
    Start(usize),
    Kill(usize),
    Leave(usize),
    Move(usize),
    Cut(usize, bool),
    Mend(usize),
    ServerStops,
    ServerStarts,
    FaultsEnd,
    SourceEnds,
    /// Those in a session show fresh frames; later, everybody does.
    Convergence {
        of_all: bool,
    },
    Over,
}

/// Everything that a scenario does, sorted.
pub(crate) fn plan(scenario: &Scenario) -> Vec<(Timestamp, PlanStep)> {
    let mut plan = Vec::new();
    for (i, viewer) in scenario.viewers.iter().enumerate() {
        plan.push((viewer.joins, PlanStep::Start(i)));
        plan.extend(viewer.leaves.map(|at| (at, PlanStep::Leave(i))));
        plan.extend(viewer.moves.iter().map(|at| (*at, PlanStep::Move(i))));
        if let Some((from, to)) = viewer.killed {
            plan.push((from, PlanStep::Kill(i)));
            plan.push((to, PlanStep::Start(i)));
        }
        if let Some(partition) = viewer.partition {
            plan.push((partition.from, PlanStep::Cut(i, partition.both_ways)));
            plan.push((partition.to, PlanStep::Mend(i)));
        }
    }
    if let Some((from, to)) = scenario.server_down {
        plan.push((from, PlanStep::ServerStops));
        plan.push((to, PlanStep::ServerStarts));
    }
    plan.push((scenario.faults_end, PlanStep::FaultsEnd));
    let converged = scenario.faults_end + scenario.converges_within;
    plan.push((converged, PlanStep::Convergence { of_all: false }));
    // The pause between two INITs of a newcomer may just have begun when the faults ended.
    plan.push((converged + INIT_RETRY_MAX, PlanStep::Convergence { of_all: true }));
    plan.push((scenario.source_ends, PlanStep::SourceEnds));
    plan.push((scenario.source_ends + GOODBYE, PlanStep::Over));
    plan.sort_by_key(|(at, _)| *at);
    plan
}
