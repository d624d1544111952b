//! The contract between a device's driver and the rest of the house.
//!
//! A driver folder exports one [`DeviceKind`]; the configuration turns it into a [`Device`]; the supervisor runs the
//! device with a [`Port`], which is all that a driver may touch. Byte devices share one loop, [`pump`].
//!
//! What is absent: a driver cannot tell whether there is a journal, a cloud, a station or another device. It says
//! [`Observation`](crate::types::Observation)s and is handed [`Assigned`](crate::types::Assigned) actions.
//!
//! Limits: 64 observations and 4 actions wait per device (see [`limits`]); a line that takes no bytes for
//! [`limits::WRITE_STALL`] is given up.

mod attach;
mod checks;
mod commons;
mod error;
mod kind;
pub mod limits;
mod members;
mod mistake;
mod once;
mod port;
mod pump;
mod section;
#[cfg(test)]
pub(crate) mod testing;
mod vault;

pub use attach::attach;
pub use checks::{Checks, milliseconds};
pub use commons::Commons;
pub use error::DriverError;
pub use kind::{Device, DeviceKind, Held, RawDevice, Schemas, Speaker};
pub use members::{Captures, Members, Roster};
pub use mistake::unknown_key;
pub use once::Once;
pub use port::{Port, PortEnds, port};
pub use pump::pump;
pub use section::Section;
pub use vault::Vault;
