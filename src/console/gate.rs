//! Who may ask for what: a login where the listener is open to the network, a role for what changes something, and the
//! page's own origin for every request that is no GET.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::Inside;
use super::pin::opens;
use super::session::{Known, LASTS};
use crate::types::UserRole;

/// Carries the session's secret.
const COOKIE: &str = "smartstore";
/// The screens' own: their requests carry a token, which is theirs to check.
const SCREENS: [&str; 4] = ["/s/", "/cas/", "/api/v1/screens/", "/h/"];
/// What a browser needs before it can log in: nothing of the store is in it.
const BEFORE_LOGIN: [&str; 3] = ["/login", "/api/v1/login", "/console/"];

fn begins_with(path: &str, with: &[&str]) -> bool {
    with.iter().any(|with| path.starts_with(with))
}

/// A refusal in the form of every other answer.
#[derive(Serialize)]
struct Refusal<'a> {
    error: &'static str,
    message: &'a str,
}

/// A refusal with a word for programs and a sentence for people.
pub(super) fn refuse(status: StatusCode, error: &'static str, message: &str) -> Response {
    (status, Json(Refusal { error, message })).into_response()
}

/// Lets a request through, or does not. What is let through carries a [`Known`].
pub(super) async fn guard(State(inside): State<Arc<Inside>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if begins_with(path, &SCREENS) {
        if let Some(known) = inside.known(request.headers()) {
            request.extensions_mut().insert(known);
        }
        return next.run(request).await;
    }
    let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_look && !is_own_origin(request.headers(), inside.is_tls()) {
        let message = "this was not asked by the console's own page: a changing request needs its Origin";
        return refuse(StatusCode::FORBIDDEN, "origin", message);
    }
    match inside.known(request.headers()) {
        Some(known) => {
            request.extensions_mut().insert(known);
        }
        None if begins_with(path, &BEFORE_LOGIN) => {}
        None if path == "/" => return Redirect::to("/login").into_response(),
        None => return refuse(StatusCode::UNAUTHORIZED, "login", "log in first"),
    }
    next.run(request).await
}

/// Browsers say which page asks. Who says nothing is none, and must say at least an `Origin`.
fn is_own_origin(headers: &HeaderMap, tls: bool) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else { return false };
    let scheme = if tls { "https://" } else { "http://" };
    origin.strip_prefix(scheme) == Some(host)
}

/// Whether somebody may do what needs a role; else the refusal.
pub(super) fn need(known: &Known, role: UserRole) -> Result<(), Box<Response>> {
    if known.role >= role {
        return Ok(());
    }
    let message = format!("{} is {}: this takes a {}", known.name, known.role.as_str(), role.as_str());
    Err(Box::new(refuse(StatusCode::FORBIDDEN, "role", &message)))
}

impl Inside {
    /// Who asks. Nobody has to log in on loopback.
    fn known(&self, headers: &HeaderMap) -> Option<Known> {
        match &self.sessions {
            None => Some(Known { name: "local".to_owned(), role: UserRole::Admin }),
            Some(sessions) => sessions.known(secret(headers)?),
        }
    }
}

/// The session's secret among the cookies.
fn secret(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// A cookie's value.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    name: String,
    pin: String,
}

/// `POST /api/v1/login`.
pub(super) async fn login(State(inside): State<Arc<Inside>>, Json(login): Json<Login>) -> Response {
    let Some(sessions) = &inside.sessions else { return StatusCode::NO_CONTENT.into_response() };
    sessions.renew();
    if !sessions.may_try(&login.name) {
        let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, "wait", "too many wrong PINs: wait a minute");
        return ([(header::RETRY_AFTER, "60")], refusal).into_response();
    }
    let user = sessions.user(&login.name);
    // Who is not there is answered as slowly as who is.
    let Some(compared) = user.clone().or_else(|| sessions.anybody()) else {
        return refuse(StatusCode::FORBIDDEN, "pin", "nobody may log in here: add a user");
    };
    let is_right = tokio::task::spawn_blocking(move || opens(&compared.pin, &login.pin)).await.unwrap_or(false);
    let Some(user) = user.filter(|_| is_right) else {
        tracing::warn!(name = %login.name.escape_debug(), "a login with a wrong name or PIN");
        return refuse(StatusCode::FORBIDDEN, "pin", "name or PIN is wrong");
    };
    let secret = sessions.begin(&user);
    if let Err(error) = inside.audit.note(&user.name, "login", user.role.as_str()).await {
        tracing::warn!(%error, "a login could not be noted");
    }
    let secure = if inside.is_tls() { "; Secure" } else { "" };
    let seconds = LASTS.as_secs();
    let cookie = format!("{COOKIE}={secret}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response()
}

/// `POST /api/v1/logout`.
pub(super) async fn logout(State(inside): State<Arc<Inside>>, headers: HeaderMap) -> Response {
    if let (Some(sessions), Some(secret)) = (&inside.sessions, secret(&headers)) {
        sessions.end(secret);
    }
    let cookie = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_the_own_page_changes_anything() {
        let host = ("host", "127.0.0.1:8480");
        let own = ("origin", "http://127.0.0.1:8480");
        assert!(is_own_origin(&headers(&[host, own]), false));
        assert!(is_own_origin(&headers(&[host, own, ("sec-fetch-site", "same-origin")]), false));
        for (pairs, tls) in [
            (vec![host], false),
            (vec![host, own], true),
            (vec![host, ("origin", "http://evil.example")], false),
            (vec![host, ("origin", "null")], false),
            (vec![host, ("origin", "http://127.0.0.1:8481")], false),
            (vec![host, own, ("sec-fetch-site", "cross-site")], false),
            (vec![host, own, ("sec-fetch-site", "same-site")], false),
            (vec![own], false),
        ] {
            assert!(!is_own_origin(&headers(&pairs), tls), "{pairs:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let some = headers(&[("cookie", "a=1; smartstore=xyz; lang=zh")]);
        assert_eq!((secret(&some), cookie(&some, "lang"), cookie(&some, "b")), (Some("xyz"), Some("zh"), None));
    }
}
