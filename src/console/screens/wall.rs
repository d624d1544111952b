//! `GET /api/v1/screens`: what every screen last said of itself, for the console's wall; and pictures of what they
//! show.
//!
//! A heartbeat comes after a painted picture; what is older than its screen's driver allows is told by the driver's
//! conditions, not here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Screens;
use super::plays::{Part, Played};
use crate::console::gate::refuse;
use crate::content::Active;
use crate::transport::Seat;
use crate::types::{Chain, DeviceId, PageKind, Timestamp};
use crate::wire::screen::{Beat, read_beat};

/// Until its driver must have given a picture of a screen.
const PICTURE_WITHIN: Duration = Duration::from_secs(8);

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
    /// A picture of the item that is on, not of the screen: a path of this gateway.
    thumbnail: Option<String>,
    /// Where a picture of what the screen itself shows is to be had, if it is.
    live: Option<String>,
    rev: Option<u64>,
    /// Revision of the content in force.
    wanted_rev: u64,
    fps: Option<f64>,
    dropped: Option<u64>,
    clock_skew_ms: Option<i64>,
    /// Plays that it has not got rid of.
    waiting: Option<u32>,
    /// What was planned today and what of it was played; of a mirror, which plays nothing, not said.
    plays: Option<Played>,
}

impl Screens {
    /// Reads on what was played.
    pub(in crate::console) async fn count(&self) {
        if self.seats.list().is_empty() {
            return;
        }
        if let Err(error) = self.plays.follow(&self.journal, self.clock.wall().0).await {
            tracing::debug!(error = %Chain(&error), "plays cannot be counted");
        }
    }

    async fn played(&self, screen: &DeviceId, page: PageKind, active: &Active) -> Option<Played> {
        let manifest = active.manifest.as_ref().filter(|_| page != PageKind::Mirror)?;
        let part = Part { screen, manifest, timezone: &self.timezone, in_force: self.content.since() };
        self.plays.of(&part, self.clock.wall().0).await
    }
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
fn picture_of(active: &Active, item: &str) -> Option<String> {
    let manifest = active.manifest.as_ref()?;
    let asset = manifest.items.get(item)?.asset.as_ref()?;
    let is_picture = manifest.assets.get(asset).is_some_and(|asset| asset.r#type.starts_with("image/"));
    is_picture.then(|| format!("/cas/{asset}"))
}

pub(super) async fn wall(State(screens): State<Screens>) -> Json<Vec<Screen>> {
    screens.count().await;
    let seats = screens.seats.list();
    let ids: Vec<_> = seats.iter().map(|(id, _)| id.clone()).collect();
    let (heard, active) = (screens.wall.of(&ids), screens.content.active());
    let mut list = Vec::new();
    for (id, seat) in seats {
        let plays = screens.played(&id, seat.facts.page, &active).await;
        list.push(row(&id, &seat, heard.get(id.as_str()), &active, plays));
    }
    Json(list)
}

fn row(id: &DeviceId, seat: &Seat, heard: Option<&Heard>, active: &Active, plays: Option<Played>) -> Screen {
    let beat = heard.map(|heard| &heard.beat);
    let is_well = beat.is_some_and(|beat| beat.visible && beat.item.is_some() && beat.rev == active.rev());
    let state = match (beat, seat.pages()) {
        (_, 0) => "dark",
        (Some(_), _) if is_well => "ok",
        (Some(beat), _) if !beat.visible => "hidden",
        (Some(beat), _) if beat.item.is_none() => "empty",
        _ => "old",
    };
    let is_seen = seat.facts.is_seen && seat.pages() > 0;
    Screen {
        page: seat.facts.page.as_str(),
        state,
        last_seen: heard.map(|heard| heard.at.to_string()),
        pages: seat.pages(),
        thumbnail: beat.and_then(|beat| picture_of(active, beat.item.as_deref()?)),
        live: is_seen.then(|| format!("/api/v1/wall/{id}/picture")),
        item: beat.and_then(|beat| beat.item.clone()),
        rev: beat.map(|beat| beat.rev),
        wanted_rev: active.rev(),
        fps: heard.and_then(|heard| heard.fps),
        dropped: beat.map(|beat| beat.dropped),
        clock_skew_ms: beat.map(|beat| beat.clock_skew_ms),
        waiting: beat.map(|beat| beat.waiting),
        plays,
        id: id.to_string(),
    }
}

/// `GET /api/v1/wall/{screen}/picture`. It is behind the console's login, and nobody keeps it.
pub(super) async fn picture(State(screens): State<Screens>, Path(screen): Path<String>) -> Response {
    let Some(seat) = screens.seats.at(&screen) else {
        return refuse(StatusCode::NOT_FOUND, "no-screen", "there is no such screen on this gateway");
    };
    match tokio::time::timeout(PICTURE_WITHIN, seat.picture()).await {
        Ok(Some(Ok(still))) => {
            let head = [
                (header::CONTENT_TYPE, "image/jpeg"),
                (header::CACHE_CONTROL, "no-store"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            ];
            (head, [("taken", still.at.to_string())], still.jpeg).into_response()
        }
        Ok(Some(Err(why))) => refuse(StatusCode::CONFLICT, why, "there is no picture of this screen"),
        Ok(None) | Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "no-picture", "its driver gives no picture now"),
    }
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
