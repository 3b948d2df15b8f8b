//! The release rule: what becomes of the next frame in order, and when that may change.

use core::time::Duration;

use super::outcome::Abandoned;
use super::receiver::{Pace, Receiver};
use super::slot::Slot;
use super::sorted_buffer::Entry;
use crate::limits::{OUTAGE_PERIOD, REORDER_TOLERANCE_MAX, REPAIR_PERIOD_MAX, RTT_INITIAL, SORTED_BUFFER_FRAMES_MAX};
use crate::time::Timestamp;
use crate::wire::media::FrameHeader;

/// What to do with the next frame in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Release,
    GiveUp(Abandoned),
    Wait,
    /// Nothing that is here helps: the viewer must ask for a way back, but keeps waiting.
    Stuck,
}

impl Receiver {
    /// At the start the first frame that came may refer to one that did not: it exists too, then.
    pub(super) fn look_back(&mut self, now: Timestamp) {
        if !self.sorted.is_at_start() {
            return;
        }
        let Some(Entry::Frame(slot)) = self.sorted.head() else { return };
        let delta = slot.header().map_or(0, |header| header.reference_delta);
        if delta > 0 && u64::from(delta) < SORTED_BUFFER_FRAMES_MAX as u64 {
            self.sorted.extend_to(self.sorted.next().saturating_sub(u64::from(delta)).max(1), now);
        }
    }

    pub(super) fn judge_head(&self, now: Timestamp, head: &Entry, pace: &Pace<'_>) -> Verdict {
        let disposable = match head {
            Entry::Skipped => return Verdict::GiveUp(Abandoned::Skipped),
            Entry::Absent { .. } => false,
            Entry::Frame(slot) => {
                match self.judge_frame(slot, pace) {
                    Some(Verdict::Release) if now < self.turn(now, slot, pace) => return Verdict::Wait,
                    Some(verdict) => return verdict,
                    None => {}
                }
                slot.disposable
            }
        };
        if now >= first_known(head) + REPAIR_PERIOD_MAX {
            return Verdict::GiveUp(Abandoned::RepairExpired);
        }
        if disposable && now >= self.display_deadline(now, head, pace) {
            return Verdict::GiveUp(Abandoned::Late);
        }
        let overdue = is_overdue(now, head, pace.tolerance);
        match self.independent_of_head(pace) {
            Some(candidate) if now >= self.overtakes_at(now, candidate, overdue, pace) => {
                Verdict::GiveUp(Abandoned::Overtaken)
            }
            None if overdue && !disposable && self.is_hopeless(now, head, pace) => Verdict::Stuck,
            _ => Verdict::Wait,
        }
    }

    /// When a complete frame is to be released: at once, or when its slower fellows would be.
    fn turn(&self, now: Timestamp, slot: &Slot, pace: &Pace<'_>) -> Timestamp {
        let Some(smoothing) = &self.smoothing else { return Timestamp::ZERO };
        let capture = slot.header().and_then(|header| pace.clock.to_local(now, header.capture_us));
        let delay = smoothing.get(self.budget.get(pace.clock.rtt()));
        // Whatever the server says of its capture, it is not held back for longer than that.
        let latest = slot.complete.as_ref().map_or(Timestamp::ZERO, |complete| complete.at + delay);
        capture.map_or(Timestamp::ZERO, |at| (at + delay).min(latest))
    }

    /// When a frame that can do without the head is shown in its place.
    fn overtakes_at(&self, now: Timestamp, candidate: &Slot, overdue: bool, pace: &Pace<'_>) -> Timestamp {
        if overdue {
            self.turn(now, candidate, pace)
        } else {
            self.deadline(now, candidate.first_arrival, candidate.header(), pace)
        }
    }

    /// What the frame's own header says already; nothing while it does not decide.
    fn judge_frame(&self, slot: &Slot, pace: &Pace<'_>) -> Option<Verdict> {
        let header = slot.header()?;
        if header.key {
            let usable = header.parameter_sets || pace.parameter_epoch == Some(header.parameter_epoch);
            return (slot.complete.is_some() && usable).then_some(Verdict::Release);
        }
        if self.reference_released(self.sorted.next(), header) {
            return slot.complete.is_some().then_some(Verdict::Release);
        }
        // Before anything was released the reference is only missing, and asked for.
        (!self.sorted.is_at_start()).then_some(Verdict::GiveUp(Abandoned::MissingReference))
    }

