//! An Annex-B file: one access unit a tick, byte for byte.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use nalcast_core::nal::annexb::find_start_code;
use nalcast_core::nal::{AccessUnits, Codec, ParameterSets};
use tokio::sync::mpsc;

use super::pacing::{Late, Pacer};
use super::{SourceConfig, SourceError, SourceEvent, SourceHandle, SourceInfo};
use crate::pipeline::mailbox::Mailbox;
use crate::pipeline::times::StageTimes;
use crate::pipeline::{EVENTS_MAX, Pipeline};

/// Bytes that are read at a time; the first piece tells codec and size.
const PIECE_BYTES: usize = 64 << 10;

/// Opens the file and starts the thread that reads it.
pub(super) fn open(path: &Path, config: &SourceConfig) -> Result<SourceHandle, SourceError> {
    let &SourceConfig { fps, repeat, wait_for_start, .. } = config;
    let unreadable = |source| SourceError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut head).map_err(unreadable)?;
    if head.is_empty() {
        return Err(SourceError::EmptyFile { path: path.to_owned() });
    }
    let codec = codec(path, &head)?;
    let mut parameter_sets = ParameterSets::new(codec);
    parameter_sets.observe(&head);
    let (width, height) = parameter_sets.dimensions().map_or((0, 0), |(width, height)| (width.into(), height.into()));

    let mailbox = Arc::new(Mailbox::default());
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let its_mailbox = Arc::clone(&mailbox);
    let reader = Reader { file, path: path.to_owned(), codec, units: AccessUnits::new(codec), repeat, finished: false };
    let thread = thread::Builder::new().name("file".to_owned()).spawn(move || {
        let access_units = hand_out(reader, head, fps, &its_mailbox, &sender);
        StageTimes { access_units, ..StageTimes::default() }
    })?;
    let pipeline = Pipeline { events, mailbox, size: (width, height), threads: vec![thread] };
    let info = SourceInfo { codec, width, height, fps, live: false, name: format!("file {}", path.display()) };
    Ok(SourceHandle::new(pipeline, info, wait_for_start))
}

/// By the file's extension, or, if that says nothing, by its parameter sets.
fn codec(path: &Path, head: &[u8]) -> Result<Codec, SourceError> {
    let zeros = head.iter().take_while(|&&byte| byte == 0).count();
    if find_start_code(head, 0).is_none_or(|prefix| prefix > zeros) {
        return Err(SourceError::NotAnnexB { path: path.to_owned() });
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension
        .and_then(Codec::from_extension)
        .or_else(|| Codec::detect(head))
        .ok_or_else(|| SourceError::UnknownCodec { path: path.to_owned() })
}

/// Hands out the access units; returns how many.
fn hand_out(mut reader: Reader, head: Vec<u8>, fps: u32, mailbox: &Mailbox, sender: &mpsc::Sender<SourceEvent>) -> u64 {
    reader.units.push(&head);
    drop(head);
    if !mailbox.wait_for_start() {
        return 0;
    }
    let mut pacer = Pacer::new(Instant::now(), fps, Late::CatchUp);
    let mut handed_out = 0;
    loop {
        let next = reader.next();
        if !mailbox.wait_until(pacer.next_tick(Instant::now()).due) {
            return handed_out;
        }
        let (event, goes_on) = match next {
            Ok(Some(bytes)) => (SourceEvent::AccessUnit { bytes, captured: Instant::now() }, true),
            Ok(None) => (SourceEvent::Ended, false),
            Err(reason) => (SourceEvent::Failed(reason), false),
        };
        if sender.blocking_send(event).is_err() || !goes_on {
            return handed_out;
        }
        handed_out += 1;
    }
}

/// The file's access units, one after the other.
struct Reader {
    file: File,
    path: PathBuf,
    codec: Codec,
    units: AccessUnits,
    repeat: bool,
    finished: bool,
}

impl Reader {
    /// `None` at the end of a file that is not repeated; otherwise one line for the user.
    fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            let unit =
                self.units.next_unit().map_err(|error| format!("cannot share {}: {error}", self.path.display()))?;
            if unit.is_some() {
                return Ok(unit);
            }
            if self.finished && !self.repeat {
                return Ok(None);
            }
            self.read_on().map_err(|error| format!("cannot read {}: {error}", self.path.display()))?;
        }
    }

    fn read_on(&mut self) -> io::Result<()> {
        if self.finished {
            self.file.rewind()?;
            self.units = AccessUnits::new(self.codec);
            self.finished = false;
        }
        let mut piece = vec![0; PIECE_BYTES];
        let length = self.file.read(&mut piece)?;
        if length == 0 {
            self.units.finish();
            self.finished = true;
        } else {
            self.units.push(&piece[..length]);
        }
        Ok(())
    }
}
