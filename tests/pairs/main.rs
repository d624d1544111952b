//! Driver machine against simulator machine, joined by a seeded line. No runtime, no clock, no I/O.

#[path = "../common/line.rs"]
mod line;
mod scanner;
