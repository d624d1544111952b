//! The three counts: sent, stored, delivered.

use std::collections::BTreeSet;

use crate::journal::Journal;
use crate::sim::broker::Broker;
use crate::sim::pty::Knobs;
use crate::types::{Body, Observation, Row, SaleId, Step};
use crate::wire::cloud::read_batch;

/// What has been counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Complete codes that left the scanner, by its own count.
    pub(super) sent: u64,
    /// Codes in the journal.
    pub(super) stored: u64,
    /// Different codes at the broker.
    pub(super) delivered: u64,
    /// Codes that came to the broker again.
    pub(super) repeated: u64,
    /// Products that really fell.
    pub(super) fell: u64,
    /// Products that the journal knows to have fallen.
    pub(super) dispensed: u64,
    /// Orders in the machine.
    pub(super) ordered: u64,
    /// Events on disk that the broker has not acknowledged.
    pub(super) backlog: u64,
}

/// Counts.
#[derive(Debug)]
pub(super) struct Tally {
    journal: Journal,
    row: Row,
    stored: u64,
    ordered: BTreeSet<SaleId>,
    dispensed: u64,
    delivered: BTreeSet<String>,
    repeated: u64,
}

impl Tally {
    pub(super) fn new(journal: Journal) -> Self {
        // A directory that was used before holds the codes of another story.
        let row = journal.head().borrow().row;
        let (stored, dispensed, repeated) = (0, 0, 0);
        Self { journal, row, stored, ordered: BTreeSet::new(), dispensed, delivered: BTreeSet::new(), repeated }
    }

    /// Looks everywhere.
    pub(super) async fn count(&mut self, scanner: &Knobs, broker: &Broker, fell: u64) -> anyhow::Result<Counts> {
        self.read_journal().await?;
        self.read_broker(broker)?;
        Ok(Counts {
            sent: scanner.progress().sent,
            stored: self.stored,
            delivered: self.delivered.len() as u64,
            repeated: self.repeated,
            fell,
            dispensed: self.dispensed,
            ordered: self.ordered.len() as u64,
            backlog: self.journal.stats().await?.unsent(),
        })
    }

    async fn read_journal(&mut self) -> anyhow::Result<()> {
        loop {
            let events = self.journal.after(self.row, 1000).await?;
            let Some(last) = events.last() else { return Ok(()) };
            self.row = last.row;
            for event in events {
                self.note(&event.draft.body);
            }
        }
    }

    fn note(&mut self, body: &Body) {
        match body {
            Body::Observed(Observation::Code(_)) => self.stored += 1,
            Body::Observed(Observation::Sale(step)) => {
                if step.step == Step::Authorised {
                    self.ordered.insert(step.sale.clone());
                } else if step.step != Step::Dispatched {
                    self.ordered.remove(&step.sale);
                }
                self.dispensed += u64::from(step.step == Step::Dispensed);
            }
            _ => {}
        }
    }

    fn read_broker(&mut self, broker: &Broker) -> anyhow::Result<()> {
        let messages = broker.received();
        for message in messages.iter().filter(|message| message.accepted && message.topic.contains("/events/")) {
            for event in read_batch(&message.payload)? {
                if event.r#type == "scan.code.v1" && !self.delivered.insert(event.id) {
                    self.repeated += 1;
                }
            }
        }
        Ok(())
    }
}
