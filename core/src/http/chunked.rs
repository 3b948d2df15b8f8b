//! The chunked transfer coding, byte by byte: what lies between the data (RFC 9112 §7.1).

use super::Limits;
use super::error::{ErrorKind, Fault};
use super::grammar::is_tchar;
use super::percent::hex;

/// Digits of a chunk size: those of 64 bits.
const SIZE_DIGITS_MAX: u32 = 16;
/// Bytes that framing may take whatever the body is, and how many for each byte of data beyond that: chunks of one
/// byte are legal, but whoever sends a body of them wants the reader's time.
const FRAMING_BYTES_FREE: u64 = 16 << 10;
const FRAMING_BYTES_PER_BYTE: u64 = 4;

/// What the decoder came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The input ended between data.
    Pending,
    /// So many bytes of data come next.
    Data(u64),
    /// The last chunk is over; trailers come next.
    Last,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Size,
    ExtensionName,
    ExtensionValue,
    Quoted,
    QuotedPair,
    AfterQuoted,
    LineLf,
    Data,
    DataCr,
    DataLf,
}

/// Reads chunk lines and the line ends behind data.
#[derive(Debug)]
pub(super) struct ChunkDecoder {
    step: Step,
    /// Bytes of the current chunk line, and of the current token in it.
    line_bytes: u32,
    token_bytes: u32,
    size: u64,
    /// Data, framing and extensions of the whole body.
    data_bytes: u64,
    framing_bytes: u64,
    extension_bytes: u32,
}

impl ChunkDecoder {
    /// A decoder at the start of a body.
    pub(super) const fn new() -> Self {
        Self {
            step: Step::Size,
            line_bytes: 0,
            token_bytes: 0,
            size: 0,
            data_bytes: 0,
            framing_bytes: 0,
            extension_bytes: 0,
        }
    }

    /// Goes on with `input`; returns how many of its bytes are done with, and what comes then.
    pub(super) fn decode(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Chunk), Fault> {
        for (at, byte) in input.iter().enumerate() {
            if self.step == Step::Data {
                return Ok((at, Chunk::Data(self.size)));
            }
            let is_last_line = self.step == Step::LineLf && self.size == 0;
            self.take(*byte, limits).map_err(|kind| Fault::new(kind, at))?;
            if is_last_line {
                return Ok((at.saturating_add(1), Chunk::Last));
            }
        }
        let chunk = if self.step == Step::Data { Chunk::Data(self.size) } else { Chunk::Pending };
        Ok((input.len(), chunk))
    }

    /// Says that so many bytes of the data that was announced have been taken.
    pub(super) fn take_data(&mut self, bytes: u64) {
        self.size = self.size.saturating_sub(bytes);
        if self.size == 0 {
            self.step = Step::DataCr;
        }
    }

    fn take(&mut self, byte: u8, limits: &Limits) -> Result<(), ErrorKind> {
        self.framing_bytes = self.framing_bytes.saturating_add(1);
        let is_line_end = byte == b'\r' && self.may_end();
        if self.in_line() && !is_line_end {
            self.count(limits)?;
        }
        match self.step {
            Step::Size => self.size(byte, limits),
            Step::ExtensionName => self.extension_name(byte),
            Step::ExtensionValue => self.extension_value(byte),
            Step::Quoted | Step::QuotedPair => self.quoted(byte),
            Step::AfterQuoted => self.after_token(byte, ErrorKind::InvalidChunkExtension),
            Step::LineLf => self.end_line(byte),
            Step::Data | Step::DataCr => self.end_data(byte, b'\r', Step::DataLf),
            Step::DataLf => self.end_data(byte, b'\n', Step::Size),
        }
    }

    /// Whether a chunk line has begun, and not its end.
    const fn in_line(&self) -> bool {
        !matches!(self.step, Step::LineLf | Step::Data | Step::DataCr | Step::DataLf)
    }

    /// Whether the line is complete as it stands.
    const fn may_end(&self) -> bool {
        let is_after_token = matches!(self.step, Step::Size | Step::ExtensionName | Step::ExtensionValue);
        is_after_token && self.token_bytes > 0 || matches!(self.step, Step::AfterQuoted)
    }

