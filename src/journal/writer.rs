//! The one thread that owns the connection: takes what is queued, one transaction, then answers all.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::group::Group;
use super::open::Lock;
use super::store::Store;
use super::{JournalError, cursor, ledger, limits};
use crate::types::Class;

/// Work inside a transaction. It may run more than once, when the first transaction did not fit.
pub(super) trait Job: Send {
    /// Does it. A refusal of this one request is kept as its answer; an error here rolls the whole group back.
    fn run(&mut self, group: &mut Group<'_>) -> Result<(), JournalError>;
    /// Tells whoever asked.
    fn answer(self: Box<Self>, committed: Result<(), JournalError>);
    /// Most important class it appends; `None`: the ledger, which is as good as money.
    fn class(&self) -> Option<Class>;
    /// Events it appends, at most.
    fn events(&self) -> usize;
}

/// A [`Job`] made of a closure.
pub(super) struct Ask<T, F> {
    pub(super) work: F,
    pub(super) class: Option<Class>,
    pub(super) events: usize,
    pub(super) answer: Option<Result<T, JournalError>>,
    pub(super) reply: oneshot::Sender<Result<T, JournalError>>,
}

impl<T, F> Job for Ask<T, F>
where
    T: Send,
    F: FnMut(&mut Group<'_>) -> Result<T, JournalError> + Send,
{
    fn run(&mut self, group: &mut Group<'_>) -> Result<(), JournalError> {
        match (self.work)(group) {
            Err(error) if error.aborts() => Err(error),
            answer => {
                self.answer = Some(answer);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), JournalError>) {
        let Self { answer, reply, .. } = *self;
        // Whoever asked may have gone; what was stored stays stored.
        let _ = reply.send(committed.and_then(|()| answer.unwrap_or(Err(JournalError::Closed))));
    }

    fn class(&self) -> Option<Class> {
        self.class
    }

    fn events(&self) -> usize {
        self.events
    }
}

/// What the thread is sent.
pub(super) enum Request {
    /// Goes into a transaction.
    Write(Box<dyn Job>),
    /// Is answered at once, outside of the group in the making.
    Read(Box<dyn FnOnce(&mut Store) + Send>),
    /// Ends the thread in order.
    Close(oneshot::Sender<Result<(), JournalError>>),
}

/// A request with its place in the queue, which is given back when the thread takes it.
pub(super) struct Queued {
    pub(super) request: Request,
    pub(super) place: OwnedSemaphorePermit,
}

/// Starts the thread.
pub(super) fn start(store: Store, lock: Lock) -> std::io::Result<(SyncSender<Queued>, JoinHandle<()>)> {
    let (queue, requests) = sync_channel(limits::QUEUE);
    let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
        let writer = Writer::new(store, requests);
        writer.run();
        drop(lock);
    })?;
    Ok((queue, thread))
}

struct Writer {
    store: Store,
    requests: Receiver<Queued>,
    /// The group in the making, and when telemetry in it must be committed.
    group: Vec<Box<dyn Job>>,
    group_events: usize,
    group_due: Option<Instant>,
    last_commit: Instant,
    retain_due: Instant,
    purge_due: Instant,
    /// Confirmations could not be written, and that has been told.
    unpersisted: bool,
    closing: Option<oneshot::Sender<Result<(), JournalError>>>,
}

/// What a wait ended with.
enum Woken {
    Request(Request),
    Nothing,
    Abandoned,
}

impl Writer {
    fn new(store: Store, requests: Receiver<Queued>) -> Self {
        let now = store.clock.now();
        Self {
            store,
            requests,
            group: Vec::new(),
            group_events: 0,
            group_due: None,
            last_commit: now,
            retain_due: now,
            purge_due: now,
            unpersisted: false,
            closing: None,
        }
    }

    fn run(mut self) {
        while self.closing.is_none() {
            match self.wait() {
                Woken::Request(Request::Write(job)) => self.take(job),
                Woken::Request(Request::Read(read)) => read(&mut self.store),
                Woken::Request(Request::Close(reply)) => self.closing = Some(reply),
                Woken::Nothing => self.idle(),
                Woken::Abandoned => break,
            }
        }
        self.close_group();
        match (self.closing, self.store.close()) {
            (Some(reply), closed) => drop(reply.send(closed)),
            (None, Err(error)) => tracing::warn!(%error, "the journal was not closed in order"),
            (None, Ok(())) => {}
        }
    }

