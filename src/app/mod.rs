//! The composition root: builds the tree, owns it, tears it down in order.
//!
//! Nothing runs before [`App::build`] has succeeded, and everything has an owner: the core circle (journal intake,
//! dispatcher, health, console), the device circle and the uplink's circle. When a task of the core ends before it
//! was told to, the daemon goes down in order and says which one it was; systemd starts it again.
//!
//! Going down, each step with its own bound, 38 s in sum (the unit's `TimeoutStopSec` is 45): devices 20 s, intake
//! 5 s, uplink 5 s, console and dispatcher 3 s, journal 5 s. The code must survive `kill -9` at any line; going
//! down in order is politeness, not correctness.

mod asked;
mod build;
mod console;
mod diagnostics;
mod fleet;
mod health;
mod line;
mod requests;
mod settle;
mod stations;
mod trial;
mod watchdog;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{self, LastGood, Origin};
use crate::console::Shown;
use crate::content;
use crate::device::Roster;
use crate::flow::redeem::Redeem;
use crate::journal::Journal;
use crate::members;
use crate::observe::{notify_ready, notify_stopping, notify_watchdog, watchdog_within};
use crate::router::{Desks, Dispatcher, Redeemer, Shelf, Targets};
use crate::supervise::{Circle, Ending};
use crate::types::{Chain, ConfigReport, Counter, DeviceId, StationId};
use crate::uplink::ConfigExchange;
use console::{Notes, Wish};
use diagnostics::Bundler;
use fleet::{Fleet, House};
use line::{Line, Seen};
use stations::Stations;
use trial::{Desk, Plan};

pub use build::AppError;
pub use diagnostics::{Versions, masked};
pub use line::uplink_settings;
pub use requests::SaleResolution;

/// Bound of the last step of going down but the journal's; the others stand beside what they bound.
const CORE_STOP: Duration = Duration::from_secs(3);
/// Commands for the gateway itself that wait for each other.
const ASKED: usize = 4;
/// How long the start waits for lines to be looked at.
const LOOK_AT_DEVICES: Duration = Duration::from_millis(100);

/// A gateway that is built and not running yet.
pub struct App {
    house: House,
    console: Option<(TcpListener, Shown)>,
    targets: Targets,
    seen: Seen,
    /// What the cloud and what the console wants, and where is noted what runs.
    configurations: (ConfigExchange, mpsc::Receiver<Wish>, Notes),
    reported: Option<ConfigReport>,
    last_good: LastGood,
    origin: Origin,
    current: Plan,
    bundler: Bundler,
    /// Where the list of members goes out to the cameras.
    newest: watch::Sender<Arc<Roster>>,
    opened: content::Opened,
    shelf: Shelf,
}

type Ended = Result<(), String>;

/// The running parts, by what their failure means.
struct Running {
    fleet: Fleet,
    line: Line,
    bundler: Bundler,
    desks: Desks,
    stations: Stations,
    members: watch::Sender<members::Settings>,
    content: watch::Sender<content::Settings>,
    core: Circle<Ended>,
    /// When the core shall stop.
    stop_core: CancellationToken,
}

impl App {
    /// Where the console listens, if it does.
    pub fn console_address(&self) -> Option<SocketAddr> {
        self.console.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// The journal, for whoever wants to read along in the same process.
    pub fn journal(&self) -> &Journal {
        &self.house.journal
    }

    /// Runs until `stop`, then goes down in order.
    pub async fn run(self, stop: CancellationToken) -> Result<(), AppError> {
        let journal = self.house.journal.clone();
        let (mut running, mut desk) = self.start().await;
        notify_ready();
        tracing::info!("ready");
        let ended = loop {
            let step = tokio::select! {
                () = stop.cancelled() => break Ok(()),
                failed = running.first_failure() => break Err(failed),
                step = desk.next() => step,
            };
            if let Err(error) = desk.take(step, &mut running).await {
                break Err(error);
            }
        };
        notify_stopping();
        tracing::info!("going down");
        running.tear_down().await;
        if let Err(error) = journal.close().await {
            tracing::warn!(%error, "the journal did not close in order");
        }
        ended
    }

    async fn start(self) -> (Running, Desk) {
        let Self { house, console, targets, seen, configurations, .. } = self;
        let Self { reported, last_good, origin, current, bundler, newest, opened, shelf, .. } = self;
        let (exchange, wishes, notes) = configurations;
        let down = CancellationToken::new();
        let name = (current.store.id.clone(), current.store.gateway.id.clone());
        let line = Line::new(house.clone(), name, exchange.clone(), seen);
        let fleet = Fleet::new(house.clone(), targets.clone(), down.clone());
        let stations = Stations::new(house.clone(), shelf.clone(), line.payments());
        let (desks, core, stop_core) = (Desks::default(), Circle::default(), CancellationToken::new());
        let members = watch::Sender::new(member_settings(&current.store));
        let content = watch::Sender::new(content_settings(&current.store));
        let mut running = Running { fleet, line, bundler, desks, stations, members, content, core, stop_core };
        // Before the line is there: what comes down it at once is heard.
        let desk = Desk::new(house.clone(), (exchange, wishes), reported, last_good, origin, (current, notes));
        running.change_to(desk.current()).await;
        running.start_core(&house, (targets, shelf), (down, newest, opened), console).await;
        let data_dir = desk.current().store.gateway.data_dir.clone();
        let carried =
            requests::carry_in(data_dir, house.journal.clone(), house.clock.clone(), running.stop_core.clone());
        running.core.spawn("requests", told(carried));
        (running, desk)
    }
}

/// A task's error as words, so that all tasks of a circle return the same.
async fn told<E: std::error::Error>(task: impl Future<Output = Result<(), E>>) -> Ended {
    task.await.map_err(|error| Chain(&error).to_string())
}

impl Running {
    /// Starts what carries the devices and the line. They come first: a command that has waited since the last start
    /// is refused when its device is not known yet.
    async fn start_core(
        &mut self,
        house: &House,
        (targets, shelf): (Targets, Shelf),
        (down, newest, opened): (CancellationToken, watch::Sender<Arc<Roster>>, content::Opened),
        console: Option<(TcpListener, Shown)>,
    ) {
        let House { clock, journal, conditions, board, .. } = house.clone();
        let captures = house.members.captures.clone();
        let desk = members::Desk::new(journal.clone(), clock.clone(), self.members.subscribe(), newest, captures);
        let staff = opened.staff(journal.clone(), clock.clone(), conditions.clone(), self.content.subscribe());
        self.start_hands(&targets, desk, staff);
        let dispatcher = Dispatcher::new(journal.clone(), clock.clone(), targets, shelf);
        if let Some(within) = watchdog_within() {
            let stop = self.stop_core.clone();
            let feed = watchdog::feed(within, journal.clone(), dispatcher.probe(), notify_watchdog, stop);
            self.core.spawn("watchdog", told(feed));
        }
        let redeemer = Redeemer::new(journal.clone(), clock.clone(), self.desks.clone());
        self.core.spawn("redeemer", told(redeemer.run(down.clone())));
        self.core.spawn("dispatcher", told(dispatcher.run(down)));
        self.core.spawn("memory", told(settle::give_back(journal.clone(), self.stop_core.clone())));
        self.core.spawn("health", told(health::announce(conditions, journal, clock, self.stop_core.clone())));
        // Whoever waits for "ready" may count on lines that are there being held. A device whose line takes longer to
        // look at is not waited for: the daemon is ready without it.
        let _slow_devices_follow = tokio::time::timeout(LOOK_AT_DEVICES, board.looked_at()).await;
        if let Some((listener, shown)) = console {
            let serve = crate::console::serve(listener, shown, self.stop_core.clone().cancelled_owned());
            self.core.spawn("console", told(serve));
        }
    }

