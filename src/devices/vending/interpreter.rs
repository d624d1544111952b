//! The house's words in the place of the wire's.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use crate::clock::Clock;
use crate::device::Port;
use crate::observe::DeviceScope;
use crate::types::{
    Action, Assigned, Cash, CommandId, Condition, Currency, Ended, Minor, Observation, Order, Outcome, Payment, Reason,
    SaleId, SaleStep, Selection, Slot, Step, Stock,
};
use crate::wire::vend::{Dispense, Dispensed, Heard, VendAction};
use crate::wire::{Input, Machine, Output, Showing, Way};

/// Orders whose truth may still come late.
const LATE: usize = 8;
/// Lanes whose last report is remembered, so that the same is said once.
const LANES: usize = 1000;

/// What this shop has settled about its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shop {
    /// Of its prices.
    pub(super) currency: Currency,
    /// Whether an order that does not say watches the drop sensor.
    pub(super) drop_sensor: bool,
}

/// A dialect's machine that speaks the house's words.
pub(super) struct Interpreter<M> {
    machine: M,
    shop: Shop,
    scope: DeviceScope,
    clock: Clock,
    /// Orders in the machine.
    orders: BTreeMap<CommandId, Order>,
    /// Orders that ended as indeterminate.
    late: VecDeque<(CommandId, Order)>,
    /// The sale of what a shopper chose at a machine whose card reader we are.
    choice: Option<SaleId>,
    lanes: BTreeMap<Slot, Stock>,
    /// An action that never reached the machine.
    turned_away: Option<Observation>,
}

impl<M> Interpreter<M> {
    /// A new run begins: what the last one complained of is not known any more.
    pub(super) fn new(machine: M, shop: Shop, port: &Port) -> Self {
        let (scope, clock) = (port.scope.clone(), port.clock.clone());
        for condition in [Condition::LineNoise, Condition::DeviceSilent] {
            scope.condition(condition, false, None);
        }
        Self {
            machine,
            shop,
            scope,
            clock,
            orders: BTreeMap::new(),
            late: VecDeque::new(),
            choice: None,
            lanes: BTreeMap::new(),
            turned_away: None,
        }
    }

    /// What the machine is to do; `Err`: the action ends here.
    fn asked(&mut self, assigned: Assigned) -> Result<VendAction, Observation> {
        let Assigned { command, action, deadline } = assigned;
        let refused = |command, why| Observation::Ended(Outcome { command, ended: Ended::Refused(Reason::new(why)) });
        match action {
            Action::Dispense(order) => self.ordered(command, order, deadline).map(VendAction::Dispense),
            Action::Approve(order) => self.ordered(command, order, deadline).map(VendAction::Approve),
            Action::Recover(order) => {
                let slot = order.slot.0;
                self.orders.insert(command.clone(), order);
                Ok(VendAction::Recover { command, slot })
            }
            Action::Deny { sale, .. } if self.choice.as_ref() == Some(&sale) => {
                self.choice = None;
                Ok(VendAction::Decline { command })
            }
            Action::Deny { .. } => Err(refused(command, "no-choice")),
            Action::Charge(order) => match u32::try_from(order.price.0) {
                Ok(price_minor) => Ok(VendAction::Charge { command, slot: order.slot.0, price_minor }),
                Err(_) => Err(refused(command, "price")),
            },
            Action::ChargeEnd { dispensed, .. } => Ok(VendAction::EndCharge { command, dispensed }),
            Action::JamClear { .. } => Ok(VendAction::ClearJam { command }),
            Action::StockWrite { slot, count } => Ok(VendAction::WriteStock { command, slot: slot.0, count }),
            _ => Err(refused(command, "not-supported")),
        }
    }

    fn ordered(&mut self, command: CommandId, order: Order, until: Instant) -> Result<Dispense, Observation> {
        let Ok(price_minor) = u32::try_from(order.price.0) else {
            return Err(Observation::Sale(order.failed(Reason::new("price"))));
        };
        if self.choice.as_ref() == Some(&order.sale) {
            self.choice = None;
        }
        let (slot, drop_sensor) = (order.slot.0, order.drop_sensor.unwrap_or(self.shop.drop_sensor));
        self.orders.insert(command.clone(), order);
        Ok(Dispense { command, slot, price_minor, drop_sensor, until })
    }

    /// What is said of it; `None`: nothing new.
    fn heard(&mut self, heard: Heard) -> Option<Observation> {
        Some(match heard {
            Heard::Driving(command) => Observation::Sale(self.orders.get(&command)?.step(Step::Dispatched)),
            Heard::Dispensed(dispensed) => Observation::Sale(self.ended(dispensed)?),
            Heard::Late(dispensed) => Observation::Sale(self.ended_late(&dispensed)?),
            Heard::Unasked { slot, ended } => Observation::Sale(self.unasked(slot.map(Slot), &ended)?),
            Heard::Ended(outcome) => Observation::Ended(outcome),
            Heard::Stock(stock) => Observation::Stock(self.lane(stock)?),
            Heard::Cash { kind, amount_minor } => {
                let (amount, currency) = (Minor(i64::from(amount_minor)), self.shop.currency);
                Observation::Cash(Cash { kind, amount, currency })
            }
            Heard::Machine(status) => Observation::Machine(status),
            Heard::Selection(slot) => Observation::Selection(Selection { slot: slot.map(Slot) }),
            Heard::Chosen { slot, price_minor } => Observation::Sale(self.chosen(Slot(slot), price_minor)?),
            Heard::ChoiceGone => {
                self.choice = None;
                Observation::Selection(Selection { slot: None })
            }
        })
    }

