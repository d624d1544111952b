//! The flows of a configuration: which there are, and changing them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fleet::House;
use super::trial::Plan;
use super::{Ended, tell_stuck, told};
use crate::config::{Flow as Kind, Role, Station};
use crate::flow::{
    About, Flow, LedgerSettings, SaleFlow, SaleSettings, SamplingFlow, SamplingSettings, SessionFlow, SessionSettings,
    ShelfFlow, ShelfSettings, VerdictFlow, VerdictSettings,
};
use crate::router::{Flows, Payments, Seams, Shelf};
use crate::supervise::{Circle, Ending};
use crate::types::{Currency, DeviceId, Payment};

/// How long the flows may take to end.
const STATIONS_STOP: Duration = Duration::from_secs(3);
/// Profiles of vending machines begin with this.
const MACHINES: &str = "vending/";

/// Machines and stations.
type MadeOf = (Vec<(LedgerSettings, Currency)>, Vec<Station>);

/// The flows that run.
pub(super) struct Stations {
    seams: Seams,
    made_of: Option<MadeOf>,
    stop: CancellationToken,
    running: Circle<Ended>,
}

impl Stations {
    /// None yet.
    pub(super) fn new(house: House, shelf: Shelf, payments: Arc<dyn Payments>) -> Self {
        let House { clock, journal, conditions, vault, .. } = house;
        let seams = Seams { journal, clock, conditions, shelf, vault, payments };
        Self { seams, made_of: None, stop: CancellationToken::new(), running: Circle::default() }
    }

    /// Runs the flows of a plan, if they are others than those that run.
    pub(super) async fn change_to(&mut self, plan: &Plan) {
        let machines = plan.devices.iter().filter(|(_, described)| described.profile.starts_with(MACHINES));
        let machines: Vec<_> = machines
            .map(|(id, described)| {
                let settings = LedgerSettings { machine: id.clone(), can: described.can().to_vec() };
                (settings, described.currency())
            })
            .collect();
        let made_of = Some((machines, plan.store.stations.clone()));
        if self.made_of == made_of {
            return;
        }
        self.tear_down().await;
        self.made_of = made_of;
        let Some((machines, stations)) = &self.made_of else { return };
        let flows = flows(stations, machines);
        let ledgers = machines.iter().map(|(settings, _)| settings.clone()).collect();
        let flows = Flows::new(self.seams.clone(), ledgers, flows);
        self.stop = CancellationToken::new();
        let stop = self.stop.clone();
        self.running.spawn("stations", told(flows.run(stop)));
    }

    /// Their end, which may not come before they are told to. Cancel-safe.
    pub(super) async fn failed(&mut self) -> (String, Ending<Ended>) {
        self.running.next().await
    }

    pub(super) async fn tear_down(&mut self) {
        self.stop.cancel();
        tell_stuck(self.running.drain(STATIONS_STOP).await);
    }
}

/// The flows of these stations. Those of coupons have a runner of their own, and doors need none.
pub(crate) fn flows(stations: &[Station], machines: &[(LedgerSettings, Currency)]) -> Vec<Box<dyn Flow>> {
    let mut flows: Vec<Box<dyn Flow>> = Vec::new();
    for station in stations {
        let role = |role| station.roles.get(&role).cloned();
        if let (Kind::Shelf, Some(screen)) = (station.flow, role(Role::Screen)) {
            let (sensor, scanner) = (role(Role::Sensor), role(Role::Scanner));
            let settings = ShelfSettings { station: station.id.clone(), screen, sensor, scanner };
            flows.push(Box::new(ShelfFlow::new(settings)));
        }
        let at_a_screen = matches!(station.flow, Kind::Shelf | Kind::Mirror);
        if let (true, Some(screen), Some(scanner)) = (at_a_screen, role(Role::Screen), role(Role::Scanner)) {
            let settings = SessionSettings { station: station.id.clone(), screen, scanner };
            flows.push(Box::new(SessionFlow::new(settings)));
        }
        if let (Some(screen), Some(about)) = (role(Role::Screen), about(station)) {
            let settings = VerdictSettings { station: station.id.clone(), screen, about };
            flows.push(Box::new(VerdictFlow::new(settings)));
        }
        match (station.flow, role(Role::Machine), role(Role::Scanner)) {
            (Kind::Sale, Some(machine), scanner) => {
                let currency = currency_of(machines, &machine);
                flows.push(Box::new(SaleFlow::new(sale(station, machine, scanner, currency))));
            }
            (Kind::Sampling, Some(machine), Some(scanner)) => {
                let currency = currency_of(machines, &machine);
                flows.push(Box::new(SamplingFlow::new(sampling(station, machine, scanner, currency))));
            }
            _ => {}
        }
    }
    flows
}

/// What a station's screen tells the shopper of.
fn about(station: &Station) -> Option<About> {
    let role = |role| station.roles.get(&role).cloned();
    match (station.flow, role(Role::Machine), role(Role::Scanner)) {
        (Kind::Redeem, _, _) => Some(About::Coupons),
        (Kind::Sale, Some(machine), scanner) => {
            Some(About::Sales { machine, free: station.settings.free, scanner: scanner.is_some() })
        }
        (Kind::Sampling, Some(machine), Some(scanner)) => {
            Some(About::Samples { scanner, machine, campaign: campaign(station) })
        }
        _ => None,
    }
}

fn campaign(station: &Station) -> String {
    station.settings.campaign.clone().unwrap_or_else(|| station.id.to_string())
}

fn currency_of(machines: &[(LedgerSettings, Currency)], machine: &DeviceId) -> Currency {
    let found = machines.iter().find(|(settings, _)| settings.machine == *machine);
    found.map_or(Currency::NONE, |(_, currency)| *currency)
}

fn sale(station: &Station, machine: DeviceId, scanner: Option<DeviceId>, currency: Currency) -> SaleSettings {
    let settings = &station.settings;
    SaleSettings {
        station: station.id.clone(),
        machine,
        scanner,
        currency,
        slot: settings.slots.first().copied(),
        price: settings.price,
        payment: if settings.free { Payment::Free } else { Payment::Cloud },
    }
}

fn sampling(station: &Station, machine: DeviceId, scanner: DeviceId, currency: Currency) -> SamplingSettings {
    let settings = station.settings.clone();
    SamplingSettings {
        station: station.id.clone(),
        scanner,
        machine,
        currency,
        campaign: campaign(station),
        slots: settings.slots,
        quota: settings.quota,
        from: settings.from,
        until: settings.until,
    }
}