    fn reference_released(&self, frame_id: u64, header: &FrameHeader) -> bool {
        frame_id.checked_sub(u64::from(header.reference_delta)).is_some_and(|id| self.sorted.has_reference(id))
    }

    /// The first complete frame behind the head that can be decoded without any frame that is not released.
    fn independent_of_head(&self, pace: &Pace<'_>) -> Option<&Slot> {
        self.sorted.behind_head().find_map(|(id, entry)| {
            let Entry::Frame(slot) = entry else { return None };
            let header = &slot.complete.as_ref()?.header;
            let usable = header.parameter_sets || pace.parameter_epoch == Some(header.parameter_epoch);
            let independent = if header.key { usable } else { self.reference_released(id, header) };
            independent.then_some(slot)
        })
    }

    pub(super) fn display_deadline(&self, now: Timestamp, entry: &Entry, pace: &Pace<'_>) -> Timestamp {
        let header = if let Entry::Frame(slot) = entry { slot.header() } else { None };
        self.deadline(now, first_known(entry), header, pace)
    }

    fn deadline(&self, now: Timestamp, known: Timestamp, header: Option<&FrameHeader>, pace: &Pace<'_>) -> Timestamp {
        let capture = header.and_then(|header| pace.clock.to_local(now, header.capture_us));
        // Nobody knows when a frame was captured of which nothing came: half a round trip earlier at least.
        let one_way = pace.clock.rtt().unwrap_or_default() / 2;
        capture.unwrap_or_else(|| known.saturating_sub(one_way)) + self.budget.get(pace.clock.rtt())
    }

    fn is_hopeless(&self, now: Timestamp, head: &Entry, pace: &Pace<'_>) -> bool {
        self.stuck().is_none() && now >= self.hopeless_at(now, head, pace)
    }

    /// When a way around the frame should be asked for, as repair has failed or would cost more.
    fn hopeless_at(&self, now: Timestamp, head: &Entry, pace: &Pace<'_>) -> Timestamp {
        let rtt = pace.clock.rtt().unwrap_or(RTT_INITIAL);
        let known = first_known(head) + pace.tolerance.max(REORDER_TOLERANCE_MAX);
        let behind = self.sorted.end() - self.sorted.next();
        if self.sorted.is_at_start() || pace.frame_interval * u32::try_from(behind).unwrap_or(u32::MAX) > OUTAGE_PERIOD
        {
            return known;
        }
        known.max(self.display_deadline(now, head, pace) + rtt * 2)
    }

    /// When the verdict on a waiting head may change without news.
    pub(super) fn head_timeout(&self, now: Timestamp, head: &Entry, pace: &Pace<'_>) -> Option<Timestamp> {
        let turn = match head {
            Entry::Frame(slot) if slot.complete.is_some() => Some(self.turn(now, slot, pace)),
            Entry::Frame(_) | Entry::Absent { .. } | Entry::Skipped => None,
        };
        let candidate = self.independent_of_head(pace);
        let overtakes = candidate.map(|candidate| self.overtakes_at(now, candidate, true, pace));
        let deadline = match (candidate, head) {
            (_, Entry::Skipped) => return None,
            (Some(candidate), _) => Some(self.overtakes_at(now, candidate, false, pace)),
            (None, Entry::Frame(slot)) if slot.disposable => Some(self.display_deadline(now, head, pace)),
            (None, _) => self.stuck().is_none().then(|| self.hopeless_at(now, head, pace)),
        };
        let give_up = Some(first_known(head) + REPAIR_PERIOD_MAX);
        [turn, overtakes, deadline, give_up].into_iter().flatten().filter(|at| *at > now).min()
    }
}

/// Whether something of the frame is missing for longer than the reorder tolerance.
pub(super) fn is_overdue(now: Timestamp, entry: &Entry, tolerance: Duration) -> bool {
    match entry {
        Entry::Skipped => false,
        Entry::Absent { since } => now >= *since + tolerance,
        Entry::Frame(slot) => slot.is_overdue(now, tolerance),
    }
}

pub(super) fn first_known(entry: &Entry) -> Timestamp {
    match entry {
        Entry::Frame(slot) => slot.known,
        Entry::Absent { since } => *since,
        Entry::Skipped => Timestamp::ZERO,
    }
}
