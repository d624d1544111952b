//! From a valid configuration to a gateway that can run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::App;
use super::console::{Counter, Notes};
use super::diagnostics::Bundler;
use super::fleet::House;
use super::line::Seen;
use super::pages::{Listening, known, open_console, open_content, screens};
use super::trial::{self, Plan};
use crate::clock::{Clock, Trust};
use crate::config::{self, Kept, LastGood, sha256_hex};
use crate::console::{Screens, Shown};
use crate::device::{Commons, Members, Vault};
use crate::journal::{Change, Effects, Journal, JournalError, Opened};
use crate::observe::{Board, Conditions, DeviceState, Metrics};
use crate::router::{Shelf, Targets};
use crate::transport::{Mirrors, Seats, TlsFilesError};
use crate::types::{Body, Condition, Draft, Notice};
use crate::uplink::ConfigExchange;
use crate::wire::cloud::Source;

/// Whose state in the journal the applied configuration is, and under which key.
const READER: &str = "app";
const APPLIED: &str = "config.sha256";

/// Why the gateway cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data directory is not there and cannot be made.
    #[error("cannot make the data directory {path}")]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The journal cannot be used.
    #[error("the journal")]
    Journal(#[source] JournalError),
    /// The console's address cannot be listened on.
    #[error("cannot listen on {listen} for the console")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The console's certificate cannot be used.
    #[error("the console's certificate")]
    Certificate(#[source] TlsFilesError),
    /// The console's users cannot be read.
    #[error("the console's users in {file}: {why}")]
    Users {
        /// Their file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A part that everything hangs on has ended.
    #[error("{part}: {why}")]
    Core {
        /// Which part.
        part: String,
        /// What it said.
        why: String,
    },
}

impl App {
    /// Opens the journal, binds the console, describes every device. Nothing runs yet. Needs a runtime.
    ///
    /// In safe mode there is no device: console and uplink run on the last good configuration, the rest stands still.
    pub async fn build(start: config::Start) -> Result<Self, AppError> {
        let config::Start { loaded, origin, refused } = start;
        let mut current = Plan::new(loaded, &origin, origin.version.as_ref());
        let store = Arc::clone(&current.store);
        let clock = Clock::system(trust(store.gateway.clock));
        let conditions = Conditions::new(clock.clone());
        let journal = open_journal(&store, &clock, &conditions)?;
        let source = Arc::new(Source::new(&store.id, &store.gateway.id, journal.epoch()));
        let listener = match &store.console {
            Some(console) => Some(open_console(console).await?),
            None => None,
        };
        let (metrics, board, seen) = (Metrics::default(), Board::default(), Seen::default());
        let last_good = LastGood::of(&store.gateway.data_dir);
        let (exchange, reported) = (ConfigExchange::default(), trial::resume(&last_good, &origin));
        reported.iter().for_each(|report| exchange.report(report.clone()));
        if let Some(refused) = &refused {
            conditions.set(Condition::ConfigSafeMode, None, true, Some(refused.summary()));
            stand_still(&mut current, &board);
        } else {
            announce_configuration(&current, &journal, &clock).await?;
            keep(&last_good, &current.kept);
        }
        let notes = Notes::new(&current, refused.is_some());
        let (newest, roster) = watch::channel(Arc::default());
        let opened = open_content(&store)?;
        let (content, shelf) = (opened.content.clone(), Shelf::default());
        let members = Members::new(roster);
        let (vault, seats, mirrors) = (Vault::default(), Seats::default(), Mirrors::default());
        let (once, commons) = (known(&journal).await?, Commons::default());
        let house = House { clock, journal, conditions, metrics, board, vault, members, seats, mirrors, once, commons };
        let name = format!("{}/{}", current.store.id, current.store.gateway.id);
        let bundler = Bundler::new(house.clone(), seen.clone(), name.clone());
        let targets = Targets::default();
        let (wish, wishes) = mpsc::channel(1);
        let counter = Counter {
            house: house.clone(),
            seen: seen.clone(),
            bundler: bundler.clone(),
            targets: targets.clone(),
            last_good: last_good.clone(),
            origin: origin.clone(),
            notes: notes.clone(),
            wishes: wish,
        };
        let screens = screens(&house, &store, content, &shelf);
        let console = listener.map(|listening| shown(listening, (name, source), &house, screens, counter));
        let configurations = (exchange, wishes, notes);
        Ok(Self {
            house,
            console,
            targets,
            seen,
            configurations,
            reported,
            last_good,
            origin,
            current,
            bundler,
            newest,
            opened,
            shelf,
        })
    }
}

/// What the console shows, and where.
fn shown(
    (listener, tls, users): Listening,
    (name, source): (String, Arc<Source>),
    house: &House,
    screens: Screens,
    counter: Counter,
) -> (TcpListener, Shown) {
    let House { clock, journal, conditions, metrics, board, .. } = house.clone();
    let gateway = Arc::new(counter);
    (listener, Shown { name, source, clock, journal, conditions, metrics, board, screens, gateway, tls, users })
}

/// Which clock is believed.
fn trust(configured: config::Trust) -> Trust {
    match configured {
        config::Trust::Kernel => Trust::Kernel,
        config::Trust::Trusted => Trust::Trusted,
    }
}

/// No device of the plan is driven, and everybody sees that.
fn stand_still(current: &mut Plan, board: &Board) {
    for (id, stopped) in std::mem::take(&mut current.devices) {
        board.add(id.clone(), stopped.profile);
        board.update(&id, |status| status.state = DeviceState::Stopped);
    }
}

/// What runs is kept, to fall back on when the file is broken. A disk that takes nothing is no reason to stay down.
fn keep(last_good: &LastGood, kept: &Kept) {
    if let Err(error) = last_good.keep(kept) {
        tracing::warn!(%error, "the configuration could not be kept, to fall back on should the file break");
    }
}

fn open_journal(store: &config::Store, clock: &Clock, conditions: &Conditions) -> Result<Journal, AppError> {
    let path = &store.gateway.data_dir;
    std::fs::create_dir_all(path).map_err(|source| AppError::DataDir { path: path.clone(), source })?;
    let mut settings = crate::journal::Settings::new(path);
    settings.max_bytes = store.journal.max_size;
    settings.keep_confirmed = store.journal.keep_confirmed;
    let (journal, opened) = Journal::open(settings, clock.clone()).map_err(AppError::Journal)?;
    if let Opened::Damaged { set_aside, .. } = opened {
        conditions.set(Condition::JournalDamaged, None, true, Some(set_aside.display().to_string()));
    }
    Ok(journal)
}

/// A configuration that is not the one of the last start is announced; the same one again is no news.
pub(super) async fn announce_configuration(plan: &Plan, journal: &Journal, clock: &Clock) -> Result<(), AppError> {
    let sha256 = sha256_hex(plan.kept.text.as_bytes());
    let before = journal.state(READER, APPLIED).await.map_err(AppError::Journal)?;
    if before.as_deref() == Some(sha256.as_bytes()) {
        return Ok(());
    }
    let devices = u32::try_from(plan.devices.len()).unwrap_or(u32::MAX);
    let notice = Notice::ConfigApplied { sha256: sha256.clone(), devices };
    let draft =
        Draft { id: clock.event_id(), device: None, at: clock.stamp(), cause: None, body: Body::Noticed(notice) };
    let applied = Change { key: APPLIED.to_owned(), value: Some(sha256.as_bytes().to_vec()), expires: None };
    let effects = Effects { events: vec![draft], commands: Vec::new(), state: vec![applied] };
    let row = journal.head().borrow().row;
    match journal.advance(READER, row, effects).await {
        // A full journal is a condition, not a reason to stay down: the devices wait, the uplink empties it.
        Ok(_) | Err(JournalError::Full) => Ok(()),
        Err(error) => Err(AppError::Journal(error)),
    }
}
