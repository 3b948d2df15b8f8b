//! The table of subscriptions, and how they are found.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::schedule::Schedule;
use super::state::ViewerState;
use super::stream::Stream;
use super::viewer::{Traffic, Viewer};
use crate::seal::Seal;
use crate::wire::long::ClientNonce;

/// Subscriptions by table index; indices are used again, ids never.
#[derive(Debug)]
pub(super) struct Viewers<S> {
    slots: Vec<Option<Viewer<S>>>,
    free: Vec<usize>,
    by_connection_id: BTreeMap<u32, usize>,
    /// When each has something to send.
    pub(super) transmits: Schedule,
    /// When each changes its state by itself.
    pub(super) timeouts: Schedule,
    /// What was sent to those who are gone, by its purpose.
    gone: Traffic,
    /// Of that: packets whose fate became known, and how many of them were lost.
    gone_judged: (u64, u64),
}

impl<S: Seal> Viewers<S> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_connection_id: BTreeMap::new(),
            transmits: Schedule::default(),
            timeouts: Schedule::default(),
            gone: Traffic::default(),
            gone_judged: (0, 0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_connection_id.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_connection_id.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Viewer<S>> {
        self.slots.iter().flatten()
    }

    /// The indices in use now.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> + use<S> {
        let used: Vec<usize> = self.by_connection_id.values().copied().collect();
        used.into_iter()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Viewer<S>> {
        self.slots.get_mut(index)?.as_mut()
    }

    pub(super) fn find(&self, connection_id: u32) -> Option<usize> {
        self.by_connection_id.get(&connection_id).copied()
    }

    /// The session that an INIT with this nonce already opened.
    pub(super) fn find_attempt(&mut self, address: SocketAddr, nonce: &ClientNonce) -> Option<&mut Viewer<S>> {
        self.slots.iter_mut().flatten().find(|viewer| viewer.address == address && viewer.nonce == *nonce)
    }

    /// How many handshakes are half-open in all and from the host of `address`.
    pub(super) fn half_open(&self, address: SocketAddr) -> (usize, usize) {
        let half_open = || self.iter().filter(|viewer| viewer.state == ViewerState::HalfOpen);
        (half_open().count(), half_open().filter(|viewer| viewer.address.ip() == address.ip()).count())
    }

    /// The oldest half-open handshake that `which` holds for.
    pub(super) fn oldest_half_open(&self, which: impl Fn(&Viewer<S>) -> bool) -> Option<usize> {
        let half_open = self.iter().filter(|viewer| viewer.state == ViewerState::HalfOpen && which(viewer));
        half_open.min_by_key(|viewer| viewer.id).and_then(|viewer| self.find(viewer.connection_id))
    }

    pub(super) fn insert(&mut self, viewer: Viewer<S>) -> usize {
        let index = self.free.pop().unwrap_or(self.slots.len());
        self.by_connection_id.insert(viewer.connection_id, index);
        if index == self.slots.len() {
            self.slots.push(Some(viewer));
        } else if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(viewer);
        }
        index
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Viewer<S>> {
        let viewer = self.slots.get_mut(index)?.take()?;
        self.by_connection_id.remove(&viewer.connection_id);
        self.transmits.set(index, None);
        self.timeouts.set(index, None);
        self.free.push(index);
        self.gone += viewer.traffic;
        self.gone_judged = added(self.gone_judged, viewer.sent.judged());
        Some(viewer)
    }

    /// What was sent to all there ever were, by its purpose.
    pub(super) fn traffic(&self) -> Traffic {
        let mut sum = self.gone;
        self.iter().for_each(|viewer| sum += viewer.traffic);
        sum
    }

    /// Packets whose fate is known, and how many of them were lost, of all there ever were.
    pub(super) fn judged(&self) -> (u64, u64) {
        self.iter().fold(self.gone_judged, |sum, viewer| added(sum, viewer.sent.judged()))
    }

    /// Reads a viewer's deadlines anew, after anything happened to it.
    pub(super) fn reschedule(&mut self, index: usize, stream: &Stream) {
        let Some(viewer) = self.slots.get(index).and_then(Option::as_ref) else { return };
        let (transmit, (timeout, _)) = (viewer.transmit_due(stream), viewer.timeout());
        self.transmits.set(index, transmit);
        self.timeouts.set(index, Some(timeout));
    }
}

const fn added(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0 + other.0, one.1 + other.1)
}
