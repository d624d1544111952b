//! FA FB: the serial line between a vending machine's controller (VMC) and an upper computer, 57600 8N1.
//!
//! The machine is the host. It polls every 200 ms and wants an answer within 100 ms: a command of ours, or an ACK.
//! What it has to say it says instead of a poll, and we ACK it. Each message but poll and ACK carries a number; a
//! message that is not acknowledged is repeated, at most five times, under the *same* number, which is the only thing
//! on this wire that keeps a motor from turning twice.
//!
//! What is absent: no I/O, no clock, no sales. The money that the machine itself takes is reported, not spent.
//!
//! Invariants: the answer to a poll is there as soon as the poll is; a repeated message is acknowledged and changes
//! nothing; a result is acknowledged when it is on disk; the motor command is never sent twice for one dispense but
//! under the number it was sent with, and not even so once the machine may have been restarted; only status 02 is a
//! product that fell; memory is bounded whatever arrives.
//!
//! Limits: see `limits.rs`. Sixteen commands wait, a frame is at most 260 bytes long.
//!
//! A dispense from lane 60:
//!
//! ```text
//! ← FA FB 41 00 40                       poll
//! → FA FB 01 03 A5 00 3C 9A              may lane 60 be sold from?         (number A5)
//! ← FA FB 42 00 43                       ACK
//! ← FA FB 02 04 A2 01 00 3C 98           it may                            (number A2, the machine's own)
//! → FA FB 42 00 43                       ACK
//! ← FA FB 41 00 40                       poll
//! → FA FB 06 05 A6 01 00 00 3C 99        turn lane 60, watch the drop
//! ← FA FB 42 00 43                       ACK
//! ← FA FB 04 04 A3 01 00 3C 9F           dispensing
//! → FA FB 42 00 43                       ACK
//! ← FA FB 04 04 A4 02 00 3C 9B           it is out
//! → FA FB 42 00 43                       ACK
//! ```

pub mod code;
mod codec;
mod frame;
mod fuzz;
mod job;
mod limits;
mod link;
mod machine;
mod message;
mod words;

pub use frame::{Frame, framer, parse};
pub use fuzz::{fuzz_frames, fuzz_machine};
pub use limits::{FRAME_BYTES, RESENDS};
pub use machine::{VmcMachine, VmcSettings};
pub use message::{Decoded, Hidden, Message, Status, TooShort};
