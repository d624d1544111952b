//! What the gateway knows of its own health: conditions, counters, the state of each device, logging.
//!
//! What is absent: nothing here decides anything, and nothing here writes to the journal; whoever owns a
//! [`Conditions`] turns its changes into events.
//!
//! Limits: one entry per condition and device; evidence texts are cut at [`EVIDENCE_LIMIT`] bytes; the last [`FRAMES`]
//! frames of a device, as far as they may be seen, and the last 200 lines of the log.

mod board;
mod conditions;
mod footprint;
mod logging;
mod metrics;
mod redact;
mod scope;

pub use board::{Board, DeviceState, DeviceStatus, FRAMES, Frame};
pub use conditions::{Conditions, Standing};
pub use footprint::release_code_pages;
pub use logging::{
    LogFormat, init_logging, log_tail, notify_ready, notify_status, notify_stopping, notify_watchdog, watchdog_within,
};
pub use metrics::{Gauges, Metrics};
pub use redact::redacted;
pub use scope::{DeviceScope, EVIDENCE_LIMIT};
