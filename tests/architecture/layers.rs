//! Who may import whom: the table in the documentation of `src/lib.rs`, enforced.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Form, Reference};
use super::tree::{Finding, Source, Tree, assert_none, assert_one};

/// What one module may import.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Row {
    /// Only these, each a module or a path below one.
    Only(BTreeSet<String>),
    /// Everything but these.
    AllBut(BTreeSet<String>),
}

type Table = BTreeMap<String, Row>;

/// Reads the table out of the crate's documentation.
fn read_table(lib: &str) -> Table {
    let rows = lib.lines().filter_map(|line| line.trim_start_matches("//!").trim().strip_prefix("| `"));
    rows.map(|row| {
        let (name, rest) = row.split_once("` |").expect("a row has two cells");
        (name.to_owned(), read_row(rest.trim_end_matches('|').trim()))
    })
    .collect()
}

fn read_row(cell: &str) -> Row {
    let names: BTreeSet<_> =
        cell.split('`').skip(1).step_by(2).flat_map(str::split_whitespace).map(str::to_owned).collect();
    if cell.starts_with("everything except") {
        Row::AllBut(names)
    } else if cell.starts_with("everything") {
        Row::AllBut(BTreeSet::new())
    } else {
        Row::Only(names)
    }
}

impl Row {
    fn allows(&self, path: &[String]) -> bool {
        let covers = |name: &String| path.join("::") == *name || path.join("::").starts_with(&format!("{name}::"));
        match self {
            Self::Only(names) => names.iter().any(covers),
            Self::AllBut(names) => !names.iter().any(covers),
        }
    }
}

/// The row a file stands under: `devices::<x>` for every device, the top module's own otherwise.
fn row_name(source: &Source) -> Option<String> {
    source.top().map(|top| if top == "devices" { "devices::<x>".to_owned() } else { top.to_owned() })
}

/// Whether the path stays in the file's own module: the same device for a device, the same top module otherwise.
fn is_own(source: &Source, path: &[String]) -> bool {
    let depth = if source.top() == Some("devices") { source.module.len().min(2) } else { 1 };
    path.len() >= depth && path[..depth] == source.module[..depth]
}

fn check(tree: &Tree, table: &Table) -> Vec<Finding> {
    let mut findings = unknown_modules(tree, table);
    let tops: BTreeSet<_> = tree.product().filter_map(Source::top).map(str::to_owned).collect();
    for (source, reference) in tree.product_references().filter(|(source, _)| source.top().is_some()) {
        let Some(path) = reference.inside().filter(|path| path.first().is_some_and(|top| tops.contains(top))) else {
            continue;
        };
        if !is_own(source, path) {
            findings.extend(check_arrow(source, reference, path, table));
        }
    }
    findings
}

fn unknown_modules(tree: &Tree, table: &Table) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let missing = tree
        .product()
        .filter(|source| row_name(source).is_some_and(|name| !table.contains_key(&name) && seen.insert(name)));
    missing.map(|source| source.finding(0, "this module has no row in the layer table: add it to src/lib.rs")).collect()
}

fn check_arrow(source: &Source, reference: &Reference, path: &[String], table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = reference.text();
    if reference.form == Form::Super {
        let message = format!("`super` leaves the module and reaches {text}: write the path from `crate`");
        findings.push(source.finding(reference.line, message));
    }
    if reference.form == Form::Reexport {
        findings
            .push(source.finding(reference.line, format!("{text} is re-exported: a layer exports only its own items")));
    }
    if path.last().is_some_and(|last| last == "*") {
        findings.push(source.finding(reference.line, format!("{text}: name what is imported")));
    }
    if let Some(row) = row_name(source).and_then(|name| table.get(&name))
        && !row.allows(path)
        && !is_for_tests(reference, path)
    {
        let message = format!("`{}` may not import {text} (layer table in src/lib.rs)", source.module.join("::"));
        findings.push(source.finding(reference.line, message));
    }
    findings
}

/// Unit tests of every layer may use the vocabulary and take their stamps and ids from `Clock::manual`, because nothing
/// else gives repeatable ones, and a device's may ask the catalogue for the device.
fn is_for_tests(reference: &Reference, path: &[String]) -> bool {
    reference.in_test && (matches!(path[0].as_str(), "clock" | "types") || path.join("::") == "devices::kind")
}

