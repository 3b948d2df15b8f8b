//! What a viewer's reports say: what came, what is missing, what to do about it.

use core::time::Duration;

use super::Viewer;
use super::repairs::{Seen, rounds_left};
use crate::fec::Layout;
use crate::seal::Seal;
use crate::send::congestion::Congestion;
use crate::send::queue::Queued;
use crate::send::redundancy::{Round, request_loss_ppm, rows_max};
use crate::send::sent::Packet;
use crate::send::state::ViewerState;
use crate::send::stream::Stream;
use crate::time::Timestamp;
use crate::wire::feedback::{Feedback, Need, RecoverKind, SLACK_UNIT, TIME_UNIT_US, WHOLE_FRAME};
use crate::wire::media::FRAGMENT_HEADER_BYTES;
use crate::wire::{expand, frame_id_full};

/// A repair waits for its turn for so long even if it was asked for in the last moment.
const REPAIR_LATENESS: Duration = Duration::from_millis(10);

/// The most that bursts add to the loss of repairs.
const LOSS_PPM_AT_RISK_MAX: u32 = 400_000;
/// How often a viewer asks in time for a round: what is new is said twice.
const REQUESTS_PER_ROUND: u32 = 2;

impl<S: Seal> Viewer<S> {
    /// Takes a report in; whether the viewer turned out to hold one more long-term reference.
    pub(in crate::send) fn handle_feedback(&mut self, now: Timestamp, report: &Feedback<'_>, stream: &Stream) -> bool {
        let newest_frame = stream.newest_frame();
        let largest = expand(self.channel.last_number(), u64::from(report.largest), 32);
        if largest <= self.channel.last_number() && largest > 0 {
            self.hear_acks(now, report, largest);
        }
        self.config_heard = report.config_epoch;
        let mut holds_more = false;
        if let Some(recover) = report.recover.filter(|recover| recover.kind == RecoverKind::Key) {
            self.held.forget(frame_id_full(newest_frame, recover.first_bad).min(newest_frame));
        }
        if let Some(low) = report.last_decoded {
            let decoded = Some(frame_id_full(newest_frame, low)).filter(|id| *id <= newest_frame);
            if decoded > self.last_decoded {
                self.last_decoded = decoded;
                holds_more = decoded.is_some_and(|id| self.held.decoded(id, &stream.references));
                let captured = decoded.and_then(|id| stream.captured_at(id));
                self.capture_to_report = captured.map(|at| now - at).or(self.capture_to_report);
            }
        }
        if self.last_decoded.is_some() {
            self.skips.heard(frame_id_full(newest_frame, report.waiting_for));
        }
        // Who knows of no frame waits for none.
        let knows = self.last_decoded.is_some() || report.waiting_for > 0;
        let waiting_for = if knows { frame_id_full(newest_frame, report.waiting_for) } else { 0 };
        self.watch_tails(waiting_for);
        if self.state == ViewerState::Live && !self.wishes.is_paused() {
            let seen = Seen { largest, sent_after: now.saturating_sub(self.sent.rtt().report_reach()) };
            // Who cannot go on waits for the way back: what it lacks of the frames before would only delay that.
            self.is_stuck = report.recover.is_some();
            let way_back = if self.is_stuck { self.newest_way_back() } else { 0 };
            for need in report.needs.iter() {
                if frame_id_full(stream.newest_frame(), need.frame) >= way_back {
                    self.hear_need(now, need, seen, stream);
                }
            }
            self.watch_start(now, seen, waiting_for);
        }
        holds_more
    }

    /// Which packets came, and when.
    fn hear_acks(&mut self, now: Timestamp, report: &Feedback<'_>, largest: u64) {
        self.channel.acknowledge(largest);
        let delay = Duration::from_micros(u64::from(report.ack_delay) * TIME_UNIT_US);
        let mut received = self.congestion.received_at(report.received_at);
        if let Some(packet) = self.sent.acknowledge_largest(now, largest, delay) {
            self.came_through(now, packet, received);
        }
        for (below, gap) in report.acks.received() {
            received = received.saturating_sub(gap);
            if let Some(packet) = self.sent.acknowledge(largest.saturating_sub(below)) {
                self.came_through(now, packet, received);
            }
        }
        let (_, lost_before) = self.sent.judged();
        self.sent.judge(now, largest.saturating_sub(report.acks.bits()), largest, self.mtu.certain());
        let (_, lost) = self.sent.judged();
        self.congestion.lost(u32::try_from(lost.saturating_sub(lost_before)).unwrap_or(u32::MAX));
        self.congestion.report_done(now, self.sent.rtt().or_initial());
        if self.congestion.is_delay_rising() {
            self.full_at = now;
        }
    }

