//! A machine's ledger: its lanes and stock, and the second half of every sale on it.
//!
//! ```text
//! dispatched ─▶ dispensed ───────────────▶ settled            one fewer in the lane
//!     ├───────▶ failed, or nothing fell ─▶ refunding          the lane may be closed
//!     └───────▶ indeterminate ─▶ (a person) ─▶ settled │ refunding
//! refunding (by whomever) ─▶ asked to be cancelled until it is ─▶ refunded
//! ```
//!
//! It acts on steps that stand in the journal and on nothing else, so that it does not matter who began a sale.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::form::{self, LaneForm, OpenForm, OrderForm};
use super::lane::{Lane, closed_by};
use super::{Around, Ask, Asking, Change, Deadline, Effects, Flow, Input, Trouble, derived, derived_command, limits};
use crate::types::{
    Action, ActionKind, Body, Cause, Command, Condition, DeviceId, Draft, Ended, Event, EventId, LaneStatus,
    Observation, Order, Origin, Payment, PaymentAnswer, Reason, Resolution, Said, SaleId, SaleStep, Slot, Stamp, Step,
    Stock, StockSource,
};

/// Of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSettings {
    /// The machine.
    pub machine: DeviceId,
    /// What its driver can be asked.
    pub can: Vec<ActionKind>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Ledger {
    settings: LedgerSettings,
    name: String,
    lanes: BTreeMap<Slot, Lane>,
    open: BTreeMap<SaleId, Open>,
}

/// A sale whose end is not on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    /// Its newest step, for what every step says.
    last: SaleStep,
    /// What ids derive from: the event that opened it here.
    seed: EventId,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Dispatched,
    Unresolved,
    Refunding { next: Deadline, asked: u32 },
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dispatched => "dispatched",
            Self::Unresolved => "unresolved",
            Self::Refunding { .. } => "refunding",
        }
    }
}

/// The step of an order that ended before it reached its machine: nothing moved. What the cloud has promised goes back.
pub fn turned_down(order: &Order, reason: Reason) -> SaleStep {
    let step = if order.payment == Payment::Cloud { Step::Refunding } else { Step::Refused };
    SaleStep { reason: Some(reason), ..order.step(step) }
}

