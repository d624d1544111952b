//! From a device's port into the journal.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use crate::journal::{Journal, JournalError};
use crate::observe::Conditions;
use crate::types::{Class, Condition, Draft};

/// Observations of one device that are appended together, at most.
const BATCH: usize = 64;
/// How long to wait before a journal that could not write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Appends what a device says until its port is gone (`Ok`) or the journal is (`Err`: closed, or found damaged, which
/// the next start mends).
///
/// A journal that is full or cannot write is tried again for ever, with `journal.full` standing: the device's queue
/// fills, its driver waits, and nothing that was said is lost while the box has power. Telemetry gives way first.
/// `stored` counts what has been dealt with.
pub async fn intake(
    mut observed: Receiver<Draft>,
    stored: watch::Sender<u64>,
    journal: Journal,
    conditions: Conditions,
) -> Result<(), JournalError> {
    let mut batch = Vec::with_capacity(BATCH);
    while observed.recv_many(&mut batch, BATCH).await > 0 {
        let count = batch.len() as u64;
        store(std::mem::take(&mut batch), &journal, &conditions).await?;
        stored.send_modify(|stored| *stored += count);
    }
    Ok(())
}

async fn store(mut batch: Vec<Draft>, journal: &Journal, conditions: &Conditions) -> Result<(), JournalError> {
    let mut failed = false;
    while !batch.is_empty() {
        match journal.append(batch.clone()).await {
            Ok(_) => break,
            Err(error) if matches!(error, JournalError::Closed) || error.is_damage() => return Err(error),
            Err(error @ JournalError::TooLarge { .. }) => {
                batch = store_singly(batch, journal).await?;
                tracing::error!(%error, "an event was too long to be stored and is lost");
            }
            Err(error) => {
                if !failed {
                    tracing::error!(%error, "events cannot be stored, they wait");
                }
                failed = true;
                conditions.set(Condition::JournalFull, None, true, Some(error.to_string()));
                batch.retain(|draft| draft.body.class() != Class::Telemetry);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    if failed {
        conditions.set(Condition::JournalFull, None, false, None);
    }
    Ok(())
}

/// Stores what can be stored, one by one, and returns what has to wait.
async fn store_singly(batch: Vec<Draft>, journal: &Journal) -> Result<Vec<Draft>, JournalError> {
    let mut waiting = Vec::new();
    for draft in batch {
        match journal.append(vec![draft.clone()]).await {
            Ok(_) | Err(JournalError::TooLarge { .. }) => {}
            Err(JournalError::Closed) => return Err(JournalError::Closed),
            Err(_) => waiting.push(draft),
        }
    }
    Ok(waiting)
}
