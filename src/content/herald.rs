//! The emergency override: on disk before it is shown, and shown without anybody's help.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::desk::end;
use super::shelf::Overriding;
use crate::clock::Clock;
use crate::journal::{Change, Effects, Journal, JournalError};
use crate::types::{Action, Assigned, Ended, Reason, ScreenOverride, Timestamp};

/// Whose state in the journal it is, and under which key.
const OWNER: &str = "content";
const KEY: &str = "override";
/// How often it is looked at whether its time is over, and whether a journal that could not write can.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// As the journal has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    text: String,
    until_ms: Option<i64>,
    by: String,
}

/// Says what comes before everything else.
pub struct Herald {
    journal: Journal,
    clock: Clock,
    overriding: Overriding,
}

impl Herald {
    pub(super) fn new(journal: Journal, clock: Clock, overriding: Overriding) -> Self {
        Self { journal, clock, overriding }
    }

    /// Serves `screen.override` until `stop`.
    ///
    /// # Errors
    ///
    /// When the journal is closed.
    pub async fn serve(self, mut asked: Receiver<Assigned>, stop: CancellationToken) -> Result<(), JournalError> {
        let kept = self.journal.state(OWNER, KEY).await?;
        self.overriding.send_replace(kept.as_deref().and_then(read));
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                assigned = asked.recv() => match assigned {
                    Some(assigned) => tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        done = self.act(assigned) => done?,
                    },
                    None => return Ok(()),
                },
                () = tokio::time::sleep(LOOK_AGAIN) => self.look().await?,
            }
        }
    }

    /// What is over is forgotten.
    async fn look(&self) -> Result<(), JournalError> {
        let (now, synced) = self.clock.wall();
        let until = self.overriding.borrow().as_ref().and_then(|said| said.until);
        if synced && until.is_some_and(|until| until <= now) {
            let state = vec![Change { key: KEY.to_owned(), value: None, expires: None }];
            match self.journal.keep(OWNER, Effects { state, ..Effects::default() }).await {
                Ok(_) => drop(self.overriding.send_replace(None)),
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => tracing::warn!(%error, "the end of an override cannot be noted yet"),
            }
        }
        Ok(())
    }

    /// It is shown before it is on disk when the disk is full: people come before books.
    async fn act(&self, assigned: Assigned) -> Result<(), JournalError> {
        let Action::ScreenOverride(said) = assigned.action else {
            let refused = Ended::Refused(Reason::new("unsupported-action"));
            return self.journal.append(vec![end(&self.clock, &assigned.command, refused)]).await.map(|_| ());
        };
        let said = Some(said).filter(|said| !said.text.is_empty());
        self.overriding.send_replace(said.clone());
        let value = said.as_ref().map(written);
        loop {
            let state = vec![Change { key: KEY.to_owned(), value: value.clone(), expires: None }];
            let events = vec![end(&self.clock, &assigned.command, Ended::Done)];
            match self.journal.keep(OWNER, Effects { events, state, ..Effects::default() }).await {
                Ok(_) => return Ok(()),
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => tracing::warn!(%error, "an override is shown and cannot be kept yet"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn written(said: &ScreenOverride) -> Vec<u8> {
    let ScreenOverride { text, until, by } = said.clone();
    serde_json::to_vec(&Kept { text, until_ms: until.map(Timestamp::unix_ms), by }).unwrap_or_default()
}

fn read(kept: &[u8]) -> Option<ScreenOverride> {
    let Kept { text, until_ms, by } = serde_json::from_slice(kept).ok()?;
    Some(ScreenOverride { text, until: until_ms.map(Timestamp::from_unix_ms), by })
}
