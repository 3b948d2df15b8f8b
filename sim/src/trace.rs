//! What happened in a run, folded into one number: same seed, same number, or the run was not deterministic.

use core::fmt;

use nalcast_core::Timestamp;

/// A running digest of everything that happened, and the lines of it if they are wanted.
#[derive(Debug, Default)]
pub struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
    events: u64,
}

impl Trace {
    /// A trace that keeps its lines only if `keep_lines`.
    #[must_use]
    pub fn new(keep_lines: bool) -> Self {
        Self { digest: 0xcbf2_9ce4_8422_2325, lines: keep_lines.then(Vec::new), events: 0 }
    }

    /// Folds in a datagram, byte by byte, and where it went.
    pub fn datagram(&mut self, now: Timestamp, what: &'static str, viewer: usize, bytes: &[u8]) {
        self.fold(now.as_micros());
        self.fold(viewer as u64);
        self.fold(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
        self.line(now, format_args!("viewer {viewer}: {what} {} B", bytes.len()));
    }

    /// Folds in anything else that happened.
    pub fn event(&mut self, now: Timestamp, what: fmt::Arguments<'_>) {
        self.fold(now.as_micros());
        for byte in what.to_string().bytes() {
            self.fold(u64::from(byte));
        }
        self.line(now, what);
    }

    /// The digest so far.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// How much was folded in.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The lines kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    fn line(&mut self, now: Timestamp, what: fmt::Arguments<'_>) {
        self.events += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{now} {what}"));
        }
    }

    fn fold(&mut self, word: u64) {
        // The multiplier of FNV-1a over 64-bit words, with a rotation so that high bits reach low ones.
        self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }
}
