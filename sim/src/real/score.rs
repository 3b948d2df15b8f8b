//! From what was sent when and released when to the figures of one run. Pure.
//!
//! * A frame is *in time* if the viewer released it within the budget and [`MARGIN`] after the server's core had it.
//! * It is *usable* if by then every reference of it had been released too, back to the key frame: each refers to the
//!   last frame before it that is not disposable.
//! * A picture *freezes* where two usable frames follow each other by the larger of three times their usual distance
//!   and that distance and 150 ms more (the definition of W3C's webrtc-stats, freezeCount).

use core::time::Duration;

use crate::proxy::{Counts, MEDIA_CLASS};

/// What a frame may be late without counting as late.
pub const MARGIN: Duration = Duration::from_millis(10);
/// IPv4 and UDP headers of each datagram.
pub const LOWER_HEADERS_BYTES: u64 = 28;

/// One frame of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Decoding can begin here.
    pub key: bool,
    /// Nothing refers to it.
    pub disposable: bool,
    /// Bytes of its access unit.
    pub bytes: usize,
}

/// When a frame was where; both by the same clock, from any origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// When the server's core had it.
    pub sent: Duration,
    /// When the viewer released it to the decoder, if ever.
    pub released: Option<Duration>,
}

impl Passage {
    /// From one to the other.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.released.map(|released| released.saturating_sub(self.sent))
    }
}

/// What became of the frames of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Share in time, in percent.
    pub in_time: f64,
    /// Share usable, in percent.
    pub usable: f64,
    /// Time that the picture stood still in all the freezes.
    pub frozen: Duration,
    /// Latency that half of the released frames kept; nothing where none was released.
    pub p50: Option<Duration>,
    /// The same of 95 %.
    pub p95: Option<Duration>,
    /// The same of 99 %.
    pub p99: Option<Duration>,
}

/// Scores one run. There are as many passages as frames; what was never sent has none and counts as lost.
#[must_use]
pub fn score(frames: &[Frame], passages: &[Option<Passage>], budget: Duration) -> Outcome {
    let passage = |place: usize| passages.get(place).copied().flatten();
    let usable = usable(frames, &passage, budget);
    let in_time = (0..frames.len()).filter(|place| passage(*place).is_some_and(|passage| is_in_time(&passage, budget)));
    let percent = |count: usize| count as f64 * 100.0 / frames.len().max(1) as f64;
    let mut latencies: Vec<_> = passages.iter().flatten().filter_map(Passage::latency).collect();
    latencies.sort_unstable();
    let shown: Vec<_> =
        usable.iter().enumerate().filter(|(_, usable)| **usable).filter_map(|(at, _)| passage(at)?.released).collect();
    Outcome {
        in_time: percent(in_time.count()),
        usable: percent(usable.iter().filter(|usable| **usable).count()),
        frozen: frozen(&shown, passages),
        p50: percentile(&latencies, 50),
        p95: percentile(&latencies, 95),
        p99: percentile(&latencies, 99),
    }
}

fn is_in_time(passage: &Passage, budget: Duration) -> bool {
    passage.latency().is_some_and(|latency| latency <= budget + MARGIN)
}

fn usable(frames: &[Frame], passage: &impl Fn(usize) -> Option<Passage>, budget: Duration) -> Vec<bool> {
    // When all that the next frame refers to was there; nothing if that will never be.
    let mut references = None;
    let mut usable = Vec::with_capacity(frames.len());
    for (place, frame) in frames.iter().enumerate() {
        let released = passage(place).and_then(|passage| passage.released);
        let chain = match (released, references) {
            (Some(released), _) if frame.key => Some(released),
            (Some(released), Some(references)) => Some(released.max(references)),
            (Some(_) | None, _) => None,
        };
        let deadline = passage(place).map(|passage| passage.sent + budget + MARGIN);
        usable.push(chain.is_some_and(|chain| Some(chain) <= deadline));
        if !frame.disposable {
            references = chain;
        }
    }
    usable
}

