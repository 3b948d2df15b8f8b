//! One slot between the capture and the encoder thread, and the orders of the driver for both.

use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::encode::Picture;

/// A picture and the moment it was taken.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The picture; shared, because the capture thread compares the next one with it.
    pub picture: Arc<Picture>,
    /// When it was taken.
    pub captured: Instant,
}

/// What the encoder thread has to do next.
#[derive(Debug)]
pub enum Work {
    /// Encode this picture.
    Encode {
        /// The newest picture.
        shot: Shot,
        /// As a key frame.
        force_key: bool,
    },
    /// Encode the last picture once more, as a key frame.
    RepeatAsKey,
    /// Nothing more will come.
    Stop,
}

/// Holds the newest picture only: when the encoder is busy, an older one that waits is replaced.
#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    slot: Option<Shot>,
    put: u64,
    replaced: u64,
    key_wanted: bool,
    bitrate_limit: Option<u64>,
    started: bool,
    stopped: bool,
}

impl Mailbox {
    /// Leaves a picture for the encoder, in place of one it has not fetched.
    pub fn put(&self, shot: Shot) {
        let mut state = self.lock();
        state.put += 1;
        if state.slot.replace(shot).is_some() {
            state.replaced += 1;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Pictures that were left here.
    #[must_use]
    pub fn put_count(&self) -> u64 {
        self.lock().put
    }

    /// Pictures that were replaced before the encoder fetched them.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    /// Asks for a key frame; requests that meet before it is encoded are one.
    pub fn request_key_frame(&self) {
        self.lock().key_wanted = true;
        self.changed.notify_all();
    }

    /// Sets how many bits a second the encoder is to make at most, from its next picture on; `None`: as many as it
    /// was opened for.
    pub fn limit_bitrate(&self, bits_per_second: Option<u64>) {
        // Nobody is woken: a limit is no reason to encode a picture.
        self.lock().bitrate_limit = bits_per_second;
    }

    /// What [`Mailbox::limit_bitrate`] was last told.
    #[must_use]
    pub fn bitrate_limit(&self) -> Option<u64> {
        self.lock().bitrate_limit
    }

    /// Opens the gate of [`Mailbox::wait_for_start`].
    pub fn start(&self) {
        self.lock().started = true;
        self.changed.notify_all();
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for a picture, or, if there is one to repeat, for the wish for a key frame.
    pub fn wait_for_work(&self, can_repeat: bool) -> Work {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.next_work(can_repeat) {
                return work;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for [`Mailbox::start`]; `false` when stopped.
    pub fn wait_for_start(&self) -> bool {
        let waits = |state: &mut State| !state.started && !state.stopped;
        let state = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        !state.stopped
    }

    /// Sleeps until `due`; `false` when stopped.
    pub fn wait_until(&self, due: Instant) -> bool {
        let mut state = self.lock();
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if state.stopped || left == Duration::ZERO {
                return !state.stopped;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid after every statement, so a panic elsewhere cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_work(&mut self, can_repeat: bool) -> Option<Work> {
        if self.stopped {
            return Some(Work::Stop);
        }
        if let Some(shot) = self.slot.take() {
            return Some(Work::Encode { shot, force_key: core::mem::take(&mut self.key_wanted) });
        }
        (can_repeat && core::mem::take(&mut self.key_wanted)).then_some(Work::RepeatAsKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(width: u32) -> Shot {
        Shot { picture: Arc::new(Picture { width, ..Picture::default() }), captured: Instant::now() }
    }

    /// What the encoder would do next, as text.
    fn next(mailbox: &Mailbox, can_repeat: bool) -> String {
        match mailbox.lock().next_work(can_repeat) {
            Some(Work::Encode { shot, force_key }) => format!("encode {} key {force_key}", shot.picture.width),
            Some(Work::RepeatAsKey) => "repeat".to_owned(),
            Some(Work::Stop) => "stop".to_owned(),
            None => "wait".to_owned(),
        }
    }

    #[test]
    fn the_newest_picture_wins() {
        let mailbox = Mailbox::default();
        for width in 1..=3 {
            mailbox.put(shot(width));
        }
        assert_eq!(next(&mailbox, false), "encode 3 key false");
        assert_eq!(mailbox.replaced(), 2);
        mailbox.put(shot(4));
        assert_eq!(next(&mailbox, false), "encode 4 key false");
        assert_eq!(mailbox.replaced(), 2);
    }

    #[test]
    fn a_key_frame_is_asked_for_once() {
        let mailbox = Mailbox::default();
        mailbox.request_key_frame();
        mailbox.request_key_frame();
        assert_eq!(next(&mailbox, false), "wait", "there is nothing to repeat");
        mailbox.put(shot(1));
        assert_eq!(next(&mailbox, false), "encode 1 key true");
        mailbox.request_key_frame();
        assert_eq!(next(&mailbox, true), "repeat");
        assert_eq!(next(&mailbox, true), "wait");
        mailbox.put(shot(2));
        assert_eq!(next(&mailbox, true), "encode 2 key false");
    }

    #[test]
    fn stop_ends_every_wait() {
        let mailbox = Mailbox::default();
        assert!(mailbox.wait_until(Instant::now()));
        mailbox.start();
        assert!(mailbox.wait_for_start());
        mailbox.put(shot(1));
        mailbox.stop();
        assert_eq!(next(&mailbox, true), "stop");
        assert!(!mailbox.wait_for_start());
        assert!(!mailbox.wait_until(Instant::now() + Duration::from_secs(3600)));
    }
}
