//! The core's view of a driver's failure. It does not grow with drivers.

use std::io;

/// Why a driver could not go on. The supervisor starts it again.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The line failed.
    #[error("{step} the line")]
    Transport {
        /// What was being done: `reading`, `writing`, `opening`.
        step: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The other end hung up: unplugged, or closed.
    #[error("the line was closed by the other end")]
    Closed,
    /// The device broke its protocol beyond repair.
    #[error("the device broke its protocol")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another device answers than the profile describes.
    #[error("the profile describes {expected}, but {found} answers")]
    WrongDevice {
        /// What the profile says.
        expected: String,
        /// What answered.
        found: String,
    },
    /// Nobody listens to the driver any more: the gateway is going down.
    #[error("the gateway no longer listens to its drivers")]
    CoreGone,
}
