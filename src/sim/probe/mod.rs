//! A crowd with phones in its pockets: who comes, who only walks by, what their phones send meanwhile, and what a
//! radio, a serial probe box, a UDP probe box or a pushing one would make of it.
//!
//! - [`Crowd`]: pure; people and frames in the order of time, all of it from a seed.
//! - [`Outlet`]: carries the frames to where the gateway listens: a TAP interface with the link type of a monitor
//!   interface, a pcap file, a pseudo-terminal, datagrams, HTTP pushes.
//! - [`Truth`]: what nobody but the simulator knows: who was there, under which addresses their phones spoke.
//!
//! Six phone models with elements of their own making; no captured frame is in here. Phones keep an address for a scan,
//! for an hour, or for ever; a frame counter runs through their addresses or begins anew with each.
//!
//! Limits: 64 people a minute at most come in; a phone sends at most 12 frames a scan.

mod crowd;
mod outlet;
mod phone;
mod play;
mod truth;

pub use crowd::{Crowd, Happening, Setup};
pub use outlet::{FormOf, Outlet, OutletError};
pub use phone::{MODELS, Sent};
pub use play::{Pace, play};
pub use truth::{Did, Totals, Truth};

#[cfg(test)]
mod tests;
