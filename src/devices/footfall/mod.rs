//! Footfall sensors: `footfall.monitor` (own capture on a WiFi interface in monitor mode, or a capture file),
//! `footfall.tz001` (MNCats boxes on a serial line or by UDP), `footfall.datasky` (DataSky boxes that push).
//!
//! One thread for each sensor owns its source. What it hears goes into the counter of its place
//! ([`Hall`](hall::Hall)): its own, or that of the sensor it is `counted_by`, so that who is heard by both is one.
//! Only counts leave the threads, as [`Report`](ears::Report)s. What a thread was given by a source is overwritten as
//! soon as it has been counted.
//!
//! What is absent: how devices and people are told from addresses (it is in `sense::footfall`), the bytes of boxes (in
//! `wire::probebox`) and of frames (in `wire::dot11`), the sockets (in `transport`).
//!
//! Invariants: no address, network name or element of a frame leaves the thread, is logged or is shown; the key lives
//! in the memory of the thread that counts and is replaced at closing time, and when the clock jumps; a source that
//! goes away is looked for again while counting goes on.

mod driver;
mod ear;
mod ears;
mod hall;
mod hours;
mod kind;
mod manner;
mod opted;
mod profile;
mod source;

use kind::FootfallKind;
use profile::{Datasky, Monitor, Tz001};

/// `footfall.monitor`.
pub(crate) static MONITOR: FootfallKind<Monitor> = FootfallKind::new();
/// `footfall.tz001`.
pub(crate) static TZ001: FootfallKind<Tz001> = FootfallKind::new();
/// `footfall.datasky`.
pub(crate) static DATASKY: FootfallKind<Datasky> = FootfallKind::new();

#[cfg(test)]
mod tests;
