//! Who was there: devices, their visits and what is certain about their number, looked up when a window closes.

use super::devices::Devices;
use super::settings::Settings;
use super::store::Store;

/// What a look at the devices finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Survey {
    pub(super) devices: u32,
    pub(super) low: u32,
    pub(super) high: u32,
    pub(super) passed: u32,
    pub(super) visited: u32,
    pub(super) stayed: u32,
}

impl Survey {
    /// Both together, with nobody in common.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            devices: self.devices + other.devices,
            low: self.low + other.low,
            high: self.high + other.high,
            passed: self.passed + other.passed,
            visited: self.visited + other.visited,
            stayed: self.stayed + other.stayed,
        }
    }
}

/// A device's visit, as far as it has gone.
#[derive(Debug, Clone, Copy)]
struct Visit {
    from_us: i64,
    rssi_dbm: i8,
    chains: u32,
}

/// A time in microseconds, as settings have it.
pub(super) fn us(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Devices {
    /// Who was heard since `from_us`, at the moment `now_us`.
    pub(super) fn survey(&self, from_us: i64, now_us: i64, settings: &Settings) -> Survey {
        let store = &self.store;
        let mut found = Survey::default();
        let mut models = Vec::new();
        for (device, chains) in speakers(store, from_us) {
            if store.device(device).closed_us >= us(settings.fixture_after) {
                continue;
            }
            let visit = visit(store, &chains, us(settings.visit_silence));
            found.devices += 1;
            found.high += visit.chains;
            match () {
                () if visit.rssi_dbm < settings.visit_rssi_min_dbm => found.passed += 1,
                () if now_us - visit.from_us < us(settings.stay_after) => found.visited += 1,
                () => found.stayed += 1,
            }
            match model(store, device) {
                Some(model) => models.push(model),
                None => found.low += 1,
            }
        }
        models.sort_unstable();
        models.dedup();
        found.low += u32::try_from(models.len()).unwrap_or(u32::MAX);
        found
    }

    /// The shop is closed: who was heard since `from_us` is noted down for `for_us`.
    pub(super) fn note_closed(&mut self, from_us: i64, for_us: i64) {
        for (device, _) in speakers(&self.store, from_us) {
            let device = self.store.device_mut(device);
            device.closed_us = device.closed_us.saturating_add(for_us);
        }
    }
}

/// Devices that spoke since `from_us`, each with its chains that did, in the order of their places.
fn speakers(store: &Store, from_us: i64) -> Vec<(u32, Vec<u32>)> {
    let speaking = (0u32..).zip(&store.chains).filter(|(_, chain)| chain.is_live && chain.last_us >= from_us);
    let mut pairs: Vec<(u32, u32)> = speaking.map(|(at, chain)| (store.host(chain.device), at)).collect();
    pairs.sort_unstable();
    let of_one = pairs.chunk_by(|a, b| a.0 == b.0);
    of_one.map(|pairs| (pairs[0].0, pairs.iter().map(|pair| pair.1).collect())).collect()
}

/// The visit that a device's chains are part of.
fn visit(store: &Store, chains: &[u32], silence_us: i64) -> Visit {
    let mut visit = Visit { from_us: i64::MAX, rssi_dbm: i8::MIN, chains: 0 };
    for &at in chains {
        let chain = store.chain(at);
        visit.from_us = visit.from_us.min(chain.visit_us);
        visit.rssi_dbm = visit.rssi_dbm.max(chain.visit_dbm);
        visit.chains += 1;
    }
    let oldest = chains.iter().copied().min_by_key(|at| store.chain(*at).first_us);
    let mut at = oldest.and_then(|at| store.older(at));
    while let Some(older) = at {
        let chain = store.chain(older);
        if chain.last_us.saturating_add(silence_us) < visit.from_us {
            break;
        }
        visit.from_us = visit.from_us.min(chain.visit_us);
        visit.rssi_dbm = visit.rssi_dbm.max(chain.visit_dbm);
        at = store.older(older);
    }
    visit
}

/// What others may have in common with it: its first full fingerprint, unless an address was burnt into it.
fn model(store: &Store, device: u32) -> Option<u16> {
    let newest = store.chain(store.device(device).newest);
    if newest.is_global() { None } else { store.device(device).full.all().first().copied() }
}
