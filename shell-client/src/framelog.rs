//! One JSON line for each access unit that was handed to the decoder, to be compared with the sender's.

use std::path::Path;

use sha2::{Digest, Sha256};
use shell_common::output::{CreateError, Output, Purpose};

const PURPOSE: Purpose = Purpose { name: "the frame log", beside: "viewing", buffer_bytes: 1 << 16 };

/// Writes the log; buffered, so that a line costs no system call.
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

    /// Adds the line of one access unit: `t_ns` is [`monotonic_ns`](shell_common::clock::monotonic_ns) at the moment
    /// it was handed over, `unit` exactly its bytes. A failure is reported once and ends the log, never the viewing.
    pub fn write(&mut self, t_ns: u64, unit: &[u8]) {
        self.out.write(|out| {
            let sha256 = Sha256::digest(unit);
            writeln!(out, "{{\"t_ns\":{t_ns},\"size\":{},\"sha256\":\"{}\"}}", unit.len(), Hex(&sha256))
        });
    }

    /// Hands what is buffered to the operating system.
    pub fn flush(&mut self) {
        self.out.flush();
    }
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
    fn an_impossible_path_is_named_in_the_error() {
        let error = FrameLog::create(Path::new("/nonexistent/log.jsonl")).err().unwrap();
        assert!(error.to_string().contains("the frame log /nonexistent/log.jsonl"));
    }
}
