//! Counts of stretches of time, aligned to the epoch.

use crate::types::{FaceVisit, FaceWindow, Tenths, Timestamp};

/// Stands for the time since when pictures come, while none do.
const NOT_SEEING: i64 = i64::MAX;

/// What one window counts.
#[derive(Debug, Default)]
struct Counts {
    visits: u32,
    crossed_in: u32,
    crossed_out: u32,
    present_most: u32,
    /// People in view, by microseconds.
    present_us: u64,
    frames: u64,
    dropped: u64,
    rejected: u64,
}

/// Turns visits and pictures into windows.
#[derive(Debug)]
pub(super) struct Windows {
    length_us: i64,
    start_us: i64,
    counts: Counts,
    /// How many are in view, and since when that is counted.
    present: u32,
    since_us: i64,
    /// From here on pictures came without a gap.
    whole_us: i64,
    seen_us: i64,
    /// A longer pause between two pictures is a gap.
    gap_us: i64,
}

impl Windows {
    /// Windows of `length_us`, beginning now; a pause of more than `gap_us` makes a window incomplete.
    pub(super) fn new(now_us: i64, length_us: i64, gap_us: i64) -> Self {
        Self {
            length_us,
            start_us: now_us - now_us.rem_euclid(length_us),
            counts: Counts::default(),
            present: 0,
            since_us: now_us,
            whole_us: NOT_SEEING,
            seen_us: now_us,
            gap_us,
        }
    }

    /// A picture was looked at, and so many people are in view.
    pub(super) fn picture(&mut self, at_us: i64, present: usize) {
        if self.whole_us == NOT_SEEING || at_us - self.seen_us > self.gap_us {
            self.whole_us = at_us;
        }
        self.pass(at_us);
        self.seen_us = at_us;
        self.counts.frames += 1;
        self.present = u32::try_from(present).unwrap_or(u32::MAX);
        self.counts.present_most = self.counts.present_most.max(self.present);
    }

    /// Nobody is in view any more.
    pub(super) fn nobody(&mut self, at_us: i64) {
        self.pass(at_us);
        self.present = 0;
    }

    /// Somebody has gone.
    pub(super) fn visit(&mut self, visit: &FaceVisit) {
        self.counts.visits += 1;
        self.counts.crossed_in += visit.crossed_in;
        self.counts.crossed_out += visit.crossed_out;
    }

    /// Pictures were left out or could not be read.
    pub(super) fn lost(&mut self, dropped: u64, rejected: u64) {
        self.counts.dropped += dropped;
        self.counts.rejected += rejected;
    }

    /// The windows that are over by now, one for each call.
    pub(super) fn close(&mut self, now_us: i64) -> Option<FaceWindow> {
        let end_us = self.start_us + self.length_us;
        (now_us >= end_us).then(|| self.end(end_us, end_us - self.seen_us <= self.gap_us))
    }

    /// The window that is under way, as far as it is: nothing follows it.
    pub(super) fn cut(&mut self) -> Option<FaceWindow> {
        (self.whole_us != NOT_SEEING).then(|| self.end(self.start_us + self.length_us, false))
    }

    fn end(&mut self, end_us: i64, sees: bool) -> FaceWindow {
        self.pass(end_us);
        let Counts { visits, crossed_in, crossed_out, present_most, present_us, frames, dropped, rejected } =
            std::mem::take(&mut self.counts);
        let start_us = std::mem::replace(&mut self.start_us, end_us);
        self.counts.present_most = self.present;
        #[expect(clippy::cast_precision_loss, reason = "people in view for at most an hour, in microseconds")]
        let present = Tenths::of(present_us as f64 / self.length_us as f64);
        FaceWindow {
            start: Timestamp::from_unix_ms(start_us / 1000),
            end: Timestamp::from_unix_ms(end_us / 1000),
            visits,
            present,
            present_most,
            crossed_in,
            crossed_out,
            frames,
            dropped,
            rejected,
            complete: sees && self.whole_us <= start_us,
        }
    }

    fn pass(&mut self, at_us: i64) {
        let span_us = u64::try_from(at_us - self.since_us).unwrap_or(0);
        self.counts.present_us += span_us * u64::from(self.present);
        self.since_us = self.since_us.max(at_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn a_window_is_aligned_and_knows_how_many_were_there_and_whether_it_saw_all() {
        let mut windows = Windows::new(57 * S, 10 * S, 2 * S);
        windows.picture(57 * S, 0);
        assert_eq!(windows.close(59 * S), None);
        windows.picture(59 * S, 0);
        let first = windows.close(60 * S).unwrap();
        assert_eq!((first.start.unix_ms(), first.end.unix_ms()), (50_000, 60_000));
        assert!(!first.complete, "it began in the middle");
        // Two people for three seconds, one for two.
        for second in 60..70 {
            let present = [2, 2, 2, 1, 1, 0, 0, 0, 0, 0][second - 60];
            windows.picture(i64::try_from(second).unwrap() * S, present);
        }
        windows.lost(3, 1);
        let second = windows.close(70 * S).unwrap();
        assert_eq!((second.present, second.present_most, second.frames), (Tenths::of(0.8), 2, 10));
        assert_eq!((second.dropped, second.rejected, second.complete), (3, 1, true));
    }

    #[test]
    fn a_gap_makes_a_window_incomplete_and_the_next_but_one_is_whole_again() {
        let mut windows = Windows::new(0, 10 * S, 2 * S);
        let mut complete = Vec::new();
        for second in (0..50).filter(|second| !(13..18).contains(second)) {
            complete.extend(std::iter::from_fn(|| windows.close(second * S)).map(|window| window.complete));
            windows.picture(second * S, 1);
        }
        complete.extend(windows.close(50 * S).map(|window| window.complete));
        assert_eq!(complete, [true, false, true, true, true]);
        // Nothing comes any more.
        assert!(!windows.close(60 * S).unwrap().complete);
        assert!(windows.cut().is_some_and(|window| !window.complete));
    }
}
