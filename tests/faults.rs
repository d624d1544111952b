//! What goes wrong between a shop and its cloud, and what must not follow from it: real sockets, real journals, a
//! broker that records what it was sent and misbehaves at seeded places, and Debian's mosquitto.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

#[path = "faults/backlog.rs"]
mod backlog;
#[path = "faults/cloud.rs"]
mod cloud;
#[path = "faults/commands.rs"]
mod commands;
#[path = "faults/cut_wire.rs"]
mod cut_wire;
#[path = "faults/mosquitto.rs"]
mod mosquitto;
#[path = "common/port.rs"]
mod port;
#[path = "faults/refusals.rs"]
mod refusals;
#[path = "faults/shop.rs"]
mod shop;
#[path = "faults/tls.rs"]
mod tls;
