//! Checked reading and writing of big-endian fields.

use super::WireError;

/// Reads fields off the front of a byte string; never past its end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if there are fewer.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// An 8-bit field.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(|[byte]| byte)
    }

    /// A 16-bit field.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A 24-bit field.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u24(&mut self) -> Result<u32, WireError> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// A 32-bit field.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A 64-bit field.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A variable-length integer of at most 28 bits: seven bits a byte, low bits first, bit 7 = more follow.
    ///
    /// # Errors
    /// [`WireError::Truncated`] at the end, [`WireError::Varint`] over four bytes or not in the shortest form.
    pub fn varint(&mut self) -> Result<u32, WireError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(WireError::Varint) } else { Ok(value) };
            }
        }
        Err(WireError::Varint)
    }

    /// A byte string behind its varint length.
    ///
    /// # Errors
    /// As [`varint`](Self::varint) and [`bytes`](Self::bytes).
    pub fn prefixed(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.varint()?;
        self.bytes(len as usize)
    }
}

/// Writes fields into a lent buffer; past its end it only remembers that they did not fit.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `buf`.
    #[must_use]
    pub const fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, at: 0 }
    }

    /// Bytes written so far, or that would have been.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Bytes that still fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.buf.len().saturating_sub(self.at)
    }

    /// The length written, or nothing if not everything fitted.
    #[must_use]
    pub const fn finish(self) -> Option<usize> {
        if self.at <= self.buf.len() { Some(self.at) } else { None }
    }

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        if let Some(to) = self.buf.get_mut(self.at..end) {
            to.copy_from_slice(bytes);
        }
        self.at = end;
    }

    /// Appends an 8-bit field.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Appends a 16-bit field.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends the low 24 bits.
    pub fn u24(&mut self, value: u32) {
        let [_, a, b, c] = value.to_be_bytes();
        self.bytes(&[a, b, c]);
    }

    /// Appends a 32-bit field.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends a 64-bit field.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends a variable-length integer of at most 28 bits, in the shortest form.
    pub fn varint(&mut self, value: u32) {
        let mut value = value & 0x0fff_ffff;
        loop {
            let [.., low] = (value & 0x7f).to_be_bytes();
            value >>= 7;
            if value == 0 {
                return self.u8(low);
            }
            self.u8(low | 0x80);
        }
    }

    /// Appends a byte string behind its varint length.
    pub fn prefixed(&mut self, bytes: &[u8]) {
        self.varint(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.bytes(bytes);
    }

    /// Appends `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        let end = self.at.saturating_add(n);
        if let Some(to) = self.buf.get_mut(self.at..end) {
            to.fill(0);
        }
        self.at = end;
    }
}

/// The length of `value` as a varint.
#[must_use]
pub const fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_one_form() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, 0x0fff_ffff] {
            let mut buf = [0; 4];
            let mut writer = Writer::new(&mut buf);
            writer.varint(value);
            let len = writer.finish().unwrap();
            assert_eq!(len, varint_len(value), "{value:#x}");
            let mut reader = Reader::new(&buf[..len]);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
        }
        assert_eq!(Reader::new(&[0x80, 0x00]).varint(), Err(WireError::Varint), "a longer form of zero");
        assert_eq!(Reader::new(&[0x80; 5]).varint(), Err(WireError::Varint), "five bytes");
        assert_eq!(Reader::new(&[0x80]).varint(), Err(WireError::Truncated));
    }

    #[test]
    fn a_full_buffer_is_told_at_the_end() {
        let mut buf = [0; 3];
        let mut writer = Writer::new(&mut buf);
        writer.u16(7);
        assert_eq!(writer.room(), 1);
        writer.u16(8);
        assert_eq!(writer.finish(), None);
    }
}
