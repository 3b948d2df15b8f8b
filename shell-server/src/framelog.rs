//! One JSON line for each access unit at the moment before the core gets it, to be compared with the viewers'.

use std::path::Path;

use shell_common::output::{CreateError, Output, Purpose};

const PURPOSE: Purpose = Purpose { name: "the frame log", beside: "sharing", buffer_bytes: 1 << 16 };

/// Writes the log; buffered, so that a line costs no system call. It is complete once it is dropped.
pub struct FrameLog {
    out: Output,
}

impl FrameLog {
    /// Opens `path`, emptying what is there.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, CreateError> {
        Ok(Self { out: Output::create(path, PURPOSE)? })
    }

    /// Adds the line of the access unit with this number at [`monotonic_ns`](shell_common::clock::monotonic_ns)
    /// `t_ns`. A failure is reported once and ends the log, never the sharing.
    pub fn write(&mut self, index: u64, t_ns: u64) {
        self.out.write(|out| writeln!(out, "{{\"au\":{index},\"t_ns\":{t_ns}}}"));
    }
}

impl Drop for FrameLog {
    fn drop(&mut self) {
        self.out.flush();
    }
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
    fn an_impossible_path_is_named_in_the_error() {
        let error = FrameLog::create(Path::new("/nonexistent/log.jsonl")).err().unwrap();
        assert!(error.to_string().contains("the frame log /nonexistent/log.jsonl"));
    }
}
