//! The files, and which of them are in force.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use tokio::sync::watch;

use super::Settings;
use crate::types::{ScreenOverride, Sha256, Timestamp};
use crate::wire::screen::{Manifest, Signed};

const ACTIVE: &str = "active.jws";
const PREVIOUS: &str = "previous.jws";
const CAS: &str = "cas";
const PART: &str = "part";
/// Bytes of a file that are digested at a time.
const READ_BYTES: usize = 128 << 10;

/// The folder of content cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{step} {}", path.display())]
pub struct ShelfError {
    /// While doing what.
    pub step: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ShelfError {
    move |source| ShelfError { step, path: path.to_owned(), source }
}

/// The content in force.
#[derive(Debug, Default)]
pub struct Active {
    /// The manifest; `None`: there has never been any content.
    pub manifest: Option<Manifest>,
    /// Digest of the signed manifest.
    pub sha256: Option<Sha256>,
}

impl Active {
    /// Its revision; 0 without content.
    pub fn rev(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.rev)
    }
}

/// The content in force and the override, for whoever shows them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Content {
    folder: PathBuf,
    active: watch::Receiver<Arc<Active>>,
    overriding: watch::Receiver<Option<ScreenOverride>>,
}

impl Content {
    /// What is in force now.
    pub fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.borrow())
    }

    /// Tells when other content is in force.
    pub fn changed(&self) -> watch::Receiver<Arc<Active>> {
        self.active.clone()
    }

    /// What comes before everything else. Whether its time is over is for the caller to see.
    pub fn overriding(&self) -> watch::Receiver<Option<ScreenOverride>> {
        self.overriding.clone()
    }

    /// Since when what is in force is so, as its file says.
    pub fn since(&self) -> Option<Timestamp> {
        let changed = fs::metadata(self.folder.join(ACTIVE)).and_then(|file| file.modified()).ok()?;
        let since = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Timestamp::from_unix_ms(i64::try_from(since.as_millis()).ok()?))
    }

    /// A file and its media type, of content that is in force.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn file(&self, sha256: Sha256) -> io::Result<(File, String)> {
        let active = self.active();
        let asset = active.manifest.as_ref().and_then(|manifest| manifest.assets.get(&sha256.to_string()));
        let asset = asset.ok_or(io::ErrorKind::NotFound)?;
        Ok((File::open(self.folder.join(CAS).join(sha256.to_string()))?, asset.r#type.clone()))
    }
}

/// The folder, for whoever changes it.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    active: watch::Sender<Arc<Active>>,
}

/// Where an override goes out.
pub(super) type Overriding = watch::Sender<Option<ScreenOverride>>;

/// What [`open`] hands out: the halves of the desk and the herald, and what everybody may look at.
pub struct Opened {
    pub(super) shelf: Shelf,
    pub(super) overriding: Overriding,
    /// For everybody.
    pub content: Content,
    /// What is wrong with what lay there, when something is.
    pub trouble: Option<String>,
}

/// Opens the folder and takes what lies there into force: the last content, or the one before it when that is damaged.
///
/// # Errors
///
/// When the folder cannot be made.
pub fn open(folder: &Path, settings: &Settings) -> Result<Opened, ShelfError> {
    for folder in [folder.to_owned(), folder.join(CAS), folder.join(PART)] {
        fs::create_dir_all(&folder).map_err(failed("cannot make", &folder))?;
    }
    let mut trouble = None;
    let mut found = Active::default();
    for name in [ACTIVE, PREVIOUS] {
        match taken(folder, name, settings) {
            Ok(Some(active)) => {
                found = active;
                break;
            }
            Ok(None) => {}
            Err(why) => trouble = trouble.or(Some(format!("{name}: {why}"))),
        }
    }
    let active = watch::Sender::new(Arc::new(found));
    let overriding = watch::Sender::new(None);
    let content = Content { folder: folder.to_owned(), active: active.subscribe(), overriding: overriding.subscribe() };
    Ok(Opened { shelf: Shelf { folder: folder.to_owned(), active }, overriding, content, trouble })
}

