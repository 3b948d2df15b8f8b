//! Bits of a NAL unit's payload, without its emulation prevention bytes (clauses 7.3.1.1 and 9.1 of ITU-T H.264).

/// Reads bits from the most significant on; every method gives `None` past the end.
#[derive(Debug)]
pub(super) struct RbspReader<'a> {
    bytes: core::slice::Iter<'a, u8>,
    byte: u8,
    bits_left: u8,
    /// Zero bytes in a row up to here; 2 of them make a following 3 an emulation prevention byte.
    zeros: u8,
}

impl<'a> RbspReader<'a> {
    /// `bytes` is what follows the NAL unit header.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), byte: 0, bits_left: 0, zeros: 0 }
    }

    /// u(1).
    pub(super) fn flag(&mut self) -> Option<bool> {
        if self.bits_left == 0 {
            self.byte = self.next_byte()?;
            self.bits_left = 8;
        }
        self.bits_left -= 1;
        Some((self.byte >> self.bits_left) & 1 == 1)
    }

    /// u(n), n up to 32.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some((value << 1) | u32::from(self.flag()?)))
    }

    /// Leaves out `count` bits.
    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.flag().map(|_| ()))
    }

    /// ue(v); `None` too for a code of more than 63 bits, which no syntax element in use may have.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// ue(v) of a value that may be at most `max`.
    pub(super) fn ue_up_to(&mut self, max: u8) -> Option<u8> {
        self.ue().and_then(|value| u8::try_from(value).ok()).filter(|&value| value <= max)
    }

    /// se(v).
    pub(super) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 })
    }

    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = *self.bytes.next()?;
        if self.zeros == 2 && byte == 3 {
            self.zeros = 0;
            byte = *self.bytes.next()?;
        }
        self.zeros = if byte == 0 { (self.zeros + 1).min(2) } else { 0 };
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_bytes_are_left_out() {
        let mut reader = RbspReader::new(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 0xff]);
        assert_eq!(reader.bits(32), Some(0x0000_0100));
        assert_eq!(reader.bits(32), Some(0x0000_00ff));
        assert_eq!(reader.flag(), None);
    }

    #[test]
    fn exp_golomb_codes() {
        // 1, 010, 011, 00100, 00111, then 31 zeros and all ones.
        let mut reader =
            RbspReader::new(&[0b1010_0110, 0b0100_0011, 0b1000_0000, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0x80]);
        assert_eq!((reader.ue(), reader.ue(), reader.ue()), (Some(0), Some(1), Some(2)));
        assert_eq!((reader.ue(), reader.ue()), (Some(3), Some(6)));
        assert_eq!(reader.ue(), None, "emulation prevention is not what ends it");
        let mut longest = RbspReader::new(&[0, 0, 3, 0, 1, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(longest.ue(), Some(u32::MAX - 1));
        assert_eq!(RbspReader::new(&[0, 0, 3, 0, 0, 3, 0x80]).ue(), None);
        assert_eq!(RbspReader::new(&[0b0010_0000]).se(), Some(2));
        assert_eq!(RbspReader::new(&[0b0010_1000]).se(), Some(-2));
    }
}
