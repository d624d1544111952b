//! The `Host` header must name this box.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The hosts a request may name.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    port: u16,
    address: String,
}

impl Allowed {
    pub(super) fn of(address: SocketAddr) -> Self {
        Self { port: address.port(), address: address.ip().to_string() }
    }

    fn allows(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
            _ => (host, None),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let port_fits = port.map_or(self.port == 80, |port| port.parse() == Ok(self.port));
        port_fits && (matches!(name, "localhost" | "127.0.0.1" | "::1") || name == self.address)
    }
}

pub(super) async fn check(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(|host| allowed.allows(host)) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "this gateway does not go by that name\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_box_are_let_in() {
        let allowed = Allowed::of("127.0.0.1:8480".parse().unwrap());
        for host in ["localhost:8480", "127.0.0.1:8480", "[::1]:8480"] {
            assert!(allowed.allows(host), "{host}");
        }
        for host in
            ["evil.example:8480", "localhost", "localhost:80", "127.0.0.1:84800", "", ":", "127.0.0.1.evil:8480"]
        {
            assert!(!allowed.allows(host), "{host}");
        }
        assert!(Allowed::of("127.0.0.1:80".parse().unwrap()).allows("localhost"));
    }
}
