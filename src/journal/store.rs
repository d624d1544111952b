//! The connection and what the writer keeps in memory about it. Everything here runs on the writer's thread.

use std::path::PathBuf;
use std::time::Instant;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;

use super::group::Group;
use super::head::{Counts, Head};
use super::lane::{self, Bad, Page};
use super::open::{Place, Suspicion};
use super::stats::{self, Stats};
use super::writer::Job;
use super::{JournalError, Settings, cursor, ledger, limits, space};
use crate::clock::Clock;
use crate::types::{Class, Command, CommandState, DropReason, Epoch, Event, Notice, Row, Seq};

type Result<T> = std::result::Result<T, JournalError>;

/// The journal as its one writer sees it.
pub(super) struct Store {
    pub(super) conn: Connection,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) epoch: Epoch,
    pub(super) path: PathBuf,
    pub(super) head: Head,
    pub(super) counts: Counts,
    pub(super) confirmed: [Row; 3],
    /// When confirmations that are in memory only are written; `None`: there are none.
    pub(super) confirm_due: Option<Instant>,
    /// How many rows that are.
    confirmed_unwritten: i64,
    pub(super) limit_pages: u64,
    pub(super) free_bytes: u64,
    space_checked: Instant,
    /// Pages written since the last checkpoint, roughly.
    pub(super) wal_pages: u64,
    pub(super) evicting: bool,
    /// Share of the largest size in use when it was last looked at, after each commit.
    used: u64,
    pub(super) head_out: watch::Sender<Head>,
    pub(super) commands_out: watch::Sender<u64>,
    pub(super) suspicion: Suspicion,
}

impl Store {
    /// Reads where the journal stands.
    pub(super) fn new(conn: Connection, epoch: Epoch, place: Place) -> Result<Self> {
        let Place { settings, clock, path, suspicion } = place;
        let head = Head::load(&conn)?;
        let mut confirmed = [Row(0); 3];
        for class in Class::ALL {
            confirmed[Head::place(class)] = cursor::get(&conn, cursor::uplink(class)).map_err(JournalError::read)?;
        }
        let now = clock.now();
        let mut store = Self {
            conn,
            clock,
            settings,
            epoch,
            path,
            head,
            counts: Counts::default(),
            confirmed,
            confirm_due: None,
            confirmed_unwritten: 0,
            limit_pages: u64::MAX,
            free_bytes: u64::MAX,
            space_checked: now,
            wal_pages: 0,
            evicting: false,
            used: 0,
            head_out: watch::Sender::new(head),
            commands_out: watch::Sender::new(0),
            suspicion,
        };
        store.measure_space().map_err(JournalError::read)?;
        store.used_percent();
        Ok(store)
    }

    /// Runs jobs in one transaction and answers them. When it does not fit, makes room and tries again, each alone.
    pub(super) fn commit(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut jobs = self.admit(jobs);
        if jobs.is_empty() {
            return;
        }
        match self.attempt(&mut jobs) {
            Err(JournalError::Full) => self.commit_in_need(jobs),
            outcome => answer(jobs, &outcome),
        }
    }

    fn commit_in_need(&mut self, jobs: Vec<Box<dyn Job>>) {
        self.make_room();
        for job in jobs {
            let mut alone = vec![job];
            let outcome = self.attempt(&mut alone);
            if matches!(outcome, Err(JournalError::Full)) {
                self.counts.refused_full += 1;
            }
            answer(alone, &outcome);
        }
    }

    /// Refuses what the class may not use the last of the space for.
    fn admit(&mut self, jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let used = self.used;
        if used < limits::TELEMETRY_BELOW {
            return jobs;
        }
        let (admitted, refused) = jobs.into_iter().partition(|job| match job.class() {
            Some(Class::Telemetry) => false,
            Some(Class::Record) => used < limits::RECORD_BELOW,
            Some(Class::Money) | None => true,
        });
        let refused: Vec<_> = refused;
        self.counts.refused_full += refused.len() as u64;
        answer(refused, &Err(JournalError::Full));
        admitted
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        self.transaction(|group| jobs.iter_mut().try_for_each(|job| job.run(group)))
    }

