//! Recording the stream as it came: an Annex B byte stream (ITU-T H.264 and H.265) that any player opens.

use core::time::Duration;
use std::path::Path;
use std::time::Instant;

use shell_common::output::{CreateError, Output, Purpose};

use crate::present::ReleasedUnit;

/// How much viewing a crash may cost the recording.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

const PURPOSE: Purpose = Purpose { name: "the recording", beside: "viewing", buffer_bytes: 1 << 18 };

/// Writes a recording. It begins at a key unit, so that it can be decoded from its first byte.
pub struct Recorder {
    out: Output,
    started: bool,
    /// When the oldest byte was written that may still be in the buffer only.
    unflushed_since: Option<Instant>,
}

impl Recorder {
    /// Opens `path`, emptying what is there.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, CreateError> {
        Ok(Self::to(Output::create(path, PURPOSE)?))
    }

    const fn to(out: Output) -> Self {
        Self { out, started: false, unflushed_since: None }
    }

    /// Adds one access unit, after the parameter sets that came beside it. A failure is reported once and ends the
    /// recording, never the viewing.
    pub fn write(&mut self, unit: &ReleasedUnit, now: Instant) {
        self.started |= unit.key;
        if !self.started || self.out.has_failed() {
            return;
        }
        let parameter_sets = unit.parameter_sets.as_deref().unwrap_or_default();
        self.out.write(|out| out.write_all(parameter_sets).and_then(|()| out.write_all(&unit.bytes)));
        self.unflushed_since.get_or_insert(now);
        self.flush_when_due(now);
    }

    /// Hands what is buffered to the operating system once a second has passed since the last time.
    pub fn flush_when_due(&mut self, now: Instant) {
        if self.unflushed_since.is_some_and(|since| now.saturating_duration_since(since) >= FLUSH_INTERVAL) {
            self.flush();
        }
    }

    /// Hands what is buffered to the operating system.
    pub fn flush(&mut self) {
        self.unflushed_since = None;
        self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::present::tests::unit;

    /// What reached the operating system, and how many more bytes it takes.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Disk {
        fn with_room(bytes: usize) -> Self {
            Self(Arc::new(Mutex::new((Vec::new(), bytes))))
        }

        fn content(&self) -> Vec<u8> {
            self.0.lock().unwrap().0.clone()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (content, room) = &mut *self.0.lock().map_err(|_| io::ErrorKind::Other)?;
            *room = room.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            content.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn starts_at_a_key_unit_and_keeps_every_byte() {
        let disk = Disk::with_room(1000);
        let mut recorder = Recorder::to(Output::to(Box::new(disk.clone()), PURPOSE));
        let now = Instant::now();
        let with_sets = ReleasedUnit { parameter_sets: Some(b"SETS".as_slice().into()), ..unit(1, true, b"IDR") };
        for unit in [unit(0, false, b"before"), with_sets, unit(2, false, b"P"), unit(3, true, b"IDR2")] {
            recorder.write(&unit, now);
        }
        assert_eq!(disk.content(), b"", "nothing reaches the disk before the flush is due");
        recorder.flush();
        assert_eq!(disk.content(), b"SETSIDRPIDR2");
    }

    #[test]
    fn flushes_once_a_second_even_when_nothing_more_comes() {
        let disk = Disk::with_room(1000);
        let mut recorder = Recorder::to(Output::to(Box::new(disk.clone()), PURPOSE));
        let start = Instant::now();
        recorder.write(&unit(0, true, b"a"), start);
        recorder.write(&unit(1, false, b"b"), start + Duration::from_millis(999));
        assert_eq!(disk.content(), b"");
        recorder.flush_when_due(start + Duration::from_millis(1000));
        assert_eq!(disk.content(), b"ab");
        recorder.write(&unit(2, false, b"c"), start + Duration::from_millis(1001));
        assert_eq!(disk.content(), b"ab", "the second starts anew");
        recorder.write(&unit(3, false, b"d"), start + Duration::from_millis(2001));
        assert_eq!(disk.content(), b"abcd");
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_nothing_else() {
        let disk = Disk::with_room(2);
        let mut recorder = Recorder::to(Output::to(Box::new(disk.clone()), PURPOSE));
        let now = Instant::now();
        recorder.write(&unit(0, true, b"a"), now);
        recorder.flush();
        recorder.write(&unit(1, false, b"too much"), now);
        recorder.flush();
        assert!(recorder.out.has_failed());
        recorder.write(&unit(2, false, b"z"), now);
        recorder.flush();
        assert_eq!(disk.content(), b"a");
    }
}
