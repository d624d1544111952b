//! All that a driver may touch.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Commons, DriverError, Members, Once, Vault, limits};
use crate::clock::Clock;
use crate::observe::DeviceScope;
use crate::transport::{Glass, Seats};
use crate::types::{
    Action, Assigned, Body, Cause, Class, CodeKind, CommandId, DeviceId, Draft, Ended, Observation, Outcome, Reason,
    SaleId, StationId, Step, Tally,
};

/// A driver's side of the house.
#[derive(Debug)]
pub struct Port {
    observe: Sender<Draft>,
    /// What found no room in the queue to the journal, in order.
    behind: VecDeque<Draft>,
    /// How many observations were said, and how many of them the journal has.
    said: u64,
    stored: watch::Receiver<u64>,
    actions: Receiver<Assigned>,
    /// Actions taken and not yet ended: what a failed driver leaves open.
    taken: BTreeMap<CommandId, Taken>,
    /// Orders that a failed run had taken, for the next run: it finds out what became of those that a machine was
    /// driven for, and begins the others.
    left: VecDeque<Assigned>,
    /// Payment codes in RAM; a driver lays one down before it says the code's event.
    pub vault: Vault,
    /// Members who consented, for cameras.
    pub members: Members,
    /// Where the pages of screens sit.
    pub seats: Seats,
    /// What was let in once.
    pub once: Once,
    /// What devices of its kind share.
    pub commons: Commons,
    /// Of a mirror's camera: where its pictures go, on this machine.
    pub glass: Option<Arc<Glass>>,
    /// The station that the device belongs to as its camera.
    pub station: Option<StationId>,
    /// Conditions, counters and evidence of this device.
    pub scope: DeviceScope,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the driver shall stop.
    pub stop: CancellationToken,
}

/// An action in the driver's hands.
#[derive(Debug)]
struct Taken {
    assigned: Assigned,
    /// Of an order: whether the driver has said that the machine is about to move. Before that nothing has.
    driven: bool,
}

impl Taken {
    fn new(assigned: Assigned) -> Self {
        let driven = matches!(assigned.action, Action::Recover(_));
        Self { assigned, driven }
    }
}

/// The house's side of a port.
#[derive(Debug)]
pub struct PortEnds {
    /// What the device says.
    pub observed: Receiver<Draft>,
    /// How many of them are on disk: whoever stores them says so.
    pub stored: watch::Sender<u64>,
    /// What is asked of it.
    pub assign: Sender<Assigned>,
}

/// Makes the two sides of a port.
pub fn port(scope: DeviceScope, clock: Clock, stop: CancellationToken) -> (Port, PortEnds) {
    let (observe, observed) = mpsc::channel(limits::OBSERVATIONS);
    let (assign, actions) = mpsc::channel(limits::ACTIONS);
    let (storing, stored) = watch::channel(0);
    let (behind, left) = (VecDeque::new(), VecDeque::new());
    let (taken, vault, said) = (BTreeMap::new(), Vault::default(), 0);
    let (members, seats, once, station) = (Members::default(), Seats::default(), Once::default(), None);
    let commons = Commons::default();
    let port = Port {
        observe,
        behind,
        said,
        stored,
        actions,
        taken,
        left,
        vault,
        members,
        seats,
        once,
        commons,
        glass: None,
        station,
        scope,
        clock,
        stop,
    };
    (port, PortEnds { observed, stored: storing, assign })
}

impl Port {
    /// The device this port belongs to.
    pub fn device(&self) -> &DeviceId {
        self.scope.device()
    }

    /// Says that something happened, and waits while the queue to the journal is full.
    pub async fn observe(&mut self, observation: Observation) -> Result<(), DriverError> {
        self.say(observation)?;
        while self.is_behind() {
            self.catch_up().await?;
        }
        Ok(())
    }

