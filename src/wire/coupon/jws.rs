//! A coupon as a JWS in compact form (RFC 7515) with EdDSA (RFC 8037): `header.claims.signature`.

use serde::Serialize;

use super::base64url;
use super::fields::Fields;
use super::limits::SIGNATURE_BYTES;
use super::token::Token;
use crate::types::{CouponClaims, CouponRefusal, CouponValue};

/// The three parts of a JWS in compact form.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    /// What is signed: the first two parts as they stand.
    pub(super) signed: Vec<u8>,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl Parts {
    /// Splits and decodes, strictly.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self {
            header: base64url::decode(header)?,
            payload: base64url::decode(payload)?,
            signed: signed.as_bytes().to_vec(),
            signature: base64url::decode(signature)?.try_into().ok()?,
        })
    }
}

/// Reads a coupon; its signature is still to be verified.
pub(super) fn parse(text: &str) -> Result<Token, CouponRefusal> {
    let malformed = CouponRefusal::Malformed;
    let parts = Parts::of(text).ok_or(malformed)?;
    let header = Fields::from_json(&parts.header).ok_or(malformed)?;
    // What must be understood is not (RFC 7515, section 4.1.11); `b64` would change what is signed (RFC 7797).
    if header.has("crit") || header.has("b64") {
        return Err(malformed);
    }
    if header.text("alg").flatten().ok_or(malformed)? != "EdDSA" {
        return Err(CouponRefusal::Forged);
    }
    let claims = Fields::from_json(&parts.payload).ok_or(malformed)?;
    let claims = claims.claims(header.text("kid").ok_or(malformed)?).ok_or(malformed)?;
    Ok(Token { claims, signed: parts.signed, signature: parts.signature })
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    jti: &'a str,
    aud: Audience<'a>,
    nbf: i64,
    exp: i64,
    kind: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Minor(u64),
    Text(&'a str),
}

/// Writes a coupon. `sign` gives the Ed25519 signature of what it is given.
pub fn issue_jws(claims: &CouponClaims, sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES]) -> String {
    let header = Header { alg: "EdDSA", kid: claims.key.as_str() };
    let payload = Payload {
        iss: claims.issuer.as_str(),
        jti: claims.id.as_str(),
        aud: match claims.audience.as_slice() {
            [one] => Audience::One(one),
            several => Audience::Several(several),
        },
        nbf: claims.not_before.unix_ms().div_euclid(1000),
        exp: claims.expires.unix_ms().div_euclid(1000),
        kind: claims.kind.as_str(),
        value: match &claims.value {
            CouponValue::Minor(amount) => Value::Minor(*amount),
            CouponValue::Text(text) => Value::Text(text),
        },
    };
    let signed = format!("{}.{}", part(&header), part(&payload));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(&signature))
}

fn part(of: &impl Serialize) -> String {
    // Plain structs of texts and numbers have no failing case; an empty part would be refused by every reader.
    base64url::encode(&serde_json::to_vec(of).unwrap_or_default())
}
