//! Where the journal stands.

use rusqlite::Connection;

use super::{JournalError, lane};
use crate::types::{Class, Row, Seq};

/// The last event of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Its row; 0 when there is none.
    pub row: Row,
    /// Its number; 0 when there is none.
    pub seq: Seq,
}

/// The last event of all and of each class: what every reader waits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Row of the last event; 0 in an empty journal.
    pub row: Row,
    classes: [Mark; 3],
}

impl Head {
    /// The last event of `class`.
    pub const fn of(&self, class: Class) -> Mark {
        self.classes[Self::place(class)]
    }

    pub(super) const fn place(class: Class) -> usize {
        match class {
            Class::Money => 0,
            Class::Record => 1,
            Class::Telemetry => 2,
        }
    }

    /// Takes the next place of `class`.
    pub(super) fn next(&mut self, class: Class) -> (Row, Seq) {
        self.row = Row(self.row.0 + 1);
        let mark = &mut self.classes[Self::place(class)];
        *mark = Mark { row: self.row, seq: Seq(mark.seq.0 + 1) };
        (mark.row, mark.seq)
    }

    /// Derives it from the newest batch of each class. A damaged newest batch is believed only as far as its numbers
    /// follow from the batch before.
    pub(super) fn load(conn: &Connection) -> Result<Self, JournalError> {
        let mut head = Self::default();
        for class in Class::ALL {
            let Some(batch) = lane::newest(conn, class).map_err(JournalError::read)? else { continue };
            let heading = batch.heading;
            if batch.entries().is_err() {
                let before = lane::before(conn, class, heading.last_row).map_err(JournalError::read)?;
                let follows = before.is_none_or(|b| b.heading.last_seq().0 + 1 == heading.first_seq.0);
                if !follows || heading.count == 0 || heading.first_seq.0 == 0 {
                    return Err(JournalError::Numbering(heading.first_seq));
                }
            }
            head.classes[Self::place(class)] = Mark { row: heading.last_row, seq: heading.last_seq() };
            head.row = head.row.max(heading.last_row);
        }
        Ok(head)
    }
}

/// What the writer has counted since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events stored.
    pub events: u64,
    /// Transactions.
    pub groups: u64,
    /// Outcomes dropped because their command was unknown or had ended already.
    pub outcomes_dropped: u64,
    /// Appends refused because the journal was full.
    pub refused_full: u64,
    /// Unconfirmed events dropped for want of space.
    pub dropped_space: u64,
    /// Events lost to damage.
    pub dropped_damaged: u64,
}
