//! After the start and after every busy spell: memory that only they needed goes back.

use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::journal::Journal;
use crate::observe::release_code_pages;

/// How long nothing must have happened.
const QUIET: Duration = Duration::from_secs(5);

/// Gives back the code's pages whenever the journal has stood still for a while after it moved, until `stop`.
pub(super) async fn give_back(journal: Journal, stop: CancellationToken) -> Result<(), Infallible> {
    let mut head = journal.head();
    let spells = async {
        loop {
            while let Ok(Ok(())) = tokio::time::timeout(QUIET, head.changed()).await {}
            if let Err(error) = release_code_pages() {
                tracing::debug!(%error, "the code's pages stay in memory");
            }
            if head.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = spells => Ok(()),
    }
}
