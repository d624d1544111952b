//! DataSky DS-006: a list of whom the box heard, as JSON or as a form field that holds it (the vendor's push document).
//!
//! All numbers are texts. Values are kept as the raw pieces of the body that they are: a decoder that unescaped them
//! would leave copies of network names in memory.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::limits::ENTRIES;
use super::{parse_address, parse_rssi, trimmed};
use crate::wire::dot11::Address;

/// A pushed list, borrowed from its body.
#[derive(Deserialize)]
pub struct Push<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    mmac: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Vec<Entry<'a>>,
}

/// One device of a list.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    mac: Option<&'a RawValue>,
    #[serde(borrow)]
    rssi: Option<&'a RawValue>,
    #[serde(borrow)]
    rssi1: Option<&'a RawValue>,
    #[serde(borrow)]
    rssi2: Option<&'a RawValue>,
    #[serde(borrow)]
    rssi3: Option<&'a RawValue>,
    #[serde(borrow)]
    rssi4: Option<&'a RawValue>,
    #[serde(borrow)]
    rssi5: Option<&'a RawValue>,
    #[serde(borrow)]
    router: Option<&'a RawValue>,
    #[serde(borrow)]
    tmc: Option<&'a RawValue>,
}

/// Somebody whom the box heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who sent.
    pub source: Address,
    /// The access point that the sender is connected to, or was.
    pub peer: Option<Address>,
    /// The sender is an access point itself.
    pub is_access_point: bool,
    /// The strongest of its signals, dBm.
    pub rssi_dbm: i8,
}

/// Why a body is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPush {
    /// It is not the JSON that is expected, or a form without it.
    #[error("the body is no list of a probe box")]
    Form,
    /// More entries than any box sends.
    #[error("the list has more than {ENTRIES} entries")]
    TooMany,
}

/// Names and addresses stay inside.
impl std::fmt::Debug for Push<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Push({} entries)", self.data.len())
    }
}

/// Reads a body in whichever form it has. A form field is decoded in its place, so that no copy is left.
pub fn parse_push(body: &mut [u8]) -> Result<Push<'_>, NoPush> {
    let json = match body.strip_prefix(b"data=") {
        Some(_) => {
            let length = decode_field(&mut body[5..])?;
            &body[5..5 + length]
        }
        None => &*body,
    };
    // What stands behind the list is left alone: the vendor's own sample ends with a stray `}/`.
    let mut reader = serde_json::Deserializer::from_slice(json);
    let push = Push::deserialize(&mut reader).map_err(|_| NoPush::Form)?;
    if push.data.len() > ENTRIES { Err(NoPush::TooMany) } else { Ok(push) }
}

/// Undoes `application/x-www-form-urlencoded` up to the next field, in place; how long it is then. What is left over
/// behind it is overwritten.
fn decode_field(field: &mut [u8]) -> Result<usize, NoPush> {
    let (mut from, mut to) = (0, 0);
    while from < field.len() && field[from] != b'&' {
        let byte = match field[from] {
            b'+' => b' ',
            b'%' => {
                let digit = |at: usize| char::from(*field.get(at)?).to_digit(16);
                let (high, low) = (digit(from + 1).ok_or(NoPush::Form)?, digit(from + 2).ok_or(NoPush::Form)?);
                from += 2;
                u8::try_from(high << 4 | low).map_err(|_| NoPush::Form)?
            }
            byte => byte,
        };
        field[to] = byte;
        (from, to) = (from + 1, to + 1);
    }
    field[to..].fill(0);
    Ok(to)
}

/// A value's text: what stands between its quotes, or a bare number. With an escape in it it is not what it should be.
fn text(value: Option<&RawValue>) -> Option<&[u8]> {
    let raw = value?.get().as_bytes();
    let text = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(raw);
    Some(trimmed(text)).filter(|text| !text.is_empty() && *text != b"null" && !text.contains(&b'\\'))
}

/// Whether a value says anything at all, escapes or not.
fn is_said(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| !matches!(value.get(), "\"\"" | "null"))
}

impl Push<'_> {
    /// The name that the box gives itself.
    pub fn id(&self) -> Option<&[u8]> {
        text(self.id)
    }

    /// The box's own address.
    pub fn own_address(&self) -> Option<Address> {
        text(self.mmac).and_then(parse_address)
    }

    /// Whom it heard; `None` for an entry that cannot be read.
    pub fn heard(&self) -> impl Iterator<Item = Option<Heard>> {
        self.data.iter().map(Entry::heard)
    }
}

