//! Frames withheld from one viewer by choice: said until its reports show that it stopped waiting for them.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::limits::SKIP_RANGES_MAX;
use crate::time::Timestamp;
use crate::wire::control::Control;
use crate::wire::frame_id_low;

#[derive(Debug)]
struct Range {
    from: u64,
    to: u64,
    send_at: Timestamp,
}

/// Ranges of withheld frames, oldest first.
#[derive(Debug, Default)]
pub(super) struct Skips {
    ranges: VecDeque<Range>,
}

impl Skips {
    /// Frames `from..=to` will not come.
    pub(super) fn add(&mut self, now: Timestamp, from: u64, to: u64) {
        if self.ranges.iter().any(|range| range.from <= from && to <= range.to) {
            return;
        }
        if let Some(last) = self.ranges.back_mut()
            && last.to + 1 == from
        {
            last.to = to;
            last.send_at = now;
            return;
        }
        if self.ranges.len() >= SKIP_RANGES_MAX {
            // The viewer gives it up by its own clock then.
            self.ranges.pop_front();
        }
        self.ranges.push_back(Range { from, to, send_at: now });
    }

    /// The viewer waits for `waiting_for`: everything below is settled.
    pub(super) fn heard(&mut self, waiting_for: u64) {
        self.ranges.retain(|range| range.to >= waiting_for);
    }

    /// When the next range is due to be said.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.ranges.iter().map(|range| range.send_at).min()
    }

    /// The next range that is due; it will be due again a round trip later.
    pub(super) fn poll(&mut self, now: Timestamp, rtt: Duration) -> Option<Control<'static>> {
        let range = self.ranges.iter_mut().find(|range| range.send_at <= now)?;
        range.send_at = now + rtt.max(Duration::from_millis(10));
        let next = frame_id_low(range.to + 1);
        Some(Control::Skip { from: frame_id_low(range.from), to: frame_id_low(range.to), next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn a_range_is_said_once_a_round_trip_until_it_is_heard() {
        let ms = Timestamp::from_millis;
        let mut skips = Skips::default();
        skips.add(ms(0), 5, 7);
        skips.add(ms(1), 8, 8);
        assert_eq!(skips.poll(ms(1), RTT), Some(Control::Skip { from: 5, to: 8, next: 9 }));
        assert_eq!(skips.poll(ms(2), RTT), None);
        assert_eq!(skips.due(), Some(ms(51)));
        skips.heard(8);
        assert!(skips.poll(ms(51), RTT).is_some(), "frame 8 is still waited for");
        skips.heard(9);
        assert_eq!(skips.due(), None);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut skips = Skips::default();
        (0..1_000).for_each(|i| skips.add(Timestamp::ZERO, i * 10, i * 10));
        assert_eq!(skips.ranges.len(), SKIP_RANGES_MAX);
        assert_eq!(skips.ranges.back().map(|range| range.from), Some(9_990));
    }
}
