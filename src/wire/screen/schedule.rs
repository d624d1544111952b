//! What is on when.
//!
//! A zone's time is cut into segments at every moment at which a playlist begins or ends. Within a segment the
//! playlists of the highest priority are shown one after the other, over and over; which item is on at a moment follows
//! from the moment alone: the round of the segment's items repeats from 1970-01-01T00:00:00Z on.

use std::ops::Range;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::limits;
use super::manifest::{Manifest, Playlist, When, day, is_for, minutes};
use crate::types::Timestamp;

/// A stretch of time in which a zone shows the same round of items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// From when, milliseconds since 1970.
    pub from_ms: i64,
    /// Until before when.
    pub to_ms: i64,
    /// The round; empty: nothing is on.
    pub items: Vec<String>,
}

/// One showing of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The item.
    pub item: String,
    /// From when, milliseconds since 1970; may lie before the segment, which cuts it.
    pub from_ms: i64,
    /// Until before when.
    pub to_ms: i64,
}

/// A moment of a day: the date and the minutes since its midnight, as the store's clock shows it.
fn moment(date: Date, minutes: u16, timezone: &TimeZone) -> Option<i64> {
    let at = date.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()?;
    Some(at.to_zoned(timezone.clone()).ok()?.timestamp().as_millisecond())
}

/// When it is on, as far as it begins on one of these days.
fn stretches(when: &When, days: &[Date], timezone: &TimeZone) -> Vec<Range<i64>> {
    let from = when.from.as_deref().and_then(minutes).unwrap_or(0);
    let to = when.to.as_deref().and_then(minutes).unwrap_or(24 * 60);
    let (first, last) = (when.first.as_deref().and_then(day), when.last.as_deref().and_then(day));
    let is_on = |date: &&Date| {
        (when.dow.is_empty() || when.dow.contains(&date.weekday().to_monday_one_offset()))
            && first.is_none_or(|first| **date >= first)
            && last.is_none_or(|last| **date <= last)
    };
    let stretch = |date: &Date| {
        let end = if to > from { *date } else { date.tomorrow().ok()? };
        Some(moment(*date, from, timezone)?..moment(end, to, timezone)?)
    };
    days.iter().filter(is_on).filter_map(stretch).collect()
}

/// A playlist and when it is on.
struct Placed<'a> {
    playlist: &'a Playlist,
    on: Vec<Range<i64>>,
}

impl Placed<'_> {
    fn is_on(&self, at: i64) -> bool {
        self.on.iter().any(|stretch| stretch.contains(&at))
    }
}

fn placed<'a>(
    manifest: &'a Manifest,
    screen: &str,
    zone: &str,
    span: &Range<i64>,
    timezone: &TimeZone,
) -> Vec<Placed<'a>> {
    let local = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|at| timezone.to_datetime(at).date());
    let (Ok(first), Ok(last)) = (local(span.start), local(span.end)) else { return Vec::new() };
    // A stretch over midnight may have begun the day before.
    let days: Vec<_> = first.yesterday().unwrap_or(first).series(1.day()).take_while(|date| *date <= last).collect();
    let valid = |time: &Option<String>, otherwise| {
        time.as_deref().and_then(|time| time.parse::<Timestamp>().ok()).map_or(otherwise, Timestamp::unix_ms)
    };
    let valid = valid(&manifest.valid_from, i64::MIN)..valid(&manifest.valid_to, i64::MAX);
    let here = manifest.playlists.iter().filter(|list| list.zone == zone && is_for(&list.screens, screen));
    here.map(|playlist| {
        let on = match playlist.when.is_empty() {
            true => vec![span.clone()],
            false => playlist.when.iter().flat_map(|when| stretches(when, &days, timezone)).collect(),
        };
        let within = |on: Range<i64>| on.start.max(valid.start).max(span.start)..on.end.min(valid.end).min(span.end);
        let on = on.into_iter().map(within).filter(|on| on.start < on.end).collect();
        Placed { playlist, on }
    })
    .collect()
}

