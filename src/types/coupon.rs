//! Coupons and pick-up codes that are verified without a network: what they claim, by whom they are signed, and why one
//! is refused.

use std::collections::BTreeMap;
use std::fmt;

use super::{CouponId, EventId, GatewayId, IssuerId, KeyId, StationId, StoreId, Timestamp};

/// What a coupon is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CouponKind {
    /// Worth something: money off, or a thing.
    Coupon,
    /// Stands for an order that waits to be picked up.
    Pickup,
}

impl CouponKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Coupon, Self::Pickup];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coupon => "coupon",
            Self::Pickup => "pickup",
        }
    }

    /// The kind the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What a coupon is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CouponValue {
    /// Money, in minor units of the store's currency.
    Minor(u64),
    /// What the issuer calls it: an offer, a product, an order. 1 to [`CouponValue::TEXT_BYTES`] bytes, no control
    /// characters.
    Text(String),
}

impl CouponValue {
    /// Longest text, in bytes.
    pub const TEXT_BYTES: usize = 128;
    /// Most minor units: what every JSON reader counts exactly (2⁵³ − 1, RFC 8259, section 6).
    pub const MINOR_MAX: u64 = (1 << 53) - 1;

    /// A text, checked.
    pub fn text(text: &str) -> Option<Self> {
        let fits = (1..=Self::TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| Self::Text(text.to_owned()))
    }

    /// An amount, checked.
    pub fn minor(amount: u64) -> Option<Self> {
        (amount <= Self::MINOR_MAX).then_some(Self::Minor(amount))
    }
}

impl fmt::Display for CouponValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(amount) => amount.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a signed coupon says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponClaims {
    /// Who signed it (`iss`).
    pub issuer: IssuerId,
    /// With which of the issuer's keys (`kid`).
    pub key: KeyId,
    /// Which one it is, unique for its issuer (`jti`).
    pub id: CouponId,
    /// Where it may be redeemed (`aud`): stores, gateways, or `store/gateway`.
    pub audience: Vec<String>,
    /// From when (`nbf`), a whole second.
    pub not_before: Timestamp,
    /// Until before when (`exp`), a whole second.
    pub expires: Timestamp,
    /// What it is for (`kind`).
    pub kind: CouponKind,
    /// What it is worth (`value`).
    pub value: CouponValue,
}

/// Where a coupon is shown, as its audience may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The store.
    pub store: StoreId,
    /// The gateway in it.
    pub gateway: GatewayId,
}

impl Counter {
    /// Whether a word of an audience means this place: the store, the gateway, or `store/gateway`.
    pub fn is_named_by(&self, word: &str) -> bool {
        let (store, gateway) = (self.store.as_str(), self.gateway.as_str());
        word == store || word == gateway || word.split_once('/') == Some((store, gateway))
    }
}

/// What a gateway's clock says when a coupon is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CouponClock {
    /// The wall clock.
    pub now: Timestamp,
    /// Whether it was known to be right.
    pub synced: bool,
    /// Whether this place trusts it all the same when it was not.
    pub unsynced_allowed: bool,
}

/// Why a coupon was refused. The order is that of the checks: the first that fails is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CouponRefusal {
    /// It is not built as a coupon is.
    Malformed,
    /// The issuer or the key is not known here, or the key is not valid now.
    UnknownKey,
    /// The signature is not the issuer's, or not of the one kind that counts.
    Forged,
    /// It is good, and for somewhere else.
    WrongAudience,
    /// Nobody here knows what time it is.
    ClockUnsynced,
    /// It is not valid yet.
    NotYet,
    /// It is not valid any more.
    Expired,
    /// It has been redeemed.
    Used,
}

impl CouponRefusal {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::UnknownKey,
        Self::Forged,
        Self::WrongAudience,
        Self::ClockUnsynced,
        Self::NotYet,
        Self::Expired,
        Self::Used,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown-key",
            Self::Forged => "forged",
            Self::WrongAudience => "wrong-audience",
            Self::ClockUnsynced => "clock-unsynced",
            Self::NotYet => "not-yet",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }

    /// The reason the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for CouponRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a coupon at a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// Where it was shown.
    pub station: StationId,
    /// What became of it.
    pub verdict: Verdict,
}

