//! When a report leaves, and what it says.

use alloc::vec::Vec;
use core::time::Duration;

use super::arrivals::{Arrivals, units};
use super::receiver::{Pace, Receiver};
use crate::limits::{
    ACK_BITS_MAX, FEEDBACK_MEDIA_PERIOD, FEEDBACK_SPACING_MIN, FEEDBACK_STILL_PERIOD, NEED_MAX, NEED_REPEAT_PERIOD,
};
use crate::time::{Timestamp, micros};
use crate::wire::control::Control;
use crate::wire::feedback::{Acks, Feedback, Needs, Recover, RecoverKind, TIME_UNIT_US};
use crate::wire::{Writer, frame_id_low};

/// Room for the receive times of one report; with everything else it fits a datagram of the base size.
const GAPS_BYTES_MAX: usize = 700;
/// Reports that have to be lost for an acknowledgement to be lost.
const REPORTS_COVERED: usize = 4;
/// What surrounds a report: type and length, header with connection id, tag.
const REPORT_OVERHEAD: usize = 3 + 7 + 16;
/// How often a request is repeated at once: requests are lost in bursts, too.
const NEED_QUICK_REPEATS: u32 = 3;
/// A report leaves once this much can be paid for.
const REPORT_BYTES_USUAL: u64 = 80;

/// What reports may cost while nothing, or little, comes: bytes a second.
const BYTES_PER_SECOND_MIN: u64 = 50_000 / 8;
/// What may be saved up of it.
const CREDIT_BYTES_MAX: u64 = 1_500;

/// What of a report is not the receiver's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) config_epoch: u8,
    pub(super) paused: bool,
}

/// Why a report leaves: what is less urgent leaves something of the credit for what is more so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    News,
    Repeat,
    Regular,
}

impl Urgency {
    const fn leaves(self) -> u64 {
        match self {
            Self::News => 0,
            Self::Repeat => 3 * REPORT_BYTES_USUAL,
            Self::Regular => 6 * REPORT_BYTES_USUAL,
        }
    }
}

/// Decides when to report; says what is true then.
#[derive(Debug)]
pub(super) struct Reporter {
    due: Timestamp,
    last: Option<Timestamp>,
    /// Largest packet number of the last reports: the window reaches back over them, so that the loss of some loses nothing.
    covered: [u64; REPORTS_COVERED],
    sent: u64,
    /// Symbols that the last report asked for, and how often that is to be repeated as soon as can be.
    asked: u32,
    repeats: u32,
    credit: Credit,
    /// The frames that the last report asked for.
    frames_asked: Vec<u64>,
}

