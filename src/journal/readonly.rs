//! Reading a journal that may be in use: for the command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::head::Head;
use super::lane;
use super::open::{FILE, beside};
use super::stats::{self, Stats};
use super::stored::{self, Unreadable};
use super::{JournalError, cursor, limits, migrations};
use crate::types::{Class, Epoch, Event, Row, Seq, Timestamp};

type Result<T> = std::result::Result<T, JournalError>;

/// A journal opened for reading only, beside a running gateway or without one. It writes nothing, takes no lock and
/// repairs nothing.
#[derive(Debug)]
pub struct ReadOnly {
    conn: Connection,
    path: PathBuf,
    epoch: Epoch,
}

/// What [`ReadOnly::verify`] found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// SQLite's own integrity check says so.
    Integrity(String),
    /// A batch cannot be read.
    Batch {
        /// Its class.
        class: Class,
        /// Number of its first event, as it says.
        from: Seq,
        /// Number of its last event, as it says.
        to: Seq,
        /// What is wrong with it.
        why: Unreadable,
    },
    /// Numbers are missing without an announcement.
    Gap {
        /// Their class.
        class: Class,
        /// First missing number.
        from: Seq,
        /// Last missing number.
        to: Seq,
    },
    /// A batch stood here that could not be read; its loss has been announced.
    Buried {
        /// Its class.
        class: Class,
        /// First lost number.
        from: Seq,
        /// Last lost number.
        to: Seq,
    },
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integrity(text) => write!(f, "SQLite: {text}"),
            Self::Batch { class, from, to, why } => write!(f, "{} {from} to {to}: {why}", class.as_str()),
            Self::Gap { class, from, to } => write!(f, "{} {from} to {to} are missing", class.as_str()),
            Self::Buried { class, from, to } => write!(f, "{} {from} to {to} were lost to damage", class.as_str()),
        }
    }
}

/// What [`ReadOnly::verify`] saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Events read and found sound.
    pub events: u64,
    /// What is wrong, at most the first thousand.
    pub findings: Vec<Finding>,
}

impl ReadOnly {
    /// Opens the journal in `directory`.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        if !path.exists() {
            return Err(JournalError::Missing { path });
        }
        let open_error = |source| JournalError::Open { path: path.clone(), source: Arc::new(source) };
        let conn = connect(&path).map_err(open_error)?;
        let found = migrations::version(&conn).map_err(open_error)?;
        if found > migrations::LATEST {
            return Err(JournalError::NewerSchema { path, found, known: migrations::LATEST });
        }
        let epoch: String = conn.query_row("SELECT epoch FROM meta", [], |row| row.get(0)).map_err(open_error)?;
        let epoch = uuid::Uuid::parse_str(&epoch).map_err(|_| open_error(rusqlite::Error::InvalidQuery))?;
        Ok(Self { conn, path, epoch: Epoch(epoch) })
    }

    /// The journal's epoch.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Events of all classes after `row`, in order; at most `limit` and at most one answer's worth (1000 events or
    /// 1 MiB). An empty answer is the end. What cannot be read is left out; [`ReadOnly::verify`] names it.
    pub fn after(&self, row: Row, limit: usize) -> Result<Vec<Event>> {
        Ok(lane::merged(&self.conn, row, limit).map_err(JournalError::read)?.events)
    }

    /// An owner's keys after `after` and their values, in the keys' order; at most 4096. Begin with `""`.
    pub fn states(&self, owner: &str, after: &str, now: Timestamp) -> Result<Vec<(String, Vec<u8>)>> {
        cursor::states(&self.conn, owner, after, now).map_err(JournalError::read)
    }

    /// Whoever keeps state here, in order; at most 4096.
    pub fn owners(&self) -> Result<Vec<String>> {
        cursor::owners(&self.conn).map_err(JournalError::read)
    }

    /// The newest event's row; 0 when there is none.
    pub fn last_row(&self) -> Result<Row> {
        Ok(Head::load(&self.conn)?.row)
    }

    /// Depths and sizes.
    pub fn stats(&self) -> Result<Stats> {
        let head = Head::load(&self.conn)?;
        let mut confirmed = [Row(0); 3];
        for class in Class::ALL {
            confirmed[Head::place(class)] =
                cursor::get(&self.conn, cursor::uplink(class)).map_err(JournalError::read)?;
        }
        stats::read(&self.conn, &self.path, &head, confirmed).map_err(JournalError::read)
    }

    /// Checks everything: SQLite's integrity, every batch's checksum, every event's form, the numbering.
    pub fn verify(&self) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        self.verify_file(&mut verdict).map_err(JournalError::read)?;
        for class in Class::ALL {
            self.verify_class(class, &mut verdict).map_err(JournalError::read)?;
        }
        verdict.findings.truncate(limits::FINDINGS);
        Ok(verdict)
    }

    fn verify_file(&self, verdict: &mut Verdict) -> rusqlite::Result<()> {
        let mut statement = self.conn.prepare("PRAGMA integrity_check(100)")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            let line = line?;
            if line != "ok" {
                verdict.findings.push(Finding::Integrity(line));
            }
        }
        Ok(())
    }

    fn verify_class(&self, class: Class, verdict: &mut Verdict) -> rusqlite::Result<()> {
        let (mut at, mut expected) = (Row(0), None);
        while let Some(batch) = lane::next(&self.conn, class, at)? {
            let (from, to) = (batch.heading.first_seq, batch.heading.last_seq());
            if let Some(expected) = expected.filter(|expected| *expected != from) {
                verdict.findings.push(Finding::Gap { class, from: expected, to: Seq(from.0.saturating_sub(1)) });
            }
            match sound(&batch) {
                Ok(0) => verdict.findings.push(Finding::Buried { class, from, to }),
                Ok(events) => verdict.events += events,
                Err(why) => verdict.findings.push(Finding::Batch { class, from, to, why }),
            }
            if verdict.findings.len() >= limits::FINDINGS {
                break;
            }
            (at, expected) = (batch.heading.last_row, Some(Seq(to.0 + 1)));
        }
        Ok(())
    }
}

/// How many events a batch holds, if all of them can be read.
fn sound(batch: &lane::BatchRow) -> std::result::Result<u64, Unreadable> {
    let entries = batch.entries()?;
    let count = entries.len() as u64;
    for (row, seq, range) in entries {
        stored::decode_event(row, seq, batch.body.get(range).unwrap_or_default())?;
    }
    Ok(count)
}

/// Without a write-ahead log the file is complete in itself, and a directory that cannot be written to is no obstacle.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(limits::BUSY)?;
    let reachable = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match reachable.map_err(|error| (error.sqlite_error_code(), error)) {
        Err((Some(rusqlite::ErrorCode::CannotOpen), _)) if !beside(path, "-wal").exists() => immutable(path),
        Err((_, error)) => Err(error),
        Ok(()) => Ok(conn),
    }
}

fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let name: String = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}
