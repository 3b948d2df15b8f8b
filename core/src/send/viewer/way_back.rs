//! How a viewer that lacks frames goes on: what it can do without, and what the encoder is asked for.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::Viewer;
use crate::seal::Seal;
use crate::send::frame_buffer::Frame;
use crate::send::references::ReferenceChain;
use crate::send::remedy::Remedy;
use crate::send::state::ViewerState;
use crate::time::Timestamp;

/// A way back sent this long ago, plus a round trip, should have shown its effect.
const REMEDY_EFFECT_PERIOD: Duration = Duration::from_millis(50);

/// A viewer that has not come as far as a reference so long after it was made is not waited for, however long its round
/// trip claims to be.
const REFERENCE_PATIENCE: Duration = Duration::from_millis(900);
/// Frames of upper layers that are known to be missing: a base layer's frame ends what depends on them.
pub(super) const WITHOUT_MAX: usize = 8;

/// A frame that let the viewer go on whatever it had missed.
#[derive(Clone, Copy, Debug)]
pub(super) struct WayBack {
    pub(super) id: u64,
    pub(super) key: bool,
    pub(super) sent: Timestamp,
}

impl<S: Seal> Viewer<S> {
    /// The viewer does not get a frame: what refers to it will be no use to it.
    pub(super) fn withhold(&mut self, frame: &Frame) {
        if frame.place.is_droppable() {
            remember(&mut self.without, frame.id);
        } else {
            self.needs_remedy = true;
        }
    }

    /// Whether the viewer can go on with a frame whatever it lacks of those before it.
    pub(super) fn is_way_back(&self, frame: &Frame) -> bool {
        frame.key || frame.place.long_term.is_some_and(|reference| self.held.contains(reference))
    }

    /// Whether the encoder should be asked because nothing can be sent to the viewer without a way back.
    pub(in crate::send) fn is_remedy_needed(&mut self, now: Timestamp) -> bool {
        let needed = self.needs_remedy && self.state == ViewerState::Live && !self.wishes.is_paused();
        let granted = needed && self.key_bucket.take(now);
        self.asks |= granted;
        granted
    }

    /// The cheapest thing that would help the viewer.
    pub(in crate::send) fn remedy(&self, first_bad: Option<u64>, chain: &ReferenceChain) -> Remedy {
        let in_vain = |way_back: WayBack| !way_back.key && first_bad.is_some_and(|bad| way_back.id > bad);
        if !self.held.any(chain) || self.last_way_back.is_some_and(in_vain) {
            return Remedy::KeyFrame;
        }
        Remedy::Reference
    }

    /// Whether the viewer's word counts when the encoder asks whether everybody has a reference that was `made` then: it gets
    /// media, is not one that always needs help, shows something of what it gets, and would be helped by a reference.
    pub(in crate::send) fn has_a_say(&self, now: Timestamp, reference: u64, made: Timestamp) -> bool {
        let gets_media = self.state == ViewerState::Live && !self.wishes.is_paused();
        let needs_little = now >= self.key_bucket.next();
        let is_late = now >= made + REFERENCE_PATIENCE;
        let has_come = self.last_decoded >= Some(reference) || (self.last_decoded.is_some() && !is_late);
        // A way back is for those first that ask for one.
        gets_media && !self.held.has_failed() && (self.asks || (needs_little && has_come))
    }

    /// Whether it has decoded a long-term reference.
    pub(in crate::send) fn holds(&self, reference: u64) -> bool {
        self.held.contains(reference)
    }

    fn newest_way_back_queued(&self) -> Option<u64> {
        self.queue.newest(|frame| self.is_way_back(frame))
    }

    /// The newest frame, sent or waiting, that lets the viewer go on; 0 if there was none.
    pub(super) fn newest_way_back(&self) -> u64 {
        let sent = self.last_way_back.map(|way_back| way_back.id);
        self.newest_way_back_queued().max(sent).unwrap_or_default()
    }

    /// Whether the encoder should be asked because the viewer is stuck since `first_bad`. Each yes is
    /// counted against the viewer, so ask only if nothing as good is wanted already.
    pub(in crate::send) fn is_remedy_due(&mut self, now: Timestamp, first_bad: u64) -> bool {
        let waiting = self.newest_way_back_queued().is_some_and(|id| id > first_bad);
        let effect = self.sent.rtt().or_initial() + REMEDY_EFFECT_PERIOD;
        let on_its_way = self.last_way_back.is_some_and(|it| it.id > first_bad && now < it.sent + effect);
        let granted = !waiting && !on_its_way && !self.wishes.is_paused() && self.key_bucket.take(now);
        self.asks |= granted;
        granted
    }
}

pub(super) fn remember(without: &mut VecDeque<u64>, id: u64) {
    if without.len() == WITHOUT_MAX {
        without.pop_front();
    }
    without.push_back(id);
}
