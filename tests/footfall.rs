//! Footfall as a whole, through the built binary: real phones overlaid as crowds, a real lab's days, broken captures.
//!
//! What needs captures reads `$SMARTSTORE_DATA` (`../shared/data` without it) and says so when they are not there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this crate is a test"
)]

#[path = "footfall/crowds.rs"]
mod crowds;

#[path = "footfall/measure.rs"]
mod measure;
#[path = "footfall/people.rs"]
mod people;
#[path = "footfall/tool.rs"]
mod tool;

use std::path::PathBuf;
use std::process::{Command, Output};

/// Where the captures are, if they are.
fn captures(folder: &str) -> Option<PathBuf> {
    let data = std::env::var_os("SMARTSTORE_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = data.join("footfall").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no captures at {} (set SMARTSTORE_DATA)", path.display());
    None
}

fn smartstore(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smartstore")).arg("footfall").args(arguments).output().unwrap()
}
