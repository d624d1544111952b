//! All that a driver may touch.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::{DriverError, Vault, limits};
use crate::clock::Clock;
use crate::observe::DeviceScope;
use crate::types::{
    Action, Assigned, Body, Cause, Class, CodeKind, CommandId, DeviceId, Draft, Ended, Observation, Outcome, Reason,
    Tally,
};

/// A driver's side of the house.
#[derive(Debug)]
pub struct Port {
    observe: Sender<Draft>,
    actions: Receiver<Assigned>,
    /// Actions taken and not yet ended: what a failed driver leaves open.
    taken: BTreeMap<CommandId, Action>,
    /// Orders that a failed run had taken: the next run finds out what became of them.
    unknown: VecDeque<Assigned>,
    /// Payment codes in RAM; a driver lays one down before it says the code's event.
    pub vault: Vault,
    /// Conditions, counters and evidence of this device.
    pub scope: DeviceScope,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the driver shall stop.
    pub stop: CancellationToken,
}

/// The house's side of a port.
#[derive(Debug)]
pub struct PortEnds {
    /// What the device says.
    pub observed: Receiver<Draft>,
    /// What is asked of it.
    pub assign: Sender<Assigned>,
}

/// Makes the two sides of a port.
pub fn port(scope: DeviceScope, clock: Clock, stop: CancellationToken) -> (Port, PortEnds) {
    let (observe, observed) = mpsc::channel(limits::OBSERVATIONS);
    let (assign, actions) = mpsc::channel(limits::ACTIONS);
    let (taken, unknown, vault) = (BTreeMap::new(), VecDeque::new(), Vault::default());
    (Port { observe, actions, taken, unknown, vault, scope, clock, stop }, PortEnds { observed, assign })
}

impl Port {
    /// The device this port belongs to.
    pub fn device(&self) -> &DeviceId {
        self.scope.device()
    }

    /// Says that something happened. Money and records wait when the queue to the journal is full; telemetry is
    /// dropped and counted.
    pub async fn observe(&mut self, observation: Observation) -> Result<(), DriverError> {
        let class = observation.class();
        let ends = self.ends(&observation);
        let cause = ends.map(|command| {
            self.taken.remove(&command);
            Cause::Command(command)
        });
        let id = self.clock.event_id();
        if matches!(&observation, Observation::Code(code) if code.kind == CodeKind::Payment) {
            self.vault.keep(self.scope.device(), id, self.clock.now());
        }
        let draft = Draft {
            id,
            device: Some(self.device().clone()),
            at: self.clock.stamp(),
            cause,
            body: Body::Observed(observation),
        };
        if class != Class::Telemetry {
            return self.observe.send(draft).await.map_err(|_| DriverError::CoreGone);
        }
        match self.observe.try_send(draft) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.scope.count(Tally::ObservationsDropped, 1);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(DriverError::CoreGone),
        }
    }

    /// The command that an observation ends: an outcome names it, what became of an order is known by its sale.
    fn ends(&self, observation: &Observation) -> Option<CommandId> {
        match observation {
            Observation::Ended(outcome) => Some(outcome.command.clone()),
            Observation::Sale(step) if step.step.is_result() => {
                let of_sale = |action: &Action| action.order().is_some_and(|order| order.sale == step.sale);
                self.taken.iter().find(|(_, action)| of_sale(action)).map(|(command, _)| command.clone())
            }
            _ => None,
        }
    }

    /// Ends an action that its driver said nothing about. Of an order that is a step of its sale.
    async fn end(&mut self, command: CommandId, action: &Action, ended: Ended) -> Result<(), DriverError> {
        let observation = match action.order() {
            Some(order) => Observation::Sale(order.ended(&ended)),
            None => Observation::Ended(Outcome { command, ended }),
        };
        self.observe(observation).await
    }

    /// The next action to carry out; one whose time is over is ended here and not given out. Cancel-safe.
    pub async fn next_action(&mut self) -> Result<Assigned, DriverError> {
        loop {
            let assigned = match self.unknown.pop_front() {
                Some(assigned) => assigned,
                None => self.actions.recv().await.ok_or(DriverError::CoreGone)?,
            };
            self.taken.insert(assigned.command.clone(), assigned.action.clone());
            if self.clock.now() < assigned.deadline {
                return Ok(assigned);
            }
            self.end(assigned.command, &assigned.action, Ended::Expired).await?;
        }
    }

    /// Ends every action that waits and was never begun: the device is taken out of service while the gateway goes on.
    /// Nothing new is let in.
    pub async fn turn_away(&mut self) -> Result<(), DriverError> {
        self.actions.close();
        while let Some(assigned) = self.unknown.pop_front() {
            self.taken.insert(assigned.command.clone(), assigned.action.clone());
            let ended = Ended::Indeterminate(Reason::new("device-removed"));
            self.end(assigned.command, &assigned.action, ended).await?;
        }
        while let Some(assigned) = self.actions.recv().await {
            let ended = Ended::Refused(Reason::new("device-removed"));
            self.taken.insert(assigned.command.clone(), assigned.action.clone());
            self.end(assigned.command, &assigned.action, ended).await?;
        }
        Ok(())
    }

    /// Settles every action that a failed driver had taken and not finished. Of an order the next run finds out what
    /// became of it, if the driver can (`recovers`); of everything else nobody can know whether it was done.
    pub async fn abandon(&mut self, recovers: bool) -> Result<(), DriverError> {
        while let Some((command, action)) = self.taken.first_key_value().map(|(c, a)| (c.clone(), a.clone())) {
            match action.order() {
                Some(order) if recovers => {
                    self.taken.remove(&command);
                    let (action, deadline) = (Action::Recover(order.clone()), self.clock.now() + limits::RECOVER);
                    self.unknown.push_back(Assigned { command, action, deadline });
                }
                _ => self.end(command, &action, Ended::Indeterminate(Reason::new("driver-failed"))).await?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::{Board, Conditions, Metrics};
    use crate::types::{Action, Timestamp};

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_device_that_is_taken_away_is_refused_even_if_it_is_just_being_handed_over() {
        let clock = Clock::manual(Timestamp::from_unix_ms(0), 1);
        let conditions = Conditions::new(clock.clone());
        let device = DeviceId::new("scanner-1").unwrap();
        let scope = DeviceScope::new(device, clock.clone(), conditions, Metrics::default(), Board::default());
        let (mut port, mut ends) = port(scope, clock.clone(), CancellationToken::new());
        let assigned = |id: &str| Assigned {
            command: CommandId::new(id).unwrap(),
            action: Action::ScanTrigger { on: true },
            deadline: clock.now() + Duration::from_secs(60),
        };
        ends.assign.try_send(assigned("waits")).unwrap();
        let room = ends.assign.try_reserve().unwrap();
        let late = async {
            tokio::task::yield_now().await;
            room.send(assigned("late"));
        };
        let (turned_away, ()) = tokio::join!(port.turn_away(), late);
        turned_away.unwrap();
        for id in ["waits", "late"] {
            let Body::Observed(Observation::Ended(outcome)) = ends.observed.try_recv().unwrap().body else { panic!() };
            assert_eq!(outcome.command.as_str(), id);
            assert!(matches!(outcome.ended, Ended::Refused(_)), "{outcome:?}");
        }
        assert!(ends.assign.try_reserve().is_err(), "nothing new is let in");
    }
}
