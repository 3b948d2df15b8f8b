//! The threads of a live source: one takes pictures, one encodes them.
//!
//! ```text
//! capture thread --(one slot, newest wins)--> encoder thread --(4 access units)--> driver
//! ```

use std::sync::Arc;
use std::sync::mpsc as ready;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::encode::{EncodeError, Encoder, Picture};
use crate::source::pacing::{Late, Pacer};
use crate::source::{SourceError, SourceEvent};
use mailbox::{Mailbox, Shot, Work};
use times::{Reservoir, StageTimes};

pub mod mailbox;
pub mod times;

/// Access units that wait for the driver; when there are more, the encoder waits and pictures are replaced.
pub const EVENTS_MAX: usize = 4;
/// Pictures in circulation: one that is drawn, one in the slot, one that is encoded and the last one that was. The
/// one to compare with is among the latter three.
const PICTURES_MAX: usize = 4;

/// Something that pictures can be taken of, on one thread.
pub trait Capture {
    /// Width and height of every picture, in pixels, both even.
    fn size(&self) -> (u32, u32);

    /// Takes the picture of tick `index` into `picture`, which has the right size and any content; leaves it
    /// alone and says so if there is nothing new against `previous`.
    ///
    /// # Errors
    ///
    /// One line for the user, when no more pictures can be taken.
    fn capture(&mut self, index: u64, previous: Option<&Picture>, picture: &mut Picture) -> Result<Captured, String>;
}

/// Outcome of one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// There is a new picture.
    Changed,
    /// The picture would be the same as the one before.
    Unchanged,
}

/// The running threads and what ties them to the driver.
#[derive(Debug)]
pub struct Pipeline {
    /// Access units, in order.
    pub events: mpsc::Receiver<SourceEvent>,
    /// Orders for the threads.
    pub mailbox: Arc<Mailbox>,
    /// Width and height of the pictures, in pixels.
    pub size: (u32, u32),
    /// Each returns its share of the times.
    pub threads: Vec<JoinHandle<StageTimes>>,
}

/// Starts both threads. The two closures make the capture and the encoder (from the size of the pictures) on
/// the thread that will use them, because neither can move between threads.
///
/// # Errors
///
/// What the closures return, or when a thread cannot be started.
pub fn spawn<C, E>(
    fps: u32,
    make_capture: impl FnOnce() -> Result<C, SourceError> + Send + 'static,
    make_encoder: impl FnOnce((u32, u32)) -> Result<E, EncodeError> + Send + 'static,
) -> Result<Pipeline, SourceError>
where
    C: Capture,
    E: Encoder,
{
    let mailbox = Arc::new(Mailbox::default());
    let (sender, events) = mpsc::channel(EVENTS_MAX);

    let (tell, told) = ready::sync_channel(1);
    let (its_mailbox, its_sender) = (Arc::clone(&mailbox), sender.clone());
    let capture = thread::Builder::new().name("capture".to_owned()).spawn(move || {
        make_or_tell(make_capture, C::size, &tell)
            .map_or_else(StageTimes::default, |capture| capture_loop(capture, fps, &its_mailbox, &its_sender))
    })?;
    // From here on an early return must end the capture thread.
    let guard = StopOnDrop(Some(&mailbox));
    let size = told.recv().map_err(|_| SourceError::Thread("capture"))??;

    let (tell, told) = ready::sync_channel(1);
    let its_mailbox = Arc::clone(&mailbox);
    let encode = thread::Builder::new().name("encode".to_owned()).spawn(move || {
        make_or_tell(|| make_encoder(size), |_| (), &tell)
            .map_or_else(StageTimes::default, |encoder| encode_loop(encoder, &its_mailbox, &sender))
    })?;
    told.recv().map_err(|_| SourceError::Thread("encode"))??;

    guard.disarm();
    Ok(Pipeline { events, mailbox, size, threads: vec![capture, encode] })
}

/// Stops the threads when the opening fails half way.
struct StopOnDrop<'a>(Option<&'a Mailbox>);

impl StopOnDrop<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0 {
            mailbox.stop();
        }
    }
}