    /// Counts a byte of a chunk line.
    fn count(&mut self, limits: &Limits) -> Result<(), ErrorKind> {
        if self.line_bytes >= limits.chunk_line_bytes_max {
            return Err(ErrorKind::ChunkLineTooLong);
        }
        self.line_bytes = self.line_bytes.saturating_add(1);
        if self.step != Step::Size {
            if self.extension_bytes >= limits.extension_bytes_max {
                return Err(ErrorKind::ExtensionsTooLarge);
            }
            self.extension_bytes = self.extension_bytes.saturating_add(1);
        }
        Ok(())
    }

    /// `chunk-size = 1*HEXDIG`, and what may follow it.
    fn size(&mut self, byte: u8, limits: &Limits) -> Result<(), ErrorKind> {
        if let Some(digit) = hex(byte) {
            if self.token_bytes == SIZE_DIGITS_MAX {
                return Err(ErrorKind::ChunkSizeOverflow);
            }
            self.token_bytes = self.token_bytes.saturating_add(1);
            self.size = self.size << 4 | u64::from(digit);
            return Ok(());
        }
        if self.token_bytes == 0 {
            return Err(if byte == b'\n' { ErrorKind::BareLf } else { ErrorKind::InvalidChunkSize });
        }
        self.after_token(byte, ErrorKind::InvalidChunkSize)?;
        let room = limits.body_bytes_max.saturating_sub(self.data_bytes);
        if self.size > room { Err(ErrorKind::BodyTooLarge) } else { Ok(()) }
    }

    /// `chunk-ext-name`, a token.
    fn extension_name(&mut self, byte: u8) -> Result<(), ErrorKind> {
        match byte {
            byte if is_tchar(byte) => self.token_bytes = self.token_bytes.saturating_add(1),
            b'=' if self.token_bytes > 0 => self.start(Step::ExtensionValue),
            _ => return self.after_token(byte, ErrorKind::InvalidChunkExtension),
        }
        Ok(())
    }

    /// `chunk-ext-val`, a token or a quoted string.
    fn extension_value(&mut self, byte: u8) -> Result<(), ErrorKind> {
        match byte {
            byte if is_tchar(byte) => self.token_bytes = self.token_bytes.saturating_add(1),
            b'"' if self.token_bytes == 0 => self.start(Step::Quoted),
            _ => return self.after_token(byte, ErrorKind::InvalidChunkExtension),
        }
        Ok(())
    }

    /// `quoted-string` behind its first quote (RFC 9110 §5.6.4).
    fn quoted(&mut self, byte: u8) -> Result<(), ErrorKind> {
        let is_text = matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        self.step = match (self.step, byte) {
            (Step::QuotedPair, _) if is_text => Step::Quoted,
            (Step::Quoted, b'"') => Step::AfterQuoted,
            (Step::Quoted, b'\\') => Step::QuotedPair,
            (Step::Quoted, _) if is_text => Step::Quoted,
            _ => return Err(ErrorKind::InvalidChunkExtension),
        };
        Ok(())
    }

    /// The end of the line or another extension; neither behind a token that is empty.
    fn after_token(&mut self, byte: u8, otherwise: ErrorKind) -> Result<(), ErrorKind> {
        match byte {
            b'\r' if self.may_end() => self.step = Step::LineLf,
            b';' if self.may_end() => self.start(Step::ExtensionName),
            b'\n' if self.may_end() => return Err(ErrorKind::BareLf),
            _ => return Err(otherwise),
        }
        Ok(())
    }

    /// The CR LF behind data.
    fn end_data(&mut self, byte: u8, expected: u8, next: Step) -> Result<(), ErrorKind> {
        if byte != expected {
            return Err(ErrorKind::InvalidChunkEnd);
        }
        self.line_bytes = 0;
        self.start(next);
        Ok(())
    }

    fn start(&mut self, step: Step) {
        self.step = step;
        self.token_bytes = 0;
    }

    /// The LF of a chunk line.
    fn end_line(&mut self, byte: u8) -> Result<(), ErrorKind> {
        if byte != b'\n' {
            return Err(ErrorKind::BareCr);
        }
        self.data_bytes = self.data_bytes.saturating_add(self.size);
        let allowed = self.data_bytes.saturating_mul(FRAMING_BYTES_PER_BYTE).saturating_add(FRAMING_BYTES_FREE);
        if self.framing_bytes > allowed {
            return Err(ErrorKind::WastefulChunks);
        }
        self.step = Step::Data;
        Ok(())
    }
}
