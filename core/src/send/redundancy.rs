//! How many symbols more than needed to send.

/// Rows beyond the `needed` symbols that are worth sending, if `rounds_left` rounds of repair fit behind this one.
pub(super) fn extra_rows(loss_ppm: u32, rounds_left: u8, needed: u16) -> u16 {
    // Stand-in for the table.
    let n = u64::from(needed);
    let p = u64::from(loss_ppm);
    match rounds_left {
        0 => {
            let mean = n * p;
            ((mean + 3 * (mean * 1_000_000).isqrt()) / 1_000_000 + u64::from(p > 1_000)) as u16
        }
        1 if p > 20_000 => (n * p / 1_000_000) as u16,
        _ if p > 80_000 => (n * p / 2_000_000) as u16,
        _ => 0,
    }
}
