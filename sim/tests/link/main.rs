//! Calibration of the link model: each stage does what its configuration says, exactly or within 99.9 %.

mod laws;
mod loss;

use core::time::Duration;
use std::collections::BTreeMap;

use nalcast_core::Timestamp;
use sim::link::{Link, LinkConfig, LinkStats, LossModel, PPM};

/// Two-sided 99.9 % quantile of the normal distribution.
const SIGMAS: f64 = 3.2905;
const SEED: u64 = 0x11_4b;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at_us(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A datagram that carries its number.
fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut datagram = vec![0; len];
    datagram[..8].copy_from_slice(&number.to_be_bytes());
    datagram
}

fn number(datagram: &[u8]) -> u64 {
    u64::from_be_bytes(datagram[..8].try_into().expect("eight bytes"))
}

/// Everything that arrives until `end`, in order, with the time of its arrival.
fn drain(link: &mut Link, end: Timestamp, arrived: &mut Vec<(Timestamp, Vec<u8>)>) {
    while let Some(at) = link.poll_timeout().filter(|at| *at <= end) {
        while let Some(datagram) = link.poll_deliver(at) {
            arrived.push((at, datagram));
        }
        assert!(link.poll_timeout().is_none_or(|next| next > at), "a drained link must sleep");
        assert!(link.stats().is_conserved(), "{:?}", link.stats());
    }
}

/// Sends `count` numbered datagrams of 100 bytes, one every `gap_us`, and takes out what arrives.
fn run(config: LinkConfig, seed: u64, count: u64, gap_us: u64) -> (Vec<(Timestamp, Vec<u8>)>, LinkStats) {
    let mut link = Link::new(config, seed);
    let mut arrived = Vec::new();
    for n in 0..count {
        drain(&mut link, at_us(n * gap_us), &mut arrived);
        link.send(at_us(n * gap_us), &numbered(n, 100));
    }
    drain(&mut link, Timestamp::MAX, &mut arrived);
    (arrived, link.stats())
}

fn with_loss(loss: LossModel) -> LinkConfig {
    LinkConfig { loss, ..LinkConfig::default() }
}

/// `hits` of `trials` lies within the bound around `mean`; `variance` is that of one trial.
#[track_caller]
fn check_rate(hits: u64, trials: u64, mean: f64, variance: f64) {
    let off = (hits as f64 - trials as f64 * mean).abs();
    let bound = SIGMAS * (trials as f64 * variance).sqrt();
    assert!(off <= bound, "{hits} of {trials}, {off:.0} off the mean, but at most {bound:.0} expected");
}

#[track_caller]
fn check_binomial(hits: u64, trials: u64, ppm: u32) {
    let p = f64::from(ppm) / f64::from(PPM);
    check_rate(hits, trials, p, p * (1.0 - p));
}

#[test]
fn loss_does_not_change_which_of_the_rest_are_corrupted() {
    let damaged = |loss| {
        let config = LinkConfig { corrupt_ppm: 100_000, ..with_loss(loss) };
        let mut link = Link::new(config, SEED);
        let mut by_number = BTreeMap::new();
        for n in 0..2_000 {
            link.send(at_us(n), &[0; 100]);
            while let Some(datagram) = link.poll_deliver(at_us(n)) {
                by_number.insert(n, datagram);
            }
        }
        by_number
    };
    let (whole, part) = (damaged(LossModel::None), damaged(LossModel::Independent { ppm: 300_000 }));
    assert!(part.len() < whole.len());
    assert!(part.iter().all(|(n, datagram)| whole[n] == *datagram));
}

