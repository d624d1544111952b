//! Bytes ↔ codes: where a code ends, and what cannot be one.

use std::time::{Duration, Instant};

/// What ends a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminator {
    /// Carriage return. A line feed directly after it is skipped: many scanners send both.
    Cr,
    /// Line feed. A carriage return directly before it is dropped.
    Lf,
    /// Carriage return and line feed, both.
    CrLf,
    /// Nothing is sent: a code ends when the line has been idle for [`Framing::frame_gap`]. Two codes closer
    /// together than that, or a reader held up that long, glue: prefer a terminator.
    IdleGap,
}

impl Terminator {
    /// The bytes a scanner with this setting sends after a code.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
            Self::IdleGap => b"",
        }
    }
}

/// How a scanner delimits its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framing {
    /// What ends a code.
    pub terminator: Terminator,
    /// Idle time that ends a code ([`Terminator::IdleGap`]), or after which an unfinished one is given up, so that a
    /// cut-off code never glues to the next.
    pub frame_gap: Duration,
    /// Longest code, AIM identifier included, in bytes.
    pub max_code_bytes: usize,
    /// Shortest code, AIM identifier included, in bytes.
    pub min_code_bytes: usize,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            terminator: Terminator::Cr,
            frame_gap: Duration::from_millis(500),
            max_code_bytes: 4096,
            min_code_bytes: 3,
        }
    }
}

/// What a piece of the stream turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A code's text, AIM identifier included, terminator not.
    Code(String),
    /// Longer than allowed; said once, when the limit is passed. The rest is skipped up to the terminator.
    Oversized {
        /// Bytes thrown away so far.
        bytes: u64,
    },
    /// A terminated frame that no scanner would send.
    Malformed {
        /// Bytes thrown away.
        bytes: u64,
    },
    /// Began and never ended.
    Partial {
        /// Bytes thrown away.
        bytes: u64,
    },
    /// Ended while nobody held the line, or may have begun then.
    Stale {
        /// Bytes thrown away.
        bytes: u64,
    },
}

/// Shortest code that is believed directly after noise, in bytes.
const BELIEVED_BYTES: usize = 8;
/// Evidence it must carry: a letter or digit counts 2, any other ASCII character 1.
const BELIEVED_EVIDENCE: usize = 15;

/// Cuts the stream into codes.
///
/// A frame is a code only if it is UTF-8 without control characters other than GS RS FS US EOT. Random bytes make
/// such frames too: among 2^20 uniform random bytes with CR framing, 2.6 frames of three bytes or more are
/// expected to pass (computed exactly: each byte ends a frame with odds 1/256, and 100 of 256 values, or a
/// well-formed UTF-8 sequence, go on with it). So after a frame that was noise the framer is *distrustful*, until
/// the line was idle for a gap or a frame came that carries its own evidence: at least eight ASCII characters,
/// nearly all letters and digits. Of those 0.0043 are expected in 2^20 random bytes. A whole code of that kind is
/// read even when it follows the noise's terminator without a gap.
///
/// Only [`Framer::tick`] may give a frame up for want of bytes, never bytes that come late: the reader may have
/// been held up, the scanner not.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    bytes: Vec<u8>,
    /// Too long: everything up to the terminator is skipped.
    skipping: bool,
    /// Skipped since [`Framer::take_skipped`].
    skipped: u64,
    /// Every byte of the frame so far was one that codes are made of.
    clean: bool,
    distrustful: bool,
    previous: u8,
    last_byte: Option<Instant>,
    /// Bytes still to come that waited while nobody held the line.
    backlog: usize,
    /// The frame being read may have begun before we listened.
    torn: bool,
}

