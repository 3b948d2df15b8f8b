//! Fractions with 40 binary digits behind the point, in 128 bits.

const DIGITS: u32 = 40;

/// The number one.
pub(super) const ONE: u128 = 1 << DIGITS;

/// `ppm` millionths, at most one.
pub(super) fn from_ppm(ppm: u32) -> u128 {
    u128::from(ppm.min(1_000_000)) * ONE / 1_000_000
}

/// For factors whose product, with both their fractions, has 128 digits.
pub(super) fn mul(a: u128, b: u128) -> u128 {
    (a * b) >> DIGITS
}

/// For `a` below 2^48; nothing is divided by 0.
pub(super) fn div(a: u128, b: u128) -> u128 {
    (a << DIGITS) / b.max(1)
}

/// For a `base` of at most one.
pub(super) fn power(base: u128, exponent: u32) -> u128 {
    let (mut base, mut exponent, mut result) = (base, exponent, ONE);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul(result, base);
        }
        base = mul(base, base);
        exponent >>= 1;
    }
    result
}
