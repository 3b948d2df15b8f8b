//! What a frame costs at best that is sent in rounds: a dynamic programme over the symbols still needed.
//!
//! A round of `need + extra` rows brings each of them with the same chance, and every row that came counts for good
//! (rows of a maximum-distance-separable code). The cost of a frame is the chance that it misses its deadline plus
//! [`OVERHEAD_PRICE`] times its rows, in units of the frame. With `rounds` left after this one:
//!
//! `cost(rounds, need) = min over extra of [price (need + extra) / fragments + E cost'(rounds - 1, what is then needed)]`
//!
//! where a round after the first has to be asked for: `cost'` is `cost` if the request came, and the same need with a
//! round fewer if it was lost. Nothing needed costs nothing; something needed and no round left is the miss, 1.

/// What a whole frame's worth of rows costs, where a missed frame costs 1.
pub const OVERHEAD_PRICE: f64 = 1e-3;

/// The rules under which frames of one size are sent.
#[derive(Clone, Copy, Debug)]
pub struct Programme {
    /// Symbols that the frame consists of, `k`.
    pub fragments: usize,
    /// Chance that a row is lost, independently of all others.
    pub loss: f64,
    /// Chance that the request for a round never comes: the round then passes unused. The first round needs none.
    pub request_loss: f64,
    /// Rows that a round may send beyond what is needed.
    pub extra_max: usize,
}

/// What a way of sending comes to, for one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Chance that the frame is not whole after the last round.
    pub miss: f64,
    /// Rows sent on average, of all rounds, in units of the frame.
    pub rows: f64,
}

impl Outcome {
    /// The miss and the price of the rows.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.miss + OVERHEAD_PRICE * self.rows
    }

    /// Rows beyond the frame's own, in units of the frame.
    #[must_use]
    pub fn overhead(&self) -> f64 {
        self.rows - 1.0
    }

    /// How far this is from `best`, 1 being as good, once the frame's own rows are taken off both.
    #[must_use]
    pub fn distance(&self, best: &Self) -> f64 {
        (self.cost() - OVERHEAD_PRICE) / (best.cost() - OVERHEAD_PRICE)
    }

    fn add(&mut self, weight: f64, other: &Self) {
        self.miss += weight * other.miss;
        self.rows += weight * other.rows;
    }
}

/// The best way to send, for every need up to the largest that was asked for.
#[derive(Clone, Debug)]
pub struct Solution {
    /// By rounds left after this one, then by need.
    best: Vec<Vec<(usize, Outcome)>>,
}

impl Solution {
    /// The rows that are best sent beyond `need`, with `rounds` left after this one. The fewest, if several are best.
    #[must_use]
    pub fn extra(&self, rounds: usize, need: usize) -> usize {
        self.best[rounds][need].0
    }

    /// What sending the best comes to, from a round on that does take place.
    #[must_use]
    pub fn outcome(&self, rounds: usize, need: usize) -> Outcome {
        self.best[rounds][need].1
    }
}

impl Programme {
    /// The best for every need up to `need_max`, with up to `rounds` left after the present one.
    #[must_use]
    pub fn solve(&self, need_max: usize, rounds: usize) -> Solution {
        let losses = Losses::new(self.loss, need_max + self.extra_max);
        let mut best: Vec<Vec<(usize, Outcome)>> = Vec::with_capacity(rounds + 1);
        let mut after = expired(need_max);
        for _ in 0..=rounds {
            let round: Vec<_> = (0..=need_max).map(|need| self.best_round(&losses, &after, need)).collect();
            after = self.before_request(&after, round.iter().map(|(_, outcome)| outcome));
            best.push(round);
        }
        Solution { best }
    }

    /// What it comes to, with `rounds` after the first, if each round sends `extra(rounds left after it, need)` rows
    /// beyond the need.
    #[must_use]
    pub fn evaluate(&self, rounds: usize, extra: impl Fn(usize, usize) -> usize) -> Outcome {
        let need_max = self.fragments;
        let losses = Losses::new(self.loss, need_max + self.extra_max);
        let mut after = expired(need_max);
        let mut round = after.clone();
        for left in 0..=rounds {
            let play = |need| self.round(&losses, &after, need, extra(left, need).min(self.extra_max));
            round = (0..=need_max).map(|need| if need == 0 { Outcome::default() } else { play(need) }).collect();
            after = self.before_request(&after, round.iter());
        }
        round[need_max]
    }

    fn best_round(&self, losses: &Losses, after: &[Outcome], need: usize) -> (usize, Outcome) {
        if need == 0 {
            return (0, Outcome::default());
        }
        let mut best = (0, self.round(losses, after, need, 0));
        for extra in 1..=self.extra_max {
            // The rows alone cost more than the best: so does any larger number of them.
            if OVERHEAD_PRICE * self.share(need + extra) >= best.1.cost() {
                break;
            }
            let outcome = self.round(losses, after, need, extra);
            if outcome.cost() < best.1.cost() {
                best = (extra, outcome);
            }
        }
        best
    }

    /// One round: of `need + extra` rows, whatever is lost beyond `extra` is still needed.
    fn round(&self, losses: &Losses, after: &[Outcome], need: usize, extra: usize) -> Outcome {
        let chances = losses.of(need + extra);
        let mut outcome = Outcome { miss: 0.0, rows: self.share(need + extra) };
        for (left, after) in after.iter().enumerate().take(need + 1).skip(1) {
            outcome.add(chances[extra + left], after);
        }
        outcome
    }

    fn share(&self, rows: usize) -> f64 {
        rows as f64 / self.fragments as f64
    }

    /// What each need comes to while the request of the `round` is still on its way.
    fn before_request<'a>(&self, after: &[Outcome], round: impl Iterator<Item = &'a Outcome>) -> Vec<Outcome> {
        let requested = |(after, round): (&Outcome, &Outcome)| {
            let mut outcome = Outcome::default();
            outcome.add(self.request_loss, after);
            outcome.add(1.0 - self.request_loss, round);
            outcome
        };
        after.iter().zip(round).map(requested).collect()
    }
}

/// What each need comes to when no round is left.
fn expired(need_max: usize) -> Vec<Outcome> {
    let miss = |need| if need == 0 { 0.0 } else { 1.0 };
    (0..=need_max).map(|need| Outcome { miss: miss(need), rows: 0.0 }).collect()
}

/// The chance of each number of losses, for each number of rows.
struct Losses {
    rows: Vec<Vec<f64>>,
}

impl Losses {
    fn new(loss: f64, rows_max: usize) -> Self {
        let mut rows = vec![vec![1.0]];
        while rows.len() <= rows_max {
            let fewer: &Vec<f64> = &rows[rows.len() - 1];
            let lost = |losses: usize| if losses == 0 { 0.0 } else { fewer[losses - 1] * loss };
            let came = |losses: usize| fewer.get(losses).map_or(0.0, |chance| chance * (1.0 - loss));
            let next = (0..=fewer.len()).map(|losses| lost(losses) + came(losses)).collect();
            rows.push(next);
        }
        Self { rows }
    }

    fn of(&self, rows: usize) -> &[f64] {
        &self.rows[rows]
    }
}
