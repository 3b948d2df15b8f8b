//! Figures that were worked out elsewhere, at the precision they were written down with.

use sim::limits::dynamic::{Outcome, Programme};
use sim::limits::erasure::{TwoState, overhead_floor, resend_miss, resend_rounds_mean, resend_rounds_quantile};

const LOSSES: [f64; 6] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

/// Whether `computed` is `written` within one unit of its last digit; a `%` at the end is a hundredth.
#[track_caller]
fn check(what: &str, written: &str, computed: f64) {
    let (number, unit) = written.strip_suffix('%').map_or((written, 1.0), |number| (number, 0.01));
    let (digits, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len() as i32);
    let last = 10f64.powi(exponent.parse::<i32>().expect("an exponent") - decimals) * unit;
    let value = number.parse::<f64>().expect("a number") * unit;
    assert!((computed - value).abs() <= 0.51 * last, "{what}: computed {computed:.4e}, written {written}");
}

fn programme(fragments: usize, loss: f64) -> Programme {
    Programme { fragments, loss, request_loss: 0.0, extra_max: 64 }
}

fn hybrid(fragments: usize, loss: f64, rounds: usize) -> Outcome {
    programme(fragments, loss).solve(fragments, rounds).outcome(rounds, fragments)
}

#[test]
fn rows_that_are_best_sent_with_the_frame() {
    // By fragments; for each loss, with 0, 1 and 2 rounds to follow.
    let table = [
        (1, [[1, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0], [4, 0, 0]]),
        (2, [[1, 0, 0], [1, 0, 0], [2, 0, 0], [2, 0, 0], [3, 0, 0], [5, 1, 0]]),
        (5, [[2, 0, 0], [2, 0, 0], [3, 0, 0], [4, 0, 0], [5, 1, 0], [8, 2, 1]]),
        (10, [[2, 0, 0], [3, 0, 0], [3, 0, 0], [5, 1, 0], [7, 2, 0], [12, 3, 1]]),
        (20, [[3, 0, 0], [4, 0, 0], [5, 0, 0], [7, 1, 0], [11, 3, 1], [18, 6, 3]]),
        (40, [[4, 0, 0], [5, 0, 0], [7, 1, 0], [10, 3, 0], [16, 5, 2], [27, 11, 7]]),
    ];
    for (fragments, by_loss) in table {
        for (loss, written) in LOSSES.into_iter().zip(by_loss) {
            let solution = programme(fragments, loss).solve(fragments, 2);
            let computed = [0, 1, 2].map(|rounds| solution.extra(rounds, fragments));
            assert_eq!(computed, written, "{fragments} fragments at {loss}");
        }
    }
}

#[test]
fn rows_that_are_best_sent_in_the_last_round() {
    // For 1, 2, 3 and 5 of 10 fragments missing.
    let table = [[1, 1, 2, 2], [1, 2, 2, 2], [2, 2, 2, 3], [3, 3, 3, 4], [3, 4, 5, 6], [5, 6, 7, 9]];
    for (loss, written) in LOSSES.into_iter().zip(table) {
        let solution = programme(10, loss).solve(10, 0);
        assert_eq!([1, 2, 3, 5].map(|need| solution.extra(0, need)), written, "at {loss}");
    }
}

#[test]
fn what_resending_leaves_of_ten_fragments() {
    // With 0 to 3 rounds.
    let table = [
        ["0.0489", "2.5e-4", "1.2e-6", "6e-9"],
        ["0.0956", "1.0e-3", "1.0e-5", "1e-7"],
        ["0.1829", "0.0040", "8.0e-5", "1.6e-6"],
        ["0.4013", "0.0247", "0.0012", "6.2e-5"],
        ["0.6513", "0.0956", "0.0100", "1.0e-3"],
        ["0.8926", "0.3352", "0.0772", "0.0159"],
    ];
    for (loss, by_rounds) in LOSSES.into_iter().zip(table) {
        for (rounds, written) in (0..).zip(by_rounds) {
            check(&format!("{rounds} rounds at {loss}"), written, resend_miss(10, loss, loss, rounds));
        }
    }
}

