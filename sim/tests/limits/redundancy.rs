//! The rows that the core sends against those that are best.

use nalcast_core::send::redundancy::{request_loss_ppm, rows_for_bursts, rows_max};
use sim::limits::erasure::TwoState;
use sim::limits::{Conditions, FRAGMENTS, LOSSES_PPM, Line, report};

/// How often a request may be sent before its round is lost; none is, if it is sent without end.
const TRIES: [Option<u32>; 5] = [Some(1), Some(2), Some(3), Some(4), None];

#[track_caller]
fn check(lines: &[Line], distance_max: f64) {
    let far: Vec<_> = lines.iter().filter(|line| line.distance() > distance_max).map(Line::to_string).collect();
    assert!(far.is_empty(), "{} of {} are too far:\n{}", far.len(), lines.len(), far.join("\n"));
    let near = lines.iter().find(|line| line.distance() < 0.999_999);
    assert!(near.is_none(), "better than the best: {near:?}");
}

fn lost_after(tries: Option<u32>) -> impl Fn(u32) -> u32 + Copy {
    move |loss_ppm| tries.map_or(0, |tries| request_loss_ppm(loss_ppm, tries))
}

#[test]
fn the_core_sends_nearly_the_best() {
    for tries in TRIES {
        let lines = report(lost_after(tries));
        assert_eq!(lines.len(), 6 * 6 * 7);
        check(&lines, 1.02);
    }
}

#[test]
fn at_any_loss_and_size() {
    let losses =
        [100, 1_000, 1_700, 3_500, 7_500, 15_000, 27_000, 42_000, 60_000, 87_000, 120_000, 170_000, 280_000, 400_000];
    check(&lines(&losses, &[1, 3, 7, 14, 30, 64, 100, 128], false), 1.025);
}

#[test]
fn with_a_cap_on_each_round() {
    // Five fragments may have two rows: where 20 % is lost, the optimum under that cap looks two rounds ahead, and the rule,
    // which looks at the price of the next one, is a twentieth off. Everywhere else it is as near as without a cap.
    let (five, others): (Vec<_>, Vec<_>) =
        lines(&LOSSES_PPM, &FRAGMENTS, true).into_iter().partition(|line| line.to_string().starts_with("  5 20.00"));
    check(&five, 1.055);
    check(&others, 1.02);
}

fn lines(losses_ppm: &[u32], fragments: &[u16], capped: bool) -> Vec<Line> {
    let conditions = TRIES.into_iter().flat_map(|tries| {
        let of_loss = move |loss_ppm: &u32| (*loss_ppm, lost_after(tries)(*loss_ppm));
        let of_size = move |(loss_ppm, request_loss_ppm)| {
            let conditions = move |fragments| Conditions { fragments, loss_ppm, request_loss_ppm, capped };
            fragments.iter().copied().map(conditions)
        };
        losses_ppm.iter().map(of_loss).flat_map(of_size)
    });
    conditions.flat_map(Conditions::lines).collect()
}

#[test]
fn parity_against_bursts_is_what_the_two_states_ask_for() {
    for target_ppm in [500, 1_000, 10_000] {
        for loss_ppm in [1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000] {
            for burst in [100, 125, 150, 200, 300, 500, 1_000] {
                for fragments in [1, 2, 3, 5, 10, 20, 40, 90, 128] {
                    check_bursts(fragments, loss_ppm, burst, target_ppm);
                }
            }
        }
    }
}

fn check_bursts(fragments: u16, loss_ppm: u32, burst: u32, target_ppm: u32) {
    let loss = f64::from(loss_ppm) / 1e6;
    let target = f64::from(target_ppm) / 1e6;
    let path = TwoState::bursts(loss, (f64::from(burst) / 100.0).max(1.0 / (1.0 - loss)));
    let what = format!("{fragments} fragments, {loss} in bursts of {burst}, target {target}");
    let rows = rows_for_bursts(fragments, loss_ppm, burst, target_ppm);
    let failure = |rows: u16| path.block_failure(fragments.into(), rows.into());
    assert!(rows == rows_max(fragments) || failure(rows) <= target * 1.000_1, "{what}: {rows} rows are too few");
    assert!(rows == 0 || failure(rows - 1) > target * 0.999, "{what}: {rows} rows are too many");
}

/// Blocks are sent in turn, so that each sees every second or fourth row, and all of them have to be restored.
#[test]
fn parity_of_frames_of_several_blocks() {
    for (fragments, loss, burst) in [(256, 0.01, 200), (256, 0.05, 300), (512, 0.02, 500), (512, 0.1, 150)] {
        let blocks = fragments / 128;
        let path = TwoState::bursts(loss, f64::from(burst) / 100.0).every(blocks.into());
        let rows = rows_for_bursts(fragments, (loss * 1e6) as u32, burst, 1_000);
        assert_eq!(rows % blocks, 0);
        let failure = |rows: u16| path.block_failure(128, rows.into()) * f64::from(blocks);
        let (enough, fewer) = (failure(rows / blocks), failure(rows / blocks - 1));
        assert!(enough <= 1.000_1e-3 && fewer > 0.999e-3, "{fragments} fragments: {rows} rows, {enough:e}, {fewer:e}");
    }
}
