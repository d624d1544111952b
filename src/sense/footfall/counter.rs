//! One sensor's pipeline: frames in, windows out.

use std::collections::VecDeque;
use std::time::Duration;

use super::calibration::{Calibration, uncalibrated};
use super::devices::{Devices, Placed, Sighting};
use super::key::Key;
use super::limits::{CLOSED_WINDOWS, GAP_US, WINDOWS};
use super::listed::Listed;
use super::print::{Manner, Print, fingerprint};
use super::settings::{Settings, is_window};
use super::survey::{Survey, us};
use super::window::Window;
use crate::wire::dot11::{Address, Link, Refused, decode};

/// What became of something that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was counted to a device.
    Placed(Placed),
    /// It was too weak to count.
    Weak,
    /// It came from a listed device, and nothing of it was kept.
    Listed,
}

/// Numbers that only grow.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    frames: u64,
    rejected: u64,
    weak: u64,
    listed: u64,
}

/// A window that is still open.
#[derive(Debug, Clone, Copy)]
struct Open {
    length_us: i64,
    start_us: i64,
    /// The tally when it opened.
    before: Tally,
    /// Who was counted in it under keys that are gone.
    forgotten: Survey,
}

/// See the module.
pub struct Counter {
    settings: Settings,
    key: Key,
    /// Keeps fingerprints of different keys apart.
    seed: u64,
    calibration: Option<Calibration>,
    listed: Option<Listed>,
    devices: Devices,
    is_open: bool,
    /// The latest time that was told; `None` before the first.
    now_us: Option<i64>,
    /// When the next window closes.
    next_us: i64,
    /// From here on the present key has heard everything.
    since_us: i64,
    tally: Tally,
    open: Vec<Open>,
    closed: VecDeque<Window>,
}

/// Shows no device.
impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").field("devices", &self.devices).field("tally", &self.tally).finish_non_exhaustive()
    }
}

/// What a box that reports addresses only says of a device's model: nothing.
const NO_PRINT: Print = Print { hash: 0, order: 0, is_weak: true, is_cut: false, unknown: 0 };

fn seed(key: &Key) -> u64 {
    key.pseudonym(Address::new([0xff; 6])).bits()
}

impl Counter {
    /// Nobody was heard. Windows that [`Settings::check`] refuses are left out.
    pub fn new(settings: Settings, key: Key, calibration: Option<Calibration>) -> Self {
        let windows = settings.windows.iter().filter(|window| is_window(**window)).take(WINDOWS);
        let mut open: Vec<Open> = windows
            .map(|window| Open {
                length_us: us(*window),
                start_us: 0,
                before: Tally::default(),
                forgotten: Survey::default(),
            })
            .collect();
        open.sort_by_key(|window| window.length_us);
        Self {
            devices: Devices::new(us(settings.visit_silence)),
            seed: seed(&key),
            settings,
            key,
            calibration,
            listed: None,
            is_open: true,
            now_us: None,
            next_us: i64::MAX,
            since_us: 0,
            tally: Tally::default(),
            open,
            closed: VecDeque::new(),
        }
    }

    /// From now on these devices are not counted.
    pub fn ignore(&mut self, listed: Listed) {
        self.listed = Some(listed);
    }

    /// Whether the shop is open, which it is until something else is said. Who is heard for long while it is closed
    /// belongs to it.
    pub fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    /// How many chains of addresses and devices are remembered.
    pub fn sizes(&self) -> (usize, usize) {
        self.devices.sizes()
    }

    /// The devices, to ask which chain is which device.
    pub fn devices(&mut self) -> &mut Devices {
        &mut self.devices
    }

    /// One captured frame. A refused one is counted; it is no error of the run.
    ///
    /// # Errors
    ///
    /// It is no probe request, or damaged.
    #[inline]
    pub fn frame(&mut self, at_us: i64, link: Link, bytes: &[u8]) -> Result<Heard, Refused> {
        self.pass_to(at_us);
        let probe = match decode(link, bytes) {
            Ok(probe) => probe,
            Err(refused) => {
                self.tally.rejected += 1;
                return Err(refused);
            }
        };
        let print = fingerprint(self.seed, probe.elements);
        // A radio that does not measure is near: there is no other gate than its own.
        let rssi_dbm = probe.radio.rssi_dbm.unwrap_or(0);
        Ok(self.hear(at_us, probe.source, Some(probe.sequence), rssi_dbm, print))
    }

    /// One address that a box reports which hears for itself.
    pub fn entry(&mut self, at_us: i64, address: Address, rssi_dbm: i8) -> Heard {
        self.pass_to(at_us);
        if address.is_group() || address.is_shared() {
            self.tally.rejected += 1;
            return Heard::Weak;
        }
        self.hear(at_us, address, None, rssi_dbm, NO_PRINT)
    }

    #[inline]
    fn hear(&mut self, at_us: i64, from: Address, sequence: Option<u16>, rssi_dbm: i8, print: Print) -> Heard {
        if self.listed.as_ref().is_some_and(|listed| listed.has(from)) {
            self.tally.listed += 1;
            return Heard::Listed;
        }
        if rssi_dbm < self.settings.rssi_min_dbm {
            self.tally.weak += 1;
            return Heard::Weak;
        }
        self.tally.frames += 1;
        let address = (!from.is_shared()).then(|| self.key.pseudonym(from));
        Heard::Placed(self.devices.see(&Sighting {
            at_us,
            address,
            manner: Manner::of(from),
            sequence,
            rssi_dbm,
            print,
        }))
    }

