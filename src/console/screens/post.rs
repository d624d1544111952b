//! What pages say.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Screens;
use crate::transport::{PostKind, Reply};

pub(super) async fn post(
    State(screens): State<Screens>,
    Path((screen, what)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let kind = match what.as_str() {
        "heartbeat" => PostKind::Beat,
        "plays" => PostKind::Plays,
        "actions" => PostKind::Actions,
        "sessions" => PostKind::Sessions,
        "shown" => PostKind::Shown,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Some(seat) = screens.seats.at(&screen) else { return StatusCode::NOT_FOUND.into_response() };
    match seat.post(kind, body.clone()).await {
        Some(Reply::Taken) => {
            if kind == PostKind::Beat {
                screens.wall.note(&screen, &body, screens.clock.wall().0);
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Some(Reply::Bad(why)) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "its driver does not take it now\n").into_response(),
    }
}