    /// Says that something happened, at once. When the queue to the journal is full, telemetry is dropped and counted,
    /// and everything else waits here: the driver lets nothing new begin while the port [is behind](Self::is_behind).
    pub(super) fn say(&mut self, observation: Observation) -> Result<(), DriverError> {
        let is_telemetry = observation.class() == Class::Telemetry;
        let draft = self.draft(observation);
        let full = match self.is_behind() {
            true => draft,
            false => match self.observe.try_send(draft) {
                Ok(()) => {
                    self.said += 1;
                    return Ok(());
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(DriverError::CoreGone),
                Err(mpsc::error::TrySendError::Full(draft)) => draft,
            },
        };
        if is_telemetry {
            self.scope.count(Tally::ObservationsDropped, 1);
        } else {
            self.said += 1;
            self.behind.push_back(full);
        }
        Ok(())
    }

    fn draft(&mut self, observation: Observation) -> Draft {
        let cause = self.cause(&observation).map(Cause::Command);
        let id = self.clock.event_id();
        if matches!(&observation, Observation::Code(code) if code.kind == CodeKind::Payment) {
            self.vault.keep(self.scope.device(), id, self.clock.now());
        }
        let (device, at) = (Some(self.device().clone()), self.clock.stamp());
        Draft { id, device, at, cause, body: Body::Observed(observation) }
    }

    /// Whether something that was said waits for room in the queue to the journal.
    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether so much waits that nothing more should be read.
    pub(super) fn is_far_behind(&self) -> bool {
        self.behind.len() >= limits::OBSERVATIONS_BEHIND
    }

    /// Moves one observation that waits into the queue. Cancel-safe.
    async fn catch_up(&mut self) -> Result<(), DriverError> {
        let room = self.observe.reserve().await.map_err(|_| DriverError::CoreGone)?;
        if let Some(draft) = self.behind.pop_front() {
            room.send(draft);
        }
        Ok(())
    }

    /// The next action to carry out, if the device is `idle` and nothing that was said waits; otherwise what waits
    /// goes on its way. Cancel-safe.
    pub(super) async fn attend(&mut self, idle: bool) -> Result<Option<Assigned>, DriverError> {
        if self.is_behind() {
            return self.catch_up().await.map(|()| None);
        }
        if idle {
            return self.next_action().await.map(Some);
        }
        std::future::pending().await
    }

    /// A number for [`Storing::reached`]: all that was said so far.
    pub(super) fn said(&self) -> u64 {
        self.said
    }

    /// Waits until all that was said is on disk. For ever, when nobody stores it any more. Cancel-safe.
    pub async fn all_stored(&self) {
        self.storing().reached(self.said()).await;
    }

    /// What the journal has.
    pub(super) fn storing(&self) -> Storing {
        Storing(self.stored.clone())
    }

    /// The command that an observation ends, or begins to carry out: an outcome names it, an order is known by its
    /// sale.
    fn cause(&mut self, observation: &Observation) -> Option<CommandId> {
        match observation {
            Observation::Ended(outcome) => {
                self.taken.remove(&outcome.command);
                Some(outcome.command.clone())
            }
            Observation::Sale(step) if step.step.is_result() => {
                let command = self.taken_for(&step.sale)?;
                self.taken.remove(&command);
                Some(command)
            }
            Observation::Sale(step) if step.step == Step::Dispatched => {
                let command = self.taken_for(&step.sale)?;
                self.taken.get_mut(&command)?.driven = true;
                Some(command)
            }
            _ => None,
        }
    }

    fn taken_for(&self, sale: &SaleId) -> Option<CommandId> {
        let of_sale = |taken: &Taken| taken.assigned.action.order().is_some_and(|order| order.sale == *sale);
        self.taken.iter().find(|(_, taken)| of_sale(taken)).map(|(command, _)| command.clone())
    }

    /// Ends an action that its driver said nothing about. Of an order that is a step of its sale.
    async fn end(&mut self, Assigned { command, action, .. }: Assigned, ended: Ended) -> Result<(), DriverError> {
        let observation = match action.order() {
            Some(order) => Observation::Sale(order.ended(&ended)),
            None => Observation::Ended(Outcome { command, ended }),
        };
        self.observe(observation).await
    }

    /// Ends an action that was not begun in this run: nothing has moved for it, unless an earlier run had driven it.
    async fn end_unbegun(&mut self, assigned: Assigned, ended: Ended) -> Result<(), DriverError> {
        let taken = Taken::new(assigned.clone());
        let ended = match ended {
            Ended::Expired if taken.driven => Ended::Indeterminate(Reason::new("device-away")),
            Ended::Refused(why) if taken.driven => Ended::Indeterminate(why),
            ended => ended,
        };
        self.taken.insert(assigned.command.clone(), taken);
        self.end(assigned, ended).await
    }

    /// The next action to carry out; one whose time is over is ended here and not given out. Cancel-safe.
    pub async fn next_action(&mut self) -> Result<Assigned, DriverError> {
        loop {
            let assigned = match self.left.pop_front() {
                Some(assigned) => assigned,
                None => self.actions.recv().await.ok_or(DriverError::CoreGone)?,
            };
            if self.clock.now() < assigned.deadline {
                self.taken.insert(assigned.command.clone(), Taken::new(assigned.clone()));
                return Ok(assigned);
            }
            self.end_unbegun(assigned, Ended::Expired).await?;
        }
    }

    /// Ends every action that waits and was never begun: the device is taken out of service while the gateway goes on.
    /// Nothing new is let in.
    pub async fn turn_away(&mut self) -> Result<(), DriverError> {
        self.actions.close();
        let removed = || Ended::Refused(Reason::new("device-removed"));
        while let Some(assigned) = self.left.pop_front() {
            self.end_unbegun(assigned, removed()).await?;
        }
        while let Some(assigned) = self.actions.recv().await {
            self.end_unbegun(assigned, removed()).await?;
        }
        Ok(())
    }

    /// Settles every action that a failed driver had taken and not finished. Of an order that a machine was driven for
    /// the next run finds out what became of it, if the driver can (`recovers`), and one that it was not driven for is
    /// begun by the next run; of everything else nobody can know whether it was done.
    ///
    /// What the run has said and the queue to the journal had no room for goes on its way first.
    pub async fn abandon(&mut self, recovers: bool) -> Result<(), DriverError> {
        while self.is_behind() {
            self.catch_up().await?;
        }
        while let Some((command, taken)) = self.taken.pop_first() {
            match taken.assigned.action.order().cloned() {
                Some(order) if recovers && taken.driven => {
                    let (action, deadline) = (Action::Recover(order), self.clock.now() + limits::RECOVER);
                    self.left.push_back(Assigned { command, action, deadline });
                }
                Some(_) if recovers => self.left.push_back(taken.assigned),
                _ => {
                    let assigned = taken.assigned.clone();
                    self.taken.insert(command, taken);
                    self.end(assigned, Ended::Indeterminate(Reason::new("driver-failed"))).await?;
                }
            }
        }
        Ok(())
    }
}

/// How much of what was said the journal has.
#[derive(Debug)]
pub(super) struct Storing(watch::Receiver<u64>);

impl Storing {
    /// Waits until the journal has the first `said` observations. For ever, when nobody stores them any more.
    /// Cancel-safe.
    pub(super) async fn reached(&mut self, said: u64) {
        if self.0.wait_for(|stored| *stored >= said).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::{Board, Conditions, Metrics};
    use crate::types::{Action, Timestamp};

    fn ports() -> (Port, PortEnds, Clock) {
        let clock = Clock::manual(Timestamp::from_unix_ms(0), 1);
        let conditions = Conditions::new(clock.clone());
        let device = DeviceId::new("scanner-1").unwrap();
        let scope = DeviceScope::new(device, clock.clone(), conditions, Metrics::default(), Board::default());
        let (port, ends) = port(scope, clock.clone(), CancellationToken::new());
        (port, ends, clock)
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_run_had_said_reaches_the_journal_after_its_end_however_full_the_queue_was() {
        let (mut port, mut ends, _) = ports();
        let many = limits::OBSERVATIONS + 9;
        let outcome = |number| Outcome { command: CommandId::new(&format!("c-{number}")).unwrap(), ended: Ended::Done };
        for number in 0..many {
            port.say(Observation::Ended(outcome(number))).unwrap();
        }
        assert!(port.is_behind());
        let reader = async {
            let mut read = Vec::new();
            while read.len() < many {
                read.push(ends.observed.recv().await.unwrap().body);
            }
            read
        };
        let (settled, read) = tokio::join!(port.abandon(true), reader);
        settled.unwrap();
        let said: Vec<_> = (0..many).map(|number| Body::Observed(Observation::Ended(outcome(number)))).collect();
        assert_eq!(read, said);
        assert!(!port.is_behind());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_device_that_is_taken_away_is_refused_even_if_it_is_just_being_handed_over() {
        let (mut port, mut ends, clock) = ports();
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
