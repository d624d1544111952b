//! What pages are told: server-sent events (HTML Living Standard, section 9.2).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Screens;
use crate::content::Active;
use crate::transport::Follower;
use crate::types::ScreenOverride;

/// How often a page hears that we are there, and what time it is.
const PING: Duration = Duration::from_secs(5);
/// At first it hears it more often, so that it knows the time soon, however busy it is with loading.
const GREETING: Duration = Duration::from_millis(250);
const GREETINGS: u8 = 6;

#[derive(Serialize)]
struct Ping {
    now_ms: i64,
}

#[derive(Serialize)]
struct Rev {
    rev: u64,
}

#[derive(Serialize)]
struct Said<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<i64>,
}

/// One page's line.
struct Line {
    screens: Screens,
    follower: Follower,
    content: watch::Receiver<Arc<Active>>,
    overriding: watch::Receiver<Option<ScreenOverride>>,
    ending: CancellationToken,
    greetings: u8,
}

pub(super) async fn events(State(screens): State<Screens>, Path(screen): Path<String>, headers: HeaderMap) -> Response {
    let Some(seat) = screens.seats.at(&screen) else { return StatusCode::NOT_FOUND.into_response() };
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (mut content, mut overriding) = (screens.content.changed(), screens.content.overriding());
    content.mark_unchanged();
    overriding.mark_unchanged();
    let ending = screens.ending.clone();
    let line = Line { follower: seat.follow(after), content, overriding, ending, screens, greetings: 0 };
    let events = stream::unfold(line, |mut line| async move {
        let event = line.next().await?;
        Some((Ok::<_, Infallible>(event), line))
    });
    Sse::new(events).into_response()
}

fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

impl Line {
    fn ping(&self) -> Event {
        event("ping", &Ping { now_ms: self.screens.clock.wall().0.unix_ms() })
    }

    /// The next event; `None`: the line ends, and the page comes back.
    async fn next(&mut self) -> Option<Event> {
        let silence = match self.greetings {
            0 => Duration::ZERO,
            GREETINGS.. => PING,
            _ => GREETING,
        };
        tokio::select! {
            biased;
            () = self.ending.cancelled() => None,
            told = self.follower.next() => {
                let told = told?;
                Some(Event::default().id(told.id.to_string()).event(told.name).data(&*told.data))
            }
            Ok(()) = self.overriding.changed() => {
                let said = self.overriding.borrow_and_update().clone();
                let text = said.as_ref().map_or("", |said| said.text.as_str());
                let until_ms = said.as_ref().and_then(|said| said.until).map(crate::types::Timestamp::unix_ms);
                Some(event("override", &Said { text, until_ms }))
            }
            Ok(()) = self.content.changed() => {
                let rev = self.content.borrow_and_update().rev();
                Some(event("program", &Rev { rev }))
            }
            () = tokio::time::sleep(silence) => {
                self.greetings = self.greetings.saturating_add(1).min(GREETINGS);
                Some(self.ping())
            }
        }
    }
}
