//! The best of the policies that stay as they are, found by trying them all on an abstract path.
//!
//! The abstract path knows no pacing and no clocks: a frame's rows leave at once, a request arrives a round trip and
//! [`DETECTION`] after them unless it is lost, then again each [`REQUEST_PERIOD`].

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use nalcast_core::send::redundancy::rows_max;
use nalcast_core::{Rng, Timestamp};

use super::reference::{DETECTION, Kind, ROUNDS_MAX, Reference};
use super::rows::{FPS, Row};
use crate::limits::dynamic::OVERHEAD_PRICE;
use crate::link::Loss;

/// How often a request is repeated.
const REQUEST_PERIOD: Duration = Duration::from_millis(10);
/// Frames on which each policy is tried.
const TRY_FRAMES: u64 = 10_000;
/// Frames on which the best one is measured anew, lest it be the luckiest.
const PROOF_FRAMES: u64 = 400_000;
/// Rows beyond what is missing that go with the last repair, at most.
const BOOST_MAX: u32 = 6;

/// A policy that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    /// Parity rows with each frame.
    first: u32,
    /// Rows beyond what is missing, with the last repair that can be in time.
    boost: u32,
    /// How long the parity rows wait, so that a burst does not take them too.
    spread: Duration,
}

/// The best fixed policy for the path and the budget of `row`, under the cap on parity that the product has.
pub(super) fn best(row: &Row) -> Reference {
    let spreads = [0, 5, 15, 33].map(Duration::from_millis);
    let spreads = spreads.into_iter().filter(|spread| *spread < row.spare);
    let policies = spreads.flat_map(|spread| {
        (0..=u32::from(rows_max(row.fragments)))
            .flat_map(move |first| (0..=BOOST_MAX).map(move |boost| Policy { first, boost, spread }))
    });
    // Without parity there is nothing to spread.
    let policies = policies.filter(|policy| policy.first > 0 || policy.spread.is_zero());
    let mut found: Option<(f64, Policy)> = None;
    for policy in policies {
        let (miss, extra) = try_out(row, policy, TRY_FRAMES, 1);
        let cost = miss + OVERHEAD_PRICE * extra;
        if found.is_none_or(|(least, _)| cost < least) {
            found = Some((cost, policy));
        }
    }
    let (_, policy) = found.unwrap_or((0.0, Policy { first: 0, boost: 0, spread: Duration::ZERO }));
    let (miss, extra) = try_out(row, policy, PROOF_FRAMES, 2);
    let Policy { first, boost, spread } = policy;
    Reference {
        kind: Kind::Grid,
        cost: miss + OVERHEAD_PRICE * extra,
        miss,
        policy: format!("{first} rows first, {} ms later, {boost} more in the last repair", spread.as_millis()),
    }
}

/// What happens next on the abstract path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// So many rows of a frame leave; the last ones that leave before anybody could ask for more.
    Send { frame: u64, rows: u32, last: bool, round: u32 },
    /// A request for what is missing of a frame reaches the sender, if anything is.
    Ask { frame: u64, round: u32 },
}

/// The share of frames missed and the rows beyond the data fragments over those.
fn try_out(row: &Row, policy: Policy, frames: u64, seed: u64) -> (f64, f64) {
    let mut path = AbstractPath::new(row, policy, frames, seed);
    path.run();
    let missed = path.missing.iter().filter(|missing| **missing > 0).count();
    let fragments = frames * u64::from(row.fragments);
    (missed as f64 / frames as f64, (path.sent - fragments) as f64 / fragments as f64)
}

struct AbstractPath<'a> {
    row: &'a Row,
    policy: Policy,
    spare: Duration,
    round_trip: Duration,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    sequence: u64,
    frames: u64,
    missing: Vec<u32>,
    sent: u64,
    down: Loss,
    up: Loss,
    dice: Rng,
}

impl<'a> AbstractPath<'a> {
    fn new(row: &'a Row, policy: Policy, frames: u64, seed: u64) -> Self {
        let rng = Rng::new(seed);
        let spare = row.spare.saturating_sub(row.down.jitter);
        Self {
            policy,
            spare,
            round_trip: row.rtt() + DETECTION,
            events: BinaryHeap::new(),
            sequence: 0,
            frames: 0,
            missing: vec![u32::from(row.fragments); frames as usize],
            sent: 0,
            down: Loss::new(row.down.loss.clone(), rng.fork(1)),
            up: Loss::new(row.up.loss.clone(), rng.fork(2)),
            dice: rng.fork(3),
            row,
        }
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn captured(frame: u64) -> Timestamp {
        Timestamp::from_micros(frame * 1_000_000 / u64::from(FPS))
    }

    fn run(&mut self) {
        self.capture();
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            match event {
                Event::Send { frame, rows, last, round } => self.send(now, frame, rows, last, round),
                Event::Ask { frame, round } => self.ask(now, frame, round),
            }
        }
    }