impl Entry<'_> {
    fn heard(&self) -> Option<Heard> {
        let signals = [self.rssi, self.rssi1, self.rssi2, self.rssi3, self.rssi4, self.rssi5];
        Some(Heard {
            source: text(self.mac).and_then(parse_address).filter(|source| !source.is_group())?,
            peer: text(self.tmc).and_then(parse_address),
            is_access_point: is_said(self.router),
            rssi_dbm: signals.into_iter().filter_map(|signal| parse_rssi(text(signal)?)).max()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vendor's sample, its names replaced; it does end so.
    const SAMPLE: &str = r#"{"id":"00f40f9a","mmac":"14:6b:9c:f4:0f:9a","rate":"2","time":"Wed Jan 15 02:26:28 2020",
        "lat":"","lon":"","data":[
        {"mac":"10:9f:4f:69:75:bf","rssi":"-76","rssi1":"-75","router":"\u5317 caf\"e","range":"25.5"},
        {"mac":"86:73:6a:87:2c:de","rssi":"-79","rssi1":"-77","ts":"ZP","tmc":"f4:2a:7d:f1:4e:59",
         "tc":"Y","ds":"Y","range":"33.0"},
        {"mac":"28:6c:07:71:eb:5f","rssi":"-85","rssi1":"-88","essid0":"GZ300ZJ","range":"55.0"}]}}/"#;

    fn sample() -> String {
        SAMPLE.replace("caf\"e", "caf\\\"e")
    }

    fn heard(body: &str) -> Vec<Option<Heard>> {
        parse_push(&mut body.as_bytes().to_vec()).unwrap().heard().collect()
    }

    #[test]
    fn the_vendors_sample_is_read() {
        let mut body = sample().into_bytes();
        let push = parse_push(&mut body).unwrap();
        assert_eq!(push.id(), Some(b"00f40f9a".as_slice()));
        assert_eq!(push.own_address().map(Address::octets), Some([0x14, 0x6b, 0x9c, 0xf4, 0x0f, 0x9a]));
        let heard: Vec<_> = push.heard().map(Option::unwrap).collect();
        let seen: Vec<_> = heard.iter().map(|h| (h.rssi_dbm, h.is_access_point, h.peer.is_some())).collect();
        assert_eq!(seen, [(-75, true, false), (-77, false, true), (-85, false, false)]);
        assert_eq!(heard[2].source.octets(), [0x28, 0x6c, 0x07, 0x71, 0xeb, 0x5f]);
    }

    #[test]
    fn a_form_field_is_the_same_list_and_is_decoded_in_its_place() {
        let encoded: String = sample()
            .bytes()
            .map(|byte| match byte {
                b' ' => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let mut body = format!("data={encoded}&more=1").into_bytes();
        let expected = heard(&sample());
        assert_eq!(parse_push(&mut body).unwrap().heard().collect::<Vec<_>>(), expected);
        assert!(body.ends_with(&[0; 64]), "no piece of the encoded text is left behind the decoded one");
    }

    #[test]
    fn numbers_may_be_numbers_and_bad_entries_spoil_only_themselves() {
        let body = r#"{"id":1,"data":[{"mac":"28:6c:07:71:eb:5f","rssi":-60},{"mac":"28:6c:07:71:eb","rssi":"-60"},
            {"mac":"28:6c:07:71:eb:5f"},{"mac":"29:6c:07:71:eb:5f","rssi":"-1"},{"rssi":"-1"},{}]}"#;
        let read = heard(body);
        assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, false, false, false]);
        assert_eq!(parse_push(&mut body.as_bytes().to_vec()).unwrap().id(), Some(b"1".as_slice()));
        let empty_name = r#"{"data":[{"mac":"28:6c:07:71:eb:5f","rssi":"-60","router":""}]}"#;
        assert_eq!(heard(empty_name)[0].map(|heard| heard.is_access_point), Some(false));
    }

    #[test]
    fn what_is_no_list_is_refused_and_every_truncation_too() {
        for body in ["", "data=", "data=%7", "data=%zz", "[]", "7", "{\"data\":7}", "{\"data\":[7]}"] {
            assert_eq!(parse_push(&mut body.as_bytes().to_vec()).err(), Some(NoPush::Form), "{body}");
        }
        let whole = sample();
        let end = whole.rfind("]}").unwrap() + 1;
        for length in 0..end {
            assert!(parse_push(&mut whole.as_bytes()[..length].to_vec()).is_err(), "at {length}");
        }
        let many = format!("{{\"data\":[{}{{}}]}}", "{},".repeat(ENTRIES));
        assert_eq!(parse_push(&mut many.into_bytes()).err(), Some(NoPush::TooMany));
    }

    #[test]
    fn names_and_addresses_are_not_shown() {
        let mut body = sample().into_bytes();
        assert_eq!(format!("{:?}", parse_push(&mut body).unwrap()), "Push(3 entries)");
    }
}
