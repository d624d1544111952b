//! A coupon that has been read, and the checks that decide whether it counts.

use ring::signature::{ED25519, UnparsedPublicKey};

use super::limits::{self, SIGNATURE_BYTES};
use super::{cose, jws};
use crate::types::{Counter, CouponClaims, CouponClock, CouponId, CouponRefusal, IssuerId, IssuerKey, KeyId, KeyRing};

/// A coupon that has been read and not been judged: nobody knows yet who wrote it.
#[derive(Debug)]
pub struct Token {
    pub(super) claims: CouponClaims,
    /// What of it is signed.
    pub(super) signed: Vec<u8>,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl Token {
    /// Reads a coupon of either form.
    ///
    /// # Errors
    /// [`CouponRefusal::Malformed`], or [`CouponRefusal::Forged`] when it is built as a coupon is and signed by another
    /// algorithm.
    pub fn read(text: &str) -> Result<Self, CouponRefusal> {
        if text.len() > limits::TEXT_CHARACTERS {
            return Err(CouponRefusal::Malformed);
        }
        match text.strip_prefix(cose::PREFIX) {
            Some(rest) => cose::parse(rest),
            None => jws::parse(text),
        }
    }

    /// Who signed it, if it is not forged.
    pub fn issuer(&self) -> &IssuerId {
        &self.claims.issuer
    }

    /// With which key.
    pub fn key(&self) -> &KeyId {
        &self.claims.key
    }

    /// Which coupon it is, if it is not forged.
    pub fn id(&self) -> &CouponId {
        &self.claims.id
    }

    /// Judges it at a counter, with the key of its issuer and name, if that is known there. That it has not been
    /// redeemed before is for the caller to know.
    ///
    /// # Errors
    /// The first check that fails, in the order of [`CouponRefusal`].
    pub fn judge(
        self,
        key: Option<&IssuerKey>,
        counter: &Counter,
        clock: CouponClock,
    ) -> Result<CouponClaims, Refused> {
        let key = key.ok_or(CouponRefusal::UnknownKey)?;
        if !is_signature(&key.ed25519, &self.signed, &self.signature) {
            return Err(CouponRefusal::Forged.into());
        }
        match judge(&self.claims, key, counter, clock) {
            Ok(()) => Ok(self.claims),
            Err(reason) => Err(Refused { reason, claims: Some(Box::new(self.claims)) }),
        }
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

/// Reads and judges a coupon, with the keys of a ring: see [`Token`].
///
/// # Errors
/// The first check that fails, in the order of [`CouponRefusal`].
pub fn verify(text: &str, keys: &KeyRing, counter: &Counter, clock: CouponClock) -> Result<CouponClaims, Refused> {
    let token = Token::read(text)?;
    let key = keys.get(token.issuer(), token.key());
    token.judge(key, counter, clock)
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
