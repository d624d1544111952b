//! What pages post. Everything is bounded, and an entry that cannot be is refused with its place, so that a page that
//! is wrong is seen, not half believed.

use serde::Deserialize;
use uuid::Uuid;

use super::limits;
use crate::types::{
    FacingId, Gtin, PlayResult, SceneId, ScreenAction, ScreenPlay, SessionChange, SessionEnd, Sku, StationSession,
    Timestamp, Verb, ZoneId,
};

/// Why a message of a page was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misread(String);

fn wrong(words: impl Into<String>) -> Misread {
    Misread(words.into())
}

/// A sign of life, sent after a picture was painted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// This page since it was loaded.
    #[serde(rename = "page_id")]
    pub page: String,
    /// Revision of the content that it shows.
    pub rev: u64,
    /// What the first zone shows; `None`: nothing is on.
    #[serde(default)]
    pub item: Option<String>,
    /// Pictures painted since it was loaded.
    pub frames: u64,
    /// Pictures that came too late.
    #[serde(default)]
    pub dropped: u64,
    /// How long ago the last was painted.
    pub last_paint_ms: u32,
    /// Whether the browser says that it can be seen.
    #[serde(default = "yes")]
    pub visible: bool,
    /// Bytes that its scripts hold, where the browser says so.
    #[serde(default)]
    pub heap: Option<u64>,
    /// State of the film that is on, if one is.
    #[serde(default)]
    pub video_state: Option<String>,
    /// How far its clock is ahead of ours.
    #[serde(default)]
    pub clock_skew_ms: i64,
    /// Plays that it has not got rid of.
    #[serde(default)]
    pub waiting: u32,
}

const fn yes() -> bool {
    true
}

/// What became of something that a page was asked to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The number it was asked under.
    pub show: u64,
    /// Why it is not shown; `None`: it is painted.
    #[serde(default)]
    pub refused: Option<String>,
}

fn bounded<'a, T: Deserialize<'a>>(body: &'a [u8], most: usize) -> Result<T, Misread> {
    if body.len() > most {
        return Err(wrong(format!("{} bytes, at most {most}", body.len())));
    }
    serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))
}

/// Reads a heartbeat.
///
/// # Errors
///
/// When it is none.
pub fn read_beat(body: &[u8]) -> Result<Beat, Misread> {
    bounded(body, limits::BEAT_BYTES)
}

