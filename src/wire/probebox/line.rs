//! MNCats: a frame a line (the vendor's TZ001 wiki page).

use super::limits::{DATAGRAM_LINES, LINE_BYTES};
use super::{parse_address, parse_rssi, trimmed};
use crate::types::wipe;
use crate::wire::dot11::Address;

/// What kind of frame was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A probe request: somebody looks for networks.
    ProbeRequest,
    /// Any other frame. Whether its sender is a client, an access point or a printer behind one cannot be told.
    Other,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who sent.
    pub source: Address,
    /// To whom; `None`: to everybody.
    pub peer: Option<Address>,
    /// What.
    pub kind: Kind,
    /// Signal, dBm.
    pub rssi_dbm: i8,
}

/// The line is none of a probe box's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a line of a probe box")]
pub struct NoLine;

/// Reads one line, without its end.
pub fn parse_line(line: &[u8]) -> Result<Heard, NoLine> {
    let mut fields = trimmed(line).split(|byte| *byte == b'|');
    let mut next = || fields.next().ok_or(NoLine);
    let (source, peer, kind, subtype, channel, rssi) = (next()?, next()?, next()?, next()?, next()?, next()?);
    if fields.next().is_some() || !is_number(channel, 10) {
        return Err(NoLine);
    }
    let source = parse_address(source).filter(|source| !source.is_group()).ok_or(NoLine)?;
    let peer = parse_address(peer).ok_or(NoLine)?;
    let kind = match (kind, subtype) {
        (b"00", b"04") => Kind::ProbeRequest,
        (b"00" | b"01" | b"02", subtype) if is_number(subtype, 16) => Kind::Other,
        _ => return Err(NoLine),
    };
    let rssi_dbm = parse_rssi(rssi).ok_or(NoLine)?;
    Ok(Heard { source, peer: Some(peer).filter(|peer| !peer.is_group()), kind, rssi_dbm })
}

fn is_number(text: &[u8], radix: u32) -> bool {
    (1..=3).contains(&text.len()) && text.iter().all(|digit| char::from(*digit).is_digit(radix))
}

/// A datagram: the box's name in the first line, then lines as on the serial line.
pub fn split_datagram(datagram: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let mut lines = datagram.split(|byte| *byte == b'\n').map(trimmed);
    let name = lines.next().unwrap_or_default();
    (name, lines.filter(|line| !line.is_empty()).take(DATAGRAM_LINES))
}

/// Cuts a stream of bytes into lines. What a line held is overwritten when it has been given out.
pub struct Lines {
    buffer: [u8; LINE_BYTES],
    filled: usize,
    is_skipping: bool,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lines({} bytes wait)", self.filled)
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self { buffer: [0; LINE_BYTES], filled: 0, is_skipping: false }
    }
}

impl Lines {
    /// Takes bytes, split anywhere; gives each complete line that is not empty, or `None` for one that was too long.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(Option<&[u8]>)) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' if self.is_skipping => line(None),
                b'\n' | b'\r' if self.filled == 0 => continue,
                b'\n' | b'\r' => line(Some(&self.buffer[..self.filled])),
                _ if self.is_skipping => continue,
                _ if self.filled < LINE_BYTES => {
                    self.buffer[self.filled] = *byte;
                    self.filled += 1;
                    continue;
                }
                _ => {
                    self.wipe();
                    self.is_skipping = true;
                    continue;
                }
            }
            self.wipe();
        }
    }

    /// Forgets a line that was begun: the rest of it will not come.
    pub fn wipe(&mut self) {
        wipe(&mut self.buffer);
        self.filled = 0;
        self.is_skipping = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The line of the vendor's page.
    const CONTROL: &[u8] = b"28:01:00:00:40:4A|70:F9:6D:34:BD:51|01|09|11|-75";
    const PROBE: &[u8] = b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|-75";

    #[test]
    fn a_line_says_who_what_and_how_loud() {
        let heard = parse_line(CONTROL).unwrap();
        assert_eq!((heard.kind, heard.rssi_dbm), (Kind::Other, -75));
        assert_eq!(heard.peer.map(Address::octets), Some([0x70, 0xf9, 0x6d, 0x34, 0xbd, 0x51]));
        let heard = parse_line(PROBE).unwrap();
        assert_eq!((heard.kind, heard.peer), (Kind::ProbeRequest, None));
        assert_eq!(heard.source.octets(), [0x28, 1, 0, 0, 0x40, 0x4a]);
        assert_eq!(parse_line(b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|-75\r"), Ok(heard));
    }

    #[test]
    fn every_truncation_and_every_foreign_field_is_refused() {
        for length in 0..PROBE.len() - 1 {
            // A number that is cut is a number.
            assert!(parse_line(&PROBE[..length]).is_err() || PROBE[..length].ends_with(b"|-7"), "at {length}");
        }
        let lines: [&[u8]; 6] = [
            b"29:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|-75",
            b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|03|04|11|-75",
            b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|xx|11|-75",
            b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04||-75",
            b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|75",
            b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|-75|",
        ];
        for line in lines {
            assert_eq!(parse_line(line), Err(NoLine), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_datagram_names_its_box_and_then_has_lines() {
        let datagram = [b"48cd02\r\n".as_slice(), PROBE, b"\r\n", CONTROL, b"\r\n"].concat();
        let (name, lines) = split_datagram(&datagram);
        assert_eq!((name, lines.filter_map(|line| parse_line(line).ok()).count()), (b"48cd02".as_slice(), 2));
        assert_eq!(split_datagram(b"").1.count(), 0);
        let many = [b"x\n".as_slice(), &b"y\n".repeat(1000)].concat();
        assert_eq!(split_datagram(&many).1.count(), DATAGRAM_LINES);
    }

    proptest! {
        #[test]
        fn any_split_of_the_stream_gives_the_same_lines(cuts in prop::collection::vec(1..40_usize, 1..20)) {
            let long = b"x".repeat(LINE_BYTES + 1);
            let stream = [PROBE, b"\r\n", CONTROL, b"\n\n", &long, b"\r\n", PROBE, b"\r"].concat();
            let mut lines = Lines::default();
            let mut got = Vec::new();
            let (mut rest, mut cuts) = (stream.as_slice(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                lines.push(now, |line| got.push(line.map(<[u8]>::to_vec)));
                rest = later;
            }
            prop_assert_eq!(got, [Some(PROBE.to_vec()), Some(CONTROL.to_vec()), None, Some(PROBE.to_vec())]);
            prop_assert_eq!(lines.buffer, [0; LINE_BYTES]);
        }
    }
}
