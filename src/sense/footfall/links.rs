//! Which track goes on from which.
//!
//! First those are linked that follow each other within a scan, then scans by the frame counter, which gives rows that
//! are one sender beyond reasonable doubt. What is learned from them (habits, rhythms, which models send which weak
//! requests) is used to link scans once more. Then whole rows are linked by what all their tracks have shown: the
//! model, and how it makes addresses.

use std::collections::HashSet;

use super::auction::{Wish, auction};
use super::ends::Ends;
use super::limits::{MANY, SETTLED_US, YOUNG};
use super::lodge::lodge;
use super::models::{Kind, Models, Side};
use super::rhythm::Rhythms;
use super::scans;
use super::tracks::{Reason, Track, Tracks};

/// From which place something goes on, why, and what that is worth.
pub(super) type Link = Option<(u32, Reason, f64)>;
/// Links that would make one device of two models: from, to.
type Forbidden = HashSet<(u32, u32)>;

/// A link by the counter has to be worth this much, from time to time more.
const SURE: [f64; 4] = [1.0, 2.0, 2.5, 2.5];
/// A link of rows is worth this much beside what speaks for it: as few devices as explain what was heard.
pub(super) const FEWER: f64 = 4.0;
/// Rows that only spoke weakly are linked by what is as sure as a link of addresses: others wait for their host.
const BARE: f64 = 2.5;

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
    let settled = settled(all, &models, is_young);
    let mut links: Vec<Link> = settled.clone();
    let rounds = if all.len() <= MANY { SURE.len() } else { 2 };
    for sure in &SURE[SURE.len() - rounds..] {
        links = by_counter((all, is_young), &models, &settled, &forbidden, (&links, *sure));
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
    let rhythms = Rhythms::new(all, &links);
    for (head, link) in by_model(all, &models, &rhythms, &rows) {
        links[head as usize] = Some(link);
    }
    let hosts = lodge(all, &models, &rhythms, &links, is_young);
    (links, hosts)
}

/// What a link that is kept counts for, when one has to go.
const KEPT: f64 = 100.0;

/// Links that are beyond question: those that are older than what is linked anew, and those within a scan.
fn settled(all: &[Track], models: &Models, is_young: &[bool]) -> Vec<Link> {
    let old =
        |(track, is_young): (&Track, &bool)| track.before.filter(|_| !is_young).map(|at| (at, track.reason, KEPT));
    let mut links: Vec<Link> = all.iter().zip(is_young).map(old).collect();
    let mut is_taken = vec![false; all.len()];
    links.iter().flatten().for_each(|(before, ..)| is_taken[*before as usize] = true);
    for (at, scan) in scans::within(all, models).into_iter().enumerate().filter(|(at, _)| is_young[*at]) {
        if let Some((before, ..)) = scan.filter(|(before, ..)| !is_taken[*before as usize]) {
            is_taken[before as usize] = true;
            links[at] = scan;
        }
    }
    links
}

/// Tracks that the counter links.
fn by_counter(
    (all, is_young): (&[Track], &[bool]),
    models: &Models,
    settled: &[Link],
    forbidden: &Forbidden,
    (last, sure): (&[Link], f64),
) -> Vec<Link> {
    let rhythms = Rhythms::new(all, last);
    let mut links = settled.to_vec();
    let mut is_free = vec![true; all.len()];
    links.iter().flatten().for_each(|(before, ..)| is_free[*before as usize] = false);
    let sides: Vec<(Side, Side)> = all.iter().map(|track| (models.head(track), models.tail(track))).collect();
    let free = (0u32..).zip(&sides).filter(|(at, _)| is_free[*at as usize]);
    let ends = Ends::new(free.map(|(at, sides)| (at, sides.1)));
    let young: Vec<usize> = (0..all.len()).filter(|at| is_young[*at] && links[*at].is_none()).collect();
    let mut found: Vec<Vec<(Wish, Reason)>> = Vec::with_capacity(young.len());
    for &at in &young {
        let (head, _) = &sides[at];
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        let mut wishes = Vec::new();
        for (thing, tail) in ends.near(head, models) {
            let is_same = all[at].same == Some(thing);
            if thing as usize == at || forbidden.contains(&(thing, place)) {
                continue;
            }
            let Some((mut worth, reason)) = models.by_counter(&tail, head, is_same, false) else { continue };
            if head.full.is_none() && tail.full.is_none() {
                worth += rhythms.of_link(last, (thing, place), reason, head.at_us - tail.at_us);
            }
            if worth > sure {
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
fn by_model(all: &[Track], models: &Models, rhythms: &Rhythms, rows: &[Row]) -> Vec<(u32, (u32, Reason, f64))> {
    let ends = Ends::new((0u32..).zip(rows).map(|(at, row)| (at, row.tail)));
    let found: Vec<Vec<(Wish, Reason)>> =
        (0u32..).zip(rows).map(|(at, row)| wishes_of_row((all, models, rhythms), rows, &ends, at, row)).collect();
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

fn wishes_of_row(
    (all, models, rhythms): (&[Track], &Models, &Rhythms),
    rows: &[Row],
    ends: &Ends,
    at: u32,
    row: &Row,
) -> Vec<(Wish, Reason)> {
    let mut wishes: Vec<(Wish, Reason)> = Vec::new();
    let near = ends.near(&row.head, models).chain(ends.latest(&row.head, models));
    let near = near.filter(|(_, tail)| row.is_young && row.head.full.is_some() == tail.full.is_some());
    for (thing, tail) in near {
        let is_same = all[row.first as usize].same.is_some_and(|same| Some(same) == rows[thing as usize].tail.place);
        let is_new = wishes.iter().all(|(wish, _)| wish.thing != thing);
        if is_new
            && thing != at
            && let Some((mut worth, reason)) = models.by_model(&tail, &row.head, is_same)
        {
            let is_bare = row.head.full.is_none();
            if let Some(last) = tail.place.filter(|_| is_bare) {
                worth += rhythms.alike(last, row.first).unwrap_or(0.0);
            }
            if worth > if is_bare { BARE } else { -FEWER } {
                wishes.push((Wish { thing, worth: worth + FEWER }, reason));
            }
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

pub(super) fn root(roots: &mut [usize], mut at: usize) -> usize {
    while roots[at] != at {
        roots[at] = roots[roots[at]];
        at = roots[at];
    }
    at
}
