//! Who may see a screen's page: browsers on this machine, and those that have shown the screen's token.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};

use crate::console::session::Known;
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
    // Who has logged in at the console sees what is on.
    if path.starts_with("/cas/") && request.extensions().get::<Known>().is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Facts;
    use crate::types::{DeviceId, PageKind};

    #[test]
    fn a_token_opens_its_own_screen_and_files_and_nothing_else() {
        let seats = Seats::default();
        let facts = |token: Option<&str>| Facts {
            page: PageKind::Signage,
            language: "en".to_owned(),
            token: token.map(str::to_owned),
            hand_off: None,
            is_seen: false,
        };
        let _one = seats.take(&DeviceId::new("screen-1").unwrap(), facts(Some("0123456789abcdef")), 0);
        let _other = seats.take(&DeviceId::new("screen-2").unwrap(), facts(None), 0);
        let gate = Gate::new(seats);
        for (path, token, opens) in [
            ("/s/screen-1", "0123456789abcdef", true),
            ("/s/screen-1/app/main.js", "0123456789abcdef", true),
            ("/api/v1/screens/screen-1/plays", "0123456789abcdef", true),
            ("/cas/00", "0123456789abcdef", true),
            ("/s/screen-2", "0123456789abcdef", false),
            ("/s/screen-2", "", false),
            ("/s/screen-1", "0123456789abcdeg", false),
            ("/cas/00", "", false),
        ] {
            assert_eq!(gate.knows(token, screen_of(path)), opens, "{path} {token}");
        }
    }

    #[test]
    fn tokens_are_found_where_browsers_put_them() {
        assert_eq!(in_query("a=b&token=0123"), Some("0123"));
        assert_eq!(in_query("nottoken=0123"), None);
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; smartstore-screen=0123; c=d"));
        assert_eq!(cookie(&headers), Some("0123"));
        headers.insert(header::COOKIE, HeaderValue::from_static("smartstore-screens=0123"));
        assert_eq!(cookie(&headers), None);
    }
}
