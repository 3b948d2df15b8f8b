//! What one path carries: from the delay and the loss of what was sent to a rate for the pacer, a cap for repairs and a
//! wish to the encoder.
//!
//! As long as a path shows no limit there is no estimate, and nothing is slowed down. A limit shows as a queue: packets
//! take longer and longer ([`trend`]), or all take longer than the fastest did ([`queue_delay`]). Loss without a queue is
//! random until a lower rate proves that it is not ([`losses`]). What follows from it is in [`limit`].

mod limit;
mod losses;
mod meter;
mod queue_delay;
#[cfg(test)]
mod tests;
mod trend;

use alloc::vec::Vec;
use core::time::Duration;

use limit::{Limit, QUEUE_GONE_US, Signs};
use losses::{Losses, Tried};
use meter::{Meter, WINDOW, WINDOW_SHORT};
use queue_delay::QueueDelay;
use trend::Trend;

use super::pacer::Rate;
use crate::limits::{ACK_BITS_MAX, RATE_BYTES_MAX, RATE_BYTES_MIN};
use crate::time::{Timestamp, micros};
use crate::wire::expand;
use crate::wire::feedback::TIME_UNIT_US;

/// A queue that every packet meets is a limit, whatever the trend.
const QUEUE_STANDING_US: u64 = 60_000;
/// Without at least such a queue, a trend is jitter.
const QUEUE_BELIEVED_US: u64 = 18_000;
/// How long reports have to say so.
const QUEUE_PERIOD_MIN: Duration = Duration::from_millis(30);
/// A queue that stays the same for this long, beyond the round trip, though less is sent than arrived, is none.
const QUEUE_SAME_PERIOD: Duration = Duration::from_millis(400);
/// What was seen of the path counts for this long after the last packet.
const NEWS_PERIOD: Duration = Duration::from_millis(500);
/// The shortest silence that the rate falls for, and in timeouts.
const SILENCE_MIN: Duration = Duration::from_millis(500);
const SILENCE_TIMEOUTS: u32 = 4;
/// What an encoder is asked for, in tenths of the estimate: it misses its rate, and repairs want some.
const TARGET_TENTHS: u64 = 9;
/// How fast a frame leaves, in tenths of that: a little over the estimate, so that a key frame makes no queue to speak of.
const PACING_TENTHS: u64 = 13;
/// Where the viewer's clock begins: far from the ends of the number.
const CLOCK_ORIGIN: u64 = 1 << 40;

#[derive(Clone, Copy, Debug)]
struct Arrival {
    sent_at: Timestamp,
    /// Report units.
    received: u64,
    bytes: u32,
}

/// The path to one viewer. Another path needs another one.
#[derive(Debug)]
pub(super) struct Congestion {
    /// What the report that is being read acknowledged.
    arrivals: Vec<Arrival>,
    received: u64,
    lost: u32,
    sent: Meter,
    acked: Meter,
    trend: Trend,
    queue: QueueDelay,
    losses: Losses,
    limit: Limit,
    /// Since when all reports say that there is a queue.
    queue_since: Option<Timestamp>,
    is_delay_rising: bool,
    news_at: Timestamp,
    halvings: u32,
}

