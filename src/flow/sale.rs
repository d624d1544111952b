//! The first half of a sale at a station: who wants what, and whether the money is promised.
//!
//! ```text
//! payment code ─▶ requested ─▶ asked ─▶ authorised ─▶ the machine is told to dispense
//!                                │  └──▶ refused: the shopper pays nothing
//!                                └─▶ no answer: asked whether it is paid, every few seconds
//!                                      └─▶ the window is over: cancelled, whatever comes later
//! ```
//!
//! A shopper can also choose at a machine whose card reader the gateway is: then the sale waits for the payment code
//! (or is asked for at once where the station has no scanner), and is approved or denied at the machine. One sale at a
//! time.

use std::time::Duration;

use super::form::{self, CurrentForm, OrderForm};
use super::{Around, Ask, Asking, Deadline, Effects, Flow, Input, derived, derived_command, limits};
use crate::types::{
    Action, Body, Cause, CodeKind, Command, Currency, DeviceId, Draft, Ended, Event, EventId, Minor, Observation,
    Order, Origin, Payment, PaymentAnswer, Reason, Said, SaleId, SaleStep, Slot, Stamp, StationId, Step,
};

/// Of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleSettings {
    /// The station.
    pub station: StationId,
    /// Its machine.
    pub machine: DeviceId,
    /// Its scanner, if it has one.
    pub scanner: Option<DeviceId>,
    /// The machine's currency.
    pub currency: Currency,
    /// The lane that is sold when nothing was chosen at the machine.
    pub slot: Option<Slot>,
    /// The price, where the machine does not say it.
    pub price: Option<Minor>,
    /// How it is paid: by the cloud, or not at all.
    pub payment: Payment,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct SaleFlow {
    settings: SaleSettings,
    name: String,
    current: Option<Current>,
    /// What was chosen at the machine, until when it counts. Lost with the process.
    chosen: Option<(Slot, Deadline)>,
}

/// The sale that is going on.
#[derive(Debug, Clone)]
struct Current {
    order: Order,
    /// What ids derive from: the scan, or the machine's request.
    seed: EventId,
    stage: Stage,
    /// Whether the shopper chose at a machine whose card reader the gateway is.
    session: bool,
    window: Deadline,
    next: Deadline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the payment code.
    Waiting,
    /// For the answer to the first question.
    Asking,
    /// For the answer whether it is paid.
    Querying,
    /// For the machine.
    Approved,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Asking, Self::Querying, Self::Approved];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Asking => "asking",
            Self::Querying => "querying",
            Self::Approved => "approved",
        }
    }
}

impl SaleFlow {
    /// Where nobody buys yet.
    pub fn new(settings: SaleSettings) -> Self {
        let name = format!("station.{}", settings.station);
        Self { settings, name, current: None, chosen: None }
    }

    fn event(&mut self, event: &Event, around: &Around<'_>) -> Effects {
        match &event.draft.body {
            Body::Observed(Observation::Code(_)) if !around.is_stale(event) => self.scanned(event, around),
            Body::Observed(Observation::Selection(selection)) if !around.is_stale(event) => {
                self.chosen = selection.slot.map(|slot| (slot, Deadline::after(&around.at, limits::SELECTION)));
                if selection.slot.is_none() { self.taken_back(around.at) } else { Effects::default() }
            }
            Body::Observed(Observation::Sale(step)) => self.step(event, step, around),
            _ => Effects::default(),
        }
    }

    /// A payment code pays for the session that waits, or for what was chosen.
    fn scanned(&mut self, event: &Event, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let seed = event.draft.id;
        if let Some(current) = self.current.as_mut().filter(|current| current.stage == Stage::Waiting) {
            let order = current.order.clone();
            self.ask_for(&order, Some(seed), around, &mut effects);
            return effects;
        }
        let Ok(sale) = SaleId::new(&seed.to_string()) else { return effects };
        let slot = self.chosen.filter(|(_, until)| !until.has_come(&around.at)).map(|(slot, _)| slot);
        let offer = self.offer(sale, slot.or(self.settings.slot), around);
        let step = |order: &Order, reason: Option<&Reason>| {
            let step = if reason.is_some() { Step::Refused } else { Step::Requested };
            SaleStep { reason: reason.cloned(), ..order.step(step) }
        };
        match offer {
            Err(refused) => self.says(seed, &Cause::Event(seed), *refused, around.at, &mut effects),
            Ok(order) => {
                let busy = self.current.is_some().then(|| Reason::new("busy"));
                let away = (!around.online && order.payment == Payment::Cloud).then(|| Reason::new("cloud-away"));
                let reason = busy.or(away);
                self.says(seed, &Cause::Event(seed), step(&order, reason.as_ref()), around.at, &mut effects);
                if reason.is_none() {
                    self.chosen = None;
                    self.begin(order.clone(), seed, false, around.at);
                    self.ask_for(&order, Some(seed), around, &mut effects);
                }
            }
        }
        effects
    }

