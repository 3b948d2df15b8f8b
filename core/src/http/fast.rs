//! Scans whole lines of a head, many bytes at a time.
//!
//! First the ends of lines are found, block by block, then each line is taken apart: no step waits for the result of
//! the one before it, so that the processor can work on many at once.
//!
//! Only what is complete, legal and within the limits is taken. At anything else the scan stops at the start of the
//! line, and the [`Scanner`](super::scanner::Scanner) finds out byte by byte what is the matter. So nothing is refused
//! here, and what comes out does not depend on which of the two saw it.

use fearless_simd::{Level, Simd, dispatch};

use super::grammar::{is_tchar, is_whitespace};
use super::head::{FieldSpans, HeadSpans, KnownName, Span, Version};
use super::lanes::{self, BLOCK_BYTES, Class, NAME_BYTES};
use super::{Limits, target};

/// Fewer bytes are left to the scanner: a client that sends byte by byte costs no attempts.
pub(super) const INPUT_BYTES_MIN: usize = 16;

/// Lines that are found before they are taken apart.
const LINES_MAX: usize = 64;

/// How far whole lines were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// Not even a request line.
    Nothing,
    /// Up to this byte, where a line starts.
    Until(usize),
    /// The head is complete and has this many bytes.
    Complete(usize),
}

/// Where lines end.
#[derive(Debug)]
pub(super) struct LineEnds {
    /// The offset of each CR.
    at: [u32; LINES_MAX],
    count: usize,
    /// How far was looked.
    seen: usize,
}

impl LineEnds {
    pub(super) const fn new() -> Self {
        Self { at: [0; LINES_MAX], count: 0, seen: 0 }
    }

    /// Adds the bits of the block at `base`.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "offsets lie within a head, whose size is capped by a u32")]
    fn add(&mut self, base: usize, mut bits: u64) {
        while bits != 0 {
            if let Some(slot) = self.at.get_mut(self.count) {
                *slot = (base as u32).wrapping_add(bits.trailing_zeros());
            }
            self.count = self.count.wrapping_add(1);
            bits &= bits.wrapping_sub(1);
        }
    }

    /// Says how far was looked. The last line is taken back unless its LF is there,
    /// which was seen to be so for all others.
    #[inline(always)]
    fn finish(&mut self, input: &[u8], seen: usize) {
        self.seen = seen.min(input.len());
        if let Some(last) = self.get().last()
            && input.get((*last as usize).wrapping_add(1)) != Some(&b'\n')
        {
            self.count = self.count.wrapping_sub(1);
        }
    }

    /// How many bytes were looked at from `start` of the input on.
    #[inline(always)]
    pub(super) const fn examined(&self, start: usize) -> usize {
        self.seen.wrapping_sub(start)
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.count > LINES_MAX - BLOCK_BYTES / 2
    }

    #[inline(always)]
    fn get(&self) -> &[u32] {
        self.at.get(..self.count).unwrap_or_default()
    }
}

/// Scans from the request line at the start of `input`.
pub(super) fn head(level: Level, input: &[u8], limits: &Limits, ends: &mut LineEnds, spans: &mut HeadSpans) -> Lines {
    dispatch!(level, simd => scan_head(simd, input, limits, ends, spans))
}

/// Scans from the field line at `start`, up to `count_max` fields of the section.
pub(super) fn fields(
    level: Level,
    input: &[u8],
    start: usize,
    count_max: u32,
    limits: &Limits,
    ends: &mut LineEnds,
    spans: &mut HeadSpans,
) -> Lines {
    dispatch!(level, simd => {
        // The line in front of a field line ends two bytes before it.
        find_lines(simd, input, start, 1 << 62, ends);
        scan_fields(simd, input, start, FieldLimits::new(count_max, limits), ends.get(), spans)
    })
}

#[inline(always)]
fn scan_head<S: Simd>(simd: S, input: &[u8], limits: &Limits, ends: &mut LineEnds, spans: &mut HeadSpans) -> Lines {
    find_lines(simd, input, 0, 0, ends);
    let Some((end, ends)) = ends.get().split_first() else { return Lines::Nothing };
    let Some(start) = request_line(simd, input, *end as usize, limits, spans) else { return Lines::Nothing };
    scan_fields(simd, input, start, FieldLimits::new(limits.field_count_max, limits), ends, spans)
}