/// See [`Redemption`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was redeemed, which happens once.
    Redeemed(Box<CouponClaims>),
    /// It was not.
    Refused {
        /// Why.
        reason: CouponRefusal,
        /// What it says, when its signature is good.
        claims: Option<Box<CouponClaims>>,
        /// The event by which it was redeemed, when it was.
        redeemed: Option<EventId>,
    },
}

/// An issuer's public key and when it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    /// Its name, unique for its issuer.
    pub id: KeyId,
    /// The Ed25519 public key (RFC 8032).
    pub ed25519: [u8; 32],
    /// From when coupons signed with it are accepted.
    pub from: Timestamp,
    /// Until before when.
    pub until: Timestamp,
}

/// Keys that an issuer says are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponKeys {
    /// Whose.
    pub issuer: IssuerId,
    /// 1 to [`CouponKeys::LIMIT`], with different names.
    pub keys: Vec<IssuerKey>,
}

impl CouponKeys {
    /// Most keys of one issuer.
    pub const LIMIT: usize = 32;
}

/// The keys a gateway knows, by issuer and name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRing(BTreeMap<IssuerId, BTreeMap<KeyId, IssuerKey>>);

impl KeyRing {
    /// Takes keys in; a key of the same issuer and name gives way.
    pub fn add(&mut self, keys: CouponKeys) {
        let known = self.0.entry(keys.issuer).or_default();
        known.extend(keys.keys.into_iter().map(|key| (key.id.clone(), key)));
    }

    /// The key of this issuer and name.
    pub fn get(&self, issuer: &IssuerId, key: &KeyId) -> Option<&IssuerKey> {
        self.0.get(issuer)?.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_refusals_survive_their_words() {
        for kind in CouponKind::ALL {
            assert_eq!(CouponKind::parse(kind.as_str()), Some(kind));
        }
        for refusal in CouponRefusal::ALL {
            assert_eq!(CouponRefusal::parse(refusal.as_str()), Some(refusal));
        }
        assert_eq!(CouponRefusal::parse("good"), None);
    }

    #[test]
    fn an_audience_names_a_store_a_gateway_or_one_gateway_of_one_store() {
        let here = Counter { store: StoreId::new("hz-1").unwrap(), gateway: GatewayId::new("gw-2").unwrap() };
        for word in ["hz-1", "gw-2", "hz-1/gw-2"] {
            assert!(here.is_named_by(word), "{word}");
        }
        for word in ["", "hz-2", "gw-1", "hz-2/gw-2", "hz-1/gw-1", "gw-2/hz-1", "hz-1/", "/gw-2", "hz-1/gw-2/", "HZ-1"]
        {
            assert!(!here.is_named_by(word), "{word}");
        }
    }

    #[test]
    fn values_are_bounded() {
        assert_eq!(CouponValue::text("sample 7"), Some(CouponValue::Text("sample 7".to_owned())));
        assert_eq!(CouponValue::text(""), None);
        assert_eq!(CouponValue::text("a\nb"), None);
        assert_eq!(CouponValue::text(&"x".repeat(129)), None);
        assert_eq!(CouponValue::minor((1 << 53) - 1), Some(CouponValue::Minor((1 << 53) - 1)));
        assert_eq!(CouponValue::minor(1 << 53), None);
    }

    #[test]
    fn a_key_of_the_same_name_gives_way_and_others_stay() {
        let issuer = IssuerId::new("brand").unwrap();
        let key = |name: &str, byte| IssuerKey {
            id: KeyId::new(name).unwrap(),
            ed25519: [byte; 32],
            from: Timestamp::from_unix_ms(0),
            until: Timestamp::from_unix_ms(1),
        };
        let mut ring = KeyRing::default();
        ring.add(CouponKeys { issuer: issuer.clone(), keys: vec![key("a", 1), key("b", 2)] });
        ring.add(CouponKeys { issuer: issuer.clone(), keys: vec![key("b", 3)] });
        let bytes = |name: &str| ring.get(&issuer, &KeyId::new(name).unwrap()).map(|key| key.ed25519[0]);
        assert_eq!([bytes("a"), bytes("b"), bytes("c")], [Some(1), Some(3), None]);
    }
}
