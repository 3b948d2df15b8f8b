//! A viewer's loop that gets no turn for a while.

use core::cell::{Cell, RefCell};
use core::future::{pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use bytes::Bytes;
use shell_server::source::SourceEvent;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::memory::pair;
use crate::{Collector, Told, serve, unit, watch};

/// Polls a future only while it is not held up, and once more when that is over.
async fn unless<F: Future>(held_up: &Cell<bool>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| if held_up.get() { Poll::Pending } else { future.as_mut().poll(context) }).await
}

/// So large that it leaves in many bursts.
fn large_unit(index: u32) -> Bytes {
    [&unit(index)[..], &[0x55; 60_000]].concat().into()
}

#[tokio::test(start_paused = true)]
async fn what_came_while_the_loop_was_held_up_is_not_asked_for() {
    let (server_socket, viewer_socket) = pair();
    let (source, units) = mpsc::channel(4);
    let (told, mut sink) = (RefCell::<Told>::default(), Collector::default());
    let held_up = Cell::new(false);
    let feed = async {
        sleep(Duration::from_secs(1)).await;
        // Of a frame that is never shown it is told 64 frames later what became of it.
        for index in 0..110 {
            let large = (20..40).contains(&index);
            let bytes = if large { large_unit(index) } else { unit(index) };
            source.send(SourceEvent::AccessUnit { bytes, captured: Instant::now().into_std() }).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            // The first burst of it has come. One datagram of the next is seen to be missing, which by itself would be asked
            // for a moment later; it and the rest come while the loop is held up.
            if large {
                server_socket.delay_next();
            }
            sleep(Duration::from_millis(2)).await;
            held_up.set(large);
            sleep(Duration::from_millis(30)).await;
            held_up.set(false);
        }
        source.send(SourceEvent::Ended).await.unwrap();
    };
    let (report, outcome, ()) = tokio::join!(
        biased;
        serve(&server_socket, units, &told, pending()),
        unless(&held_up, watch(&viewer_socket, &mut sink, pending())),
        feed,
    );
    report.unwrap();
    assert_eq!(sink.units.len(), 110);
    assert_eq!(sink.requests, 0, "{:?}", outcome.figures.stats);
}
