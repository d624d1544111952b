//! Footfall from probe requests: which addresses are one device.
//!
//! The way of a frame: its address becomes a [`Pseudonym`] under a [`Key`], its elements a [`Print`], both together a
//! [`Sighting`], which [`Devices::see`] counts to a chain and says why. [`Devices::settle`] thinks again about devices
//! that only ever spoke weakly; [`Devices::assignments`] says at the end which device each chain is.
//!
//! What is absent: no visits, no people, no windows, no zones. Nobody drives this yet.
//!
//! Invariants: one pass, memory bounded by `limits.rs`; an address is never kept, only its pseudonym.

mod chain;
mod devices;
mod key;
mod limits;
mod lodge;
mod print;
mod store;

pub use devices::{Devices, Placed, Reason, Sighting};
pub use key::{Key, Pseudonym};
pub use print::{Manner, Print, fingerprint};
