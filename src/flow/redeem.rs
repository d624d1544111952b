//! A coupon is taken once.
//!
//! The seen-set is the flow's state in the journal: it outlives every restart, and a coupon stays in it until two days
//! after the coupon itself has expired (and only a clock that is known to be right makes it go). Two gateways that
//! cannot talk to each other cannot both refuse the same coupon: only a coupon whose audience is one gateway is exact.

use std::time::Duration;

use super::{Around, Change, Effects, Flow, Input, Verdict, derived, limits};
use crate::types::{
    Body, Cause, CodeKind, CouponRuling, DeviceId, Draft, Event, EventId, Notice, Observation, Reason, Stamp,
};

/// Of all stations that redeem: they share one seen-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemSettings {
    /// Their scanners.
    pub scanners: Vec<DeviceId>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct RedeemFlow {
    settings: RedeemSettings,
}

/// Its name in the journal.
const NAME: &str = "coupons";

impl RedeemFlow {
    /// Where nothing was redeemed yet.
    pub fn new(settings: RedeemSettings) -> Self {
        Self { settings }
    }

    fn seen_key(issuer: &str, coupon: &str) -> String {
        format!("z/seen/{}", derived(issuer, coupon))
    }

    fn rule(event: &Event, around: &Around<'_>, effects: &mut Effects) -> Option<CouponRuling> {
        let refused = |issuer, coupon, reason| CouponRuling { issuer, coupon, worth: None, refused: Some(reason) };
        Some(match around.verdict.clone()? {
            Verdict::Refused { reason, known } => {
                let (issuer, coupon) = known.map_or((None, None), |(issuer, coupon)| (Some(issuer), Some(coupon)));
                refused(issuer, coupon, reason)
            }
            Verdict::Valid(claims) => {
                let key = Self::seen_key(&claims.issuer, &claims.coupon);
                if around.recalled.contains_key(&key) {
                    return Some(refused(Some(claims.issuer), Some(claims.coupon), Reason::new("used")));
                }
                let expires = Some(claims.expires.plus(limits::COUPON_AFTER));
                let value = Some(event.draft.id.0.as_bytes().to_vec());
                effects.state.push(Change { key, value, expires });
                let (issuer, coupon) = (Some(claims.issuer), Some(claims.coupon));
                CouponRuling { issuer, coupon, worth: Some(claims.worth), refused: None }
            }
        })
    }
}

impl Flow for RedeemFlow {
    fn name(&self) -> &str {
        NAME
    }

    fn load(&mut self, _key: &str, _value: &[u8]) {}

    fn cares(&self, input: Input<'_>) -> bool {
        let Input::Event(event) = input else { return false };
        let is_coupon =
            matches!(&event.draft.body, Body::Observed(Observation::Code(code)) if code.kind == CodeKind::Coupon);
        is_coupon && event.draft.device.as_ref().is_some_and(|device| self.settings.scanners.contains(device))
    }

    fn recalls(&self, _input: Input<'_>, verdict: Option<&Verdict>) -> Vec<String> {
        match verdict {
            Some(Verdict::Valid(claims)) => vec![Self::seen_key(&claims.issuer, &claims.coupon)],
            Some(Verdict::Refused { .. }) | None => Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let Input::Event(event) = input else { return effects };
        if around.is_stale(event) {
            return effects;
        }
        if let Some(ruling) = Self::rule(event, around, &mut effects) {
            let cause = event.draft.id;
            effects.events.push(Draft {
                id: EventId(derived(&cause.to_string(), "coupon")),
                device: event.draft.device.clone(),
                at: around.at,
                cause: Some(Cause::Event(cause)),
                body: Body::Noticed(Notice::Coupon(Box::new(ruling))),
            });
        }
        effects
    }

    fn due(&self, _at: &Stamp) -> Option<Duration> {
        None
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}
