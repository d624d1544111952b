//! A mirror's pictures, over a WebSocket (RFC 6455) to the page on this machine.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Screens;
use crate::transport::{Reflection, Viewer, WISH_BYTES};
use crate::types::{DeviceId, PageKind};

/// What a page hears when there is no picture any more.
const OVER: &str = "{\"over\":true}";

/// A picture that is overwritten when it has been sent.
struct Sent(Arc<Reflection>);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

pub(super) async fn reflect(
    State(screens): State<Screens>,
    Path(screen): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let is_mirror = screens.seats.at(&screen).is_some_and(|seat| seat.facts.page == PageKind::Mirror);
    let viewer = DeviceId::new(&screen).ok().filter(|_| is_mirror).and_then(|screen| screens.mirrors.look(&screen));
    let Some(viewer) = viewer else { return StatusCode::NOT_FOUND.into_response() };
    // A browser lets any page open a WebSocket to us and says whose page it is: only our own may look.
    if !is_own(&headers) {
        return (StatusCode::FORBIDDEN, "this page is not the gateway's\n").into_response();
    }
    let ending = screens.ending.clone();
    upgrade.max_message_size(WISH_BYTES).on_upgrade(async move |socket| {
        let _ = ending.run_until_cancelled(carry(viewer, socket)).await;
    })
}

fn is_own(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = |origin: &'_ str| origin.split_once("://").map(|(_, host)| host.to_owned());
    // Programs that are no browsers say no origin.
    text(header::ORIGIN).is_none_or(|origin| host(origin).as_deref() == text(header::HOST))
}

/// Until the page goes.
async fn carry(mut viewer: Viewer, mut socket: WebSocket) -> Result<(), axum::Error> {
    loop {
        tokio::select! {
            picture = viewer.next() => match picture {
                Some(picture) => socket.send(Message::Binary(Bytes::from_owner(Sent(picture)))).await?,
                None => socket.send(Message::text(OVER)).await?,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Text(words))) => viewer.wish(words.to_string()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_look() {
        let with = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:8480".parse().unwrap());
            origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().unwrap()));
            is_own(&headers)
        };
        assert!(with(None) && with(Some("http://127.0.0.1:8480")));
        assert!(!with(Some("http://evil.example")) && !with(Some("null")) && !with(Some("http://127.0.0.1:9999")));
    }
}
