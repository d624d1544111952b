//! How fast the buffer fills and empties: what its depth will be is said from how it has changed.
//!
//! Limits: one look in 15 s, for an hour.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::journal::Stats;
use crate::types::Class;

/// How often is looked.
pub(super) const LOOK: Duration = Duration::from_secs(15);
/// Looks that are kept.
const LOOKS: usize = 240;
/// Draining is judged over this time, filling over all that is kept.
const DRAIN_OVER: Duration = Duration::from_secs(60);
/// Nothing is said from less.
const LEAST: Duration = Duration::from_secs(5);
/// An event on disk, in bytes, until there are enough to ask the file.
const EVENT_BYTES: f64 = 600.0;
const ENOUGH_EVENTS: u64 = 5000;

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    appended: u64,
    unsent: u64,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Rates {
    looks: Mutex<VecDeque<Look>>,
}

/// One class of the buffer.
#[derive(Debug, Serialize)]
struct Depth {
    class: &'static str,
    stored: u64,
    unsent: u64,
    oldest_unsent: Option<String>,
}

/// The buffer, as the overview has it.
#[derive(Debug, Serialize)]
pub(super) struct Buffer {
    classes: Vec<Depth>,
    stored: u64,
    unsent: u64,
    oldest_unsent: Option<String>,
    used_bytes: u64,
    max_bytes: u64,
    free_bytes: Option<u64>,
    open_commands: u64,
    /// Events a second, of the last hour or since the start.
    events_per_s: Option<f64>,
    /// Until everything has been sent, as it went in the last minute; nothing when it does not get less.
    drain_s: Option<u64>,
    /// For how long the disk lasts if nothing could be sent, at the rate of the last hour.
    room_hours: Option<f64>,
}

fn look(stats: &Stats, at: Instant) -> Look {
    Look { at, appended: stats.classes.iter().map(|class| class.last_seq.0).sum(), unsent: stats.unsent() }
}

impl Rates {
    /// Notes how it is.
    pub(super) fn note(&self, stats: &Stats, at: Instant) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS {
            looks.pop_front();
        }
        looks.push_back(look(stats, at));
    }

    /// Events a second, and seconds until the buffer is empty.
    fn judge(&self, now: Look) -> (Option<f64>, Option<u64>) {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let span = |then: &Look| now.at.saturating_duration_since(then.at);
        let first = looks.front().filter(|first| span(first) >= LEAST);
        let per_s = first.map(|first| per_second(now.appended.saturating_sub(first.appended), span(first)));
        let recent = looks.iter().find(|look| span(look) <= DRAIN_OVER).filter(|look| span(look) >= LEAST);
        let drain = recent.and_then(|then| {
            let sent = per_second(then.unsent.saturating_sub(now.unsent), span(then));
            (sent > 0.0).then(|| whole_seconds(now.unsent, sent))
        });
        (per_s, if now.unsent == 0 { Some(0) } else { drain })
    }

    /// The buffer now.
    pub(super) fn buffer(&self, stats: &Stats, at: Instant) -> Buffer {
        let (events_per_s, drain_s) = self.judge(look(stats, at));
        let room = stats.max_bytes.saturating_sub(stats.used_bytes).min(stats.free_bytes);
        let stored = stats.stored();
        let event_bytes = if stored < ENOUGH_EVENTS { EVENT_BYTES } else { float(stats.used_bytes) / float(stored) };
        let filling = events_per_s.filter(|rate| *rate > 0.0).map(|rate| rate * event_bytes);
        let class = |class| {
            let of = stats.of(class);
            let oldest_unsent = of.oldest_unsent.map(|at| at.to_string());
            Depth { class: class.as_str(), stored: of.stored, unsent: of.unsent, oldest_unsent }
        };
        Buffer {
            classes: Class::ALL.into_iter().map(class).collect(),
            stored,
            unsent: stats.unsent(),
            oldest_unsent: stats.classes.iter().filter_map(|class| class.oldest_unsent).min().map(|at| at.to_string()),
            used_bytes: stats.used_bytes,
            max_bytes: stats.max_bytes,
            free_bytes: (stats.free_bytes != u64::MAX).then_some(stats.free_bytes),
            open_commands: stats.open_commands,
            events_per_s,
            drain_s,
            room_hours: filling.map(|bytes_per_s| float(room) / bytes_per_s / 3600.0),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people: sixteen digits are enough")]
fn float(count: u64) -> f64 {
    count as f64
}

fn per_second(count: u64, over: Duration) -> f64 {
    float(count) / over.as_secs_f64().max(0.001)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and cut at a century")]
fn whole_seconds(count: u64, per_s: f64) -> u64 {
    (float(count) / per_s).ceil().clamp(0.0, 3.2e9) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Trust};

    fn at(start: Instant, seconds: u64, appended: u64, unsent: u64) -> Look {
        Look { at: start + Duration::from_secs(seconds), appended, unsent }
    }

    fn seen(looks: Vec<Look>) -> Rates {
        Rates { looks: Mutex::new(looks.into()) }
    }

    #[tokio::test]
    async fn a_buffer_that_gets_less_says_when_it_is_empty() {
        let start = Clock::system(Trust::Trusted).now();
        let rates = seen(vec![at(start, 0, 0, 9000), at(start, 60, 600, 6000), at(start, 75, 750, 5250)]);
        // 750 fewer in 15 s: 50 a second.
        assert_eq!(rates.judge(at(start, 90, 900, 4500)), (Some(10.0), Some(90)));
        assert_eq!(rates.judge(at(start, 90, 900, 0)).1, Some(0));
    }

    #[tokio::test]
    async fn a_buffer_that_does_not_get_less_has_no_end() {
        let start = Clock::system(Trust::Trusted).now();
        let rates = seen(vec![at(start, 0, 0, 100), at(start, 15, 30, 130)]);
        assert_eq!(rates.judge(at(start, 30, 60, 160)), (Some(2.0), None));
        assert_eq!(seen(Vec::new()).judge(at(start, 30, 60, 160)), (None, None));
        assert_eq!(seen(vec![at(start, 29, 0, 0)]).judge(at(start, 30, 60, 160)), (None, None), "too soon to say");
    }
}
