//! Whether packets take longer and longer: the slope of their delay, and the threshold over which it counts
//! (the trendline filter and the detector of draft-ietf-rmcat-gcc-02 §5.3-5.4, with WebRTC's constants).

/// Packets sent within this time make one group: what jitter does inside of it tells nothing about a queue.
const GROUP_US: u64 = 5_000;
/// A group that grows because its packets arrive in one burst ends after this long.
const BURST_US_MAX: i64 = 100_000;
/// After a longer pause, or such a jump of a clock, the slope begins anew.
const PAUSE_US: i64 = 2_000_000;
/// Groups that the slope is fitted to.
const GROUPS: usize = 20;
/// Groups that it takes to speak of a slope.
const GROUPS_MIN: u64 = 10;
/// The slope weighs more with each group since the beginning, up to this many.
const WEIGHT_MAX: u64 = 60;
const GAIN: i128 = 4;
/// The share of a new group in the smoothed delay.
const SMOOTHING: i64 = 10;

const THRESHOLD_US_INITIAL: i64 = 12_500;
const THRESHOLD_US_MIN: i64 = 6_000;
const THRESHOLD_US_MAX: i64 = 600_000;
/// How fast the threshold follows, parts per million of the difference each millisecond.
const UP_PPM: i64 = 8_700;
const DOWN_PPM: i64 = 39_000;
/// What is so far over the threshold is a stall, nothing to get used to.
const STALL_US: i64 = 15_000;
/// How long the threshold must have been exceeded.
const OVER_US: i64 = 10_000;

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: u64,
    last_sent: u64,
    first_received: u64,
    last_received: u64,
}

/// One group in the fit: when it came, and the smoothed delay then.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at: i64,
    delay: i64,
}

#[derive(Debug)]
pub(super) struct Trend {
    current: Option<Group>,
    previous: Option<Group>,
    points: [Point; GROUPS],
    /// Groups since the beginning.
    groups: u64,
    delay: i64,
    smoothed: i64,
    threshold: i64,
    over: i64,
    slope_before: i64,
    is_rising: bool,
}

impl Trend {
    pub(super) const fn new() -> Self {
        Self {
            current: None,
            previous: None,
            points: [Point { at: 0, delay: 0 }; GROUPS],
            groups: 0,
            delay: 0,
            smoothed: 0,
            threshold: THRESHOLD_US_INITIAL,
            over: 0,
            slope_before: 0,
            is_rising: false,
        }
    }

    pub(super) const fn is_rising(&self) -> bool {
        self.is_rising
    }

    /// A packet sent at `sent` came at `received`, microseconds of clocks that have nothing in common.
    pub(super) fn add(&mut self, sent: u64, received: u64) {
        let Some(group) = &mut self.current else {
            self.current = Some(Group::new(sent, received));
            return;
        };
        // What was overtaken says nothing new.
        if sent < group.first_sent {
            return;
        }
        if group.takes(sent, received) {
            group.last_sent = group.last_sent.max(sent);
            group.last_received = group.last_received.max(received);
            return;
        }
        let complete = *group;
        self.current = Some(Group::new(sent, received));
        if let Some(previous) = self.previous.replace(complete) {
            let sent = since(complete.last_sent, previous.last_sent);
            let received = since(complete.last_received, previous.last_received);
            self.step(sent, received, complete.last_received.cast_signed());
        }
    }

    /// A group followed the one before after `sent`, and came after `received`, at `at`.
    fn step(&mut self, sent: i64, received: i64, at: i64) {
        if sent > PAUSE_US || received.saturating_abs() > PAUSE_US {
            *self = Self { current: self.current, threshold: self.threshold, ..Self::new() };
            return;
        }
        self.delay += received - sent;
        self.smoothed =
            if self.groups == 0 { self.delay } else { self.smoothed + (self.delay - self.smoothed) / SMOOTHING };
        if let Some(oldest) = self.points.get_mut(place(self.groups)) {
            *oldest = Point { at, delay: self.smoothed };
        }
        self.groups = self.groups.saturating_add(1);
        if self.groups >= GROUPS_MIN {
            let slope = self.slope();
            self.judge(slope, sent);
            self.adapt(slope, received);
            self.slope_before = slope;
        }
    }

    /// The slope of the least-squares line, as a time that compares with the threshold.
    fn slope(&self) -> i64 {
        let [origin, ..] = self.points;
        let (mut n, mut x, mut y, mut xx, mut xy) = (0, 0, 0, 0, 0);
        for point in self.points.iter().zip(0..self.groups).map(|(point, _)| point) {
            let (at, delay) = (i128::from(point.at.wrapping_sub(origin.at)), i128::from(point.delay - origin.delay));
            n += 1;
            x += at;
            y += delay;
            xx += at * at;
            xy += at * delay;
        }
        let weight = i128::from(self.groups.min(WEIGHT_MAX)) * GAIN * 1_000;
        let slope = (n * xy - x * y) * weight / (n * xx - x * x).max(1);
        i64::try_from(slope.clamp(-i128::from(i32::MAX), i128::from(i32::MAX))).unwrap_or_default()
    }

