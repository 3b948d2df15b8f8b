//! A source, a bottleneck and a viewer that reports, in virtual time.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::{Congestion, units};
use crate::limits::{RATE_BYTES_MAX, RATE_BYTES_MIN};
use crate::rng::Rng;
use crate::send::pacer::Rate;
use crate::time::{Timestamp, micros};

pub(super) const MBIT: u64 = 1_000_000 / 8;
const STEP: Duration = Duration::from_micros(250);
const PACKET: u64 = 1_200;
const REPORT_PERIOD_US: u64 = 16_000;
/// A packet counts as lost once one came that was sent this much later.
const OVERTAKEN: Duration = Duration::from_millis(60);

/// What lies between the two ends. Times are milliseconds of the run.
pub(super) struct Path {
    /// Bytes a second from each time on.
    pub(super) capacity: Vec<(u64, u64)>,
    /// What a queue may hold, in time.
    pub(super) queue_ms: u64,
    /// One way, from each time on.
    pub(super) delay_ms: Vec<(u64, u64)>,
    pub(super) jitter_ms: u64,
    /// Jitter reorders packets.
    pub(super) reorders: bool,
    pub(super) loss_ppm: u32,
    /// Nothing passes, either way.
    pub(super) blackout: (u64, u64),
    /// What is too fast is dropped at once instead of queued.
    pub(super) polices: bool,
    /// Nothing leaves the bottleneck for so long, ten times as rarely.
    pub(super) stall_ms: u64,
    /// The viewer's clock, parts per million too fast.
    pub(super) drift_ppm: i64,
}

pub(super) struct Source {
    /// Bytes a second that it would like to make.
    pub(super) wish: u64,
    pub(super) obeys: bool,
    /// Each so many frames one is eight times as large.
    pub(super) key_interval: u64,
    pub(super) fps: u64,
    pub(super) seed: u64,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            capacity: vec![(0, 100 * MBIT)],
            queue_ms: 300,
            delay_ms: vec![(0, 20)],
            jitter_ms: 0,
            reorders: false,
            loss_ppm: 0,
            blackout: (0, 0),
            polices: false,
            stall_ms: 0,
            drift_ppm: 0,
        }
    }
}

impl Default for Source {
    fn default() -> Self {
        Self { wish: 4 * MBIT, obeys: true, key_interval: 150, fps: 30, seed: 7 }
    }
}

/// What was seen in one millisecond.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) estimate: Option<u64>,
    pub(super) queue_ms: u64,
    pub(super) delivered: u64,
    pub(super) sent: u64,
    pub(super) dropped: u64,
    pub(super) is_rising: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Timestamp,
    is_settled: bool,
}

pub(super) struct Run {
    path: Path,
    source: Source,
    pub(super) congestion: Congestion,
    rng: Rng,
    pub(super) now: Timestamp,
    backlog: u64,
    frame_rate: u64,
    next_frame: u64,
    frames: u64,
    next_packet: Timestamp,
    sent: Vec<Sent>,
    judged: usize,
    /// When the bottleneck has sent all it holds.
    idle_at: Timestamp,
    last_arrival: Timestamp,
    arriving: Vec<(Timestamp, usize)>,
    unreported: Vec<(usize, u64)>,
    next_report: u64,
    reports: VecDeque<(Timestamp, Vec<(usize, u64)>)>,
    last_report: Timestamp,
    rtt: Duration,
    pub(super) samples: Vec<Sample>,
}

impl Run {
    pub(super) fn new(path: Path, source: Source) -> Self {
        let rtt = Duration::from_millis(path.delay_ms[0].1 * 2);
        Self {
            path,
            congestion: Congestion::new(Timestamp::ZERO),
            rng: Rng::new(source.seed),
            source,
            now: Timestamp::ZERO,
            backlog: 0,
            frame_rate: 1,
            next_frame: 0,
            frames: 0,
            next_packet: Timestamp::ZERO,
            sent: Vec::new(),
            judged: 0,
            idle_at: Timestamp::ZERO,
            last_arrival: Timestamp::ZERO,
            arriving: Vec::new(),
            unreported: Vec::new(),
            next_report: 0,
            reports: VecDeque::new(),
            last_report: Timestamp::ZERO,
            rtt,
            samples: Vec::new(),
        }
    }

