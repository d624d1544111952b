//! How much of what was planned for a screen today it has proved to have played.
//!
//! A reader of the journal like any other: complete plays of the playlists are counted, by screen, revision and quarter
//! of an hour, in memory. At the start the newest 50,000 events are looked through; what is older than those is not
//! counted on either side.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::journal::{Journal, JournalError};
use crate::types::{Body, DeviceId, Event, Observation, PlayResult, Row, ScreenPlay, Timestamp};
use crate::wire::screen::{Manifest, Segment, showings, timetable};

/// Events that are looked through at the start.
const ROWS: i64 = 50_000;
/// Of them at once.
const PAGE: usize = 500;
/// Midnight is a border between two of them in every time zone there is.
const QUARTER_MS: i64 = 15 * 60_000;
/// Older ones are forgotten: the longest day has 25 hours.
const KEPT_MS: i64 = 26 * 3_600_000;
/// A play that was over a moment ago may still be on its way here.
const ON_ITS_WAY_MS: i64 = 10_000;

/// The count. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Plays(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    /// Up to where the journal was read; `None`: not at all yet.
    row: Option<Row>,
    /// Nothing before is counted, because it was not looked at.
    since_ms: i64,
    /// Complete plays by screen, revision and quarter.
    complete: BTreeMap<(DeviceId, u64, i64), u64>,
}

/// What was planned and what was played since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Played {
    since: String,
    planned: u64,
    complete: u64,
}

/// A screen and what it shows.
pub(super) struct Part<'a> {
    pub(super) screen: &'a DeviceId,
    pub(super) manifest: &'a Manifest,
    pub(super) timezone: &'a TimeZone,
    /// Since when the content is in force.
    pub(super) in_force: Option<Timestamp>,
}

/// The play, when it is one of a playlist and complete.
fn counted(event: &Event) -> Option<(&DeviceId, &ScreenPlay)> {
    let Body::Observed(Observation::ScreenPlay(play)) = &event.draft.body else { return None };
    let counts = play.result == PlayResult::Complete && !play.overridden && play.trigger.is_none();
    event.draft.device.as_ref().filter(|_| counts).map(|screen| (screen, &**play))
}

impl Counts {
    fn note(&mut self, event: &Event) {
        if let Some((screen, play)) = counted(event) {
            let quarter = play.start.unix_ms().div_euclid(QUARTER_MS);
            *self.complete.entry((screen.clone(), play.rev, quarter)).or_default() += 1;
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let oldest = (now.unix_ms() - KEPT_MS).div_euclid(QUARTER_MS);
        self.complete.retain(|(_, _, quarter), _| *quarter >= oldest);
    }
}

impl Plays {
    /// Reads on in the journal.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn follow(&self, journal: &Journal, now: Timestamp) -> Result<(), JournalError> {
        let mut counts = self.0.lock().await;
        let head = journal.head().borrow().row;
        let begins = Row(head.0.saturating_sub(ROWS).max(0));
        let is_first = counts.row.is_none();
        let mut row = counts.row.unwrap_or(begins).max(begins);
        while row < head {
            let events = journal.after(row, PAGE).await?;
            let (Some(first), Some(last)) = (events.first(), events.last()) else { break };
            if is_first && counts.row.is_none() && begins.0 > 0 {
                let quarters = first.draft.at.wall.unix_ms().div_euclid(QUARTER_MS) + 1;
                counts.since_ms = quarters * QUARTER_MS;
            }
            row = last.row;
            counts.row = Some(row);
            events.iter().for_each(|event| counts.note(event));
        }
        counts.row = Some(row);
        counts.forget(now);
        Ok(())
    }

    /// What a screen should have played since midnight, or since its content is in force, and what it has.
    pub(super) async fn of(&self, part: &Part<'_>, now: Timestamp) -> Option<Played> {
        let midnight = jiff::Timestamp::from_millisecond(now.unix_ms()).ok()?;
        let midnight = midnight.to_zoned(part.timezone.clone()).start_of_day().ok()?.timestamp().as_millisecond();
        let counts = self.0.lock().await;
        let from = midnight.max(counts.since_ms).max(part.in_force.map_or(0, Timestamp::unix_ms));
        let due = from..now.unix_ms() - ON_ITS_WAY_MS;
        let quarters = midnight.max(counts.since_ms).div_euclid(QUARTER_MS);
        let complete = counts.complete.range((part.screen.clone(), part.manifest.rev, quarters)..);
        let complete = complete.take_while(|((screen, rev, _), _)| screen == part.screen && *rev == part.manifest.rev);
        let complete = complete.map(|(_, count)| count).sum::<u64>();
        let planned = planned(part, &due);
        // What has come before it was due is due the next time.
        Some(Played { since: Timestamp::from_unix_ms(from).to_string(), planned, complete: complete.min(planned) })
    }
}

