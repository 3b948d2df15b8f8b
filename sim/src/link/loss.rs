//! Which datagrams are lost.

use core::time::Duration;

use nalcast_core::{Rng, Timestamp, time::micros};

use super::config::LossModel;

/// A loss model and the state it is in.
#[derive(Debug)]
pub(crate) struct Loss {
    model: LossModel,
    bad: bool,
    /// When the state changes next, for bursts by time.
    change_at: Timestamp,
    /// Datagrams seen since the model was set.
    seen: u64,
    sojourns: Rng,
}

impl Loss {
    pub(crate) fn new(model: LossModel, sojourns: Rng) -> Self {
        let mut loss = Self { model: LossModel::None, bad: false, change_at: Timestamp::ZERO, seen: 0, sojourns };
        loss.set_model(Timestamp::ZERO, &model);
        loss
    }

    /// Starts `model` in its good state; a model that is set already goes on as it is.
    pub(super) fn set_model(&mut self, now: Timestamp, model: &LossModel) {
        if self.model == *model {
            return;
        }
        self.model = model.clone();
        self.bad = false;
        self.seen = 0;
        if let LossModel::BurstByTime { good_mean, .. } = model {
            self.change_at = now + exponential(&mut self.sojourns, *good_mean);
        }
    }

    /// Whether the datagram that leaves the queue at `now` is lost; `dice` are its own.
    pub(crate) fn loses(&mut self, now: Timestamp, mut dice: Rng) -> bool {
        let number = self.seen;
        self.seen += 1;
        match &self.model {
            LossModel::None => false,
            LossModel::Independent { ppm } => dice.chance_ppm(*ppm),
            LossModel::BurstByPacket { good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm, loss_bad_ppm } => {
                let (loss_ppm, change_ppm) =
                    if self.bad { (loss_bad_ppm, bad_to_good_ppm) } else { (loss_good_ppm, good_to_bad_ppm) };
                let lost = dice.chance_ppm(*loss_ppm);
                self.bad ^= dice.chance_ppm(*change_ppm);
                lost
            }
            LossModel::BurstByTime { good_mean, bad_mean, loss_good_ppm, loss_bad_ppm } => {
                while self.change_at <= now {
                    self.bad = !self.bad;
                    let mean = if self.bad { bad_mean } else { good_mean };
                    self.change_at += exponential(&mut self.sojourns, *mean);
                }
                dice.chance_ppm(if self.bad { *loss_bad_ppm } else { *loss_good_ppm })
            }
            LossModel::Scripted(lost) => lost.contains(&number),
        }
    }
}

/// An exponentially distributed time, at least a microsecond, by comparisons alone.
///
/// J. von Neumann, "Various techniques used in connection with random digits" (1951): in falling runs of
/// uniform numbers, the first of a run of odd length is the fraction of an exponential variate, and the
/// number of runs of even length before it the whole part.
fn exponential(rng: &mut Rng, mean: Duration) -> Duration {
    let mean = micros(mean);
    let mut whole = 0u64;
    loop {
        let first = rng.next_u64();
        let mut last = first;
        let mut odd = true;
        loop {
            let next = rng.next_u64();
            if next > last {
                break;
            }
            last = next;
            odd = !odd;
        }
        if odd {
            let fraction = ((u128::from(mean) * u128::from(first)) >> 64) as u64;
            return Duration::from_micros(mean.saturating_mul(whole).saturating_add(fraction).max(1));
        }
        whole += 1;
    }
}
