//! Protocols as pure machines: bytes and time go in, bytes and meaning come out.
//!
//! A machine never reads a clock, never blocks and never allocates without a bound. Whoever drives it calls
//! [`Machine::handle`] with one input, drains [`Machine::poll`] until `None`, and then waits for bytes, an action or
//! [`Machine::deadline`]. Time is an argument, so that a 15-second timeout is tested in no time at all, and a driver
//! machine and a simulator machine can be joined without a runtime.
//!
//! What is absent: no I/O, no clock, no device, no journal. The simulators share this layer with the drivers and
//! nothing else.

pub mod cloud;
pub mod coupon;
pub mod dot11;
pub mod framer;
pub mod lift;
pub mod mdb;
pub mod mjpeg;
mod noise;
pub mod pcap;
pub mod probebox;
pub mod scan;
pub mod screen;
mod showing;
pub mod vend;
pub mod vmc;
pub mod zdm8;

pub use showing::{Showing, Way};

use std::time::Instant;

use crate::types::{Condition, Tally};

/// A protocol's state.
pub trait Machine {
    /// What can be asked of the other end.
    type Action;
    /// What the other end says.
    type Observation;
    /// What makes going on pointless: a wrong device, a broken promise. Noise is not an error, it is counted.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes one input. All consequences are fetched by [`Machine::poll`].
    fn handle(&mut self, now: Instant, input: Input<'_, Self::Action>) -> Result<(), Self::Error>;

    /// The next consequence of what was handled, until there is none.
    fn poll(&mut self) -> Option<Output<Self::Observation>>;

    /// When [`Input::Tick`] is wanted, if nothing else comes before.
    fn deadline(&self) -> Option<Instant>;

    /// Whether something irrevocable is going on (a motor turns): no new action, no stopping now.
    fn in_flight(&self) -> bool;

    /// Whether it holds something back (the acknowledgement of a result) until all that it has said is on disk.
    fn awaits_storage(&self) -> bool {
        false
    }

    /// All that it has said is on disk.
    fn stored(&mut self, now: Instant) {
        let _ = now;
    }

    /// How much of what crosses the line a diagnostics bundle may show. A protocol that carries no codes, cards or
    /// addresses says more than the length.
    fn shows(&self, way: Way) -> Showing {
        let _ = way;
        Showing::Length
    }
}

/// What a machine is given.
#[derive(Debug)]
pub enum Input<'a, A> {
    /// Bytes from the line, split anywhere.
    Bytes(&'a [u8]),
    /// Something to do.
    Action(A),
    /// The deadline has come (or may have: a machine checks).
    Tick,
}

/// What a machine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<O> {
    /// Write these bytes to the line.
    Send(Vec<u8>),
    /// This happened.
    Observe(O),
    /// A health condition is (`true`) or is not (`false`) given. Saying the same again is allowed and does nothing.
    Health(Condition, bool),
    /// Add to a counter.
    Count(Tally, u64),
}
