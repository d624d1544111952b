//! The uplink: the journal's events to the broker, the broker's commands to the journal.
//!
//! Two clients, because they want opposite things of the broker. `{store}.{gateway}-up` publishes with a clean start
//! and holds the last will; `{store}.{gateway}-down` has a session that the broker keeps for seven days, so that
//! commands wait for a gateway that is away. Every connection gets a new client: what the client crate queues, resends
//! or forgets is never relied on, because the journal is the queue.
//!
//! Invariants:
//! - A class is confirmed in the journal only up to the first message that the broker has not taken. A crash anywhere
//!   repeats events, with the same ids; it loses none.
//! - An event is given up only when the broker blames it (or it is larger than the broker's largest packet), and never
//!   silently: `journal.dropped` is on disk before the class is confirmed past it. See `outbox` for every reason.
//! - Money is looked at before every message, has window slots that nothing else may use, and waits for at most
//!   256 KiB of other bytes.
//! - A command is acknowledged to the broker after it is on disk, and not before.
//!
//! TLS is 1.2 or 1.3 against `ca_file` or the system's authorities, with a certificate of ours where it is wanted.
//! Renewed files are tried by a third client, `{store}.{gateway}-try`, before the two change over to them: what
//! does not
//! work is a condition, and the connections that stand go on.
//!
//! What is absent: no queue of its own on disk, no knowledge of devices (a command goes into the ledger, nothing else),
//! no MQTT 3.1.1 (it cannot say that a publish was refused), no proxy.
//!
//! Limits: 16 publishes in flight, 100 events or 64 KiB in a message, one event up to 128 KiB; silence of 15 s or 30 s
//! without an acknowledgement ends a connection; 1 s to 60 s of full jitter between two. See `limits.rs`.

mod authorisations;
pub mod bench;
mod bucket;
mod certificate;
mod commands;
mod configuration;
mod connect;
mod events;
mod fault;
mod health;
mod lane;
mod limits;
mod link;
mod outbox;
mod probe;
mod progress;
mod renewal;
mod settings;
mod tls;
mod usage;

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use authorisations::Authorisations;
pub use certificate::{Validity, brokers_validity, validities};
pub use configuration::{ConfigExchange, Desired};
pub use probe::probe;
pub use progress::Progress;
pub use settings::{Pace, Settings};
pub use usage::{USAGE_OWNER, Usage, usage_of_day};

use crate::clock::Clock;
use crate::journal::{Journal, JournalError};
use crate::observe::Conditions;
use crate::types::{Class, Seq};
use crate::wire::cloud::Topics;
use health::Health;
use progress::Meter;
use renewal::Files;

/// Why the uplink has ended by itself. Anything that may pass it bears.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// There is nothing to read from and nothing to write to any more.
    #[error("the uplink has lost its journal")]
    Journal(#[source] JournalError),
}

/// What both connections share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    topics: Topics,
    journal: Journal,
    clock: Clock,
    health: Health,
    meter: Meter,
    /// The files that the present connection for events was made with.
    files: watch::Sender<Files>,
    /// Counts changes of the files that the broker has accepted.
    renewed: watch::Sender<u64>,
    exchange: ConfigExchange,
    /// What its sockets carry, and what of that is written down.
    traffic: Arc<usage::Traffic>,
    booked: Mutex<Usage>,
    authorisations: Authorisations,
}

/// The uplink of one gateway. Cheap to clone; run one of the clones, once at a time.
#[derive(Debug, Clone)]
pub struct Uplink {
    shared: Arc<Shared>,
}

impl Uplink {
    /// An uplink that does nothing yet, and that nobody listens to for configurations.
    pub fn new(settings: Settings, journal: Journal, conditions: Conditions, clock: Clock) -> Self {
        Self::with_exchange(settings, journal, conditions, clock, ConfigExchange::default())
    }

    /// [`Uplink::new`], with somebody who applies configurations.
    pub fn with_exchange(
        settings: Settings,
        journal: Journal,
        conditions: Conditions,
        clock: Clock,
        exchange: ConfigExchange,
    ) -> Self {
        let topics = Topics::new(&settings.store, &settings.gateway);
        let (health, meter) = (Health::new(conditions), Meter::default());
        let (files, renewed) = (watch::Sender::default(), watch::Sender::default());
        let (traffic, booked, authorisations) = (Arc::default(), Mutex::default(), Authorisations::default());
        let shared = Shared {
            settings,
            topics,
            journal,
            clock,
            health,
            meter,
            files,
            renewed,
            exchange,
            traffic,
            booked,
            authorisations,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The same, with somebody who asks about money. To be said before it runs.
    #[must_use]
    pub fn asking(mut self, authorisations: Authorisations) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.authorisations = authorisations;
        }
        self
    }

    /// How far it has come; changes with every step.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.meter.subscribe()
    }

    /// Runs until told to stop; then sends what is on its way, says goodbye and ends within five seconds.
    ///
    /// # Errors
    /// Only when the journal is closed. Whatever the network or the broker does is a condition, and is tried again.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), UplinkError> {
        let shared = &*self.shared;
        shared.begin().await.map_err(UplinkError::Journal)?;
        let (repeat, repeats) = mpsc::channel(limits::REPEATS);
        let both = async {
            tokio::try_join!(events::run(shared, repeats, &stop), commands::run(shared, repeat, &stop)).map(drop)
        };
        let ended = tokio::select! {
            ended = both => ended,
            ended = shared.follow() => ended,
            ended = usage::run(shared) => ended,
            never = renewal::run(shared) => match never {},
        };
        usage::close(shared).await;
        ended
    }
}

impl Shared {
    /// Learns how much is waiting before the first connection.
    async fn begin(&self) -> Result<(), JournalError> {
        self.meter.note(|progress| (progress.connected, progress.listening) = (false, false));
        let head = *self.journal.head().borrow();
        self.meter.head(&head);
        for class in Class::ALL {
            let confirmed = self.journal.confirmed(class).await?;
            let first = self.journal.unsent(class, confirmed, 1).await?;
            let seq = first.first().map_or(head.of(class).seq, |first| Seq(first.seq.0.saturating_sub(1)));
            self.meter.confirmed(class, seq, 0);
        }
        Ok(())
    }

    /// Keeps the backlog up to date, connected or not.
    async fn follow(&self) -> Result<(), UplinkError> {
        let mut head = self.journal.head();
        while head.changed().await.is_ok() {
            let now = *head.borrow_and_update();
            self.meter.head(&now);
        }
        Err(UplinkError::Journal(JournalError::Closed))
    }
}
