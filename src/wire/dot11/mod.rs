//! Probe requests: radiotap header, 802.11 management header, information elements. Borrowed, never copied.
//!
//! The way of a frame: [`decode`] → radiotap (what the radio measured) → [`Probe`] (who asked, with which sequence
//! number) → [`Elements`] (what the device says it can).
//!
//! What is absent: no I/O, no allocation, no other frame than probe requests, no meaning of an element's content. A
//! frame that is damaged is refused with a [`Refused`] and counted by whoever drives this, never an error of the run.
//!
//! Invariants: no byte outside the given slice is read, whatever lengths the frame claims; an element that is cut off
//! ends the walk and is reported by [`Elements::is_cut`], what stood before it counts.
//!
//! Limits: at most 8 presence words of radiotap are read, at most 64 elements of one frame.
//!
//! ```text
//! 00 00 0e 00  2a 00 00 00  10 02 6c 09 a0 00 c4 00   radiotap: 14 bytes; present: flags, channel, signal
//! 40 00  00 00  ff ff ff ff ff ff                     probe request, duration, to everybody
//! da a1 19 00 00 01  ff ff ff ff ff ff  30 5a         from, BSSID, sequence 0x5a3 and fragment 0
//! 00 00                                               element 0 (SSID): wildcard
//! 01 04 02 04 0b 16                                   element 1 (rates)
//! 5c 3d 1f 2e                                         FCS, because radiotap's flags say so (0x10)
//! ```

mod element;
mod fuzz;
mod limits;
mod probe;
mod radiotap;

pub use element::{Element, Elements};
pub use fuzz::fuzz_decode;
pub use probe::{Address, Link, Probe, Refused, decode};
pub use radiotap::{Radio, RadiotapError};
