//! In-store stories as pure machines, one for each kind of station: events and time in, what follows out.
//!
//! What is absent: no I/O, no clock, no journal. Whoever runs a flow reads the events, looks up what it asks for, and
//! stores what it says in one transaction with its place among the events, so that a crash can neither lose nor repeat
//! a step.

pub mod redeem;
