//! One free sample for each member and campaign, without a cloud.
//!
//! A member's entitlement is taken in the same transaction that files the machine's order, so that no crash gives two;
//! it is given back when the machine is known to have given nothing out. While nobody knows, it stays taken.

use super::form::{self, PendingForm};
use super::{Around, Effects, Flow, Input, derived, derived_command, limits};
use crate::types::{
    Action, Body, Cause, CodeKind, CodeScanned, Command, Currency, DeviceId, Draft, Event, EventId, Notice,
    Observation, Order, Origin, Reason, SaleId, SaleStep, SampleRuling, Slot, Stamp, StationId, Step, Timestamp,
};
use std::collections::BTreeMap;

/// Of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplingSettings {
    /// The station.
    pub station: StationId,
    /// Its scanner.
    pub scanner: DeviceId,
    /// Its machine.
    pub machine: DeviceId,
    /// The machine's currency: a sample costs nothing of it.
    pub currency: Currency,
    /// The campaign: `[a-z0-9-]{1,32}`. A new one is a new entitlement.
    pub campaign: String,
    /// The lanes that hold the sample, in the order they are used.
    pub slots: Vec<Slot>,
    /// How many samples the campaign has in all; `None`: as many as the lanes hold.
    pub quota: Option<u32>,
    /// When it begins.
    pub from: Option<Timestamp>,
    /// When it is over.
    pub until: Option<Timestamp>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct SamplingFlow {
    settings: SamplingSettings,
    name: String,
    /// Samples given or promised in this campaign.
    given: u32,
    pending: BTreeMap<SaleId, Pending>,
}

/// A sample on its way.
#[derive(Debug, Clone)]
struct Pending {
    member: String,
    scan: EventId,
    slot: Slot,
}

impl SamplingFlow {
    /// Where nobody was given anything yet.
    pub fn new(settings: SamplingSettings) -> Self {
        let name = format!("station.{}", settings.station);
        Self { settings, name, given: 0, pending: BTreeMap::new() }
    }

    /// A member's code may be long; its key is not.
    fn member_key(&self, member: &str) -> String {
        format!("z/given/{}/{}", self.settings.campaign, derived("member", member))
    }

    fn count_key(&self) -> String {
        format!("a/count/{}", self.settings.campaign)
    }

    fn scanned(&mut self, event: &Event, code: &CodeScanned, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        if around.is_stale(event) {
            return effects;
        }
        let (seed, member) = (event.draft.id, code.value.clone());
        let Ok(sale) = SaleId::new(&seed.to_string()) else { return effects };
        match self.slot(&member, around) {
            Err(word) => {
                let ruling = self.ruling(&member, None, Some(Reason::new(word)));
                self.rules(seed, Cause::Event(seed), ruling, around.at, &mut effects);
            }
            Ok(slot) => self.give(Pending { member, scan: seed, slot }, sale, around.at, &mut effects),
        }
        effects
    }

