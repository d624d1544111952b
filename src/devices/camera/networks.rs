//! The face networks of a camera: by card and digest, from the folder of the configuration.

use std::path::Path;

use crate::sense::vision::card::{BuiltInError, Card, Role, built_in};
use crate::sense::vision::mesh::Mesh;
use crate::sense::vision::yunet::InputSize;
use crate::sense::vision::{Detector, Embedder, VisionError};
use crate::transport::{NetworkFileError, read_network};

/// Why a network is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworksError {
    /// A card that was built in.
    #[error("the cards that were built in")]
    Cards(#[from] BuiltInError),
    /// There is no card for it.
    #[error("there is no {0}")]
    NoRole(&'static str),
    /// Its file.
    #[error(transparent)]
    File(#[from] NetworkFileError),
    /// It cannot be loaded.
    #[error("{0} cannot be loaded")]
    Load(String, #[source] VisionError),
}

fn read(folder: &Path, role: Role) -> Result<(Card, Vec<u8>), NetworksError> {
    let card = built_in()?.into_iter().find(|card| card.role == role).ok_or(NetworksError::NoRole(role.name()))?;
    let bytes = read_network(folder, &card.name, &card.result.sha256)?;
    Ok((card, bytes))
}

/// The detector for pictures of this size.
pub(crate) fn detector(folder: &Path, size: InputSize) -> Result<Detector, NetworksError> {
    let (card, bytes) = read(folder, Role::Detector)?;
    Detector::load(&bytes, size, card.detection()).map_err(|error| NetworksError::Load(card.name, error))
}

/// The network for 468 points of a face.
pub(super) fn mesh(folder: &Path) -> Result<Mesh, NetworksError> {
    let (card, bytes) = read(folder, Role::Mesh)?;
    Mesh::load(&bytes).map_err(|error| NetworksError::Load(card.name, error))
}

/// The embedder.
pub(super) fn embedder(folder: &Path) -> Result<Embedder, NetworksError> {
    let (card, bytes) = read(folder, Role::Embedder)?;
    Embedder::load(&bytes).map_err(|error| NetworksError::Load(card.name, error))
}
