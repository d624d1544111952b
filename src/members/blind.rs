//! Why a picture makes no template.

use crate::sense::vision::picture;
use crate::transport::NetworkFileError;

/// Why a picture makes no template.
#[cfg_attr(not(feature = "onnx"), expect(dead_code, reason = "without an engine no picture is looked at"))]
#[derive(Debug, thiserror::Error)]
pub(super) enum Blind {
    /// A network is not there.
    #[error("a network is missing")]
    Network(#[from] NetworkFileError),
    /// A card that was built in is wrong, or there is none.
    #[error("there is no card of a network")]
    Card,
    /// No picture that can be decoded.
    #[error("the picture cannot be read")]
    Picture(#[source] picture::PictureError),
    /// The engine failed.
    #[error("the picture could not be looked at")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody is in it.
    #[error("no face is in the picture")]
    NoFace,
    /// More than one person is in it.
    #[error("several faces are in the picture")]
    SeveralFaces,
    /// Too small, too dark, blurred or turned away.
    #[error("the face in the picture is too small, blurred, dark or turned away")]
    PoorFace,
}

impl Blind {
    /// The contract's reason.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Network(_) | Self::Card => "model-missing",
            Self::Picture(_) => "picture-unreadable",
            Self::Engine(_) => "model-failed",
            Self::NoFace => "no-face",
            Self::SeveralFaces => "several-faces",
            Self::PoorFace => "poor-face",
        }
    }
}
