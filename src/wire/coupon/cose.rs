//! A coupon as `SC1:` and the Base45 of a COSE_Sign1 (RFC 9052) with EdDSA (RFC 9053), its claims a CWT (RFC 8392).
//!
//! One text for one coupon: the tag 18 is there, everything is in its shortest form, the algorithm and the key are in
//! the protected header and the unprotected one is empty, because nobody signs what stands there.
//!
//! | claim | label | form |
//! |---|---|---|
//! | `iss` | 1 | text |
//! | `aud` | 3 | text, or array of texts |
//! | `exp` | 4 | whole seconds since 1970 |
//! | `nbf` | 5 | whole seconds since 1970 |
//! | `jti` | 7 (`cti`) | byte string that holds the text |
//! | `kind` | −65537 | text |
//! | `value` | −65538 | whole number or text |
//!
//! No compression: the same eight claims had 250 characters without zlib and 259 with it.

use serde::de::IgnoredAny;

use super::base45;
use super::cbor::{ARRAY, BYTES, MAP, NEGATIVE, Reader, TAG, TEXT, UNSIGNED, Writer};
use super::fields::{Fields, Item};
use super::limits::{self, SIGNATURE_BYTES};
use super::token::Token;
use crate::types::{CouponClaims, CouponRefusal, CouponValue};

/// What stands in front of the Base45: "smartstore coupon, first form".
pub const PREFIX: &str = "SC1:";

/// The tag of a COSE_Sign1 (RFC 9052, section 4.2).
const SIGN1: u64 = 18;
/// Header labels (RFC 9052, section 3.1).
const HEADER: [(i64, &str); 3] = [(1, "alg"), (2, "crit"), (4, "kid")];
/// EdDSA (RFC 9053, section 2.2).
const EDDSA: i64 = -8;
/// Claim labels: the registered ones of RFC 8392, and two from the range for private use.
const CLAIMS: [(i64, &str); 7] =
    [(1, "iss"), (3, "aud"), (4, "exp"), (5, "nbf"), (7, "jti"), (-65_537, "kind"), (-65_538, "value")];

/// The four parts of a COSE_Sign1.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) protected: &'a [u8],
    /// The unprotected header as it stands.
    pub(super) unprotected: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl<'a> Parts<'a> {
    /// Takes apart, strictly.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let is_sign1 = reader.expect(TAG)? == SIGN1 && reader.expect(ARRAY)? == 4;
        let protected = reader.bytes().filter(|_| is_sign1)?;
        let unprotected = reader.one().filter(|item| Reader::new(item).peek() == Some(MAP))?;
        let (payload, signature) = (reader.bytes()?, reader.bytes()?);
        reader.is_at_end().then_some(())?;
        Some(Self { protected, unprotected, payload, signature: signature.try_into().ok()? })
    }

    /// What is signed (RFC 9052, section 4.4), without external data.
    pub(super) fn signed(&self) -> Vec<u8> {
        signed(self.protected, self.payload)
    }
}

fn signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut structure = Writer::default();
    structure.head(ARRAY, 4);
    structure.text("Signature1");
    structure.bytes(protected);
    structure.bytes(&[]);
    structure.bytes(payload);
    structure.0
}

/// Reads a coupon, without its prefix; its signature is still to be verified.
pub(super) fn parse(text: &str) -> Result<Token, CouponRefusal> {
    let malformed = CouponRefusal::Malformed;
    let bytes = base45::decode(text).ok_or(malformed)?;
    let parts = Parts::of(&bytes).ok_or(malformed)?;
    let header = fields(parts.protected, &HEADER).ok_or(malformed)?;
    if parts.unprotected != [MAP << 5] || header.has("crit") {
        return Err(malformed);
    }
    if header.whole("alg").ok_or(malformed)? != EDDSA {
        return Err(CouponRefusal::Forged);
    }
    let claims = claims_of(parts.payload).ok_or(malformed)?;
    let claims = claims.claims(header.text("kid").ok_or(malformed)?).ok_or(malformed)?;
    Ok(Token { claims, signed: parts.signed(), signature: parts.signature })
}

