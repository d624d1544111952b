//! The journal: what happened, on disk, in order, once.
//!
//! One std thread (`journal`) owns the one SQLite connection (WAL, `synchronous=FULL`). Requests reach it through a
//! queue of 64; it takes what is queued, makes one transaction of it, and answers all: group commit. Money and records
//! close a group at once, telemetry after 200 ms or 256 events.
//!
//! Two numbers, never confused: [`Row`] is the local total order over all classes, for readers and cursors; [`Seq`]
//! counts 1, 2, 3 … per epoch and class without gaps, for the cloud. Both follow from the newest batch of each class.
//!
//! Layout: one table per class, one row per commit group, all its events in one checksummed blob. Compared with a row
//! per event this halves what is written (deletion included), needs no index and no counter, and costs the readers one
//! copy. An event of 288 bytes costs, from append to deletion, 9.9 KB of block writes alone, 870 bytes in a group of 64
//! and 610 in a group of 256 (`smartstore bench journal`).
//!
//! Invariants:
//! - What was answered is on disk (fsync), whatever happens to the process or the power afterwards.
//! - Sequence numbers have no gaps; a range that had to go is announced by `journal.dropped` in the transaction that
//!   deletes it. Money never goes before the cloud confirmed it; when it cannot be written the answer is
//!   [`JournalError::Full`].
//! - Every command ends once: recording the outcome and ending the command is one transaction, a second outcome is
//!   dropped and counted.
//! - A flow's cursor, its events, its commands and its state change in one transaction ([`Journal::advance`]).
//! - A confirmation may be lost in a crash for up to one second's worth: events are sent again with the same id.
//! - A damaged file is set aside as `journal.db.corrupt-<UTC time>` (the newest four are kept), never repaired, and a
//!   new epoch begins. It takes over what can still be read: the command ledger, so that no command is carried out
//!   twice; flows' state; events the cloud has not confirmed, with their ids under new numbers. A single damaged batch
//!   is announced and left out.
//!
//! What is absent: no async wrapper around SQLite, no second connection in the daemon, no vacuum (the file is a bounded
//! ring whose pages are reused), no encryption (nothing personal is stored; encrypt the partition).
//!
//! Limits: an event 64 KiB, an answer 1000 events or 1 MiB, open commands 1024, ended commands the newest 10,000 and 30
//! days, a name or key 128 bytes, a state value 256 KiB. See `limits.rs`.

pub mod bench;
mod cursor;
mod error;
mod forget;
mod group;
mod head;
mod lane;
mod ledger;
mod limits;
mod migrations;
mod open;
mod readonly;
mod retain;
mod salvage;
mod space;
mod stats;
mod store;
mod stored;
mod writer;

use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};

pub use error::JournalError;
pub use head::{Counts, Head, Mark};
pub use limits::{KEEP_CONFIRMED_DEFAULT, KEEP_CONFIRMED_EVENTS_DEFAULT, MAX_BYTES_DEFAULT, MAX_BYTES_MIN};
pub use readonly::{Finding, ReadOnly, Verdict};
pub use stats::{ClassStats, Stats};
pub use stored::Unreadable;

use crate::clock::Clock;
use crate::types::{
    Class, Command, CommandId, CommandState, Draft, Epoch, Event, MemberKey, Reason, Row, Seq, Timestamp,
};
use group::Group;
use store::Store;
use writer::{Ask, Queued, Request};

/// Version of the SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Where the journal is and how much it may hold.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory; it must exist.
    pub dir: PathBuf,
    /// Largest size of the database file, in bytes; at least [`MAX_BYTES_MIN`]. The write-ahead log comes on top
    /// (8 MiB).
    pub max_bytes: u64,
    /// How long confirmed events stay for local readers.
    pub keep_confirmed: Duration,
    /// How many confirmed events of a class stay, if that is fewer.
    pub keep_confirmed_events: u64,
}

impl Settings {
    /// The defaults, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            max_bytes: MAX_BYTES_DEFAULT,
            keep_confirmed: KEEP_CONFIRMED_DEFAULT,
            keep_confirmed_events: KEEP_CONFIRMED_EVENTS_DEFAULT,
        }
    }
}

/// What [`Journal::open`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A journal, and went on with it.
    Existing,
    /// None, and made one.
    Created,
    /// A damaged one, set it aside and made a new one.
    Damaged {
        /// Where the damaged database is now; its `-wal` and `-shm` are beside it.
        set_aside: PathBuf,
        /// Its epoch, when it could be read.
        previous: Option<Epoch>,
        /// Its last sequence numbers, when they could be read.
        last_seq: Vec<(Class, Seq)>,
        /// What the new journal took over.
        salvaged: Salvaged,
    },
}