/// Finds the ends of lines from `start` on: up to the empty line, the first illegal byte, or the end of the input.
///
/// `before` are the CRs of the block in front of `start`.
#[inline(always)]
fn find_lines<S: Simd>(simd: S, input: &[u8], start: usize, before: u64, ends: &mut LineEnds) {
    ends.count = 0;
    let (mut base, mut before) = (start, before);
    let mut rest = input.get(start..).unwrap_or_default();
    while let Some((bytes, after)) = rest.split_first_chunk() {
        let block = lanes::block(simd, bytes);
        if block.is_special(before) {
            ends.add(base, block.last_lines(before, u64::MAX));
            return ends.finish(input, base.wrapping_add(block.special_end(before)));
        }
        ends.add(base, block.cr);
        if ends.is_full() {
            return ends.finish(input, base.wrapping_add(BLOCK_BYTES));
        }
        (rest, before) = (after, block.cr);
        base = base.wrapping_add(BLOCK_BYTES);
    }
    if rest.is_empty() {
        return ends.finish(input, base);
    }
    let missing = BLOCK_BYTES.wrapping_sub(rest.len());
    let padding;
    let bytes = match input.last_chunk() {
        Some(last) => last,
        None => {
            padding = padded(rest);
            &padding
        }
    };
    let block = lanes::block(simd, bytes).without(missing);
    ends.add(base, block.last_lines(before, u64::MAX >> (missing % BLOCK_BYTES)));
    ends.finish(input, base.wrapping_add(block.special_end(before)));
}

/// A block that ends with `rest`.
///
/// Out of line, lest the compiler build the block byte by byte in registers.
#[inline(never)]
fn padded(rest: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut bytes = [b' '; BLOCK_BYTES];
    for (to, from) in bytes.iter_mut().rev().zip(rest.iter().rev()) {
        *to = *from;
    }
    bytes
}

/// Takes the request line apart, which ends at `end`; returns where the next line starts.
#[inline(always)]
fn request_line<S: Simd>(simd: S, input: &[u8], end: usize, limits: &Limits, spans: &mut HeadSpans) -> Option<usize> {
    let target_end = end.checked_sub(b" HTTP/1.1".len())?;
    let [version @ .., minor] = *input.get(target_end..)?.first_chunk::<9>()?;
    if u64::from_le_bytes(version) != u64::from_le_bytes(*b" HTTP/1.") || !minor.is_ascii_digit() {
        return None;
    }
    spans.version = if minor == b'0' { Version::Http10 } else { Version::Http11 };
    let method_end = token_bytes(simd, input, input)?;
    let target_start = method_end.wrapping_add(1);
    let target_bytes = target_end.checked_sub(target_start)?;
    let fits = is_within(method_end, limits.method_bytes_max) && is_within(target_bytes, limits.target_bytes_max);
    if !fits || input.get(method_end) != Some(&b' ') || !is_target(simd, input, target_start, target_end) {
        return None;
    }
    (spans.method, spans.target) = (Span::new(0, method_end), Span::new(target_start, target_end));
    spans.parts = target::split(input, spans.method, spans.target).ok()?;
    Some(end.wrapping_add(2))
}

/// Whether all bytes from `start` to `end` can stand in a target.
#[inline(always)]
fn is_target<S: Simd>(simd: S, input: &[u8], start: usize, end: usize) -> bool {
    let mut from = start;
    while from < end {
        let rest = input.get(from..).unwrap_or_default();
        let outside = match rest.first_chunk() {
            Some(bytes) => lanes::outside_target(simd, bytes).trailing_zeros() as usize,
            None => rest.iter().take_while(|byte| super::grammar::is_target_byte(**byte)).count(),
        };
        if outside < BLOCK_BYTES {
            return from.wrapping_add(outside) >= end;
        }
        from = from.wrapping_add(BLOCK_BYTES);
    }
    true
}