impl Framer {
    /// Waits for the first byte.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            bytes: Vec::new(),
            skipping: false,
            skipped: 0,
            clean: true,
            distrustful: false,
            previous: 0,
            last_byte: None,
            backlog: 0,
            torn: false,
        }
    }

    /// Says that the next `bytes` bytes waited on the line while nobody held it. Codes that end within them are
    /// stale, and the first may have lost its head; one that begins within them after a terminator, and ends
    /// later, is whole and read. Discarding them unread would tear exactly that one.
    pub fn expect_backlog(&mut self, bytes: usize) {
        self.backlog = bytes;
        self.torn = bytes > 0;
    }

    /// Takes one byte.
    pub fn push(&mut self, now: Instant, byte: u8) -> Option<Frame> {
        self.last_byte = Some(now);
        let stale = self.backlog > 0;
        self.backlog = self.backlog.saturating_sub(1);
        let previous = std::mem::replace(&mut self.previous, byte);
        match (self.framing.terminator, byte) {
            // What waited may have passed a line that turned CR into LF, as a terminal does until it is set raw.
            (_, b'\r' | b'\n') if stale => self.end(stale),
            (Terminator::Cr, b'\r') | (Terminator::Lf, b'\n') => self.end(stale),
            (Terminator::CrLf, b'\n') if previous == b'\r' => self.end(stale),
            (Terminator::Cr, b'\n') if previous == b'\r' => None,
            _ => self.keep(byte),
        }
    }

    /// Another message, `bytes` long, stands in the stream here. Without a terminator it ends the code before it.
    /// With one, a code in the middle of which it stands is not believed: it may have lost its end, and the rest
    /// would glue.
    pub fn interrupt(&mut self, bytes: usize) -> Option<Frame> {
        let stale = self.backlog > 0;
        self.backlog = self.backlog.saturating_sub(bytes);
        match self.framing.terminator {
            _ if self.bytes.is_empty() => None,
            Terminator::IdleGap => self.end(stale),
            // A control character that no code holds.
            Terminator::Cr | Terminator::Lf | Terminator::CrLf => self.keep(0x02),
        }
    }

    /// The line has been idle up to `now`: no byte waits.
    pub fn tick(&mut self, now: Instant) -> Option<Frame> {
        if self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        self.last_byte = None;
        self.backlog = 0;
        self.distrustful = false;
        if self.framing.terminator == Terminator::IdleGap && !self.skipping {
            return self.end(false);
        }
        let bytes = self.bytes.len() as u64;
        self.restart();
        (bytes > 0).then_some(Frame::Partial { bytes })
    }

    /// When [`Framer::tick`] could say something.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = !self.bytes.is_empty() || self.skipping || self.distrustful || self.torn;
        self.last_byte.filter(|_| waiting).map(|last| last + self.framing.frame_gap)
    }

    /// Bytes skipped since the last call, beyond what an [`Frame::Oversized`] has said.
    pub fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    fn keep(&mut self, byte: u8) -> Option<Frame> {
        self.clean &= !byte.is_ascii_control() || allowed_control(char::from(byte)) || matches!(byte, b'\r' | b'\n');
        if self.skipping {
            self.skipped += 1;
            return None;
        }
        // One more than the longest code may be kept, because the CR of a CRLF is content until the LF comes.
        if self.bytes.len() > self.framing.max_code_bytes {
            let bytes = self.bytes.len() as u64 + 1;
            self.bytes = Vec::new();
            self.skipping = true;
            return Some(Frame::Oversized { bytes });
        }
        self.bytes.push(byte);
        None
    }

    fn end(&mut self, stale: bool) -> Option<Frame> {
        if self.skipping {
            // A long frame of decent characters is a scanner's mistake, not noise.
            self.distrustful |= !self.clean;
            self.restart();
            return None;
        }
        let stale = stale || self.torn;
        let mut bytes = std::mem::take(&mut self.bytes);
        self.restart();
        self.trim(&mut bytes);
        let length = bytes.len() as u64;
        match bytes.len() {
            0 => None,
            _ if stale => Some(Frame::Stale { bytes: length }),
            n if n > self.framing.max_code_bytes => Some(Frame::Oversized { bytes: length }),
            _ => Some(self.judge(bytes)),
        }
    }

    fn restart(&mut self) {
        self.bytes.clear();
        self.skipping = false;
        self.clean = true;
        self.torn = false;
    }

    fn trim(&self, bytes: &mut Vec<u8>) {
        match self.framing.terminator {
            Terminator::Cr => {}
            Terminator::Lf | Terminator::CrLf => {
                bytes.pop_if(|last| *last == b'\r');
            }
            Terminator::IdleGap => while bytes.pop_if(|last| matches!(last, b'\r' | b'\n')).is_some() {},
        }
    }

    fn judge(&mut self, bytes: Vec<u8>) -> Frame {
        let length = bytes.len() as u64;
        let believed = bytes.len() >= self.framing.min_code_bytes && (!self.distrustful || bears_evidence(&bytes));
        match String::from_utf8(bytes) {
            Ok(text) if believed && text.chars().all(|c| !c.is_control() || allowed_control(c)) => {
                self.distrustful = false;
                Frame::Code(text)
            }
            _ => {
                self.distrustful = self.framing.terminator != Terminator::IdleGap;
                Frame::Malformed { bytes: length }
            }
        }
    }
}

/// The control characters that occur in codes: GS and its kin in GS1 and ISO/IEC 15434 messages, and their EOT.
fn allowed_control(c: char) -> bool {
    matches!(c, '\u{1c}'..='\u{1f}' | '\u{04}')
}

fn bears_evidence(bytes: &[u8]) -> bool {
    let evidence: usize = bytes.iter().map(|byte| 1 + usize::from(byte.is_ascii_alphanumeric())).sum();
    bytes.is_ascii() && bytes.len() >= BELIEVED_BYTES && evidence >= BELIEVED_EVIDENCE
}

#[cfg(test)]
mod tests;
