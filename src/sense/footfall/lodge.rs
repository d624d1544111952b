//! Lodgers: devices that only ever spoke weakly find a host.
//!
//! Radios that scan in their phone's sleep say nothing but rates, under addresses of their own. Where no counter leads
//! from such a row to one that says its model, the host is a device that was silent meanwhile, whose counter fits at
//! both ends, whose model was heard to send such requests, and whose other weak rows have the same rhythm. One mistake
//! here moves hundreds of addresses: a host of a model that was never heard to do so needs more than silence.

use std::collections::BTreeMap;

use super::limits::LODGERS;
use super::links::{FEWER, Link, root};
use super::models::{Models, Side};
use super::rhythm::Rhythms;
use super::tracks::Track;

/// Rows that only spoke weakly are not one if their rhythms speak against it as much as this.
const UNLIKE: f64 = -0.5;
/// Rows of one device whose rhythms are looked at.
const BARE: usize = 3;
/// A host whose model was never heard to send such requests has to be worth this much.
const STRANGER: f64 = -1.5;

/// Devices that only ever spoke weakly find a host that was silent meanwhile: for the head of each a track of the host.
pub(super) fn lodge(
    all: &[Track],
    models: &Models,
    rhythms: &Rhythms,
    links: &[Link],
    is_young: &[bool],
) -> Vec<Option<u32>> {
    let (hosts, lodgers): (Vec<Vec<u32>>, Vec<Vec<u32>>) = devices(all, links, is_young)
        .into_iter()
        .partition(|tracks| tracks.iter().any(|at| !all[*at as usize].full.is_empty()));
    let lodgers: Vec<Vec<u32>> = lodgers.into_iter().filter(|tracks| is_young[tracks[0] as usize]).collect();
    let lodgers = lodgers[lodgers.len().saturating_sub(LODGERS)..].to_vec();
    let house =
        |tracks: Vec<u32>| House { whole: of_all(all, models, &tracks), bare: bare(all, rhythms, &tracks), tracks };
    let mut stays: Vec<House> = hosts.into_iter().map(house).collect();
    let lodgers: Vec<House> = lodgers.into_iter().map(house).collect();
    let worth = |host: &House, lodger: &House| {
        let (_, worth) = place(all, models, host, lodger)?;
        let least = if models.is_mate(&host.whole, &lodger.whole) { -FEWER } else { STRANGER };
        Some(worth + alike(rhythms, host, lodger)).filter(|worth| *worth > least)
    };
    let mut linked = vec![None; all.len()];
    let mut wishes: Vec<Wishes> =
        lodgers.iter().map(|lodger| Wishes::new(&stays, |host| worth(host, lodger))).collect();
    let mut is_housed = vec![false; lodgers.len()];
    while let Some((l, h)) = strongest(&wishes) {
        take_in(all, models, &mut stays[h], &lodgers[l], &mut linked);
        is_housed[l] = true;
        wishes[l] = Wishes::default();
        let unhoused = lodgers.iter().zip(&mut wishes).zip(&is_housed).filter(|(_, is_housed)| !**is_housed);
        for ((lodger, wishes), _) in unhoused {
            wishes.change(h, worth(&stays[h], lodger));
        }
    }
    // Who found no host: as few devices as can be.
    let mut groups: Vec<House> = Vec::new();
    for (lodger, _) in lodgers.into_iter().zip(is_housed).filter(|(_, is_housed)| !is_housed) {
        let free = groups.iter_mut().filter(|group| place(all, models, group, &lodger).is_some());
        let likely = free.map(|group| (alike(rhythms, group, &lodger), group)).filter(|(alike, _)| *alike > UNLIKE);
        match likely.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((_, group)) => take_in(all, models, group, &lodger, &mut linked),
            None => groups.push(lodger),
        }
    }
    linked
}

/// A device, as far as it is known before its lodgers are.
struct House {
    /// What all its tracks have shown.
    whole: Side,
    /// In the order of time.
    tracks: Vec<u32>,
    /// Tracks of its longest rows that only spoke weakly.
    bare: Vec<u32>,
}

/// What each host is worth to a lodger, and which is the best.
#[derive(Default)]
struct Wishes {
    worths: Vec<Option<f64>>,
    best: Option<(f64, usize)>,
}

impl Wishes {
    fn new(hosts: &[House], worth: impl Fn(&House) -> Option<f64>) -> Self {
        let worths: Vec<Option<f64>> = hosts.iter().map(worth).collect();
        Self { best: most(&worths), worths }
    }

