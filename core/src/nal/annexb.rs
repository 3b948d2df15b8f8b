//! Start codes and the NAL units between them (ITU-T H.264 and H.265, clause B.1).

/// Bytes of the start code prefix `00 00 01`, without the optional zero byte in front of it.
pub const START_CODE_PREFIX_BYTES: usize = 3;
/// The start code with its zero byte, as written in front of parameter sets.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Bytes that are tested for a zero at once; most of a coded picture holds none.
const BLOCK_BYTES: usize = 32;

/// One NAL unit of a byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalUnit<'a> {
    /// Offset of the start code; a zero byte right in front of the prefix is part of it.
    pub start: usize,
    /// From the header on, without trailing zeros and with emulation prevention bytes; may be empty.
    pub payload: &'a [u8],
}

/// The NAL units of `bytes`, in order; what stands in front of the first start code is in none of them.
#[must_use]
pub fn nal_units(bytes: &[u8]) -> NalUnits<'_> {
    NalUnits { bytes, prefix: find_start_code(bytes, 0) }
}

/// Iterator of [`nal_units`].
#[derive(Clone, Debug)]
pub struct NalUnits<'a> {
    bytes: &'a [u8],
    /// Offset of the prefix of the next NAL unit.
    prefix: Option<usize>,
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = NalUnit<'a>;

    fn next(&mut self) -> Option<NalUnit<'a>> {
        let prefix = self.prefix?;
        let payload_start = prefix + START_CODE_PREFIX_BYTES;
        self.prefix = find_start_code(self.bytes, payload_start);
        let payload_end = self.prefix.unwrap_or(self.bytes.len());
        let padded = self.bytes.get(payload_start..payload_end).unwrap_or_default();
        // A NAL unit never ends in a zero byte (clause 7.4.1 of both standards): what does is trailing_zero_8bits.
        let payload_len = padded.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let payload = padded.get(..payload_len).unwrap_or_default();
        Some(NalUnit { start: with_zero_byte(self.bytes, prefix), payload })
    }
}

/// Offset of the first prefix `00 00 01` at or after `from`.
#[must_use]
pub fn find_start_code(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let (blocks, _) = bytes.get(at..)?.as_chunks::<BLOCK_BYTES>();
        at += BLOCK_BYTES * blocks.iter().take_while(|block| !has_zero(block)).count();
        let block_end = at + BLOCK_BYTES;
        while at < block_end {
            // How far the third byte lets the search jump: a prefix can start no earlier than at a zero.
            at += match bytes.get(at..)?.first_chunk()? {
                [0, 0, 1] => return Some(at),
                [_, 0, 0] => 1,
                [_, _, 0] => 2,
                [_, _, _] => 3,
            };
        }
    }
}

/// The offset where the start code with its prefix at `prefix` begins: one zero in front of it is part of it.
pub(super) fn with_zero_byte(bytes: &[u8], prefix: usize) -> usize {
    match prefix.checked_sub(1) {
        Some(before) if bytes.get(before) == Some(&0) => before,
        Some(_) | None => prefix,
    }
}

/// Without an early exit, so that it compiles to a few vector instructions.
fn has_zero(block: &[u8; BLOCK_BYTES]) -> bool {
    block.iter().fold(false, |found, &byte| found | (byte == 0))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[(usize, &[u8])]) {
        let found: Vec<_> = nal_units(bytes).map(|nal| (nal.start, nal.payload)).collect();
        assert_eq!(found, expected, "{bytes:x?}");
    }

    #[test]
    fn start_codes_of_both_lengths() {
        check(&[], &[]);
        check(&[0, 0], &[]);
        check(&[9, 0, 0, 2, 0, 1], &[]);
        check(&[0, 0, 1], &[(0, &[])]);
        check(&[0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68], &[(0, &[0x67, 1, 2]), (6, &[0x68])]);
        check(&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68], &[(0, &[0x67, 1]), (6, &[0x68])]);
    }

    #[test]
    fn zeros_around_units() {
        check(&[0, 0, 0, 0, 0, 1, 0x67], &[(2, &[0x67])]);
        check(&[0, 0, 1, 0x67, 0, 0, 0, 0, 0, 1, 0x68, 0, 0], &[(0, &[0x67]), (6, &[0x68])]);
        check(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 1], &[(0, &[]), (3, &[]), (6, &[])]);
    }

    #[test]
    fn emulation_prevention_stays() {
        check(&[0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0, 3], &[(0, &[0x65, 0, 0, 3, 1, 0, 0, 3])]);
    }

    #[test]
    fn a_start_code_is_found_wherever_blocks_begin() {
        for filler in [0xff, 0, 1] {
            for at in 0..3 * BLOCK_BYTES {
                let mut bytes = vec![filler; at];
                bytes.extend([7, 0, 0, 1, 0x65, 0, 0, 2]);
                assert_eq!(find_start_code(&bytes, 0), Some(at + 1), "{filler} {at}");
                assert_eq!(find_start_code(&bytes, at + 2), None, "{filler} {at}");
                assert_eq!(find_start_code(&bytes, bytes.len() + 1), None);
            }
        }
    }
}
