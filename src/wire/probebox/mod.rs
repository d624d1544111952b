//! What bought probe boxes say: who they heard, as text on a serial line or in datagrams, or pushed over HTTP.
//!
//! - [`mod@line`]: MNCats TZ001 (serial), TZ006 and TZ007 (UDP): one frame a line, fields between bars.
//! - [`push`]: DataSky DS-006: a JSON list every few seconds, also as a form field.
//! - [`request`]: as much of HTTP/1.1 as such a box needs to push.
//!
//! What is absent: no I/O, no counting, and nothing is copied: everything borrows from the bytes that are given, so
//! that whoever owns the buffer can wipe it. SSIDs are never looked at.
//!
//! Limits: see [`limits`].
//!
//! ```text
//! 28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|-75    from, to, kind (00 management), subtype (04 probe), channel, dBm
//!
//! {"id":"00f40f9a","mmac":"14:6b:9c:f4:0f:9a","rate":"2","time":"Wed Jan 15 02:26:28 2020","lat":"","lon":"",
//!  "data":[{"mac":"10:9f:4f:69:75:bf","rssi":"-76","rssi1":"-75","router":"…","range":"25.5"},        an access point
//!          {"mac":"86:73:6a:87:2c:de","rssi":"-79","ts":"…","tmc":"f4:2a:7d:f1:4e:59","tc":"Y"}]}      a client of one
//! ```

mod fuzz;
pub mod limits;
pub mod line;
pub mod push;
pub mod request;

pub use fuzz::{fuzz_lines, fuzz_push, fuzz_request};

use crate::wire::dot11::Address;

/// Six bytes as text, in hexadecimal with colons or hyphens between them; upper or lower case.
pub fn parse_address(text: &[u8]) -> Option<Address> {
    let mut octets = [0; 6];
    if text.len() != 17 {
        return None;
    }
    for (at, octet) in octets.iter_mut().enumerate() {
        let [high, low] = [text[3 * at], text[3 * at + 1]].map(|digit| char::from(digit).to_digit(16));
        *octet = u8::try_from(high? << 4 | low?).ok()?;
        if at < 5 && !matches!(text[3 * at + 2], b':' | b'-') {
            return None;
        }
    }
    Some(Address::new(octets))
}

/// A signal in dBm as text. Boxes write what their radio says: what is above 0 is no signal.
fn parse_rssi(text: &[u8]) -> Option<i8> {
    std::str::from_utf8(text).ok()?.trim().parse().ok().filter(|dbm: &i8| *dbm <= 0)
}

/// Drops the blanks at both ends.
fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_spelling_that_boxes_use() {
        let expected = Some([0x28, 1, 0, 0, 0x40, 0x4a]);
        for text in ["28:01:00:00:40:4A", "28:01:00:00:40:4a", "28-01-00-00-40-4A"] {
            assert_eq!(parse_address(text.as_bytes()).map(Address::octets), expected, "{text}");
        }
        for text in
            ["", "28:01:00:00:40", "28:01:00:00:40:4G", "28:01:00:00:40:4A:", "280100:00:40:4A11", "+1:01:00:00:40:4A"]
        {
            assert!(parse_address(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_signal_is_a_number_that_can_be_one() {
        assert_eq!(parse_rssi(b"-75"), Some(-75));
        assert_eq!(parse_rssi(b" -1 "), Some(-1));
        for text in ["", "7", "-129", "-7.5", "x"] {
            assert_eq!(parse_rssi(text.as_bytes()), None, "{text}");
        }
    }
}
