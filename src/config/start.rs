//! Which configuration a gateway starts with.
//!
//! The file, as a rule. The cloud's, if the cloud has changed the configuration since and nobody has touched the file.
//! The last good one, in safe mode, if the file is broken. Who edits the file has the last word.

use std::path::{Path, PathBuf};

use super::document::read_text;
use super::last_good::{Kept, LastGood};
use super::profiles::Places;
use super::report::Refused;
use super::store::DATA_DIR;
use super::{Loaded, load, load_with};
use crate::devices::CATALOGUE;
use crate::types::ConfigVersion;

/// Mistakes named in one line of text.
const NAMED: usize = 3;

/// What a gateway starts with.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub loaded: Loaded,
    /// Where it comes from.
    pub origin: Origin,
    /// What is wrong with the file, in safe mode.
    pub refused: Option<Refused>,
}

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The configuration file, absolute.
    pub file: PathBuf,
    /// Where profiles are looked for first.
    pub profiles_dir: Option<PathBuf>,
    /// SHA-256 of the file as it is now, hexadecimal.
    pub file_sha256: String,
    /// Which of the cloud's it is; `None`: it is the file's.
    pub version: Option<ConfigVersion>,
}

impl Start {
    /// With a configuration that was loaded from `file` by other means.
    pub fn with(loaded: Loaded, file: &Path, profiles_dir: Option<&Path>) -> Self {
        let file_sha256 = sha256_hex(loaded.text.as_bytes());
        let profiles_dir = profiles_dir.map(Path::to_owned);
        let origin = Origin { file: absolute(file), profiles_dir, file_sha256, version: None };
        Self { loaded, origin, refused: None }
    }
}

/// Chooses what to start with. `data_dir`: where to look for the last good configuration when the file is broken,
/// before the places that the file itself still names.
///
/// # Errors
/// What is wrong with the file, if there is no last good configuration.
pub fn start(file: &Path, profiles_dir: Option<&Path>, data_dir: Option<&Path>) -> Result<Start, Refused> {
    let text = read_text(file).ok();
    let file_sha256 = sha256_hex(text.as_deref().unwrap_or_default().as_bytes());
    let origin = |version| Origin {
        file: absolute(file),
        profiles_dir: profiles_dir.map(Path::to_owned),
        file_sha256: file_sha256.clone(),
        version,
    };
    // Paths in it are then the same ones that a configuration has which comes later, by another road.
    let local = load(&absolute(file), profiles_dir);
    let places = match &local {
        Ok(loaded) => vec![loaded.store.gateway.data_dir.clone()],
        Err(_) => data_dirs(file, text.as_deref(), data_dir),
    };
    let of_this_file = |kept: &Kept| kept.file == absolute(file);
    let kept = places.iter().find_map(|place| LastGood::of(place).kept().filter(of_this_file));
    if let Some(kept) = kept.as_ref().filter(|kept| kept.version().is_some() && kept.file_sha256 == file_sha256) {
        match load_kept(kept) {
            Ok(loaded) => return Ok(Start { loaded, origin: origin(kept.version()), refused: None }),
            Err(refused) => tracing::error!(
                mistakes = refused.summary(),
                "the configuration of the cloud that was in force cannot be loaded any more"
            ),
        }
    }
    match (local, kept.map(|kept| (load_kept(&kept), kept))) {
        (Ok(loaded), _) => Ok(Start { loaded, origin: origin(None), refused: None }),
        (Err(refused), Some((Ok(loaded), kept))) => {
            Ok(Start { loaded, origin: origin(kept.version()), refused: Some(refused) })
        }
        (Err(refused), _) => Err(refused),
    }
}

/// Loads a configuration that was kept, with the profiles that were kept with it.
pub fn load_kept(kept: &Kept) -> Result<Loaded, Refused> {
    let base = kept.file.parent().unwrap_or(Path::new(""));
    let places = Places { kept: kept.profiles.clone(), ..Places::usual(None, base, CATALOGUE) };
    load_with(&kept.text, &kept.file, base, CATALOGUE, &places)
}

/// Where the data of a gateway may be whose file is broken: where we are told, where a line of the file says, and
/// where it is when nothing is said.
fn data_dirs(file: &Path, text: Option<&str>, told: Option<&Path>) -> Vec<PathBuf> {
    let base = file.parent().unwrap_or(Path::new(""));
    let named = |line: &str| {
        let table: toml::Table = line.trim().parse().ok()?;
        Some(base.join(table.get("data_dir")?.as_str()?))
    };
    let written = text.into_iter().flat_map(str::lines).filter_map(named);
    told.map(Path::to_owned).into_iter().chain(written).chain([base.join(DATA_DIR)]).collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The SHA-256 of bytes, as 64 digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Refused {
    /// The first mistakes with their places, in one line.
    pub fn summary(&self) -> String {
        let named = self.diagnostics.iter().take(NAMED).map(|mistake| {
            let (line, column) = self.sources.position(&mistake.file, mistake.span.as_ref());
            format!("{}:{line}:{column}: {}", mistake.file.display(), mistake.message)
        });
        let mut text = named.collect::<Vec<_>>().join("; ");
        let more = self.diagnostics.len().saturating_sub(NAMED);
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        text
    }
}
