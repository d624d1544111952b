//! The devices that are driven, and changing which without touching the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::{Ended, tell_stuck, told};
use crate::clock::Clock;
use crate::config;
use crate::device::{Commons, Device, Members, Once, PortEnds, Vault, port};
use crate::journal::Journal;
use crate::observe::{Board, Conditions, DeviceScope, DeviceState, Metrics};
use crate::router::{Target, Targets, intake};
use crate::supervise::{Circle, Ending, Restart, supervise};
use crate::transport::{Mirrors, Seats};
use crate::types::{ActionKind, Assigned, Condition, Currency, DeviceId, StationId};

/// How long a driver may take to stop, and its last words to be stored.
const DEVICE_STOP: Duration = Duration::from_secs(20);
const INTAKE_STOP: Duration = Duration::from_secs(5);

/// What every device needs of the house.
#[derive(Clone)]
pub(super) struct House {
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) conditions: Conditions,
    pub(super) metrics: Metrics,
    pub(super) board: Board,
    pub(super) vault: Vault,
    pub(super) members: Members,
    pub(super) seats: Seats,
    pub(super) mirrors: Mirrors,
    pub(super) once: Once,
    pub(super) commons: Commons,
}

/// A device as a configuration describes it.
#[derive(Clone)]
pub(super) struct Described {
    device: Arc<dyn Device>,
    pub(super) profile: String,
    /// The station whose camera it is.
    station: Option<StationId>,
    /// The screen of the mirror whose camera it is.
    mirror: Option<DeviceId>,
    /// Everything that the driver was made of: with another text it is another device.
    made_of: String,
}

impl Described {
    /// What can be asked of it.
    pub(super) fn can(&self) -> &'static [ActionKind] {
        self.device.can()
    }

    /// Whether the driver of another description would be the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.made_of == other.made_of
    }

    /// The currency of its prices.
    pub(super) fn currency(&self) -> Currency {
        self.device.currency()
    }
}

/// The devices of a configuration.
pub(super) fn described(store: &mut config::Store) -> BTreeMap<DeviceId, Described> {
    let codes = [&store.codes.member, &store.codes.clerk, &store.codes.pickup];
    let codes = format!("{:?}", codes.map(|regex| regex.as_ref().map(regex::Regex::as_str)));
    let devices = std::mem::take(&mut store.devices).into_iter().map(|configured| {
        let config::ConfiguredDevice { device, profile, profile_text, settings, .. } = configured;
        let at_camera = |station: &&config::Station| station.roles.get(&config::Role::Camera) == Some(device.id());
        let station = store.stations.iter().find(at_camera).map(|station| station.id.clone());
        let mut mirrors = store.stations.iter().filter(|station| station.flow == config::Flow::Mirror);
        let mirror = mirrors.find(at_camera).and_then(|station| station.roles.get(&config::Role::Screen).cloned());
        let endpoint = device.endpoint().exact();
        let made_of = format!("{profile}\n{profile_text}\n{endpoint}\n{settings}\n{codes}\n{station:?}\n{mirror:?}");
        (device.id().clone(), Described { device: Arc::from(device), profile, station, mirror, made_of })
    });
    devices.collect()
}

/// A device that is driven.
struct Driven {
    described: Described,
    stop: CancellationToken,
    driver: Circle<()>,
    intake: Circle<Ended>,
    /// Held until the driver has ended, which takes a closed queue for the end of the house.
    _assign: Sender<Assigned>,
}

/// The devices that are driven.
pub(super) struct Fleet {
    house: House,
    targets: Targets,
    /// Cancelled when the gateway goes down, as against one device being taken out of service.
    down: CancellationToken,
    driven: BTreeMap<DeviceId, Driven>,
}

impl Fleet {
    /// Without a device.
    pub(super) fn new(house: House, targets: Targets, down: CancellationToken) -> Self {
        Self { house, targets, down, driven: BTreeMap::new() }
    }

    /// Drives these devices and no others. Those that stay as they are are left alone. Says which are new or changed.
    pub(super) async fn change_to(&mut self, wanted: &BTreeMap<DeviceId, Described>) -> BTreeSet<DeviceId> {
        let stays = |id: &DeviceId, driven: &Driven| {
            wanted.get(id).is_some_and(|wanted| wanted.made_of == driven.described.made_of)
        };
        let gone: BTreeMap<_, _> = self.driven.extract_if(.., |id, driven| !stays(id, driven)).collect();
        for id in gone.keys() {
            self.targets.remove(id);
        }
        join_all(gone.into_iter().map(|(id, driven)| retire(id, driven, &self.house))).await;
        let new: Vec<_> = wanted.iter().filter(|(id, _)| !self.driven.contains_key(*id)).collect();
        for (id, described) in &new {
            self.drive(id, described);
        }
        new.into_iter().map(|(id, _)| id.clone()).collect()
    }

