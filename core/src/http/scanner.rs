//! Scans a head or a trailer section, and can stop and resume at any byte of it.
//!
//! The state is a step and a cursor inside the current token; no byte before the cursor is looked at again. Whole lines
//! are taken [many bytes at a time](super::fast); what is left is an unfinished line, or one with something wrong in it.
//! So every byte is looked at twice at most, however the head is cut up.

use fearless_simd::Level;

use super::error::{ErrorKind, Fault};
use super::fast::{self, LineEnds, Lines};
use super::grammar::{is_field_byte, is_target_byte, is_tchar, is_whitespace};
use super::head::{FieldSpans, HeadSpans, KnownName, Span, Version};
use super::{Limits, target};

/// What a scan came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The input ended inside the head.
    Pending,
    /// An empty line in front of the request line, two bytes, is to be skipped.
    EmptyLine,
    /// The head is complete and has this many bytes.
    Complete(usize),
}

/// One step: `None` goes on with the next.
type Stepped = Result<Option<Progress>, Fault>;

/// What the scanner expects at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    LineStart,
    EmptyLineLf,
    Method,
    Target,
    Version,
    RequestLineLf,
    FieldStart,
    Name,
    ValueStart,
    Value,
    FieldLf,
    HeadLf,
}

/// Why a run of bytes of one class stopped.
enum Run {
    /// The input ended.
    Pending,
    /// The byte under the cursor is of another class.
    Byte(u8),
    /// The byte under the cursor is one more than allowed.
    TooLong,
}

