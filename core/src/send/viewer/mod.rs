//! One subscription: what is sent to a viewer, when, and what its reports say.

mod credit;
mod media;
mod mtu;
mod repairs;
mod roaming;
mod transmit;

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use credit::RepairCredit;
use media::{TAILS_MAX, Tail};
use mtu::Mtu;
use repairs::{Repairs, Seen, rounds_left};
use roaming::Roaming;

use super::congestion::Congestion;
use super::frame_buffer::Frame;
use super::pacer::{Pacer, Rate};
use super::queue::{Offered, Queue, Queued};
use super::redundancy::{Round, request_loss_ppm, rows_max};
use super::sent::{Packet, SentPackets};
use super::skips::Skips;
use super::state::{ViewerInput, ViewerState};
use super::stream::Stream;
use super::token::Token;
use super::token_bucket::TokenBucket;
use super::wishes::Wishes;
use crate::fec::Layout;
use crate::handshake::Message;
use crate::limits::{
    CLOSE_TRIES_MAX, CONTROL_RETRANSMIT_MAX, HALF_OPEN_PERIOD, HEARTBEAT_PERIOD, IDLE_PERIOD, KEY_FRAME_VIEWER_BURST,
    KEY_FRAME_VIEWER_SPACING, STALLED_PERIOD,
};
use crate::seal::{Channel, Direction, Seal, Seals};
use crate::secrets::Secrets;
use crate::time::Timestamp;
use crate::wire::control::Wish;
use crate::wire::feedback::{Feedback, Need, SLACK_UNIT, TIME_UNIT_US, WHOLE_FRAME};
use crate::wire::long::ClientNonce;
use crate::wire::media::FRAGMENT_HEADER_BYTES;
use crate::wire::{CloseCode, expand, frame_id_full};

/// A key frame sent this long ago, plus a round trip, should have shown its effect.
const KEY_FRAME_EFFECT_PERIOD: Duration = Duration::from_millis(50);

/// A repair waits for its turn for so long even if it was asked for in the last moment.
const REPAIR_LATENESS: Duration = Duration::from_millis(10);

/// The most that bursts add to the loss of repairs.
const LOSS_PPM_AT_RISK_MAX: u32 = 400_000;
/// How often a viewer asks in time for a round: what is new is said twice.
const REQUESTS_PER_ROUND: u32 = 2;

/// Names one subscription as long as the server runs; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerId(pub u64);

#[derive(Debug)]
struct Closing {
    code: CloseCode,
    tries: u32,
    next: Timestamp,
}

/// What was sent to one viewer, by its purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of frames' fragments, sealed.
    pub media_bytes: u64,
    /// Bytes of the rows sent along with them.
    pub parity_bytes: u64,
    /// Those rows.
    pub parity_packets: u64,
    /// Bytes sent because they were asked for, or because nothing showed that a frame's end came.
    pub repair_bytes: u64,
    /// The packets of those.
    pub repair_packets: u64,
}

/// What a handshake came to, besides keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    pub(super) connection_id: u32,
    pub(super) nonce: ClientNonce,
    pub(super) accept: Message,
}

#[derive(Debug)]
pub(super) struct Viewer<S> {
    pub(super) id: ViewerId,
    pub(super) address: SocketAddr,
    pub(super) connection_id: u32,
    pub(super) nonce: ClientNonce,
    /// The server's handshake message, for those who ask again.
    pub(super) accept: Message,
    pub(super) accepted_at: Timestamp,
    pub(super) state: ViewerState,
    /// Whether the shell was told of it.
    pub(super) has_joined: bool,
    pub(super) channel: Channel<S>,
    pub(super) sent: SentPackets,
    pub(super) bytes_sent: u64,
    pub(super) frames_sent: u64,
    pub(super) traffic: Traffic,
    queue: Queue,
    repairs: Repairs,
    credit: RepairCredit,
    congestion: Congestion,
    /// When its path was last seen to be full.
    full_at: Timestamp,
    /// It missed frames because its path was too slow for them.
    is_behind: bool,
    tails: VecDeque<Tail>,
    pacer: Pacer,
    skips: Skips,
    pongs: VecDeque<(u16, u32, Timestamp)>,
    last_heard: Timestamp,
    last_enqueued: Option<u64>,
    last_key_sent: Option<(u64, Timestamp)>,
    needs_key: bool,
    last_decoded: Option<u64>,
    capture_to_report: Option<Duration>,
    config_heard: u8,
    config_at: Timestamp,
    heartbeat_at: Timestamp,
    wishes: Wishes,
    key_bucket: TokenBucket,
    mtu: Mtu,
    roaming: Roaming,
    /// What the viewer is told until the packet with that number is acknowledged.
    token: Option<Token>,
    token_at: Timestamp,
    token_number: u64,
    closing: Option<Closing>,
}

