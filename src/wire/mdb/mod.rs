//! MDB/ICP, the bus inside vending machines, through an adapter that speaks lines of text (Qibixx MDB-USB, MDB Pi Hat).
//!
//! The adapter keeps the bus' nine bits and five milliseconds; the gateway has seconds. As **slave** we are the card
//! reader of an existing machine: it asks whether an item may be sold, is told so, and says whether the product fell.
//! As **master** we are the machine of a card reader. [`block`] reads the bus' own blocks, which the adapter's generic
//! modes carry.
//!
//! What is absent: coin changers, bill acceptors, the bus' timing, audit data.
//!
//! Invariants: the machine is told once to give a product out, and never on a guess; a reset of the machine between
//! approval and success counts as success (MDB/ICP 4.2, 7.4.7), with the rule's name; `c,ERR,VEND 3` gives the money
//! back; silence after the approval is indeterminate; memory is bounded whatever arrives.
//!
//! Limits: a line is at most 128 characters long, a block 36 bytes.
//!
//! ```text
//! → C,1                     ← c,STATUS,ENABLED
//! → C,START,1.00            ← c,STATUS,IDLE          somebody has paid 1.00: choose
//!                           ← c,STATUS,VEND,1.00,2   item 2 at 1.00?
//! → C,VEND,1.00             ← c,VEND,SUCCESS         it is out
//! ```

pub mod block;
mod fuzz;
mod machine;
mod master;
mod slave;
mod text;

pub use fuzz::{fuzz_blocks, fuzz_machine};
pub use machine::{MdbMachine, MdbSettings, Role};
pub use text::{LINE_BYTES, Lines, MasterState, Piece, Said, SlaveState, amount, minor};
