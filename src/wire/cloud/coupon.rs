//! Coupons and the keys that sign them, field by field.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::types::{
    CouponClaims, CouponKeys, CouponKind, CouponRefusal, CouponValue, EventId, IssuerId, IssuerKey, KeyId, Timestamp,
};
use crate::wire::coupon::{base64url_decode, base64url_encode};

/// Arguments of `coupon.keys`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CouponKeysArgs {
    /// Whose keys they are: `iss` of the coupons.
    #[schemars(extend("pattern" = "^[!-~]{1,48}$"))]
    issuer: String,
    /// The keys.
    #[schemars(length(min = 1, max = CouponKeys::LIMIT))]
    keys: Vec<CouponKeyV1>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CouponKeyV1 {
    /// Its name: `kid` of the coupons. A key of the same name takes the place of the one before.
    #[schemars(extend("pattern" = "^[!-~]{1,64}$"))]
    kid: String,
    /// The Ed25519 public key, 32 bytes in Base64url without padding: `x` of a JWK (RFC 8037).
    #[schemars(extend("pattern" = "^[A-Za-z0-9_-]{43}$"))]
    ed25519: String,
    /// From when coupons signed with it are accepted.
    #[schemars(extend("format" = "date-time"))]
    from: String,
    /// Until before when.
    #[schemars(extend("format" = "date-time"))]
    until: String,
}

impl From<&CouponKeys> for CouponKeysArgs {
    fn from(of: &CouponKeys) -> Self {
        let keys = of.keys.iter().map(|key| CouponKeyV1 {
            kid: key.id.to_string(),
            ed25519: base64url_encode(&key.ed25519),
            from: key.from.to_string(),
            until: key.until.to_string(),
        });
        Self { issuer: of.issuer.to_string(), keys: keys.collect() }
    }
}

impl CouponKeysArgs {
    pub(super) fn keys(self) -> Result<CouponKeys, serde_json::Error> {
        let issuer = IssuerId::new(&self.issuer).map_err(|error| wrong(format!("issuer {error}")))?;
        if !(1..=CouponKeys::LIMIT).contains(&self.keys.len()) {
            return Err(wrong(format!("{} keys, 1 to {} can be sent", self.keys.len(), CouponKeys::LIMIT)));
        }
        let mut keys: Vec<IssuerKey> = Vec::with_capacity(self.keys.len());
        for key in self.keys {
            let key = key.read()?;
            if keys.iter().any(|earlier| earlier.id == key.id) {
                return Err(wrong(format!("two keys named {}", key.id)));
            }
            keys.push(key);
        }
        Ok(CouponKeys { issuer, keys })
    }
}

impl CouponKeyV1 {
    fn read(self) -> Result<IssuerKey, serde_json::Error> {
        let id = KeyId::new(&self.kid).map_err(|error| wrong(format!("kid {error}")))?;
        let bytes = base64url_decode(&self.ed25519).and_then(|bytes| bytes.try_into().ok());
        let ed25519 = bytes.ok_or_else(|| wrong(format!("ed25519 of {id} is not 32 bytes in base64url")))?;
        let time = |text: &str| text.parse::<Timestamp>().map_err(|error| wrong(error.to_string()));
        let (from, until) = (time(&self.from)?, time(&self.until)?);
        if until <= from {
            Err(wrong(format!("{id} ends before it begins")))
        } else {
            Ok(IssuerKey { id, ed25519, from, until })
        }
    }
}

fn wrong(what: String) -> serde_json::Error {
    serde_json::Error::custom(what)
}

/// Reads the arguments of `coupon.keys`, as a tool that plays a gateway does.
///
/// # Errors
/// What is wrong with them, in words.
pub fn parse_coupon_keys(json: &[u8]) -> Result<CouponKeys, serde_json::Error> {
    serde_json::from_slice::<CouponKeysArgs>(json)?.keys()
}

/// The arguments of `coupon.keys` as JSON.
pub fn coupon_keys_json(keys: &CouponKeys) -> String {
    serde_json::to_string_pretty(&CouponKeysArgs::from(keys)).unwrap_or_default()
}

/// What a coupon is worth: minor units of the store's currency, or the issuer's own word.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ValueV1<'a> {
    Minor(u64),
    Text(&'a str),
}

impl<'a> From<&'a CouponValue> for ValueV1<'a> {
    fn from(value: &'a CouponValue) -> Self {
        match value {
            CouponValue::Minor(amount) => Self::Minor(*amount),
            CouponValue::Text(text) => Self::Text(text),
        }
    }
}

/// `coupon.redeemed.v1`: a coupon was redeemed. It happens once for each `iss` and `jti` on one gateway.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CouponRedeemedV1<'a> {
    /// The station where it was shown.
    station: &'a str,
    /// Who signed it.
    iss: &'a str,
    /// With which key.
    kid: &'a str,
    /// Which coupon it is.
    jti: &'a str,
    /// Where it could be redeemed.
    aud: &'a [String],
    /// Until before when.
    #[schemars(extend("format" = "date-time"))]
    expires: String,
    /// What it is for.
    #[schemars(extend("enum" = CouponKind::ALL.map(CouponKind::as_str)))]
    kind: &'static str,
    /// What it is worth.
    value: ValueV1<'a>,
}

impl<'a> CouponRedeemedV1<'a> {
    pub(super) fn of(station: &'a str, claims: &'a CouponClaims) -> Self {
        Self {
            station,
            iss: claims.issuer.as_str(),
            kid: claims.key.as_str(),
            jti: claims.id.as_str(),
            aud: &claims.audience,
            expires: claims.expires.to_string(),
            kind: claims.kind.as_str(),
            value: (&claims.value).into(),
        }
    }
}

/// `coupon.refused.v1`: a coupon was not redeemed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CouponRefusedV1<'a> {
    /// The station where it was shown.
    station: &'a str,
    /// Why.
    #[schemars(extend("enum" = CouponRefusal::ALL.map(CouponRefusal::as_str)))]
    reason: &'static str,
    /// Who signed it. This and what follows is there only when its signature is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    /// With which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    /// Which coupon it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = CouponKind::ALL.map(CouponKind::as_str)))]
    kind: Option<&'static str>,
    /// What it is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<ValueV1<'a>>,
    /// `used`: the event by which it was redeemed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    redeemed: Option<String>,
}

impl<'a> CouponRefusedV1<'a> {
    pub(super) fn of(
        station: &'a str,
        reason: CouponRefusal,
        claims: Option<&'a CouponClaims>,
        redeemed: Option<EventId>,
    ) -> Self {
        Self {
            station,
            reason: reason.as_str(),
            iss: claims.map(|claims| claims.issuer.as_str()),
            kid: claims.map(|claims| claims.key.as_str()),
            jti: claims.map(|claims| claims.id.as_str()),
            kind: claims.map(|claims| claims.kind.as_str()),
            value: claims.map(|claims| (&claims.value).into()),
            redeemed: redeemed.map(|event| event.to_string()),
        }
    }
}
