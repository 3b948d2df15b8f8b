//! Which frame refers to which, and which long-term references a new frame may safely refer to.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::stream::AccessUnitRefused;
use crate::limits::{FRAMES_REMEMBERED_MAX, LONG_TERM_REFERENCES_MAX};
use crate::time::Timestamp;

/// What the source can do for a viewer that lost a frame, cheapest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recovery {
    /// Nothing: a file is what it is.
    Nothing,
    /// Its next picture can be a key frame.
    KeyFrames,
    /// Its next picture can refer to a long-term reference alone; or be a key frame.
    LongTermReferences,
}

/// What the source knows of an access unit that its bytes do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// The frame that it refers to. Without it, it is taken to refer to the last frame that anybody may refer to: never
    /// wrong for a source that refers one frame back, at times too careful.
    pub refers_to: Option<u64>,
    /// The encoder keeps the picture as a long-term reference.
    pub marks_long_term: bool,
}

/// The newest frames' references. A chain leads from each frame back to a key frame.
#[derive(Debug)]
pub(super) struct ReferenceChain {
    /// Frame ids and what they refer to, 0 for nothing, each in the place of its id.
    frames: Vec<(u64, u64)>,
    newest_reference: Option<u64>,
    newest_key: u64,
    /// Long-term references since the last key frame and when they were made, oldest first.
    long_term: VecDeque<(u64, Timestamp)>,
}

impl Default for ReferenceChain {
    fn default() -> Self {
        Self {
            frames: vec![(0, 0); FRAMES_REMEMBERED_MAX],
            newest_reference: None,
            newest_key: 0,
            long_term: VecDeque::with_capacity(LONG_TERM_REFERENCES_MAX),
        }
    }
}

impl ReferenceChain {
    /// What frame `id`, no key frame, refers to.
    pub(super) fn resolve(&self, id: u64, references: References) -> Result<u64, AccessUnitRefused> {
        let newest = self.newest_reference.ok_or(AccessUnitRefused::BeforeFirstKeyFrame)?;
        match references.refers_to {
            None => Ok(newest),
            Some(to) if to < id && self.may_be_kept(to) => Ok(to),
            Some(frame_id) => Err(AccessUnitRefused::UnknownReference { frame_id }),
        }
    }

    /// Whether a decoder that has seen everything may still have a frame.
    fn may_be_kept(&self, id: u64) -> bool {
        let is_known = self.newest_reference == Some(id) || self.is_long_term(id) || self.reference_of(id).is_some();
        is_known && id >= self.newest_key
    }

    /// Frame `id` refers to `reference`, to none if it is a key frame.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        id: u64,
        reference: Option<u64>,
        disposable: bool,
        marks_long_term: bool,
    ) {
        if let Some(place) = self.frames.get_mut(place_of(id)) {
            *place = (id, reference.unwrap_or_default());
        }
        if reference.is_none() {
            // A decoder forgets everything at a key frame (ITU-T H.264, clause 8.2.5.1).
            self.long_term.clear();
            self.newest_key = id;
        }
        if !disposable {
            self.newest_reference = Some(id);
        }
        if marks_long_term {
            if self.long_term.len() == LONG_TERM_REFERENCES_MAX {
                self.long_term.pop_front();
            }
            self.long_term.push_back((id, now));
        }
    }

    /// The long-term references and when they were made, newest first.
    pub(super) fn long_term(&self) -> impl Iterator<Item = (u64, Timestamp)> {
        self.long_term.iter().rev().copied()
    }

    pub(super) fn newest_long_term(&self) -> Option<u64> {
        self.long_term.back().map(|(reference, _)| *reference)
    }

    /// Whether a frame that refers to `reference` does without frames behind it.
    pub(super) fn is_way_back(&self, reference: u64) -> bool {
        self.is_long_term(reference) && self.newest_reference != Some(reference)
    }

    fn is_long_term(&self, id: u64) -> bool {
        self.long_term.iter().any(|(reference, _)| *reference == id)
    }

    /// Whether who decoded frame `id` has decoded `ancestor` on the way to it.
    pub(super) fn descends(&self, id: u64, ancestor: u64) -> bool {
        let mut at = id;
        while at > ancestor {
            match self.reference_of(at) {
                Some(reference) if reference > 0 => at = reference,
                _ => return false,
            }
        }
        at == ancestor
    }

    fn reference_of(&self, id: u64) -> Option<u64> {
        let (found, reference) = *self.frames.get(place_of(id))?;
        (found == id && id > 0).then_some(reference)
    }
}

fn place_of(id: u64) -> usize {
    usize::try_from(id % FRAMES_REMEMBERED_MAX as u64).unwrap_or_default()
}

/// Which of the stream's long-term references one viewer has decoded.
#[derive(Debug, Default)]
pub(super) struct Held {
    references: VecDeque<u64>,
    /// References up to here have been judged.
    judged: u64,
    /// Its decoder has failed at this frame, or before; only a key frame behind it helps.
    failed: Option<u64>,
}

impl Held {
    /// The viewer has decoded frame `decoded`; whether it turned out to hold one more.
    pub(super) fn decoded(&mut self, decoded: u64, chain: &ReferenceChain) -> bool {
        if self.failed.is_some_and(|bad| chain.newest_key <= bad || decoded < chain.newest_key) {
            return false;
        }
        self.failed = None;
        let before = self.references.len();
        for (reference, _) in chain.long_term().filter(|(id, _)| (self.judged + 1..=decoded).contains(id)) {
            if chain.descends(decoded, reference) {
                self.references.push_back(reference);
            }
        }
        let news = self.references.len() > before;
        self.judged = self.judged.max(decoded);
        self.references.retain(|id| chain.is_long_term(*id));
        news
    }

