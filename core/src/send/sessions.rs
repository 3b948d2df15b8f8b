//! What viewers say over their sessions, and what follows from it.

use core::net::SocketAddr;

use super::events::{LeaveReason, ServerEvent};
use super::frame_buffer::Frame;
use super::server::Server;
use super::state::{ViewerInput, ViewerState};
use super::viewer::Viewer;
use crate::handshake::Handshake;
use crate::limits::CATCH_UP_BYTES_MAX;
use crate::seal::OpenError;
use crate::time::Timestamp;
use crate::wire::control::{Control, Messages};
use crate::wire::feedback::Feedback;
use crate::wire::sealed::Header;
use crate::wire::{CloseCode, Reader, frame_id_full};

impl<H: Handshake> Server<H> {
    /// Whether a sealed datagram belonged to a session and made sense.
    pub(super) fn handle_sealed(&mut self, now: Timestamp, from: SocketAddr, datagram: &mut [u8]) -> bool {
        let Ok(header) = Header::read(&mut Reader::new(datagram)) else { return false };
        let index = self.session_of(from, &header);
        let Some((index, viewer)) = index.and_then(|index| Some((index, self.viewers.get_mut(index)?))) else {
            self.stats.datagrams_unknown += 1;
            return false;
        };
        let (number, plaintext) = match viewer.channel.open(datagram) {
            Ok(opened) => opened,
            Err(error) => {
                self.stats.datagrams_forged += u64::from(error == OpenError::Forged);
                self.stats.datagrams_replayed += u64::from(error == OpenError::Replayed);
                return false;
            }
        };
        viewer.hear(now);
        viewer.heard_from(now, from, number, datagram.len(), &mut self.door.secrets);
        if viewer.address != from {
            self.stats.unproven_bytes_received += datagram.len() as u64;
        }
        self.revive(now, index);
        let mut understood = true;
        for message in Messages::new(datagram.get(plaintext).unwrap_or_default()) {
            let Ok(message) = message else {
                understood = false;
                break;
            };
            understood &= self.handle_message(now, from, index, message);
        }
        self.viewers.reschedule(index, &self.stream);
        self.follow_paths(now);
        if self.ending.is_some() {
            self.drain(now);
        }
        understood
    }

    /// Tells the encoder what the paths carry, if that has changed.
    fn follow_paths(&mut self, now: Timestamp) {
        if !self.target.is_due(now) {
            return;
        }
        let live = self.viewers.iter().filter(|viewer| viewer.state == ViewerState::Live);
        if let Some(wanted) = self.target.follow(now, live.map(Viewer::target)) {
            self.push(ServerEvent::BitrateWanted(wanted.map(|rate| rate.0 * 8)));
        }
    }

    /// The session that a datagram names. A viewer that was let in may come from a new address, one that was not has to
    /// speak from where its cookie went first.
    fn session_of(&mut self, from: SocketAddr, header: &Header) -> Option<usize> {
        let index = self.viewers.find(header.connection_id?)?;
        let viewer = self.viewers.get_mut(index)?;
        (viewer.address == from || viewer.state != ViewerState::HalfOpen).then_some(index)
    }

