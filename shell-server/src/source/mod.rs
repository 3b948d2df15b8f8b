//! Where the access units come from: the screen, a drawn test picture, or a file.

use core::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use nalcast_core::nal::Codec;
use tokio::sync::mpsc;

use crate::encode::EncodeError;
use crate::pipeline::Pipeline;
use crate::pipeline::mailbox::Mailbox;
use crate::pipeline::times::StageTimes;
pub use region::{Region, RegionError};

mod canvas;
mod file;
mod live;
pub mod pacing;
pub mod pattern;
pub mod region;
#[cfg(feature = "capture")]
pub mod scrap;

/// What a source hands to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// One access unit, Annex-B, verbatim.
    AccessUnit {
        /// The NAL units with their start codes.
        bytes: Bytes,
        /// When the picture was taken, or, for a file, when the access unit was due.
        captured: Instant,
    },
    /// The source is at its end: a file that is not repeated.
    Ended,
    /// The source cannot go on: one line for the user.
    Failed(String),
}

/// Which source to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// The primary screen.
    Screen,
    /// The drawn test picture.
    Pattern,
    /// An Annex-B file, H.264 or H.265.
    File(PathBuf),
}

/// How to open a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// Which source.
    pub kind: SourceKind,
    /// The part of the screen; for the test picture its size. The whole screen, or 1280x720, if not given.
    pub region: Option<Region>,
    /// Pictures per second, 1 to [`FPS_MAX`].
    pub fps: u32,
    /// Bits per second that the encoder aims at; of no meaning for a file.
    pub bitrate_bps: u32,
    /// Start a file again when it is at its end.
    pub repeat: bool,
    /// Hand out nothing before [`SourceControl::start`].
    pub wait_for_start: bool,
}

/// Highest rate that can be asked for, in pictures per second.
pub const FPS_MAX: u32 = 240;

/// What an open source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The codec of the access units.
    pub codec: Codec,
    /// Width of the pictures in pixels; 0 if only the stream itself tells.
    pub width: u32,
    /// Height of the pictures in pixels; 0 if only the stream itself tells.
    pub height: u32,
    /// Ticks per second.
    pub fps: u32,
    /// Whether key frames can be asked for.
    pub live: bool,
    /// For the user: what is shared.
    pub name: String,
}

/// An open source. Dropping it stops its threads and waits for them, which takes at most one picture's time.
#[derive(Debug)]
pub struct SourceHandle {
    /// What the source has to hand out. It ends (`None`) after the source was stopped.
    pub events: mpsc::Receiver<SourceEvent>,
    /// Orders to the source.
    pub control: SourceControl,
    /// What the source is.
    pub info: SourceInfo,
    threads: Vec<JoinHandle<StageTimes>>,
}

impl SourceHandle {
    fn new(pipeline: Pipeline, info: SourceInfo, wait_for_start: bool) -> Self {
        let control = SourceControl { mailbox: pipeline.mailbox };
        if !wait_for_start {
            control.start();
        }
        Self { events: pipeline.events, control, info, threads: pipeline.threads }
    }

    /// Stops the source, waits for its threads, and tells what they did.
    #[must_use = "to stop the source alone, drop it"]
    pub fn finish(mut self) -> StageTimes {
        self.join()
    }

    fn join(&mut self) -> StageTimes {
        self.control.stop();
        // A thread that waits for room in the channel is woken by this.
        self.events.close();
        self.threads.drain(..).filter_map(|thread| thread.join().ok()).fold(StageTimes::default(), StageTimes::merge)
    }
}

impl Drop for SourceHandle {
    fn drop(&mut self) {
        self.join();
    }
}

/// Orders to a source. None of them waits.
#[derive(Clone, Debug)]
pub struct SourceControl {
    mailbox: Arc<Mailbox>,
}

impl SourceControl {
    /// Asks a live source for a key frame as soon as possible, on a still screen too. A file ignores it.
    pub fn request_key_frame(&self) {
        self.mailbox.request_key_frame();
    }

    /// Makes a live source keep to so many bits a second, or, with `None`, to what it was opened with. A file
    /// ignores it: it is encoded already.
    pub fn limit_bitrate(&self, bits_per_second: Option<u64>) {
        self.mailbox.limit_bitrate(bits_per_second);
    }

