//! Capture files in the classic pcap format (draft-ietf-opsawg-pcap), read as a stream.
//!
//! Micro- and nanosecond stamps in both byte orders; link types 127 (802.11 with radiotap) and 105 (bare 802.11).
//! pcapng is not read: the error says how to convert it.
//!
//! What is absent: no file is opened here, whoever calls gives a [`Read`]; no meaning of a frame.
//!
//! Invariants: a record is given whole or not at all; whatever lengths the file claims, no more than
//! [`MAX_RECORD_BYTES`] are held.
//!
//! ```text
//! d4 c3 b2 a1  02 00 04 00  00 00 00 00  00 00 00 00  00 00 04 00  7f 00 00 00   header: little endian, µs, link 127
//! 5f 1c a4 60  87 d6 12 00  8b 00 00 00  8b 00 00 00                             record: s, µs, kept, on the air
//! ```

mod write;

use std::io::{ErrorKind, Read};

pub use write::{write_header, write_record};

use crate::types::wipe;
use crate::wire::dot11::Link;

/// Longest record that is read. The longest probe request is below 4 KiB; libpcap itself refuses above 256 KiB.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// Why a capture cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum PcapError {
    /// Reading failed.
    #[error("the capture cannot be read")]
    Read(#[source] std::io::Error),
    /// The first bytes are those of no capture file.
    #[error("this is no pcap file")]
    NotPcap,
    /// The successor format.
    #[error("this is a pcapng file, which is not supported: convert it with `tshark -F pcap -r IN -w OUT`")]
    Pcapng,
    /// A version of the format that does not exist.
    #[error("pcap version {0}.{1} is not known")]
    Version(u16, u16),
    /// Frames of something else than 802.11.
    #[error("link type {0} is not 802.11: 127 (with radiotap) or 105 (without) is needed")]
    Link(u32),
    /// The file ends within its header.
    #[error("the file ends within its header")]
    ShortHeader,
    /// The file ends within a record.
    #[error("the file ends within record {0}")]
    Truncated(u64),
    /// A record that claims an impossible length: what follows cannot be found.
    #[error("record {record} claims {bytes} bytes, at most {MAX_RECORD_BYTES} are possible: the file is damaged")]
    TooLong {
        /// Which record, from 1.
        record: u64,
        /// What it claims.
        bytes: u32,
    },
}

/// A record of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the file, from 1.
    pub number: u64,
    /// When it was captured, in microseconds since 1970-01-01T00:00:00Z.
    pub at_us: i64,
    /// The frame.
    pub frame: &'a [u8],
}

/// A capture that is being read.
pub struct Capture<R> {
    source: R,
    order: Order,
    is_nano: bool,
    link: Link,
    records: u64,
    /// Bytes of the file up to the end of the last whole record.
    offset: u64,
    buffer: Vec<u8>,
}

impl<R> std::fmt::Debug for Capture<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("link", &self.link).field("records", &self.records).finish_non_exhaustive()
    }
}

/// What was captured is overwritten when nobody needs it any more.
impl<R> Drop for Capture<R> {
    fn drop(&mut self) {
        wipe(&mut self.buffer);
    }
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

const HEADER_BYTES: usize = 24;
const RECORD_HEADER_BYTES: usize = 16;

/// Reads until the buffer is full or the source ends; how much there was.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, PcapError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(PcapError::Read(error)),
        }
    }
    Ok(filled)
}

impl<R: Read> Capture<R> {
    /// Reads the file's header.
    pub fn open(mut source: R) -> Result<Self, PcapError> {
        let mut header = [0; HEADER_BYTES];
        let length = fill(&mut source, &mut header)?;
        let (order, is_nano) = match header {
            [0xd4, 0xc3, 0xb2, 0xa1, ..] => (Order::Little, false),
            [0xa1, 0xb2, 0xc3, 0xd4, ..] => (Order::Big, false),
            [0x4d, 0x3c, 0xb2, 0xa1, ..] => (Order::Little, true),
            [0xa1, 0xb2, 0x3c, 0x4d, ..] => (Order::Big, true),
            [0x0a, 0x0d, 0x0d, 0x0a, ..] => return Err(PcapError::Pcapng),
            _ => return Err(PcapError::NotPcap),
        };
        if length < HEADER_BYTES {
            return Err(PcapError::ShortHeader);
        }
        let [_, _, _, _, a, b, c, d, ..] = header;
        let (major, minor) = (order.u16([a, b]), order.u16([c, d]));
        if major != 2 {
            return Err(PcapError::Version(major, minor));
        }
        let [.., a, b, c, d] = header;
        // The upper half says how long a frame check sequence is; radiotap's own flag says it better.
        let link = match order.u32([a, b, c, d]) & 0xffff {
            127 => Link::Radiotap,
            105 => Link::Bare,
            // A capture that never heard anything may carry its tool's default.
            _ if fill(&mut source, &mut [0])? == 0 => Link::Bare,
            other => return Err(PcapError::Link(other)),
        };
        Ok(Self { source, order, is_nano, link, records: 0, offset: HEADER_BYTES as u64, buffer: Vec::new() })
    }

    /// What stands in front of each frame.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Where in the file the last whole record ended, in bytes: what is wrong begins here.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` at the file's end. After an error there is nothing more to read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, PcapError> {
        let mut header = [0; RECORD_HEADER_BYTES];
        let number = self.records + 1;
        match fill(&mut self.source, &mut header)? {
            0 => return Ok(None),
            RECORD_HEADER_BYTES => {}
            _ => return Err(PcapError::Truncated(number)),
        }
        let word = |at: usize| self.order.u32([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (seconds, fraction, kept) = (word(0), word(4), word(8));
        let length = usize::try_from(kept).unwrap_or(usize::MAX);
        if length > MAX_RECORD_BYTES {
            return Err(PcapError::TooLong { record: number, bytes: kept });
        }
        if length > self.buffer.capacity() {
            // A buffer that grew by itself would leave a copy behind.
            wipe(&mut self.buffer);
            self.buffer = Vec::with_capacity(length);
        }
        self.buffer.resize(length, 0);
        if fill(&mut self.source, &mut self.buffer)? < length {
            return Err(PcapError::Truncated(number));
        }
        self.records = number;
        self.offset += (RECORD_HEADER_BYTES + length) as u64;
        let fraction_us = if self.is_nano { fraction / 1000 } else { fraction };
        let at_us = i64::from(seconds) * 1_000_000 + i64::from(fraction_us);
        Ok(Some(Record { number, at_us, frame: &self.buffer }))
    }
}

/// Reads a whole capture from bytes, for fuzzing; how many records came out.
#[doc(hidden)]
pub fn fuzz_pcap(data: &[u8]) -> u64 {
    let Ok(mut capture) = Capture::open(data) else { return 0 };
    while let Ok(Some(_)) = capture.next_record() {}
    capture.records
}

#[cfg(test)]
mod tests;
