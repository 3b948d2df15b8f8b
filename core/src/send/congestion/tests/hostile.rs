//! What a viewer may claim: nothing of it may break the machine or leave its bounds.

use core::time::Duration;

use super::super::Congestion;
use super::path::{Path, Run, Source};
use crate::limits::{RATE_BYTES_MAX, RATE_BYTES_MIN};
use crate::rng::Rng;
use crate::send::pacer::Rate;
use crate::time::Timestamp;

/// A number of any size.
fn any(rng: &mut Rng) -> u64 {
    let bits = rng.below(65) as u32;
    rng.next_u64().checked_shr(bits).unwrap_or(0)
}

fn check(congestion: &Congestion) {
    let bounds = Rate(RATE_BYTES_MIN)..=Rate(RATE_BYTES_MAX);
    for rate in [congestion.estimate(), congestion.target(), congestion.pacing()] {
        assert!(rate.is_none_or(|rate| bounds.contains(&rate)), "{rate:?}");
    }
}

#[test]
fn no_report_breaks_it() {
    let mut estimates = 0;
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut now = Timestamp::from_micros(any(&mut rng) / 4);
        let mut congestion = Congestion::new(now);
        for _ in 0..300 {
            for _ in 0..rng.below(20) {
                congestion.sent(now, any(&mut rng) as usize);
                now += Duration::from_micros(rng.below(1_000));
            }
            let clock = congestion.received_at(rng.below(1 << 24) as u32);
            for _ in 0..rng.below(40) {
                let sent_at = now.saturating_sub(Duration::from_micros(rng.below(2_000_000)));
                let received = [clock, clock.saturating_sub(rng.below(1 << 16)), any(&mut rng)];
                let received = received[if rng.below(20) == 0 { 2 } else { rng.below(2) as usize }];
                congestion.acknowledged(sent_at, received, any(&mut rng) as usize);
            }
            congestion.lost(any(&mut rng) as u32);
            congestion.silent(Duration::from_micros(any(&mut rng)), Duration::from_micros(any(&mut rng)));
            check(&congestion);
            congestion.report_done(now, Duration::from_micros(rng.below(1 << 32)));
            check(&congestion);
            estimates += u32::from(congestion.estimate().is_some());
        }
    }
    assert!(estimates > 1_000, "{estimates}: these reports reach nothing");
}

/// More acknowledgements than a report can carry, over and over.
#[test]
fn a_path_takes_no_more_memory_with_time() {
    let Run { mut congestion, now, .. } = Run::new(Path::default(), Source::default()).until_s(5);
    let allocations = allocation_counter::measure(|| {
        for i in 0..2_000u64 {
            congestion.sent(now + Duration::from_micros(i), 1_200);
            congestion.acknowledged(now, congestion.received_at(0) + i, 1_200);
            if i % 700 == 0 {
                congestion.lost(3);
                congestion.report_done(now + Duration::from_micros(i), Duration::from_millis(40));
            }
        }
    });
    assert_eq!(allocations.count_total, 0);
}