/// Makes a thread's tool and tells the opener how that went.
fn make_or_tell<T, I, X>(
    make: impl FnOnce() -> Result<T, X>,
    describe: impl FnOnce(&T) -> I,
    tell: &ready::SyncSender<Result<I, X>>,
) -> Option<T> {
    let (tool, answer) = match make() {
        Ok(tool) => {
            let description = describe(&tool);
            (Some(tool), Ok(description))
        }
        Err(error) => (None, Err(error)),
    };
    tell.send(answer).ok().and(tool)
}

fn capture_loop(
    mut capture: impl Capture,
    fps: u32,
    mailbox: &Mailbox,
    sender: &mpsc::Sender<SourceEvent>,
) -> StageTimes {
    let (width, height) = capture.size();
    let mut pool: Vec<Arc<Picture>> = (0..PICTURES_MAX).map(|_| Arc::new(Picture::new(width, height))).collect();
    let mut previous: Option<Arc<Picture>> = None;
    let (mut reservoir, mut unchanged) = (Reservoir::default(), 0);
    if mailbox.wait_for_start() {
        let mut pacer = Pacer::new(Instant::now(), fps, Late::Skip);
        loop {
            let tick = pacer.next_tick(Instant::now());
            if !mailbox.wait_until(tick.due) {
                break;
            }
            let Some(free) = pool.iter_mut().find(|picture| Arc::strong_count(picture) == 1) else { continue };
            let Some(picture) = Arc::get_mut(free) else { continue };
            let captured = Instant::now();
            match capture.capture(tick.index, previous.as_deref(), picture) {
                Ok(Captured::Changed) => {
                    previous = Some(Arc::clone(free));
                    mailbox.put(Shot { picture: Arc::clone(free), captured });
                }
                Ok(Captured::Unchanged) => unchanged += 1,
                Err(reason) => {
                    mailbox.stop();
                    // The driver may be gone already; then nobody needs to know.
                    let _ = sender.blocking_send(SourceEvent::Failed(reason));
                    break;
                }
            }
            reservoir.add(captured.elapsed());
        }
    }
    StageTimes { capture: reservoir.summary(), unchanged, replaced: mailbox.replaced(), ..StageTimes::default() }
}

fn encode_loop(mut encoder: impl Encoder, mailbox: &Mailbox, sender: &mpsc::Sender<SourceEvent>) -> StageTimes {
    let mut last: Option<Arc<Picture>> = None;
    let mut reservoir = Reservoir::default();
    let mut times = StageTimes::default();
    // A key frame that the rate control left out is still owed.
    let mut key_owed = false;
    let mut limit = None;
    loop {
        let (picture, captured, force_key) = match (mailbox.wait_for_work(last.is_some()), &last) {
            (Work::Encode { shot, force_key }, _) => (shot.picture, shot.captured, force_key || key_owed),
            // The capture thread has seen no change since, so the picture is as good as new.
            (Work::RepeatAsKey, Some(picture)) => (Arc::clone(picture), Instant::now(), true),
            (Work::RepeatAsKey | Work::Stop, _) => break,
        };
        let began = Instant::now();
        let limited = follow(&mut encoder, &mut limit, mailbox.bitrate_limit());
        let encoded = limited.and_then(|()| encoder.encode(&picture, force_key));
        reservoir.add(began.elapsed());
        last = Some(picture);
        let event = match encoded {
            Ok(Some(bytes)) => {
                times.access_units += 1;
                times.key_frames += u64::from(force_key);
                key_owed = false;
                SourceEvent::AccessUnit { bytes, captured }
            }
            Ok(None) => {
                key_owed = force_key;
                continue;
            }
            Err(error) => {
                mailbox.stop();
                SourceEvent::Failed(error.to_string())
            }
        };
        if sender.blocking_send(event).is_err() {
            mailbox.stop();
        }
    }
    StageTimes { encode: reservoir.summary(), ..times }
}

/// Tells the encoder about its limit if it is another one than before.
fn follow(encoder: &mut impl Encoder, limit: &mut Option<u64>, wanted: Option<u64>) -> Result<(), EncodeError> {
    if *limit == wanted {
        return Ok(());
    }
    *limit = wanted;
    encoder.limit_bitrate(wanted)
}
