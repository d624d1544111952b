//! ZDM8: a board that drives lanes with springs, locks or belts, over Modbus-RTU at 9600 8N1.
//!
//! We ask, the board answers; one question at a time. A dispense is one write to register 2001; what became of it is
//! read from register 0003, which says a final state **once**: the reading itself puts the board back to idle. An
//! answer that is lost on the wire is a result that is lost, unless the fault code, which stays, still says it.
//!
//! What is absent: other Modbus devices, other functions than 03 and 10, the lift's own registers.
//!
//! Invariants: the order is written once for each dispense, and again only when the board itself says that it came
//! garbled (exception 4); a final state is observed before anything else is asked; a result that nobody waits for is
//! kept for whoever recovers; memory is bounded whatever arrives.
//!
//! Limits: a frame is at most 17 bytes long, eight questions wait.
//!
//! ```text
//! → 01 03 00 03 00 01 74 0A                    what do you do?
//! ← 01 03 02 00 00 B8 44                       nothing, no fault
//! → 01 10 20 01 00 02 04 10 01 01 00 FF 32     lane 16, a spring, watch the drop
//! ← 01 10 20 01 00 02 1B C8                    taken
//! → 01 03 00 03 00 01 74 0A                    and now?
//! ← 01 03 02 02 00 B9 24                       it is out (said once)
//! ```

mod board;
mod frame;
mod fuzz;
mod job;
mod machine;

pub use board::{
    BoardState, CLIMATE, DISPENSE, DOOR, Doing, HARDWARE, LaneType, SOFTWARE, STATE, StateCodes, Zdm8Settings,
};
pub use frame::{FRAME_BYTES, Reply, Request, crc};
pub use fuzz::{fuzz_frames, fuzz_machine};
pub use machine::Zdm8Machine;