    /// The viewer asks for symbols of a frame.
    fn hear_need(&mut self, now: Timestamp, need: Need, seen: Seen, stream: &Stream) {
        let id = frame_id_full(stream.newest_frame(), need.frame);
        let rtt = self.sent.rtt().or_initial();
        let one_way = rtt / 2;
        let left = (SLACK_UNIT * need.slack.into()).saturating_sub(one_way);
        let unsent = self.queue.front().filter(|queued| queued.frame.id == id).and_then(Queued::unsent_rows);
        let Some(sent) = self.repairs.sent(id) else {
            if !self.queue.contains(id) && id <= stream.newest_frame() {
                // It was withheld, or is too old to be sent again: the viewer waits in vain.
                self.skips.add(now, id, id);
            }
            return;
        };
        let count = sent.cut.count;
        let layout = Layout::new(count);
        let whole = need.missing == WHOLE_FRAME || sent.is_cut_anew();
        let rounds = rounds_left(left, one_way, rtt);
        // A request that comes too late for its own frame's display is made for another one's sake.
        let until = now + left.saturating_sub(one_way).max(REPAIR_LATENESS);
        // While the frame is arriving, what is missing is known by the acknowledgements, and rows may come that make it good.
        let arriving = sent.arriving(seen, unsent.is_some());
        let rows = sent.rows;
        let lost = arriving.map(|(from, to, _)| to.saturating_sub(from - 1) - self.sent.received_among(from, to));
        let rows_to_come = match (arriving, unsent) {
            (_, Some(unsent)) => unsent,
            (Some((_, _, unseen)), None) => rows.min(u16::try_from(unseen).unwrap_or(u16::MAX)),
            (None, None) => 0,
        };
        let spread = |symbols: u16| symbols.div_ceil(layout.blocks().into());
        let lost = lost.map_or(u16::MAX, |lost| u16::try_from(lost).unwrap_or(u16::MAX));
        let blocks = if whole { 0..layout.blocks() } else { need.block..need.block.saturating_add(1) };
        for block in blocks.filter(|block| *block < layout.blocks()) {
            let asked = if whole { u16::MAX } else { need.missing.into() };
            let missing = asked.min(layout.size_of(block)).min(spread(lost)).saturating_sub(spread(rows_to_come));
            if missing > 0 {
                let extra = self.extra_rows(true, rounds, missing, count);
                self.repairs.plan(id, block, missing, extra, seen, until);
            }
        }
    }

    /// How many more than `needed` symbols of a frame are worth sending, if `rounds` of repair fit behind these.
    pub(super) fn extra_rows(&self, repairs: bool, rounds: u8, needed: u16, frame_fragments: u16) -> u16 {
        // What is sent again follows a loss, and losses come in bursts: it is more at risk than other packets.
        let loss = self.sent.loss();
        let at_risk = u64::from(loss.ppm()) * u64::from(if repairs { loss.burst_hundredths() } else { 100 }) / 100;
        let loss_ppm = u32::try_from(at_risk).unwrap_or(u32::MAX).min(LOSS_PPM_AT_RISK_MAX).max(loss.ppm());
        let extra_max = rows_max(frame_fragments);
        let request_loss_ppm = request_loss_ppm(loss.ppm(), REQUESTS_PER_ROUND);
        Round { loss_ppm, request_loss_ppm, rounds_left: rounds, needed, frame_fragments, extra_max }.extra_rows()
    }

    /// Of the first frame that a viewer gets all may be lost: it cannot ask for what it knows nothing of.
    fn watch_start(&mut self, now: Timestamp, seen: Seen, waiting_for: u64) {
        if self.last_decoded.is_some() {
            return;
        }
        let Some(first) = self.repairs.frames().find(|frame| frame.key && frame.id >= waiting_for) else { return };
        let (id, count) = (first.id, first.cut.count);
        let layout = Layout::new(count);
        let Some((from, to, at)) = first.first_packets() else { return };
        if seen.largest < to && at > seen.sent_after {
            return;
        }
        let came = self.sent.received_among(from, to);
        let missing = u64::from(count).saturating_sub(came).div_ceil(layout.blocks().into());
        let until = now + REPAIR_LATENESS * 4;
        for block in 0..layout.blocks() {
            let missing = u16::try_from(missing).unwrap_or(u16::MAX).min(layout.size_of(block));
            if missing > 0 {
                let extra = self.extra_rows(true, 0, missing, count);
                self.repairs.plan(id, block, missing, extra, seen, until);
            }
        }
    }

    /// A packet was acknowledged for the first time.
    fn came_through(&mut self, now: Timestamp, packet: Packet, received: u64) {
        self.congestion.acknowledged(packet.at, received, packet.bytes.into());
        if packet.number == self.token_number {
            self.token = None;
        }
        if self.mtu.acknowledged(now, packet.number, packet.bytes.into()) {
            self.recut();
            self.sent.forget_loss(now);
            self.congestion = Congestion::new(now);
        }
    }

    /// The path shrank: a frame that is partly sent begins anew, in smaller fragments.
    pub(super) fn recut(&mut self) {
        let segment_max = self.mtu.get() - self.channel.overhead() - FRAGMENT_HEADER_BYTES;
        self.queue.recut(segment_max);
        self.repairs.recut(segment_max);
        // Their rows were counted for the old cut.
        self.late.clear();
    }
}
