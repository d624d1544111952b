//! Counts by zone and dwell, and which of them may be published.
//!
//! A zone is what one ear hears best. A small number in a small cell can be one known person, so a cell that counts
//! fewer than so many is left out, as is one that is zero: the reader cannot tell which. The totals of a window are
//! published as well (who passed, visited, stayed), and whoever subtracts must not learn what was left out: so the
//! smallest cells of the same total go with it until what is missing is large enough, or everything is missing
//! (complementary suppression; Hundepool et al., Statistical Disclosure Control, 2012, chapter 4).

use super::limits::EARS;
use crate::types::Dwell;

/// Which of the sensors that are counted together heard something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ear(pub(super) u8);

impl Ear {
    /// The one that is there from the beginning.
    pub const FIRST: Self = Self(0);

    /// Its place among those that are counted together.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

/// Devices by the ear that heard them best and by how long they were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cells([[u32; Dwell::ALL.len()]; EARS]);

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The zone.
    pub ear: Ear,
    /// How long they were there.
    pub dwell: Dwell,
    /// How many.
    pub devices: u32,
}

/// Dwells that one published total is the sum of.
const TOTALS: [&[Dwell]; 3] =
    [&[Dwell::Passed], &[Dwell::Visited], &[Dwell::Stayed, Dwell::Stayed15Min, Dwell::Stayed60Min]];

impl Cells {
    pub(super) fn add(&mut self, ear: Ear, dwell: Dwell) {
        self.0[ear.number() % EARS][dwell.number()] += 1;
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let row = |ear: usize| std::array::from_fn(|dwell| self.0[ear][dwell] + other.0[ear][dwell]);
        Self(std::array::from_fn(row))
    }

    /// The cells that may be published, where none may count fewer than `least`; by ear, then by dwell.
    pub fn published(&self, least: u32) -> Vec<Cell> {
        let mut published: Vec<Cell> = TOTALS.iter().flat_map(|dwells| self.of_total(dwells, least.max(1))).collect();
        published.sort_by_key(|cell| (cell.ear, cell.dwell));
        published
    }

    fn of_total(&self, dwells: &[Dwell], least: u32) -> Vec<Cell> {
        let cells = (0_u8..).zip(&self.0).flat_map(|(ear, row)| {
            dwells.iter().map(move |dwell| Cell { ear: Ear(ear), dwell: *dwell, devices: row[dwell.number()] })
        });
        let (mut shown, hidden): (Vec<Cell>, Vec<Cell>) = cells.partition(|cell| cell.devices >= least);
        let mut missing: u32 = hidden.iter().map(|cell| cell.devices).sum();
        shown.sort_by_key(|cell| std::cmp::Reverse(cell.devices));
        while (1..least).contains(&missing)
            && let Some(smallest) = shown.pop()
        {
            missing += smallest.devices;
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(rows: &[[u32; 5]]) -> Cells {
        let mut cells = Cells::default();
        cells.0[..rows.len()].copy_from_slice(rows);
        cells
    }

    fn shown(cells: &Cells, least: u32) -> Vec<(u8, Dwell, u32)> {
        cells.published(least).iter().map(|cell| (cell.ear.0, cell.dwell, cell.devices)).collect()
    }

    #[test]
    fn small_cells_are_left_out_and_nobody_can_subtract_them_out_of_a_total() {
        // Of those who passed, 40 and 30 are shown. Of the visitors 3 would be what is missing of 23, so 20 goes too.
        let two_zones = cells(&[[40, 3, 0, 0, 0], [30, 20, 12, 11, 10]]);
        assert_eq!(
            shown(&two_zones, 10),
            [
                (0, Dwell::Passed, 40),
                (1, Dwell::Passed, 30),
                (1, Dwell::Stayed, 12),
                (1, Dwell::Stayed15Min, 11),
                (1, Dwell::Stayed60Min, 10)
            ]
        );
        // 6 + 7 are missing of 113: that is many enough.
        let hidden_in_a_crowd = cells(&[[0, 100, 0, 0, 0], [0, 6, 0, 0, 0], [0, 7, 0, 0, 0]]);
        assert_eq!(shown(&hidden_in_a_crowd, 10), [(0, Dwell::Visited, 100)]);
        assert_eq!(shown(&cells(&[[9, 9, 4, 3, 2]]), 10), []);
    }

    proptest! {
        #[test]
        fn what_is_missing_of_a_total_is_nothing_or_many_or_all(
            rows in prop::collection::vec(prop::array::uniform5(0_u32..40), 1..=EARS),
            least in 2_u32..20,
        ) {
            let all = cells(&rows);
            let published = all.published(least);
            prop_assert!(published.iter().all(|cell| cell.devices >= least));
            for dwells in TOTALS {
                let total: u32 = rows.iter().flat_map(|row| dwells.iter().map(|dwell| row[dwell.number()])).sum();
                let of_total = published.iter().filter(|cell| dwells.contains(&cell.dwell));
                let shown: u32 = of_total.map(|cell| cell.devices).sum();
                let missing = total - shown;
                prop_assert!(missing == 0 || missing >= least || shown == 0, "{missing} of {total}");
            }
        }
    }
}
