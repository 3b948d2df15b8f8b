//! What chance may do to a count of rare events.

/// The largest count that events expected `mean` times reach with a chance of over one in a thousand.
pub(super) fn poisson_999(mean: f64) -> u64 {
    let mut chance = (-mean).exp();
    if chance == 0.0 {
        // Far from rare: the normal distribution will do.
        return (mean + 3.09 * mean.sqrt()).ceil() as u64;
    }
    let (mut count, mut sum) = (0, chance);
    while sum < 0.999 {
        count += 1;
        chance *= mean / count as f64;
        sum += chance;
    }
    count
}

/// The smallest mean that explains `count` events in 95 cases of a hundred (Wilson and Hilferty's approximation of the
/// chi-squared distribution).
pub(super) fn mean_at_least(count: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let count = count as f64;
    let shrink = 1.0 - 1.0 / (9.0 * count) - 1.645 / (3.0 * count.sqrt());
    count * shrink.max(0.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        for (mean, expected) in [(0.0, 0), (0.01, 1), (0.1, 2), (1.0, 5), (10.0, 21), (100.0, 132)] {
            assert_eq!(poisson_999(mean), expected, "{mean}");
        }
        assert!(poisson_999(10_000.0).abs_diff(10_310) <= 1);
    }

    #[test]
    fn the_least_mean_is_that_of_the_tables() {
        // Half the 5 % quantile of chi-squared with twice as many degrees of freedom.
        for (count, expected) in [(0, 0.0), (1, 0.0513), (2, 0.3554), (10, 5.4254), (100, 84.14)] {
            assert!((mean_at_least(count) - expected).abs() < 0.02, "{count}: {}", mean_at_least(count));
        }
    }
}
