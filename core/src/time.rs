//! Time as the core knows it: integer microseconds handed in by whoever owns a clock.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time: microseconds since an origin that the caller chose once (usually its own start).
///
/// Nothing in the core can produce the current time; every method that needs it takes a `now`.
/// The u64 lasts for 584,000 years, so arithmetic saturates only where a caller asks for "for ever".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The origin of the caller's clock.
    pub const ZERO: Self = Self(0);
    /// Later than every point in time that a clock can show.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The point `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The low 32 bits of the microseconds: how time travels on the wire; wraps every 71.6 minutes.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the wire carries the low bits")]
    pub const fn low_u32(self) -> u32 {
        self.0 as u32
    }

    /// The point in time nearest to `self` whose low 32 bits are `low`.
    ///
    /// Exact while the true value lies within 35.8 minutes of `self`; the origin if it lies before that.
    #[must_use]
    pub const fn nearest_u32(self, low: u32) -> Self {
        let nearest = crate::wire::expand(self.0, low as u64, 32);
        Self(if nearest > self.0.saturating_add(1 << 31) { 0 } else { nearest })
    }

    /// The time since `earlier`, zero if `earlier` is not earlier.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The point `duration` before `self`, or the origin.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

/// A duration in whole microseconds, saturated at `u64::MAX`.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Timestamp {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Timestamp {
    /// Seconds with six decimals, so that traces align and snapshots stay stable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn prints_seconds_and_micros() {
        assert_eq!(format!("{}", Timestamp::from_micros(1_000_042)), "1.000042s");
    }

    #[test]
    fn subtraction_saturates_at_zero() {
        let (early, late) = (Timestamp::from_millis(1), Timestamp::from_millis(3));
        assert_eq!(late - early, Duration::from_millis(2));
        assert_eq!(early - late, Duration::ZERO);
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
    }

    #[test]
    fn low_bits_come_back_across_the_wrap() {
        let before = Timestamp::from_micros((1 << 32) - 5);
        let after = before + Duration::from_micros(10);
        assert_eq!(before.nearest_u32(after.low_u32()), after);
        assert_eq!(after.nearest_u32(before.low_u32()), before);
        let early = Timestamp::from_micros(5);
        assert_eq!(early.nearest_u32(u32::MAX), Timestamp::ZERO, "before the origin");
        assert_eq!(early.nearest_u32(1 << 31), Timestamp::from_micros(1 << 31));
    }
}
