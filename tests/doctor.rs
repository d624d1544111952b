//! `smartstore doctor` on real files, a real line and a real listener.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn examine(folder: &Path, broker: &str, endpoint: &str) -> (Option<i32>, Vec<Value>) {
    let text = format!(
        "[store]\nid = \"s-1\"\ntimezone = \"Asia/Shanghai\"\n[gateway]\nid = \"gw-1\"\ndata_dir = \"data\"\n\
         clock = \"trusted\"\n[cloud]\nbroker = \"{broker}\"\n[[device]]\nid = \"scanner-1\"\n\
         profile = \"scanner/generic-serial\"\nendpoint = \"serial:{endpoint}\"\n"
    );
    let file = folder.join("store.toml");
    std::fs::write(&file, text).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_smartstore")).args(["doctor", "--json", "--config"]).arg(&file).output();
    let output = output.unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout).expect("one JSON array");
    (output.status.code(), findings.as_array().unwrap().clone())
}

fn result<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    let found = findings.iter().find(|finding| finding["check"] == check).expect(check);
    for field in ["target", "message", "help"] {
        assert!(found[field].is_string(), "{found}");
    }
    found
}

#[test]
fn what_is_missing_fails_with_what_to_do_and_what_is_there_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let (code, findings) = examine(folder.path(), "mqtt://127.0.0.1:1", "/dev/no-such-line");
    assert_eq!(code, Some(1));
    assert_eq!(result(&findings, "data_dir")["result"], "warn");
    assert_eq!(result(&findings, "clock")["result"], "ok");
    let device = result(&findings, "device");
    assert_eq!(device["result"], "fail");
    assert!(!device["help"].as_str().unwrap().is_empty());
    let broker = result(&findings, "broker");
    assert!(broker["result"] == "fail" && broker["message"].as_str().unwrap().contains("cloud.away"), "{broker}");

    std::fs::create_dir(folder.path().join("data")).unwrap();
    // A line that everybody may open stands in for the scanner's.
    let (code, findings) = examine(folder.path(), "mqtt://127.0.0.1:1", "/dev/null");
    assert_eq!(code, Some(1), "the broker is still not there");
    assert_eq!(result(&findings, "data_dir")["result"], "ok");
    assert_ne!(result(&findings, "device")["result"], "fail");
}

#[test]
fn a_broken_configuration_ends_with_78() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.toml");
    std::fs::write(&file, "[store\n").unwrap();
    let ended =
        Command::new(env!("CARGO_BIN_EXE_smartstore")).args(["doctor", "--config"]).arg(&file).output().unwrap();
    assert_eq!(ended.status.code(), Some(78));
}
