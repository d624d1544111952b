//! The `Host` header must name this box.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::transport::TlsServer;

/// The hosts a request may name.
#[derive(Clone)]
pub(super) struct Allowed {
    address: SocketAddr,
    tls: Option<TlsServer>,
}

impl Allowed {
    /// For a listener at an address, with a certificate or without.
    pub(super) fn of(address: SocketAddr, tls: Option<TlsServer>) -> Self {
        Self { address, tls }
    }

    /// A name that points here by somebody else's hand (DNS rebinding) is none of ours. An address is no name: as far
    /// as the network side goes it is taken when the listener is there for every address.
    fn allows(&self, host: &str) -> bool {
        let (name, port) = split(host);
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let port_fits = port.map_or(self.address.port() == usual, |port| port.parse() == Ok(self.address.port()));
        port_fits && (self.is_local(name) || self.tls.as_ref().is_some_and(|tls| tls.bears(name)))
    }

    fn is_local(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(address) => address == self.address.ip() || address.is_loopback() || self.address.ip().is_unspecified(),
            Err(_) => name == "localhost",
        }
    }
}

/// Name and port of a host, the brackets of an IPv6 address taken off.
fn split(host: &str) -> (&str, Option<&str>) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    };
    (name.trim_start_matches('[').trim_end_matches(']'), port)
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

    fn at(address: &str) -> Allowed {
        Allowed::of(address.parse().unwrap(), None)
    }

    #[test]
    fn only_names_of_this_box_are_let_in() {
        let allowed = at("127.0.0.1:8480");
        for host in ["localhost:8480", "127.0.0.1:8480", "[::1]:8480"] {
            assert!(allowed.allows(host), "{host}");
        }
        for host in [
            "evil.example:8480",
            "localhost",
            "localhost:80",
            "127.0.0.1:84800",
            "",
            ":",
            "127.0.0.1.evil:8480",
            "192.168.1.2:8480",
        ] {
            assert!(!allowed.allows(host), "{host}");
        }
        assert!(at("127.0.0.1:80").allows("localhost"));
    }

    #[test]
    fn a_listener_for_every_address_goes_by_any_of_them_and_by_no_name() {
        let allowed = at("0.0.0.0:8480");
        assert!(allowed.allows("192.168.1.2:8480") && allowed.allows("[fe80::1]:8480"));
        assert!(!allowed.allows("gateway.evil.example:8480") && !allowed.allows("192.168.1.2:8481"));
    }
}
