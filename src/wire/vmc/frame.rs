//! Bytes ↔ frames.
//!
//! ```text
//! FA FB   06    05   A6 01 00 00 3C   99
//! header  cmd   len  packNO + text    XOR of everything before
//! ```

use std::time::{Duration, Instant};

use super::code;
use super::limits::{FRAME_BYTES, KNOWN_PAYLOAD_BYTES, PAYLOAD_BYTES};
use crate::wire::framer::{Framer, Parsed};

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

/// Looks for one frame at the very beginning.
pub fn parse(bytes: &[u8]) -> Parsed<Frame> {
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

/// Cuts the line's bytes into frames; `gap`: how long one may pause.
pub fn framer(gap: Duration, now: Instant) -> Framer<Frame> {
    Framer::new(parse, FRAME_BYTES, gap, now)
}

#[cfg(test)]
pub(super) mod tests;
