//! The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), in which 2 generates all but zero.
//!
//! A sum is the exclusive or. Here single elements are multiplied and divided; whole fragments are by
//! [`super::kernel`].

/// The polynomial without its highest term: what x^8 is equal to.
const REDUCTION: u8 = 0x1d;

/// Elements other than zero: the length of the generator's cycle.
const ORDER: usize = 255;

/// Powers of 2, twice around, so that any difference of two logarithms leads to an index.
static POWERS: [u8; 2 * ORDER] = powers();

/// The exponent of each element; that of zero is never used.
static LOGARITHMS: [u8; 256] = logarithms();

#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
const fn powers() -> [u8; 2 * ORDER] {
    let mut powers = [1; 2 * ORDER];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = times_two(powers[at - 1]);
        at += 1;
    }
    powers
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler")]
const fn logarithms() -> [u8; 256] {
    let powers = powers();
    let mut logarithms = [0; 256];
    let mut exponent: u8 = 0;
    while exponent < u8::MAX {
        logarithms[powers[exponent as usize] as usize] = exponent;
        exponent += 1;
    }
    logarithms
}

/// Twice an element.
#[inline(always)]
pub(super) const fn times_two(a: u8) -> u8 {
    a << 1 ^ if a & 0x80 == 0 { 0 } else { REDUCTION }
}

/// The product of two elements, one bit after the other: for tables, which the compiler makes.
pub(super) const fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut double, mut rest) = (0, a, b);
    while rest != 0 {
        if rest & 1 == 1 {
            product ^= double;
        }
        double = times_two(double);
        rest >>= 1;
    }
    product
}

/// The quotient of two elements, the second not zero: there is none by zero, for which 0 stands here.
pub(super) fn divide(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    // At most 254 + 255.
    POWERS.get(logarithm(a) + ORDER - logarithm(b)).copied().unwrap_or_default()
}

/// Of an element other than zero, at most 254.
fn logarithm(a: u8) -> usize {
    LOGARITHMS.get(usize::from(a)).copied().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: a product of polynomials, reduced one degree at a time.
    fn slow(a: u8, b: u8) -> u8 {
        let mut product = (0..8).filter(|bit| b >> bit & 1 == 1).fold(0u16, |sum, bit| sum ^ u16::from(a) << bit);
        for degree in (8..16).rev() {
            if product >> degree & 1 == 1 {
                product ^= 0x11d << (degree - 8);
            }
        }
        u8::try_from(product).unwrap()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(multiply(a, b), slow(a, b), "{a} x {b}");
            }
        }
    }

    #[test]
    fn it_is_a_field() {
        for a in 0..=255 {
            assert_eq!((multiply(a, 1), multiply(a, 0), divide(a, 1), divide(a, 0)), (a, 0, a, 0));
            for b in 1..=255 {
                assert_eq!(multiply(a, b), multiply(b, a));
                assert_eq!(divide(multiply(a, b), b), a, "{a} {b}");
                assert_eq!(multiply(divide(a, b), b), a, "{a} {b}");
                for c in [2, 3, 0x1d, 0x80, 0xff, a ^ b] {
                    assert_eq!(multiply(a, multiply(b, c)), multiply(multiply(a, b), c));
                    assert_eq!(multiply(a, b ^ c), multiply(a, b) ^ multiply(a, c));
                }
            }
        }
    }
}