    fn handle_message(&mut self, now: Timestamp, from: SocketAddr, index: usize, message: Control<'_>) -> bool {
        let Some(viewer) = self.viewers.get_mut(index) else { return true };
        match message {
            Control::Ping { id, sent_us } => viewer.handle_ping(now, id, sent_us),
            Control::Feedback(body) => {
                let Ok(report) = Feedback::parse(body) else { return false };
                let holds_more = viewer.handle_feedback(now, &report, &self.stream);
                let stuck = report.recover.filter(|_| viewer.state == ViewerState::Live);
                if let Some(recover) = stuck {
                    let first_bad = frame_id_full(self.stream.newest_frame(), recover.first_bad);
                    let remedy = viewer.remedy(Some(first_bad), &self.stream.references);
                    if !self.remedies.covers(remedy) && viewer.is_remedy_due(now, first_bad) {
                        self.remedies.want(now, remedy);
                    }
                }
                if holds_more {
                    self.confirm_references(now);
                }
            }
            Control::Wish(wish) => {
                if viewer.handle_wish(wish) && viewer.state == ViewerState::Live {
                    self.catch_up(now, index);
                }
                self.confirm_references(now);
            }
            Control::Close(_) => {
                if viewer.state == ViewerState::Closing {
                    self.remove_closed(index, ViewerInput::Closed);
                } else {
                    self.remove(index, ViewerInput::Left, Some(LeaveReason::Left));
                }
            }
            Control::PathResponse(answer) => {
                if let Some(before) = viewer.handle_path_response(now, from, answer) {
                    let id = viewer.id;
                    viewer.give_token(now, self.door.tokens.make(now, from.ip()));
                    self.stats.viewers_moved += 1;
                    self.push(ServerEvent::ViewerMoved { viewer: id, from: before, to: from });
                }
            }
            // Of no meaning to a server, or of a later version.
            Control::Pad(_)
            | Control::Pong { .. }
            | Control::Config(_)
            | Control::Skip { .. }
            | Control::PathChallenge(_)
            | Control::Token(_)
            | Control::WishHeard(_)
            | Control::Heartbeat { .. }
            | Control::Unknown(_) => {}
        }
        true
    }

    /// A viewer spoke: for the first time, or again after a silence.
    fn revive(&mut self, now: Timestamp, index: usize) {
        let Some(viewer) = self.viewers.get_mut(index) else { return };
        let (id, address) = (viewer.id, viewer.address);
        match viewer.step(ViewerInput::Heard) {
            ViewerState::HalfOpen => {
                let replaced = self.viewers.iter().find(|other| other.address == address && other.id < id);
                if let Some(old) = replaced.and_then(|old| self.viewers.find(old.connection_id)) {
                    self.replace(old);
                }
                // Several may have been let in while there was room for one.
                let joined = self.viewers.iter().filter(|viewer| viewer.state.is_joined()).count();
                let Some(viewer) = self.viewers.get_mut(index) else { return };
                if joined > self.config.viewers_max {
                    self.stats.viewers_refused += 1;
                    return viewer.close(now, CloseCode::Full);
                }
                viewer.has_joined = true;
                viewer.give_token(now, self.door.tokens.make(now, address.ip()));
                self.stats.viewers_joined += 1;
                self.push(ServerEvent::ViewerJoined { viewer: id, address });
                self.catch_up(now, index);
            }
            ViewerState::Stalled => self.catch_up(now, index),
            ViewerState::Live | ViewerState::Closing | ViewerState::Gone => {}
        }
    }

    fn replace(&mut self, index: usize) {
        let input = match self.viewers.get_mut(index).map(|viewer| viewer.state) {
            Some(ViewerState::HalfOpen) => ViewerInput::Expired,
            _ => ViewerInput::Left,
        };
        self.remove(index, input, Some(LeaveReason::Replaced));
    }

    /// Gives a viewer its picture at once from the global buffer, if that costs little more than the key frame
    /// that all the others would have to take otherwise.
    fn catch_up(&mut self, now: Timestamp, index: usize) {
        let Some(viewer) = self.viewers.get_mut(index) else { return };
        let key = self.stream.buffer.key().filter(|key| viewer.can_begin_with(key.id));
        let Some(key) = key else { return self.want_remedy_for(now, index) };
        let chain_bytes: usize = self.stream.buffer.chain().map(Frame::len).sum();
        let bytes_max = if self.remedies.is_possible() { key.len() * 3 / 2 } else { CATCH_UP_BYTES_MAX };
        if chain_bytes > bytes_max {
            return self.want_remedy_for(now, index);
        }
        for frame in self.stream.buffer.chain() {
            viewer.offer(now, frame, &self.stream);
        }
        self.stats.joins_from_cache += 1;
    }
}