    pub(super) fn until_s(mut self, seconds: u64) -> Self {
        while self.now < Timestamp::from_millis(seconds * 1_000) {
            self.samples.resize(self.millis() + 1, Sample::default());
            self.make_frames();
            self.send();
            self.arrive();
            self.report();
            self.take_reports();
            self.sample();
            self.now += STEP;
        }
        self
    }

    fn millis(&self) -> usize {
        self.now.as_micros() as usize / 1_000
    }

    fn since(&self, steps: &[(u64, u64)]) -> u64 {
        let at = self.millis() as u64;
        steps.iter().rev().find(|(from, _)| *from <= at).unwrap().1
    }

    fn is_black(&self) -> bool {
        (self.path.blackout.0..self.path.blackout.1).contains(&(self.millis() as u64))
    }

    fn make_frames(&mut self) {
        if self.now.as_micros() < self.next_frame {
            return;
        }
        let period = 1_000_000 / self.source.fps;
        self.next_frame += period;
        let target = self.congestion.target().filter(|_| self.source.obeys);
        let rate = target.map_or(self.source.wish, |target| target.0.min(self.source.wish));
        let usual = rate * period / 1_000_000;
        // Key frames fit into the rate over a second or so.
        let is_key = self.frames.is_multiple_of(self.source.key_interval);
        let is_saving = self.frames % self.source.key_interval <= 30;
        self.frames += 1;
        let len = if is_key {
            usual * 8
        } else if is_saving {
            usual * 23 / 30
        } else {
            usual
        };
        self.backlog += len * (80 + self.rng.below(41)) / 100;
        let fast = self.backlog * 100;
        self.frame_rate = self.congestion.pacing().map_or(fast, |Rate(pacing)| fast.min(pacing)).max(1);
    }

    fn send(&mut self) {
        while self.backlog >= PACKET && self.next_packet <= self.now {
            self.backlog -= PACKET;
            self.next_packet =
                self.now.max(self.next_packet) + Duration::from_micros(PACKET * 1_000_000 / self.frame_rate);
            self.congestion.sent(self.now, PACKET as usize);
            let number = self.sent.len();
            self.sent.push(Sent { at: self.now, is_settled: false });
            self.sample_mut().sent += PACKET;
            self.forward(number);
        }
    }

    fn forward(&mut self, number: usize) {
        let waiting = self.idle_at - self.now;
        let queue_max = Duration::from_millis(if self.path.polices { 50 } else { self.path.queue_ms });
        let is_lost = self.rng.chance_ppm(self.path.loss_ppm) || self.is_black();
        if waiting > queue_max || is_lost {
            self.sample_mut().dropped += PACKET;
            return;
        }
        let capacity = self.since(&self.path.capacity);
        self.idle_at = self.idle_at.max(self.now) + Duration::from_micros(PACKET * 1_000_000 / capacity);
        let stall = Duration::from_millis(self.path.stall_ms);
        let into = Duration::from_micros(micros(self.idle_at - Timestamp::ZERO) % micros(stall * 10).max(1));
        self.idle_at += stall.saturating_sub(into);
        let leaves = if self.path.polices { self.now } else { self.idle_at };
        let jitter = Duration::from_micros(self.rng.below(self.path.jitter_ms * 2_000 + 1));
        let mut arrives = leaves + Duration::from_millis(self.since(&self.path.delay_ms)) + jitter;
        if !self.path.reorders {
            arrives = arrives.max(self.last_arrival);
            self.last_arrival = arrives;
        }
        self.arriving.push((arrives, number));
    }

