//! Which track goes on from which.
//!
//! First those are linked that the frame counter links, which gives rows that are one sender beyond reasonable doubt.
//! What is learned from them (habits, which models send which weak requests) is used to link once more. Then whole
//! rows are linked by what all their tracks have shown: the model, and how it makes addresses.

use std::collections::{BTreeMap, HashSet};

use super::auction::{Wish, auction};
use super::ends::Ends;
use super::limits::{LODGERS, MANY, SETTLED_US, YOUNG};
use super::models::{Kind, Models, Side};
use super::tracks::{Reason, Track, Tracks};

/// From which place something goes on, why, and what that is worth.
pub(super) type Link = Option<(u32, Reason, f64)>;
/// Links that would make one device of two models: from, to.
type Forbidden = HashSet<(u32, u32)>;

/// A link by the counter has to be worth this much, from time to time more.
const SURE: [f64; 4] = [1.0, 2.0, 2.5, 2.5];
/// A link of rows is worth this much beside what speaks for it: as few devices as explain what was heard.
const FEWER: f64 = 4.0;

/// Tracks that are one sender beyond reasonable doubt, as one.
pub(super) struct Row {
    pub(super) head: Side,
    pub(super) tail: Side,
    /// The place of the first track.
    first: u32,
    is_young: bool,
}

/// Links the youngest tracks anew, and tells them their devices.
pub(super) fn link(tracks: &mut Tracks) {
    let from = tracks.all.len().saturating_sub(YOUNG);
    let now_us = tracks.all.iter().map(|track| track.last_us).max().unwrap_or(0);
    let may_change = |track: &Track| track.first_us >= now_us - SETTLED_US && !is_bound(track, from);
    let is_young: Vec<bool> = tracks.all[from..].iter().map(may_change).collect();
    let all: Vec<Track> = tracks.all[from..].iter().map(|track| track.moved(from)).collect();
    let (links, hosts) = link_young(&all, tracks.orders(), &is_young);
    let outside = |at: u32| u32::try_from(at as usize + from).unwrap_or(u32::MAX);
    let theirs = tracks.all[from..].iter_mut().zip(links.into_iter().zip(hosts)).zip(&is_young);
    for ((track, (link, host)), _) in theirs.filter(|(_, is_young)| **is_young) {
        track.before = link.map(|(before, ..)| outside(before));
        track.host = host.map(outside);
        track.reason = match link {
            Some((_, reason, _)) => reason,
            None if host.is_some() => Reason::Model,
            None if track.same.is_some() => Reason::Address,
            None => Reason::New,
        };
    }
    name(&mut tracks.all, from);
}

/// Whether a track goes on from one that is not linked anew any more.
fn is_bound(track: &Track, from: usize) -> bool {
    [track.before, track.host].into_iter().flatten().any(|at| (at as usize) < from)
}

/// Links and hosts of tracks.
fn link_young(all: &[Track], orders: &[u64], is_young: &[bool]) -> (Vec<Link>, Vec<Option<u32>>) {
    let mut models = Models::new(all, orders);
    let mut fulls: Vec<Option<Kind>> = all.iter().map(|track| models.head(track).full).collect();
    let mut forbidden = Forbidden::new();
    let mut links = Vec::new();
    let rounds = if all.len() <= MANY { SURE.len() } else { 2 };
    for sure in &SURE[SURE.len() - rounds..] {
        links = by_counter(all, &models, is_young, &forbidden, *sure);
        models.learn(all, &links);
        forbidden.extend(contradictions(&links, &fulls));
        if models.unite(all, &links) {
            fulls = all.iter().map(|track| models.head(track).full).collect();
        }
    }
    for (before, at) in contradictions(&links, &fulls) {
        debug_assert_eq!(links[at as usize].map(|link| link.0), Some(before));
        links[at as usize] = None;
    }
    let rows = rows(all, &models, &links, is_young);
    for (head, link) in by_model(all, &models, &rows) {
        links[head as usize] = Some(link);
    }
    let hosts = lodge(all, &models, &links, is_young);
    (links, hosts)
}

