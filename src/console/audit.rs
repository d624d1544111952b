//! Who did what, when, and what came of it: kept in the journal's file, so that it survives a restart.
//!
//! Rows of the owner `console`, one for each changing request. What a command came to is not copied here but looked up
//! in the ledger, so that it is always true.
//!
//! Limits: the newest 1,000 rows; a row's texts at most 200 characters each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::journal::{Change, Effects, Journal, JournalError};
use crate::types::{Command, CommandId, CommandState};

/// Whose rows they are.
const OWNER: &str = "console";
/// The newest so many stay.
const ROWS: u64 = 1000;
const CHARACTERS: usize = 200;

/// One row, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    at: String,
    who: String,
    what: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// One row, as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    number: u64,
    at: String,
    who: String,
    what: String,
    outcome: String,
}

/// The trail. Cheap to clone.
#[derive(Clone)]
pub(super) struct Audit {
    journal: Journal,
    clock: Clock,
    /// Number of the next row; `None`: the trail has not been looked at yet.
    next: Arc<Mutex<Option<u64>>>,
}

fn key(number: u64) -> String {
    format!("audit/{number:012}")
}

fn number_of(key: &str) -> Option<u64> {
    key.strip_prefix("audit/")?.parse().ok()
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(CHARACTERS).collect()
}

impl Audit {
    pub(super) fn new(journal: Journal, clock: Clock) -> Self {
        Self { journal, clock, next: Arc::default() }
    }

    /// Notes what was done; its number.
    pub(super) async fn note(&self, who: &str, what: &str, outcome: &str) -> Result<u64, JournalError> {
        self.write(who, what, outcome, None).await
    }

    /// Files a command and notes it, in one transaction: nothing is asked of a device without a row.
    pub(super) async fn file(&self, who: &str, what: &str, command: Command) -> Result<u64, JournalError> {
        self.write(who, what, "filed", Some(command)).await
    }

    async fn write(&self, who: &str, what: &str, outcome: &str, command: Option<Command>) -> Result<u64, JournalError> {
        let mut next = self.next.lock().await;
        let number = match *next {
            Some(number) => number,
            None => self.rows().await?.last().map_or(1, |(number, _)| number + 1),
        };
        let (at, _) = self.clock.wall();
        let id = command.as_ref().map(|command| command.id.to_string());
        let row = Row { at: at.to_string(), who: cut(who), what: cut(what), outcome: cut(outcome), command: id };
        let mut state = vec![put(number, Some(&row))];
        state.extend(number.checked_sub(ROWS).filter(|old| *old > 0).map(|old| put(old, None)));
        let effects = Effects { events: Vec::new(), commands: command.into_iter().collect(), state };
        self.journal.keep(OWNER, effects).await?;
        tracing::info!(who, what, outcome, "by the console");
        *next = Some(number + 1);
        Ok(number)
    }

    /// Notes what came of it.
    pub(super) async fn conclude(&self, number: u64, outcome: &str) -> Result<(), JournalError> {
        let Some(kept) = self.journal.state(OWNER, &key(number)).await? else { return Ok(()) };
        let Ok(row) = serde_json::from_slice::<Row>(&kept) else { return Ok(()) };
        let row = Row { outcome: cut(outcome), ..row };
        let state = vec![put(number, Some(&row))];
        self.journal.keep(OWNER, Effects { state, ..Effects::default() }).await.map(drop)
    }

    async fn rows(&self) -> Result<Vec<(u64, Row)>, JournalError> {
        let kept = self.journal.states(OWNER, "audit/").await?;
        let row = |(key, value): (String, Vec<u8>)| Some((number_of(&key)?, serde_json::from_slice(&value).ok()?));
        Ok(kept.into_iter().filter_map(row).collect())
    }

    /// The newest rows, the newest first.
    pub(super) async fn newest(&self, limit: usize) -> Result<Vec<Shown>, JournalError> {
        let mut shown = Vec::new();
        for (number, row) in self.rows().await?.into_iter().rev().take(limit) {
            let id = row.command.as_deref().and_then(|id| CommandId::new(id).ok());
            let state = match id {
                Some(id) => self.journal.command(&id).await?,
                None => None,
            };
            let outcome = state.map_or(row.outcome, |state| words(&state));
            shown.push(Shown { number, at: row.at, who: row.who, what: row.what, outcome });
        }
        Ok(shown)
    }
}

/// How far a command has come, in a word or two.
fn words(state: &CommandState) -> String {
    match state {
        CommandState::Accepted => "accepted".to_owned(),
        CommandState::Dispatched => "dispatched".to_owned(),
        CommandState::Ended(ended) => match ended.reason() {
            Some(reason) => format!("{}: {reason}", ended.as_str()),
            None => ended.as_str().to_owned(),
        },
    }
}

fn put(number: u64, row: Option<&Row>) -> Change {
    Change { key: key(number), value: row.and_then(|row| serde_json::to_vec(row).ok()), expires: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Trust;
    use crate::journal::Settings;
    use crate::types::{Action, DeviceId, Origin};

    fn opened(dir: &tempfile::TempDir) -> (Journal, Audit, Clock) {
        let clock = Clock::system(Trust::Trusted);
        let (journal, _) = Journal::open(Settings::new(dir.path()), clock.clone()).unwrap();
        (journal.clone(), Audit::new(journal, clock.clone()), clock)
    }

    #[tokio::test]
    async fn the_trail_survives_a_restart_and_a_commands_end_is_looked_up() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, audit, clock) = opened(&dir);
        let first = audit.note("Li Wei", "config.apply", "filed").await.unwrap();
        let id = CommandId::new("local.1").unwrap();
        let device = Some(DeviceId::new("scanner-1").unwrap());
        let not_after = clock.wall().0;
        let command = Command { id, device, action: Action::DeviceRestart, not_after, origin: Origin::Local };
        audit.file("Li Wei", "device.restart scanner-1", command).await.unwrap();
        assert_eq!(journal.open_commands().await.unwrap().len(), 1);
        audit.conclude(first, "rolled-back").await.unwrap();
        drop(audit);
        journal.close().await.unwrap();

        let (_, audit, _) = opened(&dir);
        assert_eq!(audit.note("local", "x\ny", "done").await.unwrap(), 3);
        let shown = audit.newest(10).await.unwrap();
        let rows: Vec<_> = shown.iter().map(|row| (row.number, row.what.as_str(), row.outcome.as_str())).collect();
        let wanted =
            [(3, "xy", "done"), (2, "device.restart scanner-1", "accepted"), (1, "config.apply", "rolled-back")];
        assert_eq!(rows, wanted);
    }

    #[tokio::test]
    async fn the_oldest_rows_go() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, audit, _) = opened(&dir);
        *audit.next.lock().await = Some(2000);
        let old =
            Row { at: String::new(), who: String::new(), what: "old".into(), outcome: String::new(), command: None };
        let state = vec![put(1000, Some(&old)), put(1001, Some(&old))];
        journal.keep(OWNER, Effects { state, ..Effects::default() }).await.unwrap();
        audit.note("a", "b", "c").await.unwrap();
        let kept: Vec<_> = audit.rows().await.unwrap().iter().map(|(number, _)| *number).collect();
        assert_eq!(kept, [1001, 2000]);
    }
}
