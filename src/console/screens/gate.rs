//! Who may see a screen's page: browsers on this machine, and those that have shown the screen's token.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};

use crate::transport::Seats;

const COOKIE: &str = "smartstore-screen";

/// Knows the screens' tokens.
#[derive(Clone)]
pub(in crate::console) struct Gate {
    seats: Seats,
}

impl Gate {
    pub(super) fn new(seats: Seats) -> Self {
        Self { seats }
    }

    /// Whether a token is that of a screen; of a file of the content any screen's is good.
    fn knows(&self, token: &str, screen: Option<&str>) -> bool {
        // Digests are compared: how long it takes says nothing of the token.
        let shown = digest(&SHA256, token.as_bytes());
        let seats = self.seats.list();
        let mut tokens = seats.iter().filter(|(id, _)| screen.is_none_or(|screen| screen == id.as_str()));
        tokens.any(|(_, seat)| {
            let known = seat.facts.token.as_deref();
            known.is_some_and(|known| digest(&SHA256, known.as_bytes()).as_ref() == shown.as_ref())
        })
    }
}

/// The screen that a path is about.
fn screen_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/s/").or_else(|| path.strip_prefix("/api/v1/screens/"))?;
    rest.split('/').next()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split("; "));
    pairs.find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='))
}

fn in_query(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

pub(super) async fn check(
    State(gate): State<Gate>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    // A hand-off's own token is its leave.
    if peer.ip().to_canonical().is_loopback() || path.starts_with("/h/") {
        return next.run(request).await;
    }
    let screen = screen_of(path);
    if let Some(token) = in_query(request.uri().query().unwrap_or_default()).filter(|token| gate.knows(token, screen)) {
        let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000");
        let cookie = HeaderValue::from_str(&cookie);
        let mut answer = next.run(request).await;
        if let Ok(cookie) = cookie {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return answer;
    }
    if cookie(request.headers()).is_some_and(|token| gate.knows(token, screen)) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "this screen's page needs its token: ?token=…\n").into_response()
}
