//! The page of a screen without a browser: it asks for its program, follows what it is told, and proves what it would
//! have played.
//!
//! With a clock of its own it plays days in seconds: plays are what the program says, one for each showing, posted a
//! hundred at a time until the gateway has them. That shows how many there must be, and whether the gateway and
//! everything behind it count alike.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Clock;
use crate::transport::{FetchError, Stream, Web, fetch};
use crate::types::Timestamp;
use crate::wire::screen::{Item, Manifest, Segment, Slot, slot_at, slots};

/// Until an answer must be there.
const WITHIN: Duration = Duration::from_secs(5);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);
/// Largest program, in bytes.
const PROGRAM_BYTES: usize = 4 << 20;
/// Plays in one post.
const BATCH: usize = 100;
/// Between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
/// How often it is looked at what is on.
const LOOK: Duration = Duration::from_millis(50);
/// What began longer ago was not seen from its beginning.
const SEEN_MS: i64 = 200;
/// A program is asked for again so long before it ends.
const HOUR_MS: i64 = 3_600_000;

/// As much of a program as is needed to play it.
#[derive(Debug, Deserialize)]
pub struct Program {
    /// Revision of the content.
    pub rev: u64,
    until_ms: i64,
    zones: Vec<Zone>,
    items: BTreeMap<String, Item>,
}

#[derive(Debug, Deserialize)]
struct Zone {
    id: String,
    segments: Vec<Segment>,
}

#[derive(Serialize)]
struct Play<'a> {
    play_id: Uuid7,
    zone: &'a str,
    item: &'a str,
    sha256: Option<&'a str>,
    rev: u64,
    t0: i64,
    t1: i64,
    mono_ms: i64,
    result: &'static str,
    visible_ratio: f64,
}

/// A UUID as text.
struct Uuid7(Uuid);

impl Serialize for Uuid7 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
struct Plays<'a> {
    plays: &'a [Play<'a>],
}

#[derive(Serialize)]
struct Beat<'a> {
    page_id: &'a str,
    rev: u64,
    item: Option<&'a str>,
    frames: u64,
    last_paint_ms: u32,
}

#[derive(Serialize)]
struct Shown {
    show: u64,
}

#[derive(Deserialize)]
struct Asked {
    n: u64,
}

/// What was played and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Truth {
    /// Showings that ended.
    pub plays: u64,
    /// Of them, those that the gateway has said it has.
    pub taken: u64,
    /// Those that it refused.
    pub refused: u64,
    /// Scenes that it was asked to show.
    pub shows: u64,
}

/// A page.
#[derive(Debug)]
pub struct ScreenPage {
    web: Web,
    clock: Clock,
    /// `http://…/api/v1/screens/{screen}`.
    base: String,
    page: String,
    truth: Truth,
}

impl ScreenPage {
    /// The page of an address: `http://127.0.0.1:8480/s/screen-1`.
    ///
    /// # Errors
    ///
    /// When the system has no usable certificates.
    pub fn new(url: &str, clock: Clock) -> Result<Self, FetchError> {
        let page = clock.random_uuid().to_string();
        let base = url.replacen("/s/", "/api/v1/screens/", 1);
        Ok(Self { web: Web::new()?, clock, base, page, truth: Truth::default() })
    }

    /// What was played so far.
    pub fn truth(&self) -> Truth {
        self.truth
    }

    /// What is on around a moment.
    ///
    /// # Errors
    ///
    /// When the gateway does not say.
    pub async fn program(&self, at_ms: i64) -> Result<Program, FetchError> {
        let text = fetch(&format!("{}/program?at={at_ms}", self.base), PROGRAM_BYTES, WITHIN).await?;
        let failed =
            |error: serde_json::Error| FetchError::Failed { step: "reading the program", words: error.to_string() };
        serde_json::from_slice(&text).map_err(failed)
    }

