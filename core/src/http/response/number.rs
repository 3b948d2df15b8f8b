//! Numbers in digits.

use bytes::{BufMut, BytesMut};

/// Decimal digits of the largest number; in other bases that are used it has fewer.
const DIGITS_MAX: usize = 20;

/// Appends a number in base `BASE`, 16 at most, without leading zeros.
pub(super) fn put_number<const BASE: usize>(out: &mut BytesMut, number: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0u8; DIGITS_MAX];
    let mut rest = number;
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = rest.checked_rem(BASE).and_then(|digit| DIGITS.get(digit)).copied().unwrap_or_default();
        rest = rest.checked_div(BASE).unwrap_or_default();
        first = at;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn digits() {
        for number in [0, 7, 9, 10, 15, 16, 99, 100, 255, 256, 65_535, 0xdead_beef, usize::MAX - 1, usize::MAX] {
            let mut out = BytesMut::new();
            put_number::<10>(&mut out, number);
            out.put_u8(b' ');
            put_number::<16>(&mut out, number);
            assert_eq!(core::str::from_utf8(&out), Ok(&*format!("{number} {number:x}")));
        }
    }
}
