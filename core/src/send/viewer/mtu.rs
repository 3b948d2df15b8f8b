//! The largest datagram that the path to one viewer carries: larger sizes are tried, and a path that shrank is
//! noticed (RFC 8899).

use crate::limits::{
    DATAGRAM_BYTES_BASE, MTU_HOLE_CHECKS, MTU_HOLE_DATAGRAMS, MTU_PROBE_BYTES, MTU_RAISE_PERIOD, MTU_TRIES_MAX,
};
use crate::time::Timestamp;
use core::time::Duration;

/// How often each size is tried before it counts as too large.
const TRIES: usize = MTU_TRIES_MAX;

/// A datagram of padding that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Is this size carried?
    Raise { bytes: usize },
    /// Is the size in use still carried? Full-size datagrams went unanswered.
    Hole { bytes: usize },
    /// Is anything carried? It follows [`Probe::Hole`] at once.
    Small,
}

/// What is known of the path's size.
#[derive(Debug)]
pub(super) struct Mtu {
    confirmed: usize,
    round: usize,
    /// The next of [`MTU_PROBE_BYTES`] in this round.
    next: usize,
    round_at: Timestamp,
    /// Packet numbers of each size's tries; 0 is none's.
    tries: [[u64; TRIES]; MTU_PROBE_BYTES.len()],
    hole: Hole,
}

/// What speaks for the path carrying less than it did.
#[derive(Debug, Default)]
struct Hole {
    /// Sizes of datagrams over the base size that were sent, and none as large came through since; 0 is none's.
    unanswered: [usize; MTU_HOLE_DATAGRAMS],
    /// When to check, once so many went unanswered.
    check_at: Option<Timestamp>,
    /// The small datagram of the check under way.
    small: Option<u64>,
    small_is_due: bool,
    /// Checks in which a small datagram came through and a large one did not.
    failed: u32,
}

