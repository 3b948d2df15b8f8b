//! The checkers of what goes over the wire: numbers, reports, repairs and pacing, as whoever can read it sees them.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use nalcast_core::Timestamp;
use nalcast_core::limits::{
    BURST_DATAGRAMS_MAX, CATCH_UP_BYTES_MAX, DATAGRAM_BYTES_MAX, FEEDBACK_SPACING_MIN, IDLE_PERIOD, KEY_FRAME_BURST,
    KEY_FRAME_SPACING, PACING_FRAME_PERIOD, PACING_LATENESS, PACING_QUEUE_PERIOD, QUEUE_AGE_MAX,
    REPAIR_CREDIT_BYTES_MIN, REPAIR_CREDIT_PERIOD, REPAIR_PERIOD_MAX, REPAIR_RATE_MIN, REPAIR_SHARE_PERCENT_MAX,
    SORT_AGE_THRESHOLD,
};
use nalcast_core::seal::Seal as _;
use nalcast_core::send::{Recovery, ViewerInfo};
use nalcast_core::wire::control::{Control, Messages};
use nalcast_core::wire::feedback::Feedback;
use nalcast_core::wire::media::FragmentHeader;
use nalcast_core::wire::sealed::{Header, TO_VIEWER_BYTES};
use nalcast_core::wire::{Reader, frame_id_full};

use crate::check::{Violation, messages};
use crate::plain::PlainSeal;

/// A report tells times in units of no more.
const CLOCK_UNIT: Duration = Duration::from_millis(1);
/// Bytes of media are counted within so much time: as exact as timers are.
const PACING_WINDOW: Duration = Duration::from_millis(1);
/// Any path carries so much for a moment, bytes a second.
const QUICK_RATE: u64 = 3_750_000;
/// A frame with its parity, and what surrounds its symbols, in hundredths of the frame.
const SHARE_PERCENT_MAX: u64 = 170;
/// What reports may cost while little comes, bytes a second, what may be saved up of that, and what a report may be
/// longer than it was reckoned.
const REPORT_RATE: u64 = 50_000 / 8;
const REPORT_SLACK: u64 = 1_500 + 600;
/// What else travels with a report: answers to PING, a wish, once a second a PING.
const BESIDE_PERCENT: u64 = 20;
/// So long after a frame left a viewer may learn of it: over a session that is silent for longer nothing is sent again.
const OUTAGE_MAX: Duration = IDLE_PERIOD;
/// Frames whose leaving is remembered.
const FRAMES_MAX: usize = 512;

/// What the source made: what pacing and repairs are measured by.
#[derive(Debug)]
pub(crate) struct Load {
    /// Frames that wait for a viewer are no older.
    age_max: Duration,
    /// Bytes of frames that a newcomer is given at once, in percent of the largest frame.
    chain_percent: u64,
    newest: u64,
    recent: VecDeque<(Timestamp, u64)>,
    recent_bytes: u64,
    largest: u64,
    /// The second that is on, its bytes, and the most that any second before it had.
    second: u64,
    second_bytes: u64,
    peak: u64,
}

impl Load {
    /// Of a source that can help a viewer which lost a frame, or of one that cannot: there a frame waits for as long as a
    /// repair may take.
    pub(crate) fn new(recovery: Recovery) -> Self {
        let is_file = recovery == Recovery::Nothing;
        Self {
            age_max: if is_file { REPAIR_PERIOD_MAX } else { QUEUE_AGE_MAX },
            chain_percent: if is_file { 1_000 } else { 150 },
            newest: 0,
            recent: VecDeque::new(),
            recent_bytes: 0,
            largest: 0,
            second: 0,
            second_bytes: 0,
            peak: 0,
        }
    }

    /// The server took a unit of `bytes` as frame `frame_id`.
    pub(crate) fn add(&mut self, now: Timestamp, frame_id: u64, bytes: usize) {
        self.newest = frame_id;
        self.recent.push_back((now, bytes as u64));
        self.recent_bytes += bytes as u64;
        self.largest = self.largest.max(bytes as u64);
        let second = now.as_micros() / 1_000_000;
        self.second_bytes = if second == self.second { self.second_bytes + bytes as u64 } else { bytes as u64 };
        self.second = second;
        self.peak = self.peak.max(self.second_bytes);
        while let Some((_, bytes)) = self.recent.front().copied().filter(|(at, _)| *at + self.age_max < now) {
            self.recent.pop_front();
            self.recent_bytes -= bytes;
        }
    }

