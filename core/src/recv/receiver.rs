//! From fragments to frames in order: the first buffer, the sorting process, the sorted buffer and the release rule.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::first_buffer::{FirstBuffer, Fragment, SortTrigger};
use super::outcome::{Abandoned, Outcome, ReceiverStats, Released, Stuck};
use super::playout::{Budget, ClockSync, Smoothing};
use super::release::Verdict;
use super::slot::{Placed, Repaired};
use super::sorted_buffer::{Entry, SortedBuffer};
use super::tolerance::Largest;
use crate::fec::Decoder;
use crate::limits::{SORTED_BUFFER_FRAMES_MAX, TAIL_PAUSE_MAX, TAIL_PAUSE_MIN};
use crate::time::Timestamp;
use crate::wire::media::FragmentHeader;

/// Times that the release rule needs and the machine above knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace<'a> {
    pub(super) clock: &'a ClockSync,
    pub(super) tolerance: Duration,
    /// From one frame to the next, at the stream's full rate.
    pub(super) frame_interval: Duration,
    /// The parameter-set epoch that CONFIG announced, if it came.
    pub(super) parameter_epoch: Option<u8>,
}

#[derive(Debug)]
pub(super) struct Receiver {
    first: FirstBuffer,
    pub(super) sorted: SortedBuffer,
    decoder: Decoder,
    /// Pauses within frames: a longer one means that a frame's last fragments are lost.
    gaps: Largest,
    newest_arrival: Option<(u64, Timestamp)>,
    pub(super) budget: Budget,
    /// How long frames wait for those that are slower; none if each is to be seen as soon as it can be.
    pub(super) smoothing: Option<Smoothing>,
    outcomes: VecDeque<Outcome>,
    last_released: Option<u64>,
    /// A frame that others refer to was given up: nothing can be shown before the next key frame.
    pub(super) is_broken: bool,
    stuck: Option<Stuck>,
    stats: ReceiverStats,
}

impl Receiver {
    pub(super) fn new(now: Timestamp, budget: Option<Duration>, smooth: bool) -> Self {
        Self {
            first: FirstBuffer::default(),
            sorted: SortedBuffer::new(),
            decoder: Decoder::default(),
            gaps: Largest::new(now),
            newest_arrival: None,
            budget: Budget::new(budget),
            smoothing: smooth.then(|| Smoothing::new(now)),
            outcomes: VecDeque::new(),
            last_released: None,
            is_broken: false,
            stuck: None,
            stats: ReceiverStats::default(),
        }
    }

    pub(super) const fn stats(&self) -> &ReceiverStats {
        &self.stats
    }

    pub(super) const fn last_released(&self) -> Option<u64> {
        self.last_released
    }

    /// The lowest frame that is neither released nor given up.
    pub(super) const fn waiting_for(&self) -> u64 {
        self.sorted.next()
    }

    pub(super) const fn stuck(&self) -> Option<Stuck> {
        self.stuck
    }

    pub(super) fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    pub(super) fn handle_fragment(
        &mut self,
        now: Timestamp,
        frame_id: u64,
        header: FragmentHeader,
        bytes: &[u8],
        pace: &Pace<'_>,
    ) {
        self.stats.fragments += 1;
        self.stats.rows += u64::from(header.parity);
        self.watch_gaps(now, frame_id, header);
        let Some(missing) = self.sorted.missing(frame_id, header.count) else {
            self.stats.fragments_useless += 1;
            return;
        };
        let fragment = Fragment { frame_id, header, bytes, arrived: now };
        if let Some(trigger) = self.first.push(fragment, missing) {
            self.sort(now, trigger, pace);
        }
    }

    /// Learns how far apart the fragments of a frame come.
    fn watch_gaps(&mut self, now: Timestamp, frame_id: u64, header: FragmentHeader) {
        if header.repair {
            return;
        }
        if let Some((newest, at)) = self.newest_arrival
            && newest == frame_id
            && !header.parity
        {
            self.gaps.observe(now, now - at);
        }
        if self.newest_arrival.is_none_or(|(newest, _)| newest <= frame_id) {
            self.newest_arrival = Some((frame_id, now));
        }
    }

    /// When the newest frame's last fragments count as overtaken although nothing came after them.
    pub(super) fn tail_due(&self, pace: &Pace<'_>) -> Option<Timestamp> {
        let Some(Entry::Frame(slot)) = self.sorted.newest() else { return None };
        let longest = self.gaps.get();
        let pause = (longest + longest / 4).clamp(TAIL_PAUSE_MIN, TAIL_PAUSE_MAX) + pace.tolerance;
        slot.awaits_tail().then(|| slot.last_arrival + pause)
    }

    /// The sender withholds frames `from..=to`.
    pub(super) fn handle_skip(&mut self, now: Timestamp, from: u64, to: u64, pace: &Pace<'_>) {
        self.sort(now, SortTrigger::Boundary, pace);
        self.sorted.skip(from, to);
        self.release(now, pace);
    }

    /// The sender says that frames up to `newest` exist.
    pub(super) fn handle_newest(&mut self, now: Timestamp, newest: u64, pace: &Pace<'_>) {
        if !self.sorted.any_seen() {
            // All that was sent so far is lost.
            return self.get_stuck(newest);
        }
        self.make_room(now, newest);
        self.sorted.expect_tails(newest, now);
        self.release(now, pace);
    }

    /// The decoder could not use a frame that was released to it.
    pub(super) fn handle_undecodable(&mut self, frame_id: u64) {
        let first_bad = self.stuck.map_or(frame_id, |stuck| stuck.first_bad);
        self.stuck = Some(Stuck { first_bad, last_good: frame_id.checked_sub(1), decoder_failed: true });
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp, pace: &Pace<'_>) {
        if self.first.due().is_some_and(|due| due <= now) {
            self.sort(now, SortTrigger::Age, pace);
        }
        if self.tail_due(pace).is_some_and(|due| due <= now) {
            self.sorted.expect_tails(self.sorted.end(), now);
        }
        self.release(now, pace);
    }

