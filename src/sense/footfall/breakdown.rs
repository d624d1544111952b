//! Published breakdowns: zone by dwell by hour, with small cells suppressed.
//!
//! A cell of fewer than k people says something about single ones and is not told. Totals are told, so that a single
//! suppressed cell of an hour could be found by subtraction: then the smallest told cell of that hour is suppressed
//! too.

use std::collections::BTreeMap;

/// How long somebody was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dwell {
    /// Did not come in.
    Passed,
    /// Came in, for less than five minutes.
    Short,
    /// Five to twenty minutes.
    Medium,
    /// Longer.
    Long,
}

impl Dwell {
    /// From how long it was.
    pub fn of(has_come_in: bool, dwell_us: i64) -> Self {
        match dwell_us / 60_000_000 {
            _ if !has_come_in => Self::Passed,
            ..5 => Self::Short,
            5..20 => Self::Medium,
            _ => Self::Long,
        }
    }
}

/// One cell as it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Index of the zone.
    pub zone: usize,
    /// How long.
    pub dwell: Dwell,
    /// Hours since 1970-01-01T00:00:00Z.
    pub hour: i64,
    /// How many; `None` when that is not told.
    pub count: Option<u32>,
}

/// Counts by zone, dwell and hour.
#[derive(Debug, Clone, Default)]
pub struct Breakdown(BTreeMap<(i64, usize, Dwell), u32>);

impl Breakdown {
    /// One more.
    pub fn add(&mut self, zone: usize, dwell: Dwell, hour: i64) {
        *self.0.entry((hour, zone, dwell)).or_default() += 1;
    }

    /// Everybody in an hour; never suppressed.
    pub fn total(&self, hour: i64) -> u32 {
        self.0.iter().filter(|((of, ..), _)| *of == hour).map(|(_, count)| count).sum()
    }

    /// The cells in which there was anybody, by hour; those of fewer than `k` are not told.
    pub fn published(&self, k: u32) -> Vec<Cell> {
        let all: Vec<_> = self.0.iter().collect();
        let hours = all.chunk_by(|a, b| a.0.0 == b.0.0);
        hours.flat_map(|hour| publish(hour, k)).collect()
    }
}

fn publish(hour: &[(&(i64, usize, Dwell), &u32)], k: u32) -> Vec<Cell> {
    let mut least = k;
    if hour.iter().filter(|(_, count)| **count < k).count() == 1 {
        let told = hour.iter().map(|(_, count)| **count).filter(|count| *count >= k);
        least = told.min().map_or(k, |smallest| smallest.saturating_add(1));
    }
    let cell = |at: &(&(i64, usize, Dwell), &u32)| {
        let ((hour, zone, dwell), count) = (*at.0, *at.1);
        Cell { zone, dwell, hour, count: Some(count).filter(|count| *count >= least) }
    };
    hour.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE_US: i64 = 60_000_000;

    #[test]
    fn dwell_has_four_bands() {
        let of = |minutes| Dwell::of(true, minutes * MINUTE_US);
        assert_eq!([of(0), of(4), of(5), of(19), of(20)].map(|dwell| dwell as u8), [1, 1, 2, 2, 3]);
        assert_eq!(Dwell::of(false, 60 * MINUTE_US), Dwell::Passed);
    }

    #[test]
    fn a_single_small_cell_takes_the_smallest_told_one_with_it() {
        let mut breakdown = Breakdown::default();
        for (dwell, count) in [(Dwell::Passed, 40), (Dwell::Short, 9), (Dwell::Medium, 2)] {
            (0..count).for_each(|_| breakdown.add(0, dwell, 7));
        }
        let told: Vec<_> = breakdown.published(5).iter().map(|cell| cell.count).collect();
        assert_eq!(told, [Some(40), None, None]);
        assert_eq!(breakdown.total(7), 51);
    }

    proptest! {
        #[test]
        fn what_is_told_is_never_small_and_what_is_not_cannot_be_subtracted(
            counts in prop::collection::vec((0_usize..3, 0_u8..4, 0_i64..2, 1_u32..12), 1..20),
        ) {
            let mut breakdown = Breakdown::default();
            let dwells = [Dwell::Passed, Dwell::Short, Dwell::Medium, Dwell::Long];
            for (zone, dwell, hour, count) in counts {
                (0..count).for_each(|_| breakdown.add(zone, dwells[usize::from(dwell)], hour));
            }
            let cells = breakdown.published(5);
            for hour in 0..2 {
                let of_hour: Vec<_> = cells.iter().filter(|cell| cell.hour == hour).collect();
                prop_assert!(of_hour.iter().all(|cell| cell.count.is_none_or(|count| count >= 5)));
                let hidden = of_hour.iter().filter(|cell| cell.count.is_none()).count();
                prop_assert!(hidden != 1 || of_hour.len() == 1, "{of_hour:?}");
            }
        }
    }
}
