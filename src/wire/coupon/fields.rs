//! The members of a header or of the claims, out of JSON or CBOR, and the claims they make.
//!
//! A name that stands twice is refused, known or not: two readers may disagree about which one counts. A name that is
//! not known is ignored (RFC 7519, section 4; RFC 8392, section 3): an issuer may know more than this gateway.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::limits;
use crate::types::{CouponClaims, CouponId, CouponKind, CouponValue, IssuerId, KeyId, Timestamp};

/// A member's value, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    /// A whole number.
    Whole(i64),
    /// A text.
    Text(String),
    /// An array of texts.
    Texts(Vec<String>),
    /// Anything else.
    Other(IgnoredAny),
}

/// Members by name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields(BTreeMap<String, Item>);

impl Fields {
    /// Reads a JSON object.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Adds a member; `None`: its name is there already, or there are too many.
    pub(super) fn add(&mut self, name: String, item: Item) -> Option<()> {
        let is_full = self.0.len() >= limits::MEMBERS;
        match self.0.entry(name) {
            Entry::Vacant(place) if !is_full => {
                place.insert(item);
                Some(())
            }
            _ => None,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A member that is a text; `Some(None)`: it is not there.
    pub(super) fn text(&self, name: &str) -> Option<Option<&str>> {
        match self.0.get(name) {
            None => Some(None),
            Some(Item::Text(text)) => Some(Some(text)),
            Some(_) => None,
        }
    }

    /// A member that is a whole number.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Item::Whole(number) => Some(*number),
            _ => None,
        }
    }

    /// The claims, with the key that the header names, if it does. `None`: one is missing, or is not what it must be,
    /// or the claims name another key than the header.
    pub(super) fn claims(&self, header_key: Option<&str>) -> Option<CouponClaims> {
        let own = self.text("kid")?;
        let key = header_key.or(own)?;
        if own.is_some_and(|own| own != key) {
            return None;
        }
        Some(CouponClaims {
            issuer: IssuerId::new(self.text("iss")??).ok()?,
            key: KeyId::new(key).ok()?,
            id: CouponId::new(self.text("jti")??).ok()?,
            audience: self.audience()?,
            not_before: self.second("nbf")?,
            expires: self.second("exp")?,
            kind: CouponKind::parse(self.text("kind")??)?,
            value: self.value()?,
        })
    }

    /// One text or several (RFC 7519, section 4.1.3).
    fn audience(&self) -> Option<Vec<String>> {
        let words = match self.0.get("aud")? {
            Item::Text(word) => vec![word.clone()],
            Item::Texts(words) => words.clone(),
            _ => return None,
        };
        let fits = |word: &String| (1..=limits::AUDIENCE_BYTES).contains(&word.len());
        ((1..=limits::AUDIENCE).contains(&words.len()) && words.iter().all(fits)).then_some(words)
    }

    /// Whole seconds since 1970 (a NumericDate without a fraction).
    fn second(&self, name: &str) -> Option<Timestamp> {
        let second = self.whole(name).filter(|second| (0..=limits::LAST_SECOND).contains(second))?;
        Some(Timestamp::from_unix_ms(second * 1000))
    }

    fn value(&self) -> Option<CouponValue> {
        match self.0.get("value")? {
            Item::Whole(amount) => CouponValue::minor(u64::try_from(*amount).ok()?),
            Item::Text(text) => CouponValue::text(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with names of its own")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some((name, item)) = map.next_entry()? {
            let added = fields.add(name, item);
            added.ok_or_else(|| serde::de::Error::custom("a name stands twice, or there are too many"))?;
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_and_unknown_members_are_ignored() {
        let json = br#"{"iss":"brand","n":-7,"aud":["a","b"],"f":1.5,"big":18446744073709551615,"o":{"iss":[null]}}"#;
        let fields = Fields::from_json(json).unwrap();
        assert_eq!(fields.text("iss"), Some(Some("brand")));
        assert_eq!(fields.text("jti"), Some(None));
        assert_eq!(fields.text("n"), None);
        assert_eq!(fields.0["n"], Item::Whole(-7));
        assert_eq!(fields.0["aud"], Item::Texts(vec!["a".into(), "b".into()]));
        for other in ["f", "big", "o"] {
            assert!(matches!(fields.0[other], Item::Other(_)), "{other}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_written() {
        for json in [
            r#"{"iss":"a","iss":"a"}"#,
            r#"{"iss":"a","\u0069ss":"b"}"#,
            r#"{"unknown":1,"unknown":1}"#,
            r#"["iss"]"#,
            r#"{"iss":"a"} {}"#,
            r#"{"iss":"a",}"#,
            "\u{feff}{}",
            "",
        ] {
            assert_eq!(Fields::from_json(json.as_bytes()), None, "{json}");
        }
        let many = |count: usize| {
            let members: Vec<_> = (0..count).map(|at| format!("\"{at}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert!(Fields::from_json(many(32).as_bytes()).is_some());
        assert_eq!(Fields::from_json(many(33).as_bytes()), None);
    }
}
