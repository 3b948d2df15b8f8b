//! When the encoder is asked for a key frame: many viewers' wishes become few requests.

use core::time::Duration;

use super::token_bucket::TokenBucket;
use crate::limits::{KEY_FRAME_BURST, KEY_FRAME_COALESCE_PERIOD, KEY_FRAME_SPACING};
use crate::time::Timestamp;

/// How long an encoder may take to answer before it is asked again.
const ANSWER_PERIOD: Duration = Duration::from_secs(1);

/// Merges requests that come close together and keeps key frames apart.
#[derive(Debug)]
pub(super) struct KeyFramePolicy {
    /// Whether the source can make one at all.
    possible: bool,
    bucket: TokenBucket,
    wanted_since: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

impl KeyFramePolicy {
    pub(super) const fn new(now: Timestamp, possible: bool) -> Self {
        let bucket = TokenBucket::new(now, KEY_FRAME_BURST, KEY_FRAME_SPACING);
        Self { possible, bucket, wanted_since: None, asked_at: None }
    }

    /// Whether the source can make key frames when asked.
    pub(super) const fn is_possible(&self) -> bool {
        self.possible
    }

    /// Somebody needs one.
    pub(super) fn want(&mut self, now: Timestamp) {
        if self.possible && self.wanted_since.is_none() {
            self.wanted_since = Some(now);
        }
    }

    /// Whether asking for one more would change nothing.
    pub(super) const fn is_wanted(&self) -> bool {
        !self.possible || self.wanted_since.is_some()
    }

    /// The source makes nothing any more.
    pub(super) const fn end(&mut self) {
        self.possible = false;
        self.wanted_since = None;
    }

    /// One was made: whoever wanted one before gets it.
    pub(super) const fn made(&mut self) {
        self.wanted_since = None;
        self.asked_at = None;
    }

    /// Whether to ask the encoder now.
    pub(super) fn poll(&mut self, now: Timestamp) -> bool {
        let ask = self.due().is_some_and(|due| now >= due) && self.bucket.take(now);
        if ask {
            self.asked_at = Some(now);
        }
        ask
    }

    /// When [`poll`](Self::poll) may say yes.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let settled = self.wanted_since? + KEY_FRAME_COALESCE_PERIOD;
        let unanswered = self.asked_at.map_or(Timestamp::ZERO, |asked| asked + ANSWER_PERIOD);
        Some(settled.max(unanswered).max(self.bucket.next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn wishes_in_a_window_become_one_request() {
        let mut policy = KeyFramePolicy::new(ms(0), true);
        (1_000..1_030).for_each(|millis| policy.want(ms(millis)));
        assert!(!policy.poll(ms(1_029)));
        assert_eq!(policy.due(), Some(ms(1_030)));
        assert!(policy.poll(ms(1_030)));
        policy.want(ms(1_040));
        assert!(!policy.poll(ms(1_100)), "the encoder is already at it");
        policy.made();
        assert_eq!(policy.due(), None);
    }

    #[test]
    fn after_a_burst_key_frames_keep_their_distance() {
        let mut policy = KeyFramePolicy::new(ms(0), true);
        let mut asked = [0; 4];
        for at in &mut asked {
            policy.want(ms(0));
            let due = policy.due().unwrap();
            assert!(policy.poll(due));
            policy.made();
            *at = due.as_micros() / 1_000;
        }
        assert_eq!(asked, [30, 30, 530, 1_030]);
    }

    #[test]
    fn an_encoder_that_does_not_answer_is_asked_again_and_a_file_never() {
        let mut policy = KeyFramePolicy::new(ms(0), true);
        policy.want(ms(0));
        assert!(policy.poll(ms(30)));
        assert_eq!(policy.due(), Some(ms(1_030)));
        assert!(policy.poll(ms(1_030)));
        let mut file = KeyFramePolicy::new(ms(0), false);
        file.want(ms(0));
        assert_eq!(file.due(), None);
    }
}
