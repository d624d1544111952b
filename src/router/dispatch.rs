//! From the ledger to the devices' ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::orders::busy;
use super::redeem::{OWNER, change};
use super::shelf::Shelf;
use crate::clock::Clock;
use crate::flow::redeem::keep_keys;
use crate::journal::{Effects, Journal, JournalError};
use crate::types::{
    Action, ActionKind, Assigned, Body, Cause, Command, CommandId, CommandState, CouponKeys, Currency, DeviceId, Draft,
    Ended, Executor, Observation, Origin, Outcome, Reason,
};

/// How long to wait before a command that could not be handed over is looked at again, if nothing wakes us before.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A command whose `not_after` lies further ahead is carried out as if it lay this far ahead.
pub(super) const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// Where a device's actions go.
#[derive(Debug)]
pub struct Target {
    /// What the device can do.
    pub can: &'static [ActionKind],
    /// Its port.
    pub assign: Sender<Assigned>,
    /// Asks for its driver to be started anew.
    pub restart: std::sync::Arc<tokio::sync::Notify>,
    /// The currency of its prices.
    pub currency: Currency,
}

/// Who can be asked for something now: devices, and under no name the gateway itself. Every clone is the same list.
#[derive(Debug, Clone, Default)]
pub struct Targets(Arc<Mutex<BTreeMap<Option<DeviceId>, Arc<Target>>>>);

impl Targets {
    /// A device can be asked from now on.
    pub fn add(&self, device: DeviceId, target: Target) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(Some(device), Arc::new(target));
    }

    /// The gateway itself can be asked from now on.
    pub fn add_gateway(&self, target: Target) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(None, Arc::new(target));
    }

    /// A device cannot be asked any more; what is on its way to it may still arrive in its port.
    pub fn remove(&self, device: &DeviceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Some(device.clone()));
    }

    /// What a device can be asked now.
    pub fn can(&self, device: &DeviceId) -> Option<&'static [ActionKind]> {
        self.get(&Some(device.clone())).map(|target| target.can)
    }

    pub(super) fn get(&self, device: &Option<DeviceId>) -> Option<Arc<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(device).cloned()
    }
}

/// Carries accepted commands to devices, each exactly once.
#[derive(Debug)]
pub struct Dispatcher {
    pub(super) journal: Journal,
    pub(super) clock: Clock,
    pub(super) targets: Targets,
    pub(super) shelf: Shelf,
    /// Commands that are recorded as dispatched, were perhaps not done, and may be done twice.
    repeatable: BTreeSet<CommandId>,
    /// Orders that an earlier process had dispatched, and whose drivers can find out what became of them.
    pub(super) recovering: BTreeSet<CommandId>,
    /// Orders in the ports of drivers that say themselves, durably, when a machine is about to move: until then they
    /// are open commands like others, and a process that begins anew hands them over anew.
    pub(super) handed: BTreeSet<CommandId>,
    /// Whether the commands of earlier processes have been settled.
    settled: bool,
    asked: Receiver<oneshot::Sender<()>>,
    probe: Probe,
}

/// Asks a dispatcher whether its loop still comes round.
#[derive(Debug, Clone)]
pub struct Probe(Sender<oneshot::Sender<()>>);

impl Probe {
    /// Waits until the loop has come round, or the dispatcher has ended.
    pub async fn answered(&self) {
        let (answer, answered) = oneshot::channel();
        if self.0.send(answer).await.is_ok() {
            // An error is an end, too.
            let _ = answered.await;
        }
    }
}

/// What is to be done with a command now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It ends without anything having been done.
    End(Ended),
    /// It goes to its device.
    HandOver,
    /// The device's driver is started anew.
    Restart,
    /// Keys of coupons are kept.
    Keep(CouponKeys),
}

impl Dispatcher {
    /// A dispatcher for these devices, whose machines' ledgers stand on this shelf.
    pub fn new(journal: Journal, clock: Clock, targets: Targets, shelf: Shelf) -> Self {
        let (probe, asked) = mpsc::channel(1);
        let (probe, repeatable, recovering) = (Probe(probe), BTreeSet::new(), BTreeSet::new());
        let (handed, settled) = (BTreeSet::new(), false);
        Self { journal, clock, targets, shelf, repeatable, recovering, handed, settled, asked, probe }
    }

    /// For whoever wants to know whether it still gets on.
    pub fn probe(&self) -> Probe {
        self.probe.clone()
    }

    /// Runs until `stop`. What was dispatched before this process began and has no outcome is settled first. A
    /// journal that cannot write for the moment is waited for; only a closed one ends this.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), JournalError> {
        let mut changed = self.journal.commands_changed();
        let mut ledgers = self.shelf.changed();
        loop {
            let look_again = match self.look().await {
                Ok(waiting) => waiting,
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => {
                    tracing::warn!(%error, "commands wait for the journal");
                    true
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                woken = changed.changed() => woken.map_err(|_| JournalError::Closed)?,
                Ok(()) = ledgers.changed(), if look_again => {}
                Some(answer) = self.asked.recv() => drop(answer.send(())),
                () = tokio::time::sleep(LOOK_AGAIN), if look_again => {}
            }
        }
    }

