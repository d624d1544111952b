//! Device models: which fingerprints are one model's, which weak requests it sends, how it goes from address to
//! address; and what all that says for or against one sender.

use std::collections::HashMap;

use super::habit::Habit;
use super::limits::{SEQUENCE_GAP, SEQUENCE_MEMORY_US};
use super::links::Link;
use super::print::Manner;
use super::tracks::{Reason, Track};

/// A model that is known to send such weak requests, and one that is not.
const MATES: (f64, f64) = (-0.3, -1.5);
/// Another fingerprint in the same order of elements.
const SAME_ORDER: f64 = -2.5;
const SAME_WEAK: f64 = 0.5;
const OTHER_WEAK: f64 = -3.0;
/// From a burnt-in address to a made-up one or back.
const FROM_GLOBAL: f64 = -1.5;
/// The same address again.
const SAME_ADDRESS: f64 = 1.0;
/// A device that spoke this short a time ago is not silent, in microseconds.
const SILENT_US: i64 = 300_000;
/// Which weak requests a model sends is learned from steps of the counter up to this,
const SURE_GAP: u16 = 64;
/// within this time, in microseconds,
const SURE_US: i64 = 30_000_000;
/// that were seen this often.
const SURE_TIMES: usize = 2;
/// After this long the counter of weak requests says nothing any more, in microseconds.
const WEAK_COUNTER_US: i64 = 70_000_000;
/// How much signals of one sender differ, and those of any two, in dB.
const RSSI_DB: (f64, f64) = (8.0, 16.0);

/// A model, or a kind of weak request: its least fingerprint number, and how it makes addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kind {
    class: u16,
    manner: Manner,
}

/// One side of a track or row: what is known where it begins or ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    /// Its model, if it showed one.
    pub(super) full: Option<Kind>,
    /// What it shares with many models.
    weak: Option<Kind>,
    rssi_dbm: i8,
    pub(super) at_us: i64,
    pub(super) sequence: Option<u16>,
    /// The place of its track, where it is asked for.
    pub(super) place: Option<u32>,
}

impl Side {
    /// What counts as its habits: those of the model, or of the kind of weak.
    pub(super) fn kind(&self) -> Kind {
        self.full.or(self.weak).unwrap_or(Kind { class: 0, manner: Manner::Local })
    }

    fn is_global(&self) -> bool {
        self.kind().manner == Manner::Global
    }

    /// The same, of the track at a place.
    pub(super) fn at(self, place: u32) -> Self {
        Self { place: Some(place), ..self }
    }

    /// Learns what a later track of the same row shows.
    pub(super) fn take_in(&mut self, later: &Self) {
        self.full = self.full.or(later.full);
        self.weak = self.weak.or(later.weak);
        self.rssi_dbm = self.rssi_dbm.max(later.rssi_dbm);
    }

    /// The same side, with what the whole row has shown.
    pub(super) fn known_as(self, whole: &Self) -> Self {
        Self { full: whole.full, weak: whole.weak, rssi_dbm: whole.rssi_dbm, ..self }
    }
}

/// See the module.
pub(super) struct Models {
    /// Of each fingerprint number, the least number of its model.
    of: Vec<u16>,
    orders: Vec<u64>,
    /// Kinds of weak requests.
    weak: Vec<Kind>,
    /// Models with the weak requests they were heard to send.
    mates: Vec<(Kind, Kind)>,
    /// Models whose elements have the same order.
    kin: Vec<(u16, u16)>,
    habits: HashMap<Kind, Habit>,
    usual: Habit,
}

fn tidy<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