#[inline(always)]
fn scan_fields<S: Simd>(
    simd: S,
    input: &[u8],
    start: usize,
    limits: FieldLimits,
    ends: &[u32],
    spans: &mut HeadSpans,
) -> Lines {
    let mut line = start;
    for end in ends {
        let end = *end as usize;
        if end == line {
            return Lines::Complete(end.wrapping_add(2));
        }
        if spans.field_count() >= limits.count {
            break;
        }
        let Some(field) = field(simd, input, line, end, &limits) else { break };
        if field.known == KnownName::Host {
            spans.note_plain_host(is_plain_host(simd, input, field.value));
        }
        spans.push(field);
        line = end.wrapping_add(2);
    }
    Lines::Until(line)
}

/// Takes the field line apart that starts at `line` and ends at `line_end`.
#[inline(always)]
fn field<S: Simd>(simd: S, input: &[u8], line: usize, line_end: usize, limits: &FieldLimits) -> Option<FieldSpans> {
    let rest = input.get(line..)?;
    let name_bytes = token_bytes(simd, input, rest)?;
    let colon = line.wrapping_add(name_bytes);
    let [mark, space, first] = *input.get(colon..)?.first_chunk()?;
    if mark != b':' || name_bytes == 0 {
        return None;
    }
    let (mut start, mut end) = (colon.wrapping_add(2), line_end);
    // Nearly all have one space in front of the value and none behind it.
    if space != b' ' || first <= b' ' || input.get(line_end.wrapping_sub(1)).is_none_or(|last| *last <= b' ') {
        (start, end) = trim(input, colon, line_end);
    }
    if line_end.wrapping_sub(line) > limits.line
        && (name_bytes > limits.name || line_end.wrapping_sub(start) > limits.value)
    {
        return None;
    }
    let known = KnownName::starting_with(*rest.first_chunk()?, rest.get(..name_bytes)?);
    Some(FieldSpans { known, name: Span::new(line, colon), value: Span::new(start, end) })
}

/// Whether a value, which is trimmed, is a short host of plain bytes: behind it is a byte that is none.
#[inline(always)]
fn is_plain_host<S: Simd>(simd: S, input: &[u8], value: Span) -> bool {
    let rest = input.get(value.start()..).unwrap_or_default();
    rest.first_chunk().is_some_and(|bytes| {
        let plain_bytes = lanes::outside(simd, Class::PlainHost, bytes).trailing_zeros() as usize;
        plain_bytes != 0 && plain_bytes < NAME_BYTES && plain_bytes == value.len()
    })
}

/// How many bytes at the start of `rest`, the end of `input`, can stand in a token.
#[inline(always)]
fn token_bytes<S: Simd>(simd: S, input: &[u8], rest: &[u8]) -> Option<usize> {
    let outside = if let Some(bytes) = rest.first_chunk() {
        lanes::outside(simd, Class::Token, bytes)
    } else if let Some(last) = input.last_chunk() {
        lanes::outside(simd, Class::Token, last) >> (NAME_BYTES.wrapping_sub(rest.len()) % NAME_BYTES)
    } else {
        0
    };
    if outside != 0 {
        return Some(outside.trailing_zeros() as usize);
    }
    long_token_bytes(rest)
}

#[cold]
fn long_token_bytes(rest: &[u8]) -> Option<usize> {
    rest.iter().position(|byte| !is_tchar(*byte))
}

/// The value between `colon` and `line_end` without the whitespace around it.
#[inline(never)]
fn trim(input: &[u8], colon: usize, line_end: usize) -> (usize, usize) {
    let is_whitespace_at = |at: usize| input.get(at).is_some_and(|byte| is_whitespace(*byte));
    let (mut start, mut end) = (colon.wrapping_add(1), line_end);
    while is_whitespace_at(start) {
        start = start.wrapping_add(1);
    }
    while end > start && is_whitespace_at(end.wrapping_sub(1)) {
        end = end.wrapping_sub(1);
    }
    (start, end)
}

struct FieldLimits {
    count: usize,
    name: usize,
    value: usize,
    /// A line that is no longer than this exceeds neither.
    line: usize,
}

impl FieldLimits {
    #[inline(always)]
    const fn new(count: u32, limits: &Limits) -> Self {
        let (name, value) = (limits.name_bytes_max as usize, limits.value_bytes_max as usize);
        Self { count: count as usize, name, value, line: if name < value { name } else { value } }
    }
}

/// Whether a token is neither empty nor too long.
#[inline(always)]
const fn is_within(bytes: usize, max: u32) -> bool {
    bytes != 0 && bytes <= max as usize
}
