//! The way between devices and the journal: what drivers say goes in, what the ledger holds goes out.
//!
//! [`intake`] carries one device's observations into the journal. `dispatch` carries accepted commands from the
//! ledger to device ports; nothing else may call a driver. A command is recorded as dispatched, durably, *before* its
//! action enters a port, so that a power cut between the two can only leave "nobody knows", never "twice". Of an order
//! the driver itself makes that record, just before the machine is made to move.
//!
//! [`Flows`] runs the stations `sale` and `sampling` and the machines' ledgers (`flow`) over the journal. The
//! dispatcher looks at the ledgers before an order may go: a lane that is closed, a sale that is known or over, or a
//! machine that has an order in hand keeps it back. [`Redeemer`] runs the stations of coupons.
//!
//! What is absent: no MQTT, no HTTP, no protocol. Whoever wants something done files a command in the journal.

mod dispatch;
mod flows;
mod intake;
mod orders;
mod redeem;
mod shelf;

pub use dispatch::{Dispatcher, Probe, Target, Targets};
pub use flows::{Flows, NoPayments, Payments, Seams};
pub use intake::intake;
pub use redeem::{Desks, Redeemer};
pub use shelf::Shelf;

#[cfg(test)]
mod tests;
