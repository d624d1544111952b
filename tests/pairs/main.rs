//! Driver machine against simulator machine, joined by a seeded line. No runtime, no clock, no I/O.

#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout, reason = "a test that cannot go on panics")]

#[path = "../common/line.rs"]
mod line;
mod scanner;
mod vending;