    /// Lets a source that was opened with `wait_for_start` begin.
    pub fn start(&self) {
        self.mailbox.start();
    }

    /// Pictures that were captured and differed from the one before, and how many of them were replaced by a newer
    /// one before the encoder was free. Both are 0 for a file.
    #[must_use]
    pub fn pictures(&self) -> (u64, u64) {
        (self.mailbox.put_count(), self.mailbox.replaced())
    }

    /// Ends the source for good.
    pub fn stop(&self) {
        self.mailbox.stop();
    }
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no X server to capture.
    #[error(
        "cannot reach an X display ({display}): set DISPLAY to a running X server, for example DISPLAY=:0, \
         or share the test picture with `--source pattern`"
    )]
    NoDisplay {
        /// What the environment says.
        display: Display,
    },
    /// The X server refused.
    #[error("cannot capture the screen: {0}; share the test picture with `--source pattern` to try the rest")]
    Screen(#[source] io::Error),
    /// The part of the screen cannot be shared.
    #[error("{0}")]
    Region(#[from] RegionError),
    /// The rate is out of range.
    #[error("{0} pictures per second are out of range: choose from 1 to {FPS_MAX}")]
    FrameRate(u32),
    /// The encoder refused.
    #[error("{0}")]
    Encode(#[from] EncodeError),
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check the name and the permissions", path.display())]
    File {
        /// Its name.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing in the file.
    #[error("{} is empty: name a file with H.264 or H.265 in it", path.display())]
    EmptyFile {
        /// Its name.
        path: PathBuf,
    },
    /// The file does not start with a start code; most often it is a container.
    #[error(
        "{} is not an Annex-B byte stream: take the video out of its container, for example with \
         `ffmpeg -i IN -map 0:v -c copy -f h264 OUT.h264` (or `-f hevc OUT.h265`)",
        path.display()
    )]
    NotAnnexB {
        /// Its name.
        path: PathBuf,
    },
    /// Neither its name nor its content tells the codec.
    #[error("cannot tell whether {} is H.264 or H.265: rename it to end in .h264 or .h265", path.display())]
    UnknownCodec {
        /// Its name.
        path: PathBuf,
    },
    /// The program was built without the part that is needed.
    #[error("this build has no {what}: build it with `--features {feature}`, or share a file")]
    NotBuilt {
        /// What is missing.
        what: &'static str,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}; free some memory or raise the limit on processes")]
    Spawn(#[from] io::Error),
    /// A thread ended without a word.
    #[error("the {0} thread ended unexpectedly: this is a bug in the program")]
    Thread(&'static str),
}

/// The environment's DISPLAY, for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Display(pub Option<String>);

impl fmt::Display for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(display) => write!(f, "DISPLAY is {display}"),
            None => f.write_str("DISPLAY is not set"),
        }
    }
}

/// Opens a source. Unless it is to wait, it begins at once.
///
/// # Errors
///
/// When the source does not exist, cannot be captured or cannot be encoded.
pub fn open(config: &SourceConfig) -> Result<SourceHandle, SourceError> {
    if !(1..=FPS_MAX).contains(&config.fps) {
        return Err(SourceError::FrameRate(config.fps));
    }
    match &config.kind {
        SourceKind::Screen => live::screen(config),
        SourceKind::Pattern => live::pattern(config),
        SourceKind::File(path) => file::open(path, config),
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_waits_for_room_does_not_hold_up_the_end() {
        let (sender, events) = mpsc::channel(1);
        let thread = thread::spawn(move || {
            while sender.blocking_send(SourceEvent::Ended).is_ok() {}
            StageTimes { access_units: 7, ..StageTimes::default() }
        });
        let pipeline = Pipeline { events, mailbox: Arc::default(), size: (0, 0), threads: vec![thread] };
        let info = SourceInfo { codec: Codec::H264, width: 0, height: 0, fps: 30, live: false, name: String::new() };
        let source = SourceHandle::new(pipeline, info, true);
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || tell.send(source.finish().access_units));
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(7));
    }
}