    /// The most that may be sent to one viewer, bytes a second: a frame within the pacing period, the queue within its own,
    /// or what the source makes, one and a half times.
    fn rate_max(&self) -> u64 {
        let over = |bytes: u64, period: Duration| bytes * 1_000 / period.as_millis().max(1) as u64;
        let frame = over(self.largest, PACING_FRAME_PERIOD);
        let chain = (self.largest * self.chain_percent / 100).min(CATCH_UP_BYTES_MAX as u64);
        let queue = over(self.recent_bytes.max(chain), PACING_QUEUE_PERIOD);
        frame.max(queue).max(QUICK_RATE) * SHARE_PERCENT_MAX / 100
    }
}

/// What the server knows of a path that takes `least` there and back, and what it has spent on it.
///
/// # Errors
/// If a round trip is shorter than that, or repairs cost more than their share of what the source makes at its most.
pub(crate) fn check_path(now: Timestamp, viewer: &ViewerInfo, least: Duration, load: &Load) -> Result<(), Violation> {
    if viewer.rtt.is_some_and(|rtt| rtt + CLOCK_UNIT < least) {
        return Err(format!("a round trip of {:?} on a path of {least:?}", viewer.rtt));
    }
    // Whole seconds, measured from any moment, may hold as much as two that are counted here.
    let rate = (2 * load.peak * REPAIR_SHARE_PERCENT_MAX / 100).max(2 * REPAIR_RATE_MIN);
    let seconds = now.as_micros() / 1_000_000 + 1 + REPAIR_CREDIT_PERIOD.as_secs();
    let most = rate * seconds + REPAIR_CREDIT_BYTES_MIN;
    match viewer.traffic.repair_bytes <= most {
        true => Ok(()),
        false => Err(format!("{} bytes of repairs at {} bytes a second", viewer.traffic.repair_bytes, load.peak)),
    }
}

/// The requests for key frames that a server makes.
#[derive(Debug, Default)]
pub(crate) struct KeyRequests(Vec<Timestamp>);

impl KeyRequests {
    /// The encoder is asked for one.
    ///
    /// # Errors
    /// If that is more often than anybody has a right to.
    pub(crate) fn add(&mut self, now: Timestamp) -> Result<(), Violation> {
        self.0.push(now);
        let earned = |since: Timestamp| (now - since).as_millis() / KEY_FRAME_SPACING.as_millis();
        let too_many =
            |first: usize| (self.0.len() - first) as u128 > u128::from(KEY_FRAME_BURST) + earned(self.0[first]);
        match (0..self.0.len()).find(|first| too_many(*first)) {
            Some(first) => Err(format!("{} key frames wanted since {}", self.0.len() - first, self.0[first])),
            None => Ok(()),
        }
    }

    /// Another server begins.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

/// What a viewer knew of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knew {
    Nothing,
    Perhaps,
    Since(Timestamp),
}

impl Knew {
    /// Whether it has waited for the frame for longer than any repair may take. A frame is known once it is sorted.
    fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::Since(at) if now > at + REPAIR_PERIOD_MAX + SORT_AGE_THRESHOLD)
    }
}

/// Both directions of one session.
#[derive(Debug)]
struct Session {
    id: u32,
    began: Timestamp,
    to_viewer: Option<u64>,
    to_server: Option<u64>,
    reported: Option<Timestamp>,
    report_bytes: u64,
    media_bytes: u64,
    /// When the last symbol of a frame left that was no repair.
    left: BTreeMap<u64, Timestamp>,
    /// When the viewer knew of a frame.
    known: BTreeMap<u64, Timestamp>,
    /// When the first frame ended.
    started: Option<Timestamp>,
    recent: VecDeque<(Timestamp, u64)>,
    recent_bytes: u64,
}

/// Watches the sealed datagrams between a server and one viewer, as they are sent.
#[derive(Debug, Default)]
pub(crate) struct WireChecker {
    sessions: Vec<Session>,
}

impl WireChecker {
    /// The viewer sends a datagram.
    ///
    /// # Errors
    /// If its number was used before, or its report comes too soon, costs too much, or says what cannot be.
    pub(crate) fn viewer_sends(&mut self, now: Timestamp, datagram: &[u8]) -> Result<(), Violation> {
        let Some((header, id)) = sealed(datagram).and_then(|header| Some((header, header.connection_id?))) else {
            return Ok(());
        };
        let place = self.sessions.iter().position(|session| session.id == id).unwrap_or_else(|| {
            self.sessions.push(Session::new(now, id));
            self.sessions.len() - 1
        });
        let session = &mut self.sessions[place];
        advance(&mut session.to_server, &header, "the viewer")?;
        for message in messages(datagram) {
            let Control::Feedback(body) = message else { continue };
            let report = Feedback::parse(body).map_err(|error| format!("a report that cannot be read: {error:?}"))?;
            session.reports(now, &report, datagram.len())?;
        }
        Ok(())
    }

