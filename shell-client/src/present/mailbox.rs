//! Where the window finds the newest picture and the status. One place for one picture: a newer one takes the place
//! of one that was not fetched, so a slow window shows fewer pictures and never older ones.

use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::{ViewerStatus, lock};
use crate::decode::Pixels;

/// As many as can be on their way at once: one being decoded, one in the mailbox, one on the screen.
const SPARES_MAX: usize = 3;

/// A decoded picture and what is known of its way.
#[derive(Debug)]
#[cfg_attr(not(feature = "display"), expect(dead_code, reason = "only a window looks at all of it"))]
pub(crate) struct Picture {
    pub(crate) frame_id: u64,
    pub(crate) pixels: Pixels,
    pub(crate) captured: Option<Instant>,
    pub(crate) decoded: Instant,
}

/// What came since the last look.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) picture: Option<Picture>,
    pub(crate) status: Option<ViewerStatus>,
    /// Nothing will come any more.
    pub(crate) ended: bool,
}

#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    mail: Mail,
    spares: Vec<Pixels>,
}

impl Mailbox {
    /// Puts a picture in the place of the last one.
    pub(super) fn publish(&self, picture: Picture) {
        let mut state = lock(&self.state);
        if let Some(unseen) = state.mail.picture.replace(picture) {
            state.keep(unseen.pixels);
        }
        drop(state);
        self.wake.notify_all();
    }

    pub(super) fn set_status(&self, status: ViewerStatus) {
        lock(&self.state).mail.status = Some(status);
        self.wake.notify_all();
    }

    pub(super) fn end(&self) {
        lock(&self.state).mail.ended = true;
        self.wake.notify_all();
    }

    /// What is new, once something is or after at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Mail {
        let nothing = |state: &mut State| {
            let Mail { picture, status, ended } = &state.mail;
            picture.is_none() && status.is_none() && !ended
        };
        let (mut state, _) =
            self.wake.wait_timeout_while(lock(&self.state), timeout, nothing).unwrap_or_else(PoisonError::into_inner);
        let ended = state.mail.ended;
        core::mem::replace(&mut state.mail, Mail { ended, ..Mail::default() })
    }

    /// Memory for a picture: used before, where there is some.
    pub(super) fn spare(&self) -> Pixels {
        lock(&self.state).spares.pop().unwrap_or_default()
    }

    pub(super) fn recycle(&self, pixels: Pixels) {
        lock(&self.state).keep(pixels);
    }
}

impl State {
    fn keep(&mut self, pixels: Pixels) {
        if self.spares.len() < SPARES_MAX {
            self.spares.push(pixels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::PictureSize;

    fn picture(frame_id: u64, mut pixels: Pixels) -> Picture {
        pixels.resize(PictureSize { width: 2, height: 2 });
        Picture { frame_id, pixels, captured: None, decoded: Instant::now() }
    }

    #[test]
    fn the_newest_picture_wins_and_its_forerunner_gives_its_memory() {
        let mailbox = Mailbox::default();
        let first = picture(1, Pixels::default());
        let memory = first.pixels.words.as_ptr();
        mailbox.publish(first);
        mailbox.publish(picture(2, Pixels::default()));
        assert_eq!(mailbox.spare().words.as_ptr(), memory);
        assert_eq!(mailbox.wait(Duration::ZERO).picture.map(|picture| picture.frame_id), Some(2));
        assert!(mailbox.wait(Duration::ZERO).picture.is_none(), "a picture is fetched once");
    }

    #[test]
    fn status_and_end_are_mail_too_and_the_end_stays() {
        let mailbox = Mailbox::default();
        mailbox.set_status(ViewerStatus { state: "waiting".to_owned(), ..ViewerStatus::default() });
        assert_eq!(mailbox.wait(Duration::MAX).status.map(|status| status.state), Some("waiting".to_owned()));
        assert!(!mailbox.wait(Duration::ZERO).ended);
        mailbox.end();
        assert!(mailbox.wait(Duration::MAX).ended && mailbox.wait(Duration::MAX).ended);
    }

    #[test]
    fn spare_memory_is_bounded() {
        let mailbox = Mailbox::default();
        (0..10).for_each(|_| mailbox.recycle(Pixels::default()));
        assert_eq!(lock(&mailbox.state).spares.len(), SPARES_MAX);
    }
}
