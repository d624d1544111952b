//! Turns changes of health into events, log lines and systemd's status line.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::observe::{Conditions, notify_status};
use crate::types::{Body, Condition, Draft, HealthChange, Level, Notice};

/// How often the clock and the disk are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// Below this share of the journal's limit the rest of the disk is nearly full.
const LOW_SPACE_BYTES: u64 = 64 << 20;

/// Announces every change once, until `stop`.
pub(super) async fn announce(
    conditions: Conditions,
    journal: Journal,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), JournalError> {
    let mut changed = conditions.changed();
    let mut look = tokio::time::interval(LOOK);
    loop {
        let due = conditions.next_due();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = look.tick() => observe_box(&conditions, &journal, &clock).await?,
            woken = changed.changed() => if woken.is_err() { return Ok(()) },
            () = sleep_until(due) => {}
        }
        let changes = conditions.settle();
        if changes.is_empty() {
            continue;
        }
        changes.iter().for_each(log);
        notify_status(&status_line(&conditions));
        store(changes, &journal, &clock).await?;
    }
}

async fn sleep_until(due: Option<std::time::Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn observe_box(conditions: &Conditions, journal: &Journal, clock: &Clock) -> Result<(), JournalError> {
    let (_, synced) = clock.wall();
    conditions.set(Condition::ClockUnsynced, None, !synced, None);
    match journal.stats().await {
        Ok(stats) => {
            let room = stats.max_bytes.saturating_sub(stats.used_bytes);
            let low = stats.free_bytes < LOW_SPACE_BYTES.min(room);
            let detail = low.then(|| format!("{} MiB free", stats.free_bytes >> 20));
            conditions.set(Condition::JournalLowSpace, None, low, detail);
            Ok(())
        }
        Err(JournalError::Closed) => Err(JournalError::Closed),
        Err(error) => {
            tracing::warn!(%error, "the journal's depth cannot be read");
            Ok(())
        }
    }
}

/// Health that cannot be stored is still logged and shown; only a closed journal ends the announcing.
async fn store(changes: Vec<HealthChange>, journal: &Journal, clock: &Clock) -> Result<(), JournalError> {
    let drafts = changes.into_iter().map(|change| Draft {
        id: clock.event_id(),
        device: change.device.clone(),
        at: clock.stamp(),
        cause: None,
        body: Body::Noticed(Notice::Health(change)),
    });
    match journal.append(drafts.collect()).await {
        Err(JournalError::Closed) => Err(JournalError::Closed),
        Err(error) => {
            tracing::warn!(%error, "a change of health could not be stored");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

fn log(change: &HealthChange) {
    let HealthChange { condition, device, raised, detail } = change;
    let (code, text) = (condition.code(), condition.text());
    let device = device.as_ref().map_or("", |device| device.as_str());
    let detail = detail.as_deref().unwrap_or("");
    match (raised, condition.level()) {
        (false, _) => tracing::info!(code, device, "over: {text}"),
        (true, Level::Info) => tracing::info!(code, device, detail, "{text}"),
        (true, Level::Warning) => tracing::warn!(code, device, detail, "{text}"),
        (true, Level::Error) => tracing::error!(code, device, detail, "{text}"),
    }
}

fn status_line(conditions: &Conditions) -> String {
    let standing = conditions.standing();
    let codes: Vec<_> = standing.iter().map(|entry| entry.condition.code()).collect();
    if codes.is_empty() { "everything is well".to_owned() } else { codes.join(", ") }
}
