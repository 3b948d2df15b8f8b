//! The common clock of both sides, and the display deadline that follows from it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Timestamp;

/// Network delays that are remembered to find the usual one.
const DELAYS_MAX: usize = 64;
/// Round trips that are remembered to find the shortest.
const SAMPLES_MAX: usize = 16;
/// Frames among which the usual delay is found.
const SMOOTHED_MAX: usize = 256;
/// So long before its display deadline a frame leaves at the latest: whoever shows it needs time, too.
const SMOOTHING_MARGIN: Duration = Duration::from_millis(5);
/// No picture waits for longer, whatever its capture time claims.
const SMOOTHING_MAX: Duration = Duration::from_millis(500);
/// The delay falls by this fraction of the time that passes: 5 ms a second.
const SMOOTHING_FALL: u32 = 200;
/// Budget while nothing is known of the path.
const BUDGET_INITIAL: Duration = Duration::from_millis(150);

/// Where the server's clock stands against ours: taken from the shortest round trip, whose two halves are most
/// likely equal (the filter of NTP, RFC 5905 §10).
#[derive(Debug, Default)]
pub(super) struct ClockSync {
    /// Round trip and offset (ours less the server's, microseconds modulo 2^32).
    samples: Vec<(Duration, u32)>,
    at: usize,
    smoothed: Option<Duration>,
}

impl ClockSync {
    /// Takes the four times of a PING and its PONG; all but `now` are low 32 bits of microseconds.
    pub(super) fn observe(&mut self, now: Timestamp, sent: u32, server_received: u32, server_replied: u32) {
        let there = sent.wrapping_sub(server_received);
        let both_ways = now.low_u32().wrapping_sub(server_replied).wrapping_sub(there);
        let rtt = Duration::from_micros(u64::from(both_ways));
        if rtt > Duration::from_secs(60) {
            return;
        }
        let sample = (rtt, there.wrapping_add(both_ways / 2));
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        } else if let Some(oldest) = self.samples.get_mut(self.at) {
            *oldest = sample;
            self.at = (self.at + 1) % SAMPLES_MAX;
        }
        self.smoothed = Some(self.smoothed.map_or(rtt, |smoothed| (smoothed * 7 + rtt) / 8));
    }

    /// Smoothed round-trip time (RFC 6298 §2).
    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.smoothed
    }

    /// A time of the server's, given by its low 32 bits, on our clock.
    pub(super) fn to_local(&self, now: Timestamp, server_us: u32) -> Option<Timestamp> {
        let (_, offset) = self.samples.iter().min_by_key(|(rtt, _)| *rtt)?;
        Some(now.nearest_u32(server_us.wrapping_add(*offset)))
    }
}

/// How long after its capture a frame is still worth showing.
#[derive(Debug)]
pub(super) struct Budget {
    fixed: Option<Duration>,
    delays: [Duration; DELAYS_MAX],
    /// How many of them are there yet.
    len: usize,
    at: usize,
    usual: Option<Duration>,
}

impl Budget {
    pub(super) const fn new(fixed: Option<Duration>) -> Self {
        Self { fixed, delays: [Duration::ZERO; DELAYS_MAX], len: 0, at: 0, usual: None }
    }

    /// Takes the time from capture to the first packet's arrival.
    pub(super) fn observe(&mut self, delay: Duration) {
        if let Some(oldest) = self.delays.get_mut(self.at) {
            *oldest = delay;
        }
        self.len = (self.len + 1).min(DELAYS_MAX);
        self.at = (self.at + 1) % DELAYS_MAX;
        // A sort of 64 numbers now and then, not on each frame.
        if self.at.is_multiple_of(16) || self.usual.is_none() {
            let mut delays = self.delays;
            let sorted = delays.get_mut(..self.len).unwrap_or_default();
            sorted.sort_unstable();
            self.usual = sorted.get(sorted.len().saturating_sub(1) * 95 / 100).copied();
        }
    }

    /// The budget: the one asked for, or the usual delay plus a round trip and a half for repair.
    pub(super) fn get(&self, rtt: Option<Duration>) -> Duration {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        match (self.usual, rtt) {
            (Some(usual), Some(rtt)) => {
                usual + (rtt * 3 / 2).clamp(Duration::from_millis(50), Duration::from_millis(200))
            }
            _ => BUDGET_INITIAL,
        }
    }
}