/// A manifest that was in force before, if it is what it was and its files are there.
fn taken(folder: &Path, name: &str, settings: &Settings) -> Result<Option<Active>, String> {
    let path = folder.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let sha256 = digest_of(&text);
    let signed = Signed::read(&text).map_err(|error| error.to_string())?;
    let json = match settings.keys.get(signed.key()) {
        Some(key) => signed.open(key).map_err(|error| error.to_string())?,
        None => {
            tracing::warn!(key = %signed.key(), "content stays on whose key is no longer trusted");
            signed.unverified()
        }
    };
    let manifest = Manifest::read(&json).map_err(|error| error.to_string())?;
    for (digest, asset) in manifest.files() {
        let length = fs::metadata(folder.join(CAS).join(digest.to_string())).map(|file| file.len());
        if length.ok() != Some(asset.bytes) {
            return Err(format!("its file {digest} is missing or cut"));
        }
    }
    Ok(Some(Active { manifest: Some(manifest), sha256: Some(sha256) }))
}

/// The SHA-256 of bytes.
pub(super) fn digest_of(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&SHA256, bytes);
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest.as_ref());
    Sha256(sha256)
}

/// The SHA-256 of a file.
fn digest_of_file(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let (mut context, mut buffer) = (Context::new(&SHA256), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => context.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(Sha256(sha256))
}

fn sync_folder(folder: &Path) -> Result<(), ShelfError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("cannot sync", folder))
}

impl Shelf {
    /// What is in force.
    pub(super) fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.borrow())
    }

    /// Where a file grows.
    pub(super) fn part(&self, sha256: Sha256) -> PathBuf {
        self.folder.join(PART).join(sha256.to_string())
    }

    /// Whether a file is here, and is what its name says. Blocks for as long as it takes to read it.
    pub(super) fn has(&self, sha256: Sha256) -> bool {
        let path = self.folder.join(CAS).join(sha256.to_string());
        match digest_of_file(&path) {
            Ok(found) if found == sha256 => true,
            Ok(_) => {
                tracing::warn!(file = %path.display(), "a file of the content is damaged and is fetched anew");
                // It stays in the way of nobody: the whole one takes its name.
                false
            }
            Err(_) => false,
        }
    }

    /// Lets a file that is whole in: `false`, and it is gone, when it is not what its name says. Blocks.
    pub(super) fn admit(&self, sha256: Sha256) -> Result<bool, ShelfError> {
        let part = self.part(sha256);
        let found = digest_of_file(&part).map_err(failed("cannot read", &part))?;
        if found != sha256 {
            fs::remove_file(&part).map_err(failed("cannot remove", &part))?;
            return Ok(false);
        }
        let whole = self.folder.join(CAS).join(sha256.to_string());
        fs::rename(&part, &whole).map_err(failed("cannot rename", &part))?;
        sync_folder(&self.folder.join(CAS))?;
        Ok(true)
    }

    /// Puts a manifest whose files are all here in force, and keeps the one before. Blocks.
    pub(super) fn put_in_force(&self, text: &[u8], manifest: Manifest) -> Result<(), ShelfError> {
        let (active, previous) = (self.folder.join(ACTIVE), self.folder.join(PREVIOUS));
        match fs::read(&active) {
            // The same again is no reason to forget the one before.
            Ok(before) if before != text => self.write(&previous, &before)?,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("cannot read", &active)(error)),
        }
        self.write(&active, text)?;
        let sha256 = Some(digest_of(text));
        self.active.send_replace(Arc::new(Active { manifest: Some(manifest), sha256 }));
        Ok(())
    }

    /// Whole or not at all.
    fn write(&self, path: &Path, text: &[u8]) -> Result<(), ShelfError> {
        let beside = path.with_extension("new");
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(text)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        write().map_err(failed("cannot write", path))?;
        sync_folder(&self.folder)
    }

    /// Removes files that neither the content in force nor the one before has, and parts of nothing. Blocks.
    pub(super) fn clear(&self) -> Result<(), ShelfError> {
        let mut kept = BTreeSet::new();
        for name in [ACTIVE, PREVIOUS] {
            let Ok(text) = fs::read(self.folder.join(name)) else { continue };
            // One that cannot be read keeps everything: it may be the only one there is.
            let Ok(signed) = Signed::read(&text) else { return Ok(()) };
            let Ok(manifest) = Manifest::read(&signed.unverified()) else { return Ok(()) };
            kept.extend(manifest.files().map(|(digest, _)| digest.to_string()));
        }
        for folder in [CAS, PART].map(|name| self.folder.join(name)) {
            let entries = fs::read_dir(&folder).map_err(failed("cannot list", &folder))?;
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                if !name.is_some_and(|name| kept.contains(&name)) {
                    fs::remove_file(&path).map_err(failed("cannot remove", &path))?;
                }
            }
        }
        Ok(())
    }
}