/// What a zone of a screen shows from a moment on, for `ahead`: segments without a gap between them.
pub fn timetable(
    manifest: &Manifest,
    (screen, zone): (&str, &str),
    timezone: &TimeZone,
    from: Timestamp,
    ahead: Duration,
) -> Vec<Segment> {
    let span = from.unix_ms()..from.plus(ahead).unix_ms();
    let placed = placed(manifest, screen, zone, &span, timezone);
    let mut cuts: Vec<i64> = placed.iter().flat_map(|placed| &placed.on).flat_map(|on| [on.start, on.end]).collect();
    cuts.extend([span.start, span.end]);
    cuts.sort_unstable();
    cuts.dedup();
    let mut segments: Vec<Segment> = Vec::new();
    for pair in cuts.windows(2) {
        let on = || placed.iter().filter(|placed| placed.is_on(pair[0])).map(|placed| placed.playlist);
        let highest = on().map(|playlist| playlist.prio).max();
        let items: Vec<String> = on()
            .filter(|playlist| Some(playlist.prio) == highest)
            .flat_map(|playlist| playlist.items.clone())
            .collect();
        let is_full = segments.len() == limits::SEGMENTS;
        match segments.last_mut() {
            Some(last) if last.items == items => last.to_ms = pair[1],
            _ if is_full => break,
            _ => segments.push(Segment { from_ms: pair[0], to_ms: pair[1], items }),
        }
    }
    segments
}

fn duration(manifest: &Manifest, item: &str) -> i64 {
    manifest.items.get(item).map_or(0, |item| i64::from(item.dur_ms))
}

/// What is on in a segment at a moment within it.
pub fn slot_at(manifest: &Manifest, segment: &Segment, at_ms: i64) -> Option<Slot> {
    let round: i64 = segment.items.iter().map(|item| duration(manifest, item)).sum();
    if round <= 0 {
        return None;
    }
    let mut begins = at_ms - at_ms.rem_euclid(round);
    for item in &segment.items {
        let ends = begins + duration(manifest, item);
        if at_ms < ends {
            return Some(Slot { item: item.clone(), from_ms: begins, to_ms: ends });
        }
        begins = ends;
    }
    None
}

/// Every showing in these segments, in order, as their borders cut it.
pub fn slots<'a>(manifest: &'a Manifest, segments: &'a [Segment]) -> impl Iterator<Item = Slot> + 'a {
    segments.iter().flat_map(move |segment| {
        let next = move |at: &i64| Some(slot_at(manifest, segment, *at)?.to_ms).filter(|at| *at < segment.to_ms);
        let starts = std::iter::successors((segment.from_ms < segment.to_ms).then_some(segment.from_ms), next);
        starts.filter_map(move |at| {
            let slot = slot_at(manifest, segment, at)?;
            Some(Slot { from_ms: at, to_ms: slot.to_ms.min(segment.to_ms), ..slot })
        })
    })
}

/// How many showings of a segment begin within a span and are over before its end. By arithmetic: a day of short items
/// has hundreds of thousands.
pub fn showings(manifest: &Manifest, segment: &Segment, span: &Range<i64>) -> u64 {
    let lengths: Vec<i64> = segment.items.iter().map(|item| duration(manifest, item)).filter(|ms| *ms > 0).collect();
    let round: i64 = lengths.iter().sum();
    let end = span.end.min(segment.to_ms);
    if round <= 0 || span.start >= end {
        return 0;
    }
    let offsets: Vec<i64> = lengths.iter().scan(0, |at, ms| Some(std::mem::replace(at, *at + ms))).collect();
    // Borders between two showings, from 1970 until a moment.
    let borders = |until: i64| {
        let (rounds, rest) = (until.div_euclid(round), until.rem_euclid(round));
        rounds * i64::try_from(offsets.len()).unwrap_or(0)
            + i64::try_from(offsets.iter().filter(|offset| **offset <= rest).count()).unwrap_or(0)
    };
    let first = borders(segment.from_ms);
    let over = borders(end.min(segment.to_ms - 1)) - first + i64::from(end == segment.to_ms);
    let before = if span.start > segment.from_ms { 1 + borders(span.start - 1) - first } else { 0 };
    u64::try_from(over - before).unwrap_or(0)
}
