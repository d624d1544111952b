//! Signed content with a real daemon, a real broker and a web server: it comes into force as a whole, whatever dies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::studio::{Studio, configure, demo_content};
use super::subscriber::{Subscriber, publish};
use super::{Dice, kills_wanted, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const COMMANDS: &str = "smartstore/v1/hz-wulin-001/gw-1/commands";
const FOREVER: &str = "2099-01-01T00:00:00Z";

/// A shop with screens, a cloud that speaks to it, and somebody who makes content.
pub(crate) struct Gallery {
    pub(crate) shop: Shop,
    pub(crate) subscriber: Subscriber,
    pub(crate) broker: Mosquitto,
    pub(crate) studio: Studio,
    asked: u32,
    _folder: tempfile::TempDir,
}

impl Gallery {
    pub(crate) fn open(screens: &[(&str, &str, &str)]) -> Self {
        Self::open_with(screens, "")
    }

    /// The same, with more in its configuration.
    pub(crate) fn open_with(screens: &[(&str, &str, &str)], more: &str) -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let mut shop = Shop::new(home, "scanner/generic-serial", Some(&broker.url()));
        let studio = Studio::open();
        configure(&shop, &format!("{}{more}", studio.configuration(screens)));
        shop.start();
        Self { shop, subscriber, broker, studio, asked: 0, _folder: folder }
    }

    /// Files a command; its id.
    pub(crate) fn send(&mut self, device: Option<&str>, action: &str, args: &Value) -> String {
        self.asked += 1;
        let id = format!("c-{}", self.asked);
        self.send_again(&id, device, action, args);
        id
    }

    fn send_again(&self, id: &str, device: Option<&str>, action: &str, args: &Value) {
        let mut command = json!({ "id": id, "action": action, "args": args, "not_after": FOREVER });
        if let Some(device) = device {
            command["device"] = json!(device);
        }
        publish(self.broker.port(), COMMANDS, &command.to_string());
    }

    /// How a command ended: its word and its reason.
    pub(crate) fn end_of(&self, id: &str) -> Option<(String, String)> {
        self.subscriber.look(|got| {
            let mut ends = got.of_type("command.ended.v1");
            let end = ends.find(|event| event["data"]["command"] == *id)?["data"].clone();
            let word = |key: &str| end[key].as_str().unwrap_or_default().to_owned();
            Some((word("ended"), word("reason")))
        })
    }

    pub(crate) fn ask(&mut self, device: Option<&str>, action: &str, args: &Value) -> (String, String) {
        let id = self.send(device, action, args);
        let mut asked = Instant::now();
        wait_until(&format!("the end of {action} {args}"), PATIENCE, || {
            // The gateway may not have subscribed yet. The same command again never acts again.
            if asked.elapsed() > Duration::from_secs(5) {
                self.send_again(&id, device, action, args);
                asked = Instant::now();
            }
            self.end_of(&id).is_some()
        });
        self.end_of(&id).unwrap()
    }

    pub(crate) fn done(&mut self, device: Option<&str>, action: &str, args: &Value) {
        assert_eq!(self.ask(device, action, args), ("done".to_owned(), String::new()), "{action} {args}");
    }

    pub(crate) fn put(&mut self, source: &std::path::Path, rev: u64) {
        let args = self.studio.pack(source, &format!("rev-{rev}"), rev);
        self.done(None, "content.put", &args);
    }

    /// What a screen shows.
    pub(crate) fn program(&self, screen: &str) -> Value {
        let text = self.shop.get(&format!("/api/v1/screens/{screen}/program")).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether every file that a program names is there and is what its name says.
fn is_whole(gallery: &Gallery, program: &Value) -> bool {
    let assets: BTreeMap<String, String> = serde_json::from_value(program["assets"].clone()).unwrap();
    assets.keys().all(|name| {
        let body = gallery.shop.get(&format!("/cas/{name}")).unwrap_or_default();
        sha256(body.as_bytes()) == *name
    })
}

#[test]
fn content_that_is_killed_at_any_moment_is_the_old_or_the_new_and_always_whole() {
    let mut dice = Dice::thrown("content");
    let mut gallery = Gallery::open(&[("screen-1", "signage", "")]);
    assert_eq!(gallery.program("screen-1")["rev"], 0);
    gallery.put(&demo_content(), 1);
    let mut rev = 1;
    for round in 0..kills_wanted() {
        // Other drawings every time: each has to be fetched.
        let source = gallery.studio.source(|content| content["items"]["tea"]["dur_ms"] = json!(5000 + round));
        for entry in source.read_dir().unwrap().flatten().filter(|entry| entry.path().extension().unwrap() == "svg") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            std::fs::write(entry.path(), format!("{text}<!-- {round} -->\n")).unwrap();
        }
        let args = gallery.studio.pack(&source, &format!("round-{round}"), rev + 1);
        let id = gallery.send(None, "content.put", &args);
        // waits: how long is the story
        std::thread::sleep(dice.millis(0, 120));
        gallery.shop.kill();
        gallery.shop.start();
        let program = gallery.program("screen-1");
        let found = program["rev"].as_u64().unwrap();
        assert!(found == rev || found == rev + 1, "round {round}: {found} is neither {rev} nor {}", rev + 1);
        assert!(is_whole(&gallery, &program), "round {round}");
        wait_until("the command goes on after the kill", PATIENCE, || gallery.end_of(&id).is_some());
        assert_eq!(gallery.end_of(&id).unwrap().0, "done", "round {round}");
        rev += 1;
        let program = gallery.program("screen-1");
        assert_eq!(program["rev"].as_u64(), Some(rev));
        assert!(is_whole(&gallery, &program), "round {round}");
    }
    let received = gallery.subscriber.received();
    assert_eq!((received.problems.clone(), received.numbering_problems()), (Vec::new(), Vec::new()));
}

#[test]
fn nothing_of_a_url_becomes_a_file_and_parts_are_what_was_asked_for() {
    let mut gallery = Gallery::open(&[("screen-1", "signage", "")]);
    gallery.put(&demo_content(), 1);
    let program = gallery.program("screen-1");
    let name = program["items"]["welcome"]["asset"].as_str().unwrap().to_owned();
    let drawing = std::fs::read(demo_content().join("welcome.svg")).unwrap();
    let length = drawing.len();
    for path in [
        "/cas/../journal.db".to_owned(),
        "/cas/..%2f..%2fjournal.db".to_owned(),
        "/cas/%2e%2e/active.jws".to_owned(),
        format!("/cas/{}", name.to_uppercase()),
        format!("/cas/{name}0"),
        format!("/cas/{}", &name[1..]),
        format!("/cas/{}", "0".repeat(64)),
        "/s/screen-1/app/..%2fmod.rs".to_owned(),
        "/s/screen-2".to_owned(),
        "/s/..%2f..%2f".to_owned(),
    ] {
        assert_eq!(gallery.shop.status_of(&path), Some(404), "{path}");
    }
    let ask = |range: &str| gallery.shop.get_with(&format!("/cas/{name}"), &format!("Range: {range}\r\n")).unwrap();
    let last = length - 1;
    for (range, status, content_range, body) in [
        ("bytes=0-0", 206, format!("bytes 0-0/{length}"), &drawing[..1]),
        ("bytes=-50", 206, format!("bytes {}-{last}/{length}", length - 50), &drawing[length - 50..]),
        ("bytes=5-", 206, format!("bytes 5-{last}/{length}"), &drawing[5..]),
        ("bytes=0-999999", 206, format!("bytes 0-{last}/{length}"), &drawing[..]),
        (&format!("bytes={length}-"), 416, format!("bytes */{length}"), &[]),
        ("bytes=-0", 416, format!("bytes */{length}"), &[]),
        ("bytes=1-2,4-5", 200, String::new(), &drawing[..]),
    ] {
        let answer = ask(range);
        let (head, found) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{range}: {head}");
        assert_eq!(found.as_bytes(), body, "{range}");
        assert!(head.contains(&format!("content-range: {content_range}")) || status == 200, "{range}: {head}");
        assert!(head.contains(&format!("etag: \"{name}\"")) && head.contains("immutable"), "{head}");
    }
    let again = gallery.shop.get_with(&format!("/cas/{name}"), &format!("If-None-Match: \"{name}\"\r\n")).unwrap();
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
}

#[test]
fn forged_outdated_and_unreachable_content_leaves_the_screens_as_they_are() {
    let mut gallery = Gallery::open(&[("screen-1", "signage", "")]);
    let none = gallery.ask(None, "content.put", &json!({ "url": "file:///etc/passwd", "sha256": "0".repeat(64) }));
    assert_eq!(none, ("refused".to_owned(), "bad-args".to_owned()));
    gallery.put(&demo_content(), 5);
    let older = gallery.studio.pack(&demo_content(), "older", 4);
    let stranger = Studio::open();
    let foreign = stranger.pack(&demo_content(), "foreign", 9);
    let mut wrong = gallery.studio.pack(&demo_content(), "wrong", 9);
    wrong["sha256"] = json!("0".repeat(64));
    for (args, why) in [(older, "outdated"), (foreign, "forged"), (wrong, "digest")] {
        assert_eq!(gallery.ask(None, "content.put", &args), ("refused".to_owned(), why.to_owned()));
        assert_eq!(gallery.program("screen-1")["rev"], 5);
    }
    let standing = |gallery: &Gallery| gallery.shop.get("/health").unwrap().contains("content.missing");
    wait_until("the console says so", PATIENCE, || standing(&gallery));
    gallery.put(&demo_content(), 10);
    wait_until("it is over", PATIENCE, || !standing(&gallery));
}