fn real_table() -> Table {
    read_table(include_str!("../../src/lib.rs"))
}

#[test]
fn every_import_follows_the_layer_table() {
    assert_none(&check(&Tree::load(), &real_table()));
}

#[test]
fn the_layer_table_is_the_one_that_was_decided() {
    let table = real_table();
    let only = |name: &str| match &table[name] {
        Row::Only(names) => names.iter().cloned().collect::<Vec<_>>().join(" "),
        Row::AllBut(names) => format!("all but {}", names.iter().cloned().collect::<Vec<_>>().join(" ")),
    };
    // Repeated here on purpose: an arrow that is added takes two edits, and a reviewer sees both.
    for (name, allowed) in [
        ("types", ""),
        ("clock", "types"),
        ("wire", "types"),
        ("sense", "types wire"),
        ("flow", "types wire"),
        ("transport", "types"),
        ("observe", "clock types"),
        ("device", "clock observe sense transport types wire"),
        ("devices::<x>", "clock device observe sense transport types wire"),
        ("journal", "clock observe types"),
        ("members", "clock device journal sense transport types"),
        ("content", "clock journal observe transport types wire"),
        ("backoff", "clock types"),
        ("uplink", "backoff clock journal observe types wire"),
        ("router", "clock device flow journal observe types"),
        ("supervise", "backoff clock device observe types"),
        ("config", "device devices::CATALOGUE sense transport types wire"),
        ("console", "clock content journal observe transport types wire"),
        ("sim", "clock transport types wire"),
        ("app", "all but cli sim"),
        ("cli", "all but "),
    ] {
        assert_eq!(only(name), allowed, "the row of `{name}`");
    }
}

fn planted(file: &str, text: &str) -> Vec<Finding> {
    let others = [
        ("src/types.rs", ""),
        ("src/clock.rs", ""),
        ("src/device.rs", ""),
        ("src/devices/mod.rs", "pub static CATALOGUE: &[u8] = &[];"),
        ("src/devices/scale/mod.rs", ""),
        ("src/sim.rs", ""),
    ];
    let mut files: Vec<_> = others.into_iter().filter(|(name, _)| *name != file).collect();
    files.push((file, text));
    check(&Tree::planted(&files), &real_table())
}

#[test]
fn a_planted_import_against_the_table_is_found() {
    assert_one(&planted("src/sim.rs", "\nuse crate::{clock::Clock, devices::scale::Scale};"), "src/sim.rs:2");
    assert_one(&planted("src/types.rs", "fn f() { crate::clock::now(); }"), "may not import crate::clock::now");
    assert_one(&planted("src/types.rs", "fn f() { println!(\"{}\", crate::clock::now()); }"), "crate::clock::now");
    assert_one(&planted("src/devices/scanner/mod.rs", "use crate::devices::scale::Scale;"), "crate::devices::scale");
    assert_one(&planted("src/config.rs", "use crate::devices::{CATALOGUE, scale::Scale};"), "crate::devices::scale");
    assert_one(&planted("src/app.rs", "use crate::sim::Scanner;"), "crate::sim");
    assert_none(&planted("src/config.rs", "use crate::devices::CATALOGUE; use crate::types::Code;"));
    assert_none(&planted("src/wire.rs", "#[cfg(test)] mod tests { use crate::clock::Clock; }"));
    assert_none(&planted("src/devices/mod.rs", "mod scale; use self::scale::KIND;"));
}

#[test]
fn a_planted_unknown_module_is_found() {
    assert_one(&planted("src/helpers.rs", ""), "add it to src/lib.rs");
}

#[test]
fn a_planted_super_reexport_or_glob_across_layers_is_found() {
    assert_one(&planted("src/clock.rs", "use super::types::Code;"), "`super` leaves the module");
    assert_one(&planted("src/clock.rs", "pub use crate::types::Code;"), "re-exported");
    assert_one(&planted("src/clock.rs", "use crate::types::*;"), "name what is imported");
    assert_none(&planted("src/clock.rs", "mod inner { use super::Clock; } use crate::types::Code;"));
}
