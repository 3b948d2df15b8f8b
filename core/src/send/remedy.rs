//! What the encoder is asked for when a viewer cannot go on: many viewers' wishes become few requests.

use core::time::Duration;

use super::references::Recovery;
use super::token_bucket::TokenBucket;
use crate::limits::{KEY_FRAME_BURST, KEY_FRAME_SPACING, REMEDY_COALESCE_PERIOD};
use crate::time::Timestamp;

/// How long an encoder may take to answer before it is asked again.
const ANSWER_PERIOD: Duration = Duration::from_secs(1);

/// A way back into the stream, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remedy {
    /// A picture that refers to a long-term reference which everybody has.
    Reference,
    /// A picture that refers to none.
    KeyFrame,
}

/// Merges requests that come close together and keeps key frames apart.
#[derive(Debug)]
pub(super) struct RemedyPolicy {
    /// What the source can do.
    recovery: Recovery,
    bucket: TokenBucket,
    wanted: Option<(Remedy, Timestamp)>,
    /// What the encoder was asked for and has not made yet, and when.
    asked: Option<(Request, Timestamp)>,
}

impl RemedyPolicy {
    pub(super) const fn new(now: Timestamp, recovery: Recovery) -> Self {
        let bucket = TokenBucket::new(now, KEY_FRAME_BURST, KEY_FRAME_SPACING);
        Self { recovery, bucket, wanted: None, asked: None }
    }

    /// Whether the source can do anything when asked.
    pub(super) fn is_possible(&self) -> bool {
        self.recovery > Recovery::Nothing
    }

    /// Whether the source keeps long-term references.
    pub(super) fn has_references(&self) -> bool {
        self.recovery == Recovery::LongTermReferences
    }

    /// Somebody needs one.
    pub(super) fn want(&mut self, now: Timestamp, remedy: Remedy) {
        if self.covers(remedy) {
            return;
        }
        let remedy = if self.has_references() { remedy } else { Remedy::KeyFrame };
        let since = self.wanted.map_or(now, |(_, since)| since);
        self.wanted = Some((remedy, since));
        // What was asked for does not help everybody.
        self.asked = None;
    }

    /// Whether asking for one more would change nothing.
    pub(super) fn covers(&self, remedy: Remedy) -> bool {
        !self.is_possible() || self.wanted.is_some_and(|(wanted, _)| wanted >= remedy)
    }

    /// The source makes nothing any more.
    pub(super) const fn end(&mut self) {
        self.recovery = Recovery::Nothing;
        self.wanted = None;
    }

    /// One was made. A key frame helps everybody; a picture that refers to a long-term reference may do so for the
    /// encoder's own reasons, and helps those that wait only if the reference is the one that they have.
    pub(super) fn made(&mut self, made: Request) {
        if made == Request::KeyFrame || self.asked.is_some_and(|(asked, _)| asked == made) {
            self.wanted = None;
            self.asked = None;
        }
    }

    /// What to ask the encoder for now. `reference` is the one that everybody has.
    pub(super) fn poll(&mut self, now: Timestamp, reference: impl FnOnce() -> Option<u64>) -> Option<Request> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let (remedy, since) = self.wanted?;
        let reference = if remedy == Remedy::Reference { reference() } else { None };
        if reference.is_none() {
            self.wanted = Some((Remedy::KeyFrame, since));
            if !self.bucket.take(now) {
                return None;
            }
        }
        let request = reference.map_or(Request::KeyFrame, Request::Reference);
        self.asked = Some((request, now));
        Some(request)
    }

    /// When [`poll`](Self::poll) may say yes.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let (remedy, since) = self.wanted?;
        let settled = since + REMEDY_COALESCE_PERIOD;
        let unanswered = self.asked.map_or(Timestamp::ZERO, |(_, at)| at + ANSWER_PERIOD);
        let spaced = if remedy == Remedy::KeyFrame { self.bucket.next() } else { Timestamp::ZERO };
        Some(settled.max(unanswered).max(spaced))
    }
}