    /// What is sold, or the step that says why nothing is.
    fn offer(&self, sale: SaleId, slot: Option<Slot>, around: &Around<'_>) -> Result<Order, Box<SaleStep>> {
        let SaleSettings { machine, currency, payment, price, .. } = &self.settings;
        let lane = slot.and_then(|slot| (around.lanes)(machine, slot));
        let price = lane.and_then(|lane| lane.price).or(*price);
        let order = Order {
            sale,
            slot: slot.unwrap_or(Slot(0)),
            price: if *payment == Payment::Free { Minor::ZERO } else { price.unwrap_or_default() },
            currency: *currency,
            payment: *payment,
            drop_sensor: None,
        };
        let refused = |reason| {
            let step = order.step(Step::Refused);
            Box::new(SaleStep { slot, reason: Some(reason), ..step })
        };
        if slot.is_none() {
            return Err(refused(Reason::new("nothing-selected")));
        }
        if let Some(reason) = lane.and_then(|lane| lane.refuses()) {
            return Err(refused(reason));
        }
        if price.is_none_or(|price| price.0 <= 0) && *payment != Payment::Free {
            return Err(refused(Reason::new("no-price")));
        }
        Ok(order)
    }

    fn begin(&mut self, order: Order, seed: EventId, session: bool, at: Stamp) {
        let window = Deadline::after(&at, limits::WINDOW);
        self.current = Some(Current { order, seed, stage: Stage::Waiting, session, window, next: window });
    }

    /// Asks for the money; nobody has to be asked for a sample.
    fn ask_for(&mut self, order: &Order, scan: Option<EventId>, around: &Around<'_>, effects: &mut Effects) {
        let Some(current) = &mut self.current else { return };
        current.stage = Stage::Asking;
        current.next = Deadline::after(&around.at, limits::ANSWER);
        if order.payment == Payment::Free {
            let cause = Cause::Event(scan.unwrap_or(current.seed));
            self.approve(&cause, None, around.at, effects);
        } else {
            effects.asks.push(ask(order, Asking::Authorise(scan), around.at));
            self.keep(effects);
        }
    }

    /// A step of a sale at our machine: a shopper's choice there, or that our sale is over.
    fn step(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        if self.current.as_ref().is_some_and(|current| current.order.sale == step.sale) {
            let over = matches!(
                step.step,
                Step::Settled | Step::Refunding | Step::Refunded | Step::Refused | Step::Indeterminate
            );
            if over {
                self.current = None;
                self.keep(&mut effects);
            }
        } else if step.step == Step::Requested && event.draft.cause.is_none() {
            self.session(event, step, around, &mut effects);
        }
        effects
    }

    fn session(&mut self, event: &Event, step: &SaleStep, around: &Around<'_>, effects: &mut Effects) {
        let seed = event.draft.id;
        let order = Order {
            sale: step.sale.clone(),
            slot: step.slot.unwrap_or(Slot(0)),
            price: step.price,
            currency: if step.currency == Currency::NONE { self.settings.currency } else { step.currency },
            payment: self.settings.payment,
            drop_sensor: None,
        };
        let stale = around.is_stale(event).then_some("stale");
        let busy = self.current.is_some().then_some("busy");
        let away = (!around.online && order.payment == Payment::Cloud).then_some("cloud-away");
        let lane = step.slot.and_then(|slot| (around.lanes)(&self.settings.machine, slot));
        let closed = lane.and_then(|lane| lane.refuses());
        let reason = stale.or(busy).or(away).map(Reason::new).or(closed);
        if let Some(reason) = reason {
            self.deny(&order.sale, seed, &reason, around.at, effects);
            let refused = SaleStep { reason: Some(reason), slot: step.slot, ..order.step(Step::Refused) };
            self.says(seed, &Cause::Event(seed), refused, around.at, effects);
            return;
        }
        self.begin(order.clone(), seed, true, around.at);
        if self.settings.scanner.is_none() {
            self.ask_for(&order, None, around, effects);
        } else {
            self.keep(effects);
        }
    }