    /// The one step that answers an order.
    fn ended(&mut self, dispensed: Dispensed) -> Option<SaleStep> {
        let order = self.orders.remove(&dispensed.command)?;
        let step = answer(&order, &dispensed);
        let word = step.step.as_str();
        self.scope.evidence(&format!("lane {}: {word}", order.slot));
        if step.step == Step::Indeterminate {
            if self.late.len() == LATE {
                self.late.pop_front();
            }
            self.late.push_back((dispensed.command, order));
        }
        Some(step)
    }

    /// The machine says after all what became of an order that nobody knew of.
    fn ended_late(&mut self, dispensed: &Dispensed) -> Option<SaleStep> {
        let place = self.late.iter().position(|(command, _)| *command == dispensed.command)?;
        let (_, order) = self.late.remove(place)?;
        let step = answer(&order, dispensed);
        Some(SaleStep { reason: step.reason.clone().or_else(|| Some(Reason::new("late-result"))), ..step })
    }

    /// The machine sold by itself, and keeps its own account of the money.
    fn unasked(&self, slot: Option<Slot>, ended: &Ended) -> Option<SaleStep> {
        let price = slot.and_then(|slot| self.lanes.get(&slot)).and_then(|lane| lane.price).unwrap_or(Minor::ZERO);
        let order = Order { payment: Payment::Machine, ..self.order(slot.unwrap_or(Slot(0)), price)? };
        Some(SaleStep { slot, ..order.ended(ended) })
    }

    /// A shopper has chosen at a machine whose card reader we are.
    fn chosen(&mut self, slot: Slot, price_minor: u32) -> Option<SaleStep> {
        let order = self.order(slot, Minor(i64::from(price_minor)))?;
        self.choice = Some(order.sale.clone());
        Some(order.step(Step::Requested))
    }

    /// An order that begins at the machine.
    fn order(&self, slot: Slot, price: Minor) -> Option<Order> {
        let sale = SaleId::new(&self.clock.random_uuid().to_string()).ok()?;
        let (currency, payment) = (self.shop.currency, Payment::Cloud);
        Some(Order { sale, slot, price, currency, payment, drop_sensor: None })
    }

    /// A lane's report, when it says something new.
    fn lane(&mut self, stock: Stock) -> Option<Stock> {
        if self.lanes.get(&stock.slot) == Some(&stock) {
            return None;
        }
        if self.lanes.len() < LANES || self.lanes.contains_key(&stock.slot) {
            self.lanes.insert(stock.slot, stock.clone());
        }
        Some(stock)
    }
}

fn answer(order: &Order, dispensed: &Dispensed) -> SaleStep {
    let step = order.ended(&dispensed.ended);
    let rule = dispensed.rule.map(Reason::new);
    SaleStep { dropped: dispensed.dropped, reason: step.reason.or(rule), ..step }
}

impl<M: Machine<Action = VendAction, Observation = Heard>> Machine for Interpreter<M> {
    type Action = Assigned;
    type Observation = Observation;
    type Error = M::Error;

    fn handle(&mut self, now: Instant, input: Input<'_, Assigned>) -> Result<(), M::Error> {
        let input = match input {
            Input::Bytes(bytes) => Input::Bytes(bytes),
            Input::Tick => Input::Tick,
            Input::Action(assigned) => match self.asked(assigned) {
                Ok(action) => Input::Action(action),
                Err(observation) => {
                    self.turned_away = Some(observation);
                    return Ok(());
                }
            },
        };
        self.machine.handle(now, input)
    }

    fn poll(&mut self) -> Option<Output<Observation>> {
        if let Some(observation) = self.turned_away.take() {
            return Some(Output::Observe(observation));
        }
        loop {
            return Some(match self.machine.poll()? {
                Output::Send(bytes) => Output::Send(bytes),
                Output::Observe(heard) => match self.heard(heard) {
                    Some(observation) => Output::Observe(observation),
                    None => continue,
                },
                Output::Health(condition, raised) => Output::Health(condition, raised),
                Output::Count(tally, count) => Output::Count(tally, count),
            });
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn in_flight(&self) -> bool {
        self.machine.in_flight()
    }

    fn awaits_storage(&self) -> bool {
        self.machine.awaits_storage()
    }

    fn stored(&mut self, now: Instant) {
        self.machine.stored(now);
    }

    fn shows(&self, way: Way) -> Showing {
        self.machine.shows(way)
    }
}