/// How long frames wait for others that are slower, so that all are shown as evenly as they were taken.
#[derive(Debug)]
pub(super) struct Smoothing {
    /// From capture to completion, the newest frames'.
    delays: Vec<Duration>,
    at: usize,
    sorted: Vec<Duration>,
    delay: Duration,
    since: Timestamp,
}

impl Smoothing {
    pub(super) fn new(now: Timestamp) -> Self {
        let (delays, sorted) = (Vec::with_capacity(SMOOTHED_MAX), Vec::with_capacity(SMOOTHED_MAX));
        Self { delays, at: 0, sorted, delay: Duration::ZERO, since: now }
    }

    /// A frame was complete so long after its capture. The delay rises at once and falls slowly: what was slow once will
    /// be slow again.
    pub(super) fn observe(&mut self, now: Timestamp, delay: Duration) {
        if self.delays.len() < SMOOTHED_MAX {
            self.delays.push(delay);
        } else if let Some(oldest) = self.delays.get_mut(self.at) {
            *oldest = delay;
        }
        self.at = (self.at + 1) % SMOOTHED_MAX;
        if delay < self.delay && !self.at.is_multiple_of(16) {
            return;
        }
        self.sorted.clone_from(&self.delays);
        self.sorted.sort_unstable();
        let wanted = self.sorted.get(self.sorted.len().saturating_sub(1) * 95 / 100).copied().unwrap_or_default();
        let fallen = self.delay.saturating_sub((now - self.since) / SMOOTHING_FALL);
        self.delay = wanted.max(fallen);
        self.since = now;
    }

    /// From its capture until a frame is to be shown, a little less than `budget` at most.
    pub(super) fn get(&self, budget: Duration) -> Duration {
        self.delay.min(budget.saturating_sub(SMOOTHING_MARGIN)).min(SMOOTHING_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_gives_the_offset() {
        // The server's clock is 2^32 - 1000 us ahead modulo 2^32, that is 1000 us behind... on a wrapped counter.
        let server = |local_us: u64| Timestamp::from_micros(local_us + 123_456).low_u32();
        let mut clock = ClockSync::default();
        let base = (1u64 << 32) - 5_000;
        // 4 ms there, 40 ms back; then 3 ms each way.
        for (start, there, back) in [(base, 4_000, 40_000), (base + 100_000, 3_000, 3_000)] {
            let sent = Timestamp::from_micros(start);
            let reply = server(start + there + 500);
            let now = Timestamp::from_micros(start + there + 500 + back);
            clock.observe(now, sent.low_u32(), server(start + there), reply);
        }
        let now = Timestamp::from_micros(base + 200_000);
        assert_eq!(clock.to_local(now, server(base + 150_000)), Some(Timestamp::from_micros(base + 150_000)));
        assert_eq!(clock.rtt(), Some(Duration::from_micros((44_000 * 7 + 6_000) / 8)));
    }

    #[test]
    fn smoothing_rises_at_once_and_falls_slowly() {
        let ms = Duration::from_millis;
        let mut smoothing = Smoothing::new(Timestamp::ZERO);
        let mut feed = |from: u64, frames: u64, delay: u64| {
            (from..from + frames).for_each(|i| smoothing.observe(Timestamp::from_millis(i * 33), ms(delay)));
            smoothing.get(ms(150))
        };
        assert_eq!(feed(0, 100, 20), ms(20));
        // One in twenty is not the usual.
        assert_eq!(feed(100, 5, 60), ms(20));
        assert_eq!(feed(105, 5, 60), ms(60));
        let falling = feed(110, 256, 20);
        // Once one in twenty of the last 256 was slow no more, about six seconds ago.
        assert!(falling > ms(25) && falling < ms(35), "{falling:?}");
        assert_eq!(feed(366, 2_000, 20), ms(20));
        assert_eq!(feed(2_366, 256, 900), ms(145), "in time within the budget");
        assert_eq!(smoothing.get(ms(5_000)), SMOOTHING_MAX);
    }

    #[test]
    fn the_budget_follows_the_path_unless_it_is_fixed() {
        let ms = Duration::from_millis;
        let mut budget = Budget::new(None);
        assert_eq!(budget.get(None), BUDGET_INITIAL);
        (0..100).for_each(|i| budget.observe(ms(20 + i % 2)));
        assert_eq!(budget.get(Some(ms(10))), ms(21 + 50));
        assert_eq!(budget.get(Some(ms(60))), ms(21 + 90));
        assert_eq!(Budget::new(Some(ms(7))).get(Some(ms(60))), ms(7));
    }
}