/// What a link that is kept counts for, when one has to go.
const KEPT: f64 = 100.0;

/// Links that are older than what is linked anew.
fn kept(all: &[Track], is_young: &[bool]) -> Vec<Link> {
    let old =
        |(track, is_young): (&Track, &bool)| track.before.filter(|_| !is_young).map(|at| (at, track.reason, KEPT));
    all.iter().zip(is_young).map(old).collect()
}

/// Tracks that the counter links.
fn by_counter(all: &[Track], models: &Models, is_young: &[bool], forbidden: &Forbidden, sure: f64) -> Vec<Link> {
    let mut links = kept(all, is_young);
    let mut is_free = vec![true; all.len()];
    links.iter().flatten().for_each(|(before, ..)| is_free[*before as usize] = false);
    let sides: Vec<(Side, Side)> = all.iter().map(|track| (models.head(track), models.tail(track))).collect();
    let free = (0u32..).zip(&sides).filter(|(at, _)| is_free[*at as usize]);
    let ends = Ends::new(free.map(|(at, sides)| (at, sides.1)));
    let young: Vec<usize> = (0..all.len()).filter(|at| is_young[*at]).collect();
    let mut found: Vec<Vec<(Wish, Reason)>> = Vec::with_capacity(young.len());
    for &at in &young {
        let (head, _) = &sides[at];
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        let mut wishes = Vec::new();
        for (thing, tail) in ends.near(head, models) {
            let is_same = all[at].same == Some(thing);
            if thing as usize != at
                && !forbidden.contains(&(thing, place))
                && let Some((worth, reason)) = models.by_counter(&tail, head, is_same, false)
                && worth > sure
            {
                wishes.push((Wish { thing, worth: worth - sure }, reason));
            }
        }
        found.push(wishes);
    }
    let wishes: Vec<Vec<Wish>> = found.iter().map(|found| found.iter().map(|(wish, _)| *wish).collect()).collect();
    for ((at, won), found) in young.iter().zip(auction(&wishes, all.len())).zip(&found) {
        links[*at] = won.map(|won| (found[won].0.thing, found[won].1, found[won].0.worth));
    }
    links
}

/// Linked tracks as one each.
fn rows(all: &[Track], models: &Models, links: &[Link], is_young: &[bool]) -> Vec<Row> {
    let mut next: Vec<Option<u32>> = vec![None; all.len()];
    for (at, link) in (0u32..).zip(links) {
        if let Some((before, ..)) = link {
            next[*before as usize] = Some(at);
        }
    }
    let heads = (0u32..).zip(links).filter(|(_, link)| link.is_none());
    let row = |(first, _): (u32, &Link)| {
        let (mut last, mut whole) = (first, models.head(&all[first as usize]));
        while let Some(at) = next[last as usize] {
            last = at;
            whole.take_in(&models.head(&all[at as usize]));
        }
        let (head, tail) = (models.head(&all[first as usize]), models.tail(&all[last as usize]));
        Row {
            head: head.known_as(&whole),
            tail: tail.at(last).known_as(&whole),
            first,
            is_young: is_young[first as usize],
        }
    };
    heads.map(row).collect()
}

/// Rows that their model links: the head of the later, and its link to the tail of the earlier.
fn by_model(all: &[Track], models: &Models, rows: &[Row]) -> Vec<(u32, (u32, Reason, f64))> {
    let ends = Ends::new((0u32..).zip(rows).map(|(at, row)| (at, row.tail)));
    let found: Vec<Vec<(Wish, Reason)>> =
        (0u32..).zip(rows).map(|(at, row)| wishes_of_row(all, models, rows, &ends, at, row)).collect();
    let wishes: Vec<Vec<Wish>> = found.iter().map(|found| found.iter().map(|(wish, _)| *wish).collect()).collect();
    let won = auction(&wishes, rows.len());
    let link = |(won, found): (&Option<usize>, &Vec<(Wish, Reason)>)| {
        won.map(|won| (found[won].0.thing, found[won].1, found[won].0.worth))
    };
    let links: Vec<Link> = won.iter().zip(&found).map(link).collect();
    let linked = links.iter().zip(rows).filter_map(|(link, row)| {
        let (thing, reason, worth) = (*link)?;
        Some((row.first, (rows[thing as usize].tail.place?, reason, worth)))
    });
    linked.collect()
}

