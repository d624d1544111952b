//! Opening: the lock, the checks, setting a damaged file aside, the first event of an epoch.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::Uuid;

use super::group::Group;
use super::head::{Counts, Head};
use super::store::Store;
use super::{JournalError, Opened, Settings, error, limits, migrations, salvage};
use crate::clock::Clock;
use crate::types::{Class, Epoch, Notice, OpenReason, Seq, Timestamp};

type Result<T> = std::result::Result<T, JournalError>;

/// The database's name in its directory.
pub(super) const FILE: &str = "journal.db";

/// `path` with something appended to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A marker file that outlives the process: SQLite has reported damage, check everything next time.
#[derive(Debug, Clone)]
pub(super) struct Suspicion(PathBuf);

impl Suspicion {
    fn of(path: &Path) -> Self {
        Self(beside(path, ".suspect"))
    }

    pub(super) fn raise(&self) {
        if let Err(error) = File::create(&self.0) {
            tracing::error!(%error, path = %self.0.display(), "cannot mark the journal as suspect");
        }
    }

    fn is_raised(&self) -> bool {
        self.0.exists()
    }

    fn clear(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Holds the lock for as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

/// Takes the lock beside the database, or says who is in the way.
pub(super) fn lock(directory: &Path) -> Result<Lock> {
    let directory_error = |source| JournalError::Directory { path: directory.to_owned(), source: Arc::new(source) };
    let metadata = std::fs::metadata(directory).map_err(directory_error)?;
    if !metadata.is_dir() {
        return Err(directory_error(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let path = directory.join("journal.lock");
    let lock_error = |source| JournalError::Lock { path: path.clone(), source: Arc::new(source) };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(lock_error)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::InUse { path }),
        Err(errno) => Err(lock_error(errno.into())),
    }
}

/// Where a journal lives and by what it is kept.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) path: PathBuf,
    pub(super) suspicion: Suspicion,
}

/// Opens the journal in `settings.dir`, whatever state it is in.
pub(super) fn open(settings: Settings, clock: Clock) -> Result<(Store, Opened)> {
    let path = settings.dir.join(FILE);
    let suspicion = Suspicion::of(&path);
    let place = Place { settings, clock, path, suspicion };
    match existing_or_new(place.clone()) {
        Err(error) if error.is_damage() => replace(place),
        outcome => outcome,
    }
}

fn existing_or_new(place: Place) -> Result<(Store, Opened)> {
    let Found { conn, epoch } = sound(&place)?;
    let Some(epoch) = epoch else {
        let begun = Begin { previous: None, last_seq: Vec::new(), reason: OpenReason::Created };
        return Ok((begin(conn, place, begun)?, Opened::Created));
    };
    // From now on the file counts as not closed in order.
    let taken = conn.execute("UPDATE meta SET clean = 0", []);
    taken.map_err(|source| JournalError::Open { path: place.path.clone(), source: Arc::new(source) })?;
    Ok((Store::new(conn, epoch, place)?, Opened::Existing))
}

/// An opened database; no epoch: nothing is in it yet.
struct Found {
    conn: Connection,
    epoch: Option<Epoch>,
}

/// Opens and checks the file. An error of which [`JournalError::is_damage`] says so means: set it aside.
fn sound(place: &Place) -> Result<Found> {
    let Place { clock, path, suspicion, .. } = place;
    let open_error = |source| JournalError::Open { path: path.clone(), source: Arc::new(source) };
    let mut conn = connect(path).map_err(open_error)?;
    let schema = migrations::version(&conn).map_err(open_error)?;
    if schema > migrations::LATEST {
        return Err(JournalError::NewerSchema { path: path.clone(), found: schema, known: migrations::LATEST });
    }
    if schema == 0 && migrations::is_empty(&conn).map_err(open_error)? {
        return Ok(Found { conn, epoch: None });
    }
    let damaged = || open_error(not_ours());
    let (epoch, clean) = match meta(&conn) {
        Ok(Some(meta)) => meta,
        Err(error) if error::is_circumstance(&error) => return Err(open_error(error)),
        Ok(None) | Err(_) => return Err(damaged()),
    };
    let suspect = suspicion.is_raised();
    let budget = if suspect { limits::CHECK_BUDGET_SUSPECT } else { limits::CHECK_BUDGET };
    if !quick_check(&mut conn, clock, budget, suspect || !clean).map_err(open_error)? {
        return Err(damaged());
    }
    suspicion.clear();
    migrations::run(&mut conn)?;
    Ok(Found { conn, epoch: Some(epoch) })
}

/// Says "damaged" in SQLite's own words.
fn not_ours() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some("the journal's own tables are missing or unreadable".to_owned()))
}

/// A connection with the pragmas that the writer needs.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    pragmas(&conn)?;
    Ok(conn)
}

