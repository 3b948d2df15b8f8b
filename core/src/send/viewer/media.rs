//! Frames on their way to one viewer: what it asked for first, then what is new, and the tail until it is known to be there.

use core::time::Duration;

use super::Viewer;
use super::late_rows::delay_within;
use super::repairs::{Pending, Seen, rounds_left};
use super::way_back::WayBack;
use crate::fec::Layout;
use crate::limits::{
    BURST_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX, FEEDBACK_MEDIA_PERIOD, FEEDBACK_SPACING_MIN, HEARTBEAT_PERIOD,
    REPAIR_PERIOD_MAX,
};
use crate::seal::Seal;
use crate::send::congestion::Congestion;
use crate::send::frame_buffer::Frame;
use crate::send::pacer::{PACING_RATE_QUICK, Rate};
use crate::send::packetizer::{Cut, Mark};
use crate::send::redundancy::{rows_for_bursts, rows_max};
use crate::send::state::ViewerState;
use crate::send::stream::Stream;
use crate::time::Timestamp;
use crate::transmit::Transmit;
use crate::wire::media::FRAGMENT_HEADER_BYTES;

/// A frame of which nothing is known to have come: one more symbol of it is sent now and then, as a viewer cannot ask for
/// what it has not heard of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    id: u64,
    /// Its packets, as far as they are known.
    first: u64,
    last: u64,
    since: Timestamp,
    next: Timestamp,
    pause: Duration,
}

/// Frames that are watched over: with more under way, later ones tell of the earlier.
pub(super) const TAILS_MAX: usize = 8;
/// A frame of more fragments is hardly lost as a whole: acknowledgements are, and they come again with the next frame.
const TAIL_FRAGMENTS_MAX: u16 = 2;
/// Repetitions come this close together at first, once a second when that has not helped.
const TAIL_PAUSE_MAX: Duration = Duration::from_millis(100);
const TAIL_QUICK_PERIOD: Duration = Duration::from_secs(2);
const TAIL_SLOW_PAUSE: Duration = Duration::from_secs(1);
/// Bursts of this share of a frame's fragments, in hundredths, take whole frames.
const WHOLE_BURST_SHARE: u32 = 40;
/// A path that was too slow, and not full for so long, is tried again.
const RETRY_PERIOD: Duration = Duration::from_secs(5);
/// The way back may fail alone: while nothing is heard, the rate is lowered no faster than in steps of this length.
const SILENCE_STEP_MIN: Duration = Duration::from_millis(250);
/// A viewer that did not say how late it shows frames.
const BUDGET_USUAL: Duration = Duration::from_millis(150);

/// Chance of a miss that rows against bursts aim at.
const MISS_PPM: u32 = 1_000;
const MISS_PPM_KEY: u32 = 500;
/// Losses that are independent of each other look like bursts of this length, in hundredths.
const BURST_HUNDREDTHS_ALONE: u32 = 150;

/// A burst of one frame's packets being written.
pub(super) struct Burst {
    pub(super) len: usize,
    segment_size: Option<usize>,
    pub(super) packets: Option<(u64, u64)>,
    pub(super) symbols: u16,
}

/// A frame as the pacer sees it: rows go along within the time that is the frame's.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) frame_len: usize,
    pub(super) fragments: u16,
    pub(super) rows: u16,
    /// It is sent again, ahead of what is new, which it should not hold up.
    pub(super) repairs: bool,
    pub(super) key: bool,
}

impl Burst {
    pub(super) const EMPTY: Self = Self { len: 0, segment_size: None, packets: None, symbols: 0 };

    pub(super) fn add(&mut self, number: u64, len: usize) {
        self.len += len;
        self.segment_size.get_or_insert(len);
        self.packets = Some((self.packets.map_or(number, |(first, _)| first), number));
        self.symbols += 1;
    }
}

