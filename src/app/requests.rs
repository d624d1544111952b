//! What somebody at the box asks of a running gateway: a file in `DATA/requests`, whole before it is seen.
//!
//! The journal has one writer, the daemon. Whoever wants something done beside it leaves a request, which is on disk
//! before anything happens and waits for a gateway that does not run. The gateway files it as a command under the id it
//! came with, so that it acts once, and its end is in the journal like any other command's.
//!
//! Limits: 16 requests are looked at in one round, each of at most 4 KiB; what is no request is set aside as `.bad`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::journal::{Intake, Journal, JournalError};
use crate::types::{Action, Command, CommandId, Origin, Resolution, SaleId};

const FOLDER: &str = "requests";
const LOOK_EVERY: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 16;
const REQUEST_BYTES: u64 = 4096;
/// Longest name of a person, in characters.
const BY_CHARS: usize = 64;
/// How long a request may wait for what it is about.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// What a person says became of a sale that nobody else could know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleResolution {
    /// The id of the command that it becomes.
    pub id: CommandId,
    /// The sale.
    pub sale: SaleId,
    /// What became of it.
    pub resolution: Resolution,
    /// Who says so.
    pub by: String,
}

/// As the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    action: String,
    sale: String,
    r#as: String,
    by: String,
}

/// A file that is no request, and why.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
struct NoRequest(String);

impl SaleResolution {
    /// Whether a name is one: 1 to 64 characters, no control characters.
    pub fn is_name(by: &str) -> bool {
        (1..=BY_CHARS).contains(&by.chars().count()) && !by.chars().any(char::is_control) && by.trim() == by
    }

    /// Leaves it for the gateway: whole, on disk, under its id.
    pub fn leave(&self, data_dir: &Path) -> io::Result<()> {
        let folder = data_dir.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        let written = Written {
            id: self.id.to_string(),
            action: "sale.resolve".to_owned(),
            sale: self.sale.to_string(),
            r#as: self.resolution.as_str().to_owned(),
            by: self.by.clone(),
        };
        let (part, whole) = (folder.join(format!("{}.part", self.id)), folder.join(format!("{}.json", self.id)));
        let mut file = std::fs::File::create(&part)?;
        io::Write::write_all(&mut file, &serde_json::to_vec(&written)?)?;
        file.sync_all()?;
        std::fs::rename(&part, &whole)?;
        std::fs::File::open(&folder)?.sync_all()
    }

