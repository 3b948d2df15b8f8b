//! One subscription: what is sent to a viewer, when, and what its reports say.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;

use super::frame_buffer::Frame;
use super::key_frames::TokenBucket;
use super::pacer::Pacer;
use super::packetizer::Cut;
use super::queue::{Offered, Queue};
use super::sent::SentPackets;
use super::skips::Skips;
use super::state::{ViewerInput, ViewerState};
use super::stream::Stream;
use super::wishes::Wishes;
use crate::handshake::Message;
use crate::limits::{
    BURST_DATAGRAMS_MAX, CLOSE_TRIES_MAX, CONTROL_RETRANSMIT_MAX, DATAGRAM_BYTES_BASE, HALF_OPEN_PERIOD,
    HEARTBEAT_PERIOD, IDLE_PERIOD, KEY_FRAME_VIEWER_BURST, KEY_FRAME_VIEWER_SPACING, STALLED_PERIOD,
};
use crate::seal::{Channel, Direction, Seal, Seals};
use crate::time::Timestamp;
use crate::transmit::Transmit;
use crate::wire::control::{Control, Wish, message_len};
use crate::wire::feedback::{Feedback, TIME_UNIT_US};
use crate::wire::long::ClientNonce;
use crate::wire::media::FRAGMENT_HEADER_BYTES;
use crate::wire::{CloseCode, Writer, expand, frame_id_full};

/// A key frame sent this long ago, plus a round trip, should have shown its effect.
const KEY_FRAME_EFFECT_PERIOD: Duration = Duration::from_millis(50);

/// Names one subscription as long as the server runs; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerId(pub u64);