    /// The lane to give from, or why nothing is given.
    fn slot(&self, member: &str, around: &Around<'_>) -> Result<Slot, &'static str> {
        let SamplingSettings { from, until, quota, slots, machine, .. } = &self.settings;
        if (from.is_some() || until.is_some()) && !around.at.synced {
            return Err("clock-unsynced");
        }
        if from.is_some_and(|from| around.at.wall < from) {
            return Err("not-yet");
        }
        if until.is_some_and(|until| around.at.wall >= until) {
            return Err("campaign-over");
        }
        if around.recalled.contains_key(&self.member_key(member)) {
            return Err("already-given");
        }
        if quota.is_some_and(|quota| self.given >= quota) {
            return Err("quota-used");
        }
        let sells = |slot: &&Slot| (around.lanes)(machine, **slot).is_none_or(|lane| lane.refuses().is_none());
        slots.iter().find(sells).copied().ok_or("sold-out")
    }

    fn give(&mut self, pending: Pending, sale: SaleId, at: Stamp, effects: &mut Effects) {
        let (seed, order) = (pending.scan, form::sample_order(sale.clone(), pending.slot, self.settings.currency));
        for step in [Step::Requested, Step::Authorised] {
            let id = EventId(derived(&seed.to_string(), step.as_str()));
            let body = Body::Observed(Observation::Sale(order.step(step)));
            let device = Some(self.settings.machine.clone());
            effects.events.push(Draft { id, device, at, cause: Some(Cause::Event(seed)), body });
        }
        self.tell(order, seed, at, effects);
        effects.put(self.member_key(&pending.member), Some(sale.as_str().as_bytes().to_vec()));
        let form = PendingForm { member: pending.member.clone(), scan: seed.0, slot: pending.slot.0 };
        effects.put(format!("a/pending/{sale}"), form::write(&form));
        self.given = self.given.saturating_add(1);
        self.pending.insert(sale, pending);
        effects.put(self.count_key(), form::write(&self.given));
    }

    fn tell(&self, order: Order, seed: EventId, at: Stamp, effects: &mut Effects) {
        let Some(id) = derived_command(seed, "dispense") else { return };
        let (device, not_after) = (Some(self.settings.machine.clone()), at.wall.plus(limits::DISPENSE));
        let action = Action::Dispense(order);
        effects.commands.push(Command { id, device, action, not_after, origin: Origin::Flow });
    }

    /// Our sample's sale is over.
    fn step(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let given = match step.step {
            Step::Settled => true,
            Step::Refunded | Step::Refused => false,
            _ => return effects,
        };
        let Some(pending) = self.pending.remove(&step.sale) else { return effects };
        effects.put(format!("a/pending/{}", step.sale), None);
        let failed = step.reason.clone().unwrap_or_else(|| Reason::new("failed"));
        if !given {
            self.given = self.given.saturating_sub(1);
            effects.put(self.member_key(&pending.member), None);
            effects.put(self.count_key(), form::write(&self.given));
        }
        let slot = given.then_some(pending.slot);
        let ruling = self.ruling(&pending.member, Some(step.sale.clone()), (!given).then_some(failed));
        let ruling = SampleRuling { slot, ..ruling };
        self.rules(pending.scan, Cause::Event(event.draft.id), ruling, around.at, &mut effects);
        effects
    }

    fn ruling(&self, member: &str, sale: Option<SaleId>, refused: Option<Reason>) -> SampleRuling {
        let campaign = self.settings.campaign.clone();
        SampleRuling { campaign, member: member.to_owned(), sale, slot: None, refused }
    }

    fn rules(&self, seed: EventId, cause: Cause, ruling: SampleRuling, at: Stamp, effects: &mut Effects) {
        let id = EventId(derived(&seed.to_string(), "sample"));
        let body = Body::Noticed(Notice::Sample(Box::new(ruling)));
        effects.events.push(Draft { id, device: Some(self.settings.scanner.clone()), at, cause: Some(cause), body });
    }

    fn load_pending(&mut self, sale: &str, value: &[u8]) -> Option<()> {
        let PendingForm { member, scan, slot } = form::read(value)?;
        let pending = Pending { member, scan: form::seed(scan), slot: Slot(slot) };
        self.pending.insert(SaleId::new(sale).ok()?, pending);
        Some(())
    }
}

impl Flow for SamplingFlow {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&mut self, key: &str, value: &[u8]) {
        if let Some(sale) = key.strip_prefix("a/pending/") {
            self.load_pending(sale, value);
        } else if key == self.count_key() {
            self.given = form::read(value).unwrap_or(0);
        }
    }

    fn cares(&self, input: Input<'_>) -> bool {
        let Input::Event(event) = input else { return false };
        let from = event.draft.device.as_ref();
        match &event.draft.body {
            Body::Observed(Observation::Code(code)) => {
                code.kind == CodeKind::Member && from == Some(&self.settings.scanner)
            }
            Body::Observed(Observation::Sale(step)) => self.pending.contains_key(&step.sale),
            _ => false,
        }
    }

    fn recalls(&self, input: Input<'_>) -> Vec<String> {
        match input {
            Input::Event(Event { draft: Draft { body: Body::Observed(Observation::Code(code)), .. }, .. }) => {
                vec![self.member_key(&code.value)]
            }
            _ => Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        let Input::Event(event) = input else { return Effects::default() };
        match &event.draft.body {
            Body::Observed(Observation::Code(code)) => self.scanned(event, code, around),
            Body::Observed(Observation::Sale(step)) => self.step(event, step, around),
            _ => Effects::default(),
        }
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}