    async fn program_there_is(&self, at_ms: i64) -> Program {
        loop {
            match self.program(at_ms).await {
                Ok(program) => return program,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Plays a stretch of time as fast as the gateway takes it.
    pub async fn play_fast(&mut self, from: Timestamp, length: Duration) -> Truth {
        let (mut at_ms, to_ms) = (from.unix_ms(), from.plus(length).unix_ms());
        while at_ms < to_ms {
            let program = self.program_there_is(at_ms).await;
            // A program goes on for two days; what is asked for behind its end is another one.
            let until_ms = program.until_ms.min(to_ms);
            for zone in &program.zones {
                let manifest = program.manifest();
                let shown =
                    slots(&manifest, &zone.segments).filter(|slot| slot.from_ms >= at_ms && slot.to_ms <= to_ms);
                let shown: Vec<Slot> = shown.take_while(|slot| slot.from_ms < until_ms).collect();
                for batch in shown.chunks(BATCH) {
                    self.prove(&program, &zone.id, batch).await;
                }
            }
            at_ms = until_ms;
        }
        self.truth
    }

    /// Posts plays until the gateway has them, or says that they are none.
    async fn prove(&mut self, program: &Program, zone: &str, batch: &[Slot]) {
        let plays: Vec<Play<'_>> = batch
            .iter()
            .map(|slot| Play {
                play_id: Uuid7(self.clock.event_id().0),
                zone,
                item: &slot.item,
                sha256: program.items.get(&slot.item).and_then(|item| item.asset.as_deref()),
                rev: program.rev,
                t0: slot.from_ms,
                t1: slot.to_ms,
                mono_ms: slot.to_ms - slot.from_ms,
                result: "complete",
                visible_ratio: 1.0,
            })
            .collect();
        let body = serde_json::to_string(&Plays { plays: &plays }).unwrap_or_default();
        let count = plays.len() as u64;
        self.truth.plays += count;
        loop {
            match self.web.post(&format!("{}/plays", self.base), body.clone(), WITHIN).await {
                Ok((200..300, _)) => {
                    self.truth.taken += count;
                    return;
                }
                Ok((400 | 413, _)) => {
                    self.truth.refused += count;
                    return;
                }
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Plays as a page does, by the wall clock, for as long as it is polled. What is on when it comes is not seen from
    /// its beginning, and is no play.
    pub async fn play(&mut self) {
        let mut program = self.program_there_is(self.now_ms()).await;
        let (mut line, mut heard, mut next_beat) = (None, Vec::new(), self.clock.now());
        let mut on: Option<(String, Slot)> = None;
        loop {
            let current = program.on(self.now_ms());
            let item = current.as_ref().map(|(_, slot)| slot.item.clone());
            if on.as_ref().map(|(_, slot)| slot.from_ms) != current.as_ref().map(|(_, slot)| slot.from_ms) {
                let over =
                    std::mem::replace(&mut on, current.filter(|(_, slot)| self.now_ms() - slot.from_ms < SEEN_MS));
                if let Some((zone, slot)) = over {
                    self.prove(&program, &zone, &[slot]).await;
                }
            }
            if self.clock.now() >= next_beat {
                next_beat = self.clock.now() + BEAT;
                self.beat(program.rev, item.as_deref()).await;
            }
            if line.is_none() {
                line = self.web.stream(&format!("{}/events", self.base)).await.ok();
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                piece = next(&mut line) => match piece {
                    Some(piece) => heard.extend_from_slice(&piece),
                    None => (line, heard) = (None, Vec::new()),
                },
            }
            let is_old = program.until_ms - self.now_ms() < HOUR_MS;
            if self.hear(&mut heard).await || is_old {
                program = self.program_there_is(self.now_ms()).await;
            }
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.wall().0.unix_ms()
    }

    async fn beat(&mut self, rev: u64, item: Option<&str>) {
        let beat = Beat { page_id: &self.page, rev, item, frames: self.truth.plays, last_paint_ms: 16 };
        let body = serde_json::to_string(&beat).unwrap_or_default();
        // One that is not heard is missed by the gateway.
        let _ = self.web.post(&format!("{}/heartbeat", self.base), body, WITHIN).await;
    }

    /// Takes whole events out of what was heard; whether the program is another.
    async fn hear(&mut self, heard: &mut Vec<u8>) -> bool {
        let mut is_new = false;
        while let Some(end) = heard.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = heard.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event).into_owned();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            match (field("event:"), field("data:")) {
                (Some("program"), _) => is_new = true,
                (Some("show"), Some(data)) => {
                    let Ok(Asked { n }) = serde_json::from_str(data) else { continue };
                    self.truth.shows += 1;
                    let body = serde_json::to_string(&Shown { show: n }).unwrap_or_default();
                    let _ = self.web.post(&format!("{}/shown", self.base), body, WITHIN).await;
                }
                _ => {}
            }
        }
        is_new
    }
}

impl Program {
    /// A manifest of its items alone: how long each is shown.
    fn manifest(&self) -> Manifest {
        Manifest { items: self.items.clone(), ..Manifest::default() }
    }

    /// What the first zone shows.
    fn on(&self, at_ms: i64) -> Option<(String, Slot)> {
        let zone = self.zones.first()?;
        let segment = zone.segments.iter().find(|segment| segment.from_ms <= at_ms && at_ms < segment.to_ms)?;
        Some((zone.id.clone(), slot_at(&self.manifest(), segment, at_ms)?))
    }
}

/// The next piece of a line; for ever without one, nothing when it has broken. Cancel-safe.
async fn next(line: &mut Option<Stream>) -> Option<bytes::Bytes> {
    match line {
        Some(line) => line.next().await.ok().flatten(),
        None => {
            tokio::time::sleep(AGAIN).await;
            None
        }
    }
}
