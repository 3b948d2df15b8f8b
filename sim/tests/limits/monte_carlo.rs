//! The exact figures against rows that are really thrown away, one by one.

use nalcast_core::Rng;
use sim::limits::dynamic::{Outcome, Programme};
use sim::limits::erasure::TwoState;

const FRAMES: u32 = 200_000;

/// Whether `hits` of [`FRAMES`] agree with `chance`: within four standard deviations, of which chance alone exceeds
/// one in 16,000, for an event that is expected often enough to say something.
#[track_caller]
fn check(what: &str, hits: u32, chance: f64) {
    let frames = f64::from(FRAMES);
    let deviation = (frames * chance * (1.0 - chance)).sqrt();
    let difference = f64::from(hits) - frames * chance;
    assert!(frames * chance > 100.0, "{what}: {chance:.1e} is too rare to be seen");
    assert!(difference.abs() < 4.0 * deviation, "{what}: {hits} of {FRAMES}, not {:.0}", frames * chance);
}

fn chance(rng: &mut Rng, chance: f64) -> bool {
    rng.chance_ppm((chance * 1e6).round() as u32)
}

/// Sends one frame as `extra(rounds left, need)` says: the rows it took, and whether it came.
fn send(programme: &Programme, rounds: usize, extra: impl Fn(usize, usize) -> usize, rng: &mut Rng) -> (u32, bool) {
    let mut sent = 0;
    let mut need = programme.fragments;
    for left in (0..=rounds).rev() {
        if left < rounds && chance(rng, programme.request_loss) {
            continue;
        }
        for _ in 0..need + extra(left, need) {
            sent += 1;
            need = need.saturating_sub(usize::from(!chance(rng, programme.loss)));
        }
        if need == 0 {
            return (sent, true);
        }
    }
    (sent, false)
}

#[track_caller]
fn check_rounds(programme: Programme, rounds: usize, extra: impl Fn(usize, usize) -> usize, computed: Outcome) {
    let mut rng = Rng::new(1);
    let (mut sent, mut missed) = (0, 0);
    for _ in 0..FRAMES {
        let (rows, came) = send(&programme, rounds, &extra, &mut rng);
        sent += rows;
        missed += u32::from(!came);
    }
    let what = format!("{programme:?}, {rounds} rounds");
    check(&what, missed, computed.miss);
    let rows = f64::from(sent) / f64::from(FRAMES) / programme.fragments as f64;
    assert!((rows - computed.rows).abs() < 0.01, "{what}: {rows:.4} times the frame sent, not {:.4}", computed.rows);
}

#[test]
fn frames_sent_in_rounds() {
    // Few rows may be sent, so that enough frames are missed to count them.
    for (fragments, loss, request_loss, extra_max, rounds) in
        [(10, 0.1, 0.0, 1, 1), (10, 0.2, 0.2, 2, 2), (3, 0.2, 0.04, 1, 2), (20, 0.05, 0.05, 3, 1), (1, 0.1, 0.1, 0, 2)]
    {
        let programme = Programme { fragments, loss, request_loss, extra_max };
        let solution = programme.solve(fragments, rounds);
        let best = solution.outcome(rounds, fragments);
        check_rounds(programme, rounds, |left, need| solution.extra(left, need), best);
        // Any other way of sending.
        let other = |left, need| (left + need) % (extra_max + 1);
        let computed = programme.evaluate(rounds, other);
        check_rounds(programme, rounds, other, computed);
        assert!(computed.cost() >= best.cost());
    }
}

#[test]
fn blocks_on_bursty_paths() {
    let config = TwoState { to_bad: 0.068, to_good: 0.852, loss_good: 0.04, loss_bad: 0.5 };
    for (path, fragments, parity, spread) in [
        (TwoState::independent(0.05), 10, 2, 1),
        (TwoState::bursts(0.01, 2.0), 10, 2, 1),
        (TwoState::bursts(0.02, 10.0), 20, 8, 1),
        (config, 10, 3, 1),
        (TwoState::bursts(0.05, 4.0), 10, 3, 4),
    ] {
        let mut rng = Rng::new(2);
        let mut failed = 0;
        for _ in 0..FRAMES {
            let mut bad = chance(&mut rng, path.bad());
            let mut losses = 0;
            for _ in 0..fragments + parity {
                losses += usize::from(chance(&mut rng, if bad { path.loss_bad } else { path.loss_good }));
                for _ in 0..spread {
                    bad ^= chance(&mut rng, if bad { path.to_good } else { path.to_bad });
                }
            }
            failed += u32::from(losses > parity);
        }
        let what = format!("{fragments} + {parity} on every {spread}th of {path:?}");
        check(&what, failed, path.every(spread).block_failure(fragments, parity));
    }
}
