//! Files that are written beside the real work: buffered, and never a reason to end it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What a file is and what it is written beside, in the words of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// With its article, for example "the frame log".
    pub name: &'static str,
    /// What goes on without it, for example "viewing".
    pub beside: &'static str,
    /// Room of its buffer.
    pub buffer_bytes: usize,
}

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot create {name} {}: {source}; choose another path or free space", path.display())]
pub struct CreateError {
    name: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Writes such a file; buffered, so that a few bytes cost no system call. A failure is reported once and ends the
/// file, nothing else.
pub struct Output {
    out: BufWriter<Box<dyn Write + Send>>,
    purpose: Purpose,
    failed: bool,
}

impl Output {
    /// Opens `path`, emptying what is there.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, purpose: Purpose) -> Result<Self, CreateError> {
        let file = File::create(path);
        let file = file.map_err(|source| CreateError { name: purpose.name, path: path.to_owned(), source })?;
        Ok(Self::to(Box::new(file), purpose))
    }

    /// Writes to anything.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>, purpose: Purpose) -> Self {
        Self { out: BufWriter::with_capacity(purpose.buffer_bytes, out), purpose, failed: false }
    }

    /// Whether the file has ended by a failure.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Adds what `write` writes.
    pub fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed {
            return;
        }
        if let Err(error) = write(&mut self.out) {
            self.failed = true;
            let Purpose { name, beside, .. } = self.purpose;
            tracing::error!("{name} ends here, because writing it failed: {error}; {beside} goes on");
        }
    }

    /// Hands what is buffered to the operating system.
    pub fn flush(&mut self) {
        self.write(|out| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: Purpose = Purpose { name: "the log", beside: "testing", buffer_bytes: 64 };

    #[test]
    fn an_impossible_path_is_named_in_the_error() {
        let error = Output::create(Path::new("/nonexistent/log.jsonl"), LOG).err().unwrap();
        assert!(error.to_string().starts_with("cannot create the log /nonexistent/log.jsonl: "), "{error}");
    }

    #[test]
    fn what_is_there_is_replaced() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "longer, and from before").unwrap();
        let mut output = Output::create(file.path(), LOG).unwrap();
        output.write(|out| writeln!(out, "new"));
        output.flush();
        assert!(!output.has_failed());
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "new\n");
    }

    #[test]
    fn nothing_is_written_after_a_failure() {
        let mut output = Output::to(Box::new(io::sink()), LOG);
        output.write(|_| Err(io::ErrorKind::StorageFull.into()));
        assert!(output.has_failed());
        output.write(|_| panic!("written after a failure"));
    }
}