/// Time lost in freezes between usable frames, the stream's beginning and its end included.
fn frozen(shown: &[Duration], passages: &[Option<Passage>]) -> Duration {
    let mut sent = passages.iter().flatten().map(|passage| passage.sent);
    let Some(begin) = sent.next() else { return Duration::ZERO };
    let end = sent.next_back().unwrap_or(begin);
    let frames = u32::try_from(passages.len()).unwrap_or(u32::MAX).saturating_sub(1).max(1);
    let usual = (end - begin) / frames;
    let long = (usual * 3).max(usual + Duration::from_millis(150));
    let times = [&[begin], shown, &[end.max(shown.last().copied().unwrap_or(begin))]].concat();
    let gaps = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    gaps.filter(|gap| *gap > long).sum()
}

/// The nearest-rank percentile of sorted values.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Frames that came later than on the path without reordering, by more than datagrams are displaced, or never.
#[must_use]
pub fn late_beyond(displaced: Duration, plain: &[Option<Passage>], reordered: &[Option<Passage>]) -> usize {
    let latency = |passage: &Option<Passage>| passage.and_then(|passage| passage.latency());
    let pairs = plain.iter().zip(reordered);
    let is_late = |(plain, reordered): &(&Option<Passage>, &Option<Passage>)| {
        let allowed = latency(plain).map(|plain| plain + displaced + MARGIN);
        latency(reordered).is_none_or(|latency| Some(latency) > allowed)
    };
    pairs.filter(is_late).count()
}

/// What was sent to the viewer beyond the access units, in percent of them, with the headers below UDP's payload.
#[must_use]
pub fn overhead(datagrams: u64, bytes: u64, frames: &[Frame]) -> f64 {
    let payload: usize = frames.iter().map(|frame| frame.bytes).sum();
    (bytes + datagrams * LOWER_HEADERS_BYTES) as f64 * 100.0 / payload.max(1) as f64 - 100.0
}