/// What the encoder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A picture that refers to this frame alone.
    Reference(u64),
    /// A key frame.
    KeyFrame,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn policy(recovery: Recovery) -> RemedyPolicy {
        RemedyPolicy::new(ms(0), recovery)
    }

    #[test]
    fn wishes_in_a_window_become_one_request() {
        let mut policy = policy(Recovery::KeyFrames);
        (1_000..1_030).for_each(|millis| policy.want(ms(millis), Remedy::Reference));
        assert_eq!(policy.poll(ms(1_029), || Some(1)), None);
        assert_eq!(policy.due(), Some(ms(1_030)));
        assert_eq!(policy.poll(ms(1_030), || Some(1)), Some(Request::KeyFrame), "it can do no less");
        policy.want(ms(1_040), Remedy::KeyFrame);
        assert_eq!(policy.poll(ms(1_100), || None), None, "the encoder is already at it");
        policy.made(Request::KeyFrame);
        assert_eq!(policy.due(), None);
    }

    #[test]
    fn after_a_burst_key_frames_keep_their_distance() {
        let mut policy = policy(Recovery::LongTermReferences);
        let mut asked = [0; 4];
        for at in &mut asked {
            policy.want(ms(0), Remedy::KeyFrame);
            let due = policy.due().unwrap();
            assert_eq!(policy.poll(due, || Some(1)), Some(Request::KeyFrame));
            policy.made(Request::KeyFrame);
            *at = due.as_micros() / 1_000;
        }
        assert_eq!(asked, [30, 30, 530, 1_030]);
        policy.want(ms(1_030), Remedy::Reference);
        assert_eq!(policy.poll(ms(1_060), || Some(7)), Some(Request::Reference(7)), "what costs little need not wait");
    }

    #[test]
    fn without_a_reference_that_all_have_a_key_frame_it_is() {
        let mut policy = policy(Recovery::LongTermReferences);
        policy.want(ms(0), Remedy::Reference);
        assert_eq!(policy.poll(ms(30), || None), Some(Request::KeyFrame));
        policy.made(Request::Reference(1));
        assert!(policy.covers(Remedy::KeyFrame), "still wanted");
    }

    #[test]
    fn whom_a_reference_does_not_help_a_key_frame_does() {
        let mut policy = policy(Recovery::LongTermReferences);
        policy.want(ms(0), Remedy::Reference);
        assert_eq!(policy.poll(ms(30), || Some(1)), Some(Request::Reference(1)));
        assert!(policy.covers(Remedy::Reference) && !policy.covers(Remedy::KeyFrame));
        policy.want(ms(40), Remedy::KeyFrame);
        assert_eq!(policy.poll(ms(40), || Some(1)), Some(Request::KeyFrame));
    }

    #[test]
    fn a_key_frame_in_place_of_a_reference_keeps_its_distance_too() {
        let mut policy = policy(Recovery::LongTermReferences);
        for asked in [Some(Request::KeyFrame), Some(Request::KeyFrame), None] {
            policy.want(ms(0), Remedy::Reference);
            assert_eq!(policy.poll(ms(30), || None), asked);
            policy.made(Request::KeyFrame);
        }
        policy.want(ms(30), Remedy::Reference);
        assert_eq!(policy.poll(ms(60), || None), None);
        assert_eq!(policy.due(), Some(ms(530)));
    }

    #[test]
    fn only_the_reference_that_was_asked_for_answers() {
        let mut policy = policy(Recovery::LongTermReferences);
        policy.want(ms(0), Remedy::Reference);
        policy.made(Request::Reference(3));
        assert_eq!(policy.poll(ms(30), || Some(3)), Some(Request::Reference(3)), "it had not been asked yet");
        policy.made(Request::Reference(4));
        assert!(policy.covers(Remedy::Reference));
        policy.made(Request::Reference(3));
        assert_eq!((policy.covers(Remedy::Reference), policy.due()), (false, None));
    }

    #[test]
    fn an_encoder_that_does_not_answer_is_asked_again_and_a_file_never() {
        let mut encoder = policy(Recovery::KeyFrames);
        encoder.want(ms(0), Remedy::KeyFrame);
        assert!(encoder.poll(ms(30), || None).is_some());
        assert_eq!(encoder.due(), Some(ms(1_030)));
        assert!(encoder.poll(ms(1_030), || None).is_some());
        let mut file = policy(Recovery::Nothing);
        file.want(ms(0), Remedy::KeyFrame);
        assert_eq!(file.due(), None);
    }
}
