//! What the gateway knows of its own health: conditions, counters, the state of each device, logging.
//!
//! What is absent: nothing here decides anything, and nothing here writes to the journal; whoever owns a
//! [`Conditions`] turns its changes into events.
//!
//! Limits: one entry per condition and device; evidence texts are cut at [`EVIDENCE_LIMIT`] bytes.

mod board;
mod conditions;
mod footprint;
mod logging;
mod metrics;
mod scope;

pub use board::{Board, DeviceState, DeviceStatus};
pub use conditions::{Conditions, Standing};
pub use footprint::release_code_pages;
pub use logging::{
    LogFormat, init_logging, notify_ready, notify_status, notify_stopping, notify_watchdog, watchdog_within,
};
pub use metrics::{Gauges, Metrics};
pub use scope::{DeviceScope, EVIDENCE_LIMIT};
