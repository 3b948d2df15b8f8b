//! One subscription: what is sent to a viewer, when, and what its reports say.

mod credit;
mod feedback;
mod late_rows;
mod media;
mod mtu;
mod repairs;
mod roaming;
mod transmit;
mod way_back;

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::ops::AddAssign;
use core::time::Duration;

use credit::RepairCredit;
use late_rows::LateRows;
use media::{TAILS_MAX, Tail};
use mtu::Mtu;
use repairs::Repairs;
use roaming::Roaming;
use way_back::{WITHOUT_MAX, WayBack, remember};

use super::congestion::Congestion;
use super::frame_buffer::Frame;
use super::pacer::{Pacer, Rate};
use super::queue::{Offered, Queue};
use super::references::Held;
use super::sent::SentPackets;
use super::skips::Skips;
use super::state::{ViewerInput, ViewerState};
use super::stream::Stream;
use super::token::Token;
use super::token_bucket::TokenBucket;
use super::wishes::Wishes;
use crate::handshake::Message;
use crate::limits::{
    CLOSE_TRIES_MAX, CONTROL_RETRANSMIT_MAX, HALF_OPEN_PERIOD, HEARTBEAT_PERIOD, IDLE_PERIOD, KEY_FRAME_VIEWER_BURST,
    KEY_FRAME_VIEWER_SPACING, STALLED_PERIOD,
};
use crate::seal::{Channel, Direction, Seal, Seals};
use crate::secrets::Secrets;
use crate::time::Timestamp;
use crate::wire::CloseCode;
use crate::wire::control::Wish;
use crate::wire::long::ClientNonce;

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

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        let Self { media_bytes, parity_bytes, parity_packets, repair_bytes, repair_packets } = other;
        self.media_bytes += media_bytes;
        self.parity_bytes += parity_bytes;
        self.parity_packets += parity_packets;
        self.repair_bytes += repair_bytes;
        self.repair_packets += repair_packets;
    }
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
    late: LateRows,
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
    last_way_back: Option<WayBack>,
    /// The long-term references that it has decoded.
    held: Held,
    /// It reports that it cannot go on.
    is_stuck: bool,
    /// It waits for a way back that the encoder was asked for.
    asks: bool,
    /// Frames of upper layers that it was not given.
    without: VecDeque<u64>,
    needs_remedy: bool,
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
            late: LateRows::new(),
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
            last_way_back: None,
            held: Held::default(),
            is_stuck: false,
            asks: false,
            without: VecDeque::with_capacity(WITHOUT_MAX),
            needs_remedy: true,
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
        let place = frame.place;
        let way_back = self.is_way_back(frame);
        let lacks_reference = place.reference.is_some_and(|reference| self.without.contains(&reference));
        let undecodable = (self.needs_remedy || lacks_reference) && !way_back;
        let unwanted = place.is_droppable() && !self.wishes.wants_layer(place.temporal_id);
        if self.state != ViewerState::Live || self.wishes.is_paused() || undecodable || unwanted {
            self.withhold(frame);
            return false;
        }
        let Self { queue, skips, without, .. } = self;
        let withheld = |id| {
            skips.add(now, id, id);
            remember(without, id);
        };
        match queue.offer(now, frame, stream.patience(), way_back, withheld) {
            Offered::Queued => {}
            Offered::Refused => {
                self.is_behind = true;
                self.withhold(frame);
                return false;
            }
            Offered::NeedsRemedy => {
                self.needs_remedy = true;
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
        if way_back {
            self.needs_remedy = false;
            self.asks = false;
            if self.is_stuck {
                self.repairs.pass_over(frame.id);
            }
            self.without.clear();
        }
        true
    }

    /// Whether a cached chain that begins with key frame `id` is news to this viewer.
    pub(super) fn can_begin_with(&self, id: u64) -> bool {
        self.last_enqueued.is_none_or(|last| id > last)
    }

    /// Stops the media of a silent viewer.
    pub(super) fn stall(&mut self, now: Timestamp) {
        let Self { queue, skips, .. } = self;
        queue.clear(|id| skips.add(now, id, id));
        self.repairs.clear();
        self.late.clear();
        self.tails.clear();
        self.needs_remedy = true;
    }

    /// Begins to say goodbye.
    pub(super) fn close(&mut self, now: Timestamp, code: CloseCode) {
        self.step(ViewerInput::Close);
        self.queue.clear(|_| ());
        self.repairs.clear();
        self.late.clear();
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
