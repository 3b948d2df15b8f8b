//! Which datagrams are lost, and that nothing else has a say in it.

use std::collections::BTreeSet;

use nalcast_core::Timestamp;
use sim::link::{Link, LinkConfig, LossModel, PPM};

use crate::{SEED, SIGMAS, check_binomial, check_rate, ms, number, run, with_loss};

fn lost_set(config: LinkConfig, count: u64, gap_us: u64) -> BTreeSet<u64> {
    let arrived: BTreeSet<u64> = run(config, SEED, count, gap_us).0.iter().map(|(_, d)| number(d)).collect();
    (0..count).filter(|n| !arrived.contains(n)).collect()
}

#[test]
fn independent_loss_is_calibrated() {
    for ppm in [0, 1_000, 10_000, 50_000, 200_000, PPM] {
        let lost = lost_set(with_loss(LossModel::Independent { ppm }), 100_000, 10);
        check_binomial(lost.len() as u64, 100_000, ppm);
    }
}

#[test]
fn burst_loss_by_packet_is_calibrated() {
    // Mean and variance of a two-state Markov chain; the runs of `bad` datagrams are geometric.
    let check = |to_bad: u32, to_good: u32, good: u32, bad: u32| {
        let [g, b, h_good, h_bad] = [to_bad, to_good, good, bad].map(|ppm| f64::from(ppm) / f64::from(PPM));
        let in_bad = g / (g + b);
        let mean = h_good * (1.0 - in_bad) + h_bad * in_bad;
        let memory = (1.0 - g - b) / (g + b);
        let variance = mean * (1.0 - mean) + 2.0 * (h_bad - h_good).powi(2) * in_bad * (1.0 - in_bad) * memory;
        let model = LossModel::BurstByPacket {
            good_to_bad_ppm: to_bad,
            bad_to_good_ppm: to_good,
            loss_good_ppm: good,
            loss_bad_ppm: bad,
        };
        let lost = lost_set(with_loss(model), 200_000, 10);
        check_rate(lost.len() as u64, 200_000, mean, variance);
        if bad == PPM && good == 0 {
            let bursts = lost.iter().filter(|n| !lost.contains(&(*n + 1))).count() as u64;
            // A geometric length has mean 1 / b and variance (1 - b) / b².
            check_rate(lost.len() as u64, bursts, 1.0 / b, (1.0 - b) / (b * b));
        }
    };
    check(5_000, 500_000, 0, PPM);
    check(25_000, 500_000, 0, PPM);
    check(2_020, 200_000, 0, PPM);
    check(68_000, 852_000, 40_000, 500_000);
}

#[test]
fn burst_loss_by_time_does_not_depend_on_the_packet_rate() {
    // 90 ms good, 10 ms bad: a tenth of the time, whether that is 10 or 100 datagrams a bad spell. One
    // alternation takes 100 ms; the bad time in it varies by mean² for either exponential sojourn.
    for gap_us in [100, 1_000] {
        let model = LossModel::BurstByTime { good_mean: ms(90), bad_mean: ms(10), loss_good_ppm: 0, loss_bad_ppm: PPM };
        let (span_ms, count) = (200_000, 200_000_000 / gap_us);
        let lost = lost_set(with_loss(model), count, gap_us);
        let cycles = span_ms as f64 / 100.0;
        // Renewal reward: the variance of (bad - 0.1 cycle) over a cycle is 0.9² bad² + 0.1² good².
        let bound_ms = SIGMAS * (cycles * (0.81 * 100.0 + 0.01 * 8_100.0)).sqrt();
        let lost_ms = lost.len() as f64 * gap_us as f64 / 1_000.0;
        assert!((lost_ms - 20_000.0).abs() <= bound_ms, "{lost_ms} ms lost, 20,000 ± {bound_ms:.0} expected");
        let bursts = lost.iter().filter(|n| !lost.contains(&(*n + 1))).count() as f64;
        // A spell is seen only if a datagram falls into it, and then for whole gaps.
        let gap_ms = gap_us as f64 / 1_000.0;
        let mean = gap_ms / (1.0 - (-gap_ms / 10.0).exp());
        let spell = lost_ms / bursts;
        assert!((spell - mean).abs() <= SIGMAS * 10.0 / bursts.sqrt(), "spells of {spell} ms, not {mean}");
    }
}

#[test]
fn scripted_loss_is_exact() {
    let script = BTreeSet::from([0, 3, 4, 99]);
    assert_eq!(lost_set(with_loss(LossModel::Scripted(script.clone())), 100, 10), script);
}

#[test]
fn a_model_goes_on_while_the_rest_changes_and_starts_anew_when_it_does() {
    let script = |number| with_loss(LossModel::Scripted(BTreeSet::from([number])));
    let mut link = Link::new(script(3), SEED);
    let mut lost = Vec::new();
    for n in 0..12 {
        let now = Timestamp::from_millis(n);
        match n {
            2 => link.set_config(now, LinkConfig { mtu_bytes: 100, ..script(3) }),
            6 => link.set_config(now, script(4)),
            _ => {}
        }
        link.send(now, b"datagram");
        lost.extend(link.poll_deliver(now).is_none().then_some(n));
    }
    assert_eq!(lost, [3, 10]);
}

#[test]
fn duplication_corruption_and_reordering_do_not_change_which_are_lost() {
    for loss in [LossModel::Independent { ppm: 50_000 }, LossModel::runs(40, 2)] {
        let plain = with_loss(loss);
        let lost = lost_set(plain.clone(), 10_000, 10);
        assert!(!lost.is_empty());
        let noisy = LinkConfig {
            duplicate_ppm: 300_000,
            duplicate_spread: ms(5),
            delay: ms(3),
            jitter: ms(3),
            jitter_reorders: true,
            hold_back_ppm: 100_000,
            hold_back_min: ms(1),
            hold_back_max: ms(9),
            ..plain
        };
        assert_eq!(lost_set(noisy, 10_000, 10), lost);
    }
}