impl<S: Seal> Viewer<S> {
    pub(super) fn media_due(&self) -> Option<Timestamp> {
        let media = (!self.queue.is_empty()).then_some(Timestamp::ZERO);
        let repair = self.repairs.is_pending().then(|| self.credit.due(DATAGRAM_BYTES_MAX as u64));
        let due = [media, repair, self.late.due()].into_iter().flatten().min()?;
        (self.state == ViewerState::Live).then_some(due.max(self.pacer.next()))
    }

    pub(super) fn tail_due(&self) -> Option<Timestamp> {
        let waits = self.queue.is_empty() && !self.wishes.is_paused();
        let due = self.tails.iter().map(|tail| tail.next).min();
        due.filter(|_| self.state == ViewerState::Live && waits).map(|due| due.max(self.pacer.next()))
    }

    /// Forgets the frames of which the viewer has something, or that it no longer waits for.
    pub(super) fn watch_tails(&mut self, waiting_for: u64) {
        let Self { tails, sent, .. } = self;
        let newest = tails.back().map(|tail| tail.id);
        tails.retain(|tail| {
            let heard_of = if Some(tail.id) == newest {
                // Its end has to come, too: nothing behind it would tell that it is missing.
                sent.largest_acked() >= tail.last
            } else {
                sent.received_among(tail.first, tail.last) > 0
            };
            tail.id >= waiting_for && !heard_of
        });
    }

    /// What the viewer asked for.
    pub(super) fn poll_repair(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        let due = self.pacer.next().max(self.credit.due(DATAGRAM_BYTES_MAX as u64));
        if self.state != ViewerState::Live || now < due {
            return None;
        }
        loop {
            let pending = self.repairs.next(now)?;
            if let Some(frame) = stream.buffer.get(pending.id).filter(|_| self.repairs.sent(pending.id).is_some()) {
                return self.write_rows(now, stream, frame, pending, buf);
            }
            self.repairs.done(pending.id, pending.block, pending.symbols);
        }
    }

    /// One more row of a frame of which nothing is known to have come, or all of it.
    pub(super) fn poll_tail(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        while self.tail_due().is_some_and(|due| now >= due) {
            let at = self.tails.iter().position(|tail| tail.next <= now)?;
            let id = self.tails.get(at)?.id;
            if self.plan_lost_frame(now, stream, id) {
                // The newest one is watched on: nothing behind it would tell that this is lost, too.
                let pause = self.sent.rtt().timeout();
                if at + 1 < self.tails.len() {
                    self.tails.remove(at);
                } else if let Some(tail) = self.tails.get_mut(at) {
                    tail.next = now + pause;
                }
                if let Some(transmit) = self.poll_repair(now, stream, buf) {
                    return Some(transmit);
                }
                continue;
            }
            let known = stream.buffer.get(id).zip(self.repairs.sent(id).map(|sent| sent.blocks()));
            // Of all but the newest once: when nothing is heard at all, it is not for one frame's loss.
            if at + 1 < self.tails.len() || known.is_none() {
                self.tails.remove(at);
            } else if let Some(tail) = self.tails.get_mut(at) {
                let slow = now >= tail.since + TAIL_QUICK_PERIOD;
                tail.pause = if slow { TAIL_SLOW_PAUSE } else { (tail.pause * 2).min(TAIL_PAUSE_MAX) };
                tail.next = now + tail.pause;
            }
            if let Some((frame, blocks)) = known {
                let block = u8::try_from(self.sent.newest() % u64::from(blocks)).unwrap_or_default();
                let pending = Pending { id, key: frame.key, block, symbols: 1, until: now };
                return self.write_rows(now, stream, frame, pending, buf);
            }
        }
        None
    }

