//! What the dispatcher sees of the machines' ledgers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::flow::{Flow, Lane};
use crate::types::{DeviceId, Order, Reason, Row, SaleId, Slot};

/// By machine: how far its ledger has read, and the ledger.
type Ledgers = BTreeMap<DeviceId, (Row, Box<dyn Flow>)>;

/// The ledgers as far as they have read. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Shelf {
    ledgers: Arc<Mutex<Ledgers>>,
    changed: watch::Sender<u64>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { ledgers: Arc::default(), changed: watch::Sender::new(0) }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shelf")
    }
}

/// What a machine's ledger says of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gate {
    /// It has not read everything yet that may count.
    Behind,
    /// The sale is open already.
    Known,
    /// Nothing may be sold from the lane.
    Closed(Reason),
    /// It may go.
    Open,
}

impl Shelf {
    /// Wakes whoever waits for a ledger.
    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// A ledger has read up to `row`; with its new content, when that has changed.
    pub(super) fn read(&self, machine: &DeviceId, row: Row, ledger: Option<Box<dyn Flow>>) {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        match (ledgers.get_mut(machine), ledger) {
            (_, Some(ledger)) => drop(ledgers.insert(machine.clone(), (row, ledger))),
            (Some((at, _)), None) => *at = row,
            (None, None) => {}
        }
        drop(ledgers);
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Forgets every ledger: the configuration has changed.
    pub(super) fn clear(&self) {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether an order may go to its machine, when money stands in the journal up to `money`. A machine that nobody
    /// keeps a ledger of is waited for.
    pub(super) fn gate(&self, machine: &DeviceId, order: &Order, money: Row) -> Gate {
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, ledger)) = ledgers.get(machine).filter(|(row, _)| *row >= money) else { return Gate::Behind };
        if ledger.knows(&order.sale) {
            return Gate::Known;
        }
        let refused = ledger.lane(machine, order.slot).and_then(|lane: Lane| lane.refuses());
        refused.map_or(Gate::Open, Gate::Closed)
    }

    /// A lane, for whoever shows it.
    pub fn lane(&self, machine: &DeviceId, slot: Slot) -> Option<Lane> {
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.get(machine).and_then(|(_, ledger)| ledger.lane(machine, slot))
    }

    /// Whether a machine's ledger has an open sale of this name.
    pub fn knows(&self, machine: &DeviceId, sale: &SaleId) -> bool {
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.get(machine).is_some_and(|(_, ledger)| ledger.knows(sale))
    }
}
