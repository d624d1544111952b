//! Who was there: devices, their visits and what is certain about their number, looked up when a window closes.

use std::collections::HashSet;

use super::cells::{Cells, Ear};
use super::devices::Devices;
use super::levels::Features;
use super::print::Manner;
use super::settings::Settings;
use super::tracks::{Reason, Track};
use crate::types::Dwell;

/// What a look at the devices finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Survey {
    pub(super) devices: u32,
    pub(super) low: u32,
    pub(super) high: u32,
    pub(super) passed: u32,
    pub(super) visited: u32,
    pub(super) stayed: u32,
    /// Them all by zone and dwell.
    pub(super) cells: Cells,
}

impl Survey {
    /// What people are estimated by, if a sensor's own windows were calibrated.
    pub(super) fn features(&self) -> Features {
        Features::of_window(self.passed, self.visited, self.stayed, self.high)
    }

    /// Both together, with nobody in common.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            devices: self.devices + other.devices,
            low: self.low + other.low,
            high: self.high + other.high,
            passed: self.passed + other.passed,
            visited: self.visited + other.visited,
            stayed: self.stayed + other.stayed,
            cells: self.cells.plus(&other.cells),
        }
    }
}

/// A device's visit, as far as it has gone.
#[derive(Debug, Clone, Copy)]
struct Visit {
    from_us: i64,
    /// When it was heard last, which is all that is known of its end.
    last_us: i64,
    rssi_dbm: i8,
    ear: Ear,
}

impl Visit {
    fn dwell(&self, settings: &Settings) -> Dwell {
        let there_us = self.last_us - self.from_us;
        match () {
            () if self.rssi_dbm < settings.visit_rssi_min_dbm => Dwell::Passed,
            () if there_us < us(settings.stay_after) => Dwell::Visited,
            () if there_us < 15 * MINUTE_US => Dwell::Stayed,
            () if there_us < 60 * MINUTE_US => Dwell::Stayed15Min,
            () => Dwell::Stayed60Min,
        }
    }
}

const MINUTE_US: i64 = 60_000_000;

/// A time in microseconds, as settings have it.
pub(super) fn us(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Devices {
    /// Who was heard since `from_us`.
    pub(super) fn survey(&self, from_us: i64, settings: &Settings) -> Survey {
        let mut found = Survey::default();
        let mut models = Vec::new();
        for tracks in speakers(&self.tracks.all, from_us) {
            if closed_us(&tracks) >= us(settings.fixture_after) {
                continue;
            }
            let visit = visit(&tracks, us(settings.visit_silence));
            found.devices += 1;
            found.high += addresses(&tracks, from_us);
            let dwell = visit.dwell(settings);
            found.cells.add(visit.ear, dwell);
            match dwell {
                Dwell::Passed => found.passed += 1,
                Dwell::Visited => found.visited += 1,
                Dwell::Stayed | Dwell::Stayed15Min | Dwell::Stayed60Min => found.stayed += 1,
            }
            match model(&tracks) {
                Some(model) => models.push(model),
                None => found.low += 1,
            }
        }
        models.sort_unstable();
        models.dedup();
        found.low += u32::try_from(models.len()).unwrap_or(u32::MAX);
        found
    }

    /// The shop is closed: who was heard since `from_us` is noted down for `for_us`.
    pub(super) fn note_closed(&mut self, from_us: i64, for_us: i64) {
        let mut noted = Vec::new();
        for track in self.tracks.all.iter_mut().filter(|track| track.last_us >= from_us) {
            if !noted.contains(&track.device) {
                noted.push(track.device);
                track.closed_us = track.closed_us.saturating_add(for_us);
            }
        }
    }
}

/// Devices that spoke since `from_us`, each with all its tracks, the latest first.
fn speakers(tracks: &[Track], from_us: i64) -> Vec<Vec<&Track>> {
    let speaking = tracks.iter().filter(|track| track.last_us >= from_us).map(|track| track.device);
    let speaking: HashSet<u32> = speaking.collect();
    let mut theirs: Vec<&Track> = tracks.iter().filter(|track| speaking.contains(&track.device)).collect();
    theirs.sort_by_key(|track| (track.device, std::cmp::Reverse(track.last_us)));
    theirs.chunk_by(|a, b| a.device == b.device).map(<[&Track]>::to_vec).collect()
}

/// The visit that a device's latest track is part of.
fn visit(tracks: &[&Track], silence_us: i64) -> Visit {
    let mut visit = Visit { from_us: i64::MAX, last_us: i64::MIN, rssi_dbm: i8::MIN, ear: Ear::FIRST };
    for track in tracks {
        if track.last_us.saturating_add(silence_us) < visit.from_us && visit.from_us != i64::MAX {
            break;
        }
        visit.from_us = visit.from_us.min(track.visit_us);
        visit.last_us = visit.last_us.max(track.last_us);
        if track.visit_dbm > visit.rssi_dbm {
            (visit.rssi_dbm, visit.ear) = (track.visit_dbm, track.visit_ear);
        }
    }
    visit
}

fn closed_us(tracks: &[&Track]) -> i64 {
    tracks.iter().map(|track| track.closed_us).sum()
}

/// How many devices at most: what only a model links is not known to be one.
fn addresses(tracks: &[&Track], from_us: i64) -> u32 {
    let recent = tracks.iter().filter(|track| track.last_us >= from_us);
    let begun = recent.filter(|track| matches!(track.reason, Reason::New | Reason::Model)).count();
    u32::try_from(begun).unwrap_or(u32::MAX).max(1)
}

/// What others may have in common with it: its first full fingerprint, unless an address was burnt into it.
fn model(tracks: &[&Track]) -> Option<u16> {
    let is_global = tracks.iter().any(|track| track.manner == Manner::Global);
    let full = tracks.iter().rev().find_map(|track| track.full.all().first().copied());
    full.filter(|_| !is_global)
}
