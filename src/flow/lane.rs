//! One lane of a machine: how much is in it, and whether it may be sold from.

use crate::types::{LaneStatus, Minor, Reason, Slot, Stock, StockSource};

/// What is known of a lane. What the machine says and what we have closed are two things: a machine that sees nothing
/// wrong does not open a lane that has failed; only a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// How many are in it, when that is known.
    pub count: Option<u16>,
    /// How many it can hold, when that is known.
    pub capacity: Option<u16>,
    /// What it costs, when the machine says it.
    pub price: Option<Minor>,
    /// What the machine says.
    pub machine: LaneStatus,
    /// Closed by a sale that failed, until a person opens it.
    pub closed: Option<LaneStatus>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { count: None, capacity: None, price: None, machine: LaneStatus::Open, closed: None }
    }
}

impl Lane {
    /// Whether it may be sold from, and if not, why.
    pub fn status(&self) -> LaneStatus {
        match (self.closed, self.machine) {
            (Some(closed), _) => closed,
            (None, LaneStatus::Open) if self.count == Some(0) => LaneStatus::Empty,
            (None, machine) => machine,
        }
    }

    /// Why nothing may be sold from it, as the reason of a refusal.
    pub fn refuses(&self) -> Option<Reason> {
        let word = match self.status() {
            LaneStatus::Open => return None,
            LaneStatus::Empty => "sold-out",
            LaneStatus::Jammed => "lane-jammed",
            LaneStatus::Paused => "lane-paused",
            LaneStatus::Missing => "no-such-slot",
            LaneStatus::Faulty => "lane-faulty",
        };
        Some(Reason::new(word))
    }

    /// What the machine says, taken in. What it does not say stays as it was.
    pub(super) fn merge(&mut self, said: &Stock) {
        self.count = said.count.or(self.count);
        self.capacity = said.capacity.or(self.capacity);
        self.price = said.price.or(self.price);
        self.machine = said.status;
    }

    /// One has fallen.
    pub(super) fn take_one(&mut self) {
        self.count = self.count.map(|count| count.saturating_sub(1));
    }

    /// As an event says it.
    pub(super) fn stock(&self, slot: Slot, source: StockSource) -> Stock {
        let Self { count, capacity, price, .. } = *self;
        Stock { slot, count, capacity, price, status: self.status(), source }
    }
}

/// Whether a sale that failed for this reason closes its lane, and as what.
pub fn closed_by(reason: &Reason) -> Option<LaneStatus> {
    let word = reason.as_str();
    let begins = |words: &[&str]| words.iter().any(|begin| word.starts_with(begin));
    if word.contains("jam") {
        Some(LaneStatus::Jammed)
    } else if begins(&["sold-out", "empty"]) {
        Some(LaneStatus::Empty)
    } else if begins(&["no-such-slot"]) {
        Some(LaneStatus::Missing)
    } else if begins(&["motor", "no-motor", "no-drop", "drop-sensor", "board-fault", "board-value"]) {
        Some(LaneStatus::Faulty)
    } else {
        None
    }
}