    /// On a path whose bursts take whole frames, one of which nothing was acknowledged is sent again while that is in
    /// time: the viewer would ask for it only when it hears of it.
    fn plan_lost_frame(&mut self, now: Timestamp, stream: &Stream, id: u64) -> bool {
        let burst = self.sent.loss().burst_hundredths();
        let rtt = self.sent.rtt().smallest_or_initial();
        let budget = self.wishes.budget().unwrap_or(BUDGET_USUAL);
        let Some(until) = stream.captured_at(id).map(|at| (at + budget).saturating_sub(rtt / 2)) else { return false };
        let Some(count) = self.repairs.sent(id).map(|sent| sent.cut.count) else { return false };
        if burst < u32::from(count) * WHOLE_BURST_SHARE || now >= until || self.congestion.is_delay_rising() {
            return false;
        }
        let layout = Layout::new(count);
        let seen = Seen { largest: self.sent.largest_acked(), sent_after: now };
        for block in 0..layout.blocks() {
            let missing = layout.size_of(block);
            let extra = self.extra_rows(true, 0, missing, count);
            self.repairs.plan(id, block, missing, extra, seen, until);
        }
        true
    }

    /// How soon a frame of `count` fragments is missed of which nothing was acknowledged.
    fn tail_pause(&self, count: u16) -> Duration {
        let timeout = self.sent.rtt().timeout();
        let is_small = count <= TAIL_FRAGMENTS_MAX;
        let may_be_lost = self.sent.loss().burst_hundredths() >= u32::from(count) * WHOLE_BURST_SHARE;
        if is_small || may_be_lost { timeout } else { timeout.max(TAIL_PAUSE_MAX) }
    }

    fn write_rows(
        &mut self,
        now: Timestamp,
        stream: &Stream,
        frame: &Frame,
        pending: Pending,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let Self { repairs, channel, sent, .. } = self;
        let record = repairs.sent(pending.id)?;
        let cut = record.cut;
        let mut burst = Burst::EMPTY;
        let symbols = pending.symbols.min(u16::try_from(BURST_DATAGRAMS_MAX).unwrap_or(u16::MAX));
        while burst.symbols < symbols {
            let row = record.take_row(pending.block);
            let mark = Mark { end: burst.symbols + 1 == pending.symbols, repair: true };
            let room = buf.get_mut(burst.len..).unwrap_or_default();
            let Some((number, len)) = channel.seal(None, room, |w| cut.write_row(frame, row, mark, w)) else { break };
            sent.record(now, number, len);
            burst.add(number, len);
        }
        let packets = burst.packets?;
        let pause = self.sent.rtt().timeout();
        if let Some(tail) = self.tails.iter_mut().find(|tail| tail.id == pending.id) {
            tail.last = packets.1;
            tail.next = tail.next.max(now + pause);
        }
        self.repairs.left(now, pending.id, Some(pending.block), packets, burst.symbols);
        self.repairs.done(pending.id, pending.block, burst.symbols);
        self.credit.spend(now, burst.len as u64);
        self.traffic.repair_bytes += burst.len as u64;
        self.traffic.repair_packets += u64::from(burst.symbols);
        let load = Load { frame_len: frame.len(), fragments: cut.count, rows: 0, repairs: true, key: false };
        self.finish(now, stream, load, &burst)
    }

