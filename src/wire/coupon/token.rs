//! A coupon that has been read, and the checks that decide whether it counts.

use ring::signature::{ED25519, UnparsedPublicKey};

use super::limits::{self, SIGNATURE_BYTES};
use super::{cose, jws};
use crate::types::{Counter, CouponClaims, CouponClock, CouponRefusal, IssuerKey, KeyRing};

/// What a coupon says, what of it is signed, and the signature.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) claims: CouponClaims,
    pub(super) signed: Vec<u8>,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl Token {
    /// Reads a coupon of either form.
    fn parse(text: &str) -> Result<Self, CouponRefusal> {
        if text.len() > limits::TEXT_CHARACTERS {
            return Err(CouponRefusal::Malformed);
        }
        match text.strip_prefix(cose::PREFIX) {
            Some(rest) => cose::parse(rest),
            None => jws::parse(text),
        }
    }

    /// The key it was signed with, when its signature is good.
    fn signer<'a>(&self, keys: &'a KeyRing) -> Result<&'a IssuerKey, CouponRefusal> {
        let key = keys.get(&self.claims.issuer, &self.claims.key).ok_or(CouponRefusal::UnknownKey)?;
        if is_signature(&key.ed25519, &self.signed, &self.signature) { Ok(key) } else { Err(CouponRefusal::Forged) }
    }
}

/// Whether the signature of `signed` is the key's (Ed25519, RFC 8032).
pub(super) fn is_signature(key: &[u8; 32], signed: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok()
}

/// A coupon that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: CouponRefusal,
    /// What it says, when its signature is good: of any other nobody knows who wrote it.
    pub claims: Option<Box<CouponClaims>>,
}

impl From<CouponRefusal> for Refused {
    fn from(reason: CouponRefusal) -> Self {
        Self { reason, claims: None }
    }
}

/// Verifies a coupon at a counter. That it has not been redeemed before is for the caller to know.
///
/// # Errors
/// The first check that fails, in the order of [`CouponRefusal`].
pub fn verify(text: &str, keys: &KeyRing, counter: &Counter, clock: CouponClock) -> Result<CouponClaims, Refused> {
    let token = Token::parse(text)?;
    let key = token.signer(keys)?;
    match judge(&token.claims, key, counter, clock) {
        Ok(()) => Ok(token.claims),
        Err(reason) => Err(Refused { reason, claims: Some(Box::new(token.claims)) }),
    }
}

fn judge(claims: &CouponClaims, key: &IssuerKey, counter: &Counter, clock: CouponClock) -> Result<(), CouponRefusal> {
    let now = clock.now;
    if !claims.audience.iter().any(|word| counter.is_named_by(word)) {
        return Err(CouponRefusal::WrongAudience);
    }
    if !clock.synced && !clock.unsynced_allowed {
        return Err(CouponRefusal::ClockUnsynced);
    }
    if now < key.from || now >= key.until {
        return Err(CouponRefusal::UnknownKey);
    }
    if now < claims.not_before {
        return Err(CouponRefusal::NotYet);
    }
    if now >= claims.expires { Err(CouponRefusal::Expired) } else { Ok(()) }
}
