//! What resending alone and parity alone leave of a frame, exactly.

/// Chance that one of `fragments` is still missing after `rounds` in which each missing one is sent again, each lost
/// with `loss` in the first round and with `round_loss` in the others.
#[must_use]
pub fn resend_miss(fragments: usize, loss: f64, round_loss: f64, rounds: u32) -> f64 {
    none_of(fragments, loss * round_loss.powf(f64::from(rounds)))
}

/// Rounds of resending that a frame needs on average: the largest of its fragments' geometric numbers.
#[must_use]
pub fn resend_rounds_mean(fragments: usize, loss: f64) -> f64 {
    let unfinished = |rounds| resend_miss(fragments, loss, loss, rounds);
    (0..).map(unfinished).take_while(|chance| *chance > 1e-15).sum()
}

/// The fewest rounds of resending after which a frame is whole with the chance `quantile`.
#[must_use]
pub fn resend_rounds_quantile(fragments: usize, loss: f64, quantile: f64) -> u32 {
    let mut rounds = 0;
    while resend_miss(fragments, loss, loss, rounds) > 1.0 - quantile {
        rounds += 1;
    }
    rounds
}

/// `1 - (1 - chance)^count` without cancellation.
fn none_of(count: usize, chance: f64) -> f64 {
    -(count as f64 * (-chance).ln_1p()).exp_m1()
}

/// The share of rows beyond the frame's own that any scheme needs whose loss vanishes.
#[must_use]
pub fn overhead_floor(loss: f64) -> f64 {
    loss / (1.0 - loss)
}

/// A path with a good and a bad state that moves after every row (Gilbert and Elliott).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoState {
    /// Chance to move from good to bad.
    pub to_bad: f64,
    /// Chance to move from bad to good.
    pub to_good: f64,
    /// Chance that a row is lost in the good state.
    pub loss_good: f64,
    /// Chance that a row is lost in the bad state.
    pub loss_bad: f64,
}

impl TwoState {
    /// Every row is lost with the same chance, whatever became of the others.
    #[must_use]
    pub fn independent(loss: f64) -> Self {
        Self::bursts(loss, 1.0 / (1.0 - loss))
    }

    /// Losses in runs of `mean_burst` on average, and nothing lost between them.
    #[must_use]
    pub fn bursts(loss: f64, mean_burst: f64) -> Self {
        let to_good = 1.0 / mean_burst;
        Self { to_bad: to_good * loss / (1.0 - loss), to_good, loss_good: 0.0, loss_bad: 1.0 }
    }

    /// Share of the time in the bad state.
    #[must_use]
    pub fn bad(&self) -> f64 {
        self.to_bad / (self.to_bad + self.to_good)
    }

    /// Share of the rows that are lost.
    #[must_use]
    pub fn loss(&self) -> f64 {
        (1.0 - self.bad()) * self.loss_good + self.bad() * self.loss_bad
    }

    /// The path as every `steps`-th row sees it: what spreading a frame's rows among others' makes of it.
    #[must_use]
    pub fn every(&self, steps: i32) -> Self {
        let moved = 1.0 - (1.0 - self.to_bad - self.to_good).powi(steps);
        Self { to_bad: self.bad() * moved, to_good: (1.0 - self.bad()) * moved, ..*self }
    }

    /// Chance of each number of losses among `rows` that follow each other from any moment on.
    #[must_use]
    pub fn losses(&self, rows: usize) -> Vec<f64> {
        let [good, bad] = self.forward(rows, rows).0;
        good.iter().zip(bad).map(|(good, bad)| good + bad).collect()
    }

    /// Chance that a block of `fragments` and `parity` rows loses more than `parity`: that it cannot be restored by
    /// any code, and is by one that is maximum distance separable.
    #[must_use]
    pub fn block_failure(&self, fragments: usize, parity: usize) -> f64 {
        self.forward(fragments + parity, parity).1
    }

    /// The fewest parity rows that bring the chance of failure down to `target`.
    #[must_use]
    pub fn parity_for(&self, fragments: usize, target: f64) -> usize {
        let mut parity = 0;
        while self.block_failure(fragments, parity) > target {
            parity += 1;
        }
        parity
    }

    /// Chances by state and losses after `rows`, and the chance that there were more than `losses_max`. That sum has
    /// no cancellation, however small it is.
    fn forward(&self, rows: usize, losses_max: usize) -> ([Vec<f64>; 2], f64) {
        let mut states = [vec![0.0; losses_max + 1], vec![0.0; losses_max + 1]];
        states[0][0] = 1.0 - self.bad();
        states[1][0] = self.bad();
        let mut beyond = 0.0;
        for _ in 0..rows {
            let [mut good, mut bad] = states.clone();
            beyond += lose(&mut good, self.loss_good) + lose(&mut bad, self.loss_bad);
            for (losses, (good, bad)) in good.iter().zip(&bad).enumerate() {
                states[0][losses] = good * (1.0 - self.to_bad) + bad * self.to_good;
                states[1][losses] = good * self.to_bad + bad * (1.0 - self.to_good);
            }
        }
        (states, beyond)
    }
}

/// One more row, lost with `loss`; the chance that this was one loss too many.
fn lose(chances: &mut [f64], loss: f64) -> f64 {
    let mut carried = 0.0;
    for chance in chances {
        let lost = *chance * loss;
        *chance = *chance * (1.0 - loss) + carried;
        carried = lost;
    }
    carried
}
