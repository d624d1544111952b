//! Where `content.put` comes in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::shelf::{Opened, Shelf, ShelfError, digest_of};
use super::{Herald, Settings};
use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::observe::Conditions;
use crate::transport::{DownloadError, Downloads, FetchError, fetch};
use crate::types::{
    Action, Assigned, Body, Cause, Chain, CommandId, Condition, ContentSource, Draft, Ended, Observation, Outcome,
    Reason, Sha256,
};
use crate::wire::screen::{Manifest, Signed, SignedError, limits};

/// Until a manifest must be there.
const MANIFEST_WITHIN: Duration = Duration::from_secs(30);
/// Until a file must be there; what has come by then is gone on with.
const FILE_WITHIN: Duration = Duration::from_secs(600);
/// Tries of one file, and of the manifest.
const TRIES: u32 = 8;
/// Between two tries at first; doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two tries to store how a command ended.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Longest words of a condition, in characters.
const DETAIL: usize = 300;

/// Serves `content.put`.
pub struct Desk {
    journal: Journal,
    clock: Clock,
    conditions: Conditions,
    settings: watch::Receiver<Settings>,
    shelf: Arc<Shelf>,
}

/// Why content is not in force.
#[derive(Debug)]
enum No {
    /// It is not acceptable: for this reason, in more words.
    Refused(&'static str, String),
    /// It could not be had.
    Failed(&'static str, String),
}

impl From<ShelfError> for No {
    fn from(error: ShelfError) -> Self {
        Self::Failed("disk", Chain(&error).to_string())
    }
}

/// The end of a command of the gateway's.
pub(super) fn end(clock: &Clock, command: &CommandId, ended: Ended) -> Draft {
    let outcome = Outcome { command: command.clone(), ended };
    Draft {
        id: clock.event_id(),
        device: None,
        at: clock.stamp(),
        cause: Some(Cause::Command(command.clone())),
        body: Body::Observed(Observation::Ended(outcome)),
    }
}

impl Opened {
    /// Who serves content and overrides.
    pub fn staff(
        self,
        journal: Journal,
        clock: Clock,
        conditions: Conditions,
        settings: watch::Receiver<Settings>,
    ) -> (Desk, Herald) {
        let Self { shelf, overriding, trouble, .. } = self;
        if let Some(trouble) = trouble {
            conditions.set(Condition::ContentMissing, None, true, Some(cut(&trouble)));
        }
        let herald = Herald::new(journal.clone(), clock.clone(), overriding);
        (Desk { journal, clock, conditions, settings, shelf: Arc::new(shelf) }, herald)
    }
}

impl Desk {
    /// Serves until `stop`, one content at a time.
    ///
    /// # Errors
    ///
    /// When the journal is closed.
    pub async fn serve(self, mut asked: Receiver<Assigned>, stop: CancellationToken) -> Result<(), JournalError> {
        loop {
            let assigned = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(assigned) = asked.recv() => assigned,
            };
            let ended = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                ended = self.act(&assigned) => ended,
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                stored = self.store(&assigned.command, ended) => stored?,
            }
        }
    }