#[test]
fn serialization_keeps_the_rate_exactly() {
    // 1,003 bytes at 7 Mbit/s take 1,146.29 us each: the fraction must not be lost over the run.
    let mut link = Link::new(LinkConfig { rate_bps: 7_000_000, ..LinkConfig::default() }, SEED);
    for n in 0..1_000 {
        link.send(at_us(50), &numbered(n, 1_003));
    }
    let mut arrived = Vec::new();
    drain(&mut link, Timestamp::MAX, &mut arrived);
    let expected = (1..=1_000u64).map(|n| at_us(50 + (n * 1_003 * 8 * 1_000_000).div_ceil(7_000_000)));
    assert!(arrived.iter().map(|(at, _)| *at).eq(expected));
}

#[test]
fn a_new_rate_holds_for_what_waits() {
    let rate = |rate_bps| LinkConfig { rate_bps, ..LinkConfig::default() };
    let mut link = Link::new(rate(8_000_000), SEED);
    for n in 0..4 {
        link.send(Timestamp::ZERO, &numbered(n, 1_000));
    }
    let mut arrived = Vec::new();
    drain(&mut link, at_us(1_500), &mut arrived);
    link.set_config(at_us(1_500), rate(800_000));
    drain(&mut link, at_us(12_000), &mut arrived);
    link.set_config(at_us(12_000), rate(0));
    drain(&mut link, Timestamp::MAX, &mut arrived);
    let times: Vec<u64> = arrived.iter().map(|(at, _)| at.as_micros()).collect();
    assert_eq!(times, [1_000, 2_000, 12_000, 22_000], "the one on its way out still leaves at the old rate");
}

#[test]
fn queue_drops_exactly_its_tail() {
    let config = LinkConfig { rate_bps: 8_000_000, queue_bytes: 5_000, ..LinkConfig::default() };
    let mut link = Link::new(config, SEED);
    for n in 0..8 {
        link.send(Timestamp::ZERO, &numbered(n, 1_000));
    }
    assert_eq!((link.stats().dropped_queue, link.stats().queued_bytes), (3, 5_000));
    // After a millisecond one has left, so one more fits, and not two.
    link.send(at_us(1_000), &numbered(8, 1_000));
    link.send(at_us(1_000), &numbered(9, 8));
    let mut arrived = Vec::new();
    drain(&mut link, Timestamp::MAX, &mut arrived);
    let numbers: Vec<u64> = arrived.iter().map(|(_, datagram)| number(datagram)).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 8]);
}

#[test]
fn mtu_drops_what_is_larger() {
    let mut link = Link::new(LinkConfig { mtu_bytes: 1_200, ..LinkConfig::default() }, SEED);
    for len in [1_199, 1_200, 1_201] {
        link.send(Timestamp::ZERO, &numbered(0, len));
    }
    assert_eq!((link.stats().dropped_mtu, link.stats().in_flight), (1, 2));
}

#[test]
fn delay_is_exact() {
    let (arrived, _) = run(LinkConfig { delay: ms(20), ..LinkConfig::default() }, SEED, 100, 700);
    assert!(arrived.iter().all(|(at, d)| *at == at_us(number(d) * 700) + ms(20)));
    assert_eq!(arrived.len(), 100);
}

/// Datagrams that arrive after one that was sent later.
fn overtaken(arrived: &[(Timestamp, Vec<u8>)]) -> usize {
    arrived.windows(2).filter(|pair| number(&pair[0].1) > number(&pair[1].1)).count()
}

#[test]
fn jitter_reorders_only_if_asked() {
    let config = LinkConfig { delay: ms(5), jitter: ms(10), ..LinkConfig::default() };
    let (fifo, _) = run(config.clone(), SEED, 5_000, 500);
    assert_eq!(overtaken(&fifo), 0);
    let (free, _) = run(LinkConfig { jitter_reorders: true, ..config }, SEED, 5_000, 500);
    assert!(overtaken(&free) > 1_000);
    let late = |(at, d): &(Timestamp, Vec<u8>)| (*at - at_us(number(d) * 500)).as_micros() as u64;
    assert!(fifo.iter().chain(&free).all(|a| (5_000..=15_000).contains(&late(a))));
    // Uniform over 10 ms: variance 100 / 12 ms².
    let total_us: u64 = free.iter().map(late).sum();
    check_rate(total_us, free.len() as u64, 10_000.0, 1e8 / 12.0);
    // A shorter delay must not reorder either.
    let mut link = Link::new(LinkConfig { delay: ms(30), ..LinkConfig::default() }, SEED);
    link.send(Timestamp::ZERO, &numbered(0, 8));
    link.set_config(at_us(1), LinkConfig::default());
    link.send(at_us(2), &numbered(1, 8));
    assert_eq!(link.poll_deliver(at_us(29_999)), None);
    assert_eq!(link.poll_deliver(at_us(30_000)), Some(numbered(0, 8)));
}

