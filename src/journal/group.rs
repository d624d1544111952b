//! One commit group: everything that a transaction appends, in the order it arrived.

use rusqlite::Connection;

use super::head::{Counts, Head};
use super::lane;
use super::ledger;
use super::limits;
use super::stored::{self, Batch};
use super::{Accepted, Effects, Intake, JournalError, cursor};
use crate::clock::Clock;
use crate::types::{
    Body, Cause, Class, Command, CommandId, Draft, Ended, Event, Notice, Observation, Outcome, Row, Seq, Step,
};

type Result<T> = std::result::Result<T, JournalError>;

/// A transaction in the making. Nothing of it counts before [`Group::finish`] and the commit.
pub(super) struct Group<'a> {
    pub(super) conn: &'a Connection,
    pub(super) clock: &'a Clock,
    pub(super) head: Head,
    pub(super) counts: Counts,
    pub(super) commands_changed: bool,
    open: [Batch; 3],
}

impl<'a> Group<'a> {
    /// Begins where the journal stands.
    pub(super) fn new(conn: &'a Connection, clock: &'a Clock, head: Head, counts: Counts) -> Self {
        let open = Class::ALL.map(|class| Batch::new(Seq(head.of(class).seq.0 + 1)));
        Self { conn, clock, head, counts, commands_changed: false, open }
    }

    /// Writes the batches; the caller commits.
    pub(super) fn finish(mut self) -> Result<(Head, Counts, bool)> {
        for class in Class::ALL {
            self.flush(class)?;
        }
        self.counts.groups += 1;
        Ok((self.head, self.counts, self.commands_changed))
    }

    fn flush(&mut self, class: Class) -> Result<()> {
        let next = Batch::new(Seq(self.head.of(class).seq.0 + 1));
        let batch = std::mem::replace(&mut self.open[Head::place(class)], next);
        if batch.count > 0 {
            let (at, _) = self.clock.wall();
            lane::insert(self.conn, class, &batch, at).map_err(JournalError::write)?;
        }
        Ok(())
    }

    /// Gives a stored form the next place of its class.
    pub(super) fn push(&mut self, class: Class, stored: &[u8]) -> Result<(Row, Seq)> {
        let (row, seq) = self.head.next(class);
        let batch = &mut self.open[Head::place(class)];
        batch.push(row, stored);
        self.counts.events += 1;
        if batch.count as usize >= limits::GROUP_EVENTS || batch.body.len() >= limits::BATCH_BYTES {
            self.flush(class)?;
        }
        Ok((row, seq))
    }

