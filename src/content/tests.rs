//! The desk against servers that are wrong in every way, and a folder that was left in any state.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::shelf::digest_of;
use super::{Content, Settings, open};
use crate::clock::{Clock, Trust};
use crate::journal::{Intake, Journal};
use crate::observe::Conditions;
use crate::types::{
    Action, Assigned, Body, Command, CommandId, Condition, ContentSource, Ended, KeyId, Observation, Origin, Row,
    ScreenOverride,
};
use crate::wire::screen::seal;

/// How a server misbehaves with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It breaks off after so many bytes of every answer.
    BreaksOff(usize),
    /// The same, and it does not know ranges.
    BreaksOffDeaf(usize),
    /// Another byte at this place.
    Wrong(usize),
    /// More than was promised.
    Endless,
    /// 404.
    Gone,
}

type Files = Arc<Mutex<BTreeMap<String, (Vec<u8>, Option<Fault>)>>>;

/// A web server, and what it was asked for: paths and ranges.
struct Web {
    address: String,
    files: Files,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/autumn", listener.local_addr().unwrap());
        let web = Self { address, files: Files::default(), asked: Arc::default() };
        let (files, asked) = (Arc::clone(&web.files), Arc::clone(&web.asked));
        std::thread::spawn(move || {
            for line in listener.incoming() {
                let mut line = line.unwrap();
                let mut head = vec![0; 4096];
                let length = line.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
                let target = head.split([' ', '?']).nth(1).unwrap_or_default();
                let path = target.trim_start_matches("/autumn/").to_owned();
                let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'));
                asked.lock().unwrap().push(format!("{path} {}", range.unwrap_or("")));
                let file = files.lock().unwrap().get(&path).cloned();
                let _ = line.write_all(&answer(file, range.and_then(|from| from.parse().ok())));
            }
        });
        web
    }

    fn put(&self, path: &str, bytes: &[u8], fault: Option<Fault>) {
        self.files.lock().unwrap().insert(path.to_owned(), (bytes.to_vec(), fault));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(file: Option<(Vec<u8>, Option<Fault>)>, from: Option<usize>) -> Vec<u8> {
    let Some((mut bytes, fault)) = file.filter(|(_, fault)| *fault != Some(Fault::Gone)) else {
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    };
    let whole = bytes.len();
    if let Some(Fault::Wrong(place)) = fault {
        bytes[place] ^= 1;
    }
    if fault == Some(Fault::Endless) {
        bytes.extend([b'x'; 4096]);
    }
    let from = from.filter(|from| *from < whole && !matches!(fault, Some(Fault::BreaksOffDeaf(_))));
    let (head, body) = match from {
        Some(from) => {
            (format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{whole}", whole - 1), &bytes[from..])
        }
        None => ("200 OK".to_owned(), &bytes[..]),
    };
    let sent = match fault {
        Some(Fault::BreaksOff(most) | Fault::BreaksOffDeaf(most)) => &body[..most.min(body.len())],
        _ => body,
    };
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), sent].concat()
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// A signed manifest of these drawings.
fn manifest(rev: u64, drawings: &[&[u8]]) -> Vec<u8> {
    let assets: Vec<_> = drawings
        .iter()
        .map(|bytes| format!("\"{}\":{{\"bytes\":{},\"type\":\"image/svg+xml\"}}", digest_of(bytes), bytes.len()))
        .collect();
    let json = format!(
        "{{\"format\":\"smartstore-content/1\",\"rev\":{rev},\"assets\":{{{}}},\
         \"layouts\":{{\"full\":[{{\"id\":\"main\",\"x\":0,\"y\":0,\"w\":1,\"h\":1}}]}},\
         \"screens\":{{\"*\":\"full\"}}}}",
        assets.join(",")
    );
    signed("content-1", json.as_bytes(), &key())
}

fn signed(name: &str, json: &[u8], key: &Ed25519KeyPair) -> Vec<u8> {
    let sign = |bytes: &[u8]| key.sign(bytes).as_ref().try_into().unwrap();
    seal(&KeyId::new(name).unwrap(), json, sign).into_bytes()
}

/// A desk at work.
struct Shop {
    folder: tempfile::TempDir,
    journal: Journal,
    conditions: Conditions,
    content: Content,
    clock: Clock,
    puts: mpsc::Sender<Assigned>,
    overrides: mpsc::Sender<Assigned>,
    stop: CancellationToken,
    _settings: watch::Sender<Settings>,
    web: Web,
    asked: u32,
}

fn settings() -> Settings {
    let public = key().public_key().as_ref().try_into().unwrap();
    Settings { keys: BTreeMap::from([(KeyId::new("content-1").unwrap(), public)]), max_bytes: 1 << 20 }
}

impl Shop {
    fn open_in(folder: tempfile::TempDir, web: Web) -> Self {
        let clock = Clock::system(Trust::Trusted);
        let conditions = Conditions::new(clock.clone());
        let (journal, _) = Journal::open(crate::journal::Settings::new(folder.path()), clock.clone()).unwrap();
        let opened = open(&folder.path().join("content"), &settings()).unwrap();
        let content = opened.content.clone();
        let given = watch::Sender::new(settings());
        let (desk, herald) = opened.staff(journal.clone(), clock.clone(), conditions.clone(), given.subscribe());
        let ((puts, asked), (overrides, said)) = (mpsc::channel(4), mpsc::channel(4));
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "a test's own tasks")]
        {
            tokio::spawn(desk.serve(asked, stop.clone()));
            tokio::spawn(herald.serve(said, stop.clone()));
        }
        let _settings = given;
        Self { folder, journal, conditions, content, clock, puts, overrides, stop, _settings, web, asked: 0 }
    }

    fn new() -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), Web::open())
    }

    async fn reopened(self) -> Self {
        self.stop.cancel();
        self.journal.close().await.unwrap();
        Self::open_in(self.folder, self.web)
    }

    /// How a command ended, which may take `within`.
    async fn ask(&mut self, action: Action, within: Duration) -> Ended {
        self.asked += 1;
        let command = CommandId::new(&format!("c-{}-{}", self.asked, self.clock.random_uuid())).unwrap();
        let to = if matches!(action, Action::ContentPut(_)) { &self.puts } else { &self.overrides };
        let deadline = self.clock.now() + within;
        let not_after = self.clock.wall().0.plus(LONG);
        let filed =
            Command { id: command.clone(), device: None, action: action.clone(), not_after, origin: Origin::Cloud };
        self.journal.accept(Intake::Command(filed)).await.unwrap();
        to.send(Assigned { command: command.clone(), action, deadline }).await.unwrap();
        let mut head = self.journal.head();
        loop {
            let events = self.journal.after(Row(0), 500).await.unwrap();
            let mut ended = events.iter().filter_map(|event| match &event.draft.body {
                Body::Observed(Observation::Ended(outcome)) if outcome.command == command => {
                    Some(outcome.ended.clone())
                }
                _ => None,
            });
            if let Some(ended) = ended.next() {
                return ended;
            }
            tokio::time::timeout(Duration::from_secs(30), head.changed()).await.expect("it ends").unwrap();
        }
    }

    async fn put(&mut self, text: &[u8], within: Duration) -> Ended {
        self.web.put("content.jws", text, None);
        let url = format!("{}/content.jws?token=a/b", self.web.address);
        self.ask(Action::ContentPut(ContentSource { url, sha256: digest_of(text) }), within).await
    }

    fn file(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut file, _) = self.content.file(digest_of(bytes)).ok()?;
        let mut found = Vec::new();
        file.read_to_end(&mut found).unwrap();
        Some(found)
    }

    fn complains(&self) -> bool {
        self.conditions.standing().iter().any(|standing| standing.condition == Condition::ContentMissing)
    }

    fn names(&self, folder: &str) -> usize {
        fs::read_dir(self.folder.path().join("content").join(folder)).unwrap().count()
    }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1500);