    fn asked(&mut self, command: &Command, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let Action::Answer(answer) = &command.action else { return effects };
        let waits = self.current.as_ref().filter(|current| current.order.sale == answer.sale).map(|c| c.stage);
        let cause = Cause::Command(command.id.clone());
        let ended = match (waits, answer.said) {
            (Some(Stage::Asking | Stage::Querying), Said::Authorised(true) | Said::Queried(Some(true))) => {
                self.approve(&cause, answer.provider_ref.clone(), around.at, &mut effects);
                Ended::Done
            }
            (Some(Stage::Asking | Stage::Querying), Said::Authorised(false)) => {
                self.refuse(&cause, answer, around.at, &mut effects);
                Ended::Done
            }
            // Not paid yet is not a refusal: the shopper may still be typing the password.
            (Some(Stage::Asking | Stage::Querying), Said::Queried(_)) => Ended::Done,
            (Some(Stage::Waiting), _) => Ended::Refused(Reason::new("not-asked")),
            (Some(_), _) => Ended::Refused(Reason::new("sale-decided")),
            (None, _) => Ended::Refused(Reason::new("unknown-sale")),
        };
        effects.end(command, ended, around.at);
        effects
    }

    fn approve(&mut self, cause: &Cause, provider_ref: Option<String>, at: Stamp, effects: &mut Effects) {
        let Some(current) = &mut self.current else { return };
        current.stage = Stage::Approved;
        let (order, seed) = (current.order.clone(), current.seed);
        let action = if current.session { Action::Approve(order.clone()) } else { Action::Dispense(order.clone()) };
        let authorised = SaleStep { provider_ref, ..order.step(Step::Authorised) };
        self.says(seed, cause, authorised, at, effects);
        self.tells(action, seed, at, effects);
        self.keep(effects);
    }

    fn refuse(&mut self, cause: &Cause, answer: &PaymentAnswer, at: Stamp, effects: &mut Effects) {
        let Some(Current { order, seed, session, .. }) = self.current.take() else { return };
        let reason = answer.reason.clone().unwrap_or_else(|| Reason::new("denied"));
        if session {
            self.deny(&order.sale, seed, &reason, at, effects);
        }
        let provider_ref = answer.provider_ref.clone();
        let refused = SaleStep { reason: Some(reason), provider_ref, ..order.step(Step::Refused) };
        self.says(seed, cause, refused, at, effects);
        self.keep(effects);
    }

    /// Asks again, or gives up when the window is over: what may have been paid is taken back, whatever comes later.
    fn tick(&mut self, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let Some(current) = &mut self.current else { return effects };
        if current.stage == Stage::Approved {
            return effects;
        }
        if current.window.has_come(&around.at) {
            self.over(None, around.at, &mut effects);
        } else if current.next.has_come(&around.at) {
            current.next = Deadline::after(&around.at, limits::QUERY);
            if current.stage != Stage::Waiting {
                current.stage = Stage::Querying;
                effects.asks.push(ask(&current.order, Asking::Query, around.at));
            }
            self.keep(&mut effects);
        }
        effects
    }

    /// The shopper took back what they had chosen at the machine, or the machine did.
    fn taken_back(&mut self, at: Stamp) -> Effects {
        let mut effects = Effects::default();
        if self.current.as_ref().is_some_and(|current| current.session && current.stage != Stage::Approved) {
            self.over(Some("choice-gone"), at, &mut effects);
        }
        effects
    }

    /// The end of a sale that nobody has promised the money for; what may have been paid goes back.
    fn over(&mut self, why: Option<&str>, at: Stamp, effects: &mut Effects) {
        let Some(Current { order, seed, session, stage, .. }) = self.current.take() else { return };
        let (step, otherwise) = match stage {
            Stage::Waiting => (Step::Refused, "no-payment"),
            _ => (Step::Refunding, "payment-unknown"),
        };
        let reason = Reason::new(why.unwrap_or(otherwise));
        if session {
            self.deny(&order.sale, seed, &reason, at, effects);
        }
        let over = SaleStep { reason: Some(reason), ..order.step(step) };
        self.says(seed, &Cause::Event(seed), over, at, effects);
        self.keep(effects);
    }

