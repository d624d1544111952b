//! What every scanner's code passes: the AIM identifier comes off, and a repeat is not news.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use super::aim::split_aim;
use super::intake::Decoded;

/// How many recent codes are remembered.
const RECENT: usize = 64;

/// What became of a code at the gate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// News.
    New(Decoded),
    /// The same code within the repeat window.
    Repeat,
    /// An AIM identifier and nothing after it.
    Empty,
}

/// Strips the identifier and holds back repeats.
///
/// The window runs from the code that was let through and is not prolonged by the repeats it holds back: of a
/// product held before the scanner for long, or of two equal products in a row, the second is news when the window
/// is over. Only hashes are kept, so that no payment code outlives its moment here.
#[derive(Debug)]
pub(super) struct Gate {
    window: Duration,
    recent: VecDeque<(u64, Instant)>,
}

impl Gate {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, recent: VecDeque::new() }
    }

    pub(super) fn pass(&mut self, now: Instant, text: &str) -> Passed {
        let (symbology, content) = split_aim(text);
        if content.is_empty() {
            return Passed::Empty;
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        self.recent.retain(|(_, at)| now.saturating_duration_since(*at) < self.window);
        if self.recent.iter().any(|(seen, _)| *seen == hash) {
            return Passed::Repeat;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        if !self.window.is_zero() {
            self.recent.push_back((hash, now));
        }
        Passed::New(Decoded { symbology, text: content.to_owned() })
    }
}