    /// One transaction; what was confirmed meanwhile goes along when it is due.
    pub(super) fn transaction(&mut self, work: impl FnOnce(&mut Group<'_>) -> Result<()>) -> Result<()> {
        let now = self.clock.now();
        let due = self.confirm_due.is_some_and(|due| now >= due);
        self.transact(work, due)
    }

    /// One transaction, what was confirmed meanwhile included: deletions and the confirmations they rest on go
    /// together.
    pub(super) fn transaction_with_confirmed(&mut self, work: impl FnOnce(&mut Group<'_>) -> Result<()>) -> Result<()> {
        let dirty = self.confirm_due.is_some();
        self.transact(work, dirty)
    }

    fn transact(&mut self, work: impl FnOnce(&mut Group<'_>) -> Result<()>, persist: bool) -> Result<()> {
        let outcome = self.try_transaction(work, persist);
        match outcome {
            Ok((head, counts, commands_changed)) => {
                self.wal_pages += 3 + (counts.events - self.counts.events) / 8;
                self.counts = counts;
                if persist {
                    (self.confirm_due, self.confirmed_unwritten) = (None, 0);
                }
                if head != self.head {
                    self.head = head;
                    self.head_out.send_replace(head);
                }
                if commands_changed {
                    self.commands_out.send_modify(|changes| *changes += 1);
                }
                Ok(())
            }
            Err(error) => {
                self.note_damage(&error);
                Err(error)
            }
        }
    }

    fn try_transaction(
        &self,
        work: impl FnOnce(&mut Group<'_>) -> Result<()>,
        persist: bool,
    ) -> Result<(Head, Counts, bool)> {
        let transaction = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate);
        let transaction = transaction.map_err(JournalError::write)?;
        let mut group = Group::new(&transaction, &self.clock, self.head, self.counts);
        work(&mut group)?;
        let done = group.finish()?;
        if persist {
            self.write_confirmed(&transaction).map_err(JournalError::write)?;
        }
        transaction.commit().map_err(JournalError::write)?;
        Ok(done)
    }

    fn write_confirmed(&self, conn: &Connection) -> rusqlite::Result<()> {
        for class in Class::ALL {
            cursor::set(conn, cursor::uplink(class), self.confirmed[Head::place(class)])?;
        }
        Ok(())
    }

    /// Takes note of a confirmation; it reaches the disk within [`limits::CONFIRM_DELAY`], and sooner when it is one of
    /// many: then a backlog drains, and one transaction more is little beside what it saves from being sent again.
    pub(super) fn confirm(&mut self, class: Class, up_to: Row) {
        let up_to = up_to.min(self.head.of(class).row);
        let confirmed = &mut self.confirmed[Head::place(class)];
        if up_to > *confirmed {
            self.confirmed_unwritten += up_to.0 - confirmed.0;
            *confirmed = up_to;
            let many = self.confirmed_unwritten >= limits::CONFIRM_MANY;
            let due = self.clock.now() + if many { limits::CONFIRM_DELAY_MANY } else { limits::CONFIRM_DELAY };
            self.confirm_due = Some(self.confirm_due.map_or(due, |before| before.min(due)));
        }
    }

    /// Writes what was confirmed.
    pub(super) fn persist_confirmed(&mut self) -> Result<()> {
        match self.confirm_due {
            None => Ok(()),
            Some(_) => self.transaction_with_confirmed(|_| Ok(())),
        }
    }

    /// Events of all classes after `row`.
    pub(super) fn after(&mut self, row: Row, limit: usize) -> Result<Vec<Event>> {
        let page = lane::merged(&self.conn, row, limit);
        self.answer_page(page)
    }

    /// Events of one class after `row`.
    pub(super) fn unsent(&mut self, class: Class, row: Row, limit: usize) -> Result<Vec<Event>> {
        let page = lane::lane(&self.conn, class, row, limit);
        self.answer_page(page)
    }

    fn answer_page(&mut self, page: rusqlite::Result<Page>) -> Result<Vec<Event>> {
        let page = page.map_err(JournalError::read).inspect_err(|error| self.note_damage(error))?;
        for bad in &page.bad {
            self.bury(*bad)?;
        }
        Ok(page.events)
    }

    /// Announces a batch that cannot be read, and leaves an empty one in its place, so that it is announced once.
    fn bury(&mut self, bad: Bad) -> Result<()> {
        let Some((from, to)) = self.damaged_range(bad).map_err(JournalError::read)? else { return Ok(()) };
        let sent = bad.last_row <= self.confirmed[Head::place(bad.class)];
        self.transaction(|group| {
            let (at, _) = group.clock.wall();
            lane::bury(group.conn, bad.class, bad.last_row, from, to, at).map_err(JournalError::write)?;
            group.counts.dropped_damaged += to.0 - from.0 + 1;
            if !sent {
                group.notice(Notice::Dropped { class: bad.class, from, to, reason: DropReason::Damaged })?;
            }
            Ok(())
        })
    }

    /// The numbers a damaged batch must have had, from its neighbours: its own are not to be trusted.
    fn damaged_range(&self, bad: Bad) -> rusqlite::Result<Option<(Seq, Seq)>> {
        let own = lane::next(&self.conn, bad.class, Row(bad.last_row.0 - 1))?;
        let Some(own) = own.filter(|own| own.heading.last_row == bad.last_row) else { return Ok(None) };
        let before = lane::before(&self.conn, bad.class, bad.last_row)?;
        let after = lane::next(&self.conn, bad.class, bad.last_row)?;
        let to = after.map_or(self.head.of(bad.class).seq, |after| Seq(after.heading.first_seq.0.saturating_sub(1)));
        let from = before.map_or(own.heading.first_seq, |before| Seq(before.heading.last_seq().0 + 1));
        Ok(Some((from.min(to).max(Seq(1)), to)))
    }

    /// The commands to be carried out, in order of acceptance.
    pub(super) fn open_commands(&self) -> Result<Vec<(Command, CommandState)>> {
        let (commands, unreadable) = ledger::open_commands(&self.conn)?;
        if unreadable > 0 {
            tracing::error!(unreadable, "open commands cannot be read back; they stay open");
        }
        Ok(commands)
    }

    /// Depths and sizes.
    pub(super) fn stats(&self) -> Result<Stats> {
        let mut stats = stats::read(&self.conn, &self.path, &self.head, self.confirmed).map_err(JournalError::read)?;
        stats.max_bytes = self.limit_pages.saturating_mul(limits::PAGE_BYTES);
        stats.free_bytes = self.free_bytes;
        stats.counts = self.counts;
        Ok(stats)
    }

    /// After SQLite has reported damage the next start checks the whole file.
    pub(super) fn note_damage(&self, error: &JournalError) {
        if error.is_damage() {
            self.suspicion.raise();
        }
    }

    /// Share of the largest size in use, in percent; remembered for [`Store::admit`].
    pub(super) fn used_percent(&mut self) -> u64 {
        let used = space::used_pages(&self.conn).unwrap_or(0);
        self.used = used.saturating_mul(100) / self.limit_pages.max(1);
        self.used
    }

    /// Fits the largest size to the partition's free space, now and then.
    pub(super) fn check_space(&mut self) {
        let now = self.clock.now();
        if now < self.space_checked + limits::SPACE_INTERVAL {
            return;
        }
        self.space_checked = now;
        if let Err(error) = self.measure_space() {
            tracing::warn!(%error, "cannot fit the journal's size to the disk");
        }
    }

    fn measure_space(&mut self) -> rusqlite::Result<()> {
        self.free_bytes = space::free_bytes(&self.path);
        self.limit_pages = space::limit_pages(&self.conn, self.settings.max_bytes, self.free_bytes)?;
        Ok(())
    }

    /// Folds the write-ahead log back into the file, as far as no reader is in the way.
    pub(super) fn checkpoint(&mut self) {
        if let Err(error) = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "cannot checkpoint the journal");
        }
        self.wal_pages = 0;
    }

    /// Whether what is deleted is overwritten from now on.
    pub(super) fn overwrite_deleted(&mut self, on: bool) -> Result<()> {
        ledger::overwrite_deleted(&self.conn, on).map_err(JournalError::write)
    }

    /// Folds the write-ahead log into the file and leaves it empty; `false`: somebody was reading.
    pub(super) fn empty_log(&mut self) -> Result<bool> {
        let busy: i64 = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(JournalError::write)?;
        self.wal_pages = 0;
        Ok(busy == 0)
    }

    /// Writes what is in memory only, marks the file as closed in order and folds the write-ahead log into it.
    pub(super) fn close(mut self) -> Result<()> {
        self.persist_confirmed()?;
        self.conn.execute("UPDATE meta SET clean = 1", []).map_err(JournalError::write)?;
        self.conn.busy_timeout(limits::CLOSE / 3).map_err(JournalError::write)?;
        self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(JournalError::write)?;
        self.conn.close().map_err(|(_, source)| JournalError::write(source))
    }
}

fn answer(jobs: Vec<Box<dyn Job>>, outcome: &Result<()>) {
    for job in jobs {
        job.answer(outcome.clone());
    }
}
