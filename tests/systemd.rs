//! The unit file, judged by systemd itself: it is valid, and it is locked down.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this crate is a test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Highest exposure that passes, in tenths (systemd calls 1.7 "OK"). Lower is tighter.
const EXPOSURE_TENTHS: &str = "20";

/// The unit with the binary where `verify` finds one: it looks whether `ExecStart` exists.
fn unit_in(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/smartstore.service")).unwrap();
    assert!(text.contains("ExecStart=/usr/bin/smartstore run "), "the unit starts the daemon");
    let unit = folder.join("smartstore.service");
    std::fs::write(&unit, text.replace("/usr/bin/smartstore", env!("CARGO_BIN_EXE_smartstore"))).unwrap();
    unit
}

/// `None` where there is no systemd.
fn analyze(arguments: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).arg(unit).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: systemd-analyze does not start: {error}");
            None
        }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_unit_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = analyze(&["verify", "--recursive-errors=no"], &unit_in(folder.path())) else { return };
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
}

#[test]
fn the_unit_is_locked_down() {
    let folder = tempfile::tempdir().unwrap();
    let threshold = format!("--threshold={EXPOSURE_TENTHS}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    let Some(output) = analyze(&arguments, &unit_in(folder.path())) else { return };
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn an_unlocked_unit_would_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_in(folder.path());
    let open = std::fs::read_to_string(&unit).unwrap().replace("CapabilityBoundingSet=\n", "");
    std::fs::write(&unit, open).unwrap();
    let threshold = format!("--threshold={EXPOSURE_TENTHS}");
    let Some(output) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit) else { return };
    assert!(!output.status.success(), "{}", text(&output));
}
