//! What cameras say and what is asked about members, as the cloud reads and writes it.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use super::payload::{number, shown};
use crate::types::{
    ConsentId, DistanceBand, Enrolment, FaceMember, FaceVisit, FaceWindow, ImageSource, Likeness, MemberKey,
    SimilarityBand, StationId, Tenths, Timestamp,
};

/// Longest purpose of a consent, in characters.
const PURPOSE_CHARACTERS: usize = 128;
/// Longest address of a picture, in bytes.
const URL_BYTES: usize = 2048;

/// `face.visit.v1`: somebody was before a camera and has gone. No picture, no likeness, no name.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FaceVisitV1<'a> {
    /// First seen.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    start: Timestamp,
    /// Last seen.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    end: Timestamp,
    /// From `start` to `end`.
    dwell_ms: u64,
    /// What part of that time the face looked into the camera.
    #[schemars(range(max = 100))]
    attention_percent: u8,
    /// How far away they mostly were.
    #[schemars(extend("enum" = DistanceBand::ALL.map(DistanceBand::as_str)))]
    distance: &'static str,
    /// The zone in which they mostly were; `null`: in none.
    #[schemars(required, extend("type" = ["string", "null"]))]
    zone: Option<&'a str>,
    /// How often they crossed the line inwards.
    crossed_in: u32,
    /// And outwards.
    crossed_out: u32,
}

impl<'a> From<&'a FaceVisit> for FaceVisitV1<'a> {
    fn from(visit: &'a FaceVisit) -> Self {
        let FaceVisit { start, end, attention_percent, distance, zone, crossed_in, crossed_out } = visit;
        Self {
            start: *start,
            end: *end,
            dwell_ms: u64::try_from(end.since(*start).as_millis()).unwrap_or(u64::MAX),
            attention_percent: *attention_percent,
            distance: distance.as_str(),
            zone: zone.as_ref().map(crate::types::ZoneId::as_str),
            crossed_in: *crossed_in,
            crossed_out: *crossed_out,
        }
    }
}

/// `face.window.v1`: what one camera counted in one window.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FaceWindowV1 {
    /// Start of the window: a multiple of its length since 1970-01-01T00:00:00Z.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    start: Timestamp,
    /// Its end, which is no part of it.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    end: Timestamp,
    /// Visits that ended in it.
    visits: u32,
    /// People in view, on the average.
    #[serde(serialize_with = "number")]
    #[schemars(with = "f64", range(min = 0))]
    present: Tenths,
    /// People in view, at most at one time.
    present_most: u32,
    /// Crossings of the line inwards.
    crossed_in: u32,
    /// And outwards.
    crossed_out: u32,
    /// Pictures that were looked at.
    frames: u64,
    /// Pictures that were not looked at because a newer one had come.
    dropped: u64,
    /// Pictures that could not be read.
    rejected: u64,
    /// Whether the camera delivered pictures from start to end.
    complete: bool,
}

impl From<&FaceWindow> for FaceWindowV1 {
    fn from(window: &FaceWindow) -> Self {
        let FaceWindow { start, end, visits, present, present_most, crossed_in, crossed_out, .. } = *window;
        let FaceWindow { frames, dropped, rejected, complete, .. } = *window;
        Self { start, end, visits, present, present_most, crossed_in, crossed_out, frames, dropped, rejected, complete }
    }
}

/// `face.member.v1`: a member who consented is before a camera.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FaceMemberV1<'a> {
    /// Who; `null`: they were forgotten before this was sent.
    #[schemars(required, extend("type" = ["string", "null"]))]
    member: Option<&'a str>,
    /// By which consent; `null`: see `member`.
    #[schemars(required, extend("type" = ["string", "null"]))]
    consent: Option<&'a str>,
    /// How alike. The number itself does not leave the box.
    #[schemars(extend("enum" = SimilarityBand::ALL.map(SimilarityBand::as_str)))]
    similarity: &'static str,
    /// The station that the camera belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    station: Option<&'a str>,
}