#[test]
fn hold_back_displaces_by_the_stated_time() {
    let config = LinkConfig {
        delay: ms(5),
        hold_back_ppm: 100_000,
        hold_back_min: ms(7),
        hold_back_max: ms(9),
        ..LinkConfig::default()
    };
    let (arrived, _) = run(config, SEED, 20_000, 1_000);
    let late = |(at, d): &(Timestamp, Vec<u8>)| *at - at_us(number(d) * 1_000);
    let held: Vec<_> = arrived.iter().map(late).filter(|late| *late != ms(5)).collect();
    check_binomial(held.len() as u64, 20_000, 100_000);
    assert!(held.iter().all(|late| (ms(12)..=ms(14)).contains(late)));
    assert!(overtaken(&arrived) > 0);
}

#[test]
fn duplicates_follow_their_originals() {
    let config = LinkConfig { duplicate_ppm: 200_000, duplicate_spread: ms(50), ..LinkConfig::default() };
    let (arrived, stats) = run(config, SEED, 20_000, 1_000);
    check_binomial(stats.duplicated, 20_000, 200_000);
    let mut copies: BTreeMap<u64, Vec<Timestamp>> = BTreeMap::new();
    for (at, datagram) in &arrived {
        copies.entry(number(datagram)).or_default().push(*at);
    }
    assert_eq!(copies.values().filter(|times| times.len() == 2).count() as u64, stats.duplicated);
    assert!(copies.iter().all(|(n, times)| times[0] == at_us(n * 1_000) && times.len() <= 2));
    let lag = copies.values().filter_map(|times| Some(*times.get(1)? - times[0])).max();
    assert!(lag.is_some_and(|lag| lag > ms(49) && lag <= ms(50)), "{lag:?}");
}

#[test]
fn damage_is_calibrated_and_bounded() {
    let check = |config: LinkConfig, damaged: fn(&[u8]) -> bool, counted: fn(&LinkStats) -> u64| {
        let mut link = Link::new(config, SEED);
        let mut found = 0;
        for n in 0..20_000 {
            link.send(at_us(n), &[0; 40]);
            found += u64::from(damaged(&link.poll_deliver(at_us(n)).unwrap()));
        }
        check_binomial(found, 20_000, 50_000);
        assert_eq!(counted(&link.stats()), found);
    };
    let flipped = |datagram: &[u8]| datagram.iter().any(|byte| *byte != 0);
    check(LinkConfig { corrupt_ppm: 50_000, ..LinkConfig::default() }, flipped, |stats| stats.corrupted);
    let cut = |datagram: &[u8]| datagram.len() < 40;
    check(LinkConfig { truncate_ppm: 50_000, ..LinkConfig::default() }, cut, |stats| stats.truncated);
}

#[test]
fn corruption_flips_one_to_three_bits() {
    let mut link = Link::new(LinkConfig { corrupt_ppm: PPM, ..LinkConfig::default() }, SEED);
    let mut seen = [0; 4];
    for n in 0..3_000 {
        link.send(at_us(n), &[0; 2]);
        let datagram = link.poll_deliver(at_us(n)).unwrap();
        seen[datagram.iter().map(|byte| byte.count_ones() as usize).sum::<usize>()] += 1;
    }
    assert_eq!(seen[0], 0, "what counts as corrupted differs");
    seen[1..].iter().for_each(|count| check_binomial(*count, 3_000, PPM / 3));
    link.send(at_us(3_000), &[]);
    assert_eq!((link.poll_deliver(at_us(3_000)), link.stats().corrupted), (Some(vec![]), 3_000));
}

