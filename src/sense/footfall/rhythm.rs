//! The rhythm of a row: which steps of time and counter it goes by from address to address.
//!
//! A model's [`Habit`](super::habit::Habit) is what all of its kind do together. Radios that say nothing but rates are
//! one kind whatever phone they are in, and yet one scans every 62 s with twelve requests and another every 22, 42 or
//! 82 s with ten. What a row has done so far says more about its next step than what all do.

use super::habit::{FINE, GAP_BINS, fine_bin, gap_bin};
use super::links::Link;
use super::tracks::{Reason, Track};

/// What all rows do counts as much as this many steps of one's own.
const PRIOR: f64 = 4.0;
/// A rhythm takes at least this many steps.
const LEAST: f64 = 5.0;
/// Every step counts as often as this before anything is seen.
const UNSEEN: f64 = 0.02;
/// How much an unusual step can speak against a row, and a usual one for it.
const RANGE: (f64, f64) = (-1.5, 2.0);
/// Up to this bin of time (a second) a step is one within a scan.
const SCAN_BIN: usize = 33;
/// How much the likeness of two whole rows counts against that of a step.
const ALIKE: f64 = 4.0;
/// How much a neighbour counts.
const NEAR: f64 = 0.5;

/// How often which step was taken: cells in their order.
#[derive(Debug, Clone, Default)]
struct Rhythm {
    cells: Vec<(u16, f32)>,
    /// Steps within scans, and from scan to scan.
    steps: [f64; 2],
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Which of the fine times, which of the counter's steps.
    time: usize,
    gap: usize,
}

impl Step {
    fn new(gap: u16, after_us: i64) -> Self {
        Self { time: fine_bin(after_us), gap: gap_bin(gap) }
    }

    fn of_cell(cell: u16) -> Self {
        Self { time: usize::from(cell) / GAP_BINS, gap: usize::from(cell) % GAP_BINS }
    }

    /// From scan to scan, and not within one.
    fn is_long(self) -> bool {
        self.time > SCAN_BIN
    }

    fn cell(self) -> u16 {
        u16::try_from(self.time * GAP_BINS + self.gap).unwrap_or(u16::MAX)
    }

    /// The cells around it with what they count.
    fn around(self) -> impl Iterator<Item = (u16, f64)> {
        let near = |of: usize, end: usize| (of.saturating_sub(1)..(of + 2).min(end)).map(move |at| (at, at != of));
        near(self.time, FINE).flat_map(move |(time, is_late)| {
            near(self.gap, GAP_BINS).map(move |(gap, is_far)| {
                let weight = if is_late { NEAR } else { 1.0 } * if is_far { NEAR } else { 1.0 };
                (Self { time, gap }.cell(), weight)
            })
        })
    }
}

impl Rhythm {
    fn new(steps: &[Step]) -> Self {
        let mut cells: Vec<u16> = steps.iter().map(|step| step.cell()).collect();
        cells.sort_unstable();
        let cells = cells.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f32)).collect();
        let long = steps.iter().filter(|step| step.is_long()).count() as f64;
        Self { cells, steps: [steps.len() as f64 - long, long] }
    }

    /// Whether there are enough steps for one.
    fn is_one(&self) -> bool {
        self.steps.iter().any(|steps| *steps >= LEAST)
    }

    fn near(&self, step: Step) -> f64 {
        let count = |cell| self.cells.binary_search_by_key(&cell, |(cell, _)| *cell).map_or(0.0, |at| self.cells[at].1);
        step.around().map(|(cell, weight)| weight * f64::from(count(cell))).sum()
    }

    fn count(&self, step: Step) -> f64 {
        self.steps[usize::from(step.is_long())]
    }
}

/// The rhythms of all rows.
pub(super) struct Rhythms {
    /// The row that each track is in.
    of: Vec<u32>,
    rows: Vec<Rhythm>,
    all: Rhythm,
}

impl Rhythms {
    /// Of rows of linked tracks.
    pub(super) fn new(all: &[Track], links: &[Link]) -> Self {
        let mut of: Vec<u32> = Vec::with_capacity(all.len());
        let mut steps: Vec<Vec<Step>> = Vec::new();
        let mut together = Vec::new();
        // What a track goes on from began before it, or at the same time and stands before it.
        for (track, link) in all.iter().zip(links) {
            let row = link.and_then(|(before, ..)| of.get(before as usize).copied());
            let row = row.unwrap_or_else(|| {
                steps.push(Vec::new());
                u32::try_from(steps.len() - 1).unwrap_or(u32::MAX)
            });
            of.push(row);
            if let Some((before, Reason::Counter { gap, .. }, _)) = *link
                && track.full.is_empty()
                && all[before as usize].full.is_empty()
            {
                let step = Step::new(gap, track.first_us - all[before as usize].last_us);
                steps[row as usize].push(step);
                together.push(step);
            }
        }
        Self { of, rows: steps.iter().map(|steps| Rhythm::new(steps)).collect(), all: Rhythm::new(&together) }
    }

