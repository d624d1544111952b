//! What screens say and what is asked of them, as the cloud reads and writes it.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::payload::{shown, shown_option};
use crate::types::{
    ContentSource, PlayResult, SceneId, ScreenAction, ScreenOverride, ScreenPlay, SessionChange, SessionEnd, Sha256,
    Show, StationSession, Timestamp, Verb,
};

/// Longest address of a manifest, in bytes.
const URL_BYTES: usize = 2048;
/// Longest time that a scene can be asked for, in milliseconds.
const SHOW_MS: u32 = 3_600_000;

/// `screen.play.v1`: a screen has played an item, once. Without duplicates by `play_id`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScreenPlayV1<'a> {
    /// Unique for ever.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    play_id: Uuid,
    /// Where on the screen.
    zone: &'a str,
    /// What.
    item: &'a str,
    /// SHA-256 of the file that was shown, hexadecimal.
    #[serde(serialize_with = "shown_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("pattern" = "^[0-9a-f]{64}$"))]
    sha256: Option<Sha256>,
    /// Revision of the content.
    rev: u64,
    /// When it began.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    t0: Timestamp,
    /// When it was over.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    t1: Timestamp,
    /// How long it was shown, by a clock that does not jump.
    shown_ms: u32,
    /// How it ended.
    #[schemars(extend("enum" = PlayResult::ALL.map(PlayResult::as_str)))]
    result: &'static str,
    /// What part of its planned pictures was painted while it could be seen.
    #[schemars(range(max = 100))]
    visible_percent: u8,
    /// What had it shown, when it was not the playlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<&'a str>,
    /// Whether it was an emergency override.
    r#override: bool,
}

impl<'a> From<&'a ScreenPlay> for ScreenPlayV1<'a> {
    fn from(play: &'a ScreenPlay) -> Self {
        Self {
            play_id: play.play,
            zone: play.zone.as_str(),
            item: play.item.as_str(),
            sha256: play.sha256,
            rev: play.rev,
            t0: play.start,
            t1: play.end,
            shown_ms: play.shown_ms,
            result: play.result.as_str(),
            visible_percent: play.visible_percent,
            trigger: play.trigger.as_ref().map(SceneId::as_str),
            r#override: play.overridden,
        }
    }
}

/// `screen.action.v1`: somebody did something at a screen or a shelf. Nobody is named; `station.session.v1` names whose
/// session it is, if it is a member's.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ScreenActionV1<'a> {
    /// What, in the platform's vocabulary.
    #[schemars(extend("enum" = Verb::ALL.iter().map(|verb| verb.as_str()).collect::<Vec<_>>()))]
    action: &'static str,
    /// When.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    op_time: Timestamp,
    /// Unique for ever: remove duplicates by it.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    outer_biz_id: Uuid,
    /// The item that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    /// The product.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a str>,
    /// The product's trade item number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9]{14}$"))]
    gtin: Option<&'a str>,
    /// The place on the shelf.
    #[serde(skip_serializing_if = "Option::is_none")]
    facing: Option<&'a str>,
    /// Of a shelf's sensor: taken off or put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted: Option<bool>,
    /// The session at the screen: a new one for every shopper, bound to nobody but a member who has shown their code.
    #[serde(serialize_with = "shown_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    session: Option<Uuid>,
}

impl<'a> From<&'a ScreenAction> for ScreenActionV1<'a> {
    fn from(action: &'a ScreenAction) -> Self {
        Self {
            action: action.verb.as_str(),
            op_time: action.op_time,
            outer_biz_id: action.outer_biz_id,
            item: action.item.as_ref().map(SceneId::as_str),
            sku: action.sku.as_ref().map(crate::types::Sku::as_str),
            gtin: action.gtin.as_ref().map(crate::types::Gtin::as_str),
            facing: action.facing.as_ref().map(crate::types::FacingId::as_str),
            lifted: action.lifted,
            session: action.session,
        }
    }
}

