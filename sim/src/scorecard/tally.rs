//! What is noted of a run, frame by frame: what left, what arrived, when the viewer had it.

use core::time::Duration;

use nalcast_core::Timestamp;
use nalcast_core::wire::media::FragmentHeader;
use nalcast_core::wire::sealed::{Header, TO_VIEWER_BYTES};
use nalcast_core::wire::{Reader, frame_id_full};

use super::rows::counting_begins;

/// Time after the first picture from which a path without loss may cost nothing.
const START_OVER: Duration = Duration::from_secs(1);

/// One frame's way.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// When its picture was taken.
    pub(super) captured: Timestamp,
    /// Bytes of its access unit.
    pub(super) bytes: usize,
    /// Data fragments that it was cut into; 0 until the first one left.
    pub(super) fragments: u16,
    /// Rows of it that were sent: data, parity, and both again.
    pub(super) rows: u32,
    /// Of those, parity that nobody asked for.
    pub(super) parity: u32,
    /// Of those, repair.
    pub(super) repair: u32,
    /// What has arrived of it, while that is not enough: data fragments, and parity rows above them.
    pieces: Vec<u16>,
    /// When enough had arrived.
    pub(super) intact: Option<Timestamp>,
    /// When the viewer released it.
    pub(super) released: Option<Timestamp>,
}

/// Bytes to the viewer, by what they are for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    pub(super) all: u64,
    pub(super) parity: u64,
    pub(super) repair: u64,
    /// From the viewer.
    pub(super) reports: u64,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    budget: Duration,
    frames: Vec<Frame>,
    /// The id of the first.
    first_id: u64,
    first_release: Option<Timestamp>,
    /// Frames captured since counting began.
    counted: u64,
    /// Bytes since counting began.
    pub(super) bytes: Bytes,
    /// Repair and parity datagrams since a second after the first picture.
    pub(super) repairs_settled: u64,
    pub(super) parity_settled: u64,
    /// The last moment that anything is known of.
    pub(super) last: Timestamp,
}

impl Tally {
    pub(super) fn new(budget: Duration) -> Self {
        Self {
            budget,
            frames: Vec::new(),
            first_id: 0,
            first_release: None,
            counted: 0,
            bytes: Bytes::default(),
            repairs_settled: 0,
            parity_settled: 0,
            last: Timestamp::ZERO,
        }
    }

    pub(super) const fn budget(&self) -> Duration {
        self.budget
    }

    /// When the source began.
    pub(super) fn began(&self) -> Timestamp {
        self.frames.first().map_or(Timestamp::ZERO, |frame| frame.captured)
    }

    pub(super) const fn counted(&self) -> u64 {
        self.counted
    }

    fn counting_since(&self) -> Timestamp {
        counting_begins(self.first_release)
    }

    /// The frames that count: those captured once the session has settled.
    pub(super) fn frames(&self) -> &[Frame] {
        let since = self.counting_since();
        let first = self.frames.partition_point(|frame| frame.captured < since);
        &self.frames[first..]
    }

    /// Frames that count and did not arrive in time, of those whose time is over.
    pub(super) fn misses(&self, now: Timestamp) -> u64 {
        let over = |frame: &&Frame| frame.captured + self.budget < now;
        let missed = |frame: &&Frame| !self.is_in_time(frame);
        self.frames().iter().filter(over).filter(missed).count() as u64
    }

    pub(super) fn is_in_time(&self, frame: &Frame) -> bool {
        frame.intact.is_some_and(|at| at <= frame.captured + self.budget)
    }

    /// A frame is released only after its references, so all of them are there by then.
    pub(super) fn is_usable(&self, frame: &Frame) -> bool {
        frame.released.is_some_and(|at| at <= frame.captured + self.budget)
    }

    /// From capture to arrival of the whole frame.
    pub(super) fn delays(&self) -> Vec<Duration> {
        self.frames().iter().filter_map(|frame| Some(frame.intact? - frame.captured)).collect()
    }

    pub(super) fn captured(&mut self, now: Timestamp, frame_id: u64, bytes: usize) {
        if self.frames.is_empty() {
            self.first_id = frame_id;
        }
        self.frames.push(Frame {
            captured: now,
            bytes,
            fragments: 0,
            rows: 0,
            parity: 0,
            repair: 0,
            pieces: Vec::new(),
            intact: None,
            released: None,
        });
        self.counted += u64::from(now >= self.counting_since());
        self.last = now;
    }

    /// The server sent a datagram.
    pub(super) fn sent(&mut self, now: Timestamp, datagram: &[u8]) {
        let fragment = self.fragment(datagram);
        let (repair, parity) =
            fragment.map_or((false, false), |(_, header)| (header.repair, header.parity && !header.repair));
        if now >= self.counting_since() {
            let len = datagram.len() as u64;
            self.bytes.all += len;
            self.bytes.repair += if repair { len } else { 0 };
            self.bytes.parity += if parity { len } else { 0 };
        }
        if self.first_release.is_some_and(|first| now >= first + START_OVER) {
            self.repairs_settled += u64::from(repair);
            self.parity_settled += u64::from(parity);
        }
        if let Some((index, header)) = fragment {
            let frame = &mut self.frames[index];
            if frame.fragments != header.count {
                // The path has turned out to carry less: what was sent of another cut is worth nothing.
                frame.fragments = header.count;
                frame.pieces.clear();
            }
            frame.rows += 1;
            frame.repair += u32::from(repair);
            frame.parity += u32::from(parity);
        }
    }

