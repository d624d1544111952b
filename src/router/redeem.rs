//! From a scan to a redeemed coupon: reads the scans, asks the journal, stores the verdict.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::flow::redeem::{Keep, Look, Redeem};
use crate::journal::{Change, Effects, Journal, JournalError};
use crate::types::{Body, Cause, Class, DeviceId, Draft, Event, EventId, Notice, Redemption, Row};

/// Whose state in the journal the issuers' keys and the redeemed coupons are, and who reads the scans.
pub(super) const OWNER: &str = "coupon";
/// Scans that are looked at together, at most.
const PAGE: usize = 256;
/// Rows that may be passed before the place is stored without anything to store with it.
const PASSED: i64 = 1000;
/// How long to wait before a journal that could not read or write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Which scanners stand at a redeem station now. Every clone is the same list.
#[derive(Debug, Clone, Default)]
pub struct Desks(Arc<Mutex<BTreeMap<DeviceId, Redeem>>>);

impl Desks {
    /// These, and no others.
    pub fn set(&self, desks: BTreeMap<DeviceId, Redeem>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = desks;
    }

    fn get(&self, scanner: &DeviceId) -> Option<Redeem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(scanner).cloned()
    }
}

/// Redeems what is shown at the desks, each coupon once.
#[derive(Debug)]
pub struct Redeemer {
    journal: Journal,
    clock: Clock,
    desks: Desks,
}

impl Redeemer {
    /// For these desks.
    pub fn new(journal: Journal, clock: Clock, desks: Desks) -> Self {
        Self { journal, clock, desks }
    }

    /// Runs until `stop`. A journal that cannot read or write for the moment is waited for; only a closed one ends
    /// this.
    pub async fn run(self, stop: CancellationToken) -> Result<(), JournalError> {
        let mut head = self.journal.head();
        let mut place = None;
        loop {
            let failed = match self.catch_up(&mut place).await {
                Ok(()) => false,
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => {
                    tracing::warn!(%error, "coupons wait for the journal");
                    place = None;
                    true
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(RETRY), if failed => {}
                changed = head.changed(), if !failed => changed.map_err(|_| JournalError::Closed)?,
            }
        }
    }

    /// Looks at every scan from `place` on; without one, from where the journal says.
    async fn catch_up(&self, place: &mut Option<Place>) -> Result<(), JournalError> {
        let mut at = match place.take() {
            Some(at) => at,
            None => Place::of(self.journal.cursor(OWNER).await?),
        };
        loop {
            let events = self.journal.unsent(Class::Record, at.seen, PAGE).await?;
            let Some(last) = events.last().map(|event| event.row) else { break };
            for event in &events {
                if self.look(event).await? {
                    at.stored = event.row;
                }
            }
            at.seen = last;
            if at.seen.0 - at.stored.0 >= PASSED {
                self.advance(at.seen, Effects::default()).await?;
                at.stored = at.seen;
            }
        }
        *place = Some(at);
        Ok(())
    }

    /// `true`: something followed from it, and the place is stored.
    async fn look(&self, event: &Event) -> Result<bool, JournalError> {
        let Some(desk) = event.draft.device.as_ref().and_then(|scanner| self.desks.get(scanner)) else {
            return Ok(false);
        };
        // The same scan always leads to the same event, whatever happens in between.
        let id = EventId(Uuid::new_v5(&event.draft.id.0, OWNER.as_bytes()));
        let (redemption, keep) = match desk.look(event, &self.clock.stamp()) {
            Look::Nothing => return Ok(false),
            Look::Decided(redemption) => (redemption, None),
            Look::Asks(question) => {
                let key = self.journal.state(OWNER, &question.key()).await?;
                let seen = self.journal.state(OWNER, &question.seen()).await?;
                desk.answer(*question, key.as_deref(), seen.as_deref(), id)
            }
        };
        let state = keep.map(change).into_iter().collect();
        let events = vec![self.draft(id, event, redemption)];
        self.advance(event.row, Effects { events, commands: Vec::new(), state }).await?;
        Ok(true)
    }

    fn draft(&self, id: EventId, scan: &Event, redemption: Redemption) -> Draft {
        Draft {
            id,
            device: scan.draft.device.clone(),
            at: self.clock.stamp(),
            cause: Some(Cause::Event(scan.draft.id)),
            body: Body::Noticed(Notice::Coupon(redemption)),
        }
    }

    async fn advance(&self, row: Row, effects: Effects) -> Result<(), JournalError> {
        match self.journal.advance(OWNER, row, effects).await {
            // The step was made before: nothing is repeated.
            Ok(_) | Err(JournalError::NoAdvance { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How far the scans have been looked at, and how much of that is on disk.
struct Place {
    seen: Row,
    stored: Row,
}

impl Place {
    const fn of(row: Row) -> Self {
        Self { seen: row, stored: row }
    }
}

/// As a changed key of the journal.
pub(super) fn change(keep: Keep) -> Change {
    Change { key: keep.name, value: Some(keep.value), expires: Some(keep.until) }
}

#[cfg(test)]
#[path = "redeem_tests.rs"]
mod tests;