    /// Time passes: visits end and windows close.
    pub fn advance(&mut self, now_us: i64) {
        self.pass_to(now_us);
    }

    #[inline]
    fn pass_to(&mut self, now_us: i64) {
        if now_us >= self.next_us || self.now_us.is_none() {
            self.close_until(now_us);
        }
        self.now_us = self.now_us.max(Some(now_us));
    }

    fn close_until(&mut self, now_us: i64) {
        match self.now_us {
            Some(last_us) if now_us - last_us <= GAP_US => {}
            // A first frame, or a gap of more than a day: nothing was watched meanwhile.
            _ => {
                if self.now_us.is_some() {
                    self.finish();
                }
                self.start(now_us);
            }
        }
        while self.next_us <= now_us {
            let end_us = self.next_us;
            self.close(end_us, end_us);
        }
    }

    /// Opens the windows that `now_us` is in.
    fn start(&mut self, now_us: i64) {
        self.since_us = now_us;
        for window in &mut self.open {
            window.start_us = now_us - now_us.rem_euclid(window.length_us);
            window.before = self.tally;
        }
        self.find_next();
    }

    fn find_next(&mut self) {
        let ends = self.open.iter().map(|window| window.start_us + window.length_us);
        self.next_us = ends.min().unwrap_or(i64::MAX);
    }

    /// Closes the windows that end at `end_us`; the last thing was heard before `until_us`.
    fn close(&mut self, end_us: i64, until_us: i64) {
        self.devices.settle();
        for at in 0..self.open.len() {
            let window = self.open[at];
            if window.start_us + window.length_us != end_us {
                continue;
            }
            if at == 0 && !self.is_open {
                self.devices.note_closed(window.start_us, window.length_us);
            }
            let closed = self.look(&window, until_us);
            if self.closed.len() >= CLOSED_WINDOWS {
                self.closed.pop_front();
            }
            self.closed.push_back(closed);
            let window = &mut self.open[at];
            (window.start_us, window.before, window.forgotten) = (end_us, self.tally, Survey::default());
        }
        self.find_next();
    }

    fn look(&self, window: &Open, until_us: i64) -> Window {
        let now = self.devices.survey(window.start_us, until_us, &self.settings);
        let survey = now.plus(&window.forgotten);
        let came_in = survey.visited + survey.stayed;
        let estimate = match &self.calibration {
            Some(calibration) => calibration.estimate(came_in),
            None => uncalibrated(came_in),
        };
        Window {
            start_us: window.start_us,
            end_us: window.start_us + window.length_us,
            devices: survey.devices,
            devices_low: survey.low,
            devices_high: survey.high,
            passed: survey.passed,
            visited: survey.visited,
            stayed: survey.stayed,
            people: estimate.people,
            people_low: estimate.low,
            people_high: estimate.high,
            calibrated: self.calibration.is_some(),
            frames: self.tally.frames - window.before.frames,
            rejected: self.tally.rejected - window.before.rejected,
            weak: self.tally.weak - window.before.weak,
            listed: self.tally.listed - window.before.listed,
        }
    }

    /// A capture is over: every window closes that something was heard in, though it is not over.
    pub fn finish(&mut self) {
        let Some(now_us) = self.now_us.take() else { return };
        let mut ends: Vec<i64> = self.open.iter().map(|window| window.start_us + window.length_us).collect();
        ends.sort_unstable();
        ends.dedup();
        // Closing one opens the next, which must not be closed in its turn.
        let open = std::mem::take(&mut self.open);
        for end_us in ends {
            self.open = open.iter().copied().filter(|window| window.start_us + window.length_us == end_us).collect();
            self.close(end_us, now_us);
        }
        self.open = open;
        self.next_us = i64::MAX;
    }

    /// The next window that has closed, in the order of their ends.
    pub fn pop_window(&mut self) -> Option<Window> {
        self.closed.pop_front()
    }

    /// Closing time: a new key, and everything that was known of devices is forgotten. What open windows have counted
    /// so far stays counted; who is there before and after counts twice in them.
    pub fn rotate(&mut self, key: Key) {
        let now_us = self.now_us.unwrap_or(0);
        self.devices.settle();
        for at in 0..self.open.len() {
            let window = self.open[at];
            let seen = self.devices.survey(window.start_us, now_us, &self.settings);
            self.open[at].forgotten = window.forgotten.plus(&seen);
        }
        self.devices = Devices::new(us(self.settings.visit_silence));
        self.seed = seed(&key);
        self.key = key;
        self.since_us = now_us;
    }

    /// The shortest window, or a minute: how often [`Counter::advance`] is worth calling at the most.
    pub fn shortest_window(&self) -> Duration {
        let shortest_us = self.open.first().map_or(60_000_000, |window| window.length_us);
        Duration::from_micros(u64::try_from(shortest_us).unwrap_or(0))
    }
}
