//! The stored form of coupons and of the keys that sign them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::types::{
    CouponClaims, CouponId, CouponKeys, CouponKind, CouponRefusal, CouponValue, EventId, IssuerId, IssuerKey, KeyId,
    Redemption, StationId, Timestamp, Verdict,
};

#[derive(Serialize, Deserialize)]
pub(super) struct CouponForm {
    s: String,
    /// Why it was refused; without it, it was redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<ClaimsForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
}

impl From<&Redemption> for CouponForm {
    fn from(of: &Redemption) -> Self {
        let s = of.station.to_string();
        match &of.verdict {
            Verdict::Redeemed(claims) => Self { s, r: None, c: Some((&**claims).into()), f: None },
            Verdict::Refused { reason, claims, redeemed } => Self {
                s,
                r: Some(reason.as_str().to_owned()),
                c: claims.as_deref().map(Into::into),
                f: redeemed.map(|event| event.to_string()),
            },
        }
    }
}

impl CouponForm {
    pub(super) fn read(self) -> Option<Redemption> {
        let claims = match self.c {
            None => None,
            Some(claims) => Some(Box::new(claims.read()?)),
        };
        let redeemed = match self.f {
            None => None,
            Some(event) => Some(EventId(Uuid::parse_str(&event).ok()?)),
        };
        let verdict = match self.r {
            None => Verdict::Redeemed(claims?),
            Some(reason) => Verdict::Refused { reason: CouponRefusal::parse(&reason)?, claims, redeemed },
        };
        Some(Redemption { station: StationId::new(&self.s).ok()?, verdict })
    }
}

#[derive(Serialize, Deserialize)]
struct ClaimsForm {
    i: String,
    k: String,
    j: String,
    a: Vec<String>,
    n: i64,
    e: i64,
    t: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<String>,
}

impl From<&CouponClaims> for ClaimsForm {
    fn from(claims: &CouponClaims) -> Self {
        let (m, v) = match &claims.value {
            CouponValue::Minor(amount) => (Some(*amount), None),
            CouponValue::Text(text) => (None, Some(text.clone())),
        };
        Self {
            i: claims.issuer.to_string(),
            k: claims.key.to_string(),
            j: claims.id.to_string(),
            a: claims.audience.clone(),
            n: claims.not_before.unix_ms(),
            e: claims.expires.unix_ms(),
            t: claims.kind.as_str().to_owned(),
            m,
            v,
        }
    }
}

impl ClaimsForm {
    fn read(self) -> Option<CouponClaims> {
        Some(CouponClaims {
            issuer: IssuerId::new(&self.i).ok()?,
            key: KeyId::new(&self.k).ok()?,
            id: CouponId::new(&self.j).ok()?,
            audience: self.a,
            not_before: Timestamp::from_unix_ms(self.n),
            expires: Timestamp::from_unix_ms(self.e),
            kind: CouponKind::parse(&self.t)?,
            value: match (self.m, self.v) {
                (Some(amount), None) => CouponValue::minor(amount)?,
                (None, Some(text)) => CouponValue::text(&text)?,
                _ => return None,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct KeysForm {
    issuer: String,
    keys: Vec<KeyForm>,
}

#[derive(Serialize, Deserialize)]
struct KeyForm {
    kid: String,
    ed25519: [u8; 32],
    from_ms: i64,
    until_ms: i64,
}

impl From<&CouponKeys> for KeysForm {
    fn from(of: &CouponKeys) -> Self {
        let keys = of.keys.iter().map(|key| KeyForm {
            kid: key.id.to_string(),
            ed25519: key.ed25519,
            from_ms: key.from.unix_ms(),
            until_ms: key.until.unix_ms(),
        });
        Self { issuer: of.issuer.to_string(), keys: keys.collect() }
    }
}

impl KeysForm {
    pub(super) fn read(self) -> Option<CouponKeys> {
        let keys = self.keys.into_iter().map(|key| {
            Some(IssuerKey {
                id: KeyId::new(&key.kid).ok()?,
                ed25519: key.ed25519,
                from: Timestamp::from_unix_ms(key.from_ms),
                until: Timestamp::from_unix_ms(key.until_ms),
            })
        });
        Some(CouponKeys { issuer: IssuerId::new(&self.issuer).ok()?, keys: keys.collect::<Option<_>>()? })
    }
}
