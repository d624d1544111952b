//! The two face networks in use: one finds faces, one makes them comparable.

use super::onnx::{Network, NetworkError};
use super::yunet::{self, Face, InputSize, OUTPUTS, Thresholds, WrongOutput};
use super::{Embedding, Frame, align};
use crate::types::wipe;

/// Why a picture was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// The engine failed.
    #[error("the network could not be run")]
    Network(#[from] NetworkError),
    /// The network is not the one of the card.
    #[error("the detector's answer has not the shape of its card")]
    Outputs(#[from] WrongOutput),
    /// The embedder gave another number of values.
    #[error("the embedder's answer has {0} numbers, not {expected}", expected = Embedding::LEN)]
    Embedding(usize),
}

/// Finds faces.
pub struct Detector {
    network: Network,
    input: Vec<f32>,
    size: InputSize,
    thresholds: Thresholds,
}

impl Detector {
    /// Makes a detector of a converted `YuNet` for pictures of `size`.
    ///
    /// # Errors
    ///
    /// When the bytes are no such network.
    pub fn load(model: &[u8], size: InputSize, thresholds: Thresholds) -> Result<Self, VisionError> {
        let network = Network::load(model, [1, 3, size.height, size.width], &OUTPUTS)?;
        let input = vec![0.0; network.input_len()];
        Ok(Self { network, input, size, thresholds })
    }

    /// The faces of a picture, surest first.
    ///
    /// # Errors
    ///
    /// When the engine fails; the next picture may be tried.
    pub fn faces(&mut self, frame: &Frame) -> Result<Vec<Face>, VisionError> {
        yunet::fill(frame, self.size, &mut self.input);
        let scale = yunet::scale(frame, self.size);
        let (size, thresholds) = (self.size, self.thresholds);
        let faces = self.network.run(&self.input, |outputs| match outputs.first_chunk() {
            Some(outputs) => yunet::decode(outputs, size, scale, thresholds),
            None => Ok(Vec::new()),
        });
        wipe(&mut self.input);
        Ok(faces??)
    }
}

/// Makes faces comparable.
pub struct Embedder {
    network: Network,
    input: Vec<f32>,
}

impl Embedder {
    /// Makes an embedder of a converted `SFace`.
    ///
    /// # Errors
    ///
    /// When the bytes are no such network.
    pub fn load(model: &[u8]) -> Result<Self, VisionError> {
        let network = Network::load(model, [1, 3, align::SIDE, align::SIDE], &["fc1"])?;
        let input = vec![0.0; network.input_len()];
        Ok(Self { network, input })
    }

    /// What a face looks like. Nothing when its landmarks are one point.
    ///
    /// # Errors
    ///
    /// When the engine fails; the next face may be tried.
    pub fn embed(&mut self, frame: &Frame, face: &Face) -> Result<Option<Embedding>, VisionError> {
        let upright = align::fill(frame, &face.landmarks, &mut self.input);
        let embedding = upright.then(|| self.network.run(&self.input, |outputs| Embedding::new(outputs[0])));
        wipe(&mut self.input);
        embedding.map(|result| result?.map_err(|wrong| VisionError::Embedding(wrong.0))).transpose()
    }
}
