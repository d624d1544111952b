//! The console before a real browser: pressed through in both languages, bright and dark, on a phone and on a desk.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::market::{LANE, Market, SALE};
use super::simulator::lane;

/// What takes longer than this until something is to be seen has stalled. The aim is half a second on a machine that
/// does nothing else; how long it took is told.
const STALLED_MS: f64 = 20_000.0;
const VIEWS: usize = 7;
const LOOKS: usize = 4;

/// Where an axe-core lies that `scripts/install-node-tools` has put there. `None`, loudly, where that was not done.
pub(crate) fn axe() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let tools = std::env::var_os("SMARTSTORE_NODE_TOOLS").map_or_else(|| target.join("node-tools"), PathBuf::from);
    let axe = tools.join("browser/node_modules/axe-core/axe.min.js");
    if axe.exists() {
        return Some(axe);
    }
    eprintln!("SKIPPED in part: run scripts/install-node-tools first: no {}", axe.display());
    None
}

pub(crate) fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: {program} is not installed (scripts/install-packages test)");
    }
    there
}

fn told<'a>(seen: &'a Value, what: &str) -> &'a Value {
    let story = seen["story"].as_array().unwrap();
    story.iter().find(|one| one["what"] == what).map_or(&Value::Null, |one| &one["value"])
}

#[test]
fn every_view_can_be_seen_pressed_and_heard_in_both_languages() {
    if !is_there("chromium") || !is_there("node") {
        return;
    }
    let mut market = Market::open("xy-vmc", "", SALE, &["--lanes", "6"]);
    market.sell();
    let shots = std::env::var_os("SMARTSTORE_SHOTS").map(PathBuf::from);
    let folder = shots.unwrap_or_else(|| market.shop.config().with_file_name("shots"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/console.mjs");
    let url = format!("http://127.0.0.1:{}", market.shop.console());
    let mut browser = Command::new("node");
    browser.arg(script).args(["chromium", &url]).arg(&folder).args(axe());
    let output = browser.output().unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(seen["failed"], Value::Null, "{seen:#}");
    for what in ["complaints", "serious", "small", "wide"] {
        assert_eq!(seen[what], Value::Array(Vec::new()), "{what}");
    }
    let pictures = std::fs::read_dir(&folder).unwrap().flatten().filter(|file| file.path().extension().is_some());
    assert!(pictures.count() >= VIEWS * LOOKS);
    let before = seen["unscripted"].as_str().unwrap();
    for word in ["hz-wulin-001/gw-1", "Everything is well", "vending-1", "scanner-1", "running"] {
        assert!(before.contains(word), "{word} is not there before the scripts: {before}");
    }
    let paints: Vec<_> = seen["paints"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    let best = paints.iter().copied().fold(f64::INFINITY, f64::min);
    println!("first contentful paint of a cold page: {paints:?} ms");
    assert!(best <= STALLED_MS, "{paints:?}");
    story(&seen);
    assert_eq!(lane(&market.machine.totals(), LANE), (2, 2, 0), "one was sold, one was tried");
}

fn story(seen: &Value) {
    let has = |what: &str, word: &str| {
        let value = told(seen, what).to_string();
        assert!(value.contains(word), "{what}: {value}");
    };
    has("theme", "dark");
    has("title in Chinese", "概览");
    has("paused", "Paused");
    has("stock", "Set stock");
    has("without the tick", "true");
    has("dispensed", "Dispense test");
    has("mistake", "store.toml:1:1");
    has("apply is off", "true");
    has("changes", "scanner-9");
    has("first stop", "skip");
    has("by keyboard", "#");
    for row in ["config.rollback", "config.apply", "dispense vending-1", "stock.set vending-1"] {
        has("trail", row);
    }
    assert!(told(seen, "filtered").as_u64() >= Some(1) && told(seen, "diff").as_u64() >= Some(2), "{seen:#}");
}
