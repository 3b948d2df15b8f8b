//! Single reports, without a path.

use core::time::Duration;

use super::super::Congestion;
use crate::send::pacer::Rate;
use crate::time::Timestamp;

const RTT: Duration = Duration::from_millis(40);
const MS: Duration = Duration::from_millis(1);

/// Half of what is sent during so many ms is too much: reports each 16 ms, packets in this order.
fn overload(newest_first: bool, millis: u64) -> (Congestion, Timestamp) {
    let mut congestion = Congestion::new(Timestamp::ZERO);
    let mut now = Timestamp::ZERO;
    for report in 0..millis / 16 {
        for i in 0..16 {
            let place = if newest_first { 15 - i } else { i };
            let sent_at = Timestamp::from_millis(report * 16 + place);
            congestion.sent(sent_at, 500);
            let received = (1 << 40) + (sent_at.as_micros() * 2) / 64;
            congestion.acknowledged(sent_at, received, 500);
        }
        now = Timestamp::from_millis(report * 32 + 60);
        congestion.report_done(now, RTT);
    }
    (congestion, now)
}

#[test]
fn packets_of_a_report_may_come_in_any_order() {
    let estimates = [true, false].map(|newest_first| overload(newest_first, 400).0.estimate());
    assert_eq!(estimates[0], estimates[1]);
    let Rate(estimate) = estimates[0].unwrap();
    assert!((100_000..250_000).contains(&estimate), "{estimate}");
}

#[test]
fn a_queue_of_which_nothing_is_heard_counts_no_longer() {
    let (mut congestion, now) = overload(false, 400);
    assert!(congestion.is_delay_rising());
    congestion.report_done(now + 490 * MS, RTT);
    assert!(congestion.is_delay_rising());
    congestion.report_done(now + 510 * MS, RTT);
    assert!(!congestion.is_delay_rising());
}

#[test]
fn a_queue_too_slow_for_a_trend_is_seen_when_it_stands() {
    let mut congestion = Congestion::new(Timestamp::ZERO);
    let mut seen_at = |millis| {
        let sent_at = Timestamp::from_millis(millis);
        let transit_us = millis * 15;
        congestion.acknowledged(sent_at, (1 << 40) + (sent_at.as_micros() + transit_us) / 64, 500);
        congestion.report_done(sent_at + RTT, RTT);
        congestion.is_delay_rising()
    };
    let seen = (0..8_000).step_by(10).find(|millis| seen_at(*millis));
    assert!(seen.is_some_and(|millis| (4_000..4_300).contains(&millis)), "{seen:?}");
}

#[test]
fn silence_halves_the_rate_with_each_timeout_until_the_next_report() {
    let (mut congestion, now) = overload(false, 400);
    let before = congestion.estimate().unwrap().0;
    let mut after = |silence: u32, timeout: u32| {
        congestion.silent(MS * silence, MS * timeout);
        congestion.estimate().unwrap().0
    };
    assert_eq!([after(499, 100), after(500, 100), after(599, 100), after(600, 100)], [0, 1, 1, 2].map(|n| before >> n));
    assert_eq!([after(799, 200), after(800, 200)], [0, 1].map(|n| before >> n), "four timeouts");
    congestion.report_done(now, RTT);
    assert_eq!(congestion.estimate(), Some(Rate(before)));
}

#[test]
fn a_path_without_a_limit_has_one_while_it_is_silent() {
    let mut congestion = Congestion::new(Timestamp::ZERO);
    for i in 0..200 {
        let sent_at = Timestamp::from_millis(i * 5);
        congestion.acknowledged(sent_at, (1 << 40) + i * 5_000 / 64, 500);
        congestion.report_done(sent_at + RTT, RTT);
    }
    congestion.silent(MS * 500, MS * 100);
    let Rate(rate) = congestion.estimate().unwrap();
    assert!((48_000..52_000).contains(&rate), "{rate}");
    congestion.report_done(Timestamp::from_millis(2_000), RTT);
    assert_eq!(congestion.estimate(), None);
}