impl Congestion {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            arrivals: Vec::with_capacity(ACK_BITS_MAX + 1),
            received: CLOCK_ORIGIN,
            lost: 0,
            sent: Meter::new(),
            acked: Meter::new(),
            trend: Trend::new(),
            queue: QueueDelay::new(now),
            losses: Losses::new(now),
            limit: Limit::new(now),
            queue_since: None,
            is_delay_rising: false,
            news_at: now,
            halvings: 0,
        }
    }

    /// A packet of `bytes` left.
    pub(super) fn sent(&mut self, now: Timestamp, bytes: usize) {
        self.sent.add(units(now), u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// The time that a report means by `low`, the low 24 bits of its clock, in its units. Times of the same report follow
    /// by subtraction.
    pub(super) const fn received_at(&self, low: u32) -> u64 {
        expand(self.received, low as u64, 24)
    }

    /// A packet sent at `sent_at` was newly acknowledged as `received`, in report units; in any order within a report.
    pub(super) fn acknowledged(&mut self, sent_at: Timestamp, received: u64, bytes: usize) {
        if self.arrivals.len() < self.arrivals.capacity() {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.arrivals.push(Arrival { sent_at, received, bytes });
        }
    }

    /// So many more packets are judged lost.
    pub(super) const fn lost(&mut self, packets: u32) {
        self.lost = self.lost.saturating_add(packets);
    }

    /// A report was read.
    pub(super) fn report_done(&mut self, now: Timestamp, rtt: Duration) {
        self.halvings = 0;
        if !self.arrivals.is_empty() {
            self.news_at = now;
        }
        self.take_in(now);
        self.sent.add(units(now), 0);
        let signs = Signs {
            now,
            rtt,
            queue_us: self.queue.get_us(),
            sent: self.sent.rate(WINDOW),
            acked: self.acked.rate(WINDOW),
            acked_lately: self.acked.rate(WINDOW_SHORT),
        };
        self.decide(&signs);
    }

    /// Nothing was heard for `silence`; an answer would be expected within `timeout`. The estimate is halved with each
    /// timeout, and what it was before comes back with the next report.
    pub(super) fn silent(&mut self, silence: Duration, timeout: Duration) {
        let begin = SILENCE_MIN.max(timeout.saturating_mul(SILENCE_TIMEOUTS));
        let further = silence.checked_sub(begin).map(|rest| (micros(rest) / micros(timeout).max(1)).saturating_add(1));
        self.halvings = further.map_or(0, |halvings| u32::try_from(halvings).unwrap_or(u32::MAX));
    }

    /// Whether a queue builds up on the path or stands there.
    pub(super) const fn is_delay_rising(&self) -> bool {
        self.is_delay_rising
    }

    /// What the path carries; none while it has shown no limit.
    pub(super) fn estimate(&self) -> Option<Rate> {
        let estimate = self.limit.get();
        if self.halvings == 0 {
            return estimate;
        }
        let Rate(before) = estimate.unwrap_or_else(|| self.acked_rate());
        let Rate(rate) = Rate(before.checked_shr(self.halvings).unwrap_or(0));
        Some(Rate(rate.clamp(RATE_BYTES_MIN, RATE_BYTES_MAX)))
    }

    /// What the encoder should make at most.
    pub(super) fn target(&self) -> Option<Rate> {
        self.estimate().map(|Rate(rate)| Rate((rate * TARGET_TENTHS / 10).max(RATE_BYTES_MIN)))
    }

    /// How fast a frame may leave: faster than the encoder makes them, but not while a queue has to drain.
    pub(super) fn pacing(&self) -> Option<Rate> {
        let spread = |Rate(target)| Rate((target * PACING_TENTHS / 10).min(RATE_BYTES_MAX));
        if self.is_delay_rising { self.estimate() } else { self.target().map(spread) }
    }

    /// What arrives, over half a second.
    pub(super) fn acked_rate(&self) -> Rate {
        self.acked.rate(WINDOW)
    }

    fn take_in(&mut self, now: Timestamp) {
        self.arrivals.sort_unstable_by_key(|arrival| (arrival.sent_at, arrival.received));
        let acked = u32::try_from(self.arrivals.len()).unwrap_or(u32::MAX);
        self.losses.add(now, acked, core::mem::take(&mut self.lost));
        for Arrival { sent_at, received, bytes } in self.arrivals.drain(..) {
            let (sent_us, received_us) = (sent_at.as_micros(), received.saturating_mul(TIME_UNIT_US));
            self.received = received;
            self.acked.add(received, bytes);
            self.trend.add(sent_us, received_us);
            self.queue.add(sent_us, received_us);
        }
        self.queue.observe(now);
    }

    fn decide(&mut self, signs: &Signs) {
        self.judge_delay(signs);
        let obeyed = self.limit.obeyed_for(signs.now);
        let is_no_queue = self.queue.same_for(signs.now).min(obeyed) > QUEUE_SAME_PERIOD + signs.rtt;
        if is_no_queue && signs.queue_us > QUEUE_GONE_US && self.news_at == signs.now {
            self.queue.rebase();
            self.is_delay_rising = false;
            self.limit.undo();
        } else if self.losses.conclude(signs.now, obeyed, signs.rtt) == Some(Tried::InVain) {
            self.limit.undo();
        } else if self.is_delay_rising {
            self.limit.lower(signs);
        } else if self.losses.is_trial_due() {
            self.limit.lower_for_loss(signs);
            self.losses.begin_trial(signs.now);
        } else if self.losses.is_trying() {
            self.limit.hold(signs);
        } else if self.limit.was_hasty(signs) {
            self.limit.undo();
        } else {
            self.limit.grow(signs);
        }
    }

    /// What was held up for a moment and comes all at once looks like a queue to the report in between.
    fn judge_delay(&mut self, signs: &Signs) {
        let is_rising = self.trend.is_rising() && signs.queue_us > QUEUE_BELIEVED_US;
        let is_queue = is_rising || signs.queue_us > QUEUE_STANDING_US;
        if !is_queue || signs.now - self.news_at > NEWS_PERIOD {
            self.queue_since = None;
        }
        let since = is_queue.then(|| *self.queue_since.get_or_insert(signs.now));
        self.is_delay_rising = since.is_some_and(|since| signs.now - since >= QUEUE_PERIOD_MIN);
    }
}

const fn units(time: Timestamp) -> u64 {
    time.as_micros() / TIME_UNIT_US
}
