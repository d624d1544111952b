//! Results that nobody here has asked for.

use std::time::{Duration, Instant};

use super::{Board, Heard};
use crate::types::Ended;

/// So long after the start a result may be what became of an order that an earlier process had handed over: it is kept
/// until that order is asked after.
const KEPT: Duration = Duration::from_secs(10);
/// So long after the start a result may be the repetition of one that an earlier process had heard and not
/// acknowledged: nobody who does not ask after it is told, or it would count twice.
const REPEATED: Duration = Duration::from_secs(2);
/// Kept at once; more are said at once.
const MOST: usize = 8;

#[derive(Debug)]
struct Kept {
    slot: Option<u16>,
    ended: Ended,
    repeated: bool,
}

/// Keeps the results of the first moments for those who will ask, and says the others as they come.
#[derive(Debug)]
pub(crate) struct Unclaimed {
    started: Instant,
    kept: Vec<Kept>,
}

impl Unclaimed {
    pub(crate) fn new(now: Instant) -> Self {
        Self { started: now, kept: Vec::new() }
    }

    pub(crate) fn offer(&mut self, now: Instant, slot: Option<u16>, ended: Ended, board: &mut Board) {
        if now < self.started + KEPT && self.kept.len() < MOST {
            self.kept.push(Kept { slot, ended, repeated: now < self.started + REPEATED });
        } else {
            board.hear(Heard::Unasked { slot, ended });
        }
    }

    /// The last result of that lane, or the last of all where the machine names no lane.
    pub(crate) fn claim(&mut self, slot: Option<u16>) -> Option<Ended> {
        let at = self.kept.iter().rposition(|kept| kept.slot.is_none() || kept.slot == slot)?;
        Some(self.kept.remove(at).ended)
    }

    pub(crate) fn tick(&mut self, now: Instant, board: &mut Board) {
        if now >= self.started + KEPT {
            for Kept { slot, ended, repeated } in self.kept.drain(..) {
                if !repeated {
                    board.hear(Heard::Unasked { slot, ended });
                }
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.kept.is_empty()).then(|| self.started + KEPT)
    }
}
