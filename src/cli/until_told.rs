//! The runtime, and running until a signal says stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Worker threads of the runtime: one for the lines, one for everything else. Blocking work has threads of its own.
const WORKERS: usize = 2;

/// How it ended.
pub(super) enum Told<T> {
    /// By itself, or in order after the first signal.
    Ended(T),
    /// A second signal came: nothing was waited for.
    Twice,
}

/// Runs until it ends; SIGTERM or SIGINT cancels the token it is given, a second one ends it at once.
pub(super) fn until_told<T>(run: impl AsyncFnOnce(CancellationToken) -> T) -> io::Result<Told<T>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = CancellationToken::new();
        let running = run(stop.clone());
        tokio::pin!(running);
        for _told in 0..2 {
            tokio::select! {
                ended = &mut running => return Ok(Told::Ended(ended)),
                _ = terminate.recv() => stop.cancel(),
                _ = interrupt.recv() => stop.cancel(),
            }
        }
        tracing::warn!("told twice, going down at once");
        Ok(Told::Twice)
    });
    runtime.shutdown_background();
    ended
}
