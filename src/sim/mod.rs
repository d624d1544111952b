//! The other ends: what a device or the cloud would do, at the other end of something real.
//!
//! A simulator is an instrument, not a mock: the gateway's code cannot tell it from the real thing, and the knobs that
//! make it misbehave are turned from outside. Simulators share the wire layer with the drivers and nothing else.

pub mod broker;
pub mod camera;
mod dice;
pub mod probe;
pub mod pty;
pub mod scanner;
pub mod screen;
pub mod vmc;
pub mod web;