#[test]
fn stages_draw_independently() {
    let half = PPM / 2;
    let config = LinkConfig {
        hold_back_ppm: half,
        hold_back_min: ms(1),
        hold_back_max: ms(1),
        duplicate_ppm: half,
        truncate_ppm: half,
        corrupt_ppm: half,
        ..with_loss(LossModel::Independent { ppm: half })
    };
    let mut link = Link::new(config, SEED);
    let (mut held, mut copies_alike) = (0, 0);
    // Of the datagrams without a copy: all, those cut off, those with flipped bits, those with both.
    let mut single = [0; 4];
    for n in 0..20_000 {
        let (now, before) = (Timestamp::from_millis(n * 2), link.stats());
        link.send(now, &[0; 40]);
        held += u64::from(link.poll_timeout().is_some_and(|at| at > now));
        let arrived: Vec<_> = core::iter::from_fn(|| link.poll_deliver(now + ms(1))).collect();
        let cut = link.stats().truncated - before.truncated;
        let flipped = link.stats().corrupted - before.corrupted;
        match arrived.as_slice() {
            [_] => single.iter_mut().zip([1, cut, flipped, cut * flipped]).for_each(|(sum, one)| *sum += one),
            [one, other] => copies_alike += u64::from(cut + flipped > 0 && one == other),
            _ => assert!(arrived.is_empty()),
        }
    }
    let stats = link.stats();
    check_binomial(stats.dropped_loss, 20_000, half);
    let passed = stats.sent - stats.dropped_loss;
    for hits in [held, stats.duplicated] {
        check_binomial(hits, passed, half);
    }
    check_binomial(single[1], single[0], half);
    // One of 40 is cut to nothing, so it has no bit left to flip.
    check_binomial(single[2], single[0], half - half / 80);
    check_binomial(single[3], single[1], half - half / 40);
    assert!(copies_alike < stats.duplicated / 100, "{copies_alike} copies were damaged like their originals");
}

#[test]
fn a_partition_lets_arrive_what_is_under_way() {
    let mut link = Link::new(LinkConfig { delay: ms(10), ..LinkConfig::default() }, SEED);
    link.send(Timestamp::ZERO, &numbered(0, 8));
    link.set_partitioned(true);
    link.send(at_us(1), &numbered(1, 8));
    link.set_partitioned(false);
    link.send(at_us(2), &numbered(2, 8));
    let mut arrived = Vec::new();
    drain(&mut link, Timestamp::MAX, &mut arrived);
    assert_eq!(arrived.iter().map(|(_, d)| number(d)).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(link.stats().dropped_partition, 1);
}

#[test]
fn a_seed_fixes_the_run() {
    let stormy = || LinkConfig { duplicate_ppm: 50_000, corrupt_ppm: 50_000, ..LinkConfig::wifi_lossy() };
    assert_eq!(run(stormy(), 5, 2_000, 300), run(stormy(), 5, 2_000, 300));
    assert_ne!(run(stormy(), 5, 2_000, 300).0, run(stormy(), 6, 2_000, 300).0);
}

#[test]
fn a_configuration_reads_as_one_line() {
    assert_eq!(LinkConfig::default().to_string(), "clear");
    assert_eq!(
        LinkConfig { duplicate_ppm: 1_500, ..LinkConfig::wifi() }.to_string(),
        "rate 100000000 bit/s, queue 200000 B, loss 0 % / 100 % in bursts (in 0.5 %, out 50 % a packet), \
         delay 3ms, jitter 4ms fifo, duplicate 0.15 % within 0ns"
    );
}
