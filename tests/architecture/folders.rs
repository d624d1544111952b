//! What stands beside the code: a device's papers, the table of dependencies.

use std::collections::BTreeSet;
use std::path::Path;

use super::tree::{Finding, assert_none, assert_one, package_root};

/// What a device folder answers for.
const CHECKLIST: &[&str] = &[
    "identity",
    "timeouts",
    "unplug",
    "restart-mid-action",
    "simulator",
    "trace",
    "fuzz",
    "schema",
    "conditions",
    "readme",
];

/// Every row is `name = "done"` or `name = { exempt = "why" }`.
fn check_list(file: &str, text: &str) -> Vec<Finding> {
    let finding = |message: String| Finding { file: file.to_owned(), line: 0, message };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return vec![finding(format!("is not TOML: {error}"))],
    };
    let unknown = table.keys().filter(|name| !CHECKLIST.contains(&name.as_str()));
    let unknown = unknown.map(|name| finding(format!("`{name}` is no row of the checklist")));
    let rows = CHECKLIST.iter().filter_map(|name| Some(finding(format!("`{name}` {}", check_row(table.get(*name))?))));
    rows.chain(unknown).collect()
}

fn check_row(row: Option<&toml::Value>) -> Option<&'static str> {
    match row {
        None => Some("has no row"),
        Some(toml::Value::String(word)) if word == "done" => None,
        Some(toml::Value::String(word)) if word == "todo" => Some("is still to do"),
        Some(toml::Value::Table(reason)) => match reason.get("exempt").and_then(toml::Value::as_str) {
            Some(why) if why.len() >= 10 => None,
            _ => Some("is exempt without saying why"),
        },
        Some(_) => Some("is neither \"done\", \"todo\" nor { exempt = \"why\" }"),
    }
}

fn check_device_folder(folder: &Path, name: &str) -> Vec<Finding> {
    let file = |leaf: &str| format!("src/devices/{name}/{leaf}");
    let mut findings = Vec::new();
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    if readme.lines().count() < 10 {
        let message = "a device has a README: what it is, wiring, the bytes on the line, its conditions".to_owned();
        findings.push(Finding { file: file("README.md"), line: 0, message });
    }
    let list = std::fs::read_to_string(folder.join("checklist.toml")).unwrap_or_default();
    findings.extend(check_list(&file("checklist.toml"), &list));
    findings
}

/// The crates that `Cargo.toml` names, for the product and for its tests.
fn named_crates(cargo: &str) -> BTreeSet<String> {
    let table: toml::Table = cargo.parse().expect("Cargo.toml is TOML");
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = sections.iter().filter_map(|section| table.get(*section)?.as_table());
    tables.flat_map(|crates| crates.keys().cloned()).collect()
}

/// The crates that have a row: the first cell holds the name in backticks.
fn explained_crates(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

fn check_dependencies(cargo: &str, page: &str) -> Vec<Finding> {
    let (named, explained) = (named_crates(cargo), explained_crates(page));
    let finding = |message: String| Finding { file: "docs/dependencies.md".to_owned(), line: 0, message };
    let missing = named.difference(&explained).map(|name| finding(format!("`{name}` is used and has no row: say why")));
    let stale = explained.difference(&named).map(|name| finding(format!("`{name}` has a row and is not used")));
    missing.chain(stale).collect()
}

#[test]
fn every_device_folder_has_its_papers() {
    let Ok(folders) = std::fs::read_dir(package_root().join("src/devices")) else { return };
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let findings: Vec<_> = folders
        .flat_map(|folder| check_device_folder(&folder, &folder.file_name().unwrap().to_string_lossy()))
        .collect();
    assert_none(&findings);
}

#[test]
fn every_dependency_is_explained() {
    let read = |name: &str| std::fs::read_to_string(package_root().join(name)).unwrap();
    assert_none(&check_dependencies(&read("Cargo.toml"), &read("docs/dependencies.md")));
}

#[test]
fn a_planted_gap_in_a_checklist_is_found() {
    let all: String = CHECKLIST.iter().map(|name| format!("{name} = \"done\"\n")).collect();
    assert_none(&check_list("checklist.toml", &all));
    assert_none(&check_list(
        "checklist.toml",
        &all.replace("fuzz = \"done\"", "fuzz = { exempt = \"it has no parser\" }"),
    ));
    assert_one(&check_list("checklist.toml", &all.replace("fuzz = \"done\"", "")), "`fuzz` has no row");
    assert_one(&check_list("checklist.toml", &all.replace("fuzz = \"done\"", "fuzz = \"todo\"")), "still to do");
    assert_one(
        &check_list("checklist.toml", &all.replace("fuzz = \"done\"", "fuzz = { exempt = \"\" }")),
        "saying why",
    );
    assert_one(&check_list("checklist.toml", &(all + "colour = \"done\"\n")), "no row of the checklist");
}

#[test]
fn a_planted_device_without_papers_is_found() {
    let empty = tempfile::tempdir().unwrap();
    let findings = check_device_folder(empty.path(), "scale");
    assert_eq!(findings.len(), 1 + CHECKLIST.len(), "{findings:?}");
    assert_eq!(findings[0].file, "src/devices/scale/README.md");
}

#[test]
fn a_planted_unexplained_dependency_is_found() {
    let cargo = "[dependencies]\nbytes = \"1\"\n[dev-dependencies]\nsyn = \"3\"\n";
    assert_none(&check_dependencies(cargo, "| `bytes` | why |\n| `syn` | why |\n"));
    assert_one(&check_dependencies(cargo, "| `bytes` | why |\n"), "`syn` is used and has no row");
    assert_one(&check_dependencies(cargo, "| `bytes` |\n| `syn` |\n| `rand` |\n"), "`rand` has a row");
}