    fn wait(&mut self) -> Woken {
        let now = self.store.clock.now();
        let received = match self.requests.recv_timeout(self.patience(now)) {
            Ok(Queued { request, place }) => {
                drop(place);
                Ok(request)
            }
            Err(error) => Err(error),
        };
        match received {
            Ok(request) => Woken::Request(request),
            Err(RecvTimeoutError::Timeout) => Woken::Nothing,
            Err(RecvTimeoutError::Disconnected) => Woken::Abandoned,
        }
    }

    /// How long there is nothing to do by itself.
    fn patience(&self, now: Instant) -> Duration {
        let confirm_due = self.store.confirm_due;
        let checkpoint_due =
            (self.store.wal_pages >= limits::CHECKPOINT_PAGES).then(|| self.last_commit + limits::CHECKPOINT_QUIET);
        let due = [self.group_due, confirm_due, checkpoint_due, Some(self.retain_due)].into_iter().flatten().min();
        due.map_or(limits::IDLE, |due| due.saturating_duration_since(now))
    }

    /// Adds a job to the group, and what else is queued; closes the group unless all of it is telemetry.
    fn take(&mut self, job: Box<dyn Job>) {
        let mut urgent = self.add(job);
        while self.group_events < limits::GROUP_EVENTS {
            let Ok(Queued { request, place }) = self.requests.try_recv() else { break };
            drop(place);
            match request {
                Request::Write(job) => urgent |= self.add(job),
                Request::Read(read) => read(&mut self.store),
                Request::Close(reply) => {
                    self.closing = Some(reply);
                    break;
                }
            }
        }
        if urgent || self.group_events >= limits::GROUP_EVENTS {
            self.close_group();
        }
    }

    /// Whether the job closes its group at once.
    fn add(&mut self, job: Box<dyn Job>) -> bool {
        let urgent = job.class() != Some(Class::Telemetry);
        if self.group_due.is_none() {
            self.group_due = Some(self.store.clock.now() + limits::TELEMETRY_DELAY);
        }
        self.group_events += job.events();
        self.group.push(job);
        urgent
    }

    fn close_group(&mut self) {
        let jobs = std::mem::take(&mut self.group);
        self.group_events = 0;
        self.group_due = None;
        if jobs.is_empty() {
            return;
        }
        self.store.commit(jobs);
        self.last_commit = self.store.clock.now();
        self.retain_due = self.retain_due.min(self.last_commit + limits::RETAIN_DELAY);
        self.maintain(self.last_commit);
    }

    fn idle(&mut self) {
        let now = self.store.clock.now();
        if self.group_due.is_some_and(|due| due <= now) {
            self.close_group();
        }
        if self.store.confirm_due.is_some_and(|due| due <= now) {
            self.persist_confirmed(now);
        }
        if self.store.wal_pages >= limits::CHECKPOINT_PAGES && self.last_commit + limits::CHECKPOINT_QUIET <= now {
            self.store.checkpoint();
        }
        self.maintain(now);
    }

    /// Writes confirmations that no commit has taken along. A failure is tried again after the same delay and told
    /// once.
    fn persist_confirmed(&mut self, now: Instant) {
        match self.store.persist_confirmed() {
            Ok(()) => {
                self.unpersisted = false;
                self.retain_due = now;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.unpersisted, true) {
                    tracing::warn!(%error, "confirmations cannot be written and are in memory only");
                }
                self.store.confirm_due = Some(now + limits::CONFIRM_DELAY);
            }
        }
    }

    /// Retention and housekeeping: a bounded slice when it is due.
    fn maintain(&mut self, now: Instant) {
        self.store.check_space();
        let pressed = self.store.used_percent() >= limits::EVICT_ABOVE;
        if now < self.retain_due && !pressed {
            return;
        }
        let more = self.store.retain().unwrap_or_else(|error| {
            tracing::warn!(%error, "retention failed");
            false
        });
        self.retain_due = if more { now } else { now + limits::IDLE };
        if now >= self.purge_due {
            self.purge(now);
        }
    }

    fn purge(&mut self, now: Instant) {
        let (wall, synced) = self.store.clock.wall();
        let purged = ledger::purge(&self.store.conn, synced.then_some(wall)).and_then(|commands| {
            Ok(commands + if synced { cursor::purge_expired(&self.store.conn, wall)? } else { 0 })
        });
        let more = purged.unwrap_or_else(|error| {
            tracing::warn!(%error, "old commands and state cannot be deleted");
            0
        });
        self.purge_due = now + if more > 0 { limits::RETAIN_DELAY } else { limits::PURGE_INTERVAL };
    }
}
