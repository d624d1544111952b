//! What can go wrong with the journal.

use std::path::PathBuf;
use std::sync::Arc;

use crate::types::{CommandId, Row, Seq};

/// The step that failed, and on what.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The directory is missing or is no directory.
    #[error("the journal's directory {path} cannot be used; create it and give it to the gateway's user")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The lock file could not be made: no permission or a read-only file system.
    #[error("cannot make the lock file {path}; the directory must be writable for the gateway's user")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Another process has this journal open.
    #[error("the journal {path} is in use by another process; only one gateway may run on it")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The database could not be opened, for another reason than damage.
    #[error("cannot open the journal {path}")]
    Open {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// There is no journal to read.
    #[error("there is no journal at {path}")]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error("the journal {path} has schema {found}, this version knows up to {known}; install the newer version again")]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// A migration failed; the file is as it was before.
    #[error("cannot bring the journal to schema {to}")]
    Migrate {
        /// The schema that was not reached.
        to: i64,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A damaged journal could not be set aside.
    #[error("the journal {path} is damaged and cannot be renamed")]
    SetAside {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The writer thread could not be started.
    #[error("cannot start the journal's thread")]
    Thread {
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Nothing more fits: nothing of the request was stored.
    #[error("the journal is full")]
    Full,
    /// A transaction failed: nothing of the request was stored.
    #[error("cannot write to the journal")]
    Write {
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A query failed.
    #[error("cannot read from the journal")]
    Read {
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The journal has been closed, or its thread has died.
    #[error("the journal is closed")]
    Closed,
    /// Closing took longer than its bound; what was answered before is on disk.
    #[error("the journal did not close within {within_s} s")]
    NotClosed {
        /// The bound.
        within_s: u64,
    },
    /// An event's stored form is too long: nothing of the request was stored.
    #[error("an event of {bytes} bytes is longer than the journal's limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A reader's name, an owner, a key or a value is empty or too long.
    #[error("a {what} of {bytes} bytes is outside 1 to {limit}")]
    Length {
        /// What it is.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The command is not waiting to be dispatched: unknown, dispatched already, or over.
    #[error("command {0} is not waiting to be dispatched")]
    NotAccepted(CommandId),
    /// A flow's cursor would not move forward: its effects are on disk already, nothing was stored.
    #[error("reader {reader:?} is at row {at} already, so {asked} is no advance")]
    NoAdvance {
        /// The reader.
        reader: String,
        /// Where it is.
        at: Row,
        /// Where it was to go.
        asked: Row,
    },
    /// The recorded outcome of a command cannot be read back.
    #[error("the recorded outcome of command {0} cannot be read")]
    Outcome(CommandId),
    /// The numbering of the newest batch contradicts the one before it.
    #[error("the journal's numbering is broken at sequence number {0}")]
    Numbering(Seq),
}

impl JournalError {
    /// A failed statement of a transaction, in our words.
    pub(super) fn write(source: rusqlite::Error) -> Self {
        if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return Self::Full;
        }
        Self::Write { source: Arc::new(source) }
    }

    /// A failed query, in our words.
    pub(super) fn read(source: rusqlite::Error) -> Self {
        Self::Read { source: Arc::new(source) }
    }

    /// Whether the whole group must be rolled back, rather than this one request be refused.
    pub(super) const fn aborts(&self) -> bool {
        matches!(self, Self::Full | Self::Write { .. } | Self::Read { .. })
    }

    /// Whether the file is damaged. The next start sets it aside when the damage is confirmed: whoever gets such an
    /// error from a running journal should end the process in order, so that it is started again.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Write { source }
            | Self::Read { source }
            | Self::Open { source, .. }
            | Self::Migrate { source, .. } => damage(source),
            Self::Numbering(_) => true,
            _ => false,
        }
    }
}

/// Whether SQLite says that the file is damaged, or no database at all.
pub(super) fn damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Whether the failure says nothing about the file's content: somebody else's lock, a permission, the disk itself.
pub(super) fn is_circumstance(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        error.sqlite_error_code(),
        Some(
            Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::SystemIoFailure
                | Code::CannotOpen
                | Code::PermissionDenied
                | Code::ReadOnly
                | Code::OutOfMemory
                | Code::DiskFull
        )
    )
}
