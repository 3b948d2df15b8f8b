//! The bottleneck: a byte queue that is emptied at a bit rate.

use std::collections::VecDeque;

use core::time::Duration;
use nalcast_core::Timestamp;

const MICROS_PER_SECOND: u128 = 1_000_000;

/// Datagrams that wait for the wire; the front one is on its way out.
#[derive(Debug)]
pub(super) struct Bottleneck<T> {
    waiting: VecDeque<(usize, T)>,
    bytes: usize,
    rate_bps: u64,
    /// When the front datagram has left: whole microseconds, and the rest in parts of `rate_bps`. The rest is
    /// carried from one datagram to the next, so that a busy queue keeps its rate exactly.
    done: Timestamp,
    done_fraction: u64,
}

impl<T> Bottleneck<T> {
    pub(super) const fn new(rate_bps: u64) -> Self {
        Self { waiting: VecDeque::new(), bytes: 0, rate_bps, done: Timestamp::ZERO, done_fraction: 0 }
    }

    /// Bytes that have not left yet, the datagram on its way out included.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Changes the rate; the datagram on its way out still leaves at the old one.
    pub(super) fn set_rate(&mut self, rate_bps: u64) {
        if rate_bps != self.rate_bps {
            self.done = self.departure();
            self.done_fraction = 0;
            self.rate_bps = rate_bps;
        }
    }

    pub(super) fn push(&mut self, now: Timestamp, len: usize, item: T) {
        if self.waiting.is_empty() {
            self.done = now;
            self.done_fraction = 0;
            self.serialize(len);
        }
        self.bytes += len;
        self.waiting.push_back((len, item));
    }

    /// The next datagram that has left by `now`, and when it did.
    pub(super) fn poll_departure(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        let departure = self.poll_timeout().filter(|departure| *departure <= now)?;
        let (len, item) = self.waiting.pop_front()?;
        self.bytes -= len;
        if let Some((next_len, _)) = self.waiting.front() {
            self.serialize(*next_len);
        }
        Some((departure, item))
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then(|| self.departure())
    }

    /// Moves `done` on by the time that `len` bytes take.
    fn serialize(&mut self, len: usize) {
        if self.rate_bps == 0 {
            return;
        }
        let rate = u128::from(self.rate_bps);
        let parts = u128::from(self.done_fraction) + len as u128 * 8 * MICROS_PER_SECOND;
        let whole = u64::try_from(parts / rate).unwrap_or(u64::MAX);
        self.done += Duration::from_micros(whole);
        self.done_fraction = (parts % rate) as u64;
    }

    /// A datagram has left when its last bit has: a started microsecond counts.
    fn departure(&self) -> Timestamp {
        self.done + Duration::from_micros(u64::from(self.done_fraction != 0))
    }
}