/// `station.session.v1`: a member has shown their code at a screen's station, or their session there is over. `subject`
/// is the screen.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StationSessionV1<'a> {
    /// The session, as the actions at the screen name it.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "uuid"))]
    session: Uuid,
    /// What has become of it.
    #[schemars(extend("enum" = ["bound", "ended"]))]
    step: &'static str,
    /// Of a bound one: where.
    #[serde(skip_serializing_if = "Option::is_none")]
    station: Option<&'a str>,
    /// Of a bound one: the member's code, as it was scanned; `*` when the member was forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
    /// Of a bound one: when.
    #[serde(serialize_with = "shown_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    started: Option<Timestamp>,
    /// Of one that is over: when.
    #[serde(serialize_with = "shown_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    ended: Option<Timestamp>,
    /// Of one that is over: how. The first end of a session counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = SessionEnd::ALL.map(SessionEnd::as_str)))]
    how: Option<&'static str>,
}

impl<'a> From<&'a StationSession> for StationSessionV1<'a> {
    fn from(said: &'a StationSession) -> Self {
        let none = Self {
            session: said.session,
            step: "",
            station: None,
            member: None,
            started: None,
            ended: None,
            how: None,
        };
        match &said.change {
            SessionChange::Bound { station, member, started } => {
                let (station, member) = (Some(station.as_str()), Some(member.as_str()));
                Self { step: "bound", station, member, started: Some(*started), ..none }
            }
            SessionChange::Ended { ended, how } => {
                Self { step: "ended", ended: Some(*ended), how: Some(how.as_str()), ..none }
            }
        }
    }
}

/// Arguments of `show`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowArgs {
    /// An item of the content, `product:SKU`, `facing:PLACE`, `verdict:WORD`, or `home`.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    scene: String,
    /// How long, in milliseconds; without it as the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = SHOW_MS))]
    for_ms: Option<u32>,
}

impl From<&Show> for ShowArgs {
    fn from(show: &Show) -> Self {
        Self { scene: show.scene.to_string(), for_ms: show.for_ms }
    }
}

impl ShowArgs {
    pub(super) fn read(self) -> Result<Show, serde_json::Error> {
        let scene = SceneId::new(&self.scene).map_err(|error| wrong(format!("scene {error}")))?;
        match self.for_ms {
            Some(for_ms) if !(1..=SHOW_MS).contains(&for_ms) => Err(wrong(format!("for_ms is not 1 to {SHOW_MS}"))),
            for_ms => Ok(Show { scene, for_ms, session: None }),
        }
    }
}

/// Arguments of `content.put`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContentPutArgs {
    /// The signed manifest, http or https; its files stand beside it in `assets/`.
    #[schemars(length(max = URL_BYTES))]
    url: String,
    /// The manifest's SHA-256, hexadecimal in lower case.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    sha256: String,
}

impl From<&ContentSource> for ContentPutArgs {
    fn from(source: &ContentSource) -> Self {
        Self { url: source.url.clone(), sha256: source.sha256.to_string() }
    }
}

impl ContentPutArgs {
    pub(super) fn read(self) -> Result<ContentSource, serde_json::Error> {
        let is_web = self.url.starts_with("https://") || self.url.starts_with("http://");
        if !is_web || self.url.len() > URL_BYTES {
            return Err(wrong(format!("url is no http or https address of at most {URL_BYTES} bytes")));
        }
        let sha256 = self.sha256.parse::<Sha256>().map_err(|error| wrong(format!("sha256 is {error}")))?;
        Ok(ContentSource { url: self.url, sha256 })
    }
}

/// Arguments of `screen.override`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScreenOverrideArgs {
    /// What is said; without it the override before is called off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = ScreenOverride::TEXT_CHARACTERS))]
    text: String,
    /// When it is over by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    until: Option<String>,
    /// Who says so.
    #[schemars(length(min = 1, max = ScreenOverride::BY_CHARACTERS))]
    by: String,
}

impl From<&ScreenOverride> for ScreenOverrideArgs {
    fn from(said: &ScreenOverride) -> Self {
        Self { text: said.text.clone(), until: said.until.map(|until| until.to_string()), by: said.by.clone() }
    }
}

impl ScreenOverrideArgs {
    pub(super) fn read(self) -> Result<ScreenOverride, serde_json::Error> {
        let until = self.until.as_deref().map(str::parse::<Timestamp>).transpose();
        let until = until.map_err(|error| wrong(format!("until is {error}")))?;
        let said = ScreenOverride { text: self.text, until, by: self.by };
        let help = "text has at most 280 characters, by 1 to 64, none of them a control character";
        if said.is_well_formed() { Ok(said) } else { Err(wrong(help.to_owned())) }
    }
}

fn wrong(what: String) -> serde_json::Error {
    serde_json::Error::custom(what)
}
