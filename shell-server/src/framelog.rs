//! One JSON line for each access unit at the moment before the core gets it, to be compared with the viewers'.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

/// Why the frame log could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot create the frame log {}: {source}; choose another path or free space", path.display())]
pub struct FrameLogError {
    path: PathBuf,
    source: io::Error,
}

/// Writes the log; buffered, so that a line costs no system call. It is complete once it is dropped.
pub struct FrameLog {
    out: BufWriter<Box<dyn Write>>,
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
    pub fn to(out: Box<dyn Write>) -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, out), failed: false }
    }

    /// Adds the line of the access unit with this number at [`monotonic_ns`] `t_ns`. A failure is reported once and
    /// ends the log, never the sharing.
    pub fn write(&mut self, index: u64, t_ns: u64) {
        if !self.failed {
            let written = writeln!(self.out, "{{\"au\":{index},\"t_ns\":{t_ns}}}");
            self.report(written);
        }
    }

    fn report(&mut self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.failed = true;
            tracing::error!("the frame log ends here, because writing it failed: {error}; sharing goes on");
        }
    }
}

impl Drop for FrameLog {
    fn drop(&mut self) {
        if !self.failed {
            let flushed = self.out.flush();
            self.report(flushed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_and_all_there_after_the_drop() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut log = FrameLog::create(path.path()).unwrap();
        log.write(0, 17);
        log.write(1, u64::MAX);
        drop(log);
        let text = std::fs::read_to_string(path.path()).unwrap();
        assert_eq!(text, "{\"au\":0,\"t_ns\":17}\n{\"au\":1,\"t_ns\":18446744073709551615}\n");
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn the_clock_does_not_run_back_and_an_impossible_path_is_named() {
        let first = monotonic_ns();
        assert!(first > 0 && monotonic_ns() >= first);
        let error = FrameLog::create(Path::new("/nonexistent/log.jsonl")).err().unwrap();
        assert!(error.to_string().contains("/nonexistent/log.jsonl"));
    }
}
