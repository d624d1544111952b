//! `smartstore check` and `schema`, the real binary: exit codes, what goes to which stream, and configurations broken
//! in more than twenty ways, with the profiles and kinds of the release.

#![cfg(feature = "device-scanner")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this crate is a test")]

use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = "\
[store]
id = \"hz-wulin-001\"
timezone = \"Asia/Shanghai\"
[gateway]
id = \"gw-1\"
[cloud]
broker = \"mqtt://127.0.0.1:1883\"
[console]
listen = \"127.0.0.1:8480\"
[codes]
member = \"^M[0-9]{8,}$\"
[[device]]
id = \"scanner-1\"
profile = \"scanner/gm65\"
endpoint = \"serial:/dev/ttyUSB0\"
[device.settings]
mode = \"continuous\"
[[station]]
id = \"till-1\"
flow = \"redeem\"
scanner = \"scanner-1\"
";

/// What is replaced in the good file, by what, and what `check` must say: code and line.
const BROKEN: &[(&str, &str, &str, u64)] = &[
    ("[store]", "[store", "syntax", 1),
    ("\"hz-wulin-001\"", "hz-wulin-001", "syntax", 2),
    ("\"hz-wulin-001\"", "\"HZ Wulin\"", "invalid-value", 2),
    ("\"hz-wulin-001\"", "1", "wrong-type", 2),
    ("timezone", "time_zone", "unknown-key", 3),
    ("Asia/Shanghai", "China/Shanghai", "unknown-timezone", 3),
    ("[gateway]\nid = \"gw-1\"\n", "", "missing-key", 1),
    ("id = \"gw-1\"", "clock = \"kernel\"", "missing-key", 4),
    ("id = \"gw-1\"", "id = \"gw-1\"\nclock = \"gps\"", "invalid-value", 6),
    ("id = \"gw-1\"", "id = \"gw-1\"\nid = \"gw-2\"", "duplicate-key", 6),
    ("[cloud]", "[clowd]", "unknown-key", 6),
    ("mqtt://127.0.0.1:1883", "http://127.0.0.1:1883", "invalid-value", 7),
    ("mqtt://127.0.0.1:1883", "mqtt://127.0.0.1:188333", "invalid-value", 7),
    ("1883\"", "1883\"\npassword_file = \"/nowhere/password\"", "file-missing", 8),
    ("127.0.0.1:8480", "0.0.0.0:8480", "console-open", 9),
    ("127.0.0.1:8480", "localhost", "invalid-value", 9),
    ("^M[0-9]{8,}$", "^M[0-9{8,}$", "invalid-value", 11),
    ("[[device]]", "[device]", "wrong-type", 12),
    ("scanner/gm65", "scanner/gm56", "unknown-profile", 14),
    ("serial:/dev", "seriel:/dev", "invalid-value", 15),
    ("serial:/dev", "evdev:/dev", "wrong-endpoint", 15),
    ("ttyUSB0\"", "ttyUSB0\"\nbaud = 9600", "unknown-key", 16),
    ("\"continuous\"", "\"continous\"", "invalid-value", 17),
    ("mode = \"continuous\"", "baud = \"fast\"", "wrong-type", 17),
    ("mode = \"continuous\"", "baud = 5", "out-of-range", 17),
    ("\"redeem\"", "\"redeam\"", "invalid-value", 20),
    ("scanner = \"scanner-1\"", "screen = \"scanner-1\"", "missing-key", 18),
    ("scanner = \"scanner-1\"", "scanner = \"scanner-2\"", "unknown-device", 21),
    ("scanner = \"scanner-1\"", "scanner = \"scanner-1\"\nmachine = \"scanner-1\"", "unknown-role", 22),
];

fn smartstore(arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartstore"));
    command.args(arguments).arg(file).output().expect("the binary starts")
}

fn write(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Exit code and the JSON array of a run of `check --json`.
fn check(text: &str) -> (Option<i32>, Vec<serde_json::Value>) {
    let output = smartstore(&["check", "--json"], write(text).path());
    let list = serde_json::from_slice(&output.stdout).expect("one JSON array on stdout");
    (output.status.code(), list)
}

#[test]
fn a_good_configuration_ends_with_0_and_no_mistake() {
    assert_eq!(check(GOOD), (Some(0), Vec::new()));
}

#[test]
fn each_broken_configuration_ends_with_78_and_names_the_mistake_at_its_line() {
    for (from, to, code, line) in BROKEN {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} is in the good file");
        let (exit, mistakes) = check(&text);
        assert_eq!(exit, Some(78), "{to}");
        let named = mistakes.iter().any(|mistake| mistake["code"] == *code && mistake["line"] == *line);
        assert!(named, "{to}: {code} in line {line}, not {mistakes:#?}");
        for key in ["file", "line", "column", "severity", "code", "message", "help"] {
            assert!(!mistakes[0][key].is_null(), "{key} in {mistakes:?}");
        }
    }
}

#[test]
fn mistakes_that_do_not_touch_each_other_are_all_named_in_one_run() {
    // Not the profile: without it nobody knows which settings there are.
    let together = [2, 5, 8, 11, 14, 16, 19, 21, 22, 25];
    let mut text = GOOD.to_owned();
    for index in together {
        let (from, to, ..) = BROKEN[index];
        text = text.replacen(from, to, 1);
    }
    let (exit, mistakes) = check(&text);
    assert_eq!(exit, Some(78));
    let mut expected: Vec<&str> = together.iter().map(|index| BROKEN[*index].2).collect();
    let mut found: Vec<&str> = mistakes.iter().map(|mistake| mistake["code"].as_str().unwrap()).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn people_are_shown_the_text_and_machines_only_json() {
    let file = write(&GOOD.replace("scanner/gm65", "scanner/gm56"));
    let output = smartstore(&["check"], file.path());
    let shown = String::from_utf8(output.stdout).unwrap();
    for part in [":14:11", "profile = \"scanner/gm56\"", "^^^^", "did you mean \"scanner/gm65\"?"] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    let output = smartstore(&["check", "--json"], file.path());
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 mistake"));
}

#[test]
fn the_effective_configuration_is_itself_good_and_effective() {
    let output = smartstore(&["check", "--effective"], write(GOOD).path());
    assert_eq!(output.status.code(), Some(0));
    let effective = String::from_utf8(output.stdout).unwrap();
    assert!(effective.contains("max_size = \"512MiB\"") && effective.contains("clock = \"kernel\""), "{effective}");
    let again = smartstore(&["check", "--effective"], write(&effective).path());
    assert_eq!(String::from_utf8(again.stdout).unwrap(), effective);
}

#[test]
fn a_file_that_is_not_there_ends_with_78() {
    let output = smartstore(&["check"], Path::new("/nowhere/store.toml"));
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stdout).unwrap().contains("there is no such file"));
}

#[test]
fn profiles_asked_for_come_first() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("scanner")).unwrap();
    std::fs::write(dir.path().join("scanner/gm65.toml"), "kind = \"scanner.laser\"\n").unwrap();
    let output = smartstore(&["check", "--json", "--profiles", dir.path().to_str().unwrap()], write(GOOD).path());
    assert_eq!(output.status.code(), Some(78));
    let mistakes: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(mistakes[0]["code"], "unknown-kind");
    assert_eq!(mistakes[0]["file"], dir.path().join("scanner/gm65.toml").to_str().unwrap());
}

#[test]
fn a_reader_that_goes_away_is_nobodys_mistake() {
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_smartstore"))
        .args(["schema", "config"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
}
