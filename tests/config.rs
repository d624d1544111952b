//! The configuration as others see it: the committed schemas, the example, the profiles that must exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this crate is a test")]

use std::path::{Path, PathBuf};

use smartstore::config;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn assert_fresh(schema: &schemars::Schema, name: &str) {
    let path = format!("device-profiles/schema/{name}.json");
    let committed = std::fs::read_to_string(repository(&path)).unwrap_or_default();
    let fresh = serde_json::to_string_pretty(schema).unwrap() + "\n";
    assert!(committed == fresh, "{path} is out of date: run `cargo run -q -- schema {name} > {path}` and commit it");
}

#[test]
#[cfg(feature = "devices-all")]
fn the_committed_schemas_are_those_of_the_types() {
    assert_fresh(&config::config_schema(), "config");
    assert_fresh(&config::profile_schema(), "profile");
}

#[test]
#[cfg(feature = "device-scanner")]
fn the_example_is_valid() {
    let path = repository("docs/store.example.toml");
    let loaded = config::load(&path, None).unwrap_or_else(|refused| {
        panic!("{}", config::text(&refused.diagnostics, &refused.sources, false));
    });
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.store.devices.len(), 2);
}

#[test]
fn the_example_names_every_key_of_the_schema() {
    let example = std::fs::read_to_string(repository("docs/store.example.toml")).unwrap();
    let schema = config::config_schema();
    let sections = ["store", "gateway", "cloud", "console", "journal", "codes"];
    for section in sections {
        let keys = schema.pointer(&format!("/properties/{section}/properties")).unwrap().as_object().unwrap();
        for key in keys.keys() {
            assert!(example.contains(&format!("{key} = ")), "[{section}] {key} is not in docs/store.example.toml");
        }
    }
}

#[test]
#[cfg(feature = "device-scanner")]
fn every_profile_of_the_repository_makes_a_device() {
    let family = repository("device-profiles/scanner");
    let mut count = 0;
    for entry in std::fs::read_dir(family).unwrap() {
        let file_name = entry.unwrap().file_name();
        let name = file_name.to_str().unwrap().strip_suffix(".toml").unwrap().to_owned();
        let endpoint = if name.contains("hid") { "evdev:/dev/input/event0" } else { "serial:/dev/ttyUSB0" };
        let text = format!(
            "[store]\nid = \"s\"\ntimezone = \"UTC\"\n[gateway]\nid = \"g\"\n\
             [[device]]\nid = \"d\"\nprofile = \"scanner/{name}\"\nendpoint = \"{endpoint}\"\n"
        );
        let loaded = config::load_text(&text, Path::new("store.toml"), Path::new("/nowhere"), None);
        if let Err(refused) = loaded {
            panic!("{}", config::text(&refused.diagnostics, &refused.sources, false));
        }
        count += 1;
    }
    assert!(count >= 3, "the three scanner profiles of the contract, not {count}");
}
