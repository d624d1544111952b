//! Footfall from probe requests: which addresses are one device, who came in, how many people that is.
//!
//! [`Counter`] is the door to all of it: one for each sensor, driven by whoever has the frames.
//!
//! ```text
//! new(settings, key, calibration) ─► frame(at, link, bytes) or entry(at, address, signal), advance(now)
//!                                    └► pop_window() until None        rotate(key) at closing time
//! ```
//!
//! The way of a frame: its address becomes a [`Pseudonym`] under a [`Key`], its elements a [`Print`], both together a
//! [`Sighting`], which [`Devices::see`] counts to a chain and says why. [`Devices::settle`] thinks again about devices
//! that only ever spoke weakly; [`Devices::assignments`] says at the end which device each chain is. When a window
//! closes, the devices that were heard in it are looked up with the visits they are on.
//!
//! What is absent: no clock, no I/O, no time zone. Whoever drives this says what time it is, when the shop closes
//! ([`Counter::rotate`]) and whether it is open ([`Counter::set_open`]).
//!
//! Invariants: one pass, memory bounded by `limits.rs`; an address is never kept, only its pseudonym; a window holds
//! numbers only; of each window `passed + visited + stayed = devices` and `low <= devices <= high`.

mod calibration;
mod chain;
mod counter;
mod devices;
mod key;
mod levels;
mod limits;
mod listed;
mod lodge;
mod print;
mod regress;
mod settings;
mod store;
mod survey;
mod window;

pub use calibration::{Calibration, CalibrationError, Count};
pub use counter::{Counter, Heard};
pub use devices::{Devices, Placed, Reason, Sighting};
pub use key::{Key, Pseudonym};
pub use levels::Features;
pub use listed::Listed;
pub use print::{Manner, Print, fingerprint};
pub use settings::{Settings, SettingsError};
pub use window::Window;
