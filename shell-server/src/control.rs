//! What may be asked of the running server from outside its loop: so far, to remove a viewer.

mod token;
mod token_file;

use core::fmt;
use core::time::Duration;

use nalcast_core::send::ViewerId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use token::ControlToken;
pub use token_file::{Places, TokenFile, TokenFileError};

/// Requests that wait for the loop, which takes one a turn. More are turned away.
pub const REQUESTS_MAX: usize = 8;
/// How long the loop may take to answer: far longer than a turn.
pub const ANSWER_PERIOD: Duration = Duration::from_secs(5);

/// A viewer is to be removed.
#[derive(Debug)]
pub struct Removal {
    /// Which.
    pub viewer: ViewerId,
    answer: oneshot::Sender<bool>,
}

impl Removal {
    /// Says whether the viewer was there.
    pub fn answer(self, was_there: bool) {
        // Whoever asked may be gone.
        let _ = self.answer.send(was_there);
    }
}

/// The side that asks, and the token that entitles to it.
#[derive(Clone)]
pub struct Control {
    token: ControlToken,
    removals: mpsc::Sender<Removal>,
}

impl Control {
    /// Both sides. The loop takes the requests.
    #[must_use]
    pub fn new(token: ControlToken) -> (Self, mpsc::Receiver<Removal>) {
        let (removals, requests) = mpsc::channel(REQUESTS_MAX);
        (Self { token, removals }, requests)
    }

    /// Whether `text` is the token.
    #[must_use]
    pub fn is_token(&self, text: &[u8]) -> bool {
        self.token.is(text)
    }

    /// Removes a viewer and says whether it was there.
    ///
    /// # Errors
    /// [`Unavailable`], without a wait when too many requests wait already. What the loop took too long for may still
    /// be done.
    pub async fn remove(&self, viewer: ViewerId) -> Result<bool, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.removals.try_send(Removal { viewer, answer }).map_err(|_| Unavailable)?;
        timeout(ANSWER_PERIOD, answered).await.map_err(|_| Unavailable)?.map_err(|_| Unavailable)
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

/// The loop is busy, or at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

#[cfg(test)]
mod tests {
    use nalcast_core::secrets::Secrets;
    use tokio::time::Instant;

    use super::*;

    const VIEWER: ViewerId = ViewerId(7);
    /// Turns a wait without an end into a failure.
    const LONG: Duration = Duration::from_secs(60);

    fn control() -> (Control, mpsc::Receiver<Removal>) {
        Control::new(ControlToken::random(&mut Secrets::new([1; 32])))
    }

    #[tokio::test(start_paused = true)]
    async fn the_loops_answer_is_handed_back() {
        let (control, mut requests) = control();
        for was_there in [true, false] {
            let serve = async {
                let request = requests.recv().await.unwrap();
                assert_eq!(request.viewer, VIEWER);
                request.answer(was_there);
            };
            let (answer, ()) = tokio::join!(control.remove(VIEWER), serve);
            assert_eq!(answer, Ok(was_there));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_loop_that_is_gone_or_overrun_nor_for_ever() {
        let (control, requests) = control();
        let start = Instant::now();
        let waiting: Vec<_> = (0..REQUESTS_MAX)
            .map(|_| {
                let control = control.clone();
                tokio::spawn(async move { control.remove(VIEWER).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(timeout(LONG, control.remove(VIEWER)).await, Ok(Err(Unavailable)));
        assert_eq!(start.elapsed(), Duration::ZERO, "turned away at once");
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Err(Unavailable));
        }
        assert_eq!(start.elapsed(), ANSWER_PERIOD);
        drop(requests);
        assert_eq!(control.remove(VIEWER).await, Err(Unavailable));
        assert_eq!(start.elapsed(), ANSWER_PERIOD, "nobody is there to wait for");
    }
}