/// Datagrams with media on a path of the base size beyond the `needed` ones of each frame, less the parity that came with
/// the first frame: the server sends it before it can know that nothing is lost.
#[must_use]
pub fn repairs(counts: &Counts, needed: &[u64]) -> i64 {
    let [all, at_start] = [counts.down_sizes, counts.down_start_sizes].map(|sizes| sizes[MEDIA_CLASS] as i64);
    let first = needed.first().copied().unwrap_or_default() as i64;
    all - needed.iter().sum::<u64>() as i64 - (at_start - first).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(150);
    const KEY: Frame = Frame { key: true, disposable: false, bytes: 1000 };
    const DELTA: Frame = Frame { key: false, ..KEY };
    const DISPOSABLE: Frame = Frame { disposable: true, ..DELTA };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A frame each 33 ms, released after so long.
    fn passages(latencies: &[Option<u64>]) -> Vec<Option<Passage>> {
        let passage = |(place, latency): (usize, &Option<u64>)| {
            let sent = ms(1_000 + 33 * place as u64);
            Some(Passage { sent, released: latency.map(|latency| sent + ms(latency)) })
        };
        latencies.iter().enumerate().map(passage).collect()
    }

    #[track_caller]
    fn check(frames: &[Frame], latencies: &[Option<u64>], in_time: usize, usable: &[u8]) {
        let passages = passages(latencies);
        let got = super::usable(frames, &|place| passages[place], BUDGET);
        assert_eq!(got.iter().map(|usable| u8::from(*usable)).collect::<Vec<_>>(), usable);
        let outcome = score(frames, &passages, BUDGET);
        let percent = |count: usize| count as f64 * 100.0 / frames.len() as f64;
        assert_eq!(outcome.in_time, percent(in_time));
        assert_eq!(outcome.usable, percent(usable.iter().filter(|usable| **usable == 1).count()));
    }

    #[test]
    fn a_frame_is_usable_with_all_its_references_only() {
        let fine = Some(20);
        check(&[KEY, DELTA, DELTA], &[fine, Some(160), fine], 3, &[1, 1, 1]);
        check(&[KEY, DELTA, DELTA], &[fine, Some(161), fine], 2, &[1, 0, 1]);
        // There in the end, but not by the next one's deadline.
        check(&[KEY, DELTA, DELTA], &[fine, Some(193), fine], 2, &[1, 0, 1]);
        check(&[KEY, DELTA, DELTA], &[fine, Some(194), fine], 2, &[1, 0, 0]);
        // What was late itself, but there when the next ones needed it.
        check(&[KEY, DELTA, DELTA, DELTA], &[fine, Some(175), Some(159), Some(130)], 3, &[1, 0, 1, 1]);
        check(&[KEY, DELTA, DELTA, KEY, DELTA], &[fine, None, fine, fine, fine], 4, &[1, 0, 0, 1, 1]);
        check(&[KEY, DISPOSABLE, DELTA], &[fine, None, fine], 2, &[1, 0, 1]);
        // The disposable one in between is no reference, but the one in front of it is.
        check(&[KEY, DELTA, DISPOSABLE, DELTA], &[fine, None, fine, fine], 3, &[1, 0, 0, 0]);
        check(&[DELTA, KEY], &[fine, fine], 2, &[0, 1]);
        check(&[KEY, DELTA], &[None, fine], 1, &[0, 0]);
    }

    #[test]
    fn what_was_never_sent_is_lost() {
        let mut sent = passages(&[Some(20), Some(20)]);
        sent[1] = None;
        let outcome = score(&[KEY, DELTA], &sent, BUDGET);
        assert_eq!((outcome.in_time, outcome.usable), (50.0, 50.0));
        assert_eq!(score(&[KEY], &[None], BUDGET), Outcome::default());
    }

    #[test]
    fn latencies_are_of_all_released_frames() {
        let latencies: Vec<_> = (1..=200).map(Some).chain([None]).collect();
        let frames = vec![DELTA; latencies.len()];
        let outcome = score(&frames, &passages(&latencies), BUDGET);
        assert_eq!([outcome.p50, outcome.p95, outcome.p99], [100, 190, 198].map(|us| Some(ms(us))));
    }

    #[test]
    fn freezes_are_long_gaps_between_usable_frames() {
        let check = |latencies: &[Option<u64>], wanted: u64| {
            let mut frames = vec![DELTA; latencies.len()];
            frames[0] = KEY;
            // A key frame after each gap, so that only the gap counts.
            (1..frames.len()).filter(|at| latencies[at - 1].is_none()).for_each(|at| frames[at] = KEY);
            assert_eq!(score(&frames, &passages(latencies), BUDGET).frozen, ms(wanted), "{latencies:?}");
        };
        let with_gap = |gap: usize, at: usize| {
            let mut latencies = vec![Some(20); 40];
            latencies[at..at + gap].fill(None);
            latencies
        };
        check(&with_gap(0, 0), 0);
        // The limit is 33 and 150 ms more.
        check(&with_gap(4, 10), 0);
        check(&with_gap(5, 10), 6 * 33);
        check(&with_gap(10, 0), 10 * 33 + 20);
        check(&with_gap(10, 30), 10 * 33 - 20);
        check(&[None; 40], 39 * 33);
    }

    #[test]
    fn only_what_displacement_does_not_explain_is_late() {
        let plain = passages(&[Some(20), Some(30), Some(20), Some(20), None]);
        let reordered = passages(&[Some(60), Some(70), Some(61), None, Some(20)]);
        // The last one's latency without reordering is not known.
        assert_eq!(late_beyond(ms(30), &plain, &reordered), 3);
        assert_eq!(late_beyond(ms(31), &plain, &reordered), 2);
        assert_eq!(late_beyond(ms(30), &plain[..2], &reordered[..2]), 0);
    }

    #[test]
    fn repairs_are_what_comes_beyond_the_frames_and_the_parity_of_the_first() {
        let check = |all, at_start, wanted| {
            let mut counts = Counts::default();
            (counts.down_sizes, counts.down_start_sizes) =
                ([90, all, 7, 0, 0, 0, 0, 0], [3, at_start, 5, 0, 0, 0, 0, 0]);
            assert_eq!(repairs(&counts, &[40, 10, 10]), wanted, "{all} datagrams, {at_start} of them at the start");
        };
        check(60, 40, 0);
        check(68, 48, 0);
        check(69, 48, 1);
        check(61, 40, 1);
        // The first frame took longer than the start: what else came then is not known.
        check(68, 30, 8);
        check(59, 40, -1);
    }

    #[test]
    fn overhead_counts_the_headers_below() {
        assert_eq!(overhead(10, 2_000, &[KEY, DELTA]), 14.0);
        assert_eq!(overhead(0, 1_000, &[KEY, DELTA]), -50.0);
    }
}
