//! From a member's picture to their template.

use std::path::Path;

use super::blind::Blind;
use crate::sense::vision::card::{Card, Role, built_in};
use crate::sense::vision::quality::Quality;
use crate::sense::vision::yunet::{Face, InputSize};
use crate::sense::vision::{Detector, Embedder, Embedding, Frame, VisionError, picture};
use crate::transport::read_network;
use crate::types::wipe;

/// What a picture is looked at in.
const INPUT: InputSize = InputSize { width: 640, height: 640 };
/// A second face of this part of the first one's area makes it a picture of two.
const BYSTANDER: f32 = 0.25;
/// A view below this makes no template.
const GOOD: f32 = 0.30;

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
    let mut faces = detector.faces(frame)?;
    let area = |face: &Face| face.place.w * face.place.h;
    faces.sort_by(|one, other| area(other).total_cmp(&area(one)));
    let mut faces = faces.into_iter();
    let largest = faces.next().ok_or(Blind::NoFace)?;
    match faces.next() {
        Some(second) if area(&second) >= BYSTANDER * area(&largest) => Err(Blind::SeveralFaces),
        _ => Ok(largest),
    }
}

impl From<VisionError> for Blind {
    fn from(error: VisionError) -> Self {
        Self::Engine(Box::new(error))
    }
}
