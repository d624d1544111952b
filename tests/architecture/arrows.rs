//! The never-arrows: what must stay true even if somebody widens the layer table.

use super::paths::Reference;
use super::tree::{Finding, Source, Tree, assert_none, assert_one, package_root};

/// No module of `from` may name anything of `to` within this crate. Test code included.
struct NeverInside {
    from: &'static [&'static str],
    to: &'static [&'static str],
    why: &'static str,
}

const NEVER_INSIDE: &[NeverInside] = &[
    NeverInside {
        from: &["devices"],
        to: &["journal", "uplink", "router", "supervise", "flow", "config", "console", "app", "cli", "sim"],
        why: "a driver cannot tell whether a cloud, a journal or a simulator exists",
    },
    NeverInside {
        from: &["sim"],
        to: &["devices", "device", "journal", "uplink"],
        why: "a simulator shares only the wire with what it is the other end of",
    },
    NeverInside {
        from: &["uplink", "console"],
        to: &["device", "devices", "router"],
        why: "nothing from outside reaches a driver except through the ledger",
    },
    NeverInside { from: &["types"], to: &["wire"], why: "the vocabulary does not know the cloud's payloads" },
];

/// Crates and parts of `std` that only some places may name.
struct NeverOutside {
    what: &'static [&'static str],
    only_in: &'static [&'static str],
    tests_too: bool,
    why: &'static str,
}

const NEVER_OUTSIDE: &[NeverOutside] = &[
    NeverOutside { what: &["rusqlite"], only_in: &["journal"], tests_too: true, why: "SQLite is the journal's secret" },
    NeverOutside {
        what: &["rumqttc"],
        only_in: &["uplink", "sim"],
        tests_too: true,
        why: "the MQTT client is behind one seam",
    },
    NeverOutside {
        what: &["serde_json::Value", "serde_json::Map"],
        only_in: &["wire::cloud"],
        tests_too: false,
        why: "shapeless JSON stays at the edge: name the shape",
    },
    NeverOutside {
        what: &["evdev", "serialport"],
        only_in: &["transport"],
        tests_too: true,
        why: "hardware is opened in `transport`",
    },
    NeverOutside { what: &["axum"], only_in: &["console"], tests_too: true, why: "one HTTP listener" },
    NeverOutside {
        what: &["anyhow"],
        only_in: &["cli", "main"],
        tests_too: false,
        why: "a library's errors have names",
    },
    NeverOutside { what: &["clap"], only_in: &["cli", "main"], tests_too: true, why: "arguments are read in `cli`" },
];

const PURE: &[&str] = &["types", "wire", "sense", "flow"];

/// What a pure module may not name. Its tests may read recorded bytes from files. Addresses are plain values: they are
/// in `core::net`.
const IMPURE: &[&str] =
    &["tokio", "tokio_util", "rusqlite", "rumqttc", "rustix", "libc", "std::net", "std::thread", "std::process"];
const IMPURE_BUT_IN_TESTS: &[&str] = &["std::fs", "std::env"];

fn is_below(source: &Source, module: &str) -> bool {
    let wanted: Vec<_> = module.split("::").collect();
    source.module.len() >= wanted.len() && source.module.iter().zip(&wanted).all(|(a, b)| a == b)
}

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (source, reference) in tree.product_references() {
        findings.extend(check_inside(source, reference));
        findings.extend(check_outside(source, reference));
        findings.extend(check_pure(source, reference));
        findings.extend(check_cloud_shape(source, reference));
    }
    findings
}

fn check_inside(source: &Source, reference: &Reference) -> Vec<Finding> {
    let Some(path) = reference.inside() else { return Vec::new() };
    let found = |why: &str| source.finding(reference.line, format!("never {}: {why}", reference.text()));
    let mut findings: Vec<_> = NEVER_INSIDE
        .iter()
        .filter(|rule| rule.from.iter().any(|from| is_below(source, from)) && rule.to.contains(&path[0].as_str()))
        .map(|rule| found(rule.why))
        .collect();
    if crosses_devices(source, reference, path) {
        findings.push(found("a driver never knows another driver"));
    }
    if path[0] == "sim" && !matches!(source.top(), Some("sim" | "cli")) && source.file != "src/main.rs" {
        findings.push(found("only `cli` and the tests know the simulators"));
    }
    if path[0] == "cli" && source.top() != Some("cli") && source.file != "src/main.rs" {
        findings.push(found("only `main` knows the command line"));
    }
    if source.file == "src/main.rs" && path[0] != "cli" {
        findings.push(found("`main` imports `cli` and nothing else"));
    }
    findings
}

/// A device's own tests may ask the catalogue for it; what else is in `devices` is another device.
fn crosses_devices(source: &Source, reference: &Reference, path: &[String]) -> bool {
    let own = source.module.get(1);
    let is_catalogue = matches!(path.get(1).map(String::as_str), Some("CATALOGUE" | "kind"));
    let is_foreign = source.top() == Some("devices") && own.is_some() && path[0] == "devices" && path.get(1) != own;
    is_foreign && !(reference.in_test && is_catalogue)
}