fn wishes_of_row(all: &[Track], models: &Models, rows: &[Row], ends: &Ends, at: u32, row: &Row) -> Vec<(Wish, Reason)> {
    let mut wishes: Vec<(Wish, Reason)> = Vec::new();
    let near = ends.near(&row.head, models).chain(ends.latest(&row.head, models));
    let near = near.filter(|(_, tail)| row.is_young && row.head.full.is_some() == tail.full.is_some());
    for (thing, tail) in near {
        let is_same = all[row.first as usize].same.is_some_and(|same| Some(same) == rows[thing as usize].tail.place);
        let is_new = wishes.iter().all(|(wish, _)| wish.thing != thing);
        if is_new
            && thing != at
            && let Some((worth, reason)) = models.by_model(&tail, &row.head, is_same)
            && worth > -FEWER
        {
            wishes.push((Wish { thing, worth: worth + FEWER }, reason));
        }
    }
    wishes
}

/// Links that have to go because one device would be of two models: of those between two models the one of the least
/// worth.
fn contradictions(links: &[Link], fulls: &[Option<Kind>]) -> Vec<(u32, u32)> {
    let mut wrong = Vec::new();
    for (at, link) in (0u32..).zip(links) {
        let Some(model) = fulls[at as usize] else { continue };
        let (mut least, mut here, mut on) = (None::<(f64, u32, u32)>, at, *link);
        while let Some((before, _, worth)) = on {
            if least.is_none_or(|(least, ..)| worth < least) {
                least = Some((worth, before, here));
            }
            match fulls[before as usize] {
                // A direct link of two models was made knowing both.
                Some(other) if other == model || here == at => break,
                Some(_) => {
                    wrong.extend(least.map(|(_, before, at)| (before, at)));
                    break;
                }
                None => (here, on) = (before, links[before as usize]),
            }
        }
    }
    wrong.sort_unstable();
    wrong.dedup();
    wrong
}