    fn capture(&mut self) {
        let frame = self.frames;
        if frame as usize == self.missing.len() {
            return;
        }
        self.frames += 1;
        let Policy { first, spread, .. } = self.policy;
        let (now, rows) = (Self::captured(frame), u32::from(self.row.fragments));
        if first == 0 || spread.is_zero() {
            self.at(now, Event::Send { frame, rows: rows + first, last: true, round: 0 });
        } else {
            self.at(now, Event::Send { frame, rows, last: false, round: 0 });
            self.at(now + spread, Event::Send { frame, rows: first, last: true, round: 0 });
        }
    }

    fn send(&mut self, now: Timestamp, frame: u64, rows: u32, last: bool, round: u32) {
        if round == 0 && now == Self::captured(frame) {
            self.capture();
        }
        self.sent += u64::from(rows);
        let dice = &mut self.dice;
        let arrived = (0..rows).filter(|_| !self.down.loses(now, Rng::new(dice.next_u64()))).count() as u32;
        let missing = &mut self.missing[frame as usize];
        *missing = missing.saturating_sub(arrived);
        if last && *missing > 0 && round < ROUNDS_MAX {
            let mut asked = now + self.round_trip;
            while asked <= Self::captured(frame) + self.spare && self.up.loses(asked, Rng::new(dice.next_u64())) {
                asked += REQUEST_PERIOD;
            }
            self.at(asked, Event::Ask { frame, round: round + 1 });
        }
    }

    fn ask(&mut self, now: Timestamp, frame: u64, round: u32) {
        // What leaves later than this arrives too late.
        let close = Self::captured(frame) + self.spare;
        if now > close {
            return;
        }
        let is_last = round == ROUNDS_MAX || now + self.round_trip > close;
        let rows = self.missing[frame as usize] + if is_last { self.policy.boost } else { 0 };
        self.at(now, Event::Send { frame, rows, last: true, round });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::erasure::TwoState;
    use crate::link::LossModel;
    use crate::scorecard::rows::full;

    fn row(name: &str) -> Row {
        full().into_iter().find(|row| row.name == name).unwrap()
    }

    /// Without a request in time a fixed number of rows is all there is, and what becomes of those is known exactly.
    #[test]
    fn parity_alone_misses_as_often_as_the_two_states_say() {
        for (name, first) in [
            ("runs of 2, 1 %, RTT 50, B 50", 0),
            ("runs of 2, 1 %, RTT 50, B 50", 2),
            ("runs of 2, 4.8 %, RTT 50, B 50", 4),
            ("lossy states, 7.4 %, RTT 50, B 50", 2),
            ("runs of 10, 2 %, RTT 50, B 50", 1),
        ] {
            let row = row(name);
            let exact = two_state(&row.down.loss).block_failure(10, first);
            let policy = Policy { first: first as u32, boost: 0, spread: Duration::ZERO };
            let (miss, extra) = try_out(&row, policy, 100_000, 7);
            assert!((miss / exact - 1.0).abs() < 0.06, "{name}, {first} rows: {miss} and not {exact}");
            assert!((extra - first as f64 / 10.0).abs() < 1e-9);
        }
    }

    fn two_state(loss: &LossModel) -> TwoState {
        let LossModel::BurstByPacket { good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm, loss_bad_ppm } = loss else {
            panic!("{loss} has no two states");
        };
        let [to_bad, to_good, loss_good, loss_bad] =
            [good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm, loss_bad_ppm].map(|ppm| f64::from(*ppm) / 1e6);
        TwoState { to_bad, to_good, loss_good, loss_bad }
    }

    #[test]
    fn the_best_policy_repairs_where_a_request_is_in_time_and_sends_ahead_where_none_is() {
        let ahead = best(&row("runs of 2, 1 %, RTT 50, B 50"));
        let repairs = best(&row("runs of 2, 1 %, RTT 50, B 200"));
        assert!(!ahead.policy.starts_with("0 rows first"), "{}", ahead.policy);
        assert!(repairs.policy.starts_with("0 rows first"), "{}", repairs.policy);
        assert!(repairs.cost < ahead.cost / 5.0, "{} {}", repairs.cost, ahead.cost);
    }
}
