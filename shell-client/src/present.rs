//! The way of an access unit from the driver to the screen: a bounded queue, the thread that logs, decodes and
//! records, and a mailbox with the newest picture for the window.
//!
//! ```text
//! driver --UnitSender--> queue --> decode thread --> mailbox --PresentHandle--> window or headless loop
//!    ^-------------------- PresentEvent ---------------'--------------------------------'
//! ```

mod mailbox;
mod queue;
mod worker;

use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bytes::Bytes;
use nalcast_core::nal::Codec;
use tokio::sync::mpsc;

use crate::decode::DecodeError;
use crate::framelog::FrameLog;
use crate::latency::{LatencyStats, Stage};
use crate::record::Recorder;
use mailbox::Mailbox;
pub(crate) use mailbox::{Mail, Picture};
pub use queue::Overrun;
use queue::UnitQueue;

/// One access unit that the core released, on its way to decoder, recorder and frame log.
#[derive(Clone, Debug)]
pub struct ReleasedUnit {
    /// The server's number of the frame.
    pub frame_id: u64,
    /// What the bytes are coded in.
    pub codec: Codec,
    /// Whether decoding can begin here.
    pub key: bool,
    /// Past its time on the screen: it is decoded, because others refer to it, but shown only if nothing newer waits.
    pub late: bool,
    /// Parameter sets (Annex B) for the decoder, ahead of the unit. They go into a recording but not into the size
    /// and hash of the frame log.
    pub parameter_sets: Option<Bytes>,
    /// The access unit as the encoder gave it (Annex B).
    pub bytes: Bytes,
    /// When the server captured the picture, estimated on this machine's clock.
    pub captured: Option<Instant>,
    /// When the last datagram that was needed came.
    pub completed: Instant,
    /// When the core let it go, in order and at its time.
    pub released: Instant,
}

/// What the status line and the window's title show; the driver keeps it up to date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerStatus {
    /// What the viewer is doing or waiting for, as a sentence for people.
    pub state: String,
    /// Whether pictures are expected to come: otherwise the last one is dimmed and `state` is written over it.
    pub playing: bool,
    /// Pictures in a second, times 1000.
    pub fps_milli: u32,
    /// From capture to screen in microseconds, where it is known.
    pub latency_us: Option<u64>,
    /// Lost datagrams in a million, before repair.
    pub loss_ppm: u32,
    /// Received bits in a second.
    pub bitrate_bps: u64,
    /// Picture width in pixels, 0 until it is known.
    pub width: u16,
    /// Picture height in pixels, 0 until it is known.
    pub height: u16,
}

/// What happened to the units, for the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentEvent {
    /// The first picture was decoded.
    FirstPicture {
        /// Its unit.
        frame_id: u64,
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// A unit gave no picture. Said of every unit from the failure to the next key unit, which should be asked for.
    DecodeFailed {
        /// The unit.
        frame_id: u64,
    },
    /// The decoder is done with a unit.
    Decoded {
        /// The unit.
        frame_id: u64,
    },
    /// A picture is on the screen; without a window, it is decoded.
    Shown {
        /// Its unit.
        frame_id: u64,
        /// When.
        at: Instant,
        /// Since its capture, where that is known.
        latency: Option<Duration>,
    },
    /// The user wants to pause, or to go on.
    PauseToggled,
    /// The user closed the window: leave the server and end.
    WindowClosed,
}

/// What [`presenter`] does with the units beside decoding them.
#[derive(Default)]
pub struct PresentOptions {
    /// Whether a window will take the pictures; otherwise they are decoded and dropped.
    pub window: bool,
    /// Where to record the stream.
    pub recorder: Option<Recorder>,
    /// Where to log each unit.
    pub frame_log: Option<FrameLog>,
}

/// Most events that wait for the driver; more are dropped, which costs figures but nothing else.
const EVENTS_MAX: usize = 256;
/// Most figures that are kept of each latency stage.
const LATENCY_SAMPLES_MAX: usize = 8192;

