//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the process at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What a shell shows for a process that SIGINT ended.
const EXIT_CODE_INTERRUPTED: i32 = 130;

/// Listens from now on; the future resolves at the first signal. To be called inside a runtime.
///
/// # Errors
/// When the operating system refuses to listen.
pub fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        // Nobody listens any more when the loop has just ended by itself.
        let _ = tell.send(());
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(EXIT_CODE_INTERRUPTED);
    });
    Ok(async move {
        if told.await.is_err() {
            core::future::pending().await
        }
    })
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
