//! Faces in pictures: where they are, how they move, and, only for members who consented, who they are.
//!
//! The way of a picture: a [`Frame`] is masked, made small for the detector (`yunet`), its faces are found, followed,
//! and the best view of each is brought upright (`align`) and made comparable ([`Embedding`]). Model bytes are passed
//! in; the networks run in `onnx` and `convnet`, behind the feature `onnx`.
//!
//! Invariants: pixels and embeddings have no `Debug`, `Clone` or `Serialize` and are overwritten when they go; nothing
//! here reads a clock, a file or a socket.

pub mod align;
mod assign;
pub mod card;
#[cfg(feature = "onnx")]
pub mod convert;
#[cfg(feature = "onnx")]
mod convnet;
mod embedding;
#[cfg(feature = "onnx")]
mod face;
mod frame;
pub mod gallery;
mod geometry;
mod kalman;
#[cfg(feature = "onnx")]
pub mod mesh;
pub mod motion;
pub mod naming;
#[cfg(feature = "onnx")]
mod onnx;
pub mod picture;
pub mod quality;
pub mod scene;
#[cfg(feature = "onnx")]
pub mod tflite;
pub mod track;
pub mod visit;
#[cfg(feature = "onnx")]
pub mod watch;
pub mod yunet;

pub use embedding::{Embedding, WrongLength};
#[cfg(feature = "onnx")]
pub use face::{Detector, Embedder, VisionError};
pub use frame::{Frame, WrongSize};
pub use geometry::{Point, Rect};
#[cfg(feature = "onnx")]
pub use onnx::{Network, NetworkError};

#[cfg(test)]
mod still_tests;
#[cfg(test)]
mod walk_tests;
