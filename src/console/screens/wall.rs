//! `GET /api/v1/screens`: what every screen last said of itself, for the console's wall.
//!
//! A heartbeat comes after a painted picture; what is older than its screen's driver allows is told by the driver's
//! conditions, not here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Screens;
use crate::content::Active;
use crate::types::{DeviceId, Timestamp};
use crate::wire::screen::{Beat, read_beat};

/// The last heartbeats, by screen. Cheap to clone. As many as there are screens with a driver.
#[derive(Debug, Clone, Default)]
pub struct Wall(Arc<Mutex<BTreeMap<String, Heard>>>);

#[derive(Debug, Clone)]
struct Heard {
    at: Timestamp,
    beat: Beat,
    /// Pictures a second since the heartbeat before, of the same page.
    fps: Option<f64>,
}

/// A screen on the wall.
#[derive(Debug, Serialize)]
pub(super) struct Screen {
    id: String,
    page: &'static str,
    /// `ok`: a page is connected, can be seen and shows something of the content in force. Else `dark`, `hidden`,
    /// `empty` or `old`.
    state: &'static str,
    last_seen: Option<String>,
    /// How many pages listen.
    pages: usize,
    item: Option<String>,
    /// A picture of what is on: a path of this gateway.
    thumbnail: Option<String>,
    rev: Option<u64>,
    /// Revision of the content in force.
    wanted_rev: u64,
    fps: Option<f64>,
    dropped: Option<u64>,
    clock_skew_ms: Option<i64>,
    /// Plays that it has not got rid of.
    waiting: Option<u32>,
}

impl Wall {
    /// Notes a heartbeat that a driver has taken.
    pub(super) fn note(&self, screen: &str, body: &[u8], at: Timestamp) {
        let Ok(beat) = read_beat(body) else { return };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = heard.get(screen).filter(|before| before.beat.page == beat.page);
        let fps = before.and_then(|before| {
            let seconds = at.since(before.at).as_secs_f64();
            let painted = u32::try_from(beat.frames.saturating_sub(before.beat.frames)).ok()?;
            (seconds > 0.5).then(|| (f64::from(painted) / seconds * 10.0).round() / 10.0)
        });
        heard.insert(screen.to_owned(), Heard { at, beat, fps });
    }

    fn of(&self, screens: &[DeviceId]) -> BTreeMap<String, Heard> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|screen, _| screens.iter().any(|id| id.as_str() == screen));
        heard.clone()
    }
}

/// The picture of an item, where it has one.
fn picture(active: &Active, item: &str) -> Option<String> {
    let manifest = active.manifest.as_ref()?;
    let asset = manifest.items.get(item)?.asset.as_ref()?;
    let is_picture = manifest.assets.get(asset).is_some_and(|asset| asset.r#type.starts_with("image/"));
    is_picture.then(|| format!("/cas/{asset}"))
}

pub(super) async fn wall(State(screens): State<Screens>) -> Json<Vec<Screen>> {
    let seats = screens.seats.list();
    let ids: Vec<_> = seats.iter().map(|(id, _)| id.clone()).collect();
    let (heard, active) = (screens.wall.of(&ids), screens.content.active());
    let list = seats.into_iter().map(|(id, seat)| {
        let heard = heard.get(id.as_str());
        let beat = heard.map(|heard| &heard.beat);
        let is_well = beat.is_some_and(|beat| beat.visible && beat.item.is_some() && beat.rev == active.rev())
            && seat.pages() > 0;
        let state = match (beat, seat.pages()) {
            (_, 0) => "dark",
            (Some(_), _) if is_well => "ok",
            (Some(beat), _) if !beat.visible => "hidden",
            (Some(beat), _) if beat.item.is_none() => "empty",
            _ => "old",
        };
        Screen {
            page: seat.facts.page.as_str(),
            state,
            last_seen: heard.map(|heard| heard.at.to_string()),
            pages: seat.pages(),
            thumbnail: beat.and_then(|beat| picture(&active, beat.item.as_deref()?)),
            item: beat.and_then(|beat| beat.item.clone()),
            rev: beat.map(|beat| beat.rev),
            wanted_rev: active.rev(),
            fps: heard.and_then(|heard| heard.fps),
            dropped: beat.map(|beat| beat.dropped),
            clock_skew_ms: beat.map(|beat| beat.clock_skew_ms),
            waiting: beat.map(|beat| beat.waiting),
            id: id.to_string(),
        }
    });
    Json(list.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_a_second_are_those_between_two_heartbeats_of_one_page() {
        let wall = Wall::default();
        let beat = |page: &str, frames: u64| {
            format!("{{\"page_id\":\"{page}\",\"rev\":3,\"item\":\"spring\",\"frames\":{frames},\"last_paint_ms\":5}}")
        };
        let at = |seconds: i64| Timestamp::from_unix_ms(1_763_776_800_000 + seconds * 1000);
        let fps = || wall.of(&[DeviceId::new("shelf-1").unwrap()]).get("shelf-1").and_then(|heard| heard.fps);
        wall.note("shelf-1", beat("a", 100).as_bytes(), at(0));
        assert_eq!(fps(), None);
        wall.note("shelf-1", beat("a", 400).as_bytes(), at(10));
        assert_eq!(fps(), Some(30.0));
        wall.note("shelf-1", b"no heartbeat", at(11));
        wall.note("shelf-1", beat("b", 20).as_bytes(), at(12));
        assert_eq!(fps(), None, "a page that was loaded anew counts from nothing");
        assert!(wall.of(&[]).is_empty(), "a screen that is gone is forgotten");
    }
}
