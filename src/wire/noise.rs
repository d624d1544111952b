//! When noise on the line is worth telling somebody.

use std::time::{Duration, Instant};

/// This much noise within a burst is a fault of the line, not a glitch.
const BURST_BYTES: u64 = 64;
/// A burst is over after this long without noise.
const QUIET: Duration = Duration::from_secs(60);
/// So many good codes in a row say the same earlier.
const GOOD_CODES: u32 = 3;

/// Turns noise and good frames or codes into one condition with hysteresis.
#[derive(Debug, Default)]
pub(crate) struct NoiseMeter {
    bytes: u64,
    good: u32,
    last: Option<Instant>,
    raised: bool,
}

impl NoiseMeter {
    /// Noise was read. `Some(true)`: tell somebody.
    pub(crate) fn noise(&mut self, now: Instant, bytes: u64) -> Option<bool> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) >= QUIET) {
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.last = Some(now);
        self.good = 0;
        (!self.raised && self.bytes >= BURST_BYTES).then(|| {
            self.raised = true;
            true
        })
    }

    /// A good frame was read. `Some(false)`: it is over.
    pub(crate) fn good(&mut self) -> Option<bool> {
        self.good = self.good.saturating_add(1);
        (self.good >= GOOD_CODES).then(|| self.calm()).flatten()
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<bool> {
        self.deadline().is_some_and(|at| now >= at).then(|| self.calm()).flatten()
    }

    /// When [`NoiseMeter::tick`] could say something.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.last.filter(|_| self.raised).map(|last| last + QUIET)
    }

    fn calm(&mut self) -> Option<bool> {
        let was_raised = self.raised;
        *self = Self::default();
        was_raised.then_some(false)
    }
}
