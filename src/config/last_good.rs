//! The last good configuration, kept in the data directory with all that is needed to load it again.
//!
//! `last-good/kept.toml` is the configuration that last ran well, `last-good/before-1.toml` the one that ran well
//! before it, and so on to 5; `last-good/trial.toml` is one that is being tried, and is there only while it is;
//! `last-good/reported.json` is what the cloud was last told. Each is
//! written whole: a new file, synced, renamed over the old one, the folder synced. After a power cut there is the old
//! one or the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::types::{ConfigVersion, Timestamp};

/// The folder, below the data directory.
const FOLDER: &str = "last-good";
const KEPT: &str = "kept.toml";
const TRIAL: &str = "trial.toml";
const REPORTED: &str = "reported.json";
/// How many that ran well before are kept.
const BEFORE: usize = 5;
/// Longest of these files, in bytes: a configuration and its profiles. A longer one is not ours.
const KEPT_BYTES: u64 = 16 * 1024 * 1024;

/// A configuration with all that is needed to load it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The configuration file of this gateway, absolute: paths in the text are relative to its folder.
    pub file: PathBuf,
    /// SHA-256, hexadecimal, of that file when this came into force: it has been edited since when it is another now.
    pub file_sha256: String,
    /// Which of the cloud's it is; `None`: it is the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<VersionKept>,
    /// The configuration's text.
    pub text: String,
    /// The profiles it uses, by name.
    #[serde(default)]
    pub profiles: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum VersionKept {
    Number(i64),
    Text(String),
}

impl Kept {
    /// What is to be kept of a store that was loaded from `text`.
    pub fn new(file: &Path, file_sha256: &str, version: Option<&ConfigVersion>, text: &str, store: &Store) -> Self {
        let profiles = store.devices.iter().map(|device| (device.profile.clone(), device.profile_text.clone()));
        Self {
            file: file.to_owned(),
            file_sha256: file_sha256.to_owned(),
            version: version.map(|version| match version {
                ConfigVersion::Number(number) => VersionKept::Number(*number),
                ConfigVersion::Text(text) => VersionKept::Text(text.clone()),
            }),
            text: text.to_owned(),
            profiles: profiles.collect(),
        }
    }

    /// Whether the gateway would run in the same way.
    fn is_like(&self, other: &Self) -> bool {
        (&self.text, &self.profiles) == (&other.text, &other.profiles)
    }

    /// Which of the cloud's it is; `None`: it is the file's.
    pub fn version(&self) -> Option<ConfigVersion> {
        self.version.as_ref().map(|version| match version {
            VersionKept::Number(number) => ConfigVersion::Number(*number),
            VersionKept::Text(text) => ConfigVersion::Text(text.clone()),
        })
    }
}

/// The folder of one data directory. Every method blocks on the disk, for a few small files.
#[derive(Debug, Clone)]
pub struct LastGood {
    folder: PathBuf,
}

impl LastGood {
    /// Of this data directory; nothing is made yet.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(FOLDER) }
    }

    /// The configuration that last ran well, if there is one that can be read.
    pub fn kept(&self) -> Option<Kept> {
        self.read(KEPT)
    }

    /// Keeps a configuration that runs well, and the one before it. One that is kept already is not written again.
    pub fn keep(&self, kept: &Kept) -> io::Result<()> {
        match self.kept() {
            Some(now) if now == *kept => return Ok(()),
            Some(now) if !now.is_like(kept) => self.put_behind(&now),
            _ => {}
        }
        self.write(KEPT, kept)
    }

    /// When the configuration that last ran well came into force.
    pub fn kept_since(&self) -> Option<Timestamp> {
        self.changed(KEPT)
    }

    /// Those that ran well before, the newest first, each with when it came into force.
    pub fn before(&self) -> Vec<(Option<Timestamp>, Kept)> {
        let names = (1..=BEFORE).map(before);
        names.filter_map(|name| Some((self.changed(&name), self.read(&name)?))).collect()
    }

    /// The one that was kept becomes the first of those before. That it cannot be is no reason not to go on; a name is
    /// free or holds an older one at every moment, so that a power cut loses one at most.
    fn put_behind(&self, now: &Kept) {
        let same = |name: &str| self.read(name).is_some_and(|old| old.is_like(now));
        // A text that ran before moves up instead of standing there twice.
        let free = (1..=BEFORE).find(|at| same(&before(*at))).unwrap_or(BEFORE);
        for at in (1..free).rev() {
            let _not_there = fs::rename(self.folder.join(before(at)), self.folder.join(before(at + 1)));
        }
        let (kept, first) = (self.folder.join(KEPT), self.folder.join(before(1)));
        let _ = fs::remove_file(&first);
        if let Err(error) = fs::hard_link(kept, first) {
            tracing::warn!(%error, "the configuration before cannot be kept");
        }
    }

    fn changed(&self, name: &str) -> Option<Timestamp> {
        let changed = fs::metadata(self.folder.join(name)).and_then(|file| file.modified()).ok()?;
        let since_1970 = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since_1970.as_millis()).ok().map(Timestamp::from_unix_ms)
    }

    /// The configuration on trial, if a trial was begun and not ended.
    pub fn trial(&self) -> Option<Kept> {
        self.read(TRIAL)
    }

    /// Notes that a configuration is being tried.
    pub fn begin_trial(&self, trial: &Kept) -> io::Result<()> {
        self.write(TRIAL, trial)
    }

    /// The trial is over.
    pub fn end_trial(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(TRIAL)) {
            Ok(()) => sync_folder(&self.folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the cloud was last told, as it was sent.
    pub fn reported(&self) -> Option<Vec<u8>> {
        let path = self.folder.join(REPORTED);
        let is_short = fs::metadata(&path).is_ok_and(|file| file.len() <= KEPT_BYTES);
        is_short.then(|| fs::read(path).ok()).flatten()
    }

    /// Notes what the cloud is to be told.
    pub fn report(&self, report: &[u8]) -> io::Result<()> {
        self.write_bytes(REPORTED, report)
    }

    fn read(&self, name: &str) -> Option<Kept> {
        let path = self.folder.join(name);
        if fs::metadata(&path).ok()?.len() > KEPT_BYTES {
            return None;
        }
        toml::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    fn write(&self, name: &str, kept: &Kept) -> io::Result<()> {
        let text = toml::to_string(kept).map_err(io::Error::other)?;
        self.write_bytes(name, text.as_bytes())
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if !self.folder.is_dir() {
            fs::create_dir_all(&self.folder)?;
            self.folder.parent().map_or(Ok(()), sync_folder)?;
        }
        let new = self.folder.join(format!("{name}.new"));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.folder.join(name))?;
        sync_folder(&self.folder)
    }
}

fn before(at: usize) -> String {
    format!("before-{at}.toml")
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