/// Showings of all zones that begin and end within a span.
fn planned(part: &Part<'_>, span: &std::ops::Range<i64>) -> u64 {
    // What is on at the beginning began before it.
    let begins = Timestamp::from_unix_ms(span.start - 2 * 3_600_000);
    let ahead = Timestamp::from_unix_ms(span.end).since(begins);
    let zones = part.manifest.zones(part.screen.as_str()).iter();
    let of = |zone: &str| timetable(part.manifest, (part.screen.as_str(), zone), part.timezone, begins, ahead);
    let segments = zones.flat_map(|zone| of(&zone.id));
    // The last one is cut at the end of the span, which is no border: what is on is not over.
    let whole = |segment: Segment| match segment.to_ms >= span.end {
        true => Segment { to_ms: segment.to_ms + 2 * 3_600_000, ..segment },
        false => segment,
    };
    segments.map(|segment| showings(part.manifest, &whole(segment), span)).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::{Clock, Trust};
    use crate::journal::Settings;
    use crate::types::{Draft, SceneId, ZoneId};
    use crate::wire::screen::FORMAT;

    fn manifest(rev: u64) -> Manifest {
        let manifest = json!({
            "format": FORMAT, "rev": rev, "screens": { "*": "full" },
            "layouts": { "full": [{ "id": "main", "x": 0, "y": 0, "w": 1, "h": 1 }] },
            "items": { "a": { "kind": "text", "dur_ms": 10_000, "text": { "zh-CN": "甲", "en": "A" } } },
            "playlists": [{ "id": "p", "zone": "main", "items": ["a"] }],
        });
        serde_json::from_value(manifest).unwrap()
    }

    fn play(clock: &Clock, screen: &str, number: u128, (rev, start): (u64, i64), result: PlayResult) -> Draft {
        let play = ScreenPlay {
            play: uuid::Uuid::from_u128(number),
            zone: ZoneId::new("main").unwrap(),
            item: SceneId::new("a").unwrap(),
            sha256: None,
            rev,
            start: Timestamp::from_unix_ms(start),
            end: Timestamp::from_unix_ms(start + 10_000),
            shown_ms: 10_000,
            result,
            visible_percent: 100,
            trigger: None,
            overridden: false,
        };
        let body = Body::Observed(Observation::ScreenPlay(Box::new(play)));
        Draft {
            id: clock.event_id(),
            device: Some(DeviceId::new(screen).unwrap()),
            at: clock.stamp(),
            cause: None,
            body,
        }
    }

    #[tokio::test]
    async fn what_is_complete_since_midnight_stands_beside_what_was_planned() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system(Trust::Trusted);
        let (journal, _) = Journal::open(Settings::new(dir.path()), clock.clone()).unwrap();
        // 00:01:40 in Shanghai, ten seconds after the tenth showing of the day was over.
        let midnight = "2026-11-21T16:00:00Z".parse::<Timestamp>().unwrap().unix_ms();
        let now = Timestamp::from_unix_ms(midnight + 110_000);
        let shown = |n: u8| {
            let start = midnight + 10_000 * i64::from(n);
            play(&clock, "screen-1", u128::from(n), (7, start), PlayResult::Complete)
        };
        let mut drafts: Vec<_> = (0..8).map(shown).collect();
        drafts.push(play(&clock, "screen-1", 20, (7, midnight + 80_000), PlayResult::Cut));
        drafts.push(play(&clock, "screen-1", 21, (7, midnight - 10_000), PlayResult::Complete));
        drafts.push(play(&clock, "screen-1", 22, (6, midnight), PlayResult::Complete));
        drafts.push(play(&clock, "screen-2", 23, (7, midnight), PlayResult::Complete));
        journal.append(drafts).await.unwrap();
        let plays = Plays::default();
        plays.follow(&journal, now).await.unwrap();
        let (manifest, timezone) = (manifest(7), TimeZone::get("Asia/Shanghai").unwrap());
        let screen = DeviceId::new("screen-1").unwrap();
        let part = |in_force| Part { screen: &screen, manifest: &manifest, timezone: &timezone, in_force };
        let played = plays.of(&part(None), now).await.unwrap();
        assert_eq!((played.since.as_str(), played.planned, played.complete), ("2026-11-21T16:00:00.000Z", 10, 8));
        // Two more come; they are counted once, however often it is looked.
        journal.append(vec![play(&clock, "screen-1", 30, (7, midnight + 90_000), PlayResult::Complete)]).await.unwrap();
        for _ in 0..2 {
            plays.follow(&journal, now).await.unwrap();
        }
        assert_eq!(plays.of(&part(None), now).await.unwrap().complete, 9);
        // Content that is in force for half a minute: what began before it is not its own.
        let later = Some(Timestamp::from_unix_ms(midnight + 75_000));
        assert_eq!(plays.of(&part(later), now).await.unwrap().planned, 2);
    }
}