impl Models {
    pub(super) fn new(tracks: &[Track], orders: &[u64]) -> Self {
        let orders = orders.to_vec();
        let ids = u16::try_from(orders.len()).unwrap_or(u16::MAX);
        let mut models = Self {
            of: (0..ids).collect(),
            orders,
            weak: Vec::new(),
            mates: Vec::new(),
            kin: Vec::new(),
            habits: HashMap::new(),
            usual: Habit::default(),
        };
        for track in tracks {
            models.join(track.full.all());
            models.join(track.weak.all());
        }
        models.weak = tidy(tracks.iter().filter_map(|track| models.kind_of(track.weak.all(), track.manner)).collect());
        models.kin = models.kin();
        models
    }

    fn kin(&self) -> Vec<(u16, u16)> {
        let mut by_order: HashMap<u64, Vec<u16>> = HashMap::new();
        for (id, order) in (0u16..).zip(&self.orders) {
            by_order.entry(*order).or_default().push(self.root(id));
        }
        let groups = by_order.into_values().map(tidy).filter(|group| group.len() > 1);
        let pairs = groups.flat_map(|group| {
            let of_one = |a: u16| group.iter().map(move |b| (a, *b)).collect::<Vec<_>>();
            group.iter().flat_map(|a| of_one(*a)).filter(|(a, b)| a != b).take(KIN).collect::<Vec<_>>()
        });
        tidy(pairs.collect())
    }

    fn root(&self, mut id: u16) -> u16 {
        while self.of[usize::from(id)] != id {
            id = self.of[usize::from(id)];
        }
        id
    }

    fn kind_of(&self, ids: &[u16], manner: Manner) -> Option<Kind> {
        ids.first().map(|id| Kind { class: self.root(*id), manner })
    }

    fn join(&mut self, ids: &[u16]) {
        for pair in ids.windows(2) {
            let (a, b) = (self.root(pair[0]), self.root(pair[1]));
            self.of[usize::from(a.max(b))] = a.min(b);
        }
    }

    /// Where a track begins.
    pub(super) fn head(&self, track: &Track) -> Side {
        let of = |ids: &[u16]| self.kind_of(ids, track.manner);
        let (full, weak) = (of(track.full.all()), of(track.weak.all()));
        let sequence = track.has_sequence.then_some(track.first_sequence);
        let at_us = track.first_us;
        Side { full, weak, rssi_dbm: track.rssi_dbm, at_us, sequence, place: None }
    }

    /// Where a track ends.
    pub(super) fn tail(&self, track: &Track) -> Side {
        let sequence = track.has_sequence.then_some(track.sequence);
        Side { at_us: track.last_us, sequence, ..self.head(track) }
    }

    /// Learns from what was linked.
    pub(super) fn learn(&mut self, all: &[Track], links: &[Link]) {
        self.habits.clear();
        self.mates.clear();
        for (track, link) in all.iter().zip(links) {
            let head = self.head(track);
            self.mates.extend(head.full.zip(head.weak));
            let habit = self.habits.entry(head.kind()).or_default();
            match *link {
                Some((before, Reason::Counter { gap, .. }, _)) => {
                    let before = self.tail(&all[before as usize]);
                    self.habits.entry(head.kind()).or_default().note(gap, head.at_us - before.at_us);
                    if gap <= SURE_GAP && head.at_us - before.at_us <= SURE_US {
                        self.mates.extend(before.full.zip(head.weak));
                        self.mates.extend(head.full.zip(before.weak));
                    }
                }
                Some(_) => habit.note_jump(),
                None if track.same.is_none() => habit.note_jump(),
                None => {}
            }
        }
        self.mates.sort_unstable();
        let often = self.mates.chunk_by(|a, b| a == b).filter(|same| same.len() >= SURE_TIMES);
        self.mates = often.map(|same| same[0]).collect();
    }

