//! The batch tables: one per class, one row per commit group. SQL stands here, and nothing above knows it.

use std::collections::VecDeque;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Result, Row as SqlRow, params};

use super::limits;
use super::stored::{self, Batch, Entries, TOMBSTONE, Unreadable};
use crate::types::{Class, Event, Row, Seq, Timestamp};

/// The statements of one class.
struct Sql {
    insert: &'static str,
    newest: &'static str,
    oldest: &'static str,
    next: &'static str,
    before: &'static str,
    heads: &'static str,
    delete: &'static str,
    bury: &'static str,
    naming: &'static str,
}

macro_rules! sql {
    ($table:literal) => {
        Sql {
            insert: concat!("INSERT INTO ", $table, " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
            newest: concat!("SELECT * FROM ", $table, " ORDER BY last_row DESC LIMIT 1"),
            oldest: concat!(
                "SELECT last_row, first_seq, count, at_ms, length(body) FROM ",
                $table,
                " ORDER BY last_row LIMIT 1"
            ),
            next: concat!("SELECT * FROM ", $table, " WHERE last_row > ?1 ORDER BY last_row LIMIT 1"),
            before: concat!("SELECT * FROM ", $table, " WHERE last_row < ?1 ORDER BY last_row DESC LIMIT 1"),
            heads: concat!(
                "SELECT last_row, first_seq, count, at_ms, length(body) FROM ",
                $table,
                " WHERE last_row < ?1 ORDER BY last_row LIMIT ?2"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE last_row <= ?1"),
            bury: concat!(
                "UPDATE ",
                $table,
                " SET first_seq = ?2, count = ?3, at_ms = ?4, crc32 = ?5, body = ?6 WHERE last_row = ?1"
            ),
            naming: concat!("SELECT last_row FROM ", $table, " WHERE instr(body, ?1) > 0 ORDER BY last_row"),
        }
    };
}

static MONEY: Sql = sql!("batch_money");
static RECORD: Sql = sql!("batch_record");
static TELEMETRY: Sql = sql!("batch_telemetry");

const fn sql(class: Class) -> &'static Sql {
    match class {
        Class::Money => &MONEY,
        Class::Record => &RECORD,
        Class::Telemetry => &TELEMETRY,
    }
}

/// A batch row without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) last_row: Row,
    pub(super) first_seq: Seq,
    pub(super) count: u32,
    pub(super) at: Timestamp,
    pub(super) bytes: u64,
}

impl Heading {
    /// Number of its last event.
    pub(super) fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0.saturating_add(u64::from(self.count)).saturating_sub(1))
    }
}

/// A batch row as read, its checksum not looked at.
#[derive(Debug, Clone)]
pub(super) struct BatchRow {
    pub(super) heading: Heading,
    crc: u32,
    pub(super) body: Vec<u8>,
}

impl BatchRow {
    #[cfg(test)]
    pub(super) fn for_test(batch: &Batch, at: Timestamp, crc: u32) -> Self {
        let Batch { first_seq, last_row, count, body } = batch.clone();
        Self { heading: Heading { last_row, first_seq, count, at, bytes: body.len() as u64 }, crc, body }
    }

