//! The life of a reader of the journal, such as the uplink.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::circle::panic_words;
use crate::clock::Clock;

/// A panic is a bug of ours; so many within [`PANIC_WINDOW`] say that starting again does not help.
const PANICS: usize = 3;
/// See [`PANICS`].
const PANIC_WINDOW: Duration = Duration::from_secs(600);
/// Between a panic and the next start.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a reader until it returns. One that panics is started again, because its cursor is on disk and nothing is
/// lost; the third panic within ten minutes is handed on, so that the daemon goes down in order.
pub async fn supervise_reader<T, F: Future<Output = T>>(name: &str, clock: &Clock, run: impl Fn() -> F) -> T {
    let mut panics: VecDeque<Instant> = VecDeque::new();
    loop {
        let payload = match AssertUnwindSafe(run()).catch_unwind().await {
            Ok(ended) => return ended,
            Err(payload) => payload,
        };
        tracing::error!(reader = name, "panicked: {}", panic_words(payload.as_ref()));
        let now = clock.now();
        panics.retain(|at| now - *at < PANIC_WINDOW);
        panics.push_back(now);
        if panics.len() >= PANICS {
            std::panic::resume_unwind(payload);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::types::Timestamp;

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_panics_twice_goes_on_and_returns() {
        let (clock, runs) = (Clock::manual(Timestamp::default(), 1), AtomicUsize::new(0));
        let ended = supervise_reader("test", &clock, || async {
            assert!(runs.fetch_add(1, Ordering::Relaxed) >= 2, "a bug");
            7
        });
        assert_eq!(ended.await, 7);
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_third_panic_in_ten_minutes_is_handed_on() {
        let clock = Clock::manual(Timestamp::default(), 1);
        let run = supervise_reader("test", &clock, || async { panic!("a bug") });
        let ended: Result<(), _> = AssertUnwindSafe(run).catch_unwind().await;
        assert_eq!(panic_words(ended.unwrap_err().as_ref()), "a bug");
    }
}