pub(super) fn claims_of(payload: &[u8]) -> Option<Fields> {
    fields(payload, &CLAIMS)
}

/// A map's members under the names of their labels.
fn fields(bytes: &[u8], names: &[(i64, &str)]) -> Option<Fields> {
    let mut reader = Reader::new(bytes);
    let mut fields = Fields::default();
    for _ in 0..reader.expect(MAP)? {
        let name = match reader.peek()? {
            UNSIGNED | NEGATIVE => {
                let label = reader.whole()?;
                let known = names.iter().find(|(known, _)| *known == label);
                known.map_or_else(|| label.to_string(), |(_, name)| (*name).to_owned())
            }
            // The quotation mark keeps a text apart from the name of a number.
            _ => format!("\"{}", reader.text()?),
        };
        let item = item(&mut reader, &name)?;
        fields.add(name, item)?;
    }
    reader.is_at_end().then_some(fields)
}

fn item(reader: &mut Reader<'_>, name: &str) -> Option<Item> {
    let other = Item::Other(IgnoredAny);
    Some(match (name, reader.peek()?) {
        // Both are byte strings, and texts in a JWS.
        ("kid" | "jti", BYTES) => String::from_utf8(reader.bytes()?.to_vec()).map_or(other, Item::Text),
        (_, TEXT) if !matches!(name, "kid" | "jti") => Item::Text(reader.text()?.to_owned()),
        (_, UNSIGNED | NEGATIVE) => Item::Whole(reader.whole()?),
        (_, ARRAY) => texts(reader)?,
        _ => {
            reader.skip()?;
            other
        }
    })
}

fn texts(reader: &mut Reader<'_>) -> Option<Item> {
    let mut ahead = reader.clone();
    let mut texts = Vec::new();
    for _ in 0..ahead.expect(ARRAY)? {
        let Some(text) = ahead.text().filter(|_| texts.len() < limits::AUDIENCE) else {
            reader.skip()?;
            return Some(Item::Other(IgnoredAny));
        };
        texts.push(text.to_owned());
    }
    *reader = ahead;
    Some(Item::Texts(texts))
}

/// Writes a coupon. `sign` gives the Ed25519 signature of what it is given.
pub fn issue_cose(claims: &CouponClaims, sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES]) -> String {
    let mut header = Writer::default();
    header.head(MAP, 2);
    header.whole(1);
    header.whole(EDDSA);
    header.whole(4);
    header.bytes(claims.key.as_str().as_bytes());
    let payload = payload(claims);
    let signature = sign(&signed(&header.0, &payload));

    let mut whole = Writer::default();
    whole.head(TAG, SIGN1);
    whole.head(ARRAY, 4);
    whole.bytes(&header.0);
    whole.head(MAP, 0);
    whole.bytes(&payload);
    whole.bytes(&signature);
    format!("{PREFIX}{}", base45::encode(&whole.0))
}

fn payload(claims: &CouponClaims) -> Vec<u8> {
    let mut map = Writer::default();
    map.head(MAP, CLAIMS.len() as u64);
    for (label, name) in CLAIMS {
        map.whole(label);
        match name {
            "iss" => map.text(claims.issuer.as_str()),
            "aud" => audience(&mut map, &claims.audience),
            "exp" => map.whole(claims.expires.unix_ms().div_euclid(1000)),
            "nbf" => map.whole(claims.not_before.unix_ms().div_euclid(1000)),
            "jti" => map.bytes(claims.id.as_str().as_bytes()),
            "kind" => map.text(claims.kind.as_str()),
            _ => match &claims.value {
                CouponValue::Minor(amount) => map.head(UNSIGNED, *amount),
                CouponValue::Text(text) => map.text(text),
            },
        }
    }
    map.0
}

fn audience(map: &mut Writer, words: &[String]) {
    if words.len() != 1 {
        map.head(ARRAY, words.len() as u64);
    }
    words.iter().for_each(|word| map.text(word));
}
