//! `docs/fault-matrix.md` speaks of tests that exist: every row names at least one, and each is where the row says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// The table's rows, cell by cell.
fn rows(text: &str) -> Vec<Vec<String>> {
    let is_row = |line: &&str| line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| fault |");
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(is_row).map(cells).collect()
}

/// `file::test` references of a cell.
fn named(cell: &str) -> Vec<(String, String)> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| name.split_once("::")).map(|(file, test)| (file.to_owned(), test.to_owned())).collect()
}

/// Whether the file has that test; a shell script has it as a check's name.
fn exists(root: &Path, file: &str, test: &str) -> bool {
    let Ok(text) = fs::read_to_string(root.join(file)) else { return false };
    if !Path::new(file).extension().is_some_and(|extension| extension == "rs") {
        return text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == test);
    }
    let Some(at) = text.find(&format!("fn {test}(")) else { return false };
    text[..at].lines().rev().take(3).any(|line| line.trim_start().starts_with("#[") && line.contains("test"))
}

#[test]
fn every_row_of_the_fault_matrix_names_tests_that_exist_and_counts_what_was_seen() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows = rows(&fs::read_to_string(root.join("docs/fault-matrix.md")).unwrap());
    assert!(rows.len() >= 25, "{} rows", rows.len());
    for row in rows {
        assert_eq!(row.len(), 7, "{row:?}");
        let tests = named(&row[1]);
        assert!(!tests.is_empty(), "no test: {row:?}");
        for (file, test) in tests {
            assert!(exists(root, &file, &test), "`{file}` has no test `{test}`");
        }
        assert!(row[2].contains(|c: char| c.is_ascii_digit()), "how much was tried: {row:?}");
        for count in &row[3..5] {
            let is_count = count.starts_with(|c: char| c.is_ascii_digit());
            assert!(is_count || count == "-", "a count, or - where there can be none: {row:?}");
        }
    }
}

#[test]
fn a_name_that_is_no_test_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(!exists(root, "tests/fault_matrix.rs", "rows"));
    assert!(!exists(root, "tests/fault_matrix.rs", "nobody_wrote_this"));
    assert!(!exists(root, "tests/nowhere.rs", "rows"));
    assert!(exists(root, "tests/fault_matrix.rs", "a_name_that_is_no_test_is_found"));
}
