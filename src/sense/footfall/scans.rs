//! The scans: addresses that follow each other within a scan are one sender's before anything else is asked.
//!
//! Some radios take a new address for every channel of a scan. One of their kind that begins in the middle of another's
//! scan, with its counter between that one's, is not worth supposing, and yet two interleaved rows can explain a crowd
//! as well as one that goes straight on. So the nearest counter within a scan is taken first, and rows are made of
//! scans.

use std::collections::HashMap;

use super::limits::{SCAN_GAP, SCAN_US};
use super::links::Link;
use super::models::{Kind, Models};
use super::print::Manner;
use super::tracks::{Reason, Track};

/// What a link within a scan counts for.
const WORTH: f64 = 50.0;

/// Links within scans: to the nearest counter, if that one's nearest is this.
pub(super) fn within(all: &[Track], models: &Models) -> Vec<Link> {
    // Of each track the nearest before it and after it: by how much, and which.
    let mut before: Vec<Option<(u16, u32)>> = vec![None; all.len()];
    let mut after = before.clone();
    let mut open: HashMap<Kind, Vec<u32>> = HashMap::new();
    for (at, track) in (0u32..).zip(all).filter(|(_, track)| track.has_sequence && track.manner != Manner::Global) {
        let others = open.entry(models.head(track).kind()).or_default();
        others.retain(|other| after_us(&all[*other as usize], track) <= SCAN_US);
        for other in others.iter().copied() {
            let Some(gap) = step(&all[other as usize], track) else { continue };
            let is_nearer = |known: Option<(u16, u32)>| known.is_none_or(|(known, _)| gap < known);
            if is_nearer(before[at as usize]) {
                before[at as usize] = Some((gap, other));
            }
            if is_nearer(after[other as usize]) {
                after[other as usize] = Some((gap, at));
            }
        }
        others.push(at);
    }
    let link = |(at, near): (u32, &Option<(u16, u32)>)| {
        let (gap, before) = (*near)?;
        let is_mutual = after[before as usize].is_some_and(|(_, after)| after == at);
        let after_us = after_us(&all[before as usize], &all[at as usize]);
        let after_ms = u32::try_from(after_us / 1000).unwrap_or(u32::MAX);
        is_mutual.then_some((before, Reason::Counter { gap, after_ms }, WORTH))
    };
    (0u32..).zip(&before).map(link).collect()
}

fn after_us(before: &Track, after: &Track) -> i64 {
    after.first_us - before.last_us
}

/// The counter's step, if both can be of one scan.
fn step(before: &Track, after: &Track) -> Option<u16> {
    let gap = after.first_sequence.wrapping_sub(before.sequence) & 0xfff;
    let is_soon = (0..=SCAN_US).contains(&after_us(before, after));
    (is_soon && (1..=SCAN_GAP).contains(&gap) && before.address != after.address).then_some(gap)
}

#[cfg(test)]
mod tests {
    use super::super::cells::Ear;
    use super::*;
    use crate::sense::footfall::print::Print;
    use crate::sense::footfall::tracks::{Seen, Tracks};

    /// Tracks of one frame each, of radios that say only rates: when in milliseconds, the counter.
    fn tracks(heard: &[(i64, u16)]) -> Tracks {
        let mut tracks = Tracks::new(1);
        let print = Print { hash: 1, order: 1, is_weak: true, is_cut: false, unknown: 0 };
        for (address, (at_ms, sequence)) in (0u64..).zip(heard) {
            let at_us = at_ms * 1000;
            let seen =
                Seen { at_us, sequence: Some(*sequence), manner: Manner::Local, ear: Ear::FIRST, rssi_dbm: -50, print };
            tracks.begin(Some(address), &seen);
        }
        tracks
    }

    fn before(heard: &[(i64, u16)]) -> Vec<Option<u32>> {
        let tracks = tracks(heard);
        let links = within(&tracks.all, &Models::new(&tracks.all, tracks.orders()));
        links.iter().map(|link| link.map(|(before, ..)| before)).collect()
    }

    #[test]
    fn a_scan_goes_straight_on_and_two_scans_at_a_time_stay_two() {
        let (one, other) = ([(0, 100), (80, 102), (160, 106), (240, 107)], [(40, 4095), (120, 1), (200, 3)]);
        assert_eq!(before(&one), [None, Some(0), Some(1), Some(2)]);
        let mut both = [one.as_slice(), &other].concat();
        both.sort_unstable();
        assert_eq!(before(&both), [None, None, Some(0), Some(1), Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn the_next_scan_and_a_far_counter_are_left_to_others() {
        assert_eq!(before(&[(0, 100), (60_000, 106)]), [None, None]);
        assert_eq!(before(&[(0, 100), (80, 180)]), [None, None]);
    }
}
