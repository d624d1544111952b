//! The stored form of what screens say and of what is asked of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::types::{
    ContentSource, FacingId, Gtin, PlayResult, SceneId, ScreenAction, ScreenOverride, ScreenPlay, SessionChange,
    SessionEnd, Sha256, Show, Sku, StationId, StationSession, Timestamp, Verb, ZoneId,
};

/// Keys: play, zone, item, digest, revision, start, length, shown, result, visible, trigger, override.
#[derive(Serialize, Deserialize)]
pub(super) struct PlayForm {
    p: String,
    z: String,
    i: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<String>,
    v: u64,
    s: i64,
    l: i64,
    m: u32,
    r: String,
    w: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    o: bool,
}

impl From<&ScreenPlay> for PlayForm {
    fn from(play: &ScreenPlay) -> Self {
        Self {
            p: play.play.to_string(),
            z: play.zone.to_string(),
            i: play.item.to_string(),
            h: play.sha256.map(|sha256| sha256.to_string()),
            v: play.rev,
            s: play.start.unix_ms(),
            l: play.end.unix_ms().wrapping_sub(play.start.unix_ms()),
            m: play.shown_ms,
            r: play.result.as_str().to_owned(),
            w: play.visible_percent,
            t: play.trigger.as_ref().map(ToString::to_string),
            o: play.overridden,
        }
    }
}

impl PlayForm {
    pub(super) fn read(self) -> Option<ScreenPlay> {
        Some(ScreenPlay {
            play: Uuid::parse_str(&self.p).ok()?,
            zone: ZoneId::new(&self.z).ok()?,
            item: SceneId::new(&self.i).ok()?,
            sha256: self.h.map(|sha256| sha256.parse::<Sha256>()).transpose().ok()?,
            rev: self.v,
            start: Timestamp::from_unix_ms(self.s),
            end: Timestamp::from_unix_ms(self.s.wrapping_add(self.l)),
            shown_ms: self.m,
            result: PlayResult::parse(&self.r)?,
            visible_percent: self.w,
            trigger: self.t.map(|trigger| SceneId::new(&trigger)).transpose().ok()?,
            overridden: self.o,
        })
    }
}

/// Keys: verb, time, id, item, sku, gtin, facing, lifted, session.
#[derive(Serialize, Deserialize)]
pub(super) struct ActionForm {
    a: String,
    t: i64,
    u: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
}

impl From<&ScreenAction> for ActionForm {
    fn from(action: &ScreenAction) -> Self {
        Self {
            a: action.verb.as_str().to_owned(),
            t: action.op_time.unix_ms(),
            u: action.outer_biz_id.to_string(),
            i: action.item.as_ref().map(ToString::to_string),
            k: action.sku.as_ref().map(ToString::to_string),
            g: action.gtin.as_ref().map(|gtin| gtin.as_str().to_owned()),
            f: action.facing.as_ref().map(ToString::to_string),
            l: action.lifted,
            s: action.session.map(|session| session.to_string()),
        }
    }
}

impl ActionForm {
    pub(super) fn read(self) -> Option<ScreenAction> {
        Some(ScreenAction {
            verb: Verb::parse(&self.a)?,
            op_time: Timestamp::from_unix_ms(self.t),
            outer_biz_id: Uuid::parse_str(&self.u).ok()?,
            item: self.i.map(|item| SceneId::new(&item)).transpose().ok()?,
            sku: self.k.map(|sku| Sku::new(&sku)).transpose().ok()?,
            gtin: match self.g {
                Some(digits) => Some(Gtin::from_digits(&digits)?),
                None => None,
            },
            facing: self.f.map(|facing| FacingId::new(&facing)).transpose().ok()?,
            lifted: self.l,
            session: self.s.map(|session| Uuid::parse_str(&session)).transpose().ok()?,
        })
    }
}

/// Keys: session, time, then of its beginning station and member, of its end how.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionForm {
    s: String,
    t: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<String>,
}

impl From<&StationSession> for SessionForm {
    fn from(said: &StationSession) -> Self {
        let s = said.session.to_string();
        match &said.change {
            SessionChange::Bound { station, member, started } => {
                Self { s, t: started.unix_ms(), b: Some(station.to_string()), m: Some(member.clone()), h: None }
            }
            SessionChange::Ended { ended, how } => {
                Self { s, t: ended.unix_ms(), b: None, m: None, h: Some(how.as_str().to_owned()) }
            }
        }
    }
}

impl SessionForm {
    pub(super) fn read(self) -> Option<StationSession> {
        let at = Timestamp::from_unix_ms(self.t);
        let change = match self.h {
            Some(how) => SessionChange::Ended { ended: at, how: SessionEnd::parse(&how)? },
            None => SessionChange::Bound { station: StationId::new(&self.b?).ok()?, member: self.m?, started: at },
        };
        Some(StationSession { session: Uuid::parse_str(&self.s).ok()?, change })
    }
}

/// Arguments of showing.
#[derive(Serialize, Deserialize)]
pub(super) struct ShowForm {
    scene: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

impl From<&Show> for ShowForm {
    fn from(show: &Show) -> Self {
        let session = show.session.map(|session| session.to_string());
        Self { scene: show.scene.to_string(), for_ms: show.for_ms, session }
    }
}

impl ShowForm {
    pub(super) fn read(self) -> Option<Show> {
        let session = self.session.map(|session| Uuid::parse_str(&session)).transpose().ok()?;
        Some(Show { scene: SceneId::new(&self.scene).ok()?, for_ms: self.for_ms, session })
    }
}

/// Arguments of new content.
#[derive(Serialize, Deserialize)]
pub(super) struct ContentForm {
    url: String,
    sha256: String,
}

impl From<&ContentSource> for ContentForm {
    fn from(source: &ContentSource) -> Self {
        Self { url: source.url.clone(), sha256: source.sha256.to_string() }
    }
}

impl ContentForm {
    pub(super) fn read(self) -> Option<ContentSource> {
        Some(ContentSource { url: self.url, sha256: self.sha256.parse().ok()? })
    }
}

/// Arguments of an override.
#[derive(Serialize, Deserialize)]
pub(super) struct OverrideForm {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    by: String,
}

impl From<&ScreenOverride> for OverrideForm {
    fn from(said: &ScreenOverride) -> Self {
        Self { text: said.text.clone(), until: said.until.map(Timestamp::unix_ms), by: said.by.clone() }
    }
}

impl OverrideForm {
    pub(super) fn read(self) -> ScreenOverride {
        ScreenOverride { text: self.text, until: self.until.map(Timestamp::from_unix_ms), by: self.by }
    }
}
