//! The page at `/`: the same truth for people, one embedded file without any remote reference.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};

use super::Shown;

const PAGE: &str = include_str!("index.html");

pub(super) async fn index(State(shown): State<Shown>) -> impl IntoResponse {
    // Store and gateway names are `[a-z0-9-]`: nothing in them needs escaping.
    let page = PAGE.replace("{{name}}", &shown.name);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], Html(page))
}