    fn judge(&mut self, slope: i64, sent: i64) {
        if slope <= self.threshold {
            self.over = 0;
            self.is_rising = false;
            return;
        }
        // Nobody knows when between the two groups it began; the middle is as good a guess as any.
        let is_first = self.over == 0;
        self.over = self.over.saturating_add(if is_first { sent / 2 } else { sent }).max(1);
        if !is_first && self.over > OVER_US && slope >= self.slope_before {
            self.is_rising = true;
        }
    }

    /// Follows the slopes that are common on this path, so that jitter is not taken for a queue.
    fn adapt(&mut self, slope: i64, received: i64) {
        let excess = slope.abs() - self.threshold;
        if excess > STALL_US {
            return;
        }
        let ppm = if excess > 0 { UP_PPM } else { DOWN_PPM };
        let passed = received.clamp(0, BURST_US_MAX);
        self.threshold =
            (self.threshold + excess * ppm * passed / 1_000_000_000).clamp(THRESHOLD_US_MIN, THRESHOLD_US_MAX);
    }
}

impl Group {
    const fn new(sent: u64, received: u64) -> Self {
        Self { first_sent: sent, last_sent: sent, first_received: received, last_received: received }
    }

    /// Whether a packet belongs to the group: sent with it, or held up with it and let go at once.
    fn takes(&self, sent: u64, received: u64) -> bool {
        let (sent_after, received_after) = (since(sent, self.last_sent), since(received, self.last_received));
        let is_burst = received_after < sent_after
            && received_after <= GROUP_US.cast_signed()
            && since(received, self.first_received) < BURST_US_MAX;
        sent - self.first_sent <= GROUP_US || is_burst
    }
}

const fn since(later: u64, earlier: u64) -> i64 {
    later.wrapping_sub(earlier).cast_signed()
}

const fn place(group: u64) -> usize {
    (group % GROUPS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of three packets each 20 ms, each of which takes `change(group)` longer than the one before; in how many of
    /// them the delay was seen to rise.
    fn rising(groups: u64, change: impl Fn(u64) -> i64) -> usize {
        let mut trend = Trend::new();
        let mut transit = 0;
        let mut step = |group: u64| {
            transit += change(group);
            let sent = group * 20_000;
            for packet in 0..3 {
                trend.add(
                    sent + packet * 500,
                    (1u64 << 40).wrapping_add(sent).wrapping_add_signed(transit) + packet * 500,
                );
            }
            trend.is_rising()
        };
        (0..groups).filter(|group| step(*group)).count()
    }

    #[test]
    fn a_queue_that_grows_is_seen_and_no_other_delay() {
        assert_eq!(rising(500, |_| 0), 0);
        assert_eq!(rising(500, |_| -2_000), 0, "a queue that drains");
        assert_eq!(rising(5_000, |group| i64::from(group % 10 == 0) * 20), 0, "a clock that is off by 100 ppm");
        assert_eq!(rising(5_000, |group| [6_000, -6_000][group as usize % 2]), 0, "delay that changes");
        let seen = rising(100, |group| i64::from(group >= 50) * 10_000);
        assert!((40..50).contains(&seen), "half of what is sent is too much: {seen}");
        let seen = rising(200, |group| i64::from(group >= 50) * 2_000);
        assert!((60..140).contains(&seen), "a tenth is too much: {seen}");
    }

    #[test]
    fn a_slope_begins_anew_after_a_pause_or_a_jump() {
        let before_and_after =
            |jump: i64| rising(53, |group| if group == 40 { jump } else { i64::from(group > 40) * 10_000 });
        assert_eq!(before_and_after(PAUSE_US + 1), 0, "too few groups since");
        assert_eq!(before_and_after(-PAUSE_US - 1), 0);
        assert_ne!(before_and_after(0), 0);
    }

    #[test]
    fn a_slope_that_falls_again_is_no_queue_that_grows() {
        let after = |slopes: [i64; 3]| {
            let mut trend = Trend { slope_before: slopes[0], ..Trend::new() };
            trend.judge(slopes[1], 20_000);
            trend.slope_before = slopes[1];
            trend.judge(slopes[2], 20_000);
            trend.is_rising()
        };
        assert!(after([0, 30_000, 30_000]));
        assert!(!after([40_000, 30_000, 20_000]));
        assert!(!after([0, 30_000, 5_000]));
    }

    #[test]
    fn what_was_held_up_together_is_one_group() {
        let group = Group::new(0, 100_000);
        assert!(group.takes(GROUP_US, 200_000), "sent with it");
        assert!(group.takes(20_000, 101_000), "let go with it");
        assert!(!group.takes(20_000, 120_000));
    }

    #[test]
    fn the_threshold_learns_the_jitter_but_not_a_stall() {
        let mut trend = Trend::new();
        trend.adapt(THRESHOLD_US_INITIAL + STALL_US + 1, 20_000);
        assert_eq!(trend.threshold, THRESHOLD_US_INITIAL);
        (0..100).for_each(|_| trend.adapt(THRESHOLD_US_INITIAL + 10_000, 20_000));
        assert!((22_000..22_500).contains(&trend.threshold), "{}", trend.threshold);
        (0..1_000).for_each(|_| trend.adapt(0, 20_000));
        assert_eq!(trend.threshold, THRESHOLD_US_MIN);
    }
}
