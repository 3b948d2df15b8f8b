//! How viewers that lost a frame get back into the stream: what the encoder is asked for, and told.

use super::events::ServerEvent;
use super::remedy::Request;
use super::server::Server;
use super::stream::Stream;
use super::viewers::Viewers;
use crate::handshake::Handshake;
use crate::seal::Seal;
use crate::time::Timestamp;

impl<H: Handshake> Server<H> {
    /// A viewer that can be sent nothing without a way back gets one, as often as it has a right to.
    pub(super) fn want_remedy_for(&mut self, now: Timestamp, index: usize) {
        let Some(viewer) = self.viewers.get_mut(index) else { return };
        let remedy = viewer.remedy(None, &self.stream.references);
        if !self.remedies.covers(remedy) && viewer.is_remedy_needed(now) {
            self.remedies.want(now, remedy);
        }
    }

    /// Asks the encoder for what viewers want, if it is time.
    pub(super) fn ask_encoder(&mut self, now: Timestamp) {
        let Self { remedies, stream, viewers, .. } = self;
        match remedies.poll(now, || shared_reference(now, stream, viewers)) {
            Some(Request::KeyFrame) => {
                self.stats.key_frames_wanted += 1;
                self.push(ServerEvent::KeyFrameWanted);
            }
            Some(Request::Reference(reference)) => {
                self.stats.recovery_frames_wanted += 1;
                self.push(ServerEvent::ReferenceWanted { reference });
            }
            None => {}
        }
    }

    /// Somebody holds one more long-term reference, or has no say any more: tells the shell if everybody has it now. That
    /// somebody is waited for no longer is noticed with the next timeout, which is never far away.
    pub(super) fn confirm_references(&mut self, now: Timestamp) {
        if self.stream.references.newest_long_term() <= self.confirmed {
            return;
        }
        let shared = shared_reference(now, &self.stream, &self.viewers);
        if let Some(reference) = shared
            && shared > self.confirmed
        {
            self.confirmed = shared;
            self.push(ServerEvent::ReferenceShared { reference });
        }
    }
}

/// The newest long-term reference that every viewer with a say has decoded.
fn shared_reference<S: Seal>(now: Timestamp, stream: &Stream, viewers: &Viewers<S>) -> Option<u64> {
    let mut references = stream.references.long_term();
    let shared = references.find(|(reference, made)| {
        viewers.iter().all(|viewer| viewer.holds(*reference) || !viewer.has_a_say(now, *reference, *made))
    });
    shared.map(|(reference, _)| reference)
}