#[test]
fn what_resending_leaves_when_requests_are_lost_too() {
    // With 1 to 3 rounds.
    let table = [
        (0.01, ["0.0020", "4e-5", "8e-7"]),
        (0.02, ["0.0079", "3.1e-4", "1.2e-5"]),
        (0.05, ["0.0477", "0.0047", "4.6e-4"]),
        (0.1, ["0.175", "0.0355", "0.0068"]),
    ];
    for (loss, by_rounds) in table {
        for (rounds, written) in (1..).zip(by_rounds) {
            let round_loss = 1.0 - (1.0 - loss) * (1.0 - loss);
            check(&format!("{rounds} rounds at {loss}"), written, resend_miss(10, loss, round_loss, rounds));
        }
    }
}

#[test]
fn what_parity_leaves_of_ten_fragments() {
    // With 1 to 4 rows.
    let table = [
        ["0.0013", "2.7e-5", "4e-7", "6e-9"],
        ["0.0052", "2.1e-4", "6.7e-6", "2e-7"],
        ["0.0195", "0.0015", "9.9e-5", "5.5e-6"],
        ["0.1019", "0.0196", "0.0031", "4.3e-4"],
        ["0.3026", "0.1109", "0.0342", "0.0092"],
        ["0.6779", "0.4417", "0.2527", "0.1298"],
    ];
    for (loss, by_parity) in LOSSES.into_iter().zip(table) {
        for (parity, written) in (1..).zip(by_parity) {
            let computed = TwoState::independent(loss).block_failure(10, parity);
            check(&format!("{parity} rows at {loss}"), written, computed);
        }
    }
}

#[test]
fn what_the_best_of_both_leaves_of_ten_fragments() {
    // Miss and overhead with one round, and with two.
    let table = [
        [("1.3e-6", "1.0%"), ("6e-9", "0.5%")],
        [("9.2e-6", "2.0%"), ("1e-7", "1.0%")],
        [("1.9e-6", "5.7%"), ("3e-8", "2.1%")],
        [("1.1e-6", "14.2%"), ("1.6e-7", "6.0%")],
        [("9.8e-6", "25%"), ("7.9e-6", "13.9%")],
        [("1.8e-5", "48%"), ("4e-6", "34%")],
    ];
    for (loss, by_rounds) in LOSSES.into_iter().zip(table) {
        for (rounds, (miss, overhead)) in (1..).zip(by_rounds) {
            let outcome = hybrid(10, loss, rounds);
            check(&format!("miss, {rounds} rounds at {loss}"), miss, outcome.miss);
            check(&format!("overhead, {rounds} rounds at {loss}"), overhead, outcome.overhead());
        }
    }
}

#[test]
fn what_is_reached_at_two_percent_by_round_trip() {
    check("four rounds", "3.2e-8", resend_miss(10, 0.02, 0.02, 4));
    check("three rounds", "1.6e-6", resend_miss(10, 0.02, 0.02, 3));
    check("one round", "0.0040", resend_miss(10, 0.02, 0.02, 1));
    check("no round", "0.183", resend_miss(10, 0.02, 0.02, 0));
    let without = hybrid(10, 0.02, 0);
    check("no round, best", "9.9e-5", without.miss);
    check("no round, best, overhead", "30%", without.overhead());
}

