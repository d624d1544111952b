//! Vending and sampling machines: `vending.vmc` (FA FB), `vending.mdb` (behind a text adapter), `vending.zdm8` (a lane
//! board).
//!
//! The dialects differ in bytes only. What they hear goes through one [`Interpreter`](interpreter::Interpreter), which
//! puts the house's words in the place of the wire's: an order ends by one step of its sale, whatever the machine calls
//! it.
//!
//! What is absent: the protocols (they are in `wire`), money decisions, stock keeping, payment: they are flows over the
//! journal.
//!
//! Invariants: a device's run builds its own state; exactly one step of a sale answers an order; a motor is asked to
//! turn at most once for an order, by whichever run; an order of an earlier run is looked after, never given again.

mod driver;
mod interpreter;
mod kind;
mod mdb;
mod settings;
mod vmc;
mod zdm8;

pub(crate) use mdb::MDB;
pub(crate) use vmc::VMC;
pub(crate) use zdm8::ZDM8;

#[cfg(test)]
mod tests;