/// What a new epoch took over from a damaged journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Salvaged {
    /// Commands: open ones, and ended ones with their outcome.
    pub commands: u64,
    /// Events that the cloud had not confirmed.
    pub events: u64,
    /// Keys of flows' state.
    pub keys: u64,
}

/// A command as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intake {
    /// One that can be carried out, as far as its form goes.
    Command(Command),
    /// One whose id could be read and nothing else: it ends as refused at once.
    Refused {
        /// Its id.
        id: CommandId,
        /// What is wrong with it.
        reason: Reason,
    },
}

impl Intake {
    /// The command's id.
    pub const fn id(&self) -> &CommandId {
        match self {
            Self::Command(command) => &command.id,
            Self::Refused { id, .. } => id,
        }
    }
}

/// What became of an intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It was filed.
    New,
    /// It was filed before. With the event if it has ended: to be sent again as it is.
    Seen(Option<Box<Event>>),
}

/// A changed key of a flow's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key, 1 to 128 bytes.
    pub key: String,
    /// The new value, at most 256 KiB; `None` removes the key.
    pub value: Option<Vec<u8>>,
    /// Wall time after which it counts as removed.
    pub expires: Option<Timestamp>,
}

/// What follows from an event that a flow has read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// Events. Their ids should derive from the event that caused them.
    pub events: Vec<Draft>,
    /// Commands. One whose id is known already is left out.
    pub commands: Vec<Command>,
    /// Changed keys of the reader's own state.
    pub state: Vec<Change>,
}

/// A handle; clones are cheap and speak to the same journal. When the last one is dropped the journal closes in order.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: SyncSender<Queued>,
    places: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
    epoch: Epoch,
    head: watch::Receiver<Head>,
    commands: watch::Receiver<u64>,
}

impl Journal {
    /// Opens the journal and starts its thread. A new epoch's first event is `journal.opened`.
    ///
    /// Blocks for as long as the disk takes: a few fsyncs, and at most 40 ms of checking after an unclean end (79 ms in
    /// all were seen with 520,000 events and 60 ms of checking, on a loaded machine).
    ///
    /// # Errors
    /// See [`JournalError`]; a damaged file is no error.
    pub fn open(settings: Settings, clock: Clock) -> Result<(Self, Opened), JournalError> {
        let lock = open::lock(&settings.dir)?;
        let (store, opened) = open::open(settings, clock)?;
        let (epoch, head) = (store.epoch, store.head_out.subscribe());
        let commands = store.commands_out.subscribe();
        let (queue, thread) =
            writer::start(store, lock).map_err(|source| JournalError::Thread { source: Arc::new(source) })?;
        let shared = Shared {
            queue,
            places: Arc::new(Semaphore::new(limits::QUEUE)),
            thread: Mutex::new(Some(thread)),
            epoch,
            head,
            commands,
        };
        Ok((Self { shared: Arc::new(shared) }, opened))
    }

    /// Returns when the journal's thread stands still, until `held` ends.
    #[cfg(test)]
    pub(crate) async fn hold_up(&self, held: std::sync::mpsc::Receiver<()>) {
        let (begun, begins) = oneshot::channel();
        let stand_still = move |_: &mut Store| {
            let _ = (begun.send(()), held.recv());
        };
        let _ = self.send(Request::Read(Box::new(stand_still))).await;
        let _ = begins.await;
    }

