//! What serial and HID scanners have in common once there are bytes of codes: framing, gate, counters, noise.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::classify::masked;
use super::frame::{Frame, Framer, Framing};
use super::gate::{Gate, Passed};
use crate::types::{CommandId, Condition, Outcome, Symbology, Tally};
use crate::wire::Output;
use crate::wire::noise::NoiseMeter;

/// A code as the scanner sent it, its AIM identifier taken off.
///
/// Its `Debug` form masks the text, because it may be a payment code.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The AIM identifier, when the scanner sent one.
    pub symbology: Option<Symbology>,
    /// What was in the code.
    pub text: String,
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbology = self.symbology.map(|s| s.to_string());
        f.debug_struct("Decoded").field("symbology", &symbology).field("text", &masked(&self.text)).finish()
    }
}

/// What a scanner's machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A code was read.
    Decoded(Decoded),
    /// An action has ended.
    Ended(Outcome),
}

/// What can be asked of a scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanAction {
    /// Read now, or stop reading.
    Trigger {
        /// The command this carries out; [`Heard::Ended`] names it.
        command: CommandId,
        /// `true`: read now.
        on: bool,
    },
}

/// Counters of one `handle`, said once at its end.
const COUNTED: [Tally; 5] =
    [Tally::FramesGood, Tally::NoiseBytes, Tally::FramesOversized, Tally::FramesMalformed, Tally::RepeatsSuppressed];

/// From bytes of codes to what is said.
#[derive(Debug)]
pub(super) struct Intake {
    framer: Framer,
    gate: Gate,
    noise: NoiseMeter,
    counts: [u64; COUNTED.len()],
    out: VecDeque<Output<Heard>>,
}

impl Intake {
    pub(super) fn new(framing: Framing, repeat_window: Duration) -> Self {
        Self {
            framer: Framer::new(framing),
            gate: Gate::new(repeat_window),
            noise: NoiseMeter::default(),
            counts: [0; COUNTED.len()],
            out: VecDeque::new(),
        }
    }

    pub(super) fn expect_backlog(&mut self, bytes: usize) {
        self.framer.expect_backlog(bytes);
    }

    pub(super) fn byte(&mut self, now: Instant, byte: u8) {
        if let Some(frame) = self.framer.push(now, byte) {
            self.frame(now, frame);
        }
    }

    /// See [`Framer::interrupt`].
    pub(super) fn interrupt(&mut self, now: Instant, bytes: usize) {
        if let Some(frame) = self.framer.interrupt(bytes) {
            self.frame(now, frame);
        }
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if let Some(frame) = self.framer.tick(now) {
            self.frame(now, frame);
        }
        let change = self.noise.tick(now);
        self.say_noise(change);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest(self.framer.deadline(), self.noise.deadline())
    }

    pub(super) fn say(&mut self, output: Output<Heard>) {
        self.out.push_back(output);
    }

    /// Ends one `handle`: what was skipped and counted is said once.
    pub(super) fn settle(&mut self, now: Instant) {
        let skipped = self.framer.take_skipped();
        if skipped > 0 {
            self.reject(now, skipped);
        }
        for (tally, count) in COUNTED.into_iter().zip(&mut self.counts) {
            let count = std::mem::take(count);
            if count > 0 {
                self.out.push_back(Output::Count(tally, count));
            }
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output<Heard>> {
        self.out.pop_front()
    }

    /// Something was lost and is not in the bytes.
    pub(super) fn malformed(&mut self, now: Instant, bytes: u64) {
        self.count(Tally::FramesMalformed, 1);
        self.reject(now, bytes);
    }

    fn frame(&mut self, now: Instant, frame: Frame) {
        match frame {
            Frame::Code(text) => self.code(now, &text),
            Frame::Malformed { bytes } => self.malformed(now, bytes),
            Frame::Oversized { bytes } => {
                self.count(Tally::FramesOversized, 1);
                self.reject(now, bytes);
            }
            Frame::Partial { bytes } => self.reject(now, bytes),
            // Counted, but no sign of a bad line.
            Frame::Stale { bytes } => self.count(Tally::NoiseBytes, bytes),
        }
    }

    fn code(&mut self, now: Instant, text: &str) {
        match self.gate.pass(now, text) {
            Passed::New(decoded) => self.out.push_back(Output::Observe(Heard::Decoded(decoded))),
            Passed::Repeat => self.count(Tally::RepeatsSuppressed, 1),
            Passed::Empty => return self.malformed(now, text.len() as u64),
        }
        self.count(Tally::FramesGood, 1);
        let change = self.noise.good();
        self.say_noise(change);
    }

    fn reject(&mut self, now: Instant, bytes: u64) {
        self.count(Tally::NoiseBytes, bytes);
        let change = self.noise.noise(now, bytes);
        self.say_noise(change);
    }

    fn say_noise(&mut self, change: Option<bool>) {
        if let Some(raised) = change {
            self.out.push_back(Output::Health(Condition::ScannerNoise, raised));
        }
    }

    fn count(&mut self, tally: Tally, by: u64) {
        for (counted, count) in COUNTED.into_iter().zip(&mut self.counts) {
            *count += if counted == tally { by } else { 0 };
        }
    }
}

/// The earlier of two deadlines.
pub(super) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
