//! `redeem`: a coupon or a pick-up code is shown at a scanner, verified without a network, and redeemed once.
//!
//! ```text
//! scan ─▶ Redeem::look ─┬─▶ refused (malformed, forged by its algorithm)
//!                       └─▶ Question ── the issuer's key? redeemed before? ──▶ Redeem::answer ─▶ redeemed │ refused
//! ```
//!
//! What has been redeemed is remembered under the coupon's issuer and name for a week longer than the coupon is valid:
//! a clock that was set back does not bring it to life again. The issuers' keys are kept the same way until their time
//! is over. All stations of a gateway share both.
//!
//! A scan counts for [`FRESH`]: one that waited longer, because the power went behind it, is passed over. The shopper
//! has left or scans again, and a coupon that nobody was served for stays good.

use std::time::Duration;

use crate::types::{
    Body, CodeKind, Counter, CouponClaims, CouponClock, CouponId, CouponKeys, CouponRefusal, Event, EventId, IssuerId,
    IssuerKey, KeyId, Observation, Redemption, Stamp, StationId, Timestamp, Verdict,
};
use crate::wire::coupon::Token;

/// How long after it a scan is still acted upon.
pub const FRESH: Duration = Duration::from_secs(30);
/// How much longer than a coupon is valid it is remembered that it was redeemed.
const MARGIN: Duration = Duration::from_secs(7 * 24 * 3600);

/// A redeem station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeem {
    /// Its name.
    pub station: StationId,
    /// Where it stands.
    pub counter: Counter,
    /// Whether it takes coupons while the gateway's clock is not known to be right.
    pub unsynced_allowed: bool,
}

/// What a station makes of an event.
#[derive(Debug)]
pub enum Look {
    /// Nothing: it is no coupon, or it was shown too long ago.
    Nothing,
    /// This, whatever is known of it.
    Decided(Redemption),
    /// It depends on what is kept.
    Asks(Box<Question>),
}

/// A coupon that was read, and what must be looked up to judge it.
#[derive(Debug)]
pub struct Question {
    token: Token,
    shown: Stamp,
}

impl Question {
    /// Under which name its key is kept, if it is known.
    pub fn key(&self) -> String {
        key_name(self.token.issuer(), self.token.key())
    }

    /// Under which name it is kept that it was redeemed, if it was.
    pub fn seen(&self) -> String {
        seen_name(self.token.issuer(), self.token.id())
    }
}

/// Something to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Its name, at most 128 bytes.
    pub name: String,
    /// What.
    pub value: Vec<u8>,
    /// Until when.
    pub until: Timestamp,
}

impl Redeem {
    /// Looks at an event of the station's scanner.
    pub fn look(&self, event: &Event, now: &Stamp) -> Look {
        let Body::Observed(Observation::Code(code)) = &event.draft.body else { return Look::Nothing };
        if code.kind != CodeKind::Coupon || !is_fresh(&event.draft.at, now) {
            return Look::Nothing;
        }
        match Token::read(&code.value) {
            Ok(token) => Look::Asks(Box::new(Question { token, shown: event.draft.at })),
            Err(reason) => Look::Decided(self.refused(reason, None, None)),
        }
    }

    /// Decides, with what is kept under the question's two names. `event` is the name of the event that will say so: a
    /// coupon that is redeemed by it is to be kept in mind in the same transaction.
    pub fn answer(
        &self,
        question: Question,
        key: Option<&[u8]>,
        seen: Option<&[u8]>,
        event: EventId,
    ) -> (Redemption, Option<Keep>) {
        let Question { token, shown } = question;
        let key = key.and_then(|bytes| read_key(token.key(), bytes));
        let clock = CouponClock { now: shown.wall, synced: shown.synced, unsynced_allowed: self.unsynced_allowed };
        match (token.judge(key.as_ref(), &self.counter, clock), seen) {
            (Err(refused), _) => (self.refused(refused.reason, refused.claims, None), None),
            (Ok(claims), Some(by)) => {
                let by = by.try_into().ok().map(|bytes| EventId(uuid::Uuid::from_bytes(bytes)));
                (self.refused(CouponRefusal::Used, Some(Box::new(claims)), by), None)
            }
            (Ok(claims), None) => {
                let keep = remember(&claims, event);
                let verdict = Verdict::Redeemed(Box::new(claims));
                (Redemption { station: self.station.clone(), verdict }, Some(keep))
            }
        }
    }

    fn refused(
        &self,
        reason: CouponRefusal,
        claims: Option<Box<CouponClaims>>,
        redeemed: Option<EventId>,
    ) -> Redemption {
        Redemption { station: self.station.clone(), verdict: Verdict::Refused { reason, claims, redeemed } }
    }
}

/// Within one boot the uptime tells, whatever the wall clock does; across boots a wall clock that was right at both
/// ends.
fn is_fresh(shown: &Stamp, now: &Stamp) -> bool {
    if shown.boot == now.boot {
        return now.up.saturating_sub(shown.up) <= FRESH;
    }
    shown.synced && now.synced && now.wall.since(shown.wall) <= FRESH
}

fn remember(claims: &CouponClaims, event: EventId) -> Keep {
    Keep {
        name: seen_name(&claims.issuer, &claims.id),
        value: event.0.as_bytes().to_vec(),
        until: claims.expires.plus(MARGIN),
    }
}

/// What is to be kept of an issuer's keys: each until its time is over, so that the next ones push nothing out.
pub fn keep_keys(keys: &CouponKeys) -> Vec<Keep> {
    let keep =
        |key: &IssuerKey| Keep { name: key_name(&keys.issuer, &key.id), value: write_key(key), until: key.until };
    keys.keys.iter().map(keep).collect()
}

// No issuer's name holds a space, so neither form has two readings.
fn key_name(issuer: &IssuerId, key: &KeyId) -> String {
    format!("key {issuer} {key}")
}

fn seen_name(issuer: &IssuerId, coupon: &CouponId) -> String {
    format!("seen {issuer} {coupon}")
}

/// The key, from when and until when in milliseconds since 1970, big-endian.
fn write_key(key: &IssuerKey) -> Vec<u8> {
    [&key.ed25519[..], &key.from.unix_ms().to_be_bytes(), &key.until.unix_ms().to_be_bytes()].concat()
}

fn read_key(id: &KeyId, bytes: &[u8]) -> Option<IssuerKey> {
    let (ed25519, times) = bytes.split_first_chunk::<32>()?;
    let (from, until) = times.split_first_chunk::<8>()?;
    let time = |bytes: [u8; 8]| Timestamp::from_unix_ms(i64::from_be_bytes(bytes));
    let (from, until) = (time(*from), time(until.try_into().ok()?));
    Some(IssuerKey { id: id.clone(), ed25519: *ed25519, from, until })
}

/// A coupon, for the tests of whoever runs the flow.
#[cfg(test)]
pub(crate) fn signed_coupon(claims: &CouponClaims, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
    crate::wire::coupon::issue_jws(claims, sign)
}

#[cfg(test)]
mod tests;