    /// Kinds of what may end before something begins.
    pub(super) fn may_precede(&self, head: &Side) -> Vec<Kind> {
        let mut kinds = self.weak.clone();
        kinds.push(head.kind());
        if let Some(full) = head.full {
            let manners = [Manner::Global, Manner::Android, Manner::Local];
            kinds.extend(manners.map(|manner| Kind { manner, ..full }));
            let kin = self.kin.partition_point(|(of, _)| *of < full.class);
            let kin = self.kin[kin..].iter().take_while(|(of, _)| *of == full.class);
            kinds.extend(kin.map(|(_, class)| Kind { class: *class, ..full }));
        } else {
            kinds.extend(self.habits.keys());
        }
        tidy(kinds)
    }

    /// What the elements say for or against one sender; `None` if it cannot be one.
    fn elements(&self, before: &Side, after: &Side) -> Option<f64> {
        let mates = |full: Kind, weak: Option<Kind>| {
            let known = weak.is_some_and(|weak| self.mates.binary_search(&(full, weak)).is_ok());
            let addresses = self.habits.get(&full).map_or(0.0, Habit::addresses);
            if known { MATES.0 } else { MATES.1 - 0.05 * addresses.min(20.0) }
        };
        let mixed = if before.is_global() == after.is_global() { 0.0 } else { FROM_GLOBAL };
        let is_kin = |a: Kind, b: Kind| a.manner == b.manner && self.kin.binary_search(&(a.class, b.class)).is_ok();
        match (before.full, after.full) {
            (Some(a), Some(b)) if a == b => Some(0.0),
            (Some(a), Some(b)) if a.class == b.class && before.is_global() != after.is_global() => Some(FROM_GLOBAL),
            (Some(a), Some(b)) if is_kin(a, b) => Some(SAME_ORDER),
            (Some(_), Some(_)) => None,
            (Some(full), None) => Some(mates(full, after.weak) + mixed),
            (None, Some(full)) => Some(mates(full, before.weak) + mixed),
            (None, None) if before.weak == after.weak => Some(SAME_WEAK),
            (None, None) => Some(OTHER_WEAK),
        }
    }

    /// What speaks for one sender beside the counter.
    fn common(&self, before: &Side, after: &Side, is_same: bool) -> Option<f64> {
        if before.is_global() && after.is_global() && !is_same {
            return None;
        }
        let same = if is_same { SAME_ADDRESS } else { 0.0 };
        Some(self.elements(before, after)? + same + signal(before, after))
    }

    /// What a link by the counter is worth, and the reason to write down; `None` if it cannot be one.
    pub(super) fn by_counter(&self, before: &Side, after: &Side, is_same: bool, is_row: bool) -> Option<(f64, Reason)> {
        let after_us = after.at_us - before.at_us;
        let gap = after.sequence?.wrapping_sub(before.sequence?) & 0xfff;
        if !(1..=SEQUENCE_GAP).contains(&gap) || !(0..=SEQUENCE_MEMORY_US).contains(&after_us) {
            return None;
        }
        let is_mixed = before.full.is_none() != after.full.is_none();
        let is_kin = before.full.zip(after.full).is_some_and(|(a, b)| a != b);
        if (is_mixed && after_us > WEAK_COUNTER_US) || (is_kin && (after_us > SURE_US || gap > SURE_GAP)) {
            return None;
        }
        let common = self.common(before, after, is_same)?;
        let habit = self.habits.get(&after.kind()).unwrap_or(&self.usual);
        let after_ms = u32::try_from(after_us / 1000).unwrap_or(u32::MAX);
        let time = if is_row { 0.0 } else { habit.time(after_us) - SOON * (1.0 + after_us as f64 / 1e6).ln() };
        Some((common + habit.score(gap, after_us) + time, Reason::Counter { gap, after_ms }))
    }

    /// What the counter says of a step, as far as it says anything: the longer the time, the less.
    pub(super) fn step(&self, before: &Side, after: &Side) -> f64 {
        let (Some(from), Some(to)) = (before.sequence, after.sequence) else { return 0.0 };
        let (gap, after_us) = (to.wrapping_sub(from) & 0xfff, after.at_us - before.at_us);
        if !(1..0x800).contains(&gap) || after_us > HOST_US {
            return UNRELATED;
        }
        self.usual.score(gap, after_us).max(UNRELATED)
    }

