//! One JSON line for each access unit that was handed to the decoder, to be compared with the sender's.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

/// Why the frame log could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the frame log {}: {source}; choose another path or free space", path.display())]
pub struct FrameLogError {
    path: PathBuf,
    source: io::Error,
}

/// Writes the log; buffered, so that a line costs no system call.
pub struct FrameLog {
    out: BufWriter<Box<dyn Write + Send>>,
    failed: bool,
}

impl FrameLog {
    /// Opens `path`, emptying what is there.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, FrameLogError> {
        let file = File::create(path).map_err(|source| FrameLogError { path: path.to_owned(), source })?;
        Ok(Self::to(Box::new(file)))
    }

    /// Writes to anything.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>) -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, out), failed: false }
    }

    /// Adds the line of one access unit: `t_ns` is [`monotonic_ns`] at the moment it was handed over, `unit` exactly
    /// its bytes. A failure is reported once and ends the log, never the viewing.
    pub fn write(&mut self, t_ns: u64, unit: &[u8]) {
        if self.failed {
            return;
        }
        let line =
            format_args!("{{\"t_ns\":{t_ns},\"size\":{},\"sha256\":\"{}\"}}\n", unit.len(), Hex(&Sha256::digest(unit)));
        let written = self.out.write_fmt(line);
        self.report(written);
    }

    /// Hands what is buffered to the operating system.
    pub fn flush(&mut self) {
        if !self.failed {
            let flushed = self.out.flush();
            self.report(flushed);
        }
    }

    fn report(&mut self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.failed = true;
            tracing::error!("the frame log ends here, because writing it failed: {error}; viewing goes on");
        }
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds: the same clock in every process of this machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Lower-case hexadecimal without an allocation.
struct Hex<'a>(&'a [u8]);

impl core::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_with_time_size_and_the_known_hash() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut log = FrameLog::create(path.path()).unwrap();
        log.write(u64::MAX, b"abc");
        log.write(7, b"");
        log.flush();
        let text = std::fs::read_to_string(path.path()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // FIPS 180-4 examples: the hashes of "abc" and of nothing.
        let wanted = [
            (u64::MAX, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (7, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ];
        assert_eq!(lines.len(), wanted.len());
        for (line, (t_ns, size, sha256)) in lines.iter().zip(wanted) {
            assert_eq!(*line, serde_json::json!({"t_ns": t_ns, "size": size, "sha256": sha256}));
        }
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn the_clock_does_not_stand_still_or_run_back() {
        let first = monotonic_ns();
        assert!(first > 0 && monotonic_ns() >= first);
    }

    #[test]
    fn an_impossible_path_is_named_in_the_error() {
        let error = FrameLog::create(Path::new("/nonexistent/log.jsonl")).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/log.jsonl"));
    }
}
