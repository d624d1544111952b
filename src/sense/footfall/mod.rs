//! Footfall from probe requests: which addresses are one device, who came in, how many people that is.
//!
//! [`Counter`] is the door to all of it: one for each place, driven by whoever has the frames. Several sensors may be
//! its [`Ear`]s: what two of them hear is one, and zones are told by which hears a device best.
//!
//! ```text
//! new(settings, key, calibration) ─► frame(at, ear, link, bytes) or entry(at, ear, address, signal), advance(now)
//!                                    └► pop_window() until None        rotate(key) at closing time
//! ```
//!
//! The way of a frame: its address becomes a [`Pseudonym`] under a [`Key`], its elements a [`Print`], both together a
//! [`Sighting`], which [`Devices::see`] counts to the address's track. When a window closes, tracks are linked to
//! devices ([`Devices::settle`]), the devices that were heard in it are looked up with the visits they are on, and a
//! site's [`Calibration`] says how many people that is.
//!
//! What is absent: no clock, no I/O, no time zone. Whoever drives this says what time it is, when the shop closes
//! ([`Counter::rotate`]) and whether it is open ([`Counter::set_open`]).
//!
//! Invariants: one pass, memory bounded by `limits.rs`; an address is never kept, only its pseudonym; a window holds
//! numbers only; of each window `passed + visited + stayed = devices` and `low <= devices <= high`.

mod auction;
mod calibration;
mod cells;
mod counter;
mod devices;
mod echoes;
mod ends;
mod habit;
mod key;
mod levels;
mod limits;
mod links;
mod listed;
mod lodge;
mod models;
mod print;
mod regress;
mod rhythm;
mod scans;
mod settings;
mod survey;
#[cfg(test)]
mod tests;
mod tracks;
mod window;

pub use calibration::{Basis, Calibration, CalibrationError, Count};
pub use cells::{Cell, Cells, Ear};
pub use counter::{Counter, Heard};
pub use devices::{Devices, Placed, Sighting};
pub use key::{Key, Pseudonym};
pub use levels::Features;
pub use listed::{Listed, ListedError};
pub use print::{Manner, Print, fingerprint};
pub use settings::{Settings, SettingsError};
pub use tracks::Reason;
pub use window::Window;
