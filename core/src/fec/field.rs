//! The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), in which 2 generates all but zero.
//!
//! A sum is the exclusive or. Products of single elements go over logarithms; whole fragments are multiplied
//! by [`super::kernel`].

/// The polynomial without its highest term: what x^8 is equal to.
const REDUCTION: u8 = 0x1d;

/// Elements other than zero: the length of the generator's cycle.
const ORDER: usize = 255;

/// Powers of 2, twice around, so that a sum of two logarithms is an index.
const POWERS: [u8; 2 * ORDER] = powers();

/// The exponent of each element; that of zero is never used.
const LOGARITHMS: [u8; 256] = logarithms();

const fn powers() -> [u8; 2 * ORDER] {
    let mut powers = [1; 2 * ORDER];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = times_two(powers[at - 1]);
        at += 1;
    }
    powers
}

const fn logarithms() -> [u8; 256] {
    let mut logarithms = [0; 256];
    let mut exponent: u8 = 0;
    while exponent < u8::MAX {
        logarithms[POWERS[exponent as usize] as usize] = exponent;
        exponent += 1;
    }
    logarithms
}

const fn times_two(a: u8) -> u8 {
    a << 1 ^ if a & 0x80 == 0 { 0 } else { REDUCTION }
}

/// The product of two elements.
pub(super) fn multiply(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 { 0 } else { POWERS[logarithm(a) + logarithm(b)] }
}

/// The quotient of two elements, the second not zero: there is none by zero, for which 0 stands here.
pub(super) fn divide(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 { 0 } else { POWERS[logarithm(a) + ORDER - logarithm(b)] }
}

/// The product one bit after the other, for tables that are made by the compiler.
pub(super) const fn product_of_definition(a: u8, b: u8) -> u8 {
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

/// At most 254.
fn logarithm(a: u8) -> usize {
    usize::from(LOGARITHMS[usize::from(a)])
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
        product as u8
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(multiply(a, b), slow(a, b), "{a} x {b}");
                assert_eq!(product_of_definition(a, b), slow(a, b), "{a} x {b}");
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
