//! The figures of a run: how much was in time, how late the rest, and what it cost.

use core::time::Duration;

use serde::Serialize;

use super::rows::{FPS, Row};
use super::tally::{Frame, Tally};
use crate::limits::dynamic::OVERHEAD_PRICE;

/// A picture that stands for this much longer than a frame lasts is seen to stand.
const FREEZE: Duration = Duration::from_millis(100);

/// What was measured of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Frames that count.
    pub frames: u64,
    /// Of those, not whole within the budget.
    pub missed: u64,
    /// Percent of frames whole within the budget.
    pub in_time_percent: f64,
    /// Percent of frames that the viewer could decode within the budget.
    pub usable_percent: f64,
    /// Capture to release, at 50, 95, 99 and 100 percent of all frames; nothing if the frame there was never released.
    pub latency_ms: [Option<f64>; 4],
    /// The longest time that a whole frame waited for its release, itself in time, milliseconds.
    pub held_ms: f64,
    /// Time that the picture stood still, in gaps of over 100 ms beyond a frame's length.
    pub freeze_seconds: f64,
    /// Seconds that count.
    pub seconds: f64,
    /// All bytes to the viewer over those of the access units, less those themselves, percent.
    pub overhead_percent: f64,
    /// Parity that nobody asked for, percent of all bytes to the viewer.
    pub parity_percent: f64,
    /// Repairs, percent of all bytes to the viewer.
    pub repair_percent: f64,
    /// What the viewer sent, kbit/s.
    pub reports_kbps: f64,
    /// Rows of a frame beyond its data fragments, on average, over the data fragments.
    pub extra_rows: f64,
    /// Parity and repair datagrams since a second after the first picture.
    pub redundant_when_settled: [u64; 2],
    /// Frames missed, and the redundancy at its weight: the two that a policy trades against each other.
    pub cost: f64,
}

impl Figures {
    pub(super) fn new(row: &Row, floor: Duration, tally: &Tally) -> Self {
        let frames = tally.frames();
        let count = frames.len() as u64;
        let missed = frames.iter().filter(|frame| !tally.is_in_time(frame)).count() as u64;
        let usable = frames.iter().filter(|frame| tally.is_usable(frame)).count() as u64;
        let bytes: u64 = frames.iter().map(|frame| frame.bytes as u64).sum();
        let seconds = count as f64 / f64::from(FPS);
        let extra_rows = ratio(frames.iter().map(extra).sum::<u64>(), count * u64::from(row.fragments));
        debug_assert!(tally.budget() >= floor, "what remains is counted from the first possible arrival");
        Self {
            frames: count,
            missed,
            in_time_percent: 100.0 * ratio(count - missed, count),
            usable_percent: 100.0 * ratio(usable, count),
            latency_ms: latencies(frames),
            held_ms: millis(frames.iter().filter_map(held).max().unwrap_or_default()),
            freeze_seconds: freeze(tally).as_secs_f64(),
            seconds,
            overhead_percent: 100.0 * (ratio(tally.bytes.all, bytes) - 1.0),
            parity_percent: 100.0 * ratio(tally.bytes.parity, tally.bytes.all),
            repair_percent: 100.0 * ratio(tally.bytes.repair, tally.bytes.all),
            reports_kbps: if count == 0 { 0.0 } else { tally.bytes.reports as f64 * 8e-3 / seconds },
            extra_rows,
            redundant_when_settled: [tally.parity_settled, tally.repairs_settled],
            cost: ratio(missed, count) + OVERHEAD_PRICE * extra_rows,
        }
    }
}

/// Rows of a frame beyond its data fragments; a frame that never left whole has none.
fn extra(frame: &Frame) -> u64 {
    u64::from(frame.rows.saturating_sub(u32::from(frame.fragments)))
}

fn held(frame: &Frame) -> Option<Duration> {
    Some(frame.released? - frame.intact?)
}

fn latencies(frames: &[Frame]) -> [Option<f64>; 4] {
    let mut sorted: Vec<_> =
        frames.iter().map(|frame| frame.released.map_or(Duration::MAX, |at| at - frame.captured)).collect();
    sorted.sort_unstable();
    [50, 95, 99, 100].map(|percent| {
        // The smallest latency that so many frames do not exceed.
        let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        sorted.get(rank).filter(|latency| **latency != Duration::MAX).map(|latency| millis(*latency))
    })
}

/// The gaps between pictures that were shown, and from the last one to the end.
fn freeze(tally: &Tally) -> Duration {
    let interval = Duration::from_secs(1) / FPS;
    let frames = tally.frames();
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return Duration::ZERO };
    let shown = frames.iter().filter(|frame| tally.is_usable(frame)).filter_map(|frame| frame.released);
    let mut before = first.captured;
    let mut frozen = Duration::ZERO;
    for at in shown.chain([last.captured]) {
        let beyond = (at - before).saturating_sub(interval);
        if beyond > FREEZE {
            frozen += beyond;
        }
        before = at.max(before);
    }
    frozen
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorecard::tally::tests::tally;

    /// Frames of a picture each 33 ms with a budget of 100 ms: when each was whole and released, in ms after capture.
    fn of(ends: &[(Option<u64>, Option<u64>)]) -> Tally {
        tally(Duration::from_millis(100), ends)
    }

    #[test]
    fn latencies_count_frames_that_never_came() {
        let mut ends = vec![(Some(20), Some(20)); 98];
        ends.extend([(Some(90), Some(95)), (None, None)]);
        assert_eq!(latencies(of(&ends).frames()), [Some(20.0), Some(20.0), Some(95.0), None]);
        assert_eq!(latencies(&[]), [None; 4]);
    }

    #[test]
    fn a_freeze_is_what_a_gap_has_beyond_a_frame_if_it_is_long() {
        let shown = (Some(20), Some(20));
        let lost = (None, None);
        assert_eq!(freeze(&of(&[shown; 30])), Duration::ZERO);
        assert_eq!(freeze(&of(&[vec![shown; 5], vec![lost; 2], vec![shown; 5]].concat())), Duration::ZERO);
        let long = [vec![shown; 5], vec![lost; 6], vec![shown; 5]].concat();
        let expected = Duration::from_millis(200);
        let is = |tally: &Tally| freeze(tally).abs_diff(expected) < Duration::from_micros(3);
        assert!(is(&of(&long)), "{:?}", freeze(&of(&long)));
        // One that comes too late to be shown ends no freeze.
        let late = [vec![shown; 5], vec![(Some(20), Some(101)); 6], vec![shown; 5]].concat();
        assert!(is(&of(&late)), "{:?}", freeze(&of(&late)));
    }
}
