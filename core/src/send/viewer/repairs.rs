//! What was sent of each frame to one viewer, and what is to be sent again.
//!
//! A viewer asks for numbers of symbols, not for fragments: any fresh row makes good any loss. As it repeats itself until it
//! has what it needs, each request is set against what left since the report that carries it could have seen.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::fec::Layout;
use crate::limits::{PENDING_REPAIRS_MAX, REPAIRABLE_FRAMES_MAX};
use crate::send::packetizer::Cut;
use crate::time::Timestamp;

/// Bursts of one frame that are remembered.
const BATCHES_MAX: usize = 4;

/// Packets of a frame that left together.
#[derive(Clone, Copy, Debug)]
struct Batch {
    /// Of one block; of all alike if none.
    block: Option<u8>,
    first: u64,
    last: u64,
    symbols: u16,
    at: Timestamp,
}

impl Batch {
    fn may_arrive(&self, seen: Seen) -> bool {
        self.last > seen.largest && self.at > seen.sent_after
    }

    /// Symbols in packets that the viewer had not heard of.
    fn unseen(&self, seen: Seen) -> u64 {
        let packets = self.last - self.first + 1;
        u64::from(self.symbols) * (self.last - seen.largest.max(self.first - 1)) / packets
    }

    const NONE: Self = Self { block: None, first: 0, last: 0, symbols: 0, at: Timestamp::ZERO };
}

/// A frame that was sent, in part at least.
#[derive(Debug)]
pub(super) struct SentFrame {
    pub(super) id: u64,
    pub(super) cut: Cut,
    pub(super) key: bool,
    len: usize,
    /// Rows that went along.
    pub(super) rows: u16,
    /// The next row that was never sent.
    next_row: u16,
    batches: [Batch; BATCHES_MAX],
}

/// Symbols to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) id: u64,
    pub(super) key: bool,
    pub(super) block: u8,
    pub(super) symbols: u16,
    /// Sent later, they come too late.
    pub(super) until: Timestamp,
}

/// What a report tells about the packets under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The largest packet number that the viewer had received.
    pub(super) largest: u64,
    /// Packets sent before this that it had not received are lost.
    pub(super) sent_after: Timestamp,
}

#[derive(Debug)]
pub(super) struct Repairs {
    frames: VecDeque<SentFrame>,
    pending: VecDeque<Pending>,
}

impl SentFrame {
    const fn new(id: u64, key: bool, len: usize, cut: Cut) -> Self {
        Self { id, cut, key, len, rows: 0, next_row: 0, batches: [Batch::NONE; BATCHES_MAX] }
    }

    pub(super) fn blocks(&self) -> u8 {
        Layout::new(self.cut.count).blocks()
    }

    /// Takes the next row, of whatever block, that was never sent.
    pub(super) fn take_next_row(&mut self) -> u16 {
        self.take_row(Layout::new(self.cut.count).block_of(self.next_row))
    }

    /// Takes the next row of `block` that was never sent; once all were, they begin anew.
    pub(super) fn take_row(&mut self, block: u8) -> u16 {
        let blocks = u16::from(Layout::new(self.cut.count).blocks());
        let behind = self.next_row % blocks;
        let row = self.next_row - behind + u16::from(block) + if behind > u16::from(block) { blocks } else { 0 };
        let row = if row >= Layout::new(self.cut.count).rows_max() { u16::from(block) } else { row };
        self.next_row = row + 1;
        row
    }

    /// Symbols of `block` that were asked for and may still arrive.
    fn under_way(&self, block: u8, seen: Seen) -> u16 {
        let answers = self.batches.iter().filter(|batch| batch.block == Some(block));
        let unseen = answers.filter(|batch| batch.may_arrive(seen)).map(|batch| batch.unseen(seen));
        u16::try_from(unseen.sum::<u64>()).unwrap_or(u16::MAX)
    }

    /// Of what was sent at first and may still arrive in part: the packets that had their chance, and how many of the rest
    /// there are. None if all had it, unless it `is_leaving` still.
    pub(super) fn arriving(&self, seen: Seen, is_leaving: bool) -> Option<(u64, u64, u64)> {
        let first = self.batches.iter().filter(|batch| batch.block.is_none() && batch.symbols > 0);
        let unseen = first.clone().filter(|batch| batch.may_arrive(seen)).map(|batch| batch.unseen(seen)).sum::<u64>();
        let from = first.map(|batch| batch.first).min()?;
        let last = self.batches.iter().filter(|batch| batch.block.is_none()).map(|batch| batch.last).max()?;
        (unseen > 0 || is_leaving).then_some((from, seen.largest.min(last), unseen))
    }

    /// Whether nothing of it has left in this cut.
    pub(super) fn is_cut_anew(&self) -> bool {
        self.first_packets().is_none()
    }

    /// The packet numbers of what was sent first.
    pub(super) fn first_packets(&self) -> Option<(u64, u64, Timestamp)> {
        self.batches.iter().rfind(|batch| batch.symbols > 0).map(|batch| (batch.first, batch.last, batch.at))
    }
}

impl Repairs {
    pub(super) fn new() -> Self {
        Self {
            frames: VecDeque::with_capacity(REPAIRABLE_FRAMES_MAX),
            pending: VecDeque::with_capacity(PENDING_REPAIRS_MAX),
        }
    }

