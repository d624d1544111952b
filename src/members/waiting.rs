//! Who is to be enrolled at a station: they scan their code there, and its camera looks at them.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::watch;

use crate::journal::{Head, Journal, JournalError};
use crate::types::{
    Body, CodeKind, CodeScanned, CommandId, DeviceId, Enrolment, Likeness, MemberKey, Observation, Row, StationId,
};

/// Members who are waited for at a time.
const WAITING: usize = 64;
/// Events that are read at a time.
const EVENTS: usize = 256;

/// An enrolment that waits for its member.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) command: CommandId,
    pub(super) enrolment: Enrolment,
    /// The command is over then.
    pub(super) deadline: Instant,
}

impl Waiting {
    pub(super) fn is_at(&self, station: &StationId) -> bool {
        self.enrolment.likeness == Likeness::Station(station.clone())
    }

    fn is(&self, member: &MemberKey, station: &StationId) -> bool {
        self.enrolment.member == *member && self.is_at(station)
    }
}

/// All of them. A scan that was before the first of them came is nobody's.
pub(super) struct WaitingList {
    all: Vec<Waiting>,
    head: watch::Receiver<Head>,
    /// Events up to here have been looked at.
    row: Row,
}

impl WaitingList {
    pub(super) fn new(head: watch::Receiver<Head>) -> Self {
        Self { all: Vec::new(), head, row: Row(0) }
    }

    /// Whether there is room. A command that is there already is not there twice.
    pub(super) fn add(&mut self, waiting: Waiting) -> bool {
        if self.all.is_empty() {
            self.row = self.head.borrow_and_update().row;
        }
        let is_known = self.find(&waiting.command).is_some();
        let has_room = is_known || self.all.len() < WAITING;
        if has_room && !is_known {
            self.all.push(waiting);
        }
        has_room
    }

    pub(super) fn find(&self, command: &CommandId) -> Option<&Waiting> {
        self.all.iter().find(|waiting| waiting.command == *command)
    }

    pub(super) fn remove(&mut self, command: &CommandId) {
        self.all.retain(|waiting| waiting.command != *command);
    }

    /// Those whose time is over.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Waiting> {
        self.all.extract_if(.., |waiting| waiting.deadline <= now).collect()
    }

    /// Those of a member, who is waited for no longer.
    pub(super) fn of(&mut self, member: &MemberKey) -> Vec<Waiting> {
        self.all.extract_if(.., |waiting| waiting.enrolment.member == *member).collect()
    }

    /// Until something has happened that may be a scan of somebody who is waited for. Cancel-safe.
    pub(super) async fn news(&mut self) {
        if self.all.is_empty() || self.head.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The enrolments whose members have scanned their code since the last time. `stations`: their scanners.
    pub(super) async fn scanned(
        &mut self,
        journal: &Journal,
        stations: &BTreeMap<StationId, DeviceId>,
    ) -> Result<Vec<CommandId>, JournalError> {
        let mut found = Vec::new();
        loop {
            let events = journal.after(self.row, EVENTS).await?;
            let Some(last) = events.last() else { return Ok(found) };
            self.row = last.row;
            for event in &events {
                let Body::Observed(Observation::Code(code)) = &event.draft.body else { continue };
                let Some(member) = member_of(code) else { continue };
                let at = stations.iter().filter(|(_, scanner)| event.draft.device.as_ref() == Some(*scanner));
                let waits = |waiting: &&Waiting| at.clone().any(|(station, _)| waiting.is(&member, station));
                found.extend(self.all.iter().filter(waits).map(|waiting| waiting.command.clone()));
            }
            found.dedup();
        }
    }
}

fn member_of(code: &CodeScanned) -> Option<MemberKey> {
    (code.kind == CodeKind::Member).then(|| MemberKey::new(&code.value).ok()).flatten()
}