#[derive(Debug)]
struct Closing {
    code: CloseCode,
    tries: u32,
    next: Timestamp,
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
    queue: Queue,
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
            sent: SentPackets::new(),
            bytes_sent: 0,
            frames_sent: 0,
            queue: Queue::default(),
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
        let segment_max = DATAGRAM_BYTES_BASE - self.channel.overhead() - FRAGMENT_HEADER_BYTES;
        let Some(cut) = Cut::new(frame.len(), segment_max) else { return false };
        let Self { queue, skips, .. } = self;
        let withhold = |id| skips.add(now, id, id);
        match queue.offer(now, frame, cut, stream.queue_age_max(), withhold) {
            Offered::Queued => {}
            Offered::Refused => return false,
            Offered::NeedsKey => {
                self.needs_key = true;
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
        self.needs_key = true;
    }

    /// Begins to say goodbye.
    pub(super) fn close(&mut self, now: Timestamp, code: CloseCode) {
        self.step(ViewerInput::Close);
        self.queue.clear(|_| ());
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
            self.channel.acknowledge(largest);
            let delay = Duration::from_micros(u64::from(report.ack_delay) * TIME_UNIT_US);
            self.sent.acknowledge_largest(now, largest, delay);
            for (below, _) in report.acks.received() {
                self.sent.acknowledge(largest.saturating_sub(below));
            }
            self.sent.judge();
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
        report.recover.map(|recover| frame_id_full(newest_frame, recover.first_bad))
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

    /// When there will be something to send.
    pub(super) fn transmit_due(&self, stream: &Stream) -> Option<Timestamp> {
        if let Some(closing) = &self.closing {
            return (closing.tries < CLOSE_TRIES_MAX).then_some(closing.next);
        }
        if !self.state.is_joined() {
            return None;
        }
        let at_once = (!self.pongs.is_empty() || self.wishes.is_unanswered()).then_some(Timestamp::ZERO);
        let config = stream.has_news_for(self.config_heard).then_some(self.config_at);
        let media = (!self.queue.is_empty()).then_some(self.pacer.next());
        let heartbeat = (stream.newest_frame() > 0 && self.queue.is_empty()).then_some(self.heartbeat_at);
        [at_once, config, media, heartbeat, self.skips.due()].into_iter().flatten().min()
    }

    /// Control first, then a burst of one frame's fragments.
    pub(super) fn poll_transmit(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        self.channel.renew(now, self.sent.rtt().timeout());
        let transmit = self.poll_control(now, stream, buf).or_else(|| self.poll_media(now, stream, buf))?;
        self.bytes_sent += transmit.len as u64;
        Some(transmit)
    }

    fn poll_control(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        let buf = buf.get_mut(..DATAGRAM_BYTES_BASE)?;
        let rtt = *self.sent.rtt();
        self.tell_gap(now, stream);
        let Self { channel, closing, pongs, skips, wishes, config_heard, .. } = self;
        let Self { config_at, heartbeat_at, queue, .. } = self;
        let (number, len) = channel.seal(None, buf, |writer| {
            if let Some(closing) = closing {
                if now >= closing.next && closing.tries < CLOSE_TRIES_MAX {
                    closing.tries += 1;
                    closing.next = now + rtt.timeout();
                    Control::Close(closing.code).write(writer);
                }
                return;
            }
            while has_room::<S>(writer, 14)
                && let Some((id, sent_us, received)) = pongs.pop_back()
            {
                let (received_us, replied_us) = (received.low_u32(), now.low_u32());
                Control::Pong { id, sent_us, received_us, replied_us }.write(writer);
            }
            if let Some(answer) = wishes.answer() {
                answer.write(writer);
            }
            while has_room::<S>(writer, 6)
                && let Some(skip) = skips.poll(now, rtt.or_initial())
            {
                skip.write(writer);
            }
            if stream.has_news_for(*config_heard) && now >= *config_at {
                let config = stream.config();
                if has_room::<S>(writer, 8 + config.parameter_sets.len()) {
                    Control::Config(config).write(writer);
                    *config_at = now + rtt.timeout();
                }
            }
            if now >= *heartbeat_at && queue.is_empty() && stream.newest_frame() > 0 && has_room::<S>(writer, 16) {
                let (newest_frame, server_time_us) = (stream.newest_frame(), now.as_micros());
                Control::Heartbeat { newest_frame, server_time_us }.write(writer);
                *heartbeat_at = now + HEARTBEAT_PERIOD;
            }
        })?;
        self.sent.record(now, number);
        Some(Transmit { destination: self.address, len, segment_size: None })
    }

    /// Ahead of a heartbeat, what was withheld since the last frame is told: the viewer would miss it otherwise.
    fn tell_gap(&mut self, now: Timestamp, stream: &Stream) {
        let newest = stream.newest_frame();
        let about_to_name_it = self.state == ViewerState::Live && now >= self.heartbeat_at && self.queue.is_empty();
        // Who waits for a key frame misses more than that.
        if about_to_name_it
            && !self.needs_key
            && let Some(last) = self.last_enqueued.filter(|last| *last < newest)
        {
            self.skips.add(now, last + 1, newest);
            self.last_enqueued = Some(newest);
        }
    }

    fn poll_media(&mut self, now: Timestamp, stream: &Stream, buf: &mut [u8]) -> Option<Transmit> {
        if now < self.pacer.next() || self.state != ViewerState::Live {
            return None;
        }
        let mut len = 0;
        let mut segment_size = None;
        let queued = self.queue.front_mut()?;
        for _ in 0..BURST_DATAGRAMS_MAX {
            let room = buf.get_mut(len..).unwrap_or_default();
            let fragment = self.channel.seal(None, room, |w| queued.cut.write_fragment(&queued.frame, queued.next, w));
            let Some((number, datagram_len)) = fragment else { break };
            self.sent.record(now, number);
            len += datagram_len;
            segment_size.get_or_insert(datagram_len);
            queued.next += 1;
            if queued.next == queued.cut.count {
                break;
            }
        }
        let finished = queued.next == queued.cut.count;
        let (key, id, frame_len) = (queued.frame.key, queued.frame.id, queued.frame.len());
        let rate = self.wishes.limit(self.pacer.rate(frame_len, stream.source_rate(), stream.frame_interval()));
        if finished {
            self.queue.pop();
            self.pacer.queue_holds(self.queue.bytes());
            self.frames_sent += 1;
            self.heartbeat_at = now + HEARTBEAT_PERIOD;
            if key {
                self.last_key_sent = Some((id, now));
            }
        }
        if len == 0 {
            return None;
        }
        self.pacer.sent(now, len, rate);
        Some(Transmit { destination: self.address, len, segment_size: segment_size.filter(|size| *size < len) })
    }
}

/// Whether a message with a body of `body_len` bytes still fits, with the tag behind it.
fn has_room<S: Seal>(writer: &Writer<'_>, body_len: usize) -> bool {
    writer.room() >= message_len(body_len) + S::TAG_BYTES
}
