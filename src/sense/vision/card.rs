//! Model cards: what is known of a network, and by which bytes it is known.
//!
//! `models/NAME.toml`. A network without a card is never loaded, and neither is one whose bytes are not the card's.

use serde::Deserialize;

use super::gallery::MatchSettings;
use super::yunet;

/// The cards this build was made with: name and text.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("yunet-2023mar", include_str!("../../../models/yunet-2023mar.toml")),
    ("sface-2021dec", include_str!("../../../models/sface-2021dec.toml")),
    ("facemesh-468", include_str!("../../../models/facemesh-468.toml")),
];

/// A card.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// As the file is called.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// One sentence.
    pub about: String,
    /// Where the published file comes from.
    pub package: Package,
    /// Under what terms.
    pub licence: Licence,
    /// What it takes.
    pub input: Input,
    /// What it gives, in the order that is used.
    pub outputs: Vec<String>,
    /// The file that is loaded, made from the published one.
    pub result: Result,
    /// From which value on an answer counts.
    pub thresholds: Thresholds,
    /// What it reached, and where that was measured.
    pub accuracy: Vec<Accuracy>,
}

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Finds faces and five landmarks.
    Detector,
    /// Makes faces comparable.
    Embedder,
    /// Finds the points of a face that make-up is painted by.
    Mesh,
    /// Tells a face from a photograph of one. No card of this role ships: of the networks that were looked at none held
    /// on the samples.
    Liveness,
}

impl Role {
    /// Its name in a card.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Embedder => "embedder",
            Self::Mesh => "mesh",
            Self::Liveness => "liveness",
        }
    }
}

/// A published package and the file in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Which client fetches it.
    pub client: Client,
    /// Its name there.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The file's place in the package.
    pub path: String,
    /// The file's size.
    pub bytes: u64,
    /// The file's digest, in hexadecimal.
    pub sha256: String,
}

/// A package client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// Python's.
    Pip,
}

/// Terms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Of the weights.
    pub weights: String,
    /// Whose they are.
    pub holder: String,
    /// What to mind before shipping.
    pub restrictions: String,
}

/// What a network takes: pictures of this size and kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Columns; a detector takes any multiple of 32.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Order of the colours: "rgb" or "bgr".
    pub colours: String,
    /// Taken away from each value first.
    pub mean: f32,
    /// Each value is multiplied by it then.
    pub scale: f32,
}

/// The converted file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Result {
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

/// From which value on an answer counts; which of them a card has depends on its role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Detector, mesh, liveness: least score of a face.
    pub score: Option<f32>,
    /// Detector: of two faces that overlap more, the better stays.
    pub overlap: Option<f32>,
    /// Embedder: false accepts per comparison of two different people, at rising similarities: the rarest last.
    #[serde(default)]
    pub false_accepts: Vec<FalseAccepts>,
}

/// How often two different people are taken for one.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FalseAccepts {
    /// From this similarity on two faces are one person.
    pub similarity: f32,
    /// Of this many comparisons of different people one is wrong, or fewer.
    pub one_in: u32,
}

/// A measurement.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// On which pictures.
    pub data: String,
    /// What was reached.
    pub reached: String,
}

/// Why a text is no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// It cannot be read.
    #[error("this is no model card")]
    Syntax(#[from] toml::de::Error),
    /// A digest is not 64 hexadecimal digits.
    #[error("`{key}` is no SHA-256: 64 hexadecimal digits in lower case")]
    Digest {
        /// Where.
        key: &'static str,
    },
    /// Something its role needs is not there.
    #[error("a card of role {role} needs `{key}`")]
    Missing {
        /// The card's role.
        role: &'static str,
        /// What is missing.
        key: &'static str,
    },
}

/// Why the cards that were built in cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the card of {name} is wrong")]
pub struct BuiltInError {
    name: &'static str,
    #[source]
    source: CardError,
}

/// Reads the cards that were built in.
///
/// # Errors
///
/// When one of them is none: a mistake of whoever built this.
pub fn built_in() -> std::result::Result<Vec<Card>, BuiltInError> {
    BUILT_IN.into_iter().map(|(name, text)| Card::read(text).map_err(|source| BuiltInError { name, source })).collect()
}

/// By how much a member must be more alike than the next one.
const MARGIN: f32 = 0.05;
/// A similarity that no two faces have.
const NOBODY: f32 = 2.0;
/// A stranger may be taken for somebody of the whole list once in so many comparisons with it.
const STRANGERS: u32 = 100;

impl Card {
    /// The least similarity at which a stranger is taken for anybody of `members` at most once in a hundred comparisons
    /// with all of them; the strictest that was measured, if there is none. Nothing of a card that is no embedder's.
    #[must_use]
    pub fn similarity_for(&self, members: usize) -> Option<f32> {
        let rates = &self.thresholds.false_accepts;
        let enough = rates.iter().find(|rate| u64::from(rate.one_in) >= members as u64 * u64::from(STRANGERS));
        enough.or(rates.last()).map(|rate| rate.similarity)
    }

    /// When a face is a member's of a list of so many: see [`Card::similarity_for`]; in doubt it is nobody.
    #[must_use]
    pub fn matching(&self, members: usize) -> MatchSettings {
        MatchSettings { similarity: self.similarity_for(members).unwrap_or(NOBODY), margin: MARGIN }
    }

    /// When a detector's answer is a face.
    #[must_use]
    pub fn detection(&self) -> yunet::Thresholds {
        let Thresholds { score, overlap, .. } = self.thresholds;
        yunet::Thresholds { score: score.unwrap_or(1.0), overlap: overlap.unwrap_or(0.0) }
    }

    /// How many members the rarest false accept that was measured allows.
    #[must_use]
    pub fn members_at_most(&self) -> usize {
        let rarest = self.thresholds.false_accepts.iter().map(|rate| rate.one_in).max().unwrap_or(0);
        (rarest / STRANGERS) as usize
    }

    /// Reads a card.
    ///
    /// # Errors
    ///
    /// When it is none, or is not complete for its role.
    pub fn read(text: &str) -> std::result::Result<Self, CardError> {
        let card: Self = toml::from_str(text)?;
        for (key, digest) in [("package.sha256", &card.package.sha256), ("result.sha256", &card.result.sha256)] {
            if digest.len() != 64 || !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(CardError::Digest { key });
            }
        }
        let missing = match card.role {
            Role::Detector if card.thresholds.score.is_none() => Some("thresholds.score"),
            Role::Detector if card.thresholds.overlap.is_none() => Some("thresholds.overlap"),
            Role::Embedder if card.thresholds.false_accepts.is_empty() => Some("thresholds.false_accepts"),
            Role::Mesh | Role::Liveness if card.thresholds.score.is_none() => Some("thresholds.score"),
            Role::Detector | Role::Embedder | Role::Mesh | Role::Liveness => None,
        };
        match missing {
            Some(key) => Err(CardError::Missing { role: card.role.name(), key }),
            None => Ok(card),
        }
    }
}
