//! Modbus-RTU as the board speaks it: functions 03 and 10, and the board's own exceptions.
//!
//! ```text
//! 01   10   20 01  00 02  04   10 01 01 00      FF 32
//! addr fn   reg    words  len  lane type drop lift  CRC, low byte first
//! ```

use std::time::{Duration, Instant};

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

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<T> {
    /// A message, and how many bytes it takes.
    Whole(T, usize),
    /// A message may be beginning.
    Incomplete,
    /// Nothing that could become a message.
    No,
}

impl Request {
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

/// Something found on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<T> {
    /// A message.
    Message(T),
    /// So many bytes that belong to none.
    Noise(u64),
}

/// Cuts the stream into messages of one direction. What has begun and does not go on is given up, so that what it had
/// swallowed is looked through again. At most one frame's length of bytes is kept.
pub struct Framer<T> {
    parse: fn(u8, &[u8]) -> Parsed<T>,
    address: u8,
    gap: Duration,
    bytes: Vec<u8>,
    last_byte: Instant,
}

impl<T> std::fmt::Debug for Framer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Framer").field("address", &self.address).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl<T> Framer<T> {
    /// `gap`: how long a frame may pause. 3.5 characters are 4 ms at 9600 baud; adapters add their own delays.
    pub fn new(parse: fn(u8, &[u8]) -> Parsed<T>, address: u8, gap: Duration, now: Instant) -> Self {
        Self { parse, address, gap, bytes: Vec::with_capacity(FRAME_BYTES), last_byte: now }
    }

    /// Takes bytes and gives what they complete.
    pub fn push(&mut self, now: Instant, bytes: &[u8], mut found: impl FnMut(Piece<T>)) {
        if !bytes.is_empty() {
            self.last_byte = now;
        }
        for chunk in bytes.chunks(FRAME_BYTES) {
            self.bytes.extend(chunk);
            self.cut(&mut found);
        }
    }

    /// Gives up what has not gone on for too long.
    pub fn tick(&mut self, now: Instant, mut found: impl FnMut(Piece<T>)) {
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

    fn cut(&mut self, found: &mut impl FnMut(Piece<T>)) {
        let mut at = 0;
        let mut noise = 0;
        while at < self.bytes.len() {
            match (self.parse)(self.address, &self.bytes[at..]) {
                Parsed::Whole(message, length) => {
                    say_noise(&mut noise, found);
                    found(Piece::Message(message));
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

fn say_noise<T>(noise: &mut u64, found: &mut impl FnMut(Piece<T>)) {
    if *noise > 0 {
        found(Piece::Noise(std::mem::take(noise)));
    }
}

#[cfg(test)]
mod tests;