impl Ledger {
    /// An empty one.
    pub fn new(settings: LedgerSettings) -> Self {
        let name = Self::name_of(&settings.machine);
        Self { settings, name, lanes: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// The name of a machine's ledger in the journal.
    pub fn name_of(machine: &DeviceId) -> String {
        format!("machine.{machine}")
    }

    /// The machine whose ledger has this name.
    pub fn machine_of(name: &str) -> Option<DeviceId> {
        DeviceId::new(name.strip_prefix("machine.")?).ok()
    }

    /// The key under which a sale that is over is remembered.
    pub fn over_key(sale: &SaleId) -> String {
        format!("z/over/{sale}")
    }

    /// Sales that wait for a person, or for their money to be back, as a line of words each.
    pub fn waiting(key: &str, value: &[u8]) -> Option<(SaleId, String, SaleStep)> {
        let mut ledger = Self::new(LedgerSettings { machine: DeviceId::new("any").ok()?, can: Vec::new() });
        ledger.load(key, value);
        let (sale, open) = ledger.open.pop_first()?;
        Some((sale, open.stage.as_str().to_owned(), open.last))
    }

    /// A lane, from a key of the ledger and its value.
    pub fn lane(key: &str, value: &[u8]) -> Option<(Slot, Lane)> {
        let slot = key.strip_prefix("a/lane/")?.parse().ok()?;
        Some((Slot(slot), form::read::<LaneForm>(value)?.lane()?))
    }

    fn event(&mut self, event: &Event, around: &Around<'_>) -> Effects {
        match &event.draft.body {
            Body::Observed(Observation::Sale(step)) => self.step(event, step, around),
            Body::Observed(Observation::Stock(stock)) => self.stock(event, stock),
            _ => Effects::default(),
        }
    }

    /// What a machine says of a lane. Our own words come back here, too; they change nothing.
    fn stock(&mut self, event: &Event, stock: &Stock) -> Effects {
        let mut effects = Effects::default();
        let full = self.lanes.len() >= limits::LANES && !self.lanes.contains_key(&stock.slot);
        if stock.source != StockSource::Machine || event.draft.cause.is_some() || full {
            return effects;
        }
        let lane = self.lanes.entry(stock.slot).or_default();
        let before = *lane;
        lane.merge(stock);
        if *lane != before {
            self.keep_lane(stock.slot, &mut effects);
        }
        effects
    }

    fn step(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let decided = !around.recalled.is_empty() || self.is_refunding(&step.sale);
        match step.step {
            // A machine's late word on a sale that is decided moves the stock, never the money.
            Step::Dispensed if decided => self.fell(event, step, &mut effects),
            Step::Failed | Step::Indeterminate if decided => {}
            Step::Dispatched => self.opens(event, step, Stage::Dispatched, &mut effects),
            Step::Dispensed if step.dropped == Some(false) => {
                let step = SaleStep { reason: Some(Reason::new("no-drop")), ..step.clone() };
                self.fails(event, &step, around, &mut effects);
            }
            Step::Dispensed => {
                self.fell(event, step, &mut effects);
                self.says(event, SaleStep { step: Step::Settled, ..step.clone() }, around.at, &mut effects);
                self.over(&step.sale, around.at, &mut effects);
            }
            Step::Failed => self.fails(event, step, around, &mut effects),
            Step::Indeterminate => {
                self.close(event, step.slot, LaneStatus::Faulty, around.at, &mut effects);
                self.opens(event, step, Stage::Unresolved, &mut effects);
            }
            // Our own word may come back here after the money is back.
            Step::Refunding if around.recalled.is_empty() => self.refund(event, step, around, &mut effects),
            Step::Refused => self.over(&step.sale, around.at, &mut effects),
            Step::Requested | Step::Authorised | Step::Settled | Step::Refunding | Step::Refunded => {}
        }
        effects
    }

    fn opens(&mut self, event: &Event, step: &SaleStep, stage: Stage, effects: &mut Effects) {
        let provider_ref = self.open.get(&step.sale).and_then(|open| open.last.provider_ref.clone());
        let mut last = step.clone();
        last.provider_ref = last.provider_ref.or(provider_ref);
        self.open.insert(step.sale.clone(), Open { last, seed: event.draft.id, stage });
        self.keep_open(&step.sale, effects);
    }

    fn fails(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>, effects: &mut Effects) {
        if let Some(status) = step.reason.as_ref().and_then(closed_by) {
            self.close(event, step.slot, status, around.at, effects);
        }
        self.give_back(event, step, around, effects);
    }

    /// The way back of what was paid: asked of the cloud, or nothing to ask.
    fn give_back(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>, effects: &mut Effects) {
        if step.payment == Payment::Cloud {
            let back = SaleStep { step: Step::Refunding, ..step.clone() };
            self.says(event, back.clone(), around.at, effects);
            self.refund(event, &back, around, effects);
        } else {
            self.says(event, SaleStep { step: Step::Refunded, ..step.clone() }, around.at, effects);
            self.over(&step.sale, around.at, effects);
        }
    }

    /// Begins to ask for the money to be given back. A sale that is on its way back already is not begun again.
    fn refund(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>, effects: &mut Effects) {
        if self.is_refunding(&step.sale) {
            return;
        }
        let next = Deadline::after(&around.at, limits::CANCEL_FIRST);
        self.opens(event, step, Stage::Refunding { next, asked: 1 }, effects);
        effects.asks.push(cancel(step, around.at));
    }

    fn is_refunding(&self, sale: &SaleId) -> bool {
        self.open.get(sale).is_some_and(|open| matches!(open.stage, Stage::Refunding { .. }))
    }

    /// One product has left a lane.
    fn fell(&mut self, event: &Event, step: &SaleStep, effects: &mut Effects) {
        let Some(slot) = step.slot else { return };
        let Some(lane) = self.lanes.get_mut(&slot).filter(|lane| lane.count.is_some()) else { return };
        lane.take_one();
        let stock = lane.stock(slot, StockSource::Sale);
        self.keep_lane(slot, effects);
        self.tells(event.draft.id, Cause::Event(event.draft.id), stock, event.draft.at, effects);
    }

    /// Takes a lane out of sale until a person opens it.
    fn close(&mut self, event: &Event, slot: Option<Slot>, status: LaneStatus, at: Stamp, effects: &mut Effects) {
        let Some(slot) = slot else { return };
        let lane = self.lanes.entry(slot).or_default();
        if status == LaneStatus::Empty {
            lane.count = Some(0);
        } else {
            lane.closed = Some(status);
        }
        let stock = lane.stock(slot, StockSource::Sale);
        self.keep_lane(slot, effects);
        self.tells(event.draft.id, Cause::Event(event.draft.id), stock, at, effects);
    }

    fn asked(&mut self, command: &Command, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let ended = match &command.action {
            Action::StockSet { slot, count } => self.count(command, *slot, *count, around.at, &mut effects),
            Action::LaneClear { slot } => self.clear(command, *slot, around.at, &mut effects),
            Action::Answer(answer) => self.answered(command, answer, around.at, &mut effects),
            Action::SaleResolve { sale, resolution, by } => {
                self.resolve(command, sale, (*resolution, by), around, &mut effects)
            }
            _ => Ended::Refused(Reason::new("unsupported-action")),
        };
        effects.end(command, ended, around.at);
        effects
    }

    fn count(&mut self, command: &Command, slot: Slot, count: u16, at: Stamp, effects: &mut Effects) -> Ended {
        if self.lanes.len() >= limits::LANES && !self.lanes.contains_key(&slot) {
            return Ended::Refused(Reason::new("too-many-lanes"));
        }
        let lane = self.lanes.entry(slot).or_default();
        lane.count = Some(count);
        if lane.machine == LaneStatus::Empty && count > 0 {
            lane.machine = LaneStatus::Open;
        }
        self.changed_by_hand(command, slot, Action::StockWrite { slot, count }, at, effects);
        Ended::Done
    }

    fn clear(&mut self, command: &Command, slot: Slot, at: Stamp, effects: &mut Effects) -> Ended {
        let unresolved = self.open.values().any(|open| open.stage == Stage::Unresolved && open.last.slot == Some(slot));
        if unresolved {
            return Ended::Refused(Reason::new("sale-unresolved"));
        }
        let Some(lane) = self.lanes.get_mut(&slot) else { return Ended::Refused(Reason::new("no-such-slot")) };
        lane.closed = None;
        if lane.machine == LaneStatus::Jammed {
            lane.machine = LaneStatus::Open;
        }
        self.changed_by_hand(command, slot, Action::JamClear { slot }, at, effects);
        Ended::Done
    }

    /// A technician has changed a lane: it is told to the cloud and, if it can be told, to the machine.
    fn changed_by_hand(&self, command: &Command, slot: Slot, tell: Action, at: Stamp, effects: &mut Effects) {
        let Some(lane) = self.lanes.get(&slot) else { return };
        let seed = EventId(derived(&format!("command/{}", command.id), &at.up.as_nanos().to_string()));
        self.keep_lane(slot, effects);
        let cause = Cause::Command(command.id.clone());
        self.tells(seed, cause, lane.stock(slot, StockSource::Technician), at, effects);
        if self.settings.can.contains(&tell.kind())
            && let Some(id) = derived_command(seed, tell.kind().as_str())
        {
            let device = Some(self.settings.machine.clone());
            let not_after = at.wall.plus(limits::DISPENSE);
            effects.commands.push(Command { id, device, action: tell, not_after, origin: Origin::Flow });
        }
    }

    fn answered(&mut self, command: &Command, answer: &PaymentAnswer, at: Stamp, effects: &mut Effects) -> Ended {
        let Some(open) = self.open.get(&answer.sale).cloned() else {
            return Ended::Refused(Reason::new("unknown-sale"));
        };
        let undone = matches!(answer.said, Said::Cancelled(true));
        match open.stage {
            Stage::Refunding { .. } if undone => {
                let provider_ref = answer.provider_ref.clone().or_else(|| open.last.provider_ref.clone());
                let back = SaleStep { step: Step::Refunded, provider_ref, ..open.last.clone() };
                self.says_of(open.seed, Cause::Command(command.id.clone()), back, at, effects);
                self.over(&answer.sale, at, effects);
                Ended::Done
            }
            Stage::Refunding { .. } => Ended::Done,
            Stage::Dispatched | Stage::Unresolved => Ended::Refused(Reason::new("sale-not-refunding")),
        }
    }

    fn resolve(
        &mut self,
        command: &Command,
        sale: &SaleId,
        (resolution, by): (Resolution, &str),
        around: &Around<'_>,
        effects: &mut Effects,
    ) -> Ended {
        let Some(open) = self.open.get(sale).filter(|open| open.stage == Stage::Unresolved).cloned() else {
            return Ended::Refused(Reason::new("not-unresolved"));
        };
        let (reason, by) = (Some(Reason::new("resolved")), Some(by.to_owned()));
        let last = SaleStep { reason, by, ..open.last.clone() };
        let cause = Cause::Command(command.id.clone());
        self.open.remove(sale);
        let resolved = EventId(derived(&open.seed.to_string(), "resolved"));
        self.reopen(resolved, &cause, last.slot, resolution == Resolution::Dispensed, around.at, effects);
        let step = match (resolution, last.payment) {
            (Resolution::Dispensed, _) => Step::Settled,
            (Resolution::Refunded, Payment::Cloud) => Step::Refunding,
            (Resolution::Refunded, _) => Step::Refunded,
        };
        let last = SaleStep { step, ..last };
        self.says_of(open.seed, cause, last.clone(), around.at, effects);
        if step == Step::Refunding {
            let next = Deadline::after(&around.at, limits::CANCEL_FIRST);
            effects.asks.push(cancel(&last, around.at));
            self.open.insert(sale.clone(), Open { last, seed: open.seed, stage: Stage::Refunding { next, asked: 1 } });
            self.keep_open(sale, effects);
        } else {
            self.over(sale, around.at, effects);
        }
        Ended::Done
    }

    /// The last unresolved sale of a lane is resolved.
    fn reopen(
        &mut self,
        seed: EventId,
        cause: &Cause,
        slot: Option<Slot>,
        fell: bool,
        at: Stamp,
        effects: &mut Effects,
    ) {
        let Some(slot) = slot else { return };
        let others = self.open.values().any(|open| open.stage == Stage::Unresolved && open.last.slot == Some(slot));
        let lane = self.lanes.entry(slot).or_default();
        if fell {
            lane.take_one();
        }
        if !others && lane.closed == Some(LaneStatus::Faulty) {
            lane.closed = None;
        }
        let stock = lane.stock(slot, StockSource::Technician);
        self.keep_lane(slot, effects);
        self.tells(seed, cause.clone(), stock, at, effects);
    }

    /// Asks again for what is to be given back: for what is due, or for everything over a new connection.
    fn tick(&mut self, around: &Around<'_>, is_new: bool) -> Effects {
        let mut effects = Effects::default();
        let mut asked_again = BTreeSet::new();
        for (sale, open) in &mut self.open {
            let Stage::Refunding { next, asked } = open.stage else { continue };
            if is_new || next.has_come(&around.at) {
                let asked = if is_new { 0 } else { asked };
                let wait = limits::CANCEL_FIRST.saturating_mul(1 << asked.min(10)).min(limits::CANCEL_LAST);
                let next = Deadline::after(&around.at, wait);
                open.stage = Stage::Refunding { next, asked: asked.saturating_add(1) };
                effects.asks.push(cancel(&open.last, around.at));
                asked_again.insert(sale.clone());
            }
        }
        for sale in &asked_again {
            self.keep_open(sale, &mut effects);
        }
        effects
    }

    fn says(&self, event: &Event, step: SaleStep, at: Stamp, effects: &mut Effects) {
        self.says_of(event.draft.id, Cause::Event(event.draft.id), step, at, effects);
    }

    fn says_of(&self, seed: EventId, cause: Cause, step: SaleStep, at: Stamp, effects: &mut Effects) {
        let id = EventId(derived(&seed.to_string(), step.step.as_str()));
        let body = Body::Observed(Observation::Sale(step));
        effects.events.push(Draft { id, device: Some(self.settings.machine.clone()), at, cause: Some(cause), body });
    }

    fn tells(&self, seed: EventId, cause: Cause, stock: Stock, at: Stamp, effects: &mut Effects) {
        let id = EventId(derived(&seed.to_string(), &format!("stock/{}", stock.slot)));
        let body = Body::Observed(Observation::Stock(stock));
        effects.events.push(Draft { id, device: Some(self.settings.machine.clone()), at, cause: Some(cause), body });
    }

    fn over(&mut self, sale: &SaleId, at: Stamp, effects: &mut Effects) {
        self.open.remove(sale);
        effects.put(format!("a/sale/{sale}"), None);
        let expires = Some(at.wall.plus(limits::REMEMBER));
        effects.state.push(Change { key: Self::over_key(sale), value: Some(Vec::new()), expires });
    }

    fn keep_lane(&self, slot: Slot, effects: &mut Effects) {
        let value = self.lanes.get(&slot).and_then(|lane| form::write(&LaneForm::from(lane)));
        effects.put(format!("a/lane/{slot}"), value);
    }

    fn keep_open(&self, sale: &SaleId, effects: &mut Effects) {
        let value = self.open.get(sale).and_then(|open| {
            let SaleStep { slot, price, currency, payment, reason, provider_ref, by, .. } = &open.last;
            let (next, asked) = match open.stage {
                Stage::Refunding { next, asked } => (Some(next.into()), asked),
                Stage::Dispatched | Stage::Unresolved => (None, 0),
            };
            form::write(&OpenForm {
                order: OrderForm::of(*slot, *price, *currency, *payment),
                seed: open.seed.0,
                stage: open.stage.as_str().to_owned(),
                reason: reason.as_ref().map(ToString::to_string),
                provider: provider_ref.clone(),
                by: by.clone(),
                next,
                asked,
            })
        });
        effects.put(format!("a/sale/{sale}"), value);
    }

    fn load_open(&mut self, sale: &str, value: &[u8]) -> Option<()> {
        let form: OpenForm = form::read(value)?;
        let sale = SaleId::new(sale).ok()?;
        let (slot, price, currency, payment) = form.order.terms()?;
        let (stage, step) = match form.stage.as_str() {
            "dispatched" => (Stage::Dispatched, Step::Dispatched),
            "unresolved" => (Stage::Unresolved, Step::Indeterminate),
            "refunding" => (Stage::Refunding { next: form.next?.deadline(), asked: form.asked }, Step::Refunding),
            _ => return None,
        };
        let last = SaleStep {
            sale: sale.clone(),
            step,
            slot,
            price,
            currency,
            payment,
            dropped: None,
            reason: form.reason.as_deref().map(Reason::new),
            provider_ref: form.provider,
            by: form.by,
        };
        self.open.insert(sale, Open { last, seed: form::seed(form.seed), stage });
        Some(())
    }

    fn load_lane(&mut self, slot: &str, value: &[u8]) -> Option<()> {
        let lane = form::read::<LaneForm>(value)?.lane()?;
        self.lanes.insert(Slot(slot.parse().ok()?), lane);
        Some(())
    }

    fn lanes_that(&self, is: impl Fn(&Lane) -> bool) -> Option<String> {
        let slots: Vec<_> = self.lanes.iter().filter(|(_, lane)| is(lane)).map(|(slot, _)| slot.to_string()).collect();
        (!slots.is_empty()).then(|| format!("lanes {}", shortened(&slots)))
    }
}

/// The first few, and how many more.
fn shortened(words: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN { format!("{shown} and {} more", words.len() - SHOWN) } else { shown }
}

fn cancel(step: &SaleStep, at: Stamp) -> Ask {
    let not_after = at.wall.plus(limits::CANCEL_LAST);
    let SaleStep { sale, price, currency, .. } = step;
    Ask { sale: sale.clone(), what: Asking::Cancel, amount: *price, currency: *currency, not_after }
}

impl Flow for Ledger {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&mut self, key: &str, value: &[u8]) {
        if let Some(sale) = key.strip_prefix("a/sale/") {
            self.load_open(sale, value);
        } else if let Some(slot) = key.strip_prefix("a/lane/") {
            self.load_lane(slot, value);
        }
    }

    fn cares(&self, input: Input<'_>) -> bool {
        let machine = Some(&self.settings.machine);
        match input {
            Input::Event(event) => {
                let said = matches!(event.draft.body, Body::Observed(Observation::Sale(_) | Observation::Stock(_)));
                said && event.draft.device.as_ref() == machine
            }
            Input::Asked(command) => match &command.action {
                Action::StockSet { .. } | Action::LaneClear { .. } => command.device.as_ref() == machine,
                Action::Answer(PaymentAnswer { sale, .. }) | Action::SaleResolve { sale, .. } => {
                    self.open.contains_key(sale)
                }
                _ => false,
            },
            Input::Tick | Input::Connected => {
                self.open.values().any(|open| matches!(open.stage, Stage::Refunding { .. }))
            }
        }
    }

    fn recalls(&self, input: Input<'_>) -> Vec<String> {
        match input {
            Input::Event(Event { draft: Draft { body: Body::Observed(Observation::Sale(step)), .. }, .. })
                if step.step == Step::Refunding || step.step.is_result() =>
            {
                vec![Self::over_key(&step.sale)]
            }
            _ => Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        match input {
            Input::Event(event) => self.event(event, around),
            Input::Asked(command) => self.asked(command, around),
            Input::Tick => self.tick(around, false),
            Input::Connected => self.tick(around, true),
        }
    }

    fn due(&self, at: &Stamp) -> Option<Duration> {
        let due = self.open.values().filter_map(|open| match open.stage {
            Stage::Refunding { next, .. } => Some(next.due(at)),
            Stage::Dispatched | Stage::Unresolved => None,
        });
        due.min()
    }

    fn troubles(&self) -> Vec<Trouble> {
        let unresolved: Vec<_> = self.open.iter().filter(|(_, open)| open.stage == Stage::Unresolved).collect();
        let sales: Vec<_> = unresolved.iter().map(|(sale, _)| sale.to_string()).collect();
        let is_unresolved = |slot: Slot| unresolved.iter().any(|(_, open)| open.last.slot == Some(slot));
        let closed = |status| matches!(status, Some(LaneStatus::Jammed | LaneStatus::Faulty));
        let jammed = self.lanes.iter().filter(|(slot, lane)| {
            (closed(lane.closed) || lane.machine == LaneStatus::Jammed) && !is_unresolved(**slot)
        });
        let jammed: Vec<_> = jammed.map(|(slot, _)| slot.to_string()).collect();
        let found = [
            (Condition::VendUnresolved, (!sales.is_empty()).then(|| format!("sales {}", shortened(&sales)))),
            (Condition::VendJam, (!jammed.is_empty()).then(|| format!("lanes {}", shortened(&jammed)))),
            (Condition::StockLow, self.lanes_that(|lane| lane.count.is_some_and(|count| count <= limits::LOW))),
        ];
        let found = found.into_iter().filter_map(|(condition, detail)| Some((condition, detail?)));
        found.map(|(condition, detail)| Trouble { condition, device: self.settings.machine.clone(), detail }).collect()
    }

    fn lane(&self, device: &DeviceId, slot: Slot) -> Option<Lane> {
        (*device == self.settings.machine).then(|| self.lanes.get(&slot).copied()).flatten()
    }

    fn knows(&self, sale: &SaleId) -> bool {
        self.open.contains_key(sale)
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}