/// Starts the decode thread.
///
/// # Errors
/// When the operating system gives no thread.
pub fn presenter(options: PresentOptions) -> io::Result<(UnitSender, PresentHandle, mpsc::Receiver<PresentEvent>)> {
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let shared = Arc::new(Shared {
        queue: UnitQueue::default(),
        mailbox: Mailbox::default(),
        latency: Mutex::new(LatencyStats::new(LATENCY_SAMPLES_MAX)),
        events,
        worker: Mutex::new(None),
    });
    let worker = worker::Worker::new(Arc::clone(&shared), options);
    let thread = thread::Builder::new().name("decode".to_owned()).spawn(move || worker.run())?;
    *lock(&shared.worker) = Some(thread);
    Ok((UnitSender { shared: Arc::clone(&shared), dropped: 0 }, PresentHandle { shared }, receiver))
}

/// What the driver, the decode thread and the window have in common.
struct Shared {
    queue: UnitQueue,
    mailbox: Mailbox,
    latency: Mutex<LatencyStats>,
    events: mpsc::Sender<PresentEvent>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    /// Tells the driver, unless it is so far behind that the news is worthless.
    fn tell(&self, event: PresentEvent) {
        let _ = self.events.try_send(event);
    }

    /// A picture has reached the eye, or would have.
    fn shown(&self, frame_id: u64, captured: Option<Instant>, at: Instant) {
        let latency = captured.map(|captured| at.saturating_duration_since(captured));
        if let Some(latency) = latency {
            lock(&self.latency).record(Stage::Total, latency);
        }
        self.tell(PresentEvent::Shown { frame_id, at, latency });
    }
}

/// A panic of one thread must not take the others' recording down with it: what the lock guards is valid at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The driver's end. Dropping it ends the window or the headless loop once the last unit is decoded.
pub struct UnitSender {
    shared: Arc<Shared>,
    /// Units dropped since the queue overflowed; 0 while it has room.
    dropped: u64,
}

impl UnitSender {
    /// Hands a unit over and never waits.
    ///
    /// # Errors
    /// [`Overrun`] when decoding cannot keep up. The unit is dropped, and so are all that follow it up to the next
    /// key unit, which should be asked for.
    pub fn send(&mut self, unit: ReleasedUnit) -> Result<(), Overrun> {
        let wanted = self.dropped == 0 || unit.key;
        if wanted && self.shared.queue.push(unit) {
            self.dropped = 0;
            return Ok(());
        }
        self.dropped += 1;
        Err(Overrun { dropped: self.dropped })
    }

    /// Replaces what the title and the status line show.
    pub fn set_status(&self, status: ViewerStatus) {
        self.shared.mailbox.set_status(status);
    }
}

impl Drop for UnitSender {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// The end of the window or the headless loop; clones are the same end.
#[derive(Clone)]
pub struct PresentHandle {
    shared: Arc<Shared>,
}

impl PresentHandle {
    /// Ends the presentation: what is queued is still decoded, logged and recorded, then files are complete. Waits for
    /// that; may be called more than once.
    pub fn finish(&self) {
        self.shared.queue.close();
        let thread = lock(&self.shared.worker).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the decode thread failed; the recording and the frame log may lack their end");
        }
    }

    /// Where the time went, a line of text a stage.
    #[must_use]
    pub fn latency_summary(&self) -> Vec<String> {
        lock(&self.shared.latency).summary()
    }

    /// Waits until there is something to draw or to say, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Mail {
        self.shared.mailbox.wait(timeout)
    }
}

#[cfg(feature = "display")]
impl PresentHandle {
    /// Says that a picture is on the screen.
    pub(crate) fn shown(&self, picture: &Picture, at: Instant) {
        lock(&self.shared.latency).record(Stage::Display, at.saturating_duration_since(picture.decoded));
        self.shared.shown(picture.frame_id, picture.captured, at);
    }

    /// Gives a picture's memory back for another.
    pub(crate) fn recycle(&self, picture: Picture) {
        self.shared.mailbox.recycle(picture.pixels);
    }

    /// Says that the user wants to pause, or to go on.
    pub(crate) fn pause_toggled(&self) {
        self.shared.tell(PresentEvent::PauseToggled);
    }

    /// Says that the user closed the window.
    pub(crate) fn window_closed(&self) {
        self.shared.tell(PresentEvent::WindowClosed);
    }
}

/// Says once what a user should know of a failing decoder.
fn report_decoder(error: &DecodeError) {
    tracing::warn!("{error}");
}

#[cfg(test)]
pub(crate) mod tests;