#[test]
fn what_parity_leaves_on_bursty_paths() {
    let path = |to_bad, to_good, loss_good, loss_bad| TwoState { to_bad, to_good, loss_good, loss_bad };
    // The path and its loss; failures with 0, 1, 2, 3, 4 and 6 rows; rows for 1e-2 and 1e-3, and if the losses were
    // independent of each other.
    let table = [
        (
            (path(1.0 / 200.0, 0.5, 0.0, 1.0), "1.0%"),
            ["0.0536", "0.0274", "0.0141", "0.0072", "0.0037", "9.6e-4"],
            [3, 6, 1, 2],
        ),
        (
            (path(1.0 / 40.0, 0.5, 0.0, 1.0), "4.8%"),
            ["0.2417", "0.1352", "0.0753", "0.0418", "0.0231", "0.0070"],
            [6, 10, 3, 4],
        ),
        (
            (path(1.0 / 100.0, 0.5, 0.0, 1.0), "2.0%"),
            ["0.1044", "0.0547", "0.0287", "0.0150", "0.0078", "0.0021"],
            [4, 8, 2, 3],
        ),
        (
            (path(0.068, 0.852, 0.04, 0.5), "7.4%"),
            ["0.5305", "0.1950", "0.0570", "0.0142", "0.0032", "1.2e-4"],
            [4, 5, 4, 5],
        ),
        (
            (path(1.0 / 495.0, 0.2, 0.0, 1.0), "1.0%"),
            ["0.0279", "0.0223", "0.0179", "0.0144", "0.0115", "0.0074"],
            [5, 16, 1, 2],
        ),
        (
            (path(1.0 / 490.0, 0.1, 0.0, 1.0), "2.0%"),
            ["0.0379", "0.0341", "0.0308", "0.0277", "0.0250", "0.0203"],
            [13, 35, 2, 3],
        ),
    ];
    for ((path, loss), failures, parity) in table {
        check(&format!("loss of {path:?}"), loss, path.loss());
        for (rows, written) in [0, 1, 2, 3, 4, 6].into_iter().zip(failures) {
            check(&format!("{rows} rows, {path:?}"), written, path.block_failure(10, rows));
        }
        let independent = TwoState::independent(path.loss());
        let computed = [path, independent].map(|path| [1e-2, 1e-3].map(|target| path.parity_for(10, target)));
        assert_eq!(computed.as_flattened(), parity, "{path:?}");
    }
}

#[test]
fn what_spreading_and_one_more_round_do_to_bursts() {
    let short = TwoState { to_bad: 1.0 / 200.0, to_good: 0.5, loss_good: 0.0, loss_bad: 1.0 };
    for (parity, written) in (1..).zip(["0.0097", "0.0010", "9.9e-5"]) {
        check(&format!("{parity} rows, spread"), written, short.every(4).block_failure(10, parity));
    }
    // A round meets the path in a state of its own.
    let long = TwoState { to_bad: 1.0 / 495.0, to_good: 0.2, loss_good: 0.0, loss_bad: 1.0 };
    let failed = |(need, chance): (usize, &f64)| chance * long.block_failure(need, 0);
    let missed = long.losses(10).iter().enumerate().skip(1).map(failed).sum();
    check("one round after bursts", "4e-4", missed);
}

#[test]
fn rounds_of_resending() {
    for (loss, written) in LOSSES[1..].iter().zip(["0.097", "0.187", "0.427", "0.758", "1.325"]) {
        check(&format!("10 fragments at {loss}"), written, resend_rounds_mean(10, *loss));
    }
    for (loss, written) in LOSSES[1..].iter().zip(["0.400", "0.656", "1.047", "1.444", "2.298"]) {
        check(&format!("50 fragments at {loss}"), written, resend_rounds_mean(50, *loss));
    }
    for (quantile, written) in [(0.99, [1, 1, 2, 2, 4]), (0.999, [1, 2, 3, 3, 5])] {
        let computed: Vec<_> = LOSSES[1..].iter().map(|loss| resend_rounds_quantile(10, *loss, quantile)).collect();
        assert_eq!(computed, written, "quantile {quantile}");
    }
}

#[test]
fn fewest_rows_for_a_thousandth() {
    let table = [
        (1, [1, 1, 1, 2, 3, 4]),
        (5, [1, 2, 2, 3, 4, 7]),
        (10, [2, 2, 3, 4, 6, 10]),
        (20, [2, 3, 4, 6, 9, 15]),
        (50, [3, 4, 5, 9, 15, 27]),
        (100, [4, 5, 8, 14, 24, 44]),
    ];
    for (fragments, written) in table {
        let computed = LOSSES.map(|loss| TwoState::independent(loss).parity_for(fragments, 1e-3));
        assert_eq!(computed, written, "{fragments} fragments");
    }
}

#[test]
fn the_least_overhead() {
    for (loss, written) in LOSSES.into_iter().zip(["0.50%", "1.01%", "2.04%", "5.26%", "11.1%", "25.0%"]) {
        check(&format!("at {loss}"), written, overhead_floor(loss));
    }
}