impl<'a> From<&'a FaceMember> for FaceMemberV1<'a> {
    fn from(seen: &'a FaceMember) -> Self {
        let FaceMember { member, consent, similarity, station } = seen;
        Self {
            member: member.as_ref().map(MemberKey::as_str),
            consent: consent.as_ref().map(ConsentId::as_str),
            similarity: similarity.as_str(),
            station: station.as_ref().map(StationId::as_str),
        }
    }
}

/// Arguments of `member.enrol`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberEnrolArgs {
    /// Who; a member who is enrolled already gets this consent and this picture in place of those before.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    member: String,
    /// The consent, as the cloud keeps it.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    consent: String,
    /// What the member consented to.
    #[schemars(length(min = 1, max = PURPOSE_CHARACTERS))]
    purpose: String,
    /// When the consent ends; the template is erased then, with or without the cloud.
    #[schemars(extend("format" = "date-time"))]
    expires: String,
    /// The member's picture: one face, fetched once, never stored. Either this or `station`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<ImageV1>,
    /// The station whose camera looks at the member when they have scanned their member code there, until `not_after`;
    /// nothing of what it sees is stored but the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    station: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImageV1 {
    /// Where it is (`https://`, `http://`).
    #[schemars(extend("pattern" = "^https?://"), length(max = URL_BYTES))]
    url: String,
    /// SHA-256 of the file, hexadecimal.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    sha256: String,
}

/// Arguments of `member.forget`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberForgetArgs {
    /// Who.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    member: String,
}

fn wrong(words: impl std::fmt::Display) -> serde_json::Error {
    serde_json::Error::custom(words)
}

impl From<&Enrolment> for MemberEnrolArgs {
    fn from(enrolment: &Enrolment) -> Self {
        let Enrolment { member, consent, purpose, expires, likeness } = enrolment;
        let (image, station) = match likeness {
            Likeness::Image(image) => (Some(image.into()), None),
            Likeness::Station(station) => (None, Some(station.to_string())),
        };
        Self {
            member: member.to_string(),
            consent: consent.to_string(),
            purpose: purpose.clone(),
            expires: expires.to_string(),
            image,
            station,
        }
    }
}

impl From<&ImageSource> for ImageV1 {
    fn from(image: &ImageSource) -> Self {
        let sha256 = image.sha256.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self { url: image.url.clone(), sha256 }
    }
}

impl ImageV1 {
    fn read(self) -> Result<ImageSource, serde_json::Error> {
        let Self { url, sha256 } = self;
        if url.len() > URL_BYTES || !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(wrong("image.url is no http address; a picture inside the command is refused"));
        }
        let sha256 = digest(&sha256).ok_or_else(|| wrong("image.sha256 is not 64 hexadecimal digits in lower case"))?;
        Ok(ImageSource { url, sha256 })
    }
}

impl MemberEnrolArgs {
    pub(super) fn read(self) -> Result<Enrolment, serde_json::Error> {
        let Self { member, consent, purpose, expires, image, station } = self;
        if !(1..=PURPOSE_CHARACTERS).contains(&purpose.chars().count()) {
            return Err(wrong(format!("purpose has not 1 to {PURPOSE_CHARACTERS} characters")));
        }
        let likeness = match (image, station) {
            (Some(image), None) => Likeness::Image(image.read()?),
            (None, Some(station)) => {
                Likeness::Station(StationId::new(&station).map_err(|error| wrong(format!("station {error}")))?)
            }
            _ => return Err(wrong("either image or station is needed, and not both")),
        };
        Ok(Enrolment {
            member: member_key(&member)?,
            consent: ConsentId::new(&consent).map_err(|error| wrong(format!("consent {error}")))?,
            purpose,
            expires: expires.parse().map_err(wrong)?,
            likeness,
        })
    }
}

impl MemberForgetArgs {
    pub(super) fn of(member: &MemberKey) -> Self {
        Self { member: member.to_string() }
    }

    pub(super) fn read(self) -> Result<MemberKey, serde_json::Error> {
        member_key(&self.member)
    }
}

fn member_key(text: &str) -> Result<MemberKey, serde_json::Error> {
    MemberKey::new(text).map_err(|error| wrong(format!("member {error}")))
}

fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