    /// The frame, if it was sent lately.
    pub(super) fn sent(&mut self, id: u64) -> Option<&mut SentFrame> {
        let place = self.frames.binary_search_by_key(&id, |frame| frame.id).ok()?;
        self.frames.get_mut(place)
    }

    /// Frames that were sent lately, oldest first.
    pub(super) fn frames(&self) -> impl Iterator<Item = &SentFrame> {
        self.frames.iter()
    }

    /// A frame of `len` bytes begins to leave, or to leave once more in a finer cut.
    pub(super) fn begin(&mut self, id: u64, key: bool, len: usize, cut: Cut) {
        let new = SentFrame::new(id, key, len, cut);
        match self.frames.back_mut() {
            Some(newest) if newest.id == id => {
                if newest.cut != cut {
                    *newest = new;
                }
            }
            _ => {
                if self.frames.len() >= REPAIRABLE_FRAMES_MAX {
                    self.frames.pop_front();
                }
                self.frames.push_back(new);
            }
        }
    }

    /// Symbols may have at most `segment_max` bytes from now on. Whoever lacks something of a frame in larger ones gets all
    /// of it anew.
    pub(super) fn recut(&mut self, segment_max: usize) {
        for frame in self.frames.iter_mut().filter(|frame| frame.cut.segment > segment_max) {
            *frame = SentFrame::new(frame.id, frame.key, frame.len, Cut::new(frame.len, segment_max));
            self.pending.retain(|pending| pending.id != frame.id);
        }
    }

    /// Packets `first..=last` carried `symbols` symbols of frame `id`.
    pub(super) fn left(&mut self, now: Timestamp, id: u64, block: Option<u8>, packets: (u64, u64), symbols: u16) {
        let Some(frame) = self.sent(id) else { return };
        let (first, last) = packets;
        let newest = &mut frame.batches[0];
        if newest.symbols > 0 && newest.block == block && newest.last + 1 == first {
            *newest = Batch { last, symbols: newest.symbols + symbols, at: now, ..*newest };
            return;
        }
        frame.batches.rotate_right(1);
        frame.batches[0] = Batch { block, first, last, symbols, at: now };
    }

    /// The viewer lacks `missing` symbols of a block: if not as many are on their way, plans those, and `extra` for safety.
    pub(super) fn plan(&mut self, id: u64, block: u8, missing: u16, extra: u16, seen: Seen, until: Timestamp) {
        let Some(frame) = self.sent(id) else { return };
        let under_way = frame.under_way(block, seen);
        // What was asked for again before its answer can have come was decided upon already.
        let symbols = if under_way >= missing { 0 } else { missing + extra - under_way };
        let key = frame.key;
        let same = |pending: &Pending| pending.id == id && pending.block == block;
        if let Some(pending) = self.pending.iter_mut().find(|pending| same(pending)) {
            pending.symbols = symbols;
            pending.until = until;
        } else if symbols > 0 && self.pending.len() < PENDING_REPAIRS_MAX {
            // Key frames first, then the oldest: whatever comes later needs them.
            let place = self.pending.partition_point(|other| (!other.key, other.id) <= (!key, id));
            self.pending.insert(place, Pending { id, key, block, symbols, until });
        }
    }

    /// What to send again next. What would come too late is dropped.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Pending> {
        self.pending.retain(|pending| pending.symbols > 0 && now <= pending.until);
        self.pending.front().copied()
    }

    /// `symbols` of a block left.
    pub(super) fn done(&mut self, id: u64, block: u8, symbols: u16) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id && pending.block == block) {
            pending.symbols = pending.symbols.saturating_sub(symbols);
        }
        self.pending.retain(|pending| pending.symbols > 0);
    }

    /// Whether anything is to be sent again.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Frames before `id` are not worth sending again.
    pub(super) fn pass_over(&mut self, id: u64) {
        self.pending.retain(|pending| pending.id >= id);
    }

    /// Nothing is to be sent again.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.frames.clear();
    }
}

/// How many rounds of repair fit behind one that arrives `one_way` from now: each takes a round trip and what it takes to
/// notice a loss.
pub(super) fn rounds_left(time_left: Duration, one_way: Duration, rtt: Duration) -> u8 {
    let behind = time_left.saturating_sub(one_way);
    let round = rtt + ROUND_OVERHEAD;
    u8::try_from(behind.as_micros() / round.as_micros().max(1)).unwrap_or(u8::MAX)
}

/// Time that a round of repair takes besides the round trip: to notice, to ask and to send.
const ROUND_OVERHEAD: Duration = Duration::from_millis(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_dropped_when_its_time_is_over() {
        let ms = Timestamp::from_millis;
        let mut repairs = Repairs::new();
        let seen = Seen { largest: 0, sent_after: ms(0) };
        for id in 1..=PENDING_REPAIRS_MAX as u64 * 2 {
            repairs.begin(id, false, 900, Cut::new(900, 1_000));
            repairs.plan(id, 0, 1, 0, seen, ms(10 + id));
        }
        assert_eq!(repairs.pending.len(), PENDING_REPAIRS_MAX);
        assert_eq!(repairs.next(ms(11)).map(|pending| pending.id), Some(1));
        assert_eq!(repairs.next(ms(12)).map(|pending| pending.id), Some(2));
        assert!(repairs.next(ms(1_000)).is_none() && !repairs.is_pending());
    }
}