    /// The frame whose turn it is, and the rows that go along.
    pub(super) fn poll_media(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        if now < self.pacer.next() || self.state != ViewerState::Live {
            return None;
        }
        let cut = self.begin(now, stream)?;
        // Acknowledgements of what is not a frame's end take a little longer.
        let timeout = self.sent.rtt().timeout() + FEEDBACK_MEDIA_PERIOD + FEEDBACK_SPACING_MIN;
        let Self { queue, repairs, channel, sent, mtu, .. } = self;
        let queued = queue.front_mut()?;
        let id = queued.frame.id;
        let record = repairs.sent(id)?;
        let mut burst = Burst::EMPTY;
        let (mut parity_bytes, mut parity_packets) = (0, 0);
        while usize::from(burst.symbols) < BURST_DATAGRAMS_MAX && !queued.is_sent(cut) {
            let room = buf.get_mut(burst.len..).unwrap_or_default();
            let row = queued.fragment(cut).is_none().then(|| record.take_next_row());
            let end = queued.next + 1 == cut.count + queued.rows;
            let sealed = channel.seal(None, room, |w| match (row, queued.fragment(cut)) {
                (None, Some(index)) => cut.write_fragment(&queued.frame, index, end, w),
                (row, _) => cut.write_row(&queued.frame, row.unwrap_or_default(), Mark { end, repair: false }, w),
            });
            let Some((number, len)) = sealed else { break };
            sent.record(now, number, len);
            mtu.sent(now, len, timeout);
            burst.add(number, len);
            queued.next += 1;
            if row.is_some() {
                parity_bytes += len as u64;
                parity_packets += 1;
            }
        }
        let packets = burst.packets?;
        let (finished, key, long_term) = (queued.is_sent(cut), queued.frame.key, queued.frame.place.long_term);
        let load = Load { frame_len: queued.frame.len(), fragments: cut.count, rows: queued.rows, repairs: false, key };
        self.repairs.left(now, id, None, packets, burst.symbols);
        self.traffic.parity_bytes += parity_bytes;
        self.traffic.parity_packets += parity_packets;
        self.traffic.media_bytes += burst.len as u64 - parity_bytes;
        self.credit.spend_on_parity(now, parity_bytes);
        if finished {
            let leads_back = key || long_term.is_some_and(|reference| self.held.contains(reference));
            self.last_way_back = if leads_back { Some(WayBack { id, key, sent: now }) } else { self.last_way_back };
            self.finish_frame(now, id, cut);
        }
        self.finish(now, stream, load, &burst)
    }

    /// How the frame in front is cut. When it begins to leave, that is decided, and how many rows go along.
    fn begin(&mut self, now: Timestamp, stream: &Stream) -> Option<Cut> {
        let segment_max = self.mtu.get() - self.channel.overhead() - FRAGMENT_HEADER_BYTES;
        let queued = self.queue.front_mut()?;
        let cut = queued.cut(segment_max);
        if queued.next > 0 {
            return Some(cut);
        }
        let (id, key, len) = (queued.frame.id, queued.frame.key, queued.frame.len());
        let long_term = queued.frame.place.long_term;
        let leads_back = key || long_term.is_some_and(|reference| self.held.contains(reference));
        // Who gets a way back now and then shows no more than that its path carries those: it is tried with everything.
        if leads_back && self.is_behind && now >= self.full_at + RETRY_PERIOD {
            self.is_behind = false;
            self.congestion = Congestion::new(now);
        }
        // A path that has shown no limit is not suspected of one because its way back fails.
        if self.congestion.estimate().is_some() {
            let timeout = self.sent.rtt().timeout().max(SILENCE_STEP_MIN);
            self.congestion.silent(now.saturating_since(self.last_heard), timeout);
        }
        self.credit.follow(now, stream.source_rate(), self.congestion.is_delay_rising());
        let (rows, delay) = self.parity_rows(now, stream, id, key, len, cut);
        let at_once = if delay.is_zero() || !self.late.has_room() { rows } else { 0 };
        self.queue.front_mut()?.rows = at_once;
        self.late.add(id, rows - at_once, now + delay);
        self.repairs.begin(id, key, len, cut);
        if let Some(sent) = self.repairs.sent(id) {
            sent.rows = rows;
        }
        Some(cut)
    }

