//! Cursors of readers and the state that flows keep.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::limits;
use super::{Change, JournalError};
use crate::types::{Class, Row, Timestamp};

/// The uplink's reader of a class.
pub(super) const fn uplink(class: Class) -> &'static str {
    match class {
        Class::Money => "uplink.money",
        Class::Record => "uplink.record",
        Class::Telemetry => "uplink.telemetry",
    }
}

/// How far a reader has come; 0 when it has not begun.
pub(super) fn get(conn: &Connection, reader: &str) -> Result<Row> {
    let row = conn
        .prepare_cached("SELECT row FROM cursor WHERE reader = ?1")?
        .query_row([reader], |row| row.get(0))
        .optional()?;
    Ok(Row(row.unwrap_or(0)))
}

/// Moves a reader.
pub(super) fn set(conn: &Connection, reader: &str, row: Row) -> Result<()> {
    conn.prepare_cached("INSERT INTO cursor VALUES (?1, ?2) ON CONFLICT (reader) DO UPDATE SET row = excluded.row")?
        .execute(params![reader, row.0])
        .map(drop)
}

/// Sets or removes one key.
pub(super) fn put_state(conn: &Connection, owner: &str, change: &Change) -> Result<()> {
    match &change.value {
        None => conn
            .prepare_cached("DELETE FROM state WHERE owner = ?1 AND key = ?2")?
            .execute(params![owner, change.key])
            .map(drop),
        Some(value) => conn
            .prepare_cached(
                "INSERT INTO state VALUES (?1, ?2, ?3, ?4) ON CONFLICT (owner, key)
                 DO UPDATE SET value = excluded.value, expires_ms = excluded.expires_ms",
            )?
            .execute(params![owner, change.key, value, change.expires.map(Timestamp::unix_ms)])
            .map(drop),
    }
}

/// The value of one key, unless it has expired.
pub(super) fn state(conn: &Connection, owner: &str, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>> {
    conn.prepare_cached(
        "SELECT value FROM state WHERE owner = ?1 AND key = ?2 AND (expires_ms IS NULL OR expires_ms > ?3)",
    )?
    .query_row(params![owner, key, now.unix_ms()], |row| row.get(0))
    .optional()
}

/// An owner's keys after `after`, in order, with their values.
pub(super) fn states(conn: &Connection, owner: &str, after: &str, now: Timestamp) -> Result<Vec<(String, Vec<u8>)>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, value FROM state WHERE owner = ?1 AND key > ?2 AND (expires_ms IS NULL OR expires_ms > ?3)
         ORDER BY key LIMIT ?4",
    )?;
    let limit = i64::try_from(limits::STATE_KEYS).unwrap_or(i64::MAX);
    let rows =
        statement.query_map(params![owner, after, now.unix_ms(), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Whoever keeps state here, in order.
pub(super) fn owners(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare("SELECT DISTINCT owner FROM state ORDER BY owner LIMIT ?1")?;
    let limit = i64::try_from(limits::STATE_KEYS).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![limit], |row| row.get(0))?;
    rows.collect()
}

/// Every key of every owner of a damaged journal, as far as they can be read.
pub(super) fn all_state(conn: &Connection) -> Vec<(String, Change)> {
    let read = || -> Result<Vec<(String, Change)>> {
        let mut statement = conn.prepare("SELECT owner, key, value, expires_ms FROM state LIMIT 100000")?;
        let rows = statement.query_map([], |row| {
            let expires = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_unix_ms);
            Ok((row.get(0)?, Change { key: row.get(1)?, value: row.get(2)?, expires }))
        })?;
        Ok(rows.map_while(Result::ok).collect())
    };
    read().unwrap_or_default()
}

/// Removes expired keys, a slice at a time; how many went.
pub(super) fn purge_expired(conn: &Connection, now: Timestamp) -> Result<usize> {
    conn.prepare_cached(
        "DELETE FROM state WHERE (owner, key) IN
         (SELECT owner, key FROM state WHERE expires_ms IS NOT NULL AND expires_ms <= ?1 LIMIT ?2)",
    )?
    .execute(params![now.unix_ms(), limits::PURGE_ROWS])
}

/// Names and values have a length of at least one byte and at most the limit.
pub(super) fn check_lengths(reader: &str, changes: &[Change]) -> std::result::Result<(), JournalError> {
    let check = |what, bytes, least, limit| {
        if (least..=limit).contains(&bytes) { Ok(()) } else { Err(JournalError::Length { what, bytes, limit }) }
    };
    check("reader's name", reader.len(), 1, limits::NAME_BYTES)?;
    for change in changes {
        check("state key", change.key.len(), 1, limits::NAME_BYTES)?;
        check("state value", change.value.as_ref().map_or(0, Vec::len), 0, limits::VALUE_BYTES)?;
    }
    Ok(())
}