    /// This journal's epoch.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// Appends events; answers when they are on disk. One row for each event that was stored, in order. An outcome
    /// whose command is unknown or over is dropped and counted, and has no row. More than 256 events are stored in
    /// several transactions.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Row>, JournalError> {
        let mut rows = Vec::with_capacity(drafts.len());
        let mut rest = drafts.into_iter();
        loop {
            let part: Vec<_> = rest.by_ref().take(limits::GROUP_EVENTS).collect();
            let Some(class) = part.iter().map(|draft| draft.body.class()).min() else { return Ok(rows) };
            let events = part.len();
            rows.extend(self.write(Some(class), events, move |group| group.append(&part)).await?);
        }
    }

    /// Files a command; answers when it is on disk. Only then may it be acknowledged to whoever sent it. More than
    /// 1024 open commands: it ends as refused (`too-many-open-commands`).
    pub async fn accept(&self, intake: Intake) -> Result<Accepted, JournalError> {
        self.write(None, 1, move |group| group.accept(&intake)).await
    }

    /// Records that a command is about to be handed to its device; answers when that is on disk.
    ///
    /// # Errors
    /// [`JournalError::NotAccepted`] unless it was accepted and not dispatched before.
    pub async fn step_dispatched(&self, id: &CommandId) -> Result<(), JournalError> {
        self.dispatch(id, Vec::new()).await
    }

    /// [`Journal::step_dispatched`], with events that say so, in one transaction.
    ///
    /// # Errors
    /// See [`Journal::step_dispatched`].
    pub async fn dispatch(&self, id: &CommandId, events: Vec<Draft>) -> Result<(), JournalError> {
        let id = id.clone();
        self.write(None, events.len(), move |group| group.dispatched(&id, &events)).await
    }

    /// The commands that have not ended, in order of acceptance; at most 1024.
    pub async fn open_commands(&self) -> Result<Vec<(Command, CommandState)>, JournalError> {
        self.read(|store| store.open_commands()).await
    }

    /// How far a command has come; `None`: it is not known here, or not any more.
    pub async fn command(&self, id: &CommandId) -> Result<Option<CommandState>, JournalError> {
        let id = id.clone();
        self.read(move |store| ledger::state(&store.conn, &id)).await
    }

    /// Events of all classes after `row`, in order; at most `limit` and one answer's worth (1000 events or 1 MiB). An
    /// empty answer is the end for now. Damaged batches are announced and left out.
    pub async fn after(&self, row: Row, limit: usize) -> Result<Vec<Event>, JournalError> {
        self.read(move |store| store.after(row, limit)).await
    }

    /// Like [`Journal::after`], of one class.
    pub async fn unsent(&self, class: Class, after: Row, limit: usize) -> Result<Vec<Event>, JournalError> {
        self.read(move |store| store.unsent(class, after, limit)).await
    }

    /// Row up to which the cloud has confirmed a class; 0 at first.
    pub async fn confirmed(&self, class: Class) -> Result<Row, JournalError> {
        self.read(move |store| Ok(store.confirmed[Head::place(class)])).await
    }

    /// Notes that the cloud has everything of a class up to a row. It reaches the disk within a second: a crash before
    /// that repeats events and loses none. A row behind what was confirmed changes nothing.
    pub async fn confirm(&self, class: Class, up_to: Row) -> Result<(), JournalError> {
        self.read(move |store| {
            store.confirm(class, up_to);
            Ok(())
        })
        .await
    }

    /// Where the journal stands; changes with every commit that appended something.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.shared.head.clone()
    }

    /// Changes with every commit that accepted, dispatched or ended a command.
    pub fn commands_changed(&self) -> watch::Receiver<u64> {
        self.shared.commands.clone()
    }

    /// A flow's step: moves its cursor to `row` and stores what follows, all or nothing. Rows of the stored events.
    ///
    /// # Errors
    /// [`JournalError::NoAdvance`] when the cursor is there already: the step was made before, nothing is repeated.
    pub async fn advance(&self, reader: &str, row: Row, effects: Effects) -> Result<Vec<Row>, JournalError> {
        cursor::check_lengths(reader, &effects.state)?;
        let reader = reader.to_owned();
        let events = effects.events.len() + effects.commands.len();
        self.write(None, events, move |group| group.advance(&reader, row, &effects)).await
    }

    /// Stores what an owner wants stored without having read anything for it, all or nothing: no cursor moves. Rows of
    /// the stored events.
    pub async fn keep(&self, owner: &str, effects: Effects) -> Result<Vec<Row>, JournalError> {
        cursor::check_lengths(owner, &effects.state)?;
        let owner = owner.to_owned();
        let events = effects.events.len() + effects.commands.len();
        self.write(None, events, move |group| group.keep_effects(&owner, &effects)).await
    }

    /// Forgets a member: takes them out of every stored event and keeps `effects`, all or nothing, then deletes
    /// journals that were set aside as damaged. How many events were changed. What was there is still in the
    /// write-ahead log until [`Journal::empty_log`].
    pub async fn forget(&self, owner: &str, member: &MemberKey, effects: Effects) -> Result<u64, JournalError> {
        cursor::check_lengths(owner, &effects.state)?;
        let (owner, member) = (owner.to_owned(), member.clone());
        self.read(move |store| store.forget(&owner, &member, &effects)).await
    }

    /// Whether what is deleted is overwritten from now on, so that it is not found in free pages. Off at first: it
    /// writes half as much again.
    pub async fn overwrite_deleted(&self, on: bool) -> Result<(), JournalError> {
        self.read(move |store| store.overwrite_deleted(on)).await
    }

    /// Folds the write-ahead log into the file and leaves it empty; `false`: somebody was reading, try again.
    pub async fn empty_log(&self) -> Result<bool, JournalError> {
        self.read(Store::empty_log).await
    }

    /// What follows for a flow that stands at `row` from a command, or from time alone, all or nothing. Rows of the
    /// stored events, among which must be the command's end.
    ///
    /// # Errors
    /// [`JournalError::NotAccepted`] when the command is over: it was answered before, nothing is repeated.
    /// [`JournalError::NoAdvance`] when the reader is further already.
    pub async fn follow(
        &self,
        reader: &str,
        row: Row,
        command: Option<CommandId>,
        effects: Effects,
    ) -> Result<Vec<Row>, JournalError> {
        cursor::check_lengths(reader, &effects.state)?;
        let reader = reader.to_owned();
        let events = effects.events.len() + effects.commands.len();
        self.write(None, events, move |group| group.follow(&reader, row, command.as_ref(), &effects)).await
    }

    /// How far a reader has come; 0 at first.
    pub async fn cursor(&self, reader: &str) -> Result<Row, JournalError> {
        let reader = reader.to_owned();
        self.read(move |store| cursor::get(&store.conn, &reader).map_err(JournalError::read)).await
    }

    /// The value of one key of a flow's state, unless it is not there or has expired.
    pub async fn state(&self, owner: &str, key: &str) -> Result<Option<Vec<u8>>, JournalError> {
        let (owner, key) = (owner.to_owned(), key.to_owned());
        self.read(move |store| cursor::state(&store.conn, &owner, &key, expiry(store)).map_err(JournalError::read))
            .await
    }

    /// A flow's keys after `after` and their values, in the keys' order; at most 4096. Begin with `""`.
    pub async fn states(&self, owner: &str, after: &str) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        let (owner, after) = (owner.to_owned(), after.to_owned());
        self.read(move |store| cursor::states(&store.conn, &owner, &after, expiry(store)).map_err(JournalError::read))
            .await
    }

    /// Whoever keeps state here, in order; at most 4096.
    pub async fn owners(&self) -> Result<Vec<String>, JournalError> {
        self.read(|store| cursor::owners(&store.conn).map_err(JournalError::read)).await
    }

    /// Depths and sizes. Also proves that the thread is alive.
    pub async fn stats(&self) -> Result<Stats, JournalError> {
        self.read(|store| store.stats()).await
    }

    /// Stores what is queued and what is in memory only, folds the write-ahead log into the file and ends the thread.
    /// Bounded to three seconds; other handles get [`JournalError::Closed`] from then on.
    pub async fn close(self) -> Result<(), JournalError> {
        let (reply, closed) = oneshot::channel();
        let asked = async {
            self.send(Request::Close(reply)).await?;
            closed.await.map_err(|_| JournalError::Closed)?
        };
        let outcome = tokio::time::timeout(limits::CLOSE, asked).await;
        let outcome = outcome.map_err(|_| JournalError::NotClosed { within_s: limits::CLOSE.as_secs() })?;
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The answer was the last thing it did, so this takes no time.
            let _ = thread.join();
        }
        outcome
    }

    async fn send(&self, request: Request) -> Result<(), JournalError> {
        let place = Arc::clone(&self.shared.places).acquire_owned().await.map_err(|_| JournalError::Closed)?;
        // With a place in hand there is room; what fails here is a thread that has ended.
        self.shared.queue.try_send(Queued { request, place }).map_err(|_| JournalError::Closed)
    }

    async fn write<T: Send + 'static>(
        &self,
        class: Option<Class>,
        events: usize,
        work: impl FnMut(&mut Group<'_>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Write(Box::new(Ask { work, class, events, answer: None, reply }))).await?;
        answer.await.map_err(|_| JournalError::Closed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        let read = move |store: &mut Store| {
            let answer = work(store);
            if let Err(error) = &answer {
                store.note_damage(error);
            }
            let _ = reply.send(answer);
        };
        self.send(Request::Read(Box::new(read))).await?;
        answer.await.map_err(|_| JournalError::Closed)?
    }
}

/// The time up to which state has expired. A clock that is not known to be right lets nothing expire: what was used
/// once must not become good again because a clock has jumped.
fn expiry(store: &Store) -> Timestamp {
    let (now, synced) = store.clock.wall();
    if synced { now } else { Timestamp::from_unix_ms(i64::MIN) }
}

#[cfg(test)]
mod tests;
