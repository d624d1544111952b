//! Radiotap: what the radio measured, in front of the frame (radiotap.org, "Defined fields").

use super::limits::PRESENCE_WORDS;

/// What a radiotap header says, as far as it is wanted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Radio {
    /// Signal at the antenna in dBm; the first one given, which drivers make the combined one.
    pub rssi_dbm: Option<i8>,
    /// Centre of the channel the radio was tuned to, in MHz.
    pub channel_mhz: Option<u16>,
    /// The frame ends with its 4-byte frame check sequence.
    pub has_fcs: bool,
    /// The radio says that the frame check sequence is wrong.
    pub is_bad: bool,
}

/// Why a radiotap header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RadiotapError {
    /// Fewer bytes than a header has, or than this one says it has.
    #[error("the radiotap header is cut off")]
    Short,
    /// Only version 0 exists.
    #[error("radiotap version {0} is not known")]
    Version(u8),
    /// The header's length is smaller than what its presence words need.
    #[error("the radiotap header's length contradicts its fields")]
    Length,
}

const FLAGS: usize = 1;
const CHANNEL: usize = 3;
const SIGNAL: usize = 5;

/// Alignment and size of each field, by its bit. What comes after the last one is not read.
const FIELDS: [(usize, usize); 28] = [
    (8, 8),
    (1, 1),
    (1, 1),
    (2, 4),
    (2, 2),
    (1, 1),
    (1, 1),
    (2, 2),
    (2, 2),
    (2, 2),
    (1, 1),
    (1, 1),
    (1, 1),
    (1, 1),
    (2, 2),
    (2, 2),
    (1, 1),
    (1, 1),
    (4, 8),
    (1, 3),
    (4, 8),
    (2, 12),
    (8, 12),
    (2, 12),
    (2, 12),
    (2, 6),
    (1, 1),
    (2, 4),
];

const NEXT_IS_RADIOTAP: u32 = 1 << 29;
const NEXT_IS_VENDOR: u32 = 1 << 30;
const MORE: u32 = 1 << 31;

/// Reads the header and gives what follows it.
pub(super) fn split(bytes: &[u8]) -> Result<(Radio, &[u8]), RadiotapError> {
    let [version, _, low, high, ..] = *bytes else { return Err(RadiotapError::Short) };
    if version != 0 {
        return Err(RadiotapError::Version(version));
    }
    let length = usize::from(u16::from_le_bytes([low, high]));
    let (header, frame) = bytes.split_at_checked(length).ok_or(RadiotapError::Short)?;
    Ok((read(header)?, frame))
}