    /// What a step says for or against a row, as a logarithm; `own` is how often the row counts it because it is in it.
    fn of_row(&self, row: u32, step: Step, own: f64) -> f64 {
        let rhythm = &self.rows[row as usize];
        let count = rhythm.count(step) - own;
        if count < LEAST {
            return 0.0;
        }
        let usual = (self.all.near(step) + UNSEEN) / (self.all.count(step) + 1.0);
        let here = (rhythm.near(step) - own + PRIOR * usual) / (count + PRIOR);
        (here / usual).ln().clamp(RANGE.0, RANGE.1)
    }

    /// The row of a track, and how many steps it takes.
    pub(super) fn row(&self, at: u32) -> (u32, u32) {
        let row = self.of[at as usize];
        let steps: f32 = self.rows[row as usize].cells.iter().map(|(_, count)| count).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        (row, steps as u32)
    }

    /// How much more alike the rhythms of two tracks' rows are than those of any two, as a logarithm; `None` if one has
    /// none.
    pub(super) fn alike(&self, one: u32, other: u32) -> Option<f64> {
        let (one, other) = (self.of[one as usize], self.of[other as usize]);
        Some(0.5 * (self.of_rows(one, other)? + self.of_rows(other, one)?))
    }

    /// What the steps of a row say for another row's being of the same sender.
    fn of_rows(&self, row: u32, other: u32) -> Option<f64> {
        let steps = &self.rows[other as usize].cells;
        let count: f64 = steps.iter().map(|(_, count)| f64::from(*count)).sum();
        let speaks = |(cell, count): &(u16, f32)| f64::from(*count) * self.of_row(row, Step::of_cell(*cell), 0.0);
        let sum: f64 = steps.iter().map(speaks).sum();
        (count >= LEAST && self.rows[row as usize].is_one()).then(|| sum / count * (count / LEAST).min(ALIKE))
    }

    /// What the rhythms of two tracks' rows say for or against the later going on from the earlier.
    pub(super) fn of_link(&self, last: &[Link], (before, after): (u32, u32), reason: Reason, after_us: i64) -> f64 {
        let Reason::Counter { gap, .. } = reason else { return 0.0 };
        let step = Step::new(gap, after_us);
        let is_linked = last[after as usize].is_some_and(|(linked, ..)| linked == before);
        let (a, b) = (self.of[before as usize], self.of[after as usize]);
        match a == b {
            true => self.of_row(a, step, if is_linked { 1.0 } else { 0.0 }),
            false => self.of_row(a, step, 0.0) + self.of_row(b, step, 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells::Ear;
    use super::*;
    use crate::sense::footfall::print::{Manner, Print};
    use crate::sense::footfall::tracks::{Seen, Tracks};

    const SECOND: i64 = 1_000_000;

    /// Rows of single frames, each with its step of time and counter, and how many steps it takes.
    fn rhythms(rows: &[(i64, u16, u16)]) -> (Rhythms, Vec<Link>, Vec<u32>) {
        let print = Print { hash: 1, order: 1, is_weak: true, is_cut: false, unknown: 0 };
        let (mut tracks, mut links, mut firsts) = (Tracks::new(1), Vec::new(), Vec::new());
        for (after_us, gap, steps) in rows {
            firsts.push(u32::try_from(links.len()).unwrap());
            for step in 0..=*steps {
                let (at_us, sequence) = (after_us * i64::from(step), Some(step * gap));
                let seen = Seen { at_us, sequence, manner: Manner::Local, ear: Ear::FIRST, rssi_dbm: -50, print };
                let at = tracks.begin(Some(links.len() as u64), &seen);
                let reason = Reason::Counter { gap: *gap, after_ms: 0 };
                links.push(at.checked_sub(1).filter(|_| step > 0).map(|before| (before, reason, 1.0)));
            }
        }
        (Rhythms::new(&tracks.all, &links), links, firsts)
    }

    #[test]
    fn a_row_goes_on_as_it_did_and_not_as_another_does() {
        let (rhythms, links, firsts) = rhythms(&[(62 * SECOND, 12, 20), (22 * SECOND, 10, 20), (9 * SECOND, 3, 2)]);
        let [one, other, short] = [firsts[0] + 20, firsts[1], firsts[2]];
        let step = |before, gap, seconds| {
            let reason = Reason::Counter { gap, after_ms: 0 };
            rhythms.of_link(&links, (before, short), reason, seconds * SECOND)
        };
        assert!(step(one, 12, 62) > 0.5 && step(one, 10, 22) < -1.0 && step(other, 10, 22) > 0.5);
        assert!(step(short, 12, 62).abs() < 1e-9, "two steps are no rhythm");
    }

    #[test]
    fn rows_of_one_radio_are_alike() {
        let rows = [(62 * SECOND, 12, 20), (22 * SECOND, 10, 20), (62 * SECOND, 12, 15), (9 * SECOND, 3, 2)];
        let (rhythms, _, firsts) = rhythms(&rows);
        let alike = |one: usize, other: usize| rhythms.alike(firsts[one], firsts[other]);
        assert!(alike(0, 2).unwrap() > 1.0 && alike(0, 1).unwrap() < -1.0);
        assert_eq!((alike(0, 2), alike(0, 3)), (alike(2, 0), None));
    }
}