impl<S: Seal> Viewer<S> {
    pub(super) fn new(now: Timestamp, id: ViewerId, address: SocketAddr, accepted: Accepted, seals: Seals<S>) -> Self {
        let Accepted { connection_id, nonce, accept } = accepted;
        Self {
            id,
            address,
            connection_id,
            nonce,
            accept,
            accepted_at: now,
            state: ViewerState::HalfOpen,
            has_joined: false,
            channel: Channel::new(seals, Direction::ToViewer),
            sent: SentPackets::new(now),
            bytes_sent: 0,
            frames_sent: 0,
            traffic: Traffic::default(),
            queue: Queue::default(),
            repairs: Repairs::new(),
            credit: RepairCredit::new(now),
            congestion: Congestion::new(now),
            full_at: now,
            is_behind: false,
            tails: VecDeque::with_capacity(TAILS_MAX),
            pacer: Pacer::new(now),
            skips: Skips::default(),
            pongs: VecDeque::new(),
            last_heard: now,
            last_enqueued: None,
            last_key_sent: None,
            needs_key: true,
            last_decoded: None,
            capture_to_report: None,
            config_heard: 0,
            config_at: now,
            heartbeat_at: now + HEARTBEAT_PERIOD,
            wishes: Wishes::default(),
            key_bucket: TokenBucket::new(now, KEY_FRAME_VIEWER_BURST, KEY_FRAME_VIEWER_SPACING),
            mtu: Mtu::new(now),
            roaming: Roaming::default(),
            token: None,
            token_at: now,
            token_number: 0,
            closing: None,
        }
    }

    /// Moves to the next state of the table; the state before it.
    pub(super) fn step(&mut self, input: ViewerInput) -> ViewerState {
        let before = self.state;
        let after = before.after(input);
        debug_assert!(after.is_some(), "{input:?} has no meaning in {before:?}");
        self.state = after.unwrap_or(before);
        before
    }

    /// Something authentic came from the viewer.
    pub(super) const fn hear(&mut self, now: Timestamp) {
        self.last_heard = now;
    }

    // --- What goes to the viewer -------------------------------------------------------------------------

    /// Offers a frame; whether it now waits to be sent.
    pub(super) fn offer(&mut self, now: Timestamp, frame: &Frame, stream: &Stream) -> bool {
        let undecodable = self.needs_key && !frame.key;
        let unwanted = frame.disposable && !self.wishes.wants_layer(frame.temporal_id);
        if self.state != ViewerState::Live || self.wishes.is_paused() || undecodable || unwanted {
            // What a paused viewer misses it cannot decode from later.
            self.needs_key |= !frame.disposable;
            return false;
        }
        let Self { queue, skips, .. } = self;
        let withhold = |id| skips.add(now, id, id);
        match queue.offer(now, frame, stream.patience(), withhold) {
            Offered::Queued => {}
            Offered::Refused => return false,
            Offered::NeedsKey => {
                self.needs_key = true;
                self.is_behind = true;
                return false;
            }
        }
        // A gap by choice is told ahead of the frame behind it.
        if let Some(last) = self.last_enqueued
            && frame.id > last + 1
        {
            self.skips.add(now, last + 1, frame.id - 1);
        }
        self.pacer.queue_holds(self.queue.bytes());
        self.last_enqueued = Some(frame.id);
        self.needs_key &= !frame.key;
        true
    }