/// WAL with an fsync at every commit, little memory, no mmap (it turns I/O errors into SIGBUS).
pub(super) fn pragmas(conn: &Connection) -> rusqlite::Result<()> {
    // Closing folds the log into the file itself, and knows whether it worked; a file that turns out to be damaged
    // keeps its log.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.busy_timeout(limits::BUSY)?;
    conn.execute_batch(&format!(
        "PRAGMA page_size = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {};
         PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cache_size = -{}; PRAGMA foreign_keys = ON",
        limits::PAGE_BYTES,
        limits::WAL_BYTES,
        limits::CACHE_KIB
    ))?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn meta(conn: &Connection) -> rusqlite::Result<Option<(Epoch, bool)>> {
    let row: Option<(String, bool)> =
        conn.query_row("SELECT epoch, clean FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.and_then(|(epoch, clean)| Some((Epoch(Uuid::parse_str(&epoch).ok()?), clean))))
}

/// SQLite's own check of the small tables, or of everything, stopped when the budget is used up: what it has not
/// reached is checked when it is read.
fn quick_check(conn: &mut Connection, clock: &Clock, budget: Duration, everything: bool) -> rusqlite::Result<bool> {
    let (watch, until) = (clock.clone(), clock.now() + budget);
    conn.progress_handler(1000, Some(move || watch.now() >= until))?;
    let small = ["meta", "cursor", "command", "state"].map(|table| format!("PRAGMA quick_check({table})"));
    let all = everything.then(|| "PRAGMA quick_check(1)".to_owned());
    let sound = small.into_iter().chain(all).try_fold(true, |sound, check| Ok(sound && is_sound(conn, &check)?));
    conn.progress_handler(0, None::<fn() -> bool>)?;
    sound
}

fn is_sound(conn: &Connection, check: &str) -> rusqlite::Result<bool> {
    match conn.query_row(check, [], |row| row.get::<_, String>(0)) {
        Ok(verdict) => Ok(verdict == "ok"),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(true),
        Err(error) if error::damage(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a new epoch says of the one before.
struct Begin {
    previous: Option<Epoch>,
    last_seq: Vec<(Class, Seq)>,
    reason: OpenReason,
}

/// Makes the tables, the epoch and its first event.
fn begin(mut conn: Connection, place: Place, begin: Begin) -> Result<Store> {
    let clock = &place.clock;
    let epoch = Epoch(clock.random_uuid());
    let (now, _) = clock.wall();
    let Begin { previous, last_seq, reason } = begin;
    migrations::create(&mut conn, epoch, now, |conn| {
        let mut group = Group::new(conn, clock, Head::default(), Counts::default());
        group.notice(Notice::Opened { epoch, previous, last_seq, reason })?;
        group.finish().map(drop)
    })?;
    Store::new(conn, epoch, place)
}

/// Sets the damaged file aside and begins a new epoch.
fn replace(place: Place) -> Result<(Store, Opened)> {
    let (previous, last_seq) = last_words(&place.path);
    let (now, _) = place.clock.wall();
    let set_aside = set_aside(&place.path, now)?;
    place.suspicion.clear();
    let conn = connect(&place.path)
        .map_err(|source| JournalError::Open { path: place.path.clone(), source: Arc::new(source) })?;
    let begun = Begin { previous, last_seq: last_seq.clone(), reason: OpenReason::Damaged };
    let mut store = begin(conn, place, begun)?;
    let salvaged = store.salvage(&set_aside);
    Ok((store, Opened::Damaged { set_aside, previous, last_seq, salvaged }))
}

/// What can still be read of a damaged file: its epoch and where its numbering stood.
fn last_words(path: &Path) -> (Option<Epoch>, Vec<(Class, Seq)>) {
    let Ok(conn) = salvage::connect(path) else { return (None, Vec::new()) };
    let epoch = meta(&conn).ok().flatten().map(|(epoch, _)| epoch);
    let head = Head::load(&conn).unwrap_or_default();
    let seqs = Class::ALL.map(|class| (class, head.of(class).seq));
    (epoch, seqs.into_iter().filter(|(_, seq)| seq.0 > 0).collect())
}

/// Renames database, write-ahead log and index to `….corrupt-<UTC time>`, and deletes the oldest of too many such.
fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf> {
    let set_aside_error = |source| JournalError::SetAside { path: path.to_owned(), source: Arc::new(source) };
    let time: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let free = (0..100).map(|n| if n == 0 { format!(".corrupt-{time}") } else { format!(".corrupt-{time}-{n}") });
    let target = free.map(|suffix| beside(path, &suffix)).find(|target| !target.exists());
    let target = target.ok_or_else(|| set_aside_error(io::Error::from(io::ErrorKind::AlreadyExists)))?;
    for suffix in ["-wal", "-shm", ""] {
        match std::fs::rename(beside(path, suffix), beside(&target, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(set_aside_error(error)),
            _ => {}
        }
    }
    if let Some(directory) = path.parent() {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(set_aside_error)?;
        forget_oldest(directory);
    }
    Ok(target)
}

/// Keeps the newest [`limits::SET_ASIDE`] damaged journals: a dying disk must not fill itself with them.
fn forget_oldest(directory: &Path) {
    let found = found_set_aside(directory);
    remove(&found[..found.len().saturating_sub(limits::SET_ASIDE)]);
}

/// Removes every journal that was set aside as damaged: what is in it cannot be changed any more.
pub(super) fn discard_set_aside(path: &Path) {
    if let Some(directory) = path.parent() {
        remove(&found_set_aside(directory));
    }
}

/// Oldest first.
fn found_set_aside(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let is_set_aside = |name: &str| {
        name.starts_with(FILE) && name.contains(".corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_set_aside))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn remove(found: &[PathBuf]) {
    for path in found {
        for suffix in ["-wal", "-shm", ""] {
            let _ = std::fs::remove_file(beside(path, suffix));
        }
    }
}
