//! Orders on their way into a machine: one at a time, from lanes that may be sold from, each sale once.
//!
//! An order ends by a step of its sale, whatever ends it; the journal ends its command in the same transaction. Before
//! it reaches the machine that step is `refused`, or `refunding` where the cloud has promised money.
//!
//! The record that nobody can know any more is as late as it can be: a driver that can find out what became of an order
//! says `dispatched` itself, and drives its machine when that is on disk. An order that was on its way to the machine
//! when the process died, and of which that was never said, is on its way again afterwards.

use std::collections::BTreeSet;

use super::dispatch::{Decision, Dispatcher, LONGEST_DEADLINE};
use super::shelf::Gate;
use crate::flow::{Ledger, turned_down};
use crate::journal::JournalError;
use crate::types::{
    Action, ActionKind, Assigned, Body, Cause, Class, Command, CommandId, CommandState, Currency, DeviceId, Draft,
    Ended, Observation, Order, Outcome, Reason, SaleStep, Step,
};

/// The machines that have an order in hand.
pub(super) fn busy(open: &[(Command, CommandState)], handed: &BTreeSet<CommandId>) -> BTreeSet<DeviceId> {
    let is_in_hand = |command: &Command, state: &CommandState| {
        command.action.order().is_some() && (*state == CommandState::Dispatched || handed.contains(&command.id))
    };
    let in_hand = open.iter().filter(|(command, state)| is_in_hand(command, state));
    in_hand.filter_map(|(command, _)| command.device.clone()).collect()
}

impl Dispatcher {
    /// An order for which an earlier process had driven the machine, or was about to: its driver finds out what became
    /// of it, if it can; otherwise nobody knows. Never again on a guess.
    pub(super) async fn settle_order(&mut self, command: &Command, order: &Order) -> Result<(), JournalError> {
        let target = self.targets.get(&command.device);
        if target.is_some_and(|target| target.can.contains(&ActionKind::Recover)) {
            self.recovering.insert(command.id.clone());
            return Ok(());
        }
        let order = self.priced(command, order);
        let unknown = self.draft(command, Observation::Sale(order.indeterminate(Reason::new("power-lost"))));
        self.journal.append(vec![unknown]).await.map(drop)
    }

    /// Does what is to be done with an order; `false`: it waits for its machine or for the machine's ledger.
    pub(super) async fn act_on_order(
        &mut self,
        command: &Command,
        order: &Order,
        state: &CommandState,
        busy: &mut BTreeSet<DeviceId>,
    ) -> Result<bool, JournalError> {
        if *state == CommandState::Dispatched {
            return Ok(!self.recovering.contains(&command.id) || self.recover(command, order));
        }
        if self.handed.contains(&command.id) {
            return Ok(true);
        }
        let order = self.priced(command, order);
        if let Decision::End(ended) = self.decide(command) {
            return self.turn_down(command, &order, ended).await.map(|()| true);
        }
        let Some(device) = &command.device else { return Ok(true) };
        let money = self.journal.head().borrow().of(Class::Money).row;
        match self.shelf.gate(device, &order, money) {
            Gate::Behind => return Ok(false),
            Gate::Known => return self.end(command, Ended::Refused(Reason::new("sale-open"))).await.map(|()| true),
            Gate::Closed(_) | Gate::Open if busy.contains(device) => return Ok(false),
            Gate::Closed(reason) => {
                return self.turn_down(command, &order, Ended::Refused(reason)).await.map(|()| true);
            }
            Gate::Open => {}
        }
        let over = self.journal.state(&Ledger::name_of(device), &Ledger::over_key(&order.sale)).await?;
        if over.is_some() {
            return self.end(command, Ended::Refused(Reason::new("sale-over"))).await.map(|()| true);
        }
        let handed = self.hand_over_order(command, &order).await?;
        if handed {
            busy.insert(device.clone());
        }
        Ok(handed)
    }

    /// `dispatched` is on disk, with the step that says so, before the order enters the port of a driver that does not
    /// say it itself.
    async fn hand_over_order(&mut self, command: &Command, order: &Order) -> Result<bool, JournalError> {
        let target = self.targets.get(&command.device);
        let Some(target) = target else { return Ok(false) };
        // Room is reserved first, so that nothing can come between the record and the hand-over.
        let Ok(room) = target.assign.try_reserve() else { return Ok(false) };
        if target.can.contains(&ActionKind::Recover) {
            self.handed.insert(command.id.clone());
        } else {
            let dispatched = self.draft(command, Observation::Sale(order.step(Step::Dispatched)));
            self.journal.dispatch(&command.id, vec![dispatched]).await?;
        }
        let (wall, _) = self.clock.wall();
        let deadline = self.clock.now() + command.not_after.since(wall).min(LONGEST_DEADLINE);
        let action = match &command.action {
            Action::Approve(_) => Action::Approve(order.clone()),
            _ => Action::Dispense(order.clone()),
        };
        room.send(Assigned { command: command.id.clone(), action, deadline });
        Ok(true)
    }

    fn recover(&mut self, command: &Command, order: &Order) -> bool {
        let target = self.targets.get(&command.device);
        let Some(target) = target else { return false };
        let Ok(room) = target.assign.try_reserve() else { return false };
        let action = Action::Recover(self.priced(command, order));
        let deadline = self.clock.now() + LONGEST_DEADLINE;
        room.send(Assigned { command: command.id.clone(), action, deadline });
        self.recovering.remove(&command.id);
        true
    }

    /// Ends an order before it reached its machine: the step of its sale and the end of its command, in one
    /// transaction.
    async fn turn_down(&self, command: &Command, order: &Order, ended: Ended) -> Result<(), JournalError> {
        let reason = match &ended {
            Ended::Refused(reason) | Ended::Failed(reason) | Ended::Indeterminate(reason) => reason.clone(),
            Ended::Expired | Ended::Done => Reason::new(ended.as_str()),
        };
        let step: SaleStep = turned_down(order, reason);
        let outcome = Outcome { command: command.id.clone(), ended };
        let drafts = [Observation::Sale(step), Observation::Ended(outcome)];
        self.journal.append(drafts.map(|said| self.draft(command, said)).into()).await.map(drop)
    }

    /// An order that names no currency is in the machine's.
    fn priced(&self, command: &Command, order: &Order) -> Order {
        let target = self.targets.get(&command.device);
        let currency = match target {
            Some(target) if order.currency == Currency::NONE => target.currency,
            _ => order.currency,
        };
        Order { currency, ..order.clone() }
    }

    fn draft(&self, command: &Command, said: Observation) -> Draft {
        Draft {
            id: self.clock.event_id(),
            device: command.device.clone(),
            at: self.clock.stamp(),
            cause: Some(Cause::Command(command.id.clone())),
            body: Body::Observed(said),
        }
    }
}