#[derive(Debug)]
pub(super) struct Scanner {
    level: Level,
    line_ends: LineEnds,
    step: Step,
    cursor: usize,
    token_start: usize,
    /// The name of the field whose value is being scanned.
    name: Span,
    /// The end of the last byte of that value that is not whitespace.
    value_end: usize,
    in_trailers: bool,
    empty_lines: u32,
    examined: u64,
    spans: HeadSpans,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            level: Level::new(),
            line_ends: LineEnds::new(),
            step: Step::LineStart,
            cursor: 0,
            token_start: 0,
            name: Span::default(),
            value_end: 0,
            in_trailers: false,
            empty_lines: 0,
            examined: 0,
            spans: HeadSpans::default(),
        }
    }

    /// Goes on with the section that starts at the start of `input`, where it has been seen up to the cursor.
    #[inline(always)]
    pub(super) fn scan(&mut self, input: &[u8], limits: &Limits) -> Result<Progress, Fault> {
        // Most bytes of a head are in values, so that is where a slow client's bytes go on.
        if self.step == Step::Value
            && let Some(progress) = self.value(input, limits)?
        {
            return Ok(progress);
        }
        match self.scan_lines(input, limits) {
            Some(progress) => Ok(progress),
            None => self.scan_bytes(input, limits),
        }
    }

    /// Takes whole lines at once where a line starts.
    #[inline(always)]
    fn scan_lines(&mut self, input: &[u8], limits: &Limits) -> Option<Progress> {
        let is_long = input.len().saturating_sub(self.cursor) >= fast::INPUT_BYTES_MIN;
        let (start, count_max) = (self.cursor, self.count_max(limits));
        let (level, ends, spans) = (self.level, &mut self.line_ends, &mut self.spans);
        let lines = if self.step == Step::FieldStart && is_long {
            fast::fields(level, input, start, count_max, limits, ends, spans)
        } else if self.step == Step::LineStart && is_long && input.first() != Some(&b'\r') {
            fast::head(level, input, limits, ends, spans)
        } else {
            return None;
        };
        self.examined = self.examined.saturating_add(self.line_ends.examined(start) as u64);
        match lines {
            Lines::Nothing => None,
            Lines::Until(cursor) => {
                // The lines that were taken were looked at once to find them and once to take them apart.
                self.examined = self.examined.saturating_add(cursor.saturating_sub(start) as u64);
                self.cursor = cursor;
                self.step = Step::FieldStart;
                None
            }
            Lines::Complete(length) => {
                self.examined = self.examined.saturating_add(length.saturating_sub(start) as u64);
                Some(Progress::Complete(length))
            }
        }
    }

    #[inline(never)]
    fn scan_bytes(&mut self, input: &[u8], limits: &Limits) -> Result<Progress, Fault> {
        loop {
            let progress = match self.step {
                Step::LineStart => self.line_start(input, limits)?,
                Step::Method => self.method(input, limits)?,
                Step::Target => self.target(input, limits)?,
                Step::Version => self.version(input)?,
                Step::FieldStart => self.field_start(input, limits)?,
                Step::Name => self.name(input, limits)?,
                Step::ValueStart => self.value_start(input),
                Step::Value => self.value(input, limits)?,
                Step::EmptyLineLf | Step::RequestLineLf | Step::FieldLf | Step::HeadLf => self.line_feed(input)?,
            };
            if let Some(progress) = progress {
                return Ok(progress);
            }
            if self.step == Step::FieldStart
                && let Some(progress) = self.scan_lines(input, limits)
            {
                return Ok(progress);
            }
        }
    }

    /// Forgets the section that was scanned, keeping the allocation; the next one is a head.
    #[inline]
    pub(super) fn start_head(&mut self) {
        self.start(Step::LineStart);
        self.in_trailers = false;
    }

    /// Forgets the section that was scanned, keeping the allocation; the next one is a trailer section.
    pub(super) fn start_trailers(&mut self) {
        self.start(Step::FieldStart);
        self.in_trailers = true;
    }

    #[inline(always)]
    fn start(&mut self, step: Step) {
        self.step = step;
        self.cursor = 0;
        self.empty_lines = 0;
        self.spans.clear();
    }

    #[inline(always)]
    const fn count_max(&self, limits: &Limits) -> u32 {
        if self.in_trailers { limits.trailer_count_max } else { limits.field_count_max }
    }

    pub(super) const fn spans(&self) -> &HeadSpans {
        &self.spans
    }

    pub(super) fn take_spans(&mut self) -> HeadSpans {
        core::mem::take(&mut self.spans)
    }

    /// Bytes looked at, those looked at twice counted twice.
    pub(super) const fn examined(&self) -> u64 {
        self.examined
    }

    /// What is wrong if the section is not complete within its size.
    pub(super) const fn overflow_kind(&self) -> ErrorKind {
        let in_request_line = matches!(
            self.step,
            Step::LineStart | Step::EmptyLineLf | Step::Method | Step::Target | Step::Version | Step::RequestLineLf
        );
        match (self.in_trailers, in_request_line) {
            (true, _) => ErrorKind::TrailersTooLarge,
            (false, true) => ErrorKind::TargetTooLong,
            (false, false) => ErrorKind::HeadTooLarge,
        }
    }

    fn line_start(&mut self, input: &[u8], limits: &Limits) -> Stepped {
        let Some(byte) = self.peek(input) else { return Ok(Some(Progress::Pending)) };
        match byte {
            // "a server ... SHOULD ignore at least one empty line" (RFC 9112 §2.2).
            b'\r' if self.empty_lines == limits.empty_lines_max => Err(self.fault(ErrorKind::TooManyEmptyLines)),
            b'\r' => self.step_past(Step::EmptyLineLf),
            b'\n' => Err(self.fault(ErrorKind::BareLf)),
            byte if is_tchar(byte) => self.step_at(Step::Method),
            _ => Err(self.fault(ErrorKind::InvalidMethod)),
        }
    }

    fn method(&mut self, input: &[u8], limits: &Limits) -> Stepped {
        match self.run(input, is_tchar, limits.method_bytes_max) {
            Run::Pending => Ok(Some(Progress::Pending)),
            Run::Byte(b' ') => {
                self.spans.method = self.token();
                self.step_past(Step::Target)
            }
            Run::Byte(_) => Err(self.fault(ErrorKind::InvalidMethod)),
            Run::TooLong => Err(self.fault(ErrorKind::MethodTooLong)),
        }
    }

    fn target(&mut self, input: &[u8], limits: &Limits) -> Stepped {
        match self.run(input, is_target_byte, limits.target_bytes_max) {
            Run::Pending => Ok(Some(Progress::Pending)),
            Run::Byte(b' ') if self.cursor > self.token_start => {
                self.spans.target = self.token();
                self.step_past(Step::Version)
            }
            // Never read as HTTP/0.9, whose headers and body would then be anybody's guess.
            Run::Byte(b'\r' | b'\n') => Err(self.fault(ErrorKind::MissingVersion)),
            Run::Byte(_) => Err(self.fault(ErrorKind::InvalidTarget)),
            Run::TooLong => Err(self.fault(ErrorKind::TargetTooLong)),
        }
    }

    /// `HTTP-version = "HTTP" "/" DIGIT "." DIGIT`, case-sensitive, then CR (RFC 9112 §2.3).
    fn version(&mut self, input: &[u8]) -> Stepped {
        while let Some(byte) = self.peek(input) {
            let at = self.cursor.saturating_sub(self.token_start);
            let fits = match b"HTTP/1.1\r".get(at) {
                Some(b'1') => byte.is_ascii_digit(),
                Some(expected) => byte == *expected,
                None => false,
            };
            match byte {
                b'\r' if fits => return self.step_past(Step::RequestLineLf),
                b'\n' => return Err(self.fault(ErrorKind::BareLf)),
                _ if fits => self.cursor = self.cursor.saturating_add(1),
                _ => return Err(self.fault(ErrorKind::InvalidVersion)),
            }
        }
        Ok(Some(Progress::Pending))
    }

    fn field_start(&mut self, input: &[u8], limits: &Limits) -> Stepped {
        let Some(byte) = self.peek(input) else { return Ok(Some(Progress::Pending)) };
        let full = u32::try_from(self.spans.field_count()).map_or(true, |count| count >= self.count_max(limits));
        match byte {
            b'\r' => self.step_past(Step::HeadLf),
            b'\n' => Err(self.fault(ErrorKind::BareLf)),
            b' ' | b'\t' => Err(self.fault(ErrorKind::LeadingWhitespace)),
            byte if !is_tchar(byte) => Err(self.fault(ErrorKind::InvalidFieldName)),
            _ if full => Err(self.fault(ErrorKind::TooManyFields)),
            _ => self.step_at(Step::Name),
        }
    }

    fn name(&mut self, input: &[u8], limits: &Limits) -> Stepped {
        match self.run(input, is_tchar, limits.name_bytes_max) {
            Run::Pending => Ok(Some(Progress::Pending)),
            Run::Byte(b':') => {
                self.name = self.token();
                self.step_past(Step::ValueStart)
            }
            Run::Byte(b' ' | b'\t') => Err(self.fault(ErrorKind::SpaceBeforeColon)),
            Run::Byte(b'\r' | b'\n') => Err(self.fault(ErrorKind::MissingColon)),
            Run::Byte(_) => Err(self.fault(ErrorKind::InvalidFieldName)),
            Run::TooLong => Err(self.fault(ErrorKind::FieldNameTooLong)),
        }
    }

    fn value_start(&mut self, input: &[u8]) -> Option<Progress> {
        match self.run(input, is_whitespace, u32::MAX) {
            Run::Pending => Some(Progress::Pending),
            Run::Byte(_) | Run::TooLong => {
                self.token_start = self.cursor;
                self.value_end = self.cursor;
                self.step = Step::Value;
                None
            }
        }
    }

    fn value(&mut self, input: &[u8], limits: &Limits) -> Stepped {
        let (mut end, mut value_end) = (self.cursor, self.value_end);
        let run = self.run(
            input,
            |byte| {
                end = end.saturating_add(1);
                let is_member = is_field_byte(byte);
                // Whitespace at the end of the line is not part of the value.
                if is_member && !is_whitespace(byte) {
                    value_end = end;
                }
                is_member
            },
            limits.value_bytes_max,
        );
        self.value_end = value_end;
        match run {
            Run::Pending => Ok(Some(Progress::Pending)),
            Run::Byte(b'\r') => {
                let value = Span::new(self.token_start, self.value_end);
                self.spans.push(FieldSpans { known: KnownName::of(self.name.of(input)), name: self.name, value });
                self.step_past(Step::FieldLf)
            }
            Run::Byte(b'\n') => Err(self.fault(ErrorKind::BareLf)),
            Run::Byte(_) => Err(self.fault(ErrorKind::InvalidFieldValue)),
            Run::TooLong => Err(self.fault(ErrorKind::FieldValueTooLong)),
        }
    }

    /// The second half of every line end.
    fn line_feed(&mut self, input: &[u8]) -> Stepped {
        match self.peek(input) {
            None => return Ok(Some(Progress::Pending)),
            Some(b'\n') => {}
            Some(_) => return Err(Fault::new(ErrorKind::BareCr, self.cursor.saturating_sub(1))),
        }
        if self.step == Step::EmptyLineLf {
            self.empty_lines = self.empty_lines.saturating_add(1);
            self.step = Step::LineStart;
            self.cursor = 0;
            return Ok(Some(Progress::EmptyLine));
        }
        if self.step == Step::HeadLf {
            return Ok(Some(Progress::Complete(self.cursor.saturating_add(1))));
        }
        if self.step == Step::RequestLineLf {
            self.judge_request_line(input)?;
        }
        self.step_past(Step::FieldStart)
    }

    /// The version comes first: it decides whether the rest means what it seems to (`PRI * HTTP/2.0`, RFC 9113 §3.4).
    fn judge_request_line(&mut self, input: &[u8]) -> Result<(), Fault> {
        let version = input.get(self.token_start..).unwrap_or_default();
        self.spans.version = match version {
            [_, _, _, _, _, b'1', _, b'0', ..] => Version::Http10,
            [_, _, _, _, _, b'1', ..] => Version::Http11,
            _ => return Err(Fault::new(ErrorKind::UnsupportedVersion, self.token_start)),
        };
        let (method, target) = (self.spans.method, self.spans.target);
        self.spans.parts = target::split(input, method, target).map_err(|kind| Fault::new(kind, target.start()))?;
        Ok(())
    }

    /// Moves the cursor over bytes of one class, at most `limit` of them from the start of the token.
    #[inline(always)]
    fn run(&mut self, input: &[u8], mut is_member: impl FnMut(u8) -> bool, limit: u32) -> Run {
        let end = self.token_start.saturating_add(limit as usize);
        while let Some(byte) = input.get(self.cursor) {
            self.examined = self.examined.saturating_add(1);
            if !is_member(*byte) {
                return Run::Byte(*byte);
            }
            if self.cursor >= end {
                return Run::TooLong;
            }
            self.cursor = self.cursor.saturating_add(1);
        }
        Run::Pending
    }

    fn peek(&mut self, input: &[u8]) -> Option<u8> {
        let byte = input.get(self.cursor).copied()?;
        self.examined = self.examined.saturating_add(1);
        Some(byte)
    }

    /// The byte under the cursor is done with; the next token starts behind it.
    fn step_past(&mut self, step: Step) -> Stepped {
        self.cursor = self.cursor.saturating_add(1);
        if step != Step::RequestLineLf {
            self.token_start = self.cursor;
        }
        self.step = step;
        Ok(None)
    }

    /// The byte under the cursor is the first of the next token.
    fn step_at(&mut self, step: Step) -> Stepped {
        self.token_start = self.cursor;
        self.step = step;
        Ok(None)
    }

    fn token(&self) -> Span {
        Span::new(self.token_start, self.cursor)
    }

    const fn fault(&self, kind: ErrorKind) -> Fault {
        Fault::new(kind, self.cursor)
    }
}
