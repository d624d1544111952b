//! The schema, by forward-only numbered migrations. `user_version` in the file's header says which it has.
//!
//! To add one: put `migrations/0007_….sql` beside the others, append it to [`ALL`], commit a golden file of the version
//! before under `tests/corpus/journal/`, and extend `tests/journal_migrations.rs`, which opens every golden file.

use std::sync::Arc;

use rusqlite::{Connection, Result, Transaction, TransactionBehavior, params};

use super::JournalError;
use crate::types::{Epoch, Timestamp};

/// Every migration; the first makes version 1.
const ALL: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_words.sql"),
    include_str!("migrations/0003_footfall.sql"),
    include_str!("migrations/0004_faces.sql"),
    include_str!("migrations/0005_screens.sql"),
    include_str!("migrations/0006_sessions.sql"),
];

/// The schema that this version writes.
#[expect(clippy::cast_possible_wrap, reason = "a handful")]
pub(super) const LATEST: i64 = ALL.len() as i64;

/// "smrt": says that the file is a journal of this program.
const APPLICATION_ID: i32 = 0x736d_7274;

/// The file's schema; 0 before the first migration.
pub(super) fn version(conn: &Connection) -> Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whether there is no table at all.
pub(super) fn is_empty(conn: &Connection) -> Result<bool> {
    conn.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// Brings an existing file to [`LATEST`], each step in a transaction of its own.
pub(super) fn run(conn: &mut Connection) -> std::result::Result<(), JournalError> {
    run_all(conn, ALL)
}

fn run_all(conn: &mut Connection, all: &[&str]) -> std::result::Result<(), JournalError> {
    let from = version(conn).map_err(JournalError::read)?;
    for (to, sql) in (1_i64..).zip(all).filter(|(to, _)| *to > from) {
        let step = |conn: &mut Connection| {
            let transaction = Transaction::new(conn, TransactionBehavior::Immediate)?;
            apply(&transaction, to, sql)?;
            transaction.commit()
        };
        step(conn).map_err(|source| JournalError::Migrate { to, source: Arc::new(source) })?;
    }
    Ok(())
}

/// Makes the tables of a new file, its epoch and, by `first`, its first event, all in one transaction: there is no
/// journal without them.
pub(super) fn create(
    conn: &mut Connection,
    epoch: Epoch,
    now: Timestamp,
    first: impl FnOnce(&Connection) -> std::result::Result<(), JournalError>,
) -> std::result::Result<(), JournalError> {
    let failed = |source| JournalError::Migrate { to: LATEST, source: Arc::new(source) };
    let make = |conn: &Connection| {
        for (to, sql) in (1_i64..).zip(ALL) {
            apply(conn, to, sql)?;
        }
        conn.execute("INSERT INTO meta VALUES (1, ?1, ?2, 0)", params![epoch.to_string(), now.unix_ms()])?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)
    };
    let transaction = Transaction::new(conn, TransactionBehavior::Immediate).map_err(failed)?;
    make(&transaction).map_err(failed)?;
    first(&transaction)?;
    transaction.commit().map_err(failed)
}

fn apply(conn: &Connection, to: i64, sql: &str) -> Result<()> {
    conn.execute_batch(sql)?;
    conn.pragma_update(None, "user_version", to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &str = "CREATE TABLE next (a INTEGER NOT NULL) STRICT; INSERT INTO next VALUES (1)";

    fn tables(conn: &Connection) -> Vec<String> {
        let mut statement = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(|name| name.unwrap()).collect()
    }

    #[test]
    fn an_empty_file_gets_every_migration_in_order() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert!(is_empty(&conn).unwrap());
        run(&mut conn).unwrap();
        assert_eq!(version(&conn).unwrap(), LATEST);
        let expected = ["batch_money", "batch_record", "batch_telemetry", "command", "cursor", "meta", "state"];
        assert_eq!(tables(&conn), expected);
    }

    #[test]
    fn only_the_missing_migrations_run() {
        let mut conn = Connection::open_in_memory().unwrap();
        run_all(&mut conn, &[ALL[0]]).unwrap();
        let two = [ALL[0], NEXT];
        run_all(&mut conn, &two).unwrap();
        run_all(&mut conn, &two).unwrap();
        assert_eq!(version(&conn).unwrap(), 2);
        let rows: i64 = conn.query_row("SELECT count(*) FROM next", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        let mut conn = Connection::open_in_memory().unwrap();
        run(&mut conn).unwrap();
        let before = tables(&conn);
        let broken = [
            ALL[0],
            ALL[1],
            ALL[2],
            ALL[3],
            ALL[4],
            ALL[5],
            "CREATE TABLE next (a INTEGER NOT NULL) STRICT; INSERT INTO nowhere VALUES (1)",
        ];
        let failed = run_all(&mut conn, &broken).unwrap_err();
        assert!(matches!(failed, JournalError::Migrate { to: 7, .. }), "{failed:?}");
        assert_eq!((version(&conn).unwrap(), tables(&conn)), (LATEST, before));
    }
}
