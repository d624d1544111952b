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

/// Code and message of every mistake in a configuration with these devices.
#[cfg(any(feature = "device-screen", feature = "device-footfall"))]
fn found(devices: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.toml");
    let head = "[store]\nid = \"s\"\ntimezone = \"UTC\"\n[gateway]\nid = \"g\"\ndata_dir = \"data\"\n";
    std::fs::write(&file, format!("{head}{devices}")).unwrap();
    match config::load(&file, None) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.diagnostics.iter().map(|one| format!("{} {}", one.code, one.message)).collect(),
    }
}

#[test]
#[cfg(feature = "device-screen")]
fn two_screens_are_not_in_one_browser() {
    let screen = |id: &str, port: u16| {
        format!(
            "[[device]]\nid = \"{id}\"\nprofile = \"screen/signage\"\nendpoint = \"screen:\"\n[device.settings]\n\
             cdp = \"127.0.0.1:{port}\"\n"
        )
    };
    assert_eq!(found(&(screen("screen-1", 9222) + &screen("screen-2", 9223))), Vec::<String>::new());
    let expected = "duplicate-endpoint \"screen-1\" has the browser at 127.0.0.1:9222 already";
    assert_eq!(found(&(screen("screen-1", 9222) + &screen("screen-2", 9222))), [expected]);
}

#[test]
#[cfg(feature = "device-footfall")]
fn a_sensor_is_counted_by_another_sensor_that_is_there() {
    let sensor = |id: &str, port: u16, by: &str| {
        let by = if by.is_empty() { String::new() } else { format!("[device.settings]\ncounted_by = \"{by}\"\n") };
        format!(
            "[[device]]\nid = \"{id}\"\nprofile = \"footfall/mncats-tz001\"\nendpoint = \"udp:127.0.0.1:{port}\"\n{by}"
        )
    };
    let scanner = "[[device]]\nid = \"till\"\nprofile = \"scanner/gm65\"\nendpoint = \"serial:/dev/ttyUSB0\"\n";
    assert_eq!(found(&(sensor("door", 9002, "") + &sensor("back", 9003, "door"))), Vec::<String>::new());
    for (devices, expected) in [
        (sensor("back", 9003, "door"), "wrong-speaker there is no device \"door\""),
        (sensor("back", 9003, "back"), "wrong-speaker \"back\" cannot speak for itself in this way"),
        (sensor("back", 9003, "till") + scanner, "wrong-speaker \"till\" is another kind of device"),
        (
            sensor("a", 1, "") + &sensor("b", 2, "a") + &sensor("c", 3, "b"),
            "wrong-speaker another device speaks for \"b\", too",
        ),
    ] {
        assert_eq!(found(&devices), [expected]);
    }
}