    fn deny(&self, sale: &SaleId, seed: EventId, reason: &Reason, at: Stamp, effects: &mut Effects) {
        self.tells(Action::Deny { sale: sale.clone(), reason: reason.clone() }, seed, at, effects);
    }

    fn tells(&self, action: Action, seed: EventId, at: Stamp, effects: &mut Effects) {
        let Some(id) = derived_command(seed, action.kind().as_str()) else { return };
        let (device, not_after) = (Some(self.settings.machine.clone()), at.wall.plus(limits::DISPENSE));
        effects.commands.push(Command { id, device, action, not_after, origin: Origin::Flow });
    }

    fn says(&self, seed: EventId, cause: &Cause, step: SaleStep, at: Stamp, effects: &mut Effects) {
        let id = EventId(derived(&seed.to_string(), step.step.as_str()));
        let (device, body) = (Some(self.settings.machine.clone()), Body::Observed(Observation::Sale(step)));
        effects.events.push(Draft { id, device, at, cause: Some(cause.clone()), body });
    }

    fn keep(&self, effects: &mut Effects) {
        let value = self.current.as_ref().and_then(|current| {
            let Order { sale, slot, price, currency, payment, .. } = &current.order;
            form::write(&CurrentForm {
                sale: sale.to_string(),
                order: OrderForm::of(Some(*slot), *price, *currency, *payment),
                seed: current.seed.0,
                stage: current.stage.as_str().to_owned(),
                session: current.session,
                window: current.window.into(),
                next: current.next.into(),
            })
        });
        effects.put("a/current".to_owned(), value);
    }

    fn load_current(&mut self, value: &[u8]) -> Option<()> {
        let form: CurrentForm = form::read(value)?;
        let (slot, price, currency, payment) = form.order.terms()?;
        let sale = SaleId::new(&form.sale).ok()?;
        self.current = Some(Current {
            order: Order { sale, slot: slot?, price, currency, payment, drop_sensor: None },
            seed: form::seed(form.seed),
            stage: Stage::ALL.into_iter().find(|stage| stage.as_str() == form.stage)?,
            session: form.session,
            window: form.window.deadline(),
            next: form.next.deadline(),
        });
        Some(())
    }

    fn is_ours(&self, event: &Event) -> bool {
        let SaleSettings { machine, scanner, .. } = &self.settings;
        let from = event.draft.device.as_ref();
        match &event.draft.body {
            Body::Observed(Observation::Code(code)) => {
                code.kind == CodeKind::Payment && from.is_some() && from == scanner.as_ref()
            }
            Body::Observed(Observation::Selection(_) | Observation::Sale(_)) => from == Some(machine),
            _ => false,
        }
    }
}

fn ask(order: &Order, what: Asking, at: Stamp) -> Ask {
    let not_after = at.wall.plus(limits::WINDOW);
    Ask { sale: order.sale.clone(), what, amount: order.price, currency: order.currency, not_after }
}

impl Flow for SaleFlow {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&mut self, key: &str, value: &[u8]) {
        if key == "a/current" {
            self.load_current(value);
        }
    }

    fn cares(&self, input: Input<'_>) -> bool {
        match input {
            Input::Event(event) => self.is_ours(event),
            Input::Asked(Command { action: Action::Answer(answer), .. }) => {
                self.current.as_ref().is_some_and(|current| current.order.sale == answer.sale)
            }
            Input::Asked(_) | Input::Connected => false,
            Input::Tick => self.current.is_some(),
        }
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        match input {
            Input::Event(event) => self.event(event, around),
            Input::Asked(command) => self.asked(command, around),
            Input::Tick => self.tick(around),
            Input::Connected => Effects::default(),
        }
    }

    fn due(&self, at: &Stamp) -> Option<Duration> {
        let current = self.current.as_ref().filter(|current| current.stage != Stage::Approved)?;
        Some(current.window.due(at).min(current.next.due(at)))
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}