    /// The viewer's decoder has failed at frame `first_bad`, and nobody knows what is left in it. A viewer that names a
    /// frame before those that it showed has lost what it showed all the same.
    pub(super) fn forget(&mut self, first_bad: u64) {
        self.references.clear();
        self.failed = self.failed.max(Some(first_bad.max(self.judged)));
    }

    /// Whether nothing but a key frame helps.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.references.contains(&id)
    }

    /// Whether it holds one that the encoder still has.
    pub(super) fn any(&self, chain: &ReferenceChain) -> bool {
        self.references.iter().any(|id| chain.is_long_term(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(5);
    const PLAIN: References = References { refers_to: None, marks_long_term: false };

    fn to(id: u64) -> References {
        References { refers_to: Some(id), ..PLAIN }
    }

    /// 1 key and long-term, 2 to 1, 3 to 2 (disposable), 4 to 2, long-term; 5 back to 1.
    fn chain() -> ReferenceChain {
        let mut chain = ReferenceChain::default();
        chain.add(NOW, 1, None, false, true);
        chain.add(NOW, 2, Some(1), false, false);
        chain.add(NOW, 3, Some(2), true, false);
        chain.add(NOW, 4, Some(2), false, true);
        chain.add(NOW, 5, Some(1), false, false);
        chain
    }

    #[test]
    fn without_word_of_the_source_a_frame_refers_to_the_last_reference() {
        let mut chain = ReferenceChain::default();
        assert_eq!(chain.resolve(1, PLAIN), Err(AccessUnitRefused::BeforeFirstKeyFrame));
        chain.add(NOW, 1, None, false, false);
        chain.add(NOW, 2, Some(1), true, false);
        assert_eq!((chain.resolve(3, PLAIN), chain.resolve(3, to(2))), (Ok(1), Ok(2)));
        let unknown = |frame_id| Err(AccessUnitRefused::UnknownReference { frame_id });
        assert_eq!([chain.resolve(3, to(0)), chain.resolve(3, to(3)), chain.resolve(3, to(9))], [0, 3, 9].map(unknown));
    }

    #[test]
    fn a_long_term_reference_outlives_the_memory_of_frames() {
        let mut chain = chain();
        let last = 5 + FRAMES_REMEMBERED_MAX as u64;
        (6..=last).for_each(|id| chain.add(NOW, id, Some(id - 1), false, false));
        assert_eq!(chain.resolve(last + 1, to(4)), Ok(4));
        (last + 1..last * 2).for_each(|id| chain.add(NOW, id, Some(last), true, false));
        assert_eq!(chain.resolve(last * 2, to(last)), Ok(last), "all others were disposable");
        assert_eq!(chain.resolve(last + 1, to(2)), Err(AccessUnitRefused::UnknownReference { frame_id: 2 }));
    }

    #[test]
    fn descent_follows_the_references_and_not_the_order() {
        let chain = chain();
        let of = |id| (1..=5).filter(|ancestor| chain.descends(id, *ancestor)).collect::<Vec<_>>();
        assert_eq!([of(2), of(3), of(4), of(5)], [vec![1, 2], vec![1, 2, 3], vec![1, 2, 4], vec![1, 5]]);
    }

    #[test]
    fn a_viewer_holds_what_it_decoded_on_its_way() {
        let mut chain = chain();
        let mut held = Held::default();
        assert!(held.decoded(3, &chain) && held.contains(1) && !held.contains(4));
        // It went on with frame 5, which does not need frame 4: nobody knows whether it decoded that.
        assert!(!held.decoded(5, &chain) && !held.contains(4));
        chain.add(NOW, 6, None, false, false);
        assert_eq!(chain.resolve(7, to(5)), Err(AccessUnitRefused::UnknownReference { frame_id: 5 }));
        assert!(!held.any(&chain), "a key frame ends them all");
        assert!(!held.decoded(6, &chain) && held.references.is_empty());
    }

    #[test]
    fn a_decoder_that_failed_holds_nothing_before_the_next_key_frame() {
        let mut chain = chain();
        let mut held = Held::default();
        assert!(held.decoded(4, &chain) && held.contains(4));
        // Whatever frame it names.
        held.forget(2);
        assert!(!held.contains(4) && held.has_failed());
        assert!(!held.decoded(5, &chain) && held.has_failed(), "no key frame has come since");
        chain.add(NOW, 6, None, false, true);
        assert!(held.decoded(6, &chain) && held.contains(6) && !held.has_failed());
        held.forget(9);
        chain.add(NOW, 7, None, false, true);
        assert!(!held.decoded(7, &chain), "that is before what it fails at");
    }

    #[test]
    fn the_list_of_long_term_references_is_bounded() {
        let mut chain = ReferenceChain::default();
        chain.add(NOW, 1, None, false, true);
        (2..100).for_each(|id| chain.add(NOW, id, Some(id - 1), false, true));
        assert_eq!(chain.long_term().count(), LONG_TERM_REFERENCES_MAX);
        assert_eq!(chain.long_term().next(), Some((99, NOW)));
    }
}