    /// The first task whose end means that the gateway cannot go on.
    async fn first_failure(&mut self) -> AppError {
        let (part, ending) = tokio::select! {
            ended = self.core.next() => ended,
            ended = self.fleet.failed() => ended,
            ended = self.line.failed() => ended,
            ended = self.stations.failed() => ended,
        };
        let why = match ending {
            Ending::Returned(Ok(())) => "ended before it was told to".to_owned(),
            Ending::Returned(Err(words)) => words,
            Ending::Panicked(words) => format!("panicked: {words}"),
            Ending::Aborted => "was aborted".to_owned(),
        };
        AppError::Core { part, why }
    }

    /// Runs what the plan says. Devices that stay as they are are left alone, and so is the line to the cloud.
    async fn change_to(&mut self, plan: &Plan) -> trial::Changed {
        self.bundler.runs(&plan.shown);
        self.desks.set(desks(&plan.store));
        self.members.send_replace(member_settings(&plan.store));
        self.content.send_replace(content_settings(&plan.store));
        let devices = self.fleet.change_to(&plan.devices).await;
        let line = self.line.change_to(plan.store.cloud.as_ref()).await;
        self.stations.change_to(plan).await;
        trial::Changed { devices, line }
    }

    async fn tear_down(&mut self) {
        self.fleet.tear_down().await;
        self.stations.tear_down().await;
        self.line.tear_down().await;
        self.stop_core.cancel();
        tell_stuck(self.core.drain(CORE_STOP).await);
    }
}

/// What screens may show, as far as the configuration says.
fn content_settings(store: &config::Store) -> content::Settings {
    let content = store.content.as_ref();
    content::Settings {
        keys: content.map(|content| content.keys.clone()).unwrap_or_default(),
        max_bytes: content.map_or(0, |content| content.max_size),
    }
}

/// Who may be recognised, as far as the configuration says.
fn member_settings(store: &config::Store) -> members::Settings {
    members::Settings {
        enabled: store.members.is_some(),
        key_file: store.members_key_file(),
        models_dir: store.gateway.models_dir.clone(),
        at_most: store.members.as_ref().map_or(0, |members| members.at_most),
        stations: enrolling(store),
    }
}

/// The stations with a camera and a scanner.
fn enrolling(store: &config::Store) -> BTreeMap<StationId, DeviceId> {
    let with_camera = store.stations.iter().filter(|station| station.roles.contains_key(&config::Role::Camera));
    let at = |station: &config::Station| Some((station.id.clone(), station.roles.get(&config::Role::Scanner)?.clone()));
    with_camera.filter_map(at).collect()
}

/// The redeem stations, each at its scanner.
fn desks(store: &config::Store) -> BTreeMap<DeviceId, Redeem> {
    let counter = Counter { store: store.id.clone(), gateway: store.gateway.id.clone() };
    let redeem = store.stations.iter().filter(|station| station.flow == config::Flow::Redeem);
    let desks = redeem.filter_map(|station| {
        let scanner = station.roles.get(&config::Role::Scanner)?.clone();
        let (counter, unsynced_allowed) = (counter.clone(), station.unsynced_allowed);
        Some((scanner, Redeem { station: station.id.clone(), counter, unsynced_allowed }))
    });
    desks.collect()
}

fn tell_stuck(names: Vec<String>) {
    for name in names {
        tracing::warn!(task = %name, "did not stop in time and was aborted");
    }
}