    /// How many rows are sent ahead of any loss of a frame that begins to leave now, and how much later than it.
    fn parity_rows(
        &self,
        now: Timestamp,
        stream: &Stream,
        id: u64,
        key: bool,
        len: usize,
        cut: Cut,
    ) -> (u16, Duration) {
        let rtt = self.sent.rtt().smallest_or_initial();
        let budget = self.wishes.budget().unwrap_or(BUDGET_USUAL);
        let age = stream.captured_at(id).map_or(Duration::ZERO, |captured| now.saturating_since(captured));
        let rate = self.pacer.rate(len, stream.source_rate(), stream.frame_interval());
        let left = budget.saturating_sub(age + rate.time_for(len));
        let one_way = rtt / 2;
        // A queue that builds up is no reason to send more, be it in the path or here.
        let waited = self.queue.front().map_or(Duration::ZERO, |queued| queued.waited(now));
        if self.congestion.is_delay_rising() || waited > stream.patience().age_max / 2 {
            return (0, Duration::ZERO);
        }
        // Until the first frame is there nothing is known of the path, and everything depends on it.
        let rounds = if self.last_decoded.is_some() { rounds_left(left, one_way, rtt) } else { 0 };
        let blocks = u16::from(Layout::new(cut.count).blocks());
        let size = cut.count.div_ceil(blocks);
        let (loss, burst) = (self.sent.loss().ppm(), self.sent.loss().burst_hundredths());
        // With one more round to come, what a short burst takes of it counts, too.
        let short = burst > BURST_HUNDREDTHS_ALONE && burst < u32::from(size) * WHOLE_BURST_SHARE;
        let alone = self.extra_rows(rounds == 1 && short, rounds, size, cut.count);
        let delay = delay_within(left.saturating_sub(one_way));
        // Rows that leave with the frame are no help against bursts that take most of it.
        let share = if delay.is_zero() { 50 } else { 75 };
        let can_help = burst < u32::from(size) * share;
        let in_bursts = rounds == 0 && burst > BURST_HUNDREDTHS_ALONE && can_help;
        let target = if key { MISS_PPM_KEY } else { MISS_PPM };
        let rows = if in_bursts { alone.max(rows_for_bursts(size, loss, burst, target)) } else { alone };
        let floor = u16::from(key && rounds == 0);
        let delay = if in_bursts { delay } else { Duration::ZERO };
        (rows.min(rows_max(size)).max(floor) * blocks, delay)
    }

    fn finish_frame(&mut self, now: Timestamp, id: u64, cut: Cut) {
        self.queue.pop();
        self.pacer.queue_holds(self.queue.bytes());
        self.frames_sent += 1;
        self.heartbeat_at = now + HEARTBEAT_PERIOD;
        let pause = self.tail_pause(cut.count);
        let packets = self.repairs.sent(id).and_then(|sent| sent.first_packets());
        let (first, last) = packets.map_or((0, 0), |(first, last, _)| (first, last));
        if self.tails.len() == TAILS_MAX {
            self.tails.pop_front();
        }
        self.tails.push_back(Tail { id, first, last, since: now, next: now + pause, pause });
    }

    pub(super) fn finish(&mut self, now: Timestamp, stream: &Stream, load: Load, burst: &Burst) -> Option<Transmit> {
        if burst.len == 0 {
            return None;
        }
        let rate = self.pacer.rate(load.frame_len, stream.source_rate(), stream.frame_interval());
        let rate = rate.times(load.fragments + load.rows, load.fragments);
        let rate = self.wishes.limit(if load.repairs { rate.max(PACING_RATE_QUICK) } else { rate });
        let limit = self.congestion.pacing().map(|limit| {
            // A picture that takes longer than a repair may is no use: a path that cannot carry one in time is tried again.
            let tried = load.key && !self.congestion.is_delay_rising();
            if tried { limit.max(Rate::over(load.frame_len, REPAIR_PERIOD_MAX * 3 / 4)) } else { limit }
        });
        let rate = limit.map_or(rate, |limit| rate.min(limit));
        self.congestion.sent(now, burst.len);
        self.pacer.sent(now, burst.len, rate);
        let segment_size = burst.segment_size.filter(|size| *size < burst.len);
        Some(Transmit { destination: self.address, len: burst.len, segment_size })
    }
}