impl Reporter {
    /// A reporter whose first report is due at once: it confirms the session.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            due: now,
            last: None,
            covered: [0; REPORTS_COVERED],
            sent: 0,
            asked: 0,
            repeats: 0,
            credit: Credit { bytes: CREDIT_BYTES_MAX, at: now, earned: 0 },
            frames_asked: Vec::with_capacity(NEED_MAX),
        }
    }

    pub(super) const fn due(&self) -> Timestamp {
        self.due
    }

    pub(super) fn frames_asked(&self) -> &[u64] {
        &self.frames_asked
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Media came; `end` asks for an acknowledgement now.
    pub(super) fn media(&mut self, now: Timestamp, bytes: usize, end: bool) {
        self.credit.earn(bytes);
        self.within(now, if end { Duration::ZERO } else { FEEDBACK_MEDIA_PERIOD }, Urgency::Regular);
    }

    /// So many symbols are to be asked for by now: news leaves at once and is repeated as soon as can be, the rest until
    /// it is answered.
    pub(super) fn need(&mut self, now: Timestamp, symbols: u32) {
        if symbols > self.asked {
            self.within(now, Duration::ZERO, Urgency::News);
        } else if symbols > 0 {
            let pause = if self.repeats > 0 { Duration::ZERO } else { NEED_REPEAT_PERIOD };
            self.within(now, pause, Urgency::Repeat);
        }
        self.asked = self.asked.min(symbols);
    }

    /// Something is needed now.
    pub(super) fn urgent(&mut self, now: Timestamp) {
        self.within(now, Duration::ZERO, Urgency::News);
    }

    fn within(&mut self, now: Timestamp, delay: Duration, urgency: Urgency) {
        let spaced = self.last.map_or(now, |last| last + FEEDBACK_SPACING_MIN);
        let paid = self.credit.holds_at(now, REPORT_BYTES_USUAL + urgency.leaves());
        self.due = self.due.min((now + delay).max(spaced).max(paid));
    }

    /// Appends the report and plans the next one.
    pub(super) fn write(
        &mut self,
        now: Timestamp,
        writer: &mut Writer<'_>,
        arrivals: &Arrivals,
        receiver: &Receiver,
        pace: &Pace<'_>,
        told: Told,
    ) {
        let mut bitmap = [0; ACK_BITS_MAX / 8];
        let mut gaps = [0; GAPS_BYTES_MAX];
        let [.., oldest] = self.covered;
        let mut needs = [[0; 5]; NEED_MAX];
        let mut needs_len = 0;
        self.frames_asked.clear();
        let symbols = receiver.needs(now, pace, |id, need| {
            if self.frames_asked.last() != Some(&id) {
                self.frames_asked.push(id);
            }
            if let Some(place) = needs.get_mut(needs_len) {
                *place = need.to_bytes();
                needs_len += 1;
            }
        });
        let (bits, gaps_len) = arrivals.fill(oldest, &mut bitmap, &mut gaps);
        let largest = arrivals.largest();
        let received_at = arrivals.time_of(largest).unwrap_or(now);
        let recover = receiver.stuck().map(|stuck| Recover {
            kind: match stuck.last_good {
                Some(_) if !stuck.decoder_failed => RecoverKind::Reference,
                _ => RecoverKind::Key,
            },
            first_bad: frame_id_low(stuck.first_bad),
            last_good: frame_id_low(stuck.last_good.unwrap_or_default()),
        });
        let report = Feedback {
            config_epoch: told.config_epoch,
            largest: low_32(largest),
            ack_delay: u16::try_from(micros(now - received_at) / TIME_UNIT_US).unwrap_or(u16::MAX),
            received_at: low_32(units(received_at)) & 0x00ff_ffff,
            last_decoded: receiver.last_released().map(frame_id_low),
            waiting_for: frame_id_low(receiver.waiting_for()),
            paused: told.paused,
            acks: Acks::from_parts(
                bits,
                bitmap.get(..usize::from(bits).div_ceil(8)).unwrap_or_default(),
                gaps.get(..gaps_len).unwrap_or_default(),
            ),
            needs: Needs::from_bytes(needs.get(..needs_len).unwrap_or_default()),
            recover,
            ce_count: None,
        };
        let mut body = [0; ACK_BITS_MAX / 8 + GAPS_BYTES_MAX + NEED_MAX * 5 + 64];
        let mut body_writer = Writer::new(&mut body);
        report.write(&mut body_writer);
        let len = body_writer.len();
        Control::Feedback(body.get(..len).unwrap_or_default()).write(writer);
        self.covered.rotate_right(1);
        if let Some(newest) = self.covered.first_mut() {
            *newest = largest;
        }
        self.last = Some(now);
        self.due = now + FEEDBACK_STILL_PERIOD;
        self.credit.spend(now, len + REPORT_OVERHEAD);
        self.repeats = if symbols > self.asked { NEED_QUICK_REPEATS } else { self.repeats.saturating_sub(1) };
        self.asked = symbols;
        self.need(now, symbols);
        self.sent += 1;
    }
}

/// What a report may still cost.
#[derive(Debug)]
struct Credit {
    bytes: u64,
    at: Timestamp,
    /// By media that came since, in hundredths of a byte.
    earned: u64,
}

impl Credit {
    /// A hundredth of the media.
    const fn earn(&mut self, bytes: usize) {
        self.earned += bytes as u64;
    }

    fn get(&self, now: Timestamp) -> u64 {
        let timely = micros(now.saturating_since(self.at)) * BYTES_PER_SECOND_MIN / 1_000_000;
        (self.bytes + timely.max(self.earned / 100)).min(CREDIT_BYTES_MAX)
    }

    fn spend(&mut self, now: Timestamp, bytes: usize) {
        *self = Self { bytes: self.get(now).saturating_sub(bytes as u64), at: now, earned: 0 };
    }

    /// When it holds so much.
    fn holds_at(&self, now: Timestamp, bytes: u64) -> Timestamp {
        let lacking = bytes.saturating_sub(self.get(now));
        now + Duration::from_micros(lacking * 1_000_000 / BYTES_PER_SECOND_MIN)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the wire carries the low bits")]
const fn low_32(value: u64) -> u32 {
    value as u32
}
