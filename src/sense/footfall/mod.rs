//! Footfall.
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
