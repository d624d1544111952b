//! Command frames of the GM65 family (GM60, GM65, GM65-S, GM861): the manufacturer's manual.
//!
//! ```text
//!          head   type  len  address  data  CRC-16
//! command  7E 00  08    01   00 02    01    02 DA      write 01 to zone 0002
//! command  7E 00  07    01   00 0A    01    EE 8A      read 1 byte from zone 000A
//! reply    02 00  00    01            3E    E4 AC      0 = understood, 1 byte: 3E
//! ```
//!
//! CRC-16/XMODEM (polynomial 1021, start 0) over type to data, high byte first; `AB CD` in its place means
//! "not checked" and is accepted in both directions. A frame with a wrong CRC is answered by silence.
//!
//! There is a third command, "save" (type 09), that copies the zones to flash. It is known here so that a
//! simulator can count it; a driver never sends it: flash wears out, and zones written at each start need no saving.

/// Zone 0000: LED, sound, aim and light, and in its two lowest bits the mode (see [`MODE_MASK`]).
pub const ZONE_MODE: u16 = 0x0000;
/// Zone 0002: bit 0 written 1 starts reading in command mode, 0 stops it.
pub const ZONE_TRIGGER: u16 = 0x0002;
/// Zone 00D0: bit 7 puts the AIM identifier before each code.
pub const ZONE_AIM: u16 = 0x00d0;
/// Zone 00E2: version of the firmware.
pub const ZONE_VERSION: u16 = 0x00e2;
/// The bits of zone 0000 that are the mode: 00 manual, 01 command, 10 continuous, 11 sensor (manual, page 37).
pub const MODE_MASK: u8 = 0b11;
/// The bit of zone 00D0 that switches AIM identifiers on.
pub const AIM_BIT: u8 = 0x80;

const HEAD_COMMAND: [u8; 2] = [0x7e, 0x00];
const HEAD_REPLY: [u8; 2] = [0x02, 0x00];
const WILDCARD: [u8; 2] = [0xab, 0xcd];
const UNDERSTOOD: u8 = 0x00;
/// Longest data of a reply taken for one. Ours are of one byte; the limit keeps noise that looks like the head of
/// a reply from holding back more than ten bytes.
const REPLY_DATA_MAX: u8 = 4;
/// Longest data of a command taken for one.
const COMMAND_DATA_MAX: u8 = 16;

/// CRC-16/XMODEM.
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc: u16, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

/// How a frame ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Its CRC.
    Crc,
    /// `AB CD`: not checked.
    Wildcard,
}

impl Check {
    fn bytes(self, checked: &[u8]) -> [u8; 2] {
        match self {
            Self::Crc => crc(checked).to_be_bytes(),
            Self::Wildcard => WILDCARD,
        }
    }
}

/// A beginning of the stream, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<T> {
    /// It is one, and this many bytes long.
    Whole(T, usize),
    /// It may become one.
    Incomplete,
    /// It is none.
    No,
}

/// What is sent to the scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Read `count` bytes from `zone` on.
    Read {
        /// First zone.
        zone: u16,
        /// How many.
        count: u8,
    },
    /// Write `data` from `zone` on. Held in RAM: gone when the power goes.
    Write {
        /// First zone.
        zone: u16,
        /// At most 16 bytes.
        data: Vec<u8>,
    },
    /// Copy the zones to flash. Never sent by a driver.
    Save,
}

impl Command {
    /// The frame.
    pub fn encode(&self, check: Check) -> Vec<u8> {
        let (kind, zone, data): (u8, u16, &[u8]) = match self {
            Self::Read { zone, count } => (0x07, *zone, std::slice::from_ref(count)),
            Self::Write { zone, data } => (0x08, *zone, data),
            Self::Save => (0x09, 0, &[0]),
        };
        let data = &data[..data.len().min(usize::from(COMMAND_DATA_MAX))];
        let length = u8::try_from(data.len()).unwrap_or(COMMAND_DATA_MAX);
        let mut frame = HEAD_COMMAND.to_vec();
        frame.extend([kind, length]);
        frame.extend(zone.to_be_bytes());
        frame.extend(data);
        let check = check.bytes(&frame[2..]);
        frame.extend(check);
        frame
    }

    /// Looks for a command at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        if !may_begin(bytes, &HEAD_COMMAND) {
            return Parsed::No;
        }
        let [_, _, kind, length, rest @ ..] = bytes else { return Parsed::Incomplete };
        if !matches!(kind, 7..=9) || !(1..=COMMAND_DATA_MAX).contains(length) {
            return Parsed::No;
        }
        let data_end = 2 + usize::from(*length);
        if rest.len() < data_end + 2 {
            return Parsed::Incomplete;
        }
        if !checked(&bytes[2..4 + data_end], &rest[data_end..data_end + 2]) {
            return Parsed::No;
        }
        let zone = u16::from_be_bytes([rest[0], rest[1]]);
        let data = &rest[2..data_end];
        let command = match kind {
            7 => Self::Read { zone, count: data[0] },
            8 => Self::Write { zone, data: data.to_vec() },
            _ => Self::Save,
        };
        Parsed::Whole(command, 4 + data_end + 2)
    }
}

/// What the scanner answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The bytes read, or a single 00 after a write.
    pub data: Vec<u8>,
}

impl Reply {
    /// The answer to a write or a save.
    pub fn done() -> Self {
        Self { data: vec![0] }
    }

    /// The frame.
    pub fn encode(&self, check: Check) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(usize::from(REPLY_DATA_MAX))];
        let mut frame = HEAD_REPLY.to_vec();
        frame.extend([UNDERSTOOD, u8::try_from(data.len()).unwrap_or(REPLY_DATA_MAX)]);
        frame.extend(data);
        let check = check.bytes(&frame[2..]);
        frame.extend(check);
        frame
    }

    /// Looks for a reply at the start of `bytes`; it never needs more than ten of them to say.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        if !may_begin(bytes, &HEAD_REPLY) {
            return Parsed::No;
        }
        let [_, _, kind, rest @ ..] = bytes else { return Parsed::Incomplete };
        if *kind != UNDERSTOOD {
            return Parsed::No;
        }
        let [length, rest @ ..] = rest else { return Parsed::Incomplete };
        if !(1..=REPLY_DATA_MAX).contains(length) {
            return Parsed::No;
        }
        let length = usize::from(*length);
        if rest.len() < length + 2 {
            return Parsed::Incomplete;
        }
        if !checked(&bytes[2..4 + length], &rest[length..length + 2]) {
            return Parsed::No;
        }
        Parsed::Whole(Self { data: rest[..length].to_vec() }, 4 + length + 2)
    }
}

fn may_begin(bytes: &[u8], head: &[u8; 2]) -> bool {
    bytes.iter().zip(head).all(|(byte, wanted)| byte == wanted)
}

fn checked(covered: &[u8], check: &[u8]) -> bool {
    check == WILDCARD || check == crc(covered).to_be_bytes()
}

#[cfg(test)]
mod tests;
