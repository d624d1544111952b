//! Bytes ↔ frames.
//!
//! ```text
//! FA FB   06    05   A6 01 00 00 3C   99
//! header  cmd   len  packNO + text    XOR of everything before
//! ```

use std::time::{Duration, Instant};

use super::code;
use super::limits::{FRAME_BYTES, KNOWN_PAYLOAD_BYTES, PAYLOAD_BYTES};

const HEADER: [u8; 2] = [0xfa, 0xfb];

/// One frame: what it says is [`super::Message`]'s to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Command byte.
    pub command: u8,
    /// The number it carries, which a repetition has in common with its first sending; polls, ACKs and frames
    /// without payload carry none.
    pub pack: Option<u8>,
    /// What follows the number, at most 254 bytes.
    pub text: Vec<u8>,
}

impl Frame {
    /// The bytes on the line. A text that is too long is cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload: Vec<u8> = self.pack.into_iter().collect();
        payload.extend(&self.text);
        payload.truncate(PAYLOAD_BYTES);
        let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![HEADER[0], HEADER[1], self.command, length];
        bytes.extend(payload);
        bytes.push(xor(&bytes));
        bytes
    }
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |check, byte| check ^ byte)
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A frame, and how many bytes it takes.
    Whole(Frame, usize),
    /// A frame may be beginning.
    Incomplete,
    /// Nothing that could become a frame.
    No,
}

/// Looks for one frame at the very beginning.
pub fn parse(bytes: &[u8]) -> Parsed {
    let known = bytes.len().min(HEADER.len());
    if bytes[..known] != HEADER[..known] {
        return Parsed::No;
    }
    let [_, _, command, length, rest @ ..] = bytes else { return Parsed::Incomplete };
    let length = usize::from(*length);
    if length > longest(*command) {
        return Parsed::No;
    }
    let Some(check) = rest.get(length) else { return Parsed::Incomplete };
    if xor(&bytes[..4 + length]) != *check {
        return Parsed::No;
    }
    let payload = &rest[..length];
    let (pack, text) = match payload.split_first() {
        Some((pack, text)) => (Some(*pack), text.to_vec()),
        None => (None, Vec::new()),
    };
    Parsed::Whole(Frame { command: *command, pack, text }, 4 + length + 1)
}

/// A broken length byte is found out the sooner the less it may say.
fn longest(command: u8) -> usize {
    match command {
        code::POLL | code::ACK => 0,
        code::MENU..=code::MENU_ANSWER | code::POS_TEXT => PAYLOAD_BYTES,
        _ if code::is_known(command) && !code::OPAQUE.contains(&command) => KNOWN_PAYLOAD_BYTES,
        _ => PAYLOAD_BYTES,
    }
}

/// Something found on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A frame.
    Frame(Frame),
    /// So many bytes that belong to no frame.
    Noise(u64),
}

/// Cuts the stream into frames, and finds the next frame after anything else.
///
/// A frame that has begun and does not go on for [`Framer::new`]'s gap is given up, and what it had swallowed is
/// looked through again. At most one frame's length of bytes is ever kept.
#[derive(Debug)]
pub struct Framer {
    gap: Duration,
    bytes: Vec<u8>,
    last_byte: Instant,
}

impl Framer {
    /// `gap`: how long a frame may pause.
    pub fn new(gap: Duration, now: Instant) -> Self {
        Self { gap, bytes: Vec::with_capacity(FRAME_BYTES), last_byte: now }
    }

    /// Takes bytes and gives what they complete.
    pub fn push(&mut self, now: Instant, bytes: &[u8], mut found: impl FnMut(Piece)) {
        if !bytes.is_empty() {
            self.last_byte = now;
        }
        for chunk in bytes.chunks(FRAME_BYTES) {
            self.bytes.extend(chunk);
            self.cut(&mut found);
        }
    }

    /// Gives up what has not gone on for too long.
    pub fn tick(&mut self, now: Instant, mut found: impl FnMut(Piece)) {
        while self.deadline().is_some_and(|at| now >= at) {
            self.bytes.remove(0);
            found(Piece::Noise(1));
            self.cut(&mut found);
        }
    }

    /// When [`Framer::tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.bytes.is_empty()).then(|| self.last_byte + self.gap)
    }

    fn cut(&mut self, found: &mut impl FnMut(Piece)) {
        let mut at = 0;
        let mut noise = 0;
        while at < self.bytes.len() {
            match parse(&self.bytes[at..]) {
                Parsed::Whole(frame, length) => {
                    say_noise(&mut noise, found);
                    found(Piece::Frame(frame));
                    at += length;
                }
                Parsed::Incomplete => break,
                Parsed::No => {
                    noise += 1;
                    at += 1;
                }
            }
        }
        say_noise(&mut noise, found);
        self.bytes.drain(..at);
    }
}

fn say_noise(noise: &mut u64, found: &mut impl FnMut(Piece)) {
    if *noise > 0 {
        found(Piece::Noise(std::mem::take(noise)));
    }
}

#[cfg(test)]
pub(super) mod tests;
