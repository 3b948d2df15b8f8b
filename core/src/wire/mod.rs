//! The wire format.

/// The number nearest to `near` whose low `bits` bits are `low`.
///
/// How truncated counters (packet numbers, frame ids, times) come back to full width; exact while the true
/// number lies within half the truncated range of `near` (compare RFC 9000 appendix A.3).
#[must_use]
pub const fn expand(near: u64, low: u64, bits: u32) -> u64 {
    let window = 1u64 << bits;
    let candidate = (near & !(window - 1)) | (low & (window - 1));
    let half = window / 2;
    if candidate.saturating_add(half) <= near {
        candidate.saturating_add(window)
    } else if candidate > near.saturating_add(half) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}
