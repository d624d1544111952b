//! The page itself.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::Screens;
use crate::types::{PageKind, Timestamp};
use crate::wire::screen::{ItemKind, Manifest, limits, slot_at, timetable};

const SHELL: &str = include_str!("shell.html");
/// The page's own files: a closed list.
const FILES: [(&str, &str, &str); 17] = [
    ("main.js", SCRIPT, include_str!("app/main.js")),
    ("player.js", SCRIPT, include_str!("app/player.js")),
    ("slots.js", SCRIPT, include_str!("app/slots.js")),
    ("items.js", SCRIPT, include_str!("app/items.js")),
    ("time.js", SCRIPT, include_str!("app/time.js")),
    ("outbox.js", SCRIPT, include_str!("app/outbox.js")),
    ("link.js", SCRIPT, include_str!("app/link.js")),
    ("words.js", SCRIPT, include_str!("app/words.js")),
    ("shelf.js", SCRIPT, include_str!("app/shelf.js")),
    ("hand.js", SCRIPT, include_str!("app/hand.js")),
    ("member.js", SCRIPT, include_str!("app/member.js")),
    ("verdict.js", SCRIPT, include_str!("app/verdict.js")),
    ("marks.js", SCRIPT, include_str!("app/marks.js")),
    ("mirror.js", SCRIPT, include_str!("app/mirror.js")),
    ("glass.js", SCRIPT, include_str!("app/glass.js")),
    ("worker.js", SCRIPT, include_str!("app/worker.js")),
    ("screen.css", "text/css; charset=utf-8", include_str!("app/screen.css")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The moment that is asked about, milliseconds since 1970.
#[derive(Deserialize)]
pub(super) struct At {
    at: Option<i64>,
}

pub(super) async fn page(
    State(screens): State<Screens>,
    Path(screen): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(seat) = screens.seats.at(&screen) else {
        return (StatusCode::NOT_FOUND, "there is no such screen on this gateway\n").into_response();
    };
    let now = asked.clock.as_deref().and_then(|clock| clock.parse().ok()).unwrap_or_else(|| screens.clock.wall().0);
    let kind = seat.facts.page;
    let first = screens.content.active().manifest.as_ref().and_then(|manifest| first(manifest, &screens, &screen, now));
    let language = match asked.lang.as_deref() {
        Some(language @ ("en" | "zh-CN")) => language,
        _ => &seat.facts.language,
    };
    let (shelf, class) = match kind {
        PageKind::Shelf => ("<div id=\"shelf\"></div>", "idle"),
        PageKind::Mirror => ("<div id=\"mirror\"></div>", "bare"),
        PageKind::Signage => ("", "bare"),
    };
    // `</` would end the script that holds it; in JSON a slash may be escaped.
    let program = screens.program(&screen, kind.as_str(), now).replace("</", "<\\/").replace("<!--", "<\\u0021--");
    // A screen's name is `[a-z0-9-]`: nothing in it needs escaping.
    let parts = [
        ("{{lang}}", language),
        ("{{screen}}", &screen),
        ("{{kind}}", kind.as_str()),
        ("{{class}}", class),
        ("{{shelf}}", shelf),
        ("{{first}}", first.as_deref().unwrap_or_default()),
    ];
    let mut html = parts.iter().fold(SHELL.to_owned(), |html, (name, value)| html.replace(name, value));
    if let Some(place) = html.find("{{program}}") {
        html.replace_range(place..place + "{{program}}".len(), &program);
    }
    let head = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    (head, [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], Html(html)).into_response()
}

/// What tests may ask of the page.
#[derive(Deserialize)]
pub(super) struct Asked {
    clock: Option<String>,
    lang: Option<String>,
}

/// The picture that is on, so that it is there before any script is. Films and pages follow with the scripts.
fn first(manifest: &Manifest, screens: &Screens, screen: &str, now: Timestamp) -> Option<String> {
    let zone = manifest.zones(screen).first()?;
    let segments = timetable(manifest, (screen, &zone.id), &screens.timezone, now, limits::AHEAD);
    let slot = slot_at(manifest, segments.first()?, now.unix_ms())?;
    let item = manifest.items.get(&slot.item).filter(|item| item.kind == ItemKind::Image)?;
    let is_whole = zone.w >= 1.0 && zone.h >= 1.0;
    is_whole
        .then(|| format!("<img class=\"first fills\" alt=\"\" src=\"/cas/{}\">", item.asset.as_deref().unwrap_or("")))
}

pub(super) async fn program(
    State(screens): State<Screens>,
    Path(screen): Path<String>,
    Query(at): Query<At>,
) -> Response {
    let Some(seat) = screens.seats.at(&screen) else { return StatusCode::NOT_FOUND.into_response() };
    let at = at.at.map_or_else(|| screens.clock.wall().0, Timestamp::from_unix_ms);
    let program = screens.program(&screen, seat.facts.page.as_str(), at);
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, program).into_response()
}

pub(super) async fn file(Path((screen, name)): Path<(String, String)>) -> Response {
    let found = FILES.iter().find(|(known, _, _)| *known == name);
    let Some((_, r#type, text)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let mut answer = ([(header::CONTENT_TYPE, *r#type), (header::CACHE_CONTROL, "no-cache")], *text).into_response();
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The worker looks after the page, which stands above its own folder.
    if let Ok(scope) = HeaderValue::from_str(&format!("/s/{screen}")) {
        answer.headers_mut().insert("service-worker-allowed", scope);
    }
    answer
}
