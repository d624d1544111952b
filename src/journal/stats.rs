//! Depths, sizes and counts, for `journal stats`, `/metrics` and the uplink.

use std::path::Path;

use rusqlite::{Connection, Result};

use super::head::{Counts, Head};
use super::limits::PAGE_BYTES;
use super::{lane, ledger, space};
use crate::types::{Class, Row, Seq, Timestamp};

/// One class in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassStats {
    /// Which class.
    pub class: Class,
    /// Events on disk.
    pub stored: u64,
    /// Events that the cloud has not confirmed.
    pub unsent: u64,
    /// Wall time at which the oldest unconfirmed event was stored.
    pub oldest_unsent: Option<Timestamp>,
    /// Number of the oldest event on disk; 0 when there is none.
    pub first_seq: Seq,
    /// Number of the newest event; 0 when there is none.
    pub last_seq: Seq,
    /// Row up to which the cloud has confirmed.
    pub confirmed: Row,
}

/// The journal in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Each class, in the order of [`Class::ALL`].
    pub classes: [ClassStats; 3],
    /// Bytes of the database file.
    pub file_bytes: u64,
    /// Bytes of it that are in use.
    pub used_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Largest size of the database file; 0 when only reading.
    pub max_bytes: u64,
    /// Bytes free on the partition; `u64::MAX` when nobody can tell.
    pub free_bytes: u64,
    /// Commands that have not ended.
    pub open_commands: u64,
    /// What the writer has counted since it was opened; zeros when only reading.
    pub counts: Counts,
}

impl Stats {
    /// One class.
    pub const fn of(&self, class: Class) -> &ClassStats {
        &self.classes[Head::place(class)]
    }

    /// Events on disk, all classes.
    pub fn stored(&self) -> u64 {
        self.classes.iter().map(|class| class.stored).sum()
    }

    /// Events that the cloud has not confirmed, all classes.
    pub fn unsent(&self) -> u64 {
        self.classes.iter().map(|class| class.unsent).sum()
    }
}

pub(super) fn read(conn: &Connection, path: &Path, head: &Head, confirmed: [Row; 3]) -> Result<Stats> {
    let [money, record, telemetry] = Class::ALL;
    let of = |class| class_stats(conn, class, head, confirmed[Head::place(class)]);
    Ok(Stats {
        classes: [of(money)?, of(record)?, of(telemetry)?],
        file_bytes: space::page_count(conn)?.saturating_mul(PAGE_BYTES),
        used_bytes: space::used_pages(conn)?.saturating_mul(PAGE_BYTES),
        wal_bytes: std::fs::metadata(super::open::beside(path, "-wal")).map_or(0, |wal| wal.len()),
        max_bytes: 0,
        free_bytes: space::free_bytes(path),
        open_commands: ledger::open_count(conn).map_or(0, |count| count as u64),
        counts: Counts::default(),
    })
}

/// Numbers have no gaps and only the oldest are deleted, so that two rows tell it all; no table is counted through.
fn class_stats(conn: &Connection, class: Class, head: &Head, confirmed: Row) -> Result<ClassStats> {
    let last_seq = head.of(class).seq;
    let first_seq = lane::oldest(conn, class)?.map_or(Seq(0), |oldest| oldest.first_seq);
    let stored = if first_seq.0 == 0 { 0 } else { (last_seq.0 + 1).saturating_sub(first_seq.0) };
    let next = lane::next(conn, class, confirmed)?;
    let (unsent, oldest_unsent) = match next {
        None => (0, None),
        Some(batch) => {
            let sent =
                batch.entries().map_or(0, |entries| entries.iter().filter(|(row, ..)| *row <= confirmed).count());
            let first = batch.heading.first_seq.0 + sent as u64;
            ((last_seq.0 + 1).saturating_sub(first), Some(batch.heading.at))
        }
    };
    Ok(ClassStats { class, stored, unsent, oldest_unsent, first_seq, last_seq, confirmed })
}
