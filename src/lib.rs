//! smartstore: the gateway daemon of a smart shop.
//!
//! Drivers speak to transports and say what happened; the journal is the only truth; everything else is a reader of
//! the journal with a cursor.
//!
//! # Layers
//!
//! The table that `tests/architecture.rs` enforces. A module may import only what its row names.
//!
//! | module | may import (within the crate) |
//! |---|---|
//! | `types` | – |
//! | `clock` | `types` |
//! | `backoff` | `types clock` |
//! | `wire` | `types` |
//! | `sense` | `types wire` |
//! | `flow` | `types wire` |
//! | `transport` | `types` |
//! | `observe` | `types clock` |
//! | `device` | `types clock wire sense transport observe` |
//! | `devices::<x>` | `types clock wire sense transport device observe` |
//! | `journal` | `types clock observe` |
//! | `members` | `types clock sense transport device journal` |
//! | `content` | `types clock wire transport journal observe` |
//! | `uplink` | `types clock backoff wire journal observe` |
//! | `router` | `types clock flow journal device observe` |
//! | `supervise` | `types clock backoff device observe` |
//! | `config` | `types wire sense device transport` and `devices::CATALOGUE` |
//! | `console` | `types clock wire transport journal content observe` |
//! | `sim` | `types clock wire transport` |
//! | `app` | everything except `sim` and `cli` |
//! | `cli` | everything; only `main` imports it |

#![deny(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

pub mod app;
pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod content;
pub mod device;
pub mod devices;
pub mod flow;
pub mod journal;
pub mod members;
pub mod observe;
pub mod router;
pub mod sense;
#[cfg(feature = "sim")]
pub mod sim;
pub mod supervise;
pub mod transport;
pub mod types;
pub mod uplink;
pub mod wire;