    /// A datagram reached the viewer.
    pub(super) fn arrived(&mut self, now: Timestamp, datagram: &[u8]) {
        let Some((index, header)) = self.fragment(datagram) else { return };
        let frame = &mut self.frames[index];
        let piece = if header.parity { header.count + header.index } else { header.index };
        if frame.intact.is_some() || frame.fragments != header.count || frame.pieces.contains(&piece) {
            return;
        }
        frame.pieces.push(piece);
        // Any so many rows will do. A frame of several blocks needs as many of each, but none here is that large.
        if frame.pieces.len() >= usize::from(header.count) {
            frame.intact = Some(now);
            frame.pieces = Vec::new();
        }
    }

    /// The viewer sent a datagram.
    pub(super) fn reported(&mut self, now: Timestamp, datagram: &[u8]) {
        if now >= self.counting_since() {
            self.bytes.reports += datagram.len() as u64;
        }
        self.last = self.last.max(now);
    }

    /// The viewer released a frame to its decoder.
    pub(super) fn released(&mut self, now: Timestamp, frame_id: u64) {
        self.first_release = self.first_release.or(Some(now));
        if let Some(frame) = frame_id.checked_sub(self.first_id).and_then(|index| self.frames.get_mut(index as usize)) {
            frame.released = frame.released.or(Some(now));
        }
    }

    /// What a datagram carries of which of the frames, if it is a fragment: the simulation's seal hides nothing.
    fn fragment(&self, datagram: &[u8]) -> Option<(usize, FragmentHeader)> {
        let plaintext = datagram.get(TO_VIEWER_BYTES..).filter(|_| Header::is_sealed(datagram))?;
        if plaintext.first()? & 0x80 != 0 {
            return None;
        }
        let header = FragmentHeader::read(&mut Reader::new(plaintext)).ok()?;
        let newest = self.first_id + (self.frames.len() as u64).checked_sub(1)?;
        let index = frame_id_full(newest, header.frame_id_low).checked_sub(self.first_id)?;
        Some((index as usize, header)).filter(|(index, _)| *index < self.frames.len())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nalcast_core::wire::Writer;

    /// A run in which each frame was whole and released so many milliseconds after its capture, if ever.
    pub(in crate::scorecard) fn tally(budget: Duration, ends: &[(Option<u64>, Option<u64>)]) -> Tally {
        let mut tally = Tally::new(budget);
        for (i, (intact, released)) in ends.iter().enumerate() {
            // Counting begins at the ninth second if nothing is released.
            let captured = Timestamp::from_micros(9_000_000 + i as u64 * 1_000_000 / 30);
            tally.captured(captured, 1 + i as u64, 1_000);
            let frame = &mut tally.frames[i];
            frame.intact = intact.map(|millis| captured + Duration::from_millis(millis));
            frame.released = released.map(|millis| captured + Duration::from_millis(millis));
        }
        tally
    }

    fn fragment(frame_id_low: u16, index: u16, parity: bool, repair: bool) -> Vec<u8> {
        let header = FragmentHeader {
            parity,
            key: false,
            disposable: false,
            temporal_id: 0,
            end: false,
            repair,
            frame_id_low,
            index,
            count: 2,
        };
        let mut buf = [0x80; 40];
        let mut writer = Writer::new(&mut buf[TO_VIEWER_BYTES..]);
        header.write(&mut writer);
        buf.to_vec()
    }

    #[test]
    fn a_frame_is_whole_with_any_two_different_rows_of_two() {
        let data = |index| fragment(1, index, false, false);
        for (pieces, whole) in [
            (vec![data(0)], false),
            (vec![data(0), data(0)], false),
            (vec![data(0), data(1)], true),
            (vec![data(1), fragment(1, 0, true, false)], true),
            (vec![fragment(1, 0, true, false), fragment(1, 1, true, true)], true),
            (vec![fragment(1, 1, true, false), fragment(1, 1, true, true)], false),
            (vec![data(0), fragment(2, 1, false, false)], false),
        ] {
            let mut tally = tally(Duration::ZERO, &[(None, None), (None, None)]);
            let now = Timestamp::from_millis(9_500);
            pieces.iter().for_each(|datagram| tally.sent(now, datagram));
            pieces.iter().for_each(|datagram| tally.arrived(now, datagram));
            assert_eq!(tally.frames[0].intact, whole.then_some(now), "{pieces:?}");
        }
    }

    #[test]
    fn rows_are_counted_by_what_they_are_for() {
        let mut tally = tally(Duration::ZERO, &[(None, None)]);
        let now = Timestamp::from_millis(9_500);
        let sent = [(0, false, false), (1, false, false), (0, true, false), (1, true, true), (0, false, true)];
        sent.iter().for_each(|(index, parity, repair)| tally.sent(now, &fragment(1, *index, *parity, *repair)));
        tally.sent(now, &[0x80; 50]);
        let frame = &tally.frames[0];
        assert_eq!((frame.rows, frame.parity, frame.repair), (5, 1, 2));
        assert_eq!((tally.bytes.all, tally.bytes.parity, tally.bytes.repair), (5 * 40 + 50, 40, 80));
    }
}
