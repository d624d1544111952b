//! A place, and the sensors that hear it: one of them counts, the others lend it their ears.
//!
//! Who is heard by two sensors is one person, and that can only be known under one key in one counter. So the sensors
//! of a place share it, and each thread puts in what it has heard itself: addresses stay in the threads that captured
//! them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::manner::{Manner, Threshold};
use crate::clock::Clock;
use crate::sense::footfall::{Cell, Counter, Ear, Key, Window};
use crate::types::{DeviceId, FootfallBreakdown, FootfallCell, FootfallWindow, Tenths, Timestamp};
use crate::wire::dot11::{Address, Link, Refused};

/// Stands for the time since when everything was heard, while nothing is.
pub(super) const NOT_LISTENING: i64 = i64::MAX;
/// Windows of this length and longer are broken down by zone and dwell, in microseconds.
const BROKEN_DOWN_US: i64 = 3_600_000_000;

/// The places of a store, by the sensor that counts. A place is gone with the thread of that sensor.
#[derive(Default)]
pub(super) struct Halls(Mutex<BTreeMap<DeviceId, Weak<Mutex<Hall>>>>);

/// A place that several threads have.
pub(super) type SharedHall = Arc<Mutex<Hall>>;

impl Halls {
    /// From now on this is the place that the sensor counts in.
    pub(super) fn put(&self, counts: &DeviceId, hall: &SharedHall) {
        lock(&self.0).insert(counts.clone(), Arc::downgrade(hall));
    }

    /// The place that a sensor counts in, if it does.
    pub(super) fn get(&self, counts: &DeviceId) -> Option<SharedHall> {
        lock(&self.0).get(counts).and_then(Weak::upgrade)
    }
}

/// A thread that panicked has left numbers behind, which are as good as any.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One sensor of a place.
struct Listener {
    name: DeviceId,
    ear: Ear,
    hears: Threshold,
    /// From here on it has heard everything, in microseconds since 1970.
    since_us: i64,
}

/// See the module.
pub(super) struct Hall {
    pub(super) counter: Counter,
    listeners: Vec<Listener>,
    /// Entries and frames that the counter has not seen, because they could not be read.
    unread: u64,
    /// Frames that some kernel had no room for.
    missed: u64,
    /// By the length of windows: what had not been read and what was missed when the last one closed.
    before: BTreeMap<i64, (u64, u64)>,
    /// No cell that is published counts fewer.
    least: u32,
    latest_us: i64,
}

/// A counter that knows nobody.
pub(super) fn fresh(manner: &Manner, clock: &Clock) -> Counter {
    let key = Key::new(clock.random_key());
    Counter::new(manner.settings.clone(), key, manner.calibration.clone())
}

impl Hall {
    /// Only the sensor that counts hears it, and does not listen yet.
    pub(super) fn new(counts: DeviceId, manner: &Manner, clock: &Clock) -> Self {
        let hears = Threshold::of(&manner.settings);
        let first = Listener { name: counts, ear: Ear::FIRST, hears, since_us: NOT_LISTENING };
        Self {
            counter: fresh(manner, clock),
            listeners: vec![first],
            unread: 0,
            missed: 0,
            before: BTreeMap::new(),
            least: manner.least,
            latest_us: i64::MIN,
        }
    }

    /// A sensor lends its ear, again if it has done so before. `None`: there are too many.
    pub(super) fn join(&mut self, name: &DeviceId, hears: Threshold) -> Option<Ear> {
        if let Some(known) = self.listeners.iter().find(|listener| listener.name == *name) {
            return Some(known.ear);
        }
        let ear = self.counter.join(hears.rssi_min_dbm, hears.visit_rssi_min_dbm)?;
        self.listeners.push(Listener { name: name.clone(), ear, hears, since_us: NOT_LISTENING });
        Some(ear)
    }

    /// Counting begins anew, for the same ears.
    pub(super) fn replace(&mut self, counter: Counter) {
        self.counter = counter;
        for lent in &self.listeners[1..] {
            let Threshold { rssi_min_dbm, visit_rssi_min_dbm } = lent.hears;
            let _ = self.counter.join(rssi_min_dbm, visit_rssi_min_dbm);
        }
        self.latest_us = i64::MIN;
    }

    /// Whether no other sensor lends its ear.
    pub(super) fn is_alone(&self) -> bool {
        self.listeners.len() == 1
    }

    /// The sensor hears everything from here on; [`NOT_LISTENING`]: nothing.
    pub(super) fn listens(&mut self, ear: Ear, since_us: i64) {
        self.listeners.iter_mut().filter(|listener| listener.ear == ear).for_each(|one| one.since_us = since_us);
    }

    /// No window that began before is complete, whoever listened.
    pub(super) fn restart_at(&mut self, since_us: i64) {
        let listening = self.listeners.iter_mut().filter(|listener| listener.since_us != NOT_LISTENING);
        listening.for_each(|listener| listener.since_us = since_us);
    }

    /// Threads hand over what they heard in turns: a frame that is a moment late counts as heard now.
    fn in_order(&mut self, at_us: i64) -> i64 {
        if !self.is_alone() {
            self.latest_us = self.latest_us.max(at_us);
            return self.latest_us;
        }
        at_us
    }

    pub(super) fn frame(&mut self, at_us: i64, ear: Ear, link: Link, bytes: &[u8]) -> Result<(), Refused> {
        let at_us = self.in_order(at_us);
        self.counter.frame(at_us, ear, link, bytes).map(|_| ())
    }

    pub(super) fn entry(&mut self, at_us: i64, ear: Ear, source: Address, rssi_dbm: i8) {
        let at_us = self.in_order(at_us);
        self.counter.entry(at_us, ear, source, rssi_dbm);
    }

    pub(super) fn unread(&mut self) {
        self.unread += 1;
    }

    pub(super) fn missed(&mut self, frames: u64) {
        self.missed += frames;
    }

    /// The next window that has closed.
    pub(super) fn pop_window(&mut self) -> Option<FootfallWindow> {
        let window = self.counter.pop_window()?;
        Some(self.window(&window))
    }

    fn window(&mut self, window: &Window) -> FootfallWindow {
        let now = (self.unread, self.missed);
        let (unread, missed) = self.before.insert(window.end_us - window.start_us, now).unwrap_or_default();
        FootfallWindow {
            start: Timestamp::from_unix_ms(window.start_us / 1000),
            end: Timestamp::from_unix_ms(window.end_us / 1000),
            devices: window.devices,
            devices_low: window.devices_low,
            devices_high: window.devices_high,
            passed: window.passed,
            visited: window.visited,
            stayed: window.stayed,
            people: Tenths::of(window.people),
            people_low: Tenths::of(window.people_low),
            people_high: Tenths::of(window.people_high),
            calibrated: window.calibrated,
            frames: window.frames,
            rejected: window.rejected + now.0 - unread,
            missed: now.1 - missed,
            complete: self.listeners.iter().all(|listener| listener.since_us <= window.start_us),
            breakdown: (window.end_us - window.start_us >= BROKEN_DOWN_US).then(|| self.breakdown(window)),
        }
    }

    fn breakdown(&self, window: &Window) -> FootfallBreakdown {
        let cell = |Cell { ear, dwell, devices }: Cell| {
            let zone = self.listeners.iter().find(|listener| listener.ear == ear)?.name.clone();
            Some(FootfallCell { zone, dwell, devices })
        };
        let cells = window.cells.published(self.least).into_iter().filter_map(cell).collect();
        FootfallBreakdown { least: self.least, cells }
    }
}