    /// What speaks for a host that a weak row could be of.
    pub(super) fn hosting(&self, host: &Side, weak: &Side) -> Option<f64> {
        let elements = match host.full {
            Some(_) => self.elements(host, weak),
            None => (host.weak == weak.weak).then_some(SAME_WEAK),
        };
        Some(elements? + signal(host, weak))
    }

    /// Whether a model is known to send such weak requests.
    pub(super) fn is_mate(&self, host: &Side, weak: &Side) -> bool {
        host.full.zip(weak.weak).is_some_and(|pair| self.mates.binary_search(&pair).is_ok())
    }

    /// Makes models of the same order one if one goes on from the other often; whether there were any.
    pub(super) fn unite(&mut self, all: &[Track], links: &[Link]) -> bool {
        let mut pairs = Vec::new();
        for (track, link) in all.iter().zip(links) {
            let Some((before, Reason::Counter { gap, after_ms }, _)) = *link else { continue };
            let (a, b) = (self.tail(&all[before as usize]).full, self.head(track).full);
            if let Some((a, b)) = a.zip(b)
                && a.class != b.class
                && gap <= SURE_GAP
                && i64::from(after_ms) * 1000 <= SURE_US
            {
                pairs.push((a.class.min(b.class), a.class.max(b.class)));
            }
        }
        pairs.sort_unstable();
        let often: Vec<(u16, u16)> =
            pairs.chunk_by(|a, b| a == b).filter(|same| same.len() >= KIN_TIMES).map(|same| same[0]).collect();
        for (a, b) in &often {
            self.join(&[*a, *b]);
        }
        if !often.is_empty() {
            self.kin = self.kin();
        }
        !often.is_empty()
    }

    /// What a link of rows is worth, with or against the counter.
    pub(super) fn by_model(&self, before: &Side, after: &Side, is_same: bool) -> Option<(f64, Reason)> {
        if before.full != after.full {
            return None;
        }
        let by_counter = self.by_counter(before, after, is_same, true);
        let is_global = before.is_global() || after.is_global();
        let is_weak = before.full.is_none();
        if is_weak || after.at_us - before.at_us < SILENT_US || (is_global && !is_same) {
            return by_counter;
        }
        let habit = self.habits.get(&after.kind()).unwrap_or(&self.usual);
        let by_model = (self.common(before, after, is_same)? + habit.jump(), Reason::Model);
        // Over such times a counter goes on by chance as often as not: it may tip the scales, no more.
        let tips = by_counter.filter(|by_counter| by_counter.0 > by_model.0);
        Some(tips.map_or(by_model, |(worth, reason)| (worth.min(by_model.0 + TIPS), reason)))
    }
}

/// How much later speaks against: what comes between is likelier to be the next.
const SOON: f64 = 0.2;
/// How much the counter may add to a link of rows.
const TIPS: f64 = 1.0;
/// Between a host and its lodger the counter says something for this long, in microseconds.
const HOST_US: i64 = 600_000_000;
/// A counter that does not go on, between a host and its lodger.
const UNRELATED: f64 = -0.9;
/// Models of one order that go on from each other this often are one.
const KIN_TIMES: usize = 3;
/// Kin of one model that are looked at.
const KIN: usize = 256;

/// What the signals say for or against one sender.
fn signal(before: &Side, after: &Side) -> f64 {
    let difference = f64::from(before.rssi_dbm) - f64::from(after.rssi_dbm);
    let log = |spread: f64| -0.5 * (difference / spread).powi(2) - spread.ln();
    let (one, any) = (log(RSSI_DB.0 * std::f64::consts::SQRT_2), log(RSSI_DB.1 * std::f64::consts::SQRT_2));
    (one - any).clamp(-1.5, 0.5)
}
