//! From a member's picture to their template.

use std::path::Path;

use super::blind::Blind;
use crate::sense::vision::card::{Card, Role, built_in};
use crate::sense::vision::quality::{Company, GOOD, Quality};
use crate::sense::vision::yunet::{Face, InputSize};
use crate::sense::vision::{Detector, Embedder, Embedding, Frame, VisionError, picture};
use crate::transport::read_network;
use crate::types::wipe;

/// What a picture is looked at in.
const INPUT: InputSize = InputSize { width: 640, height: 640 };

/// Looks at an encoded picture, which is overwritten. Takes up to a second: the networks are loaded for it and given
/// back after it, for members are enrolled rarely.
pub(super) fn template(mut encoded: Vec<u8>, models_dir: &Path) -> Result<Embedding, Blind> {
    let frame = picture::decode(&encoded).map_err(Blind::Picture);
    wipe(&mut encoded);
    let frame = frame?;
    let cards = built_in().map_err(|_| Blind::Card)?;
    let face = face(&frame, &cards, models_dir)?;
    if Quality::of(&frame, &face).score() < GOOD {
        return Err(Blind::PoorFace);
    }
    let mut embedder = Embedder::load(&network(&cards, Role::Embedder, models_dir)?.1)?;
    embedder.embed(&frame, &face)?.ok_or(Blind::NoFace)
}

fn network<'a>(cards: &'a [Card], role: Role, models_dir: &Path) -> Result<(&'a Card, Vec<u8>), Blind> {
    let card = cards.iter().find(|card| card.role == role).ok_or(Blind::Card)?;
    Ok((card, read_network(models_dir, &card.name, &card.result.sha256)?))
}

fn face(frame: &Frame, cards: &[Card], models_dir: &Path) -> Result<Face, Blind> {
    let (card, bytes) = network(cards, Role::Detector, models_dir)?;
    let mut detector = Detector::load(&bytes, INPUT, card.detection())?;
    let faces = detector.faces(frame)?;
    match Company::of(&faces) {
        Company::Nobody => Err(Blind::NoFace),
        Company::Alone(at) => Ok(faces[at]),
        Company::Several => Err(Blind::SeveralFaces),
    }
}

impl From<VisionError> for Blind {
    fn from(error: VisionError) -> Self {
        Self::Engine(Box::new(error))
    }
}