    fn read(text: &[u8]) -> Result<Self, NoRequest> {
        let wrong = |what: &str| NoRequest(what.to_owned());
        let written: Written = serde_json::from_slice(text).map_err(|error| NoRequest(error.to_string()))?;
        if written.action != "sale.resolve" {
            return Err(wrong("`action` must be \"sale.resolve\""));
        }
        Ok(Self {
            id: CommandId::new(&written.id).map_err(|_| wrong("`id` is no command id"))?,
            sale: SaleId::new(&written.sale).map_err(|_| wrong("`sale` is no sale id"))?,
            resolution: Resolution::parse(&written.r#as).ok_or_else(|| wrong("`as` must be dispensed or refunded"))?,
            by: Some(written.by).filter(|by| Self::is_name(by)).ok_or_else(|| wrong("`by` is no name"))?,
        })
    }

    fn command(self, clock: &Clock) -> Command {
        let Self { id, sale, resolution, by } = self;
        let (wall, _) = clock.wall();
        let action = Action::SaleResolve { sale, resolution, by };
        Command { id, device: None, action, not_after: wall.plus(GOOD_FOR), origin: Origin::Local }
    }
}

/// Files what is left in the folder, until `stop`.
pub(super) async fn carry_in(
    data_dir: PathBuf,
    journal: Journal,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), JournalError> {
    let folder = data_dir.join(FOLDER);
    loop {
        for path in whole(&folder).await {
            match carry(&path, &journal, &clock).await {
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => tracing::warn!(%error, "a request waits for the journal"),
                Ok(()) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// The requests that are there.
async fn whole(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return found };
    while found.len() < AT_ONCE {
        let Ok(Some(entry)) = entries.next_entry().await else { break };
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found
}

async fn carry(path: &Path, journal: &Journal, clock: &Clock) -> Result<(), JournalError> {
    let request = match tokio::fs::metadata(path).await {
        Ok(meta) if meta.len() > REQUEST_BYTES => Err(NoRequest(format!("it has {} bytes", meta.len()))),
        Ok(_) => match tokio::fs::read(path).await {
            Ok(text) => SaleResolution::read(&text),
            Err(error) => Err(NoRequest(error.to_string())),
        },
        Err(error) => Err(NoRequest(error.to_string())),
    };
    let done = match request {
        Ok(request) => {
            journal.accept(Intake::Command(request.command(clock))).await?;
            tokio::fs::remove_file(path).await
        }
        Err(why) => {
            tracing::warn!(file = %path.display(), %why, "a file among the requests is none and is set aside");
            tokio::fs::rename(path, path.with_extension("bad")).await
        }
    };
    if let Err(error) = done {
        tracing::warn!(file = %path.display(), %error, "a request cannot be taken away; it acts once");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Trust;
    use crate::journal::Settings;

    fn resolution(id: &str) -> SaleResolution {
        SaleResolution {
            id: CommandId::new(id).unwrap(),
            sale: SaleId::new("s-1").unwrap(),
            resolution: Resolution::Refunded,
            by: "Li Wei".to_owned(),
        }
    }

    #[test]
    fn what_is_no_request_says_why() {
        let good = r#"{"id":"a","action":"sale.resolve","sale":"s","as":"refunded","by":"Li Wei"}"#;
        assert!(SaleResolution::read(good.as_bytes()).is_ok());
        for (from, to, why) in [
            ("sale.resolve", "dispense", "`action`"),
            ("refunded", "perhaps", "`as`"),
            ("Li Wei", "", "`by`"),
            ("Li Wei", "Li\\u0007Wei", "`by`"),
            ("\"s\"", "\"\"", "`sale`"),
            ("\"a\"", "\"\"", "`id`"),
            ("\"by\"", "\"who\"", "unknown field `who`"),
            ("}", "", "EOF"),
        ] {
            let Err(found) = SaleResolution::read(good.replace(from, to).as_bytes()) else { panic!("{from} -> {to}") };
            assert!(found.to_string().contains(why), "{found}");
        }
    }

    #[tokio::test]
    async fn a_request_becomes_one_command_however_often_it_is_found_and_rubbish_is_set_aside() {
        let dir = tempfile::TempDir::new().unwrap();
        let clock = Clock::system(Trust::Trusted);
        let (journal, _) = Journal::open(Settings::new(dir.path()), clock.clone()).unwrap();
        let folder = dir.path().join(FOLDER);
        assert_eq!(whole(&folder).await, Vec::<PathBuf>::new(), "nobody has asked anything yet");
        for _ in 0..2 {
            resolution("r-1").leave(dir.path()).unwrap();
            let found = whole(&folder).await;
            assert_eq!(found, [folder.join("r-1.json")]);
            carry(&found[0], &journal, &clock).await.unwrap();
        }
        std::fs::write(folder.join("r-2.json"), "{").unwrap();
        std::fs::write(folder.join("r-3.json"), vec![b' '; 5000]).unwrap();
        for path in whole(&folder).await {
            carry(&path, &journal, &clock).await.unwrap();
        }
        assert_eq!(whole(&folder).await, Vec::<PathBuf>::new());
        assert!(folder.join("r-2.bad").exists() && folder.join("r-3.bad").exists());
        let open = journal.open_commands().await.unwrap();
        let [(Command { id, action, origin: Origin::Local, .. }, _)] = &open[..] else { panic!("{open:?}") };
        let SaleResolution { sale, resolution, by, .. } = resolution("r-1");
        assert_eq!((id.as_str(), action), ("r-1", &Action::SaleResolve { sale, resolution, by }));
    }
}
