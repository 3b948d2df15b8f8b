//! When a report leaves, and what it says.

use core::time::Duration;

use super::arrivals::{Arrivals, units};
use super::receiver::Receiver;
use crate::limits::{ACK_BITS_MAX, FEEDBACK_MEDIA_PERIOD, FEEDBACK_SPACING_MIN, FEEDBACK_STILL_PERIOD};
use crate::time::{Timestamp, micros};
use crate::wire::control::Control;
use crate::wire::feedback::{Acks, Feedback, Needs, Recover, RecoverKind, TIME_UNIT_US};
use crate::wire::{Writer, frame_id_low};

/// Room for the receive times of one report; with everything else it fits a datagram of the base size.
const GAPS_BYTES_MAX: usize = 900;

/// Decides when to report; says what is true then.
#[derive(Debug)]
pub(super) struct Reporter {
    due: Timestamp,
    last: Option<Timestamp>,
    /// Largest packet number of the last two reports: the window reaches back over both, so that the loss of
    /// one report loses nothing.
    covered: [u64; 2],
    sent: u64,
}

impl Reporter {
    /// A reporter whose first report is due at once: it confirms the session.
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { due: now, last: None, covered: [0; 2], sent: 0 }
    }

    pub(super) const fn due(&self) -> Timestamp {
        self.due
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Media came; `end` asks for an acknowledgement now.
    pub(super) fn media(&mut self, now: Timestamp, end: bool) {
        self.within(now, if end { Duration::ZERO } else { FEEDBACK_MEDIA_PERIOD });
    }

    /// Something is needed now.
    pub(super) fn urgent(&mut self, now: Timestamp) {
        self.within(now, Duration::ZERO);
    }

    fn within(&mut self, now: Timestamp, delay: Duration) {
        let earliest = self.last.map_or(now, |last| last + FEEDBACK_SPACING_MIN);
        self.due = self.due.min((now + delay).max(earliest));
    }

    /// Appends the report and plans the next one.
    pub(super) fn write(
        &mut self,
        now: Timestamp,
        writer: &mut Writer<'_>,
        arrivals: &Arrivals,
        receiver: &Receiver,
        config_epoch: u8,
        paused: bool,
    ) {
        let mut bitmap = [0; ACK_BITS_MAX / 8];
        let mut gaps = [0; GAPS_BYTES_MAX];
        let [_, oldest] = self.covered;
        let (bits, gaps_len) = arrivals.fill(oldest, &mut bitmap, &mut gaps);
        let largest = arrivals.largest();
        let received_at = arrivals.time_of(largest).unwrap_or(now);
        let recover = receiver.stuck().map(|stuck| Recover {
            kind: RecoverKind::Key,
            first_bad: frame_id_low(stuck.first_bad),
            last_good: frame_id_low(stuck.last_good.unwrap_or_default()),
        });
        let report = Feedback {
            config_epoch,
            largest: low_32(largest),
            ack_delay: u16::try_from(micros(now - received_at) / TIME_UNIT_US).unwrap_or(u16::MAX),
            received_at: low_32(units(received_at)) & 0x00ff_ffff,
            last_decoded: receiver.last_released().map(frame_id_low),
            waiting_for: frame_id_low(receiver.waiting_for()),
            paused,
            acks: Acks::from_parts(
                bits,
                bitmap.get(..usize::from(bits).div_ceil(8)).unwrap_or_default(),
                gaps.get(..gaps_len).unwrap_or_default(),
            ),
            needs: Needs::default(),
            recover,
            ce_count: None,
        };
        let mut body = [0; ACK_BITS_MAX / 8 + GAPS_BYTES_MAX + 64];
        let mut body_writer = Writer::new(&mut body);
        report.write(&mut body_writer);
        let len = body_writer.len();
        Control::Feedback(body.get(..len).unwrap_or_default()).write(writer);
        self.covered = [largest, self.covered[0]];
        self.last = Some(now);
        self.due = now + FEEDBACK_STILL_PERIOD;
        self.sent += 1;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the wire carries the low bits")]
const fn low_32(value: u64) -> u32 {
    value as u32
}