    /// Whether a cached chain that begins with key frame `id` is news to this viewer.
    pub(super) fn can_begin_with(&self, id: u64) -> bool {
        self.last_enqueued.is_none_or(|last| id > last)
    }

    /// Whether the server should ask for a key frame because nothing can be sent to the viewer without one.
    pub(super) fn is_key_needed(&mut self, now: Timestamp) -> bool {
        self.needs_key && self.state == ViewerState::Live && !self.wishes.is_paused() && self.key_bucket.take(now)
    }

    /// Whether the server should ask for a key frame because the viewer is stuck since `first_bad`. Each yes is
    /// counted against the viewer, so ask only if no key frame is wanted already.
    pub(super) fn is_key_due(&mut self, now: Timestamp, first_bad: u64) -> bool {
        let waiting = self.queue.newest_key().is_some_and(|key| key > first_bad);
        let effect = self.sent.rtt().or_initial() + KEY_FRAME_EFFECT_PERIOD;
        let on_its_way = self.last_key_sent.is_some_and(|(key, at)| key > first_bad && now < at + effect);
        !waiting && !on_its_way && !self.wishes.is_paused() && self.key_bucket.take(now)
    }

    /// Stops the media of a silent viewer.
    pub(super) fn stall(&mut self, now: Timestamp) {
        let Self { queue, skips, .. } = self;
        queue.clear(|id| skips.add(now, id, id));
        self.repairs.clear();
        self.tails.clear();
        self.needs_key = true;
    }

    /// Begins to say goodbye.
    pub(super) fn close(&mut self, now: Timestamp, code: CloseCode) {
        self.step(ViewerInput::Close);
        self.queue.clear(|_| ());
        self.repairs.clear();
        self.tails.clear();
        self.closing = Some(Closing { code, tries: 0, next: now });
    }

    // --- What comes from the viewer ----------------------------------------------------------------------

    pub(super) fn handle_ping(&mut self, now: Timestamp, id: u16, sent_us: u32) {
        self.pongs.truncate(CONTROL_RETRANSMIT_MAX - 1);
        self.pongs.push_front((id, sent_us, now));
    }

    /// Whether the viewer's pause is over.
    pub(super) fn handle_wish(&mut self, wish: Wish) -> bool {
        self.wishes.hear(wish)
    }