/// Reads what became of something that was to be shown.
///
/// # Errors
///
/// When it is none.
pub fn read_shown(body: &[u8]) -> Result<Shown, Misread> {
    bounded(body, limits::BEAT_BYTES)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plays {
    plays: Vec<RawPlay>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlay {
    play_id: String,
    zone: String,
    item: String,
    #[serde(default)]
    sha256: Option<String>,
    rev: u64,
    t0: i64,
    t1: i64,
    mono_ms: u32,
    result: String,
    visible_ratio: f64,
    #[serde(default)]
    trigger_id: Option<String>,
    #[serde(default)]
    r#override: bool,
}

/// Reads plays; `now` is the gateway's time.
///
/// # Errors
///
/// When one of them cannot be: then none counts.
pub fn read_plays(body: &[u8], now: Timestamp) -> Result<Vec<ScreenPlay>, Misread> {
    let Plays { plays } = bounded(body, limits::POST_BYTES)?;
    if plays.len() > limits::POST_ENTRIES {
        return Err(wrong(format!("{} plays, at most {}", plays.len(), limits::POST_ENTRIES)));
    }
    let numbered = plays.into_iter().enumerate();
    numbered.map(|(at, play)| play.read(now).map_err(|Misread(why)| wrong(format!("play {at}: {why}")))).collect()
}

impl RawPlay {
    fn read(self, now: Timestamp) -> Result<ScreenPlay, Misread> {
        let named = |what: &str, error: &dyn std::fmt::Display| wrong(format!("{what} {error}"));
        let play = Uuid::parse_str(&self.play_id).map_err(|error| named("play_id", &error))?;
        let result = PlayResult::parse(&self.result).ok_or_else(|| wrong("result is complete, cut or error"))?;
        if !(0.0..=1.0).contains(&self.visible_ratio) {
            return Err(wrong("visible_ratio is not 0 to 1"));
        }
        if self.t1 < self.t0 || self.t1.saturating_sub(self.t0) > 2 * i64::from(limits::LONGEST_MS) {
            return Err(wrong("t1 is before t0, or hours after it"));
        }
        if self.t0 < 0 || self.t1 > now.plus(limits::AHEAD_OF_NOW).unix_ms() {
            return Err(wrong("it lies in the future, or before 1970"));
        }
        let zone = ZoneId::new(&self.zone).map_err(|error| named("zone", &error))?;
        let item = SceneId::new(&self.item).map_err(|error| named("item", &error))?;
        let sha256 = self.sha256.map(|text| text.parse()).transpose().map_err(|error| named("sha256", &error))?;
        let trigger = self.trigger_id.map(|trigger| SceneId::new(&trigger)).transpose();
        let trigger = trigger.map_err(|error| named("trigger_id", &error))?;
        let mut play = ScreenPlay {
            play,
            zone,
            item,
            sha256,
            rev: self.rev,
            start: Timestamp::from_unix_ms(self.t0),
            end: Timestamp::from_unix_ms(self.t1),
            shown_ms: self.mono_ms,
            result,
            visible_percent: percent(self.visible_ratio),
            trigger,
            overridden: self.r#override,
        };
        play.result = judged(&play);
        Ok(play)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1 was checked")]
fn percent(ratio: f64) -> u8 {
    (ratio * 100.0).floor() as u8
}

/// What a page calls complete counts only if it was painted, and for as long as it says.
fn judged(play: &ScreenPlay) -> PlayResult {
    let share = u64::from(limits::SHOWN_PERCENT);
    let planned_ms = u64::try_from(play.end.since(play.start).as_millis()).unwrap_or(u64::MAX);
    let was_there = play.visible_percent >= limits::SHOWN_PERCENT
        && u64::from(play.shown_ms).saturating_mul(100) >= planned_ms.saturating_mul(share);
    if play.result == PlayResult::Complete && !was_there { PlayResult::Cut } else { play.result }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Actions {
    actions: Vec<RawAction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    action: String,
    op_time: i64,
    outer_biz_id: String,
    #[serde(default)]
    item: Option<String>,
    #[serde(default)]
    sku: Option<String>,
    #[serde(default)]
    gtin: Option<String>,
    #[serde(default)]
    facing: Option<String>,
    #[serde(default)]
    session: Option<String>,
}

/// Reads actions; `now` is the gateway's time.
///
/// # Errors
///
/// When one of them cannot be: then none counts.
pub fn read_actions(body: &[u8], now: Timestamp) -> Result<Vec<ScreenAction>, Misread> {
    let Actions { actions } = bounded(body, limits::POST_BYTES)?;
    if actions.len() > limits::POST_ENTRIES {
        return Err(wrong(format!("{} actions, at most {}", actions.len(), limits::POST_ENTRIES)));
    }
    let numbered = actions.into_iter().enumerate();
    numbered.map(|(at, one)| one.read(now).map_err(|Misread(why)| wrong(format!("action {at}: {why}")))).collect()
}

impl RawAction {
    fn read(self, now: Timestamp) -> Result<ScreenAction, Misread> {
        let verb = Verb::parse(&self.action).ok_or_else(|| wrong(format!("there is no action {:?}", self.action)))?;
        if self.op_time < 0 || self.op_time > now.plus(limits::AHEAD_OF_NOW).unix_ms() {
            return Err(wrong("op_time lies in the future, or before 1970"));
        }
        let id = |text: &str| Uuid::parse_str(text).map_err(|error| wrong(format!("outer_biz_id or session {error}")));
        fn name<T, E: std::fmt::Display>(
            text: Option<String>,
            of: fn(&str) -> Result<T, E>,
        ) -> Result<Option<T>, Misread> {
            text.map(|text| of(&text)).transpose().map_err(|error| wrong(error.to_string()))
        }
        let gtin = match self.gtin {
            Some(digits) => Some(Gtin::from_digits(&digits).ok_or_else(|| wrong("gtin is none"))?),
            None => None,
        };
        Ok(ScreenAction {
            verb,
            op_time: Timestamp::from_unix_ms(self.op_time),
            outer_biz_id: id(&self.outer_biz_id)?,
            item: name(self.item, SceneId::new)?,
            sku: name(self.sku, Sku::new)?,
            gtin,
            facing: name(self.facing, FacingId::new)?,
            lifted: None,
            session: self.session.as_deref().map(id).transpose()?,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    sessions: Vec<RawEnd>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnd {
    session: String,
    ended: i64,
    how: String,
}

/// Reads ends of members' sessions; `now` is the gateway's time. That another member came is for the gateway to say.
///
/// # Errors
///
/// When one of them cannot be: then none counts.
pub fn read_sessions(body: &[u8], now: Timestamp) -> Result<Vec<StationSession>, Misread> {
    let Sessions { sessions } = bounded(body, limits::POST_BYTES)?;
    if sessions.len() > limits::POST_ENTRIES {
        return Err(wrong(format!("{} sessions, at most {}", sessions.len(), limits::POST_ENTRIES)));
    }
    let numbered = sessions.into_iter().enumerate();
    numbered.map(|(at, one)| one.read(now).map_err(|Misread(why)| wrong(format!("session {at}: {why}")))).collect()
}

impl RawEnd {
    fn read(self, now: Timestamp) -> Result<StationSession, Misread> {
        let session = Uuid::parse_str(&self.session).map_err(|error| wrong(format!("session {error}")))?;
        if self.ended < 0 || self.ended > now.plus(limits::AHEAD_OF_NOW).unix_ms() {
            return Err(wrong("ended lies in the future, or before 1970"));
        }
        let how = SessionEnd::parse(&self.how).filter(|how| *how != SessionEnd::OtherMember);
        let how = how.ok_or_else(|| wrong("how is idle or closed"))?;
        let change = SessionChange::Ended { ended: Timestamp::from_unix_ms(self.ended), how };
        Ok(StationSession { session, change })
    }
}