    /// The viewer receives a datagram, which may be damaged.
    pub(crate) fn viewer_receives(&mut self, now: Timestamp, datagram: &[u8], load: &Load) {
        let Some(header) = sealed(datagram).filter(|_| datagram.len() > TO_VIEWER_BYTES + PlainSeal::TAG_BYTES) else {
            return;
        };
        let mut sessions = self.sessions.iter_mut().rev();
        let Some(session) = sessions.find(|session| session.sealed(&header, datagram)) else { return };
        let text = &datagram[TO_VIEWER_BYTES..datagram.len() - PlainSeal::TAG_BYTES];
        if text.first().is_some_and(|first| first & 0x80 == 0) {
            let Ok(fragment) = FragmentHeader::read(&mut Reader::new(text)) else { return };
            session.learns(now, frame_id_full(load.newest, fragment.frame_id_low));
        }
        for message in Messages::new(text).filter_map(Result::ok) {
            if let Control::Heartbeat { newest_frame, .. } = message {
                session.learns(now, newest_frame);
            }
        }
    }

    /// The viewer has released frame `frame_id`, or given it up.
    ///
    /// # Errors
    /// If it waited for longer than any repair may take.
    pub(crate) fn ended(&mut self, now: Timestamp, frame_id: u64) -> Result<(), Violation> {
        let Some(session) = self.sessions.last_mut() else { return Ok(()) };
        // Up to then it may have learned of frames before this one, and has to wait for those first.
        let started = *session.started.get_or_insert(now);
        let knew = match session.knew(frame_id) {
            Knew::Since(at) => Knew::Since(at.max(started)),
            other @ (Knew::Nothing | Knew::Perhaps) => other,
        };
        if knew.is_over(now) { Err(format!("frame {frame_id} ends, known of: {knew:?}")) } else { Ok(()) }
    }

    /// The server sends the viewer a datagram.
    ///
    /// # Errors
    /// If its number was used before, if it belongs to no session, or is media too soon or too late.
    pub(crate) fn server_sends(&mut self, now: Timestamp, datagram: &[u8], load: &Load) -> Result<(), Violation> {
        let Some(header) = sealed(datagram) else { return Ok(()) };
        let is_one = self.sessions.len() == 1;
        let mut sessions = self.sessions.iter_mut().rev();
        let session = sessions.find(|session| is_one || session.sealed(&header, datagram));
        let Some(session) = session else { return Err("a sealed datagram that belongs to no session".into()) };
        advance(&mut session.to_viewer, &header, "the server")?;
        let text = &datagram[TO_VIEWER_BYTES..datagram.len() - PlainSeal::TAG_BYTES];
        if text.first().is_some_and(|first| first & 0x80 != 0) {
            return Ok(());
        }
        let fragment = FragmentHeader::read(&mut Reader::new(text)).map_err(|error| format!("media: {error:?}"))?;
        let frame_id = frame_id_full(load.newest, fragment.frame_id_low);
        if !(1..=load.newest).contains(&frame_id) {
            return Err(format!("frame {frame_id} is sent but was never made"));
        }
        session.sends_of(now, frame_id, fragment.repair, load.newest)?;
        session.media_bytes += datagram.len() as u64;
        session.sends(now, datagram.len() as u64, load.rate_max())
    }
}

impl Session {
    fn new(now: Timestamp, id: u32) -> Self {
        Self {
            id,
            began: now,
            to_viewer: None,
            to_server: None,
            reported: None,
            report_bytes: 0,
            media_bytes: 0,
            left: BTreeMap::new(),
            known: BTreeMap::new(),
            started: None,
            recent: VecDeque::new(),
            recent_bytes: 0,
        }
    }

    /// The viewer knows from now on that frames up to this one exist.
    fn learns(&mut self, now: Timestamp, frame_id: u64) {
        let first = self.known.last_key_value().map_or(frame_id, |(last, _)| last + 1);
        self.known.extend((first..=frame_id).map(|id| (id, now)));
    }

