//! `GET /api/v1/events/stream`: events as they are stored, for as long as somebody looks.
//!
//! Each message's id is the event's row, so that a browser that was cut off goes on where it was. What retention has
//! dropped meanwhile is said: a message `gap` with the first and last missing row.
//!
//! Limits: 16 streams at once; 200 events a read; a look at the connection every 15 s.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Inside;
use super::gate::refuse;
use crate::journal::Head;
use crate::types::{Event, Row};

/// Streams at once.
pub(super) const STREAMS: usize = 16;
const PAGE: usize = 200;
/// What a page that has just been opened sees of the past.
const PAST: i64 = 50;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
pub(super) struct StreamQuery {
    /// The row to begin behind; without it, and without a `Last-Event-ID`, the newest few come first.
    after: Option<i64>,
}

#[derive(Serialize)]
struct Gap {
    from: i64,
    to: i64,
}

/// One reader of the journal.
struct Reader {
    inside: Arc<Inside>,
    head: watch::Receiver<Head>,
    row: i64,
    /// Whether a missing row means something: not before the first event.
    begun: bool,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn events(
    State(inside): State<Arc<Inside>>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = Arc::clone(&inside.streams).try_acquire_owned() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many look at the events already");
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let head = inside.shown.journal.head();
    let newest = head.borrow().row.0;
    let known = last.or(query.after);
    let row = known.unwrap_or(newest - PAST).clamp(0, newest);
    let reader = Reader { inside, head, row, begun: known.is_some(), _place: place };
    let stream = messages(reader);
    let keep = KeepAlive::new().interval(KEEP_ALIVE);
    ([(header::CACHE_CONTROL, "no-store")], Sse::new(stream).keep_alive(keep)).into_response()
}

fn messages(reader: Reader) -> impl Stream<Item = Result<Message, Infallible>> {
    let pages = stream::unfold(reader, |mut reader| async move {
        let page = reader.next().await?;
        Some((stream::iter(page.into_iter().map(Ok)), reader))
    });
    pages.flatten()
}

impl Reader {
    /// The next messages; `None`: the house goes down, or the journal cannot be read.
    async fn next(&mut self) -> Option<Vec<Message>> {
        loop {
            self.head.mark_unchanged();
            let events = self.inside.shown.journal.after(Row(self.row), PAGE).await.ok()?;
            if !events.is_empty() {
                return Some(self.told(&events));
            }
            tokio::select! {
                () = self.inside.stop.cancelled() => return None,
                moved = self.head.changed() => moved.ok()?,
            }
        }
    }

    fn told(&mut self, events: &[Event]) -> Vec<Message> {
        let mut messages = Vec::with_capacity(events.len());
        for event in events {
            let row = event.row.0;
            if self.begun && row > self.row + 1 {
                let gap = Gap { from: self.row + 1, to: row - 1 };
                messages.extend(Message::default().event("gap").json_data(gap));
            }
            let line = self.inside.shown.source.event_line(event);
            messages.push(Message::default().id(row.to_string()).data(line));
            (self.row, self.begun) = (row, true);
        }
        messages
    }
}
