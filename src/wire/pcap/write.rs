//! The other way: a capture as bytes, for simulators and tests.

use crate::wire::dot11::Link;

/// Appends a file header: little endian, microseconds.
pub fn write_header(link: Link, out: &mut Vec<u8>) {
    let number: u32 = match link {
        Link::Radiotap => 127,
        Link::Bare => 105,
    };
    out.extend([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    out.extend(number.to_le_bytes());
}

/// Appends one record. Stamps before 1970 or after 2106 are clamped: the format cannot hold them.
pub fn write_record(at_us: i64, frame: &[u8], out: &mut Vec<u8>) {
    let seconds = u32::try_from(at_us.div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX);
    let fraction = u32::try_from(at_us.rem_euclid(1_000_000)).unwrap_or_default();
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    for word in [seconds, fraction, length, length] {
        out.extend(word.to_le_bytes());
    }
    out.extend(frame);
}
