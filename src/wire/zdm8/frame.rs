//! Modbus-RTU as the board speaks it: functions 03 and 10, and the board's own exceptions.
//!
//! ```text
//! 01   10   20 01  00 02  04   10 01 01 00      FF 32
//! addr fn   reg    words  len  lane type drop lift  CRC, low byte first
//! ```

use std::time::{Duration, Instant};

use crate::wire::framer::{Framer, Parsed};

/// Most words that are read or written at once.
pub(super) const WORDS: u8 = 4;
/// Longest frame.
pub const FRAME_BYTES: usize = 7 + 2 * WORDS as usize + 2;
/// Function: read registers.
const READ: u8 = 0x03;
/// Function: write registers.
const WRITE: u8 = 0x10;
/// Set in the function of an exception.
const EXCEPTION: u8 = 0x80;

/// CRC-16/MODBUS: polynomial 8005 reflected, from FFFF; it goes out low byte first.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc: u16, _| if crc & 1 == 1 { (crc >> 1) ^ 0xa001 } else { crc >> 1 })
    })
}

/// What we ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// 03.
    Read {
        /// The first register.
        register: u16,
        /// How many.
        words: u8,
    },
    /// 10.
    Write {
        /// The first register.
        register: u16,
        /// Two bytes for each.
        bytes: Vec<u8>,
    },
}

/// What the board answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To 03: two bytes for each register.
    Read(Vec<u8>),
    /// To 10.
    Written {
        /// The first register.
        register: u16,
        /// How many.
        words: u16,
    },
    /// Instead of an answer.
    Exception {
        /// The function it is about; the board in the field says 06 for every one.
        function: u8,
        /// 1 function, 2 address, 3 data, 4 CRC, 6 busy, 7 fault, 8 processing.
        code: u8,
    },
}

impl Request {
    /// Cuts the line's bytes into questions; `gap`: how long one may pause. 3.5 characters are 4 ms at 9600 baud,
    /// adapters add their own delays.
    pub fn framer(address: u8, gap: Duration, now: Instant) -> Framer<Self> {
        Framer::new(move |bytes| Self::parse(address, bytes), FRAME_BYTES, gap, now)
    }

    /// The bytes on the line.
    pub fn encode(&self, address: u8) -> Vec<u8> {
        let mut bytes = vec![address];
        match self {
            Self::Read { register, words } => {
                bytes.push(READ);
                bytes.extend(register.to_be_bytes());
                bytes.extend([0, *words]);
            }
            Self::Write { register, bytes: written } => {
                let written = &written[..written.len().min(usize::from(WORDS) * 2)];
                let length = u8::try_from(written.len()).unwrap_or(u8::MAX);
                bytes.push(WRITE);
                bytes.extend(register.to_be_bytes());
                bytes.extend([0, length / 2, length]);
                bytes.extend(written);
            }
        }
        sealed(bytes)
    }

    /// Looks for a request to this address at the very beginning: the board's side.
    pub fn parse(address: u8, bytes: &[u8]) -> Parsed<Self> {
        let length = match bytes {
            [first, ..] if *first != address => return Parsed::No,
            [_, READ, ..] => 8,
            [_, WRITE, _, _, _, _, length, ..] if *length <= WORDS * 2 => 9 + usize::from(*length),
            [] | [_] | [_, WRITE] | [_, WRITE, _] | [_, WRITE, _, _] => return Parsed::Incomplete,
            [_, WRITE, ..] if bytes.len() < 7 => return Parsed::Incomplete,
            _ => return Parsed::No,
        };
        checked(bytes, length, |body| match body {
            [_, READ, high, low, 0, words] if (1..=WORDS).contains(words) => {
                Some(Self::Read { register: u16::from_be_bytes([*high, *low]), words: *words })
            }
            [_, WRITE, high, low, 0, words, length, written @ ..] if words * 2 == *length => {
                Some(Self::Write { register: u16::from_be_bytes([*high, *low]), bytes: written.to_vec() })
            }
            _ => None,
        })
    }
}

impl Reply {
    /// Cuts the line's bytes into answers; `gap`: how long one may pause. 3.5 characters are 4 ms at 9600 baud,
    /// adapters add their own delays.
    pub fn framer(address: u8, gap: Duration, now: Instant) -> Framer<Self> {
        Framer::new(move |bytes| Self::parse(address, bytes), FRAME_BYTES, gap, now)
    }

    /// The bytes on the line.
    pub fn encode(&self, address: u8) -> Vec<u8> {
        let mut bytes = vec![address];
        match self {
            Self::Read(data) => {
                let data = &data[..data.len().min(usize::from(WORDS) * 2)];
                bytes.extend([READ, u8::try_from(data.len()).unwrap_or(u8::MAX)]);
                bytes.extend(data);
            }
            Self::Written { register, words } => {
                bytes.push(WRITE);
                bytes.extend(register.to_be_bytes());
                bytes.extend(words.to_be_bytes());
            }
            Self::Exception { function, code } => bytes.extend([function | EXCEPTION, *code]),
        }
        sealed(bytes)
    }

    /// Looks for a reply of this address at the very beginning.
    pub fn parse(address: u8, bytes: &[u8]) -> Parsed<Self> {
        let length = match bytes {
            [first, ..] if *first != address => return Parsed::No,
            [] | [_] | [_, READ] => return Parsed::Incomplete,
            [_, READ, length, ..] if *length <= WORDS * 2 && length % 2 == 0 => 5 + usize::from(*length),
            [_, WRITE, ..] => 8,
            [_, function, ..] if function & EXCEPTION != 0 => 5,
            _ => return Parsed::No,
        };
        checked(bytes, length, |body| match body {
            [_, READ, _, data @ ..] => Some(Self::Read(data.to_vec())),
            [_, WRITE, a, b, c, d] => {
                Some(Self::Written { register: u16::from_be_bytes([*a, *b]), words: u16::from_be_bytes([*c, *d]) })
            }
            [_, function, code] => Some(Self::Exception { function: function & !EXCEPTION, code: *code }),
            _ => None,
        })
    }
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(crc(&bytes).to_le_bytes());
    bytes
}

fn checked<T>(bytes: &[u8], length: usize, read: impl FnOnce(&[u8]) -> Option<T>) -> Parsed<T> {
    let Some(frame) = bytes.get(..length) else { return Parsed::Incomplete };
    let Some((body, check)) = frame.split_last_chunk::<2>() else { return Parsed::No };
    if crc(body) != u16::from_le_bytes(*check) {
        return Parsed::No;
    }
    read(body).map_or(Parsed::No, |message| Parsed::Whole(message, length))
}

#[cfg(test)]
mod tests;
