//! What a camera says: visits and counts without a face in them, and members only with their consent.

use super::{ConsentId, MemberKey, StationId, Tenths, Timestamp, ZoneId};

/// How far from the camera somebody mostly was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DistanceBand {
    /// Within reach.
    Near,
    /// A few steps away.
    Middle,
    /// Further.
    Far,
}

impl DistanceBand {
    /// Every band.
    pub const ALL: [Self; 3] = [Self::Near, Self::Middle, Self::Far];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Middle => "middle",
            Self::Far => "far",
        }
    }

    /// The band the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|band| band.as_str() == word)
    }
}

/// Somebody was before a camera and has gone. Nobody can be found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceVisit {
    /// First seen.
    pub start: Timestamp,
    /// Last seen.
    pub end: Timestamp,
    /// What part of that time the face looked into the camera, 0 to 100.
    pub attention_percent: u8,
    /// How far away they mostly were.
    pub distance: DistanceBand,
    /// The zone in which they mostly were; `None`: in none.
    pub zone: Option<ZoneId>,
    /// How often they crossed the line inwards.
    pub crossed_in: u32,
    /// And outwards.
    pub crossed_out: u32,
}

/// A camera's counts of one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceWindow {
    /// Its start: a multiple of its length since 1970-01-01T00:00:00Z.
    pub start: Timestamp,
    /// Its end, which is no part of it.
    pub end: Timestamp,
    /// Visits that ended in it.
    pub visits: u32,
    /// People in view, on the average.
    pub present: Tenths,
    /// People in view, at most at one time.
    pub present_most: u32,
    /// Crossings of the line inwards.
    pub crossed_in: u32,
    /// And outwards.
    pub crossed_out: u32,
    /// Pictures that were looked at.
    pub frames: u64,
    /// Pictures that came and were not looked at because a newer one had come.
    pub dropped: u64,
    /// Pictures that could not be read.
    pub rejected: u64,
    /// Whether the camera delivered pictures from start to end.
    pub complete: bool,
}

/// How alike a face and a member's template are. The number itself is close to being biometric data and stays here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimilarityBand {
    /// Above the threshold of the model card.
    Likely,
    /// Far above it.
    Sure,
}

impl SimilarityBand {
    /// Every band.
    pub const ALL: [Self; 2] = [Self::Likely, Self::Sure];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Likely => "likely",
            Self::Sure => "sure",
        }
    }

    /// The band the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|band| band.as_str() == word)
    }
}

/// A member who consented is before a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceMember {
    /// Who; `None`: they have asked to be forgotten since.
    pub member: Option<MemberKey>,
    /// By which consent; `None`: see `member`.
    pub consent: Option<ConsentId>,
    /// How alike.
    pub similarity: SimilarityBand,
    /// The station that the camera belongs to.
    pub station: Option<StationId>,
}

/// A member's consent to be recognised, and what to know them by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Who.
    pub member: MemberKey,
    /// The consent, as the cloud keeps it.
    pub consent: ConsentId,
    /// What they consented to, 1 to 128 characters.
    pub purpose: String,
    /// When it ends.
    pub expires: Timestamp,
    /// What they are to be known by.
    pub likeness: Likeness,
}

/// What a member is to be known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Likeness {
    /// A picture that is fetched.
    Image(ImageSource),
    /// What this station's camera sees of them when they have scanned their code there.
    Station(StationId),
}

/// Where a picture is, and which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSource {
    /// An address that begins with `https://` or `http://`, at most 2,048 characters.
    pub url: String,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_survive_their_words() {
        assert!(DistanceBand::ALL.iter().all(|band| DistanceBand::parse(band.as_str()) == Some(*band)));
        assert!(SimilarityBand::ALL.iter().all(|band| SimilarityBand::parse(band.as_str()) == Some(*band)));
        assert_eq!((DistanceBand::parse("nearby"), SimilarityBand::parse("")), (None, None));
    }
}
