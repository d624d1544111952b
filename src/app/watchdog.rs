//! Feeds systemd's watchdog, and only while the daemon gets on.
//!
//! A round goes through all that everything else goes through: the runtime's timer wakes it, the journal's thread
//! answers a question, the dispatcher's loop comes round. If one of them stands still, nothing is fed, and systemd
//! starts the daemon anew after the unit's `WatchdogSec`; nothing that was on disk is lost by that.
//!
//! A disk that is full or a broker that is away stops none of them: those are conditions, and no restart mends them.

use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::journal::Journal;
use crate::router::Probe;
use crate::types::Class;

/// Rounds in the time within which systemd wants to hear from us. systemd advises two; a slow one may be late.
const ROUNDS: u32 = 4;

/// Calls `fed` after every round, a quarter of `within` after the one before, until `stop`.
pub(super) async fn feed(
    within: Duration,
    journal: Journal,
    dispatcher: Probe,
    mut fed: impl FnMut(),
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let round = async {
        loop {
            tokio::time::sleep(within / ROUNDS).await;
            // A dispatcher that has ended does so when the daemon goes down, which has bounds of its own.
            if journal.confirmed(Class::Money).await.is_ok() {
                dispatcher.answered().await;
                fed();
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        never = round => never,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;
    use crate::clock::Clock;
    use crate::journal::Settings;
    use crate::router::{Dispatcher, Shelf, Targets};
    use crate::supervise::Circle;
    use crate::types::Timestamp;

    /// In the tests' time, which jumps whenever nothing can run.
    const LONG: Duration = Duration::from_secs(3600);
    const WITHIN: Duration = Duration::from_secs(30);

    struct Fed {
        journal: Journal,
        rounds: watch::Receiver<u32>,
        stop: CancellationToken,
        _tasks: Circle<()>,
        _dir: tempfile::TempDir,
    }

    /// A journal and a watchdog, with a dispatcher that runs or one that never comes round.
    fn fed(dispatcher_runs: bool) -> (Fed, Option<Dispatcher>) {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
        let (journal, _) = Journal::open(Settings::new(dir.path()), clock.clone()).unwrap();
        let dispatcher = Dispatcher::new(journal.clone(), clock, Targets::default(), Shelf::default());
        let (counted, rounds) = watch::channel(0);
        let (stop, mut tasks) = (CancellationToken::new(), Circle::default());
        let feeding =
            feed(WITHIN, journal.clone(), dispatcher.probe(), move || counted.send_modify(|n| *n += 1), stop.clone());
        tasks.spawn("watchdog", async move {
            let Ok(()) = feeding.await;
        });
        let stands_still = if dispatcher_runs {
            let stop = stop.clone();
            tasks.spawn("dispatcher", async move { dispatcher.run(stop).await.unwrap() });
            None
        } else {
            Some(dispatcher)
        };
        (Fed { journal, rounds, stop, _tasks: tasks, _dir: dir }, stands_still)
    }

    #[tokio::test(start_paused = true)]
    async fn a_journal_that_stands_still_is_not_fed_for_and_one_that_goes_on_is() {
        let (mut fed, _) = fed(true);
        fed.rounds.wait_for(|rounds| *rounds >= 3).await.unwrap();
        let (go_on, held) = sync_channel(1);
        fed.journal.hold_up(held).await;
        // One round may have been past the journal.
        let before = *fed.rounds.borrow();
        assert!(timeout(LONG, fed.rounds.wait_for(|rounds| *rounds > before + 1)).await.is_err());
        go_on.send(()).unwrap();
        fed.rounds.wait_for(|rounds| *rounds > before + 2).await.unwrap();
        fed.stop.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn a_dispatcher_that_stands_still_is_not_fed_for_and_one_that_has_ended_is_not_waited_for() {
        let (mut fed, dispatcher) = fed(false);
        assert!(timeout(LONG, fed.rounds.wait_for(|rounds| *rounds > 0)).await.is_err());
        drop(dispatcher);
        fed.rounds.wait_for(|rounds| *rounds >= 3).await.unwrap();
    }
}