    fn arrive(&mut self) {
        let (come, rest) = self.arriving.iter().partition(|(at, _)| *at <= self.now);
        self.arriving = rest;
        let come: Vec<(Timestamp, usize)> = come;
        for (at, number) in come {
            let clock = at.as_micros() as i64 * (1_000_000 + self.path.drift_ppm) / 1_000_000;
            self.unreported.push((number, units(Timestamp::from_micros(clock as u64 + 5_000_000))));
            self.sample_mut().delivered += PACKET;
        }
    }

    fn report(&mut self) {
        if self.now.as_micros() < self.next_report {
            return;
        }
        self.next_report += REPORT_PERIOD_US;
        if !self.is_black() {
            let mut report = core::mem::take(&mut self.unreported);
            report.sort_unstable_by(|a, b| b.cmp(a));
            // Times travel as gaps that cannot be negative.
            let mut newer = u64::MAX;
            report.iter_mut().for_each(|(_, at)| newer = core::mem::replace(at, newer.min(*at)).min(newer));
            let back = Duration::from_millis(self.since(&self.path.delay_ms));
            self.reports.push_back((self.now + back, report));
        }
    }

    fn take_reports(&mut self) {
        while self.reports.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, report) = self.reports.pop_front().unwrap();
            self.last_report = self.now;
            if let Some((largest, _)) = report.first() {
                self.rtt = (self.rtt * 7 + (self.now - self.sent[*largest].at)) / 8;
            }
            for (number, at) in &report {
                let sent = &mut self.sent[*number];
                sent.is_settled = true;
                let received = self.congestion.received_at((at & 0xff_ffff) as u32);
                self.congestion.acknowledged(sent.at, received, PACKET as usize);
            }
            let newest = report.first().map_or(Timestamp::ZERO, |(largest, _)| self.sent[*largest].at);
            while self.sent.get(self.judged).is_some_and(|sent| sent.at + OVERTAKEN < newest) {
                self.congestion.lost(u32::from(!self.sent[self.judged].is_settled));
                self.judged += 1;
            }
            self.congestion.report_done(self.now, self.rtt);
        }
        self.congestion.silent(self.now - self.last_report, self.rtt + Duration::from_millis(40));
    }

    fn sample(&mut self) {
        let estimate = self.congestion.estimate().map(|rate| rate.0);
        assert!(estimate.is_none_or(|rate| (RATE_BYTES_MIN..=RATE_BYTES_MAX).contains(&rate)));
        let queue_ms = micros(self.idle_at - self.now) / 1_000;
        let is_rising = self.congestion.is_delay_rising();
        let sample = self.sample_mut();
        *sample = Sample { estimate, queue_ms, is_rising, ..*sample };
    }

    fn sample_mut(&mut self) -> &mut Sample {
        let millis = self.millis();
        &mut self.samples[millis]
    }

    /// The samples of `from..to`, milliseconds.
    pub(super) fn during(&self, from: u64, to: u64) -> &[Sample] {
        &self.samples[from as usize..to as usize]
    }

    /// What arrived in `from..to`, percent of `rate`.
    pub(super) fn percent_of(&self, rate: u64, from: u64, to: u64) -> u64 {
        let sum: u64 = self.during(from, to).iter().map(|sample| sample.delivered).sum();
        sum * 1_000 * 100 / (to - from) / rate
    }

    pub(super) fn queue_ms_max(&self, from: u64, to: u64) -> u64 {
        self.during(from, to).iter().map(|sample| sample.queue_ms).max().unwrap()
    }

    /// The queue that only one in twenty milliseconds exceeds.
    pub(super) fn queue_ms_p95(&self, from: u64, to: u64) -> u64 {
        let mut queues: Vec<u64> = self.during(from, to).iter().map(|sample| sample.queue_ms).collect();
        queues.sort_unstable();
        queues[queues.len() * 95 / 100]
    }
}