    /// A host has taken somebody in.
    fn change(&mut self, host: usize, worth: Option<f64>) {
        self.worths[host] = worth;
        match (self.best, worth) {
            (Some((_, best)), _) if best == host => self.best = most(&self.worths),
            (best, Some(worth)) if best.is_none_or(|(most, _)| worth > most) => self.best = Some((worth, host)),
            _ => {}
        }
    }
}

fn most(worths: &[Option<f64>]) -> Option<(f64, usize)> {
    let all = worths.iter().enumerate().filter_map(|(at, worth)| Some(((*worth)?, at)));
    all.max_by(|a, b| a.0.total_cmp(&b.0))
}

/// The lodger whose best host is worth the most, and that host.
fn strongest(wishes: &[Wishes]) -> Option<(usize, usize)> {
    let all = wishes.iter().enumerate().filter_map(|(l, wishes)| wishes.best.map(|(worth, h)| (worth, l, h)));
    all.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, l, h)| (l, h))
}

/// What the rhythms say for a lodger's being of a host: it may have several, of which one has to fit.
fn alike(rhythms: &Rhythms, host: &House, lodger: &House) -> f64 {
    let pairs = host.bare.iter().flat_map(|a| lodger.bare.iter().map(|b| rhythms.alike(*a, *b))).flatten();
    pairs.max_by(f64::total_cmp).unwrap_or(0.0)
}

/// One track of each of the rows with the most steps that only spoke weakly.
fn bare(all: &[Track], rhythms: &Rhythms, tracks: &[u32]) -> Vec<u32> {
    let bare = tracks.iter().copied().filter(|at| all[*at as usize].full.is_empty());
    let mut rows: Vec<(std::cmp::Reverse<u32>, u32, u32)> = bare
        .map(|at| {
            let (row, steps) = rhythms.row(at);
            (std::cmp::Reverse(steps), row, at)
        })
        .collect();
    rows.sort_unstable();
    rows.dedup_by_key(|(_, row, _)| *row);
    rows.iter().take(BARE).map(|(.., at)| *at).collect()
}

/// The tracks of each device, in the order of time, without what is lodged anew.
fn devices(all: &[Track], links: &[Link], is_young: &[bool]) -> Vec<Vec<u32>> {
    let mut roots: Vec<usize> = (0..all.len()).collect();
    for (at, link) in links.iter().enumerate() {
        let before = link.map(|(before, ..)| before);
        for other in [before, all[at].same, all[at].host.filter(|_| !is_young[at])].into_iter().flatten() {
            let (a, b) = (root(&mut roots, at), root(&mut roots, other as usize));
            roots[a.max(b)] = a.min(b);
        }
    }
    let mut devices: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for at in (0u32..).take(all.len()) {
        devices.entry(root(&mut roots, at as usize)).or_default().push(at);
    }
    devices.into_values().collect()
}

/// A host takes a lodger in, if it is free at that time.
fn take_in(all: &[Track], models: &Models, host: &mut House, lodger: &House, linked: &mut [Option<u32>]) {
    let Some((before, _)) = place(all, models, host, lodger) else { return };
    linked[lodger.tracks[0] as usize] = Some(before);
    host.tracks.extend(&lodger.tracks);
    host.tracks.sort_by_key(|at| all[*at as usize].first_us);
    host.bare.extend(&lodger.bare);
    host.bare.truncate(2 * BARE);
}

/// What all tracks of a device have shown.
fn of_all(all: &[Track], models: &Models, tracks: &[u32]) -> Side {
    let mut whole = models.head(&all[tracks[0] as usize]);
    tracks.iter().for_each(|at| whole.take_in(&models.head(&all[*at as usize])));
    whole
}

/// Where in a host's time a lodger would be, if it is free then, and what that is worth.
fn place(all: &[Track], models: &Models, host: &House, lodger: &House) -> Option<(u32, f64)> {
    let (tracks, lodged) = (&host.tracks, &lodger.tracks);
    let (first, last) = (&all[lodged[0] as usize], &all[lodged[lodged.len() - 1] as usize]);
    let at = tracks.partition_point(|at| all[*at as usize].first_us < first.first_us);
    let before = at.checked_sub(1).map(|at| tracks[at]);
    let after = tracks.get(at).copied();
    let is_free_before = before.is_none_or(|at| all[at as usize].last_us < first.first_us);
    let is_free_after = after.is_none_or(|at| all[at as usize].first_us > last.last_us);
    if !is_free_before || !is_free_after {
        return None;
    }
    let step = |before: &Track, after: &Track| models.step(&models.tail(before), &models.head(after));
    let counter =
        before.map_or(0.0, |at| step(&all[at as usize], first)) + after.map_or(0.0, |at| step(last, &all[at as usize]));
    Some((before.or(after)?, models.hosting(&host.whole, &lodger.whole)? + counter))
}