    /// Takes a report in; the first frame that the viewer cannot decode, if it says so.
    pub(super) fn handle_feedback(&mut self, now: Timestamp, report: &Feedback<'_>, stream: &Stream) -> Option<u64> {
        let newest_frame = stream.newest_frame();
        let largest = expand(self.channel.last_number(), u64::from(report.largest), 32);
        if largest <= self.channel.last_number() && largest > 0 {
            self.hear_acks(now, report, largest);
        }
        self.config_heard = report.config_epoch;
        if let Some(low) = report.last_decoded {
            let decoded = Some(frame_id_full(newest_frame, low)).filter(|id| *id <= newest_frame);
            if decoded > self.last_decoded {
                self.last_decoded = decoded;
                let captured = decoded.and_then(|id| stream.captured_at(id));
                self.capture_to_report = captured.map(|at| now - at).or(self.capture_to_report);
            }
        }
        if self.last_decoded.is_some() {
            self.skips.heard(frame_id_full(newest_frame, report.waiting_for));
        }
        self.watch_tails(if self.last_decoded.is_some() { frame_id_full(newest_frame, report.waiting_for) } else { 0 });
        if self.state == ViewerState::Live && !self.wishes.is_paused() {
            let seen = Seen { largest, sent_after: now.saturating_sub(self.sent.rtt().report_reach()) };
            report.needs.iter().for_each(|need| self.hear_need(now, need, seen, stream));
            self.watch_start(now, seen);
        }
        report.recover.map(|recover| frame_id_full(newest_frame, recover.first_bad))
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
    fn extra_rows(&self, repairs: bool, rounds: u8, needed: u16, frame_fragments: u16) -> u16 {
        // What is sent again follows a loss, and losses come in bursts: it is more at risk than other packets.
        let loss = self.sent.loss();
        let at_risk = u64::from(loss.ppm()) * u64::from(if repairs { loss.burst_hundredths() } else { 100 }) / 100;
        let loss_ppm = u32::try_from(at_risk).unwrap_or(u32::MAX).min(LOSS_PPM_AT_RISK_MAX).max(loss.ppm());
        let extra_max = rows_max(frame_fragments);
        let request_loss_ppm = request_loss_ppm(loss.ppm(), REQUESTS_PER_ROUND);
        Round { loss_ppm, request_loss_ppm, rounds_left: rounds, needed, frame_fragments, extra_max }.extra_rows()
    }

    /// Of the first frame that a viewer gets all may be lost: it cannot ask for what it knows nothing of.
    fn watch_start(&mut self, now: Timestamp, seen: Seen) {
        if self.last_decoded.is_some() {
            return;
        }
        let Some(first) = self.repairs.frames().find(|frame| frame.key) else { return };
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
    fn recut(&mut self) {
        let segment_max = self.mtu.get() - self.channel.overhead() - FRAGMENT_HEADER_BYTES;
        self.queue.recut(segment_max);
        self.repairs.recut(segment_max);
    }

    // --- Where the viewer is -----------------------------------------------------------------------------

    /// An authentic datagram of `len` bytes came from `from`.
    pub(super) fn heard_from(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        number: u64,
        len: usize,
        secrets: &mut Secrets,
    ) {
        let newest = number == self.channel.largest_received();
        if from != self.address {
            self.roaming.heard_at(now, from, len, newest, secrets);
        } else if newest {
            self.roaming.heard_at_home();
        }
    }

    /// An answer to a challenge: the viewer's address before, if it has moved. Of the new path nothing is known.
    pub(super) fn handle_path_response(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        answer: [u8; 8],
    ) -> Option<SocketAddr> {
        if !self.roaming.is_proof(now, from, answer) {
            return None;
        }
        let before = core::mem::replace(&mut self.address, from);
        self.mtu = Mtu::new(now);
        self.pacer = Pacer::new(now);
        self.congestion = Congestion::new(now);
        self.sent.forget_path(now);
        self.recut();
        Some(before)
    }

    /// Gives the viewer a token for its next session from where it is now.
    pub(super) fn give_token(&mut self, now: Timestamp, token: Token) {
        self.token = Some(token);
        self.token_at = now;
        self.token_number = 0;
    }

    /// The largest datagram that is known to reach it.
    pub(super) const fn datagram_bytes_max(&self) -> usize {
        self.mtu.get()
    }

    /// What the encoder should make at most for this viewer's sake; nothing while its path has shown no limit.
    pub(super) fn target(&self) -> Option<Rate> {
        if self.state == ViewerState::Live && !self.wishes.is_paused() { self.congestion.target() } else { None }
    }

    pub(super) const fn last_decoded(&self) -> Option<u64> {
        self.last_decoded
    }

    pub(super) const fn capture_to_report(&self) -> Option<Duration> {
        self.capture_to_report
    }

    pub(super) const fn queue(&self) -> &Queue {
        &self.queue
    }

    // --- Time --------------------------------------------------------------------------------------------

    /// The change of state that time brings, if it is due.
    pub(super) fn timeout_due(&self, now: Timestamp) -> Option<ViewerInput> {
        let (at, input) = self.timeout();
        (now >= at).then_some(input)
    }

    pub(super) fn timeout(&self) -> (Timestamp, ViewerInput) {
        match (&self.state, &self.closing) {
            (ViewerState::HalfOpen, _) => (self.accepted_at + HALF_OPEN_PERIOD, ViewerInput::Expired),
            (ViewerState::Live, _) => (self.last_heard + STALLED_PERIOD, ViewerInput::Silent),
            (ViewerState::Closing, Some(closing)) if closing.tries >= CLOSE_TRIES_MAX => {
                (closing.next, ViewerInput::Closed)
            }
            (ViewerState::Stalled | ViewerState::Closing | ViewerState::Gone, _) => {
                (self.last_heard + IDLE_PERIOD, ViewerInput::Expired)
            }
        }
    }
}
