//! A port for a broker that is stopped and started again.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;

/// Nobody listens on it, and the kernel gives it to nobody: it lies below the ports that it hands out by itself
/// (`ip_local_port_range`, from 32768). One that it hands out could go to another connection while the broker is away,
/// or be connected to itself by whoever waits for the broker (RFC 9293, 3.5: simultaneous open).
pub(crate) fn free_port() -> u16 {
    let candidates = (0_u64..1_000).map(|attempt| {
        let random = RandomState::new().hash_one((std::process::id(), attempt));
        u16::try_from(10_000 + random % 22_000).unwrap()
    });
    candidates.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port is free")
}
