//! Runs the flows over the journal: reads in order, tries each step on a copy, stores what follows in one transaction.
//!
//! One task for all flows, so that a step of one sees what the step before has stored. It is level-triggered: it looks
//! when the journal's head or the ledger of commands has moved and when a flow's time has come, and goes on where the
//! stored cursors are. A place that nothing followed from is remembered on disk only now and then: reading it again
//! does nothing again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::shelf::Shelf;
use crate::clock::Clock;
use crate::device::Vault;
use crate::flow::{self, Around, Ask, Asking, Flow, Input, Trouble};
use crate::journal::{Change, Effects, Journal, JournalError};
use crate::observe::Conditions;
use crate::types::{
    Body, Cause, Command, CommandState, Condition, DeviceId, Draft, Ended, Executor, Observation, Origin, Outcome,
    PaymentCode, Reason, Row, Slot,
};

/// Events read at once.
const PAGE: usize = 200;
/// A place is stored at least every so many events.
const SAVE_EVERY: i64 = 500;
/// How often the connection to the payment side is looked at while somebody waits for an answer.
const CONNECTION: Duration = Duration::from_secs(1);
/// How long to wait before a journal that could not write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The payment side.
pub trait Payments: Send + Sync {
    /// The number of the connection over which it can be asked now, if there is one. With another number what was asked
    /// before may be lost.
    fn connection(&self) -> Option<u64>;

    /// Asks. The answer comes as a command; that it never comes is the flows' matter.
    fn ask(&self, ask: Ask, code: Option<PaymentCode>);
}

/// Nobody to ask: a store without a cloud.
#[derive(Debug, Clone, Copy)]
pub struct NoPayments;

impl Payments for NoPayments {
    fn connection(&self) -> Option<u64> {
        None
    }

    fn ask(&self, _ask: Ask, _code: Option<PaymentCode>) {}
}

/// What the flows need of the house.
#[derive(Clone)]
pub struct Seams {
    /// Where what follows is stored.
    pub journal: Journal,
    /// The time.
    pub clock: Clock,
    /// Where what is wrong with machines stands.
    pub conditions: Conditions,
    /// What the dispatcher sees.
    pub shelf: Shelf,
    /// Payment codes.
    pub vault: Vault,
    /// The payment side.
    pub payments: Arc<dyn Payments>,
}

/// One flow and its place.
struct Story {
    flow: Box<dyn Flow>,
    /// The machine whose ledger it is.
    machine: Option<DeviceId>,
    row: Row,
    saved: Row,
    changed: bool,
}

/// All flows of one configuration.
pub struct Flows {
    seams: Seams,
    stories: Vec<Story>,
    loaded: bool,
    troubles: Vec<Trouble>,
    /// The payment side's connection when it was looked at last.
    connection: Option<u64>,
}

impl fmt::Debug for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stories.iter().map(|story| story.flow.name())).finish()
    }
}

/// Where in a story a step is made.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// Behind an event.
    Event(Row),
    /// Where it stands, for a command.
    Command(&'a Command),
    /// Where it stands.
    Time,
}

impl Flows {
    /// Ledgers of the machines, and the stations' flows.
    pub fn new(seams: Seams, ledgers: Vec<flow::LedgerSettings>, stations: Vec<Box<dyn Flow>>) -> Self {
        let ledgers = ledgers.into_iter().map(|settings| {
            let machine = Some(settings.machine.clone());
            (Box::new(flow::Ledger::new(settings)) as Box<dyn Flow>, machine)
        });
        let stories = ledgers.chain(stations.into_iter().map(|flow| (flow, None)));
        let story = |(flow, machine)| Story { flow, machine, row: Row(0), saved: Row(0), changed: true };
        Self { seams, stories: stories.map(story).collect(), loaded: false, troubles: Vec::new(), connection: None }
    }