    /// When the viewer knew of a frame. That there are frames before the first one that it saw it learns from references
    /// only, which nobody sees here.
    fn knew(&self, frame_id: u64) -> Knew {
        match (self.known.get(&frame_id), self.known.first_key_value()) {
            (Some(at), _) => Knew::Since(*at),
            (None, Some((first, _))) if frame_id < *first => Knew::Perhaps,
            (None, _) => Knew::Nothing,
        }
    }

    /// Whether a datagram to the viewer was sealed for this session.
    fn sealed(&self, header: &Header, datagram: &[u8]) -> bool {
        let number = header.packet_number(self.to_viewer.unwrap_or_default());
        let (head, body) = datagram.split_at(TO_VIEWER_BYTES);
        PlainSeal::of_session(self.id).to_viewer.open(number, head, &mut body.to_vec()).is_ok()
    }

    fn reports(&mut self, now: Timestamp, report: &Feedback<'_>, len: usize) -> Result<(), Violation> {
        if let Some(last) = self.reported.replace(now)
            && now - last < FEEDBACK_SPACING_MIN
        {
            return Err(format!("two reports within {:?}", now - last));
        }
        if u64::from(report.largest) > self.to_viewer.unwrap_or_default() {
            return Err(format!("packet {} came, the last one sent was {:?}", report.largest, self.to_viewer));
        }
        let is_done = |frame: u16| (1..0x8000).contains(&report.waiting_for.wrapping_sub(frame));
        for need in report.needs.iter() {
            if report.last_decoded.is_some() && is_done(need.frame) {
                return Err(format!("frame {} is asked for, frame {} is waited for", need.frame, report.waiting_for));
            }
            let newest = self.known.last_key_value().map_or(0, |(id, _)| *id);
            let knew = self.knew(frame_id_full(newest, need.frame));
            if knew == Knew::Nothing || knew.is_over(now) {
                return Err(format!("frame {} is asked for, known of: {knew:?}", need.frame));
            }
        }
        self.report_bytes += len as u64;
        let earned = REPORT_RATE * (now - self.began).as_millis() as u64 / 1_000;
        let most =
            (earned.max(self.media_bytes / 100) + earned.min(self.media_bytes / 100)) * (100 + BESIDE_PERCENT) / 100;
        if self.report_bytes > most + REPORT_SLACK {
            return Err(format!("{} bytes of reports in {:?}", self.report_bytes, now - self.began));
        }
        Ok(())
    }

    /// A symbol of a frame is sent for the first time, or in place of one that was lost.
    fn sends_of(&mut self, now: Timestamp, frame_id: u64, repair: bool, newest: u64) -> Result<(), Violation> {
        if !repair {
            self.left.insert(frame_id, now);
            if self.left.len() > FRAMES_MAX {
                self.left.pop_first();
            }
            return Ok(());
        }
        let left = self.left.get(&frame_id).ok_or_else(|| format!("frame {frame_id} is repaired, but never left"))?;
        // The newest one is sent until it is there: nothing comes in its place.
        if frame_id < newest && now > *left + REPAIR_PERIOD_MAX + OUTAGE_MAX {
            return Err(format!("frame {frame_id} left at {left} and is repaired"));
        }
        Ok(())
    }

    fn sends(&mut self, now: Timestamp, bytes: u64, rate_max: u64) -> Result<(), Violation> {
        self.recent.push_back((now, bytes));
        self.recent_bytes += bytes;
        while let Some((_, bytes)) = self.recent.front().copied().filter(|(at, _)| *at + PACING_WINDOW <= now) {
            self.recent.pop_front();
            self.recent_bytes -= bytes;
        }
        let window = (PACING_WINDOW + PACING_LATENESS).as_millis() as u64;
        let most = rate_max * window / 1_000 + (BURST_DATAGRAMS_MAX * DATAGRAM_BYTES_MAX) as u64;
        match self.recent_bytes <= most {
            true => Ok(()),
            false => Err(format!("{} bytes within {PACING_WINDOW:?} at {rate_max} bytes a second", self.recent_bytes)),
        }
    }
}

fn sealed(datagram: &[u8]) -> Option<Header> {
    Header::is_sealed(datagram).then(|| Header::read(&mut Reader::new(datagram)).ok()).flatten()
}

/// Each number is larger than all before it.
fn advance(last: &mut Option<u64>, header: &Header, who: &str) -> Result<(), Violation> {
    let number = header.packet_number(last.unwrap_or_default());
    if last.is_some_and(|last| number <= last) {
        return Err(format!("{who} sends packet {number} after {last:?}"));
    }
    *last = Some(number);
    Ok(())
}

#[cfg(test)]
mod tests;
