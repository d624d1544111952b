//! Keeping things running: tasks with names and owners, restarts with back-off, panics caught at the task's edge.
//!
//! Three circles. A *device* fails (unplugged, silent, garbage): shop weather, restarted for ever, logged once per
//! change. A *reader* of the journal (the uplink) bears what the network does by itself; when it panics it is started
//! again from its cursor, and three panics in ten minutes escalate. The *core* fails (journal, router): the
//! daemon goes down in order and systemd restarts it.
//!
//! This module holds the only `spawn` of the daemon; every task it starts is owned by a [`Circle`].

mod circle;
mod device;
mod reader;

pub use circle::{Circle, Ending};
pub use device::{Restart, supervise};
pub use reader::supervise_reader;

#[cfg(panic = "abort")]
compile_error!("a driver's panic must not take the shop down: build with panic = \"unwind\"");