    /// Its events' places in the body, if the checksum fits and the numbers agree.
    pub(super) fn entries(&self) -> std::result::Result<VecDeque<(Row, Seq, Range<usize>)>, Unreadable> {
        let Heading { last_row, first_seq, count, at, .. } = self.heading;
        if self.crc != stored::checksum(last_row, first_seq, count, at, &self.body) {
            return Err(Unreadable::Checksum);
        }
        if self.body == [TOMBSTONE] {
            return Ok(VecDeque::new());
        }
        let base = self.body.as_ptr() as usize;
        let mut entries = VecDeque::with_capacity(count as usize);
        for entry in Entries::new(first_seq, &self.body)? {
            let (row, seq, event) = entry?;
            let start = event.as_ptr() as usize - base;
            entries.push_back((row, seq, start..start + event.len()));
        }
        let agrees = entries.len() == count as usize && entries.back().is_some_and(|(row, ..)| *row == last_row);
        if agrees { Ok(entries) } else { Err(Unreadable::Framing) }
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn heading(row: &SqlRow<'_>, bytes: u64) -> Result<Heading> {
    Ok(Heading {
        last_row: Row(row.get(0)?),
        first_seq: Seq(unsigned(row.get(1)?)),
        count: u32::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        at: Timestamp::from_unix_ms(row.get(3)?),
        bytes,
    })
}

fn short(row: &SqlRow<'_>) -> Result<Heading> {
    heading(row, unsigned(row.get(4)?))
}

fn whole(row: &SqlRow<'_>) -> Result<BatchRow> {
    let body: Vec<u8> = row.get(5)?;
    let crc = u32::try_from(row.get::<_, i64>(4)?).unwrap_or(0);
    Ok(BatchRow { heading: heading(row, body.len() as u64)?, crc, body })
}

/// Stores a batch.
pub(super) fn insert(conn: &Connection, class: Class, batch: &Batch, at: Timestamp) -> Result<()> {
    let crc = stored::checksum(batch.last_row, batch.first_seq, batch.count, at, &batch.body);
    let values =
        params![batch.last_row.0, signed(batch.first_seq.0), batch.count, at.unix_ms(), crc, batch.body.as_slice()];
    conn.prepare_cached(sql(class).insert)?.execute(values).map(drop)
}

/// The newest batch of a class.
pub(super) fn newest(conn: &Connection, class: Class) -> Result<Option<BatchRow>> {
    conn.prepare_cached(sql(class).newest)?.query_row([], whole).optional()
}

/// The oldest batch of a class.
pub(super) fn oldest(conn: &Connection, class: Class) -> Result<Option<Heading>> {
    conn.prepare_cached(sql(class).oldest)?.query_row([], short).optional()
}

/// The batch that holds the first event after `row`.
pub(super) fn next(conn: &Connection, class: Class, row: Row) -> Result<Option<BatchRow>> {
    conn.prepare_cached(sql(class).next)?.query_row([row.0], whole).optional()
}

/// The batch before the one that ends with `row`.
pub(super) fn before(conn: &Connection, class: Class, row: Row) -> Result<Option<BatchRow>> {
    conn.prepare_cached(sql(class).before)?.query_row([row.0], whole).optional()
}

/// The oldest batches that end before `row`, without their bodies.
pub(super) fn headings(conn: &Connection, class: Class, before: Row, limit: usize) -> Result<Vec<Heading>> {
    let mut statement = conn.prepare_cached(sql(class).heads)?;
    let rows = statement.query_map(params![before.0, signed(limit as u64)], short)?;
    rows.collect()
}

/// Deletes every batch up to the one that ends with `row`.
pub(super) fn delete(conn: &Connection, class: Class, row: Row) -> Result<()> {
    conn.prepare_cached(sql(class).delete)?.execute([row.0]).map(drop)
}

/// Replaces a damaged batch by an empty one that covers the same numbers.
pub(super) fn bury(conn: &Connection, class: Class, row: Row, from: Seq, to: Seq, at: Timestamp) -> Result<()> {
    let count = u32::try_from(to.0.saturating_sub(from.0) + 1).unwrap_or(u32::MAX);
    let body = [TOMBSTONE];
    let crc = stored::checksum(row, from, count, at, &body);
    let values = params![row.0, signed(from.0), count, at.unix_ms(), crc, body.as_slice()];
    conn.prepare_cached(sql(class).bury)?.execute(values).map(drop)
}

/// Puts a batch in the place of the one that ends with the same row.
pub(super) fn replace(conn: &Connection, class: Class, batch: &Batch, at: Timestamp) -> Result<()> {
    let Batch { first_seq, last_row, count, body } = batch;
    let crc = stored::checksum(*last_row, *first_seq, *count, at, body);
    let values = params![last_row.0, signed(first_seq.0), count, at.unix_ms(), crc, body.as_slice()];
    conn.prepare_cached(sql(class).bury)?.execute(values).map(drop)
}

/// The last rows of the batches in whose bodies a text stands.
pub(super) fn naming(conn: &Connection, class: Class, text: &str) -> Result<Vec<Row>> {
    let mut statement = conn.prepare_cached(sql(class).naming)?;
    let rows = statement.query_map([text.as_bytes()], |row| row.get(0).map(Row))?;
    rows.collect()
}

/// A batch that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) class: Class,
    pub(super) last_row: Row,
}

/// Events read, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    pub(super) bad: Vec<Bad>,
    bytes: usize,
}

impl Page {
    fn full(&self, limit: usize) -> bool {
        self.events.len() >= limit.min(limits::READ_EVENTS) || self.bytes >= limits::READ_BYTES
    }
}

/// Walks one class from a row on, a batch at a time.
struct Walk<'a> {
    conn: &'a Connection,
    class: Class,
    at: Row,
    body: Vec<u8>,
    entries: VecDeque<(Row, Seq, Range<usize>)>,
}

impl<'a> Walk<'a> {
    fn new(conn: &'a Connection, class: Class, after: Row) -> Self {
        Self { conn, class, at: after, body: Vec::new(), entries: VecDeque::new() }
    }

    /// The next event's row; loads the next batch when it must, and reports those it has to leave out.
    fn peek(&mut self, page: &mut Page) -> Result<Option<Row>> {
        loop {
            if let Some((row, ..)) = self.entries.front() {
                return Ok(Some(*row));
            }
            let Some(batch) = next(self.conn, self.class, self.at)? else { return Ok(None) };
            let last_row = batch.heading.last_row;
            match batch.entries() {
                Ok(entries) => {
                    self.entries = entries;
                    self.entries.retain(|(row, ..)| *row > self.at);
                    self.body = batch.body;
                }
                Err(_) => page.bad.push(Bad { class: self.class, last_row }),
            }
            self.at = last_row;
        }
    }

    fn take(&mut self, page: &mut Page) {
        let Some((row, seq, range)) = self.entries.pop_front() else { return };
        page.bytes += range.len();
        match stored::decode_event(row, seq, self.body.get(range).unwrap_or_default()) {
            Ok(event) => page.events.push(event),
            // The checksum fits, so a value is one this version cannot have written: the batch is damaged all the same.
            Err(_) => page.bad.push(Bad { class: self.class, last_row: self.at }),
        }
    }
}

/// Events of one class after `row`, in order.
pub(super) fn lane(conn: &Connection, class: Class, after: Row, limit: usize) -> Result<Page> {
    let mut page = Page::default();
    let mut walk = Walk::new(conn, class, after);
    while !page.full(limit) && walk.peek(&mut page)?.is_some() {
        walk.take(&mut page);
    }
    Ok(page)
}

/// Events of all classes after `row`, in order.
pub(super) fn merged(conn: &Connection, after: Row, limit: usize) -> Result<Page> {
    let mut page = Page::default();
    let mut walks = Class::ALL.map(|class| Walk::new(conn, class, after));
    while !page.full(limit) {
        let mut first: Option<(Row, usize)> = None;
        for (place, walk) in walks.iter_mut().enumerate() {
            if let Some(row) = walk.peek(&mut page)?
                && first.is_none_or(|(least, _)| row < least)
            {
                first = Some((row, place));
            }
        }
        let Some((_, place)) = first else { break };
        walks[place].take(&mut page);
    }
    Ok(page)
}