    /// Runs until `stop`. A journal that cannot write for the moment is waited for; only a closed one ends this.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), JournalError> {
        let mut head = self.seams.journal.head();
        let mut commands = self.seams.journal.commands_changed();
        self.seams.shelf.clear();
        loop {
            head.mark_unchanged();
            commands.mark_unchanged();
            let again = match self.look().await {
                Ok(()) => None,
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => {
                    tracing::warn!(%error, "the stations wait for the journal");
                    Some(self.seams.clock.now() + RETRY)
                }
            };
            let wake = [again, self.due(), self.seams.vault.sweep(self.seams.clock.now())];
            let wake = wake.into_iter().flatten().min();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                moved = head.changed() => moved.map_err(|_| JournalError::Closed)?,
                moved = commands.changed() => moved.map_err(|_| JournalError::Closed)?,
                () = until(wake), if wake.is_some() => {}
            }
        }
    }

    /// Looks once: at what happened, at what is asked, at whose time has come.
    pub async fn look(&mut self) -> Result<(), JournalError> {
        if !self.loaded {
            self.load().await?;
            self.loaded = true;
        }
        for place in 0..self.stories.len() {
            self.read(place).await?;
        }
        self.show();
        self.answer().await?;
        self.connect().await?;
        for place in 0..self.stories.len() {
            let at = self.seams.clock.stamp();
            let flow = &self.stories[place].flow;
            if flow.due(&at).is_some_and(|due| due <= at.up) && flow.cares(Input::Tick) {
                self.step(place, Input::Tick, Place::Time).await?;
            }
        }
        self.show();
        Ok(())
    }

    /// Where every flow stood.
    async fn load(&mut self) -> Result<(), JournalError> {
        for story in &mut self.stories {
            let name = story.flow.name().to_owned();
            story.row = self.seams.journal.cursor(&name).await?;
            story.saved = story.row;
            let mut after = String::new();
            // What begins with `z/` is recalled one by one.
            while after.as_str() < "b" {
                let page = self.seams.journal.states(&name, &after).await?;
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                for (key, value) in page.iter().filter(|(key, _)| key.starts_with("a/")) {
                    story.flow.load(key, value);
                }
            }
        }
        Ok(())
    }

    async fn read(&mut self, place: usize) -> Result<(), JournalError> {
        loop {
            let row = self.stories[place].row;
            let events = self.seams.journal.after(row, PAGE).await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in &events {
                let story = &mut self.stories[place];
                if story.flow.cares(Input::Event(event)) {
                    self.step(place, Input::Event(event), Place::Event(event.row)).await?;
                } else {
                    story.row = event.row;
                }
            }
            self.save(place).await?;
        }
    }

    /// Stores a place that nothing followed from, now and then.
    async fn save(&mut self, place: usize) -> Result<(), JournalError> {
        let story = &mut self.stories[place];
        if story.row.0 - story.saved.0 >= SAVE_EVERY {
            let (name, row) = (story.flow.name().to_owned(), story.row);
            self.seams.journal.follow(&name, row, None, Effects::default()).await?;
            story.saved = row;
        }
        Ok(())
    }

    /// Answers every command that a flow carries out.
    async fn answer(&mut self) -> Result<(), JournalError> {
        for (command, state) in self.seams.journal.open_commands().await? {
            if state != CommandState::Accepted || command.action.kind().executor() != Executor::Flow {
                continue;
            }
            let (wall, synced) = self.seams.clock.wall();
            let ended = if !synced && command.origin == Origin::Cloud {
                Some(Ended::Refused(Reason::new("clock-unsynced")))
            } else {
                (wall >= command.not_after).then_some(Ended::Expired)
            };
            let cares = self.stories.iter().position(|story| story.flow.cares(Input::Asked(&command)));
            match (ended, cares) {
                (None, Some(place)) => self.step(place, Input::Asked(&command), Place::Command(&command)).await?,
                (ended, _) => self.end(&command, ended.unwrap_or_else(|| nobody(&command))).await?,
            }
        }
        Ok(())
    }

    /// At a new connection to the payment side everybody asks again who waits for an answer from it.
    async fn connect(&mut self) -> Result<(), JournalError> {
        let connection = self.seams.payments.connection();
        if connection == self.connection {
            return Ok(());
        }
        for place in 0..self.stories.len() {
            if connection.is_some() && self.stories[place].flow.cares(Input::Connected) {
                self.step(place, Input::Connected, Place::Time).await?;
            }
        }
        self.connection = connection;
        Ok(())
    }

    async fn end(&self, command: &Command, ended: Ended) -> Result<(), JournalError> {
        let outcome = Outcome { command: command.id.clone(), ended };
        let draft = Draft {
            id: self.seams.clock.event_id(),
            device: command.device.clone(),
            at: self.seams.clock.stamp(),
            cause: Some(Cause::Command(command.id.clone())),
            body: Body::Observed(Observation::Ended(outcome)),
        };
        self.seams.journal.append(vec![draft]).await.map(drop)
    }

    /// One step: tried on a copy, stored, then true.
    async fn step(&mut self, place: usize, input: Input<'_>, at: Place<'_>) -> Result<(), JournalError> {
        let story = &self.stories[place];
        let name = story.flow.name().to_owned();
        let recalled = self.recall(&name, story.flow.recalls(input)).await?;
        let mut next = story.flow.fork();
        let effects = {
            let stories = &self.stories;
            let lanes = |device: &DeviceId, slot: Slot| stories.iter().find_map(|story| story.flow.lane(device, slot));
            let (at, online) = (self.seams.clock.stamp(), self.seams.payments.connection().is_some());
            next.handle(input, &Around { at, online, lanes: &lanes, recalled: &recalled })
        };
        let story_row = story.row;
        let row = if let Place::Event(row) = at { row } else { story_row };
        let flow::Effects { events, commands, state, asks } = effects;
        let nothing = events.is_empty() && commands.is_empty() && state.is_empty();
        let state = state.into_iter().map(|flow::Change { key, value, expires }| Change { key, value, expires });
        let effects = Effects { events, commands, state: state.collect() };
        let stored = match at {
            Place::Event(_) | Place::Time if nothing => Ok(Vec::new()),
            Place::Event(row) => self.seams.journal.advance(&name, row, effects).await,
            Place::Command(command) => self.seams.journal.follow(&name, row, Some(command.id.clone()), effects).await,
            Place::Time => self.seams.journal.follow(&name, row, None, effects).await,
        };
        match stored {
            Ok(_) => {}
            // What can never be stored must not hold up everything behind it.
            Err(error @ (JournalError::TooLarge { .. } | JournalError::Length { .. })) => {
                tracing::error!(flow = name, %error, "what follows from an event cannot be stored and is left out");
                self.stories[place].row = row;
                return Ok(());
            }
            Err(JournalError::NotAccepted(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        let story = &mut self.stories[place];
        story.flow = next;
        story.changed = true;
        story.row = row;
        if !nothing {
            story.saved = row;
        }
        for ask in asks {
            self.ask(ask);
        }
        Ok(())
    }

    fn ask(&self, ask: Ask) {
        let now = self.seams.clock.now();
        let code = match ask.what {
            Asking::Authorise(Some(scan)) => self.seams.vault.take(scan, now),
            Asking::Authorise(None) | Asking::Query | Asking::Cancel => None,
        };
        self.seams.payments.ask(ask, code);
    }

    async fn recall(&self, name: &str, keys: Vec<String>) -> Result<BTreeMap<String, Vec<u8>>, JournalError> {
        let mut recalled = BTreeMap::new();
        for key in keys {
            if let Some(value) = self.seams.journal.state(name, &key).await? {
                recalled.insert(key, value);
            }
        }
        Ok(recalled)
    }

    /// Shows the ledgers to the dispatcher, and what is wrong to everybody.
    fn show(&mut self) {
        for story in &mut self.stories {
            if let Some(machine) = &story.machine {
                let ledger = story.changed.then(|| story.flow.fork());
                self.seams.shelf.read(machine, story.row, ledger);
            }
            story.changed = false;
        }
        let mut troubles: Vec<_> = self.stories.iter().flat_map(|story| story.flow.troubles()).collect();
        troubles.sort();
        if troubles == self.troubles {
            return;
        }
        let machines = self.stories.iter().filter_map(|story| story.machine.as_ref());
        for machine in machines {
            for condition in [Condition::VendUnresolved, Condition::VendJam, Condition::StockLow] {
                let given = troubles.iter().find(|found| found.condition == condition && found.device == *machine);
                let detail = given.map(|found| found.detail.clone());
                self.seams.conditions.set(condition, Some(machine), given.is_some(), detail);
            }
        }
        self.troubles = troubles;
    }

    fn due(&self) -> Option<Instant> {
        let (at, now) = (self.seams.clock.stamp(), self.seams.clock.now());
        let due = self.stories.iter().filter_map(|story| story.flow.due(&at)).min();
        let due = due.map(|due| now + due.saturating_sub(at.up));
        let waits = self.stories.iter().any(|story| story.flow.cares(Input::Connected));
        let connection = waits.then(|| now + CONNECTION);
        [due, connection].into_iter().flatten().min()
    }
}

/// No flow of this gateway has to do with it.
fn nobody(command: &Command) -> Ended {
    let about_a_lane = command.action.kind().offered() && command.device.is_some();
    Ended::Refused(Reason::new(if about_a_lane { "unknown-device" } else { "unknown-sale" }))
}

async fn until(wake: Option<Instant>) {
    if let Some(at) = wake {
        tokio::time::sleep_until(at.into()).await;
    }
}

#[cfg(test)]
#[path = "flows_tests.rs"]
mod tests;
