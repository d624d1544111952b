//! A station's screen tells the shopper in a few words what became of their coupon, their purchase or their sample.
//!
//! It reads what the other flows and the drivers have said and decides nothing: a screen that shows nothing moves no
//! money and no coupon. A scene is `verdict:WORD` or `verdict:WORD:REASON`; its words, in both languages, are the
//! page's own (`console/screens/app/words.js`), so that no content has to bring them.
//!
//! | station | words |
//! |---|---|
//! | `redeem` | `coupon-redeemed` `pickup-redeemed` `coupon-refused:REASON` |
//! | `sale` | `sale-pay` `sale-asking` `sale-coming` `sale-dispensed` `sale-refused:REASON` `sale-refunding` `sale-failed` `sale-indeterminate` |
//! | `sampling` | `sample-coming` `sample-given` `sample-refused:REASON` |
//!
//! What is older than a moment is not shown any more: whoever it was for has gone.

use std::time::Duration;

use super::{Around, Effects, Flow, Input, derived_command, limits};
use crate::types::{
    Body, CouponKind, DeviceId, Event, Notice, Observation, Payment, Reason, Redemption, SaleStep, SampleRuling,
    SceneId, Show, StationId, Step, Verdict,
};

/// Of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictSettings {
    /// The station.
    pub station: StationId,
    /// Its screen.
    pub screen: DeviceId,
    /// What is told of.
    pub about: About,
}

/// What a screen tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Coupons that were shown at the station.
    Coupons,
    /// What a machine sells.
    Sales {
        /// The machine.
        machine: DeviceId,
        /// Whether the station gives away what it sells: otherwise what is free is none of its sales.
        free: bool,
        /// Whether a payment code can be shown at the station.
        scanner: bool,
    },
    /// What a machine gives to members.
    Samples {
        /// The scanner, which the rulings are about.
        scanner: DeviceId,
        /// The machine.
        machine: DeviceId,
        /// The campaign.
        campaign: String,
    },
}

/// See the module.
#[derive(Debug, Clone)]
pub struct VerdictFlow {
    settings: VerdictSettings,
    name: String,
}

/// What is to be said, and for how long.
type Said = (String, Duration);

impl VerdictFlow {
    /// Which remembers nothing.
    pub fn new(settings: VerdictSettings) -> Self {
        let name = format!("screen.{}", settings.station);
        Self { settings, name }
    }

    fn said(&self, event: &Event) -> Option<Said> {
        let from = event.draft.device.as_ref();
        match (&self.settings.about, &event.draft.body) {
            (About::Coupons, Body::Noticed(Notice::Coupon(redemption))) => {
                (redemption.station == self.settings.station).then(|| (coupon(redemption), limits::VERDICT))
            }
            (About::Sales { machine, free, scanner }, Body::Observed(Observation::Sale(step))) => {
                let is_ours = from == Some(machine) && (*free || step.payment != Payment::Free);
                let waits = *scanner && event.draft.cause.is_none();
                is_ours.then(|| sale(step, waits)).flatten()
            }
            (About::Samples { machine, .. }, Body::Observed(Observation::Sale(step))) => {
                let is_ours = from == Some(machine) && step.payment == Payment::Free;
                (is_ours && step.step == Step::Authorised).then(|| ("sample-coming".to_owned(), limits::VERDICT_WAIT))
            }
            (About::Samples { scanner, campaign, .. }, Body::Noticed(Notice::Sample(ruling))) => {
                let is_ours = from == Some(scanner) && ruling.campaign == *campaign;
                is_ours.then(|| (sample(ruling), limits::VERDICT))
            }
            _ => None,
        }
    }
}

/// A word, with its reason where that fits into a scene's name.
fn because(word: &str, reason: Option<&Reason>) -> String {
    let Some(reason) = reason else { return word.to_owned() };
    let whole = format!("{word}:{reason}");
    if SceneId::new(&scene_of(&whole)).is_ok() { whole } else { word.to_owned() }
}

fn scene_of(word: &str) -> String {
    format!("verdict:{word}")
}

fn coupon(redemption: &Redemption) -> String {
    match &redemption.verdict {
        Verdict::Redeemed(claims) if claims.kind == CouponKind::Pickup => "pickup-redeemed".to_owned(),
        Verdict::Redeemed(_) => "coupon-redeemed".to_owned(),
        Verdict::Refused { reason, .. } => because("coupon-refused", Some(&Reason::new(reason.as_str()))),
    }
}

/// `waits`: the sale began at the machine, and nobody has shown a payment code yet.
fn sale(step: &SaleStep, waits: bool) -> Option<Said> {
    let is_cloud = step.payment == Payment::Cloud;
    let (word, span) = match step.step {
        Step::Requested if waits && is_cloud => ("sale-pay", limits::VERDICT_WAIT),
        Step::Requested if is_cloud => ("sale-asking", limits::VERDICT_WAIT),
        Step::Authorised => ("sale-coming", limits::VERDICT_WAIT),
        Step::Dispensed if step.dropped != Some(false) => ("sale-dispensed", limits::VERDICT),
        // Of what the cloud has taken the way back is said, which follows at once.
        Step::Dispensed | Step::Failed if !is_cloud => ("sale-failed", limits::VERDICT),
        Step::Indeterminate => ("sale-indeterminate", limits::VERDICT_WAIT),
        // What a person decides later is not for whoever stands there now.
        Step::Refunding if step.by.is_none() => ("sale-refunding", limits::VERDICT),
        Step::Refused => return Some((because("sale-refused", step.reason.as_ref()), limits::VERDICT)),
        _ => return None,
    };
    Some((word.to_owned(), span))
}

fn sample(ruling: &SampleRuling) -> String {
    match &ruling.refused {
        None => "sample-given".to_owned(),
        refused => because("sample-refused", refused.as_ref()),
    }
}

impl Flow for VerdictFlow {
    fn name(&self) -> &str {
        &self.name
    }

    fn cares(&self, input: Input<'_>) -> bool {
        matches!(input, Input::Event(event) if self.said(event).is_some())
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let Input::Event(event) = input else { return effects };
        let Some((word, span)) = self.said(event).filter(|_| !around.is_stale(event)) else { return effects };
        let (scene, id) = (SceneId::new(&scene_of(&word)), derived_command(event.draft.id, &self.name));
        if let (Ok(scene), Some(id)) = (scene, id) {
            let show = Show { scene, for_ms: u32::try_from(span.as_millis()).ok(), session: None };
            effects.show(id, &self.settings.screen, show, around.at);
        }
        effects
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
