//! Ends of tracks and rows, to be found by what may go on from them.

use std::collections::HashMap;

use super::limits::{MODEL_CANDIDATES, SEQUENCE_GAP, SEQUENCE_MEMORY_US};
use super::models::{Kind, Models, Side};

const BUCKETS: u16 = 64;
const PER_BUCKET: u16 = 4096 / BUCKETS;

/// Of one model or kind of weak request, each in the order of time.
struct OfKind {
    by_counter: Vec<Vec<(u32, Side)>>,
    all: Vec<(u32, Side)>,
}

/// See the module.
pub(super) struct Ends {
    kinds: HashMap<Kind, OfKind>,
}

impl Ends {
    pub(super) fn new(ends: impl Iterator<Item = (u32, Side)>) -> Self {
        let mut ends: Vec<(u32, Side)> = ends.collect();
        ends.sort_by_key(|(_, side)| side.at_us);
        let mut kinds: HashMap<Kind, OfKind> = HashMap::new();
        let empty = || OfKind { by_counter: vec![Vec::new(); usize::from(BUCKETS)], all: Vec::new() };
        for (at, side) in ends {
            let kind = kinds.entry(side.kind()).or_insert_with(empty);
            if let Some(sequence) = side.sequence {
                kind.by_counter[usize::from(sequence / PER_BUCKET % BUCKETS)].push((at, side));
            }
            kind.all.push((at, side));
        }
        Self { kinds }
    }

    /// Ends from which the counter may go on to a beginning.
    pub(super) fn near<'a>(&'a self, head: &'a Side, models: &Models) -> impl Iterator<Item = (u32, Side)> + 'a {
        let kinds = models.may_precede(head).into_iter().filter_map(|kind| self.kinds.get(&kind));
        let back = SEQUENCE_GAP / PER_BUCKET + 1;
        let here = head.sequence.map(|sequence| sequence / PER_BUCKET + BUCKETS);
        let buckets = kinds.flat_map(move |kind| {
            (0..back).filter_map(move |by| Some(&kind.by_counter[usize::from((here? - by) % BUCKETS)]))
        });
        buckets.flat_map(|bucket| {
            let from = bucket.partition_point(|(_, side)| side.at_us < head.at_us - SEQUENCE_MEMORY_US);
            let to = bucket.partition_point(|(_, side)| side.at_us <= head.at_us);
            bucket[from.min(to)..to].iter().copied()
        })
    }

    /// The latest ends before a beginning, of each kind that it may go on from.
    pub(super) fn latest<'a>(&'a self, head: &'a Side, models: &Models) -> impl Iterator<Item = (u32, Side)> + 'a {
        let kinds = models.may_precede(head).into_iter().filter_map(|kind| self.kinds.get(&kind));
        kinds.flat_map(|kind| {
            let to = kind.all.partition_point(|(_, side)| side.at_us <= head.at_us);
            kind.all[..to].iter().rev().copied().take(MODEL_CANDIDATES)
        })
    }
}