    pub(super) fn poll_timeout(&self, now: Timestamp, pace: &Pace<'_>) -> Option<Timestamp> {
        let head = self.sorted.head().and_then(|entry| self.head_timeout(now, entry, pace));
        [self.first.due(), self.tail_due(pace), self.next_loss(now, pace), head].into_iter().flatten().min()
    }

    /// The sorting process: every unsorted fragment to its place, then whatever can leave in order.
    fn sort(&mut self, now: Timestamp, trigger: SortTrigger, pace: &Pace<'_>) {
        let count = match trigger {
            SortTrigger::FrameComplete => &mut self.stats.sorts[0],
            SortTrigger::Boundary => &mut self.stats.sorts[1],
            SortTrigger::Count => &mut self.stats.sorts[2],
            SortTrigger::Age => &mut self.stats.sorts[3],
        };
        *count += 1;
        let mut first = core::mem::take(&mut self.first);
        first.drain(|fragment| {
            self.make_room(now, fragment.frame_id);
            match self.sorted.place(&fragment, &mut self.decoder) {
                Placed::New => {}
                Placed::Duplicate | Placed::Outdated => self.stats.fragments_useless += 1,
                Placed::Contradiction => self.stats.fragments_contradicting += 1,
            }
        });
        self.first = first;
        self.stats.held_bytes_peak = self.stats.held_bytes_peak.max(self.sorted.held_bytes() as u64);
        self.release(now, pace);
    }

    fn make_room(&mut self, now: Timestamp, frame_id: u64) {
        while self.sorted.is_full_for(frame_id) {
            self.give_up_head(Abandoned::Evicted);
        }
        if self.sorted.any_seen() && frame_id >= self.sorted.end() + SORTED_BUFFER_FRAMES_MAX as u64 {
            self.jump(frame_id, Abandoned::Evicted);
            self.get_stuck(frame_id);
        }
        self.sorted.extend_to(frame_id, now);
    }

    /// Passes over frames of which nothing is known.
    fn jump(&mut self, frame_id: u64, reason: Abandoned) {
        let from = self.sorted.next();
        self.sorted.jump(frame_id);
        if self.sorted.next() > from {
            self.outcomes.push_back(Outcome::Abandoned { from, to: frame_id - 1, reason, first_packet: None });
        }
    }

    fn release(&mut self, now: Timestamp, pace: &Pace<'_>) {
        self.look_back(now);
        while let Some(head) = self.sorted.head() {
            match self.judge_head(now, head, pace) {
                Verdict::Release => self.release_head(now, pace),
                Verdict::GiveUp(reason) => self.give_up_head(reason),
                Verdict::Wait => break,
                Verdict::Stuck => {
                    self.get_stuck(self.sorted.next());
                    break;
                }
            }
        }
        // Nothing is here, but what comes next was withheld: the viewer no longer waits for it.
        if let Some(to) = self.sorted.skipped_from_next() {
            self.jump(to + 1, Abandoned::Skipped);
        }
    }

    fn release_head(&mut self, now: Timestamp, pace: &Pace<'_>) {
        let frame_id = self.sorted.next();
        let Some(Entry::Frame(slot)) = self.sorted.advance(true) else { return };
        let Some(complete) = slot.complete else { return };
        let capture = pace.clock.to_local(now, complete.header.capture_us);
        if let Some(capture) = capture {
            self.budget.observe(slot.first_arrival - capture);
            if let Some(smoothing) = &mut self.smoothing {
                smoothing.observe(now, complete.at - capture);
            }
        }
        let late = capture.is_some_and(|capture| now > capture + self.budget.get(pace.clock.rtt()));
        self.last_released = Some(frame_id);
        self.is_broken = false;
        self.stats.frames_repaired += u64::from(slot.repaired == Repaired::ByRepair);
        self.stats.frames_by_parity += u64::from(slot.repaired == Repaired::ByParity);
        self.stats.frames_released += 1;
        self.stats.frames_late += u64::from(late);
        if self.stuck.is_some_and(|stuck| frame_id >= stuck.first_bad) {
            self.stuck = None;
        }
        self.outcomes.push_back(Outcome::Released(Released {
            frame_id,
            header: complete.header,
            body: complete.body,
            capture,
            first_packet: slot.first_arrival,
            completed: complete.at,
            repaired: slot.repaired,
            late,
        }));
    }

    fn give_up_head(&mut self, reason: Abandoned) {
        let frame_id = self.sorted.next();
        let head = self.sorted.advance(false);
        let first_packet = if let Some(Entry::Frame(slot)) = &head { Some(slot.first_arrival) } else { None };
        let breaks_the_chain = match head {
            Some(Entry::Skipped) => false,
            Some(Entry::Frame(slot)) => !slot.disposable || reason == Abandoned::MissingReference,
            Some(Entry::Absent { .. }) | None => reason != Abandoned::Overtaken,
        };
        if let Some(count) = self.stats.frames_abandoned.get_mut(reason as usize) {
            *count += 1;
        }
        if breaks_the_chain {
            self.is_broken = true;
            self.get_stuck(frame_id);
        }
        self.outcomes.push_back(Outcome::Abandoned { from: frame_id, to: frame_id, reason, first_packet });
    }

    pub(super) fn get_stuck(&mut self, first_bad: u64) {
        if self.stuck.is_none() {
            self.stuck = Some(Stuck { first_bad, last_good: self.last_released, decoder_failed: false });
        }
    }
}