fn check_outside(source: &Source, reference: &Reference) -> Vec<Finding> {
    let is_allowed = |rule: &NeverOutside| {
        let at_home = rule.only_in.iter().any(|home| is_below(source, home) || source.file == format!("src/{home}.rs"));
        at_home || (reference.in_test && !rule.tests_too)
    };
    NEVER_OUTSIDE
        .iter()
        .filter(|rule| rule.what.iter().any(|what| reference.reaches(what)) && !is_allowed(rule))
        .map(|rule| {
            let homes = rule.only_in.join(", ");
            source.finding(reference.line, format!("never {} outside {homes}: {}", reference.text(), rule.why))
        })
        .collect()
}

fn check_pure(source: &Source, reference: &Reference) -> Option<Finding> {
    let is_pure = PURE.iter().any(|module| is_below(source, module));
    let is_impure = IMPURE.iter().any(|path| reference.reaches(path))
        || (!reference.in_test && IMPURE_BUT_IN_TESTS.iter().any(|path| reference.reaches(path)));
    (is_pure && is_impure).then(|| {
        source.finding(
            reference.line,
            format!("never {} in a pure module: bytes and time are arguments", reference.text()),
        )
    })
}

/// The vocabulary has no serialised form of its own: a renamed field must break neither the cloud nor the disk.
fn check_cloud_shape(source: &Source, reference: &Reference) -> Option<Finding> {
    let derives = ["serde", "serde_json", "schemars"].iter().any(|name| reference.reaches(name))
        || ["Serialize", "Deserialize", "JsonSchema"].iter().any(|name| reference.reaches(name));
    (is_below(source, "types") && derives).then(|| {
        let message =
            format!("never {} in `types`: the cloud's form is written by hand in `wire::cloud`", reference.text());
        source.finding(reference.line, message)
    })
}

/// The methods that clippy keeps to one place each.
const BANNED_METHODS: &[&str] = &[
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "tokio::time::Instant::now",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "tokio::spawn",
    "tokio::task::spawn",
    "std::process::exit",
    "std::env::var",
    "tokio::sync::mpsc::unbounded_channel",
    "std::sync::mpsc::channel",
];

fn missing_bans(clippy: &str) -> Vec<Finding> {
    let bans =
        |method: &str| clippy.lines().any(|line| line.contains(&format!("\"{method}\"")) && line.contains("reason"));
    let missing = BANNED_METHODS.iter().filter(|method| !bans(method));
    missing
        .map(|method| Finding {
            file: "clippy.toml".into(),
            line: 0,
            message: format!("{method} is not banned with a reason"),
        })
        .collect()
}

#[test]
fn no_never_arrow_is_drawn() {
    assert_none(&check(&Tree::load()));
}

#[test]
fn clippy_bans_what_has_one_place() {
    let clippy = std::fs::read_to_string(package_root().join("clippy.toml")).unwrap();
    assert_none(&missing_bans(&clippy));
    assert_one(&missing_bans(&clippy.replace("\"tokio::spawn\"", "\"tokio::other\"")), "tokio::spawn");
}

fn planted(file: &str, text: &str) -> Vec<Finding> {
    check(&Tree::planted(&[(file, text)]))
}

#[test]
fn a_planted_arrow_within_the_crate_is_found() {
    assert_one(&planted("src/devices/scanner/driver.rs", "use crate::journal::Journal;"), "a driver cannot tell");
    assert_one(&planted("src/devices/scanner/driver.rs", "use crate::devices::vending::Lane;"), "another driver");
    assert_one(&planted("src/sim/scanner.rs", "use crate::device::Port;"), "shares only the wire");
    assert_one(&planted("src/uplink/inbox.rs", "use crate::device::Port;"), "through the ledger");
    assert_one(&planted("src/app.rs", "use crate::sim::scanner::Scanner;"), "the simulators");
    assert_one(&planted("src/app.rs", "use crate::cli::Arguments;"), "the command line");
    assert_one(&planted("src/main.rs", "use smartstore::app::App;"), "nothing else");
    assert_none(&planted("src/main.rs", "use smartstore::cli;"));
}

#[test]
fn a_planted_foreign_crate_is_found() {
    assert_one(&planted("src/uplink/outbox.rs", "use rusqlite::Connection;"), "SQLite");
    assert_one(&planted("src/router.rs", "fn f(_: rumqttc::Packet) {}"), "one seam");
    assert_one(&planted("src/console/api.rs", "use serde_json::{json, Value};"), "name the shape");
    assert_one(&planted("src/devices/scanner/driver.rs", "use serialport::SerialPort;"), "opened in `transport`");
    assert_one(&planted("src/journal/mod.rs", "use anyhow::Result;"), "names");
    assert_none(&planted("src/journal/writer.rs", "use rusqlite::Connection;"));
    assert_none(&planted("src/console/api.rs", "#[cfg(test)] mod tests { use serde_json::Value; }"));
}

#[test]
fn a_planted_impurity_is_found() {
    assert_one(&planted("src/wire/scan/machine.rs", "use std::{fs, time::Instant};"), "std::fs");
    assert_one(&planted("src/types/id.rs", "async fn f() { tokio::task::yield_now().await }"), "tokio");
    assert_none(&planted("src/wire/scan/machine.rs", "#[cfg(test)] mod tests { use std::fs; }"));
}

#[test]
fn a_planted_derive_in_the_vocabulary_is_found() {
    assert_one(&planted("src/types/id.rs", "#[derive(serde::Serialize)] struct S;"), "written by hand");
    assert_eq!(planted("src/types/id.rs", "use serde::Serialize; #[derive(Serialize)] struct S;").len(), 2);
}