impl Mtu {
    /// A path of which nothing is known.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            confirmed: DATAGRAM_BYTES_BASE,
            round: 0,
            next: 0,
            round_at: now,
            tries: Default::default(),
            hole: Hole::default(),
        }
    }

    /// The largest datagram that is known to pass.
    pub(super) const fn get(&self) -> usize {
        self.confirmed
    }

    /// The largest datagram that surely passes: less than what is in use while that is being checked.
    pub(super) const fn certain(&self) -> usize {
        if self.hole.check_at.is_some() || self.hole.failed > 0 { DATAGRAM_BYTES_BASE } else { self.confirmed }
    }

    /// When there will be something to try.
    pub(super) fn due(&self) -> Timestamp {
        if self.hole.small_is_due {
            return Timestamp::ZERO;
        }
        self.hole.check_at.map_or(self.round_at, |at| at.min(self.round_at))
    }

    /// The padding to send now. `timeout` is how long to wait for an answer.
    pub(super) fn poll(&mut self, now: Timestamp, timeout: Duration) -> Option<Probe> {
        if core::mem::take(&mut self.hole.small_is_due) {
            return Some(Probe::Small);
        }
        if self.hole.check_at.is_some_and(|at| now >= at) {
            self.hole.check_at = Some(now + timeout);
            self.hole.small_is_due = true;
            return Some(Probe::Hole { bytes: self.confirmed });
        }
        if now < self.round_at {
            return None;
        }
        while let Some(bytes) = MTU_PROBE_BYTES.get(self.next).copied() {
            if bytes > self.confirmed {
                return Some(Probe::Raise { bytes });
            }
            self.next += 1;
        }
        self.next = 0;
        self.round += 1;
        let over = self.round >= TRIES || MTU_PROBE_BYTES.iter().all(|bytes| *bytes <= self.confirmed);
        self.round_at = now + if over { MTU_RAISE_PERIOD } else { timeout };
        self.round = if over { 0 } else { self.round };
        None
    }

    /// What [`poll`](Self::poll) asked for left as packet `number`.
    pub(super) fn probed(&mut self, probe: Probe, number: u64) {
        match probe {
            Probe::Raise { .. } => {
                if let Some(sent) = self.tries.get_mut(self.next).and_then(|tries| tries.get_mut(self.round)) {
                    *sent = number;
                }
                self.next += 1;
            }
            Probe::Hole { .. } => {}
            Probe::Small => self.hole.small = Some(number),
        }
    }

    /// A datagram of `bytes` bytes left.
    pub(super) fn sent(&mut self, now: Timestamp, bytes: usize, timeout: Duration) {
        if bytes <= DATAGRAM_BYTES_BASE || bytes > self.confirmed {
            return;
        }
        if let Some(free) = self.hole.unanswered.iter_mut().find(|size| **size == 0) {
            *free = bytes;
            if !self.hole.unanswered.contains(&0) {
                self.hole.check_at.get_or_insert(now + timeout);
            }
        }
    }

    /// Packet `number`, of `len` bytes, came through. Whether the path turned out to have shrunk.
    pub(super) fn acknowledged(&mut self, now: Timestamp, number: u64, len: usize) -> bool {
        if len > DATAGRAM_BYTES_BASE {
            // A smaller one says nothing about those that are missing.
            self.hole.unanswered.iter_mut().filter(|size| **size <= len).for_each(|size| *size = 0);
            if self.hole.unanswered.iter().all(|size| *size == 0) {
                self.hole = Hole::default();
            } else if self.hole.failed == 0 && self.hole.small.is_none() && self.hole.unanswered.contains(&0) {
                self.hole.check_at = None;
            }
            for (bytes, tries) in MTU_PROBE_BYTES.into_iter().zip(&self.tries) {
                if tries.contains(&number) {
                    self.confirmed = self.confirmed.max(bytes);
                }
            }
            return false;
        }
        if self.hole.small != Some(number) {
            return false;
        }
        self.hole.small = None;
        self.hole.failed += 1;
        if self.hole.failed < MTU_HOLE_CHECKS {
            self.hole.check_at = Some(now);
            return false;
        }
        // What was sent before may still arrive by another path; it says nothing about this one.
        *self = Self::new(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const TIMEOUT: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// A path that carries datagrams of up to `carries` bytes; the number of what left last.
    struct Path {
        mtu: Mtu,
        carries: usize,
        number: u64,
        log: Vec<(u64, usize)>,
    }

    impl Path {
        fn new(carries: usize) -> Self {
            Self { mtu: Mtu::new(at(0)), carries, number: 0, log: Vec::new() }
        }

        /// Sends a datagram that is answered at once, if it passes.
        fn send(&mut self, millis: u64, bytes: usize, probe: Option<Probe>) -> bool {
            self.number += 1;
            self.mtu.sent(at(millis), bytes, TIMEOUT);
            if let Some(probe) = probe {
                self.mtu.probed(probe, self.number);
                self.log.push((millis, bytes));
            }
            bytes <= self.carries && self.mtu.acknowledged(at(millis), self.number, bytes)
        }

        /// Sends all that is to be tried until then; whether the path was found to have shrunk.
        fn run(&mut self, from: u64, to: u64) -> bool {
            let mut shrunk = false;
            for millis in from..to {
                while let Some(probe) = self.mtu.poll(at(millis), TIMEOUT) {
                    let bytes = match probe {
                        Probe::Raise { bytes } | Probe::Hole { bytes } => bytes,
                        Probe::Small => 21,
                    };
                    shrunk |= self.send(millis, bytes, Some(probe));
                }
                assert!(self.mtu.due() > at(millis), "nothing is due that was polled already");
            }
            shrunk
        }
    }

    #[test]
    fn the_largest_size_that_passes_is_found_and_the_others_are_tried_thrice() {
        for carries in [1200, 1251, 1252, 1371, 1372, 1432, 1452, 1471, 1472, 9000] {
            let mut path = Path::new(carries);
            path.run(0, 1_000);
            let largest = MTU_PROBE_BYTES.into_iter().filter(|bytes| *bytes <= carries).max();
            assert_eq!(path.mtu.get(), largest.unwrap_or(DATAGRAM_BYTES_BASE), "{carries}");
            for bytes in MTU_PROBE_BYTES {
                let tries: Vec<_> = path.log.iter().filter(|sent| sent.1 == bytes).map(|sent| sent.0).collect();
                let expected: &[u64] = if bytes <= carries { &[0] } else { &[0, 50, 100] };
                assert_eq!(tries, expected, "{bytes} of {carries}");
            }
        }
    }

    #[test]
    fn a_path_that_grew_is_found_after_a_while() {
        let mut path = Path::new(1300);
        path.run(0, 1_000);
        path.carries = 1472;
        let again = 150 + 600_000;
        path.run(again - 100, again - 51);
        assert_eq!(path.mtu.get(), 1252);
        path.run(again - 51, again + 1);
        assert_eq!(path.mtu.get(), 1472);
    }

    #[test]
    fn a_path_that_shrank_is_noticed_by_what_still_passes() {
        let mut path = Path::new(1472);
        path.run(0, 10);
        path.carries = 1400;
        for _ in 0..2 {
            path.send(10, 1450, None);
        }
        assert!(!path.run(10, 1_000), "two may be lost by chance");
        path.send(1_000, 1450, None);
        assert!(!path.run(1_000, 1_050));
        assert!(path.run(1_050, 1_200));
        assert_eq!(path.mtu.get(), 1372, "and what it still carries is found at once");
    }

    #[test]
    fn smaller_ones_that_pass_do_not_hide_that_larger_ones_do_not() {
        let mut path = Path::new(1472);
        path.run(0, 10);
        path.carries = 1400;
        for millis in 10..13 {
            path.send(millis, 1450, None);
            path.send(millis, 1300, None);
        }
        assert!(path.run(13, 500));
        assert_eq!(path.mtu.get(), 1372);
        // Where all pass, nothing is checked.
        let checks = path.log.len();
        for millis in 500..600 {
            path.send(millis, 1300, None);
            path.send(millis, 1370, None);
        }
        assert!(!path.run(600, 1_000));
        assert!(path.log[checks..].iter().all(|(_, bytes)| *bytes > 1372), "but for what may be raised");
    }

    #[test]
    fn an_outage_and_small_losses_are_no_reason_to_shrink() {
        let mut path = Path::new(1472);
        path.run(0, 10);
        path.carries = 0;
        for _ in 0..100 {
            path.send(10, 1450, None);
        }
        assert!(!path.run(10, 2_000));
        let checks = path.log.iter().filter(|(millis, bytes)| *millis > 10 && *bytes == 1472).count();
        assert_eq!(checks, 1_940 / 50 + 1, "once a timeout");
        path.carries = 1472;
        assert!(!path.run(2_000, 3_000));
        assert_eq!(path.mtu.get(), 1472);
        // Small ones are no sign of anything, whether they come through or not.
        for _ in 0..10 {
            path.mtu.sent(at(3_000), DATAGRAM_BYTES_BASE, TIMEOUT);
        }
        assert!(path.mtu.due() > at(100_000), "nothing is to be checked");
        for millis in 3_000..4_000 {
            path.send(millis, 500, None);
        }
        assert!(!path.run(4_000, 5_000));
    }
}
