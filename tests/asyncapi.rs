//! The documents of `smartstore schema`, judged by tools that nobody here wrote: the AsyncAPI parser, and a JSON
//! Schema validator over the golden payloads. They are Node's; `asyncapi/package-lock.json` pins them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "this crate is a test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where `scripts/install-node-tools` has put what the lock file pins, as `make test` does first: a test run needs no
/// network. `None`, loudly, where that was not done.
fn tools() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let tools = std::env::var_os("SMARTSTORE_NODE_TOOLS").map_or_else(|| target.join("node-tools"), PathBuf::from);
    let lock = std::fs::read(here().join("asyncapi/package-lock.json")).unwrap();
    if std::fs::read(tools.join("installed")).is_ok_and(|of| of == lock) {
        return Some(tools);
    }
    eprintln!("SKIPPED: run scripts/install-node-tools first ({} does not hold what is pinned)", tools.display());
    None
}

#[test]
fn the_documents_are_valid_and_take_the_golden_payloads_and_nothing_broken() {
    let Some(tools) = tools() else { return };
    let documents = tempfile::tempdir().unwrap();
    for what in ["asyncapi", "events", "commands"] {
        let output = Command::new(env!("CARGO_BIN_EXE_smartstore")).args(["schema", what]).output().unwrap();
        assert!(output.status.success(), "schema {what}: {}", text(&output));
        std::fs::write(documents.path().join(format!("{what}.json")), output.stdout).unwrap();
    }
    // Node looks for packages beside the script.
    let script = documents.path().join("check.mjs");
    std::fs::copy(here().join("asyncapi/check.mjs"), &script).unwrap();
    std::os::unix::fs::symlink(tools.join("node_modules"), documents.path().join("node_modules")).unwrap();
    let mut check = Command::new("node");
    check.arg(&script).arg(documents.path()).arg(here().join("contract/v1"));
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    eprintln!("{}", text(&output));
}

#[test]
fn the_lock_file_pins_every_package_and_names_no_host_to_fetch_it_from() {
    let lock = std::fs::read_to_string(here().join("asyncapi/package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""), "run npm with omit-lockfile-registry-resolved=true");
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let unpinned: Vec<_> =
        packages.iter().filter(|(name, one)| !name.is_empty() && one["integrity"].as_str().is_none()).collect();
    assert!(packages.len() > 3 && unpinned.is_empty(), "{unpinned:?}");
}
