//! A probe request's fixed part.

use super::element::Elements;
use super::radiotap::{self, Radio, RadiotapError};

/// What stands in front of each frame of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Nothing: the 802.11 header comes first (DLT 105). Neither signal nor channel is known.
    Bare,
    /// A radiotap header (DLT 127).
    Radiotap,
}

/// A hardware address as it was on the air. It lives only as long as its frame, and shows only its kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address([u8; 6]);

impl Address {
    /// From the six bytes as they are on the air.
    pub fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six bytes as they are on the air.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether it was made up (locally administered) and not burnt in.
    pub fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// Whether it names a group, which no sender is.
    pub fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether it starts with a company identifier under which Android makes addresses up (`da:a1:19`, `92:68:c3`).
    pub fn is_android(self) -> bool {
        matches!(self.0, [0xda, 0xa1, 0x19, ..] | [0x92, 0x68, 0xc3, ..])
    }

    /// Whether it is `02:00:00:00:00:00`, which iPhones put into many probe requests and which names none of them.
    pub fn is_shared(self) -> bool {
        self.0 == [2, 0, 0, 0, 0, 0]
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_local() { "Address(local)" } else { "Address(global)" })
    }
}

/// One probe request, borrowed from its frame.
#[derive(Debug, Clone)]
pub struct Probe<'a> {
    /// What the radio measured.
    pub radio: Radio,
    /// Who asked.
    pub source: Address,
    /// The sender's frame counter, 0 to 4095.
    pub sequence: u16,
    /// What the sender says it can.
    pub elements: Elements<'a>,
}

/// Why a frame gives no probe request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The radiotap header is damaged.
    #[error("radiotap")]
    Radiotap(#[from] RadiotapError),
    /// The radio says that the frame was received with errors.
    #[error("the frame check sequence is wrong")]
    BadFcs,
    /// It ends within the management header.
    #[error("the frame is cut off")]
    Short,
    /// It is a frame of another kind.
    #[error("not a probe request")]
    OtherKind,
    /// A group address cannot send.
    #[error("the sender is a group address")]
    Sender,
}

/// Frame control of a probe request: version 0, management, subtype 4.
const PROBE_REQUEST: u8 = 0x40;
const HEADER_BYTES: usize = 24;
const FCS_BYTES: usize = 4;

/// Reads one captured frame.
#[inline]
pub fn decode(link: Link, bytes: &[u8]) -> Result<Probe<'_>, Refused> {
    let (radio, frame) = match link {
        Link::Bare => (Radio::default(), bytes),
        Link::Radiotap => radiotap::split(bytes)?,
    };
    if radio.is_bad {
        return Err(Refused::BadFcs);
    }
    if frame.first().is_some_and(|control| *control != PROBE_REQUEST) {
        return Err(Refused::OtherKind);
    }
    let tail = if radio.has_fcs { FCS_BYTES } else { 0 };
    let frame = frame.len().checked_sub(tail).and_then(|end| frame.get(..end)).ok_or(Refused::Short)?;
    let (header, body) = frame.split_at_checked(HEADER_BYTES).ok_or(Refused::Short)?;
    let source = Address([header[10], header[11], header[12], header[13], header[14], header[15]]);
    if source.is_group() {
        return Err(Refused::Sender);
    }
    let sequence = u16::from_le_bytes([header[22], header[23]]) >> 4;
    Ok(Probe { radio, source, sequence, elements: Elements::of(body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frame of the module's picture.
    fn frame() -> Vec<u8> {
        let mut frame = vec![0, 0, 16, 0, 0x2a, 0, 0, 0, 0x10, 0, 0x6c, 0x09, 0xa0, 0, 0xc4, 0];
        frame.extend([0x40, 0, 0, 0]);
        frame.extend([0xff; 6]);
        frame.extend([0xda, 0xa1, 0x19, 0, 0, 1]);
        frame.extend([0xff; 6]);
        frame.extend([0x30, 0x5a]);
        frame.extend([0, 0, 1, 4, 2, 4, 0x0b, 0x16]);
        frame.extend([0x5c, 0x3d, 0x1f, 0x2e]);
        frame
    }

    #[test]
    fn a_probe_request_says_who_when_and_what() {
        let frame = frame();
        let probe = decode(Link::Radiotap, &frame).unwrap();
        assert_eq!(probe.source.octets(), [0xda, 0xa1, 0x19, 0, 0, 1]);
        assert_eq!((probe.sequence, probe.radio.rssi_dbm, probe.radio.channel_mhz), (0x5a3, Some(-60), Some(2412)));
        assert!(probe.source.is_local() && probe.source.is_android() && !probe.source.is_group());
        let mut elements = probe.elements;
        assert_eq!(elements.by_ref().map(|e| (e.id, e.body.len())).collect::<Vec<_>>(), [(0, 0), (1, 4)]);
        assert!(!elements.is_cut(), "the frame check sequence is no element");
    }

    #[test]
    fn without_radiotap_the_signal_is_unknown() {
        let frame = frame();
        let probe = decode(Link::Bare, &frame[16..frame.len() - 4]).unwrap();
        assert_eq!((probe.sequence, probe.radio), (0x5a3, Radio::default()));
    }

    #[test]
    fn every_truncation_is_refused_or_tells_that_it_is_cut() {
        let whole = frame();
        for length in 0..whole.len() {
            match decode(Link::Radiotap, &whole[..length]) {
                Ok(probe) => {
                    assert!(length >= 16 + HEADER_BYTES + FCS_BYTES);
                    let mut elements = probe.elements;
                    let kept: usize = elements.by_ref().map(|e| 2 + e.body.len()).sum();
                    let there = length - 16 - HEADER_BYTES - FCS_BYTES;
                    assert!(kept == there || elements.is_cut(), "at {length}");
                }
                Err(refused) => {
                    assert!(matches!(refused, Refused::Radiotap(_) | Refused::Short), "{refused:?} at {length}");
                    assert!(length < 16 + HEADER_BYTES + FCS_BYTES, "at {length}");
                }
            }
        }
    }

    #[test]
    fn other_frames_bad_frames_and_impossible_senders_are_refused() {
        let with = |at: usize, byte: u8| {
            let mut frame = frame();
            frame[at] = byte;
            decode(Link::Radiotap, &frame).err()
        };
        assert_eq!(with(16, 0x80), Some(Refused::OtherKind));
        assert_eq!(with(8, 0x50), Some(Refused::BadFcs));
        assert_eq!(with(26, 0xff), Some(Refused::Sender));
        assert_eq!(with(0, 3), Some(Refused::Radiotap(RadiotapError::Version(3))));
    }

    #[test]
    fn an_address_shows_only_its_kind() {
        assert_eq!(format!("{:?}", Address::new([0xda, 1, 2, 3, 4, 5])), "Address(local)");
    }
}