    fn drive(&mut self, id: &DeviceId, described: &Described) {
        let House { clock, journal, conditions, metrics, board, vault, members, seats, mirrors, once, commons } =
            self.house.clone();
        let (device, stop, restart) = (Arc::clone(&described.device), self.down.child_token(), Restart::default());
        board.add(id.clone(), described.profile.clone());
        let scope = DeviceScope::new(id.clone(), clock.clone(), conditions.clone(), metrics, board);
        let (mut port, PortEnds { observed, stored: storing, assign }) = port(scope, clock, CancellationToken::new());
        (port.vault, port.members, port.commons) = (vault, members, commons);
        (port.seats, port.once, port.station) = (seats, once, described.station.clone());
        port.glass = described.mirror.as_ref().map(|screen| mirrors.behind(screen));
        let (can, currency) = (device.can(), device.currency());
        let target = Target { can, assign: assign.clone(), restart: restart.clone(), currency };
        self.targets.add(id.clone(), target);
        let (mut driver, mut stored) = (Circle::default(), Circle::default());
        stored.spawn(&format!("intake of {id}"), told(intake(observed, storing, journal, conditions)));
        let (told_to_stop, down) = (stop.clone(), self.down.clone());
        driver.spawn(id.as_str(), async move {
            let mut port = supervise(device, port, restart, told_to_stop).await;
            if !down.is_cancelled() && port.turn_away().await.is_err() {
                tracing::warn!(device = %port.device(), "actions that waited could not be ended: the journal is gone");
            }
        });
        let driven = Driven { described: described.clone(), stop, driver, intake: stored, _assign: assign };
        self.driven.insert(id.clone(), driven);
    }

    /// Those of the devices that do not run, each with what stands in its way.
    pub(super) fn not_running(&self, devices: &BTreeSet<DeviceId>) -> Vec<(DeviceId, Option<Condition>, String)> {
        let standing = self.house.conditions.standing();
        let trouble = |id: &DeviceId| {
            let own = standing.iter().find(|entry| entry.device.as_ref() == Some(id) && is_error(entry.condition));
            let detail = own.and_then(|entry| entry.detail.clone()).unwrap_or_default();
            let runs = self.house.board.state(id) == Some(DeviceState::Running);
            (!runs || own.is_some()).then(|| (id.clone(), own.map(|entry| entry.condition), detail))
        };
        devices.iter().filter_map(trouble).collect()
    }

    /// The next of its tasks that ends, which none may before it is told to. Cancel-safe.
    pub(super) async fn failed(&mut self) -> (String, Ending<Ended>) {
        if self.driven.is_empty() {
            return std::future::pending().await;
        }
        let each = self.driven.values_mut().map(|Driven { driver, intake, .. }| {
            Box::pin(async move {
                tokio::select! {
                    (name, ending) = driver.next() => (name, as_ended(ending)),
                    ended = intake.next() => ended,
                }
            })
        });
        select_all(each).await.0
    }

    /// Stops all of them together.
    pub(super) async fn tear_down(&mut self) {
        self.down.cancel();
        let each = self.driven.values_mut().map(|driven| driven.driver.drain(DEVICE_STOP));
        tell_stuck(join_all(each).await.concat());
        let each = self.driven.values_mut().map(|driven| driven.intake.drain(INTAKE_STOP));
        tell_stuck(join_all(each).await.concat());
    }
}

fn is_error(condition: Condition) -> bool {
    condition.level() == crate::types::Level::Error
}

fn as_ended(ending: Ending<()>) -> Ending<Ended> {
    match ending {
        Ending::Panicked(words) => Ending::Panicked(words),
        Ending::Returned(()) | Ending::Aborted => Ending::Returned(Ok(())),
    }
}

/// Takes one device out of service: what it said is stored, what waited for it is answered, its conditions go.
async fn retire(id: DeviceId, mut driven: Driven, house: &House) {
    driven.stop.cancel();
    tell_stuck(driven.driver.drain(DEVICE_STOP).await);
    tell_stuck(driven.intake.drain(INTAKE_STOP).await);
    for condition in Condition::ALL {
        house.conditions.set(*condition, Some(&id), false, None);
    }
    house.board.remove(&id);
}