    async fn look(&mut self) -> Result<bool, JournalError> {
        if !self.settled {
            self.settle_past().await?;
            self.settled = true;
        }
        self.dispatch_all().await
    }

    /// A command that an earlier process had dispatched: nobody knows whether it was done. It is done again only if
    /// doing it twice does no harm; otherwise it ends as indeterminate.
    async fn settle_past(&mut self) -> Result<(), JournalError> {
        for (command, state) in self.journal.open_commands().await? {
            if state != CommandState::Dispatched {
                continue;
            }
            if let Some(order) = command.action.order() {
                self.settle_order(&command, order).await?;
            } else if command.action.kind().idempotent() {
                self.repeatable.insert(command.id);
            } else {
                self.end(&command, Ended::Indeterminate(Reason::new("power-lost"))).await?;
            }
        }
        Ok(())
    }

    /// Looks at every open command once; says whether some of them wait for room in a port or for a machine's ledger.
    async fn dispatch_all(&mut self) -> Result<bool, JournalError> {
        let mut waiting = false;
        let open = self.journal.open_commands().await?;
        self.handed.retain(|id| open.iter().any(|(command, _)| command.id == *id));
        let mut busy = busy(&open, &self.handed);
        for (command, state) in open {
            if command.action.kind().executor() == Executor::Flow {
                continue;
            }
            if let Some(order) = command.action.order() {
                waiting |= !self.act_on_order(&command, order, &state, &mut busy).await?;
            } else if state == CommandState::Accepted || self.repeatable.contains(&command.id) {
                let acted = self.act(&command, state == CommandState::Dispatched).await?;
                if acted {
                    self.repeatable.remove(&command.id);
                }
                waiting |= !acted;
            }
        }
        Ok(waiting)
    }

    /// Does what is to be done with one command; `false`: its port has no room, it stays accepted.
    async fn act(&mut self, command: &Command, dispatched_before: bool) -> Result<bool, JournalError> {
        match self.decide(command) {
            Decision::End(ended) => self.end(command, ended).await?,
            Decision::Restart => {
                self.record_dispatched(command, dispatched_before).await?;
                self.repeatable.insert(command.id.clone());
                if let Some(target) = self.targets.get(&command.device) {
                    target.restart.notify_one();
                }
                self.end(command, Ended::Done).await?;
            }
            Decision::Keep(keys) => self.keep(command, &keys).await?,
            Decision::HandOver => return self.hand_over(command, dispatched_before).await,
        }
        Ok(true)
    }

    pub(super) fn decide(&self, command: &Command) -> Decision {
        let refused = |why| Decision::End(Ended::Refused(Reason::new(why)));
        let (wall, synced) = self.clock.wall();
        if !synced && command.origin == Origin::Cloud {
            return refused("clock-unsynced");
        }
        if wall >= command.not_after {
            return Decision::End(Ended::Expired);
        }
        let to_gateway = command.device.is_none();
        if let Action::CouponKeys(keys) = &command.action {
            return if to_gateway { Decision::Keep(keys.clone()) } else { refused("bad-device") };
        }
        match self.targets.get(&command.device) {
            Some(_) if !to_gateway && command.action == Action::DeviceRestart => Decision::Restart,
            Some(target) if target.can.contains(&command.action.kind()) => Decision::HandOver,
            _ if to_gateway => refused("needs-a-device"),
            Some(_) => refused("unsupported-action"),
            None => refused("unknown-device"),
        }
    }

    async fn hand_over(&mut self, command: &Command, dispatched_before: bool) -> Result<bool, JournalError> {
        let Some(target) = self.targets.get(&command.device) else { return Ok(true) };
        // Room is reserved first, so that nothing can come between the record and the hand-over.
        let Ok(room) = target.assign.try_reserve() else { return Ok(false) };
        self.record_dispatched(command, dispatched_before).await?;
        let (wall, _) = self.clock.wall();
        let deadline = self.clock.now() + command.not_after.since(wall).min(LONGEST_DEADLINE);
        room.send(Assigned { command: command.id.clone(), action: command.action.clone(), deadline });
        Ok(true)
    }

    async fn record_dispatched(&self, command: &Command, dispatched_before: bool) -> Result<(), JournalError> {
        if dispatched_before { Ok(()) } else { self.journal.step_dispatched(&command.id).await }
    }

    /// Keeps keys and ends the command that brought them, all or nothing.
    async fn keep(&self, command: &Command, keys: &CouponKeys) -> Result<(), JournalError> {
        let state = keep_keys(keys).into_iter().map(change).collect();
        let events = vec![self.outcome(command, Ended::Done)];
        self.journal.keep(OWNER, Effects { events, commands: Vec::new(), state }).await.map(|_| ())
    }

    pub(super) async fn end(&self, command: &Command, ended: Ended) -> Result<(), JournalError> {
        self.journal.append(vec![self.outcome(command, ended)]).await.map(|_| ())
    }

    fn outcome(&self, command: &Command, ended: Ended) -> Draft {
        let outcome = Outcome { command: command.id.clone(), ended };
        Draft {
            id: self.clock.event_id(),
            device: command.device.clone(),
            at: self.clock.stamp(),
            cause: Some(Cause::Command(command.id.clone())),
            body: Body::Observed(Observation::Ended(outcome)),
        }
    }
}
