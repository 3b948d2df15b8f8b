//! What holds for every configuration and every order of events.

use core::time::Duration;

use nalcast_core::{Rng, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sim::link::{Link, LinkConfig, LossModel, PPM};

use crate::{SEED, drain, ms};

fn any_loss() -> impl Strategy<Value = LossModel> {
    let ppm = 0..=PPM;
    prop_oneof![
        Just(LossModel::None),
        ppm.clone().prop_map(|ppm| LossModel::Independent { ppm }),
        (1..=PPM, 1..=PPM, ppm.clone(), ppm.clone()).prop_map(|(to_bad, to_good, good, bad)| {
            LossModel::BurstByPacket {
                good_to_bad_ppm: to_bad,
                bad_to_good_ppm: to_good,
                loss_good_ppm: good,
                loss_bad_ppm: bad,
            }
        }),
        (0..50u64, 0..50u64, ppm.clone(), ppm).prop_map(|(good, bad, loss_good_ppm, loss_bad_ppm)| {
            LossModel::BurstByTime { good_mean: ms(good), bad_mean: ms(bad), loss_good_ppm, loss_bad_ppm }
        }),
        prop::collection::btree_set(0..50u64, 0..10).prop_map(LossModel::Scripted),
    ]
}

prop_compose! {
    fn any_config()(
        loss in any_loss(),
        mtu_bytes in prop_oneof![Just(0), 8..1_500usize],
        rate_bps in prop_oneof![Just(0), 1_000..100_000_000u64],
        queue_bytes in prop_oneof![Just(0), 1..20_000usize],
        [delay, jitter, hold_back_min, hold_back_max, duplicate_spread] in prop::array::uniform5(0..60u64),
        [hold_back_ppm, duplicate_ppm, corrupt_ppm, truncate_ppm] in prop::array::uniform4(0..=PPM),
        jitter_reorders: bool,
    ) -> LinkConfig {
        LinkConfig {
            loss, mtu_bytes, rate_bps, queue_bytes, jitter_reorders,
            delay: ms(delay), jitter: ms(jitter), duplicate_spread: ms(duplicate_spread),
            hold_back_min: ms(hold_back_min), hold_back_max: ms(hold_back_max),
            hold_back_ppm, duplicate_ppm, corrupt_ppm, truncate_ppm,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(SEED), ..ProptestConfig::default() })]

    #[test]
    fn nothing_appears_or_vanishes_uncounted(configs in prop::collection::vec(any_config(), 1..4), seed: u64) {
        let mut rng = Rng::new(seed);
        let mut link = Link::new(LinkConfig::default(), seed);
        let (mut now, mut arrived) = (Timestamp::ZERO, Vec::new());
        for config in configs {
            link.set_config(now, config);
            link.set_partitioned(rng.chance_ppm(200_000));
            for _ in 0..rng.below(80) {
                now += Duration::from_micros(rng.below(5_000));
                drain(&mut link, now, &mut arrived);
                link.send(now, &vec![0; rng.below(1_600) as usize]);
                prop_assert!(link.stats().is_conserved(), "{:?}", link.stats());
            }
        }
        drain(&mut link, Timestamp::MAX, &mut arrived);
        let stats = link.stats();
        prop_assert_eq!((stats.in_flight, stats.queued_bytes), (0, 0));
        prop_assert_eq!(stats.delivered, arrived.len() as u64);
        prop_assert_eq!(stats.delivered_bytes, arrived.iter().map(|(_, d)| d.len() as u64).sum::<u64>());
    }
}