    /// Appends drafts; one row for each that was stored. An outcome whose command is unknown or over is dropped and
    /// counted.
    pub(super) fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Row>> {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let start = bytes.len();
            stored::encode_event(draft, &mut bytes);
            if bytes.len() - start > limits::EVENT_BYTES {
                return Err(JournalError::TooLarge { bytes: bytes.len() - start, limit: limits::EVENT_BYTES });
            }
            ends.push(bytes.len());
        }
        let mut rows = Vec::with_capacity(drafts.len());
        let mut start = 0;
        for (draft, end) in drafts.iter().zip(ends) {
            if let Some(row) = self.store(draft, &bytes[start..end])? {
                rows.push(row);
            }
            start = end;
        }
        Ok(rows)
    }

    /// Stores one event. What ends a command is stored only while that command is open, and ends it in this
    /// transaction: an outcome, or what became of a sale's order, which brings its outcome with it.
    ///
    /// The step that a machine is about to move is stored only while the command that carries the order is open, and
    /// marks it as dispatched.
    fn store(&mut self, draft: &Draft, bytes: &[u8]) -> Result<Option<Row>> {
        if let Some(command) = driven(draft)
            && !self.marked_dispatched(command)?
        {
            self.counts.outcomes_dropped += 1;
            return Ok(None);
        }
        match ending(draft) {
            None => self.push(draft.body.class(), bytes).map(|(row, _)| Some(row)),
            Some(outcome) if !ledger::is_open(self.conn, &outcome.command)? => {
                self.counts.outcomes_dropped += 1;
                Ok(None)
            }
            Some(outcome) => {
                let (row, seq) = self.push(draft.body.class(), bytes)?;
                if matches!(draft.body, Body::Observed(Observation::Ended(_))) {
                    self.end(&outcome.command, &Event { row, seq, draft: draft.clone() })?;
                } else {
                    self.append_outcome(draft, outcome)?;
                }
                Ok(Some(row))
            }
        }
    }

    /// `false`: the command is unknown or over.
    fn marked_dispatched(&mut self, id: &CommandId) -> Result<bool> {
        let (now, _) = self.clock.wall();
        if ledger::dispatch(self.conn, id, now)? {
            self.commands_changed = true;
            return Ok(true);
        }
        ledger::is_open(self.conn, id)
    }

    fn end(&mut self, id: &CommandId, event: &Event) -> Result<()> {
        let (now, _) = self.clock.wall();
        ledger::end(self.conn, id, event, now)?;
        self.commands_changed = true;
        Ok(())
    }

    /// The end of the command that carried an order, right behind what became of the order.
    fn append_outcome(&mut self, result: &Draft, outcome: Outcome) -> Result<()> {
        let command = outcome.command.clone();
        let draft = Draft {
            id: self.clock.event_id(),
            cause: Some(Cause::Command(command.clone())),
            body: Body::Observed(Observation::Ended(outcome)),
            ..result.clone()
        };
        let mut bytes = Vec::new();
        stored::encode_event(&draft, &mut bytes);
        let (row, seq) = self.push(draft.body.class(), &bytes)?;
        self.end(&command, &Event { row, seq, draft })
    }

    /// Appends an event as it is, whatever it follows from: a damaged journal's, whose commands are settled already.
    pub(super) fn keep(&mut self, draft: &Draft) -> Result<()> {
        let mut bytes = Vec::new();
        stored::encode_event(draft, &mut bytes);
        self.push(draft.body.class(), &bytes).map(drop)
    }

    /// Appends what the journal has to say itself.
    pub(super) fn notice(&mut self, notice: Notice) -> Result<Row> {
        let draft = Draft {
            id: self.clock.event_id(),
            device: None,
            at: self.clock.stamp(),
            cause: None,
            body: Body::Noticed(notice),
        };
        let mut bytes = Vec::new();
        stored::encode_event(&draft, &mut bytes);
        self.push(draft.body.class(), &bytes).map(|(row, _)| row)
    }

    /// Files a command, or the end of one that could not even be read.
    pub(super) fn accept(&mut self, intake: &Intake) -> Result<Accepted> {
        let id = intake.id();
        if let Some(seen) = ledger::seen(self.conn, id)? {
            return seen.map(Accepted::Seen);
        }
        let (now, _) = self.clock.wall();
        ledger::insert(self.conn, intake, now)?;
        self.commands_changed = true;
        match intake {
            Intake::Refused { reason, .. } => self.refuse(id, Ended::Refused(reason.clone()), None)?,
            Intake::Command(command) => {
                if ledger::open_count(self.conn)? > limits::OPEN_COMMANDS {
                    let reason = crate::types::Reason::new("too-many-open-commands");
                    self.refuse(id, Ended::Refused(reason), Some(command))?;
                }
            }
        }
        Ok(Accepted::New)
    }

    fn refuse(&mut self, id: &CommandId, ended: Ended, command: Option<&Command>) -> Result<()> {
        let draft = Draft {
            id: self.clock.event_id(),
            device: command.and_then(|command| command.device.clone()),
            at: self.clock.stamp(),
            cause: Some(Cause::Command(id.clone())),
            body: Body::Observed(Observation::Ended(Outcome { command: id.clone(), ended })),
        };
        self.append(&[draft]).map(drop)
    }

    /// Marks a command as handed to its device, with the events that say so.
    pub(super) fn dispatched(&mut self, id: &CommandId, events: &[Draft]) -> Result<()> {
        let (now, _) = self.clock.wall();
        if !ledger::dispatch(self.conn, id, now)? {
            return Err(JournalError::NotAccepted(id.clone()));
        }
        self.commands_changed = true;
        self.append(events).map(drop)
    }

    /// A flow's step: its cursor and all that follows from it.
    pub(super) fn advance(&mut self, reader: &str, row: Row, effects: &Effects) -> Result<Vec<Row>> {
        let at = cursor::get(self.conn, reader).map_err(JournalError::write)?;
        if row <= at {
            return Err(JournalError::NoAdvance { reader: reader.to_owned(), at, asked: row });
        }
        let rows = self.keep_effects(reader, effects)?;
        cursor::set(self.conn, reader, row).map_err(JournalError::write)?;
        Ok(rows)
    }

    /// What follows from a command or from time: like [`Group::advance`], of a reader that stays where it is. Of a
    /// command that is over nothing follows any more.
    pub(super) fn follow(
        &mut self,
        reader: &str,
        row: Row,
        command: Option<&CommandId>,
        effects: &Effects,
    ) -> Result<Vec<Row>> {
        let at = cursor::get(self.conn, reader).map_err(JournalError::write)?;
        if row < at {
            return Err(JournalError::NoAdvance { reader: reader.to_owned(), at, asked: row });
        }
        if let Some(id) = command
            && !ledger::is_open(self.conn, id)?
        {
            return Err(JournalError::NotAccepted(id.clone()));
        }
        let rows = self.keep_effects(reader, effects)?;
        cursor::set(self.conn, reader, row).map_err(JournalError::write)?;
        Ok(rows)
    }

    /// Events, commands and changed keys of one owner.
    pub(super) fn keep_effects(&mut self, owner: &str, effects: &Effects) -> Result<Vec<Row>> {
        let rows = self.append(&effects.events)?;
        for command in &effects.commands {
            match self.accept(&Intake::Command(command.clone())) {
                // Known already, whatever came of it: an effect is never repeated.
                Ok(_) | Err(JournalError::Outcome(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for change in &effects.state {
            cursor::put_state(self.conn, owner, change).map_err(JournalError::write)?;
        }
        Ok(rows)
    }
}

/// The command whose order a machine is about to be driven for.
fn driven(draft: &Draft) -> Option<&CommandId> {
    match (&draft.body, &draft.cause) {
        (Body::Observed(Observation::Sale(step)), Some(Cause::Command(command))) if step.step == Step::Dispatched => {
            Some(command)
        }
        _ => None,
    }
}

/// The outcome that an event is, or carries with it.
pub(super) fn ending(draft: &Draft) -> Option<Outcome> {
    match (&draft.body, &draft.cause) {
        (Body::Observed(Observation::Ended(outcome)), _) => Some(outcome.clone()),
        (Body::Observed(Observation::Sale(step)), Some(Cause::Command(command))) => {
            step.ends_command().map(|ended| Outcome { command: command.clone(), ended })
        }
        _ => None,
    }
}
