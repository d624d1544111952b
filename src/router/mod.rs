//! The way between devices and the journal: what drivers say goes in, what the ledger holds goes out.
//!
//! [`intake`] carries one device's observations into the journal. `dispatch` carries accepted commands from the
//! ledger to device ports; nothing else may call a driver. A command is recorded as dispatched, durably, *before* its
//! action enters a port, so that a power cut between the two can only leave "nobody knows", never "twice".
//!
//! `redeem` runs the flow of coupons over the journal.
//!
//! What is absent: no MQTT, no HTTP, no protocol. Whoever wants something done files a command in the journal.

mod dispatch;
mod intake;
mod redeem;

pub use dispatch::{Dispatcher, Probe, Target, Targets};
pub use intake::intake;
pub use redeem::{Desks, Redeemer};

#[cfg(test)]
mod tests;
