//! The wall of screens: what a technician sees of screens, and tries on them, in two real browsers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{self, Browser};
use super::console_browser::{axe, is_there};
use super::content::Gallery;
use super::port::free_port;
use super::studio::demo_content;
use super::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);
const LOOKS: usize = 4;

/// Status, word of a refusal, head and size of a picture; colours at the middle of the pattern's bars, where it is one.
const LOOK: &str = "async (screen) => { const answer = await fetch(`/api/v1/wall/${screen}/picture`);\
    if (!answer.ok) return { status: answer.status, error: (await answer.json()).error };\
    const blob = await answer.blob(); const image = await createImageBitmap(blob);\
    const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;\
    const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);\
    const bar = (at) => [...pen.getImageData((at + 0.5) / 8 * image.width, image.height / 8, 1, 1).data].slice(0, 3);\
    return { status: 200, type: blob.type, bytes: blob.size, width: image.width, height: image.height,\
        cache: answer.headers.get('cache-control'), bars: [0, 1, 2, 3, 4, 5, 6, 7].map(bar) }; }";

fn look(page: &mut Browser, screen: &str) -> Value {
    page.value(&format!("({LOOK})({})", json!(screen)))
}

/// A screen with a browser whose debugging port is known; a dark one; a mirror that has a port of its own: whoever is
/// silent for long has their browser started anew, and it must not be another's.
fn opened() -> (Gallery, u16) {
    let debugging = free_port();
    let cdp = |port: u16| format!("cdp = \"127.0.0.1:{port}\"");
    let (own, others) = (cdp(debugging), cdp(free_port()));
    let mut gallery =
        Gallery::open(&[("screen-1", "signage", &own), ("screen-2", "signage", ""), ("mirror-1", "mirror", &others)]);
    gallery.put(&demo_content(), 1);
    (gallery, debugging)
}

#[test]
fn a_technician_sees_what_a_screen_shows_and_nobody_sees_a_mirror() {
    if !browser::is_there() {
        return;
    }
    let (mut gallery, debugging) = opened();
    let mut page = Browser::open_at(&gallery.shop.url("/s/screen-1"), "1280,720", debugging);
    page.wait_for("window.__state && __state.connected && __state.frames > 5", PATIENCE);
    gallery.done(Some("screen-1"), "show", &json!({ "scene": "screen:pattern" }));
    page.keep_shot("pattern");
    let seen = look(&mut page, "screen-1");
    eprintln!("a picture of {} bytes, {} × {}", seen["bytes"], seen["width"], seen["height"]);
    assert_eq!((&seen["type"], &seen["cache"]), (&json!("image/jpeg"), &json!("no-store")), "{seen}");
    assert_eq!(seen["width"], 960);
    assert!(seen["bytes"].as_u64().unwrap() < 500_000, "{seen}");
    // ITU-R BT.1729: white, yellow, cyan, green, magenta, red, blue, black. A JPEG is near it.
    let bars = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]];
    for (bar, wanted) in bars.iter().enumerate() {
        let is: Vec<i64> = serde_json::from_value(seen["bars"][bar].clone()).unwrap();
        let near = is.iter().zip(wanted).all(|(is, wanted)| (is - wanted * 255).abs() < 40);
        assert!(near, "bar {bar}: {is:?}, not {wanted:?}");
    }
    gallery.done(Some("screen-1"), "show", &json!({ "scene": "screen:identify", "for_ms": 700 }));
    page.wait_for("document.querySelector('.identify') || __state.marks === null", PATIENCE);
    page.wait_for("__state.marks === null && !document.querySelector('.mark')", PATIENCE);
    gallery.done(Some("screen-1"), "show", &json!({ "scene": "screen:shot" }));
    let before = page.value("__state.page");
    gallery.done(Some("screen-1"), "show", &json!({ "scene": "screen:reload" }));
    page.wait_for(&format!("window.__state && __state.page !== {before}"), PATIENCE);

    // Neither by its own name nor by the other's, wherever the browser is.
    let refused = |page: &mut Browser, screen: &str| look(page, screen)["error"].as_str().unwrap().to_owned();
    assert_eq!(refused(&mut page, "mirror-1"), "mirror-shows-people");
    assert_eq!(refused(&mut page, "screen-2"), "no-cdp");
    page.call("Page.navigate", &json!({ "url": gallery.shop.url("/s/mirror-1") }));
    page.wait_for("window.__state && __state.screen === 'mirror-1' && __state.connected", PATIENCE);
    assert_eq!(refused(&mut page, "mirror-1"), "mirror-shows-people");
    // waits: what was seen of the screen is kept for 3 s
    wait_until("it is another page", PATIENCE, || look(&mut page, "screen-1")["error"] == "another-page");
    let ended = gallery.ask(Some("mirror-1"), "show", &json!({ "scene": "screen:shot" }));
    assert_eq!(ended, ("refused".to_owned(), "mirror-shows-people".to_owned()));
    let dark = gallery.ask(Some("screen-2"), "show", &json!({ "scene": "screen:identify" }));
    assert_eq!(dark, ("refused".to_owned(), "no-page".to_owned()));
    assert_eq!(gallery.shop.status_of("/api/v1/wall/nowhere/picture"), Some(404));
}

#[test]
fn the_wall_can_be_seen_pressed_and_heard_in_both_languages() {
    if !browser::is_there() || !is_there("node") {
        return;
    }
    let (gallery, debugging) = opened();
    let mut page = Browser::open_at(&gallery.shop.url("/s/screen-1"), "1280,720", debugging);
    page.wait_for("window.__state && __state.connected && __state.plays.sent >= 1", PATIENCE);
    let shots = std::env::var_os("SMARTSTORE_SHOTS").map(PathBuf::from);
    let folder = shots.unwrap_or_else(|| gallery.shop.config().with_file_name("shots"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/wall.mjs");
    let mut command = Command::new("node");
    command.arg(script).args(["chromium", &gallery.shop.url("")]).arg(&folder).args(axe());
    let output = command.output().unwrap();
    let seen: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(seen["failed"], Value::Null, "{seen:#}");
    for what in ["complaints", "serious", "small", "wide"] {
        assert_eq!(seen[what], Value::Array(Vec::new()), "{what}");
    }
    let pictures = std::fs::read_dir(&folder).unwrap().flatten();
    assert!(pictures.filter(|file| file.file_name().to_string_lossy().contains("wall")).count() >= LOOKS);
    let story = seen["story"].as_array().unwrap();
    let told = |what: &str| &story.iter().find(|one| one["what"] == what).unwrap_or(&Value::Null)["value"];
    for (what, words) in [
        ("live", "live"),
        ("mirror", "nobody else sees that"),
        ("dark", "No picture"),
        ("played", " of "),
        ("identify", "done"),
        ("pattern", "done"),
        ("shot", "done"),
        ("reload", "done"),
    ] {
        assert!(told(what).as_str().is_some_and(|text| text.contains(words)), "{what}: {}", told(what));
    }
    assert_eq!((told("dark buttons"), told("picture")), (&json!(true), &json!(true)), "{seen:#}");
    let trail = gallery.shop.get("/api/v1/audit").unwrap();
    for scene in ["identify", "pattern", "shot", "reload"] {
        assert!(trail.contains(&format!("screen:{scene}")), "{trail}");
    }
}