fn refused(why: &str) -> Ended {
    Ended::Refused(crate::types::Reason::new(why))
}

fn failed(why: &str) -> Ended {
    Ended::Failed(crate::types::Reason::new(why))
}

#[tokio::test]
async fn content_comes_into_force_as_a_whole_and_outlives_the_process() {
    let mut shop = Shop::new();
    let drawings: [&[u8]; 3] = [b"<svg>one</svg>", b"<svg>two</svg>", &[b'x'; 70_000]];
    for drawing in &drawings {
        shop.web.put(&format!("assets/{}", digest_of(drawing)), drawing, None);
    }
    assert_eq!(shop.content.active().rev(), 0);
    assert_eq!(shop.put(&manifest(5, &drawings[..2]), LONG).await, Ended::Done);
    assert_eq!((shop.content.active().rev(), shop.file(drawings[1]).as_deref()), (5, Some(drawings[1])));
    assert!(shop.file(drawings[2]).is_none(), "it is no part of it");

    shop.web.asked();
    assert_eq!(shop.put(&manifest(6, &drawings[1..]), LONG).await, Ended::Done);
    assert_eq!(shop.web.asked().len(), 2, "what is here is not fetched again");
    let mut shop = shop.reopened().await;
    assert_eq!((shop.content.active().rev(), shop.file(drawings[2]).as_deref()), (6, Some(drawings[2])));
    assert_eq!(shop.put(&manifest(5, &drawings[..2]), LONG).await, refused("outdated"));
    assert_eq!(shop.put(&manifest(6, &drawings[..2]), LONG).await, refused("outdated"), "one revision is one content");
    assert_eq!(shop.put(&manifest(6, &drawings[1..]), LONG).await, Ended::Done, "the same again");
    assert_eq!(shop.put(&manifest(7, &[]), LONG).await, Ended::Done);
    assert_eq!(shop.put(&manifest(8, &[]), LONG).await, Ended::Done);
    assert_eq!((shop.names("cas"), shop.names("part")), (0, 0), "what nobody has any more is gone");
}