/// Devices that only ever spoke weakly find a host that was silent meanwhile: for the head of each a track of the host.
fn lodge(all: &[Track], models: &Models, links: &[Link], is_young: &[bool]) -> Vec<Option<u32>> {
    let mut roots: Vec<usize> = (0..all.len()).collect();
    for (at, link) in links.iter().enumerate() {
        let before = link.map(|(before, ..)| before);
        for other in [before, all[at].same, all[at].host.filter(|_| !is_young[at])].into_iter().flatten() {
            let (a, b) = (root(&mut roots, at), root(&mut roots, other as usize));
            roots[a.max(b)] = a.min(b);
        }
    }
    // Of each device its tracks in the order of time.
    let mut devices: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for at in (0u32..).take(all.len()) {
        devices.entry(root(&mut roots, at as usize)).or_default().push(at);
    }
    let (hosts, lodgers): (Vec<Vec<u32>>, Vec<Vec<u32>>) =
        devices.into_values().partition(|tracks| tracks.iter().any(|at| !all[*at as usize].full.is_empty()));
    let lodgers: Vec<Vec<u32>> = lodgers.into_iter().filter(|tracks| is_young[tracks[0] as usize]).collect();
    let lodgers: Vec<Vec<u32>> = lodgers[lodgers.len().saturating_sub(LODGERS)..].to_vec();
    let mut stays: Vec<(Side, Vec<u32>)> =
        hosts.into_iter().map(|tracks| (of_all(all, models, &tracks), tracks)).collect();
    let lodgers: Vec<(Side, Vec<u32>)> =
        lodgers.into_iter().map(|tracks| (of_all(all, models, &tracks), tracks)).collect();
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (l, (own, lodger)) in lodgers.iter().enumerate() {
        for (h, (host, tracks)) in stays.iter().enumerate() {
            let place = place(all, models, host, tracks, own, lodger);
            pairs.extend(place.map(|(_, worth)| (worth, l, h)).filter(|(worth, ..)| *worth > -FEWER));
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut is_housed = vec![false; lodgers.len()];
    let mut linked = vec![None; all.len()];
    for (_, l, h) in pairs {
        if !is_housed[l] {
            is_housed[l] = take_in(all, models, &mut stays[h], &lodgers[l], &mut linked);
        }
    }
    // Who found no host: as few devices as can be.
    let mut groups: Vec<(Side, Vec<u32>)> = Vec::new();
    for (lodger, _) in lodgers.into_iter().zip(is_housed).filter(|(_, is_housed)| !is_housed) {
        if !groups.iter_mut().any(|group| take_in(all, models, group, &lodger, &mut linked)) {
            groups.push(lodger);
        }
    }
    linked
}

/// A host takes a lodger in, if it is free at that time.
fn take_in(
    all: &[Track],
    models: &Models,
    host: &mut (Side, Vec<u32>),
    lodger: &(Side, Vec<u32>),
    linked: &mut [Option<u32>],
) -> bool {
    let Some((before, _)) = place(all, models, &host.0, &host.1, &lodger.0, &lodger.1) else { return false };
    linked[lodger.1[0] as usize] = Some(before);
    host.1.extend(&lodger.1);
    host.1.sort_by_key(|at| all[*at as usize].first_us);
    true
}

/// What all tracks of a device have shown.
fn of_all(all: &[Track], models: &Models, tracks: &[u32]) -> Side {
    let mut whole = models.head(&all[tracks[0] as usize]);
    tracks.iter().for_each(|at| whole.take_in(&models.head(&all[*at as usize])));
    whole
}

/// Where in a host's time a lodger would be, if it is free then, and what that is worth.
fn place(
    all: &[Track],
    models: &Models,
    host: &Side,
    tracks: &[u32],
    own: &Side,
    lodger: &[u32],
) -> Option<(u32, f64)> {
    let (first, last) = (&all[lodger[0] as usize], &all[lodger[lodger.len() - 1] as usize]);
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
    Some((before.or(after)?, models.hosting(host, own)? + counter))
}

/// Tells every track from a place on its device: what is linked, or of one address, is one.
fn name(tracks: &mut [Track], from: usize) {
    let mut roots: Vec<usize> = (0..tracks.len() - from).collect();
    let mut known: Vec<Option<u32>> = vec![None; roots.len()];
    for (at, track) in tracks[from..].iter().enumerate() {
        for other in [track.same, track.host, track.before].into_iter().flatten() {
            let Some(near) = (other as usize).checked_sub(from) else {
                known[at] = Some(tracks[other as usize].device);
                continue;
            };
            let (a, b) = (root(&mut roots, at), root(&mut roots, near));
            // The earliest track names the device; places are in the order of beginnings.
            roots[a.max(b)] = a.min(b);
        }
    }
    let mut names: Vec<u32> = tracks[from..].iter().map(|track| track.origin).collect();
    for at in 0..roots.len() {
        if let Some(device) = known[at] {
            names[root(&mut roots, at)] = device;
        }
    }
    for (at, track) in tracks[from..].iter_mut().enumerate() {
        track.device = names[root(&mut roots, at)];
    }
}

fn root(roots: &mut [usize], mut at: usize) -> usize {
    while roots[at] != at {
        roots[at] = roots[roots[at]];
        at = roots[at];
    }
    at
}