    async fn store(&self, command: &CommandId, ended: Ended) -> Result<(), JournalError> {
        loop {
            match self.journal.append(vec![end(&self.clock, command, ended.clone())]).await {
                Ok(_) => return Ok(()),
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => tracing::warn!(%error, "the end of a content.put waits for the journal"),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn act(&self, assigned: &Assigned) -> Ended {
        let Action::ContentPut(source) = &assigned.action else {
            return Ended::Refused(Reason::new("unsupported-action"));
        };
        let no = match self.put(source, assigned.deadline).await {
            Ok(rev) => {
                tracing::info!(rev, "new content is in force");
                self.conditions.set(Condition::ContentMissing, None, false, None);
                return Ended::Done;
            }
            Err(no) => no,
        };
        let (No::Refused(why, words) | No::Failed(why, words)) = &no;
        tracing::warn!(why, words, "content was not put in force; what was shown stays on");
        self.conditions.set(Condition::ContentMissing, None, true, Some(cut(&format!("{why}: {words}"))));
        match no {
            No::Refused(why, _) => Ended::Refused(Reason::new(why)),
            No::Failed(why, _) => Ended::Failed(Reason::new(why)),
        }
    }

    /// Everything that can be refused is refused before any file is fetched.
    async fn put(&self, source: &ContentSource, until: Instant) -> Result<u64, No> {
        let text = self.manifest_text(source, until).await?;
        let manifest = self.accepted(&text)?;
        let rev = manifest.rev;
        let base = base_of(&source.url);
        let downloads = Downloads::new().map_err(|error| No::Failed("unreachable", error.to_string()))?;
        let files: Vec<_> = manifest.files().map(|(sha256, asset)| (sha256, asset.bytes)).collect();
        for (sha256, bytes) in files {
            let shelf = Arc::clone(&self.shelf);
            if !blocking(move || Ok(shelf.has(sha256))).await? {
                self.get(&downloads, &format!("{base}assets/{sha256}"), (sha256, bytes), until).await?;
            }
        }
        let shelf = Arc::clone(&self.shelf);
        blocking(move || {
            shelf.put_in_force(&text, manifest)?;
            // What cannot be cleared away takes room, and is tried again next time.
            shelf.clear().unwrap_or_else(|error| tracing::warn!(%error, "old content could not be cleared away"));
            Ok(())
        })
        .await?;
        Ok(rev)
    }

    async fn manifest_text(&self, source: &ContentSource, until: Instant) -> Result<Vec<u8>, No> {
        let mut tries = Tries::new(until);
        loop {
            match fetch(&source.url, limits::SIGNED_BYTES, MANIFEST_WITHIN).await {
                Ok(text) if digest_of(&text) == source.sha256 => return Ok(text),
                Ok(_) => {
                    return Err(No::Refused("digest", "the manifest has another digest than it should".to_owned()));
                }
                Err(error @ FetchError::TooLarge { .. }) => return Err(No::Refused("too-large", error.to_string())),
                Err(error) => {
                    let words = format!("the manifest: {error}");
                    tries.again(&self.clock).await.ok_or(No::Failed("unreachable", words))?;
                }
            }
        }
    }

    /// The manifest, if it may be put in force.
    fn accepted(&self, text: &[u8]) -> Result<Manifest, No> {
        let refused = |why, words: &dyn std::fmt::Display| No::Refused(why, words.to_string());
        let signed = Signed::read(text).map_err(|error| refused("malformed", &error))?;
        let settings = self.settings.borrow().clone();
        let key = settings.keys.get(signed.key());
        let key = key.ok_or_else(|| refused("unknown-key", &format_args!("[content] keys has no {}", signed.key())))?;
        let json = signed.open(key).map_err(|error| match error {
            SignedError::Forged => refused("forged", &error),
            SignedError::Malformed(_) => refused("malformed", &error),
        })?;
        let manifest = Manifest::read(&json).map_err(|error| refused("malformed", &error))?;
        let bytes: u64 = manifest.files().map(|(_, asset)| asset.bytes).sum();
        if bytes > settings.max_bytes {
            let words = format!("its files have {bytes} bytes, [content] max_size is {}", settings.max_bytes);
            return Err(No::Refused("too-large", words));
        }
        let active = self.shelf.active();
        let is_same = active.sha256 == Some(digest_of(text));
        if !is_same && active.manifest.is_some() && manifest.rev <= active.rev() {
            let words = format!("its rev is {}, that of the content in force {}", manifest.rev, active.rev());
            return Err(No::Refused("outdated", words));
        }
        Ok(manifest)
    }

    /// Gets a file, verifies it and lets it in.
    async fn get(
        &self,
        downloads: &Downloads,
        url: &str,
        (sha256, bytes): (Sha256, u64),
        until: Instant,
    ) -> Result<(), No> {
        let part = self.shelf.part(sha256);
        let mut tries = Tries::new(until);
        loop {
            let no = match downloads.get(url, &part, bytes, FILE_WITHIN).await {
                Ok(()) => {
                    let shelf = Arc::clone(&self.shelf);
                    if blocking(move || Ok(shelf.admit(sha256)?)).await? {
                        return Ok(());
                    }
                    No::Failed("digest", format!("the file {sha256} has another digest"))
                }
                Err(error @ DownloadError::Disk(_)) => return Err(No::Failed("disk", Chain(&error).to_string())),
                Err(error) => No::Failed("unreachable", format!("the file {sha256}: {}", Chain(&error))),
            };
            tries.again(&self.clock).await.ok_or(no)?;
        }
    }
}

/// Counts tries and waits between them.
struct Tries {
    made: u32,
    until: Instant,
}

impl Tries {
    fn new(until: Instant) -> Self {
        Self { made: 1, until }
    }

    /// Waits for the next one; `None`: there is none.
    async fn again(&mut self, clock: &Clock) -> Option<()> {
        let pause = PAUSE * 2_u32.pow(self.made.min(5) - 1);
        let pause = pause.mul_f64(0.5 + clock.random_fraction());
        if self.made >= TRIES || clock.now() + pause >= self.until {
            return None;
        }
        self.made += 1;
        tokio::time::sleep(pause).await;
        Some(())
    }
}

/// What blocks, on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, No> + Send + 'static) -> Result<T, No> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(No::Failed("disk", "the work was broken off".to_owned())))
}

/// What stands before a URL's last slash, that included; a query is no part of it.
fn base_of(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rfind('/').map_or(path, |slash| &path[..=slash])
}

fn cut(words: &str) -> String {
    words.chars().take(DETAIL).collect()
}
