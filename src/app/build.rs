//! From a valid configuration to a gateway that can run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::console::{Counter, Notes};
use super::diagnostics::Bundler;
use super::fleet::House;
use super::line::Seen;
use super::trial::{self, Plan};
use super::{App, content_settings};
use crate::clock::{Clock, Trust};
use crate::config::{self, Kept, LastGood, sha256_hex};
use crate::console::{self, Hands, Screens, Shown, Stock};
use crate::content::{self, Content};
use crate::device::{Commons, Members, Once, Vault};
use crate::journal::{Change, Effects, Journal, JournalError, Opened};
use crate::observe::{Board, Conditions, DeviceState, Metrics};
use crate::router::{Shelf, Targets};
use crate::transport::{Mirrors, Seats, TlsFilesError, TlsServer};
use crate::types::{Body, Chain, Condition, ConfigReport, DeviceId, Draft, Notice, Observation, Row, Slot, User};
use crate::uplink::ConfigExchange;
use crate::wire::cloud::Source;

/// Whose state in the journal the applied configuration is, and under which key.
const READER: &str = "app";
const APPLIED: &str = "config.sha256";

/// Events that are looked through at the start for what screens have said.
const KNOWN_ROWS: i64 = 50_000;
/// Of them at once.
const KNOWN_PAGE: usize = 500;

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
        let (exchange, reported) = resumed(&last_good, &origin);
        let safe_mode = refused.is_some();
        match refused {
            Some(refused) => {
                conditions.set(Condition::ConfigSafeMode, None, true, Some(refused.summary()));
                stand_still(&mut current, &board);
            }
            None => {
                announce_configuration(&current, &journal, &clock).await?;
                keep(&last_good, &current.kept);
            }
        }
        let notes = Notes::new(&current, safe_mode);
        let (newest, roster) = watch::channel(Arc::default());
        let (opened, shelf) = (open_content(&store)?, Shelf::default());
        let once = known(&journal).await?;
        let house = house(&clock, &journal, &conditions, (&metrics, &board), (Members::new(roster), once));
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
        let console = listener.map(|(listener, tls, users)| {
            let House { clock, journal, conditions, metrics, board, .. } = house.clone();
            let gateway = Arc::new(counter);
            let screens = screens(&house, &current.store, opened.content.clone(), &shelf);
            let shown =
                Shown { name, source, clock, journal, conditions, metrics, board, screens, gateway, tls, users };
            (listener, shown)
        });
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

/// What earlier runs have left to be said of the cloud's configurations.
fn resumed(last_good: &LastGood, origin: &config::Origin) -> (ConfigExchange, Option<ConfigReport>) {
    let (exchange, reported) = (ConfigExchange::default(), trial::resume(last_good, origin));
    if let Some(report) = &reported {
        exchange.report(report.clone());
    }
    (exchange, reported)
}

/// What every device needs of the house, with nobody in it yet.
fn house(
    clock: &Clock,
    journal: &Journal,
    conditions: &Conditions,
    (metrics, board): (&Metrics, &Board),
    (members, once): (Members, Once),
) -> House {
    House {
        clock: clock.clone(),
        journal: journal.clone(),
        conditions: conditions.clone(),
        metrics: metrics.clone(),
        board: board.clone(),
        vault: Vault::default(),
        members,
        seats: Seats::default(),
        mirrors: Mirrors::default(),
        once,
        commons: Commons::default(),
    }
}

fn open_content(store: &config::Store) -> Result<content::Opened, AppError> {
    let opened = content::open(&store.gateway.data_dir.join("content"), &content_settings(store));
    opened.map_err(|error| AppError::DataDir { path: error.path, source: error.source })
}

/// What screens have said lately: it is not let in again, also when the gateway died before it could say so.
async fn known(journal: &Journal) -> Result<Once, AppError> {
    let once = Once::default();
    let head = journal.head().borrow().row;
    let mut row = Row(head.0.saturating_sub(KNOWN_ROWS).max(0));
    loop {
        let events = journal.after(row, KNOWN_PAGE).await.map_err(AppError::Journal)?;
        let Some(last) = events.last() else { return Ok(once) };
        row = last.row;
        for event in &events {
            match &event.draft.body {
                Body::Observed(Observation::ScreenPlay(play)) => once.first(play.play),
                Body::Observed(Observation::ScreenAction(action)) => once.first(action.outer_biz_id),
                _ => true,
            };
        }
    }
}

/// Counts of products that lie in machines.
fn stock(content: Content, shelf: Shelf) -> Stock {
    Arc::new(move || {
        let active = content.active();
        let products = active.manifest.iter().flat_map(|manifest| &manifest.products);
        let counted = products.filter_map(|product| {
            let stocked = product.stock.as_ref()?;
            let lane = shelf.lane(&DeviceId::new(&stocked.machine).ok()?, Slot(stocked.slot))?;
            Some((product.sku.clone(), u32::from(lane.count?)))
        });
        counted.collect()
    })
}

/// What the pages of screens show and whom they talk to.
fn screens(house: &House, store: &config::Store, content: Content, shelf: &Shelf) -> Screens {
    Screens {
        seats: house.seats.clone(),
        mirrors: house.mirrors.clone(),
        stock: stock(content.clone(), shelf.clone()),
        content,
        timezone: store.timezone.clone(),
        clock: house.clock.clone(),
        ending: CancellationToken::new(),
        is_tls: store.console.as_ref().is_some_and(|console| console.identity.is_some()),
        hands: Hands::default(),
    }
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

/// The listener, its certificate and its users. The configuration has been checked, so that none of it should fail.
async fn open_console(
    console: &config::Console,
) -> Result<(TcpListener, Option<TlsServer>, Option<Vec<User>>), AppError> {
    let listen = console.listen;
    let listener = console::bind(listen).await.map_err(|source| AppError::Listen { listen, source })?;
    let identity = console.identity.as_ref();
    let tls = identity.map(|files| TlsServer::from_files(&files.cert_file, &files.key_file));
    let tls = tls.transpose().map_err(AppError::Certificate)?;
    // On loopback nobody has to log in.
    let users_file = console.users_file.as_ref().filter(|_| !listen.ip().is_loopback());
    let users = users_file.map(|file| {
        let wrong = |why: String| AppError::Users { file: file.clone(), why };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        User::parse_all(&text).map_err(|mistake| wrong(Chain(&mistake).to_string()))
    });
    Ok((listener, tls, users.transpose()?))
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
