//! The stored form of what cameras say and of what is asked about members.

use serde::{Deserialize, Serialize};

use crate::types::{
    ConsentId, DistanceBand, Enrolment, FaceMember, FaceVisit, FaceWindow, ImageSource, Likeness, MemberKey,
    SimilarityBand, StationId, Tenths, Timestamp, ZoneId,
};

/// Keys: start, length, attention in percent, distance, zone, crossings in and out.
#[derive(Serialize, Deserialize)]
pub(super) struct VisitForm {
    s: i64,
    l: i64,
    a: u8,
    d: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<String>,
    x: [u32; 2],
}

impl From<&FaceVisit> for VisitForm {
    fn from(visit: &FaceVisit) -> Self {
        Self {
            s: visit.start.unix_ms(),
            l: visit.end.unix_ms().wrapping_sub(visit.start.unix_ms()),
            a: visit.attention_percent,
            d: visit.distance.as_str().to_owned(),
            z: visit.zone.as_ref().map(ToString::to_string),
            x: [visit.crossed_in, visit.crossed_out],
        }
    }
}

impl VisitForm {
    pub(super) fn read(self) -> Option<FaceVisit> {
        let [crossed_in, crossed_out] = self.x;
        Some(FaceVisit {
            start: Timestamp::from_unix_ms(self.s),
            end: Timestamp::from_unix_ms(self.s.wrapping_add(self.l)),
            attention_percent: self.a,
            distance: DistanceBand::parse(&self.d)?,
            zone: self.z.map(|zone| ZoneId::new(&zone)).transpose().ok()?,
            crossed_in,
            crossed_out,
        })
    }
}

/// Keys: start, length, visits, present (in tenths), present at most, crossings in and out, pictures (looked at,
/// dropped, rejected), complete.
#[derive(Serialize, Deserialize)]
pub(super) struct WindowForm {
    s: i64,
    l: i64,
    v: u32,
    p: [u32; 2],
    x: [u32; 2],
    f: [u64; 3],
    w: bool,
}

impl From<&FaceWindow> for WindowForm {
    fn from(window: &FaceWindow) -> Self {
        Self {
            s: window.start.unix_ms(),
            l: window.end.unix_ms().wrapping_sub(window.start.unix_ms()),
            v: window.visits,
            p: [window.present.0, window.present_most],
            x: [window.crossed_in, window.crossed_out],
            f: [window.frames, window.dropped, window.rejected],
            w: window.complete,
        }
    }
}

impl WindowForm {
    pub(super) fn read(self) -> FaceWindow {
        let ([present, present_most], [crossed_in, crossed_out]) = (self.p, self.x);
        let [frames, dropped, rejected] = self.f;
        FaceWindow {
            start: Timestamp::from_unix_ms(self.s),
            end: Timestamp::from_unix_ms(self.s.wrapping_add(self.l)),
            visits: self.v,
            present: Tenths(present),
            present_most,
            crossed_in,
            crossed_out,
            frames,
            dropped,
            rejected,
            complete: self.w,
        }
    }
}

/// Keys: member, consent, similarity, station.
#[derive(Serialize, Deserialize)]
pub(super) struct MemberForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<String>,
    b: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<String>,
}

impl From<&FaceMember> for MemberForm {
    fn from(seen: &FaceMember) -> Self {
        Self {
            m: seen.member.as_ref().map(ToString::to_string),
            c: seen.consent.as_ref().map(ToString::to_string),
            b: seen.similarity.as_str().to_owned(),
            t: seen.station.as_ref().map(ToString::to_string),
        }
    }
}

impl MemberForm {
    pub(super) fn read(self) -> Option<FaceMember> {
        Some(FaceMember {
            member: self.m.map(|member| MemberKey::new(&member)).transpose().ok()?,
            consent: self.c.map(|consent| ConsentId::new(&consent)).transpose().ok()?,
            similarity: SimilarityBand::parse(&self.b)?,
            station: self.t.map(|station| StationId::new(&station)).transpose().ok()?,
        })
    }
}

/// Arguments of an enrolment.
#[derive(Serialize, Deserialize)]
pub(super) struct EnrolForm {
    member: String,
    consent: String,
    purpose: String,
    expires: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<[u8; 32]>,
    /// In the place of the two before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    station: Option<String>,
}

impl From<&Enrolment> for EnrolForm {
    fn from(enrolment: &Enrolment) -> Self {
        let (image, station) = match &enrolment.likeness {
            Likeness::Image(image) => (Some(image), None),
            Likeness::Station(station) => (None, Some(station.as_str().to_owned())),
        };
        Self {
            member: enrolment.member.to_string(),
            consent: enrolment.consent.to_string(),
            purpose: enrolment.purpose.clone(),
            expires: enrolment.expires.unix_ms(),
            url: image.map(|image| image.url.clone()),
            sha256: image.map(|image| image.sha256),
            station,
        }
    }
}

impl EnrolForm {
    pub(super) fn read(self) -> Option<Enrolment> {
        let likeness = match (self.url, self.sha256, self.station) {
            (Some(url), Some(sha256), None) => Likeness::Image(ImageSource { url, sha256 }),
            (None, None, Some(station)) => Likeness::Station(StationId::new(&station).ok()?),
            _ => return None,
        };
        Some(Enrolment {
            member: MemberKey::new(&self.member).ok()?,
            consent: ConsentId::new(&self.consent).ok()?,
            purpose: self.purpose,
            expires: Timestamp::from_unix_ms(self.expires),
            likeness,
        })
    }
}

/// Arguments of forgetting.
#[derive(Serialize, Deserialize)]
pub(super) struct ForgetForm {
    pub(super) member: String,
}