/// One `u32` of the header.
fn word(header: &[u8], at: usize) -> Option<u32> {
    let bytes = header.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn read(header: &[u8]) -> Result<Radio, RadiotapError> {
    let mut present = [0; PRESENCE_WORDS];
    let mut words = 0;
    loop {
        let slot = present.get_mut(words).ok_or(RadiotapError::Length)?;
        *slot = word(header, 4 + 4 * words).ok_or(RadiotapError::Length)?;
        words += 1;
        if present[words - 1] & MORE == 0 {
            break;
        }
    }
    let mut radio = Radio::default();
    let mut at = 4 + 4 * words;
    for &word in &present[..words] {
        at = read_fields(header, word, at, &mut radio)?;
        let has_unknown = (word & !(NEXT_IS_RADIOTAP | NEXT_IS_VENDOR | MORE)) >> FIELDS.len() != 0;
        if has_unknown || word & NEXT_IS_VENDOR != 0 {
            break;
        }
    }
    Ok(radio)
}

/// Reads the fields of one presence word from `at` on, and says where the next word's begin.
fn read_fields(header: &[u8], present: u32, mut at: usize, radio: &mut Radio) -> Result<usize, RadiotapError> {
    for (bit, (align, size)) in FIELDS.into_iter().enumerate() {
        if present >> bit & 1 == 0 {
            continue;
        }
        at = at.next_multiple_of(align);
        let field = header.get(at..at + size).ok_or(RadiotapError::Length)?;
        match bit {
            FLAGS => {
                radio.has_fcs = field[0] & 0x10 != 0;
                radio.is_bad = field[0] & 0x40 != 0;
            }
            CHANNEL => radio.channel_mhz = radio.channel_mhz.or(Some(u16::from_le_bytes([field[0], field[1]]))),
            SIGNAL => radio.rssi_dbm = radio.rssi_dbm.or(Some(i8::from_le_bytes([field[0]]))),
            _ => {}
        }
        at += size;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_header_of_an_esp32_is_read() {
        // As the Brno University of Technology's sensor wrote it: channel, signal, antenna in 14 bytes.
        let (radio, rest) = split(&[0, 0, 14, 0, 0x28, 8, 0, 0, 0x71, 0x09, 0x80, 0, 0xa7, 0]).unwrap();
        assert_eq!(radio, Radio { rssi_dbm: Some(-89), channel_mhz: Some(2417), has_fcs: false, is_bad: false });
        assert!(rest.is_empty());
    }

    #[test]
    fn the_flags_say_whether_a_frame_check_sequence_follows() {
        let (radio, _) = split(&[0, 0, 15, 0, 0x2a, 0, 0, 0, 0x10, 0, 0x6c, 0x09, 0xa0, 0, 0xc4]).unwrap();
        assert_eq!(radio, Radio { rssi_dbm: Some(-60), channel_mhz: Some(2412), has_fcs: true, is_bad: false });
    }

    #[test]
    fn the_time_stamp_is_aligned_to_eight_bytes_behind_two_presence_words() {
        // Words: TSFT, flags, channel, signal, more · signal, antenna. 4 + 8 + 4 bytes of padding, then TSFT at 16.
        let mut bytes = vec![0, 0, 34, 0, 0x2b, 0, 0, 0xa0, 0x20, 0x08, 0, 0];
        bytes.extend([0; 4]);
        bytes.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        bytes.extend([0x00, 0, 0x71, 0x09, 0xc0, 0, 0xb0, 0xaf, 0, 0]);
        bytes.push(0x40);
        let (radio, rest) = split(&bytes).unwrap();
        assert_eq!((radio.rssi_dbm, radio.channel_mhz, radio.has_fcs), (Some(-80), Some(2417), false));
        assert_eq!(rest, [0x40]);
    }

    #[test]
    fn a_signal_that_only_the_second_word_has_is_found() {
        let mut bytes = vec![0, 0, 14, 0, 0x02, 0, 0, 0xa0, 0x20, 0, 0, 0];
        bytes.extend([0x10, 0xa6]);
        let (radio, _) = split(&bytes).unwrap();
        assert_eq!((radio.rssi_dbm, radio.has_fcs), (Some(-90), true));
    }

    #[test]
    fn a_vendor_namespace_ends_the_walk_and_keeps_what_was_read() {
        let mut bytes = vec![0, 0, 15, 0, 0x22, 0, 0, 0xc0, 0xff, 0xff, 0xff, 0x00];
        bytes.extend([0x10, 0xa6, 0x77]);
        let (radio, _) = split(&bytes).unwrap();
        assert_eq!(radio.rssi_dbm, Some(-90));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert_eq!(split(&[]), Err(RadiotapError::Short));
        assert_eq!(split(&[1, 0, 8, 0, 0, 0, 0, 0]), Err(RadiotapError::Version(1)));
        assert_eq!(split(&[0, 0, 9, 0, 0, 0, 0, 0]), Err(RadiotapError::Short));
        assert_eq!(split(&[0, 0, 4, 0, 0, 0, 0, 0]), Err(RadiotapError::Length));
        assert_eq!(split(&[0, 0, 8, 0, 0x20, 0, 0, 0]), Err(RadiotapError::Length));
        let endless: Vec<u8> = [0, 0, 200, 0].into_iter().chain([0xff; 196]).collect();
        assert_eq!(split(&endless), Err(RadiotapError::Length));
    }
}
