//! How a model goes from one address to the next: after which time, and how far its frame counter has run by then.
//!
//! Some change it with every burst, some every minute, some with every scan, each with few counter steps that are
//! typical of it. That is learned from what was linked, beginning with what is common to all ([`common`]).

/// Upper ends of the times, in milliseconds.
const TIMES_MS: [u32; 15] =
    [60, 120, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 1_024_000];
const TIMES: usize = TIMES_MS.len() + 1;
/// Upper ends of the counter's steps.
const GAPS: [u16; 18] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
/// How many steps are told apart.
pub(super) const GAP_BINS: usize = GAPS.len();
/// What is common to all counts as much as this many changes.
const PRIOR: f64 = 4.0;
/// What is common to all keeps this share, however much was learned.
const COMMON: f64 = 0.3;
/// How much an unusual time can speak against, and a usual one for.
const TIME_RANGE: (f64, f64) = (-1.5, 1.5);
/// Every time counts as often as this before anything is seen.
const TIME_PRIOR: f64 = 0.2;
const SEQUENCES: f64 = 4096.0;

/// See the module.
#[derive(Clone)]
pub(super) struct Habit {
    counts: [[u32; GAPS.len()]; TIMES],
    times: [u32; TIMES],
    /// The times once more, finer.
    fine: [u32; FINE],
    steps: u32,
    jumps: u32,
}

impl Default for Habit {
    fn default() -> Self {
        Self { counts: [[0; GAPS.len()]; TIMES], times: [0; TIMES], fine: [0; FINE], steps: 0, jumps: 0 }
    }
}

/// Fine times: each an eighth longer than the one before, from 20 ms on.
pub(super) const FINE: usize = 96;

pub(super) fn fine_bin(after_us: i64) -> usize {
    let over = (after_us.max(0) as f64 / 20_000.0).max(1.0).ln() / FINE_STEP;
    (0..FINE - 1).find(|bin| *bin as f64 + 1.0 > over).unwrap_or(FINE - 1)
}

/// The logarithm of an eighth more.
const FINE_STEP: f64 = 0.118;

fn time_bin(after_us: i64) -> usize {
    let after_ms = u32::try_from(after_us.max(0) / 1000).unwrap_or(u32::MAX);
    TIMES_MS.partition_point(|end| *end <= after_ms)
}

pub(super) fn gap_bin(gap: u16) -> usize {
    GAPS.partition_point(|end| *end < gap).min(GAPS.len() - 1)
}

fn width(bin: usize) -> f64 {
    f64::from(if bin == 0 { 2 } else { GAPS[bin] - GAPS[bin - 1] })
}

/// How probable a counter's step of `gap` after `after_us` is for one sender whose counter goes on.
///
/// A phone that scans sends some twenty to sixty probe requests over all channels each time, so that the counter runs
/// on with the scans and not with the time; the scale is what captures of ten phones show.
fn common(gap: u16, after_us: i64) -> f64 {
    let after_s = after_us.max(0) as f64 / 1e6;
    let scale = (20.0 + 0.6 * after_s).min(600.0);
    (-f64::from(gap) / scale).exp() / scale
}

impl Habit {
    /// An address followed another one this long after and this far on.
    pub(super) fn note(&mut self, gap: u16, after_us: i64) {
        let (time, gap) = (time_bin(after_us), gap_bin(gap));
        self.counts[time][gap] += 1;
        self.times[time] += 1;
        self.fine[fine_bin(after_us)] += 1;
        self.steps += 1;
    }

    /// An address followed another one and the counter began anew.
    pub(super) fn note_jump(&mut self) {
        self.jumps += 1;
    }

    /// How many changes of address were seen.
    pub(super) fn addresses(&self) -> f64 {
        f64::from(self.steps) + f64::from(self.jumps)
    }

    /// How often senders of this kind carry their counter over to the next address, from 0 to 1.
    pub(super) fn steady(&self) -> f64 {
        (f64::from(self.steps) + 2.0) / (f64::from(self.steps) + f64::from(self.jumps) + 3.0)
    }

    /// What speaks for or against one sender when the counter began anew.
    pub(super) fn jump(&self) -> f64 {
        (1.0 - self.steady()).ln().max(-2.0)
    }

    /// How often a gap was seen, as a density; neighbours count half.
    fn seen(&self, time: usize, bin: usize) -> f64 {
        let around =
            [(bin.checked_sub(1), 0.5), (Some(bin), 1.0), (Some(bin + 1).filter(|bin| *bin < GAPS.len()), 0.5)];
        let near = around.into_iter().filter_map(|(bin, share)| Some((bin?, share)));
        let (counts, widths) = near.fold((0.0, 0.0), |(counts, widths), (bin, share)| {
            (counts + share * f64::from(self.counts[time][bin]), widths + share * width(bin))
        });
        counts / widths
    }

    /// How usual it is to be heard again after this long, as a logarithm.
    pub(super) fn time(&self, after_us: i64) -> f64 {
        let bin = fine_bin(after_us);
        let near = self.fine[bin.saturating_sub(1)..(bin + 2).min(FINE)].iter().sum::<u32>() + self.fine[bin];
        let share = (f64::from(near) / 4.0 + TIME_PRIOR) / (f64::from(self.steps) + TIME_PRIOR * FINE as f64);
        (share * FINE as f64).ln().clamp(TIME_RANGE.0, TIME_RANGE.1)
    }

    /// How much more probable a step is for one sender than for two, as the logarithm of the ratio.
    pub(super) fn score(&self, gap: u16, after_us: i64) -> f64 {
        let (time, bin) = (time_bin(after_us), gap_bin(gap));
        let before = common(gap, after_us);
        let seen = self.seen(time, bin);
        let learned = (seen + PRIOR * before) / (f64::from(self.times[time]) + PRIOR);
        let density = COMMON * before + (1.0 - COMMON) * learned;
        (SEQUENCES * self.steady() * density + (1.0 - self.steady())).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const MINUTE: i64 = 60 * SECOND;

    #[test]
    fn a_small_step_soon_speaks_for_one_sender_and_a_large_one_against() {
        let habit = Habit::default();
        assert!(habit.score(1, SECOND / 10) > 4.0 && habit.score(37, MINUTE) > 2.0);
        assert!(habit.score(2000, MINUTE) < -0.5);
        assert!(habit.score(1, SECOND) > habit.score(1, 600 * SECOND));
    }

    #[test]
    fn what_a_model_always_does_speaks_for_it_and_what_it_never_does_against() {
        let (mut habit, fresh) = (Habit::default(), Habit::default());
        (0..30).for_each(|_| habit.note(19, MINUTE));
        assert!(habit.score(19, MINUTE) > fresh.score(19, MINUTE) + 0.5);
        assert!(habit.score(120, MINUTE) < fresh.score(120, MINUTE) - 0.5);
        assert!(habit.score(19, MINUTE / 600) < habit.score(19, MINUTE), "at another time");
    }

    #[test]
    fn a_kind_that_begins_anew_each_time_proves_nothing_by_its_counter() {
        let mut habit = Habit::default();
        (0..100).for_each(|_| habit.note_jump());
        assert!(habit.score(5, MINUTE) < 1.0);
    }
}