#[tokio::test]
async fn a_file_that_breaks_off_is_gone_on_with() {
    let mut shop = Shop::new();
    let film = (0..50_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    let path = format!("assets/{}", digest_of(&film));
    shop.web.put(&path, &film, Some(Fault::BreaksOff(90_000)));
    assert_eq!(shop.put(&manifest(1, &[&film]), LONG).await, Ended::Done);
    let asked = shop.web.asked();
    assert_eq!(asked[1..], [format!("{path} "), format!("{path} 90000"), format!("{path} 180000")]);

    // A later command goes on where an earlier one, of an earlier process, gave up.
    let (film, half) = (film[1..].to_vec(), film.len() / 2);
    let path = format!("assets/{}", digest_of(&film));
    shop.web.put(&path, &film, Some(Fault::BreaksOff(half)));
    assert_eq!(shop.put(&manifest(2, &[&film]), Duration::from_millis(200)).await, failed("unreachable"));
    let mut shop = shop.reopened().await;
    shop.web.asked();
    assert_eq!(shop.put(&manifest(2, &[&film]), LONG).await, Ended::Done);
    assert_eq!(shop.web.asked()[1], format!("{path} {half}"));
}

#[tokio::test]
async fn a_server_that_lies_changes_nothing_on_the_screens() {
    let mut shop = Shop::new();
    let (good, drawing) = (b"<svg>good</svg>".as_slice(), b"<svg>new</svg>".as_slice());
    shop.web.put(&format!("assets/{}", digest_of(good)), good, None);
    assert_eq!(shop.put(&manifest(1, &[good]), LONG).await, Ended::Done);
    let path = format!("assets/{}", digest_of(drawing));
    for (fault, why) in [
        (Fault::Wrong(3), "digest"),
        (Fault::Endless, "unreachable"),
        (Fault::Gone, "unreachable"),
        (Fault::BreaksOffDeaf(3), "unreachable"),
        (Fault::BreaksOff(0), "unreachable"),
    ] {
        shop.web.put(&path, drawing, Some(fault));
        assert_eq!(shop.put(&manifest(2, &[good, drawing]), SHORT).await, failed(why), "{fault:?}");
        assert_eq!((shop.content.active().rev(), shop.file(good).as_deref()), (1, Some(good)));
        assert!(shop.complains() && shop.file(drawing).is_none(), "{fault:?}");
    }
    shop.web.put(&path, drawing, None);
    assert_eq!(shop.put(&manifest(2, &[good, drawing]), LONG).await, Ended::Done);
    assert!(!shop.complains());
}

#[tokio::test]
async fn what_nobody_trusted_has_signed_is_not_even_fetched() {
    let mut shop = Shop::new();
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let json = b"{\"format\":\"smartstore-content/1\",\"rev\":1,\"layouts\":{},\"screens\":{}}";
    for (text, why) in [
        (signed("content-1", json, &other), "forged"),
        (signed("content-2", json, &key()), "unknown-key"),
        (signed("content-1", b"{}", &key()), "malformed"),
        (b"<html>login</html>".to_vec(), "malformed"),
        (manifest(1, &[&vec![b'x'; 1 << 20], b"y"]), "too-large"),
    ] {
        assert_eq!(shop.put(&text, LONG).await, refused(why));
        assert_eq!(shop.web.asked().len(), 1, "nothing but the manifest was asked for");
    }
    let url = format!("{}/content.jws", shop.web.address);
    let another = Action::ContentPut(ContentSource { url, sha256: digest_of(b"another") });
    assert_eq!(shop.ask(another, LONG).await, refused("digest"));
    let away = ContentSource { url: "http://127.0.0.1:1/content.jws".to_owned(), sha256: digest_of(b"") };
    assert_eq!(shop.ask(Action::ContentPut(away), SHORT).await, failed("unreachable"));
    assert!(shop.content.active().manifest.is_none());
}

#[tokio::test]
async fn a_damaged_folder_shows_the_content_before_and_is_mended_by_the_same_command() {
    let mut shop = Shop::new();
    let (one, two) = (b"<svg>one</svg>".as_slice(), b"<svg>two</svg>".as_slice());
    for drawing in [one, two] {
        shop.web.put(&format!("assets/{}", digest_of(drawing)), drawing, None);
    }
    assert_eq!(shop.put(&manifest(1, &[one]), LONG).await, Ended::Done);
    assert_eq!(shop.put(&manifest(2, &[two]), LONG).await, Ended::Done);
    let cas = |folder: &Path| folder.join("content/cas").join(digest_of(two).to_string());
    fs::write(cas(shop.folder.path()), "cut").unwrap();
    let mut shop = shop.reopened().await;
    assert_eq!((shop.content.active().rev(), shop.file(one).as_deref()), (1, Some(one)));
    assert!(shop.complains());
    assert_eq!(shop.put(&manifest(2, &[two]), LONG).await, Ended::Done);
    // As long as before, and other bytes: the length does not show it, the same command mends it.
    fs::write(cas(shop.folder.path()), "<svg>twa</svg>").unwrap();
    assert_eq!(shop.put(&manifest(2, &[two]), LONG).await, Ended::Done);
    assert_eq!(shop.file(two).as_deref(), Some(two));
    fs::write(shop.folder.path().join("content/active.jws"), "nonsense").unwrap();
    assert_eq!(shop.reopened().await.content.active().rev(), 1);
}

#[tokio::test]
async fn an_override_outlives_the_process_and_ends_by_its_time_or_by_word() {
    let mut shop = Shop::new();
    let say = |text: &str, until| {
        Action::ScreenOverride(ScreenOverride { text: text.to_owned(), until, by: "Li Wei".to_owned() })
    };
    assert_eq!(shop.ask(say("leave", None), LONG).await, Ended::Done);
    let mut shop = shop.reopened().await;
    let mut said = shop.content.overriding();
    let is_said =
        |text: &'static str| move |said: &Option<ScreenOverride>| said.as_ref().map_or("", |said| &said.text) == text;
    tokio::time::timeout(LONG, said.wait_for(is_said("leave"))).await.unwrap().unwrap();
    assert_eq!(shop.ask(say("", None), LONG).await, Ended::Done);
    assert!(said.borrow().is_none());
    let soon = shop.clock.wall().0.plus(Duration::from_millis(300));
    assert_eq!(shop.ask(say("soon over", Some(soon)), LONG).await, Ended::Done);
    tokio::time::timeout(LONG, said.wait_for(is_said(""))).await.unwrap().unwrap();
    let shop = shop.reopened().await;
    assert!(shop.content.overriding().borrow().is_none());
}
