//! One place's pipeline: frames in, from one sensor or several; windows out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::calibration::{Basis, Calibration, Estimate, uncalibrated};
use super::cells::Ear;
use super::devices::{Devices, Placed, Sighting};
use super::echoes::Echoes;
use super::key::{Key, Pseudonym};
use super::levels::{Features, Levels};
use super::limits::{CLOSED_WINDOWS, EARS, GAP_US, WINDOWS};
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
    /// Another ear has heard it already: only its signal counts.
    Echo,
    /// It was too weak to count.
    Weak,
    /// It came from a listed device, and nothing of it was kept.
    Listed,
}

/// How one ear hears.
#[derive(Debug, Clone, Copy)]
struct Hearing {
    /// What it hears more weakly does not count.
    rssi_min_dbm: i8,
    /// So much is added to its signals, so that those of all ears mean the same: to have come in.
    offset_db: i8,
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
    people: People,
}

/// Estimates within a window that is longer than what was calibrated for.
#[derive(Debug, Clone, Copy)]
struct People {
    /// When the next one is made; `i64::MAX` for never.
    next_us: i64,
    /// When the last one was made, or watching began.
    last_us: i64,
    sum: Estimate,
    count: u32,
}

impl People {
    fn add(&mut self, at_us: i64, estimate: &Estimate) {
        self.last_us = at_us;
        self.sum.people += estimate.people;
        self.sum.low += estimate.low;
        self.sum.high += estimate.high;
        self.count += 1;
    }

    fn mean(&self) -> Estimate {
        let share = |sum: f64| sum / f64::from(self.count.max(1));
        Estimate { people: share(self.sum.people), low: share(self.sum.low), high: share(self.sum.high) }
    }
}

impl Open {
    fn new(length_us: i64) -> Self {
        let people = People { next_us: i64::MAX, last_us: 0, sum: Estimate::default(), count: 0 };
        Self { length_us, start_us: 0, before: Tally::default(), forgotten: Survey::default(), people }
    }

    fn end_us(&self) -> i64 {
        self.start_us + self.length_us
    }

    /// It opens, and is watched from `from_us` on; people are estimated every `every_us`, and at its end.
    fn begin(&mut self, start_us: i64, from_us: i64, tally: Tally, every_us: Option<i64>) {
        *self = Self::new(self.length_us);
        (self.start_us, self.before, self.people.last_us) = (start_us, tally, from_us);
        if let Some(every_us) = every_us.filter(|every_us| from_us + every_us < self.end_us()) {
            self.people.next_us = from_us + every_us;
        }
    }
}

/// See the module.
pub struct Counter {
    settings: Settings,
    key: Key,
    /// Keeps fingerprints of different keys apart.
    seed: u64,
    calibration: Option<Calibration>,
    levels: Option<Levels>,
    lists: Vec<Arc<Listed>>,
    ears: Vec<Hearing>,
    /// From the second ear on.
    echoes: Option<Echoes>,
    devices: Devices,
    is_open: bool,
    /// The latest time that was told; `None` before the first.
    now_us: Option<i64>,
    /// When the next window closes, or people are estimated next.
    next_us: i64,
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
        let mut open: Vec<Open> = windows.map(|window| Open::new(us(*window))).collect();
        open.sort_by_key(|window| window.length_us);
        let levels = calibration.as_ref().filter(|calibration| calibration.basis() == Basis::Frames);
        Self {
            devices: Devices::new(us(settings.visit_silence)),
            seed: seed(&key),
            ears: vec![Hearing { rssi_min_dbm: settings.rssi_min_dbm, offset_db: 0 }],
            echoes: None,
            settings,
            key,
            levels: levels.map(|calibration| Levels::new(calibration.window())),
            calibration,
            lists: Vec::new(),
            is_open: true,
            now_us: None,
            next_us: i64::MAX,
            tally: Tally::default(),
            open,
            closed: VecDeque::new(),
        }
    }

    /// One more sensor that hears the same place. What it hears more weakly than `rssi_min_dbm` does not count; who is
    /// heard by it as strongly as `visit_rssi_min_dbm` has come in. `None`: there are as many as can be.
    pub fn join(&mut self, rssi_min_dbm: i8, visit_rssi_min_dbm: i8) -> Option<Ear> {
        let number = u8::try_from(self.ears.len()).ok().filter(|number| usize::from(*number) < EARS)?;
        let offset_db = self.settings.visit_rssi_min_dbm.saturating_sub(visit_rssi_min_dbm);
        self.ears.push(Hearing { rssi_min_dbm, offset_db });
        self.echoes.get_or_insert_with(Echoes::new);
        Some(Ear(number))
    }

    /// From now on these devices are not counted, and no others are left out.
    pub fn ignore(&mut self, lists: Vec<Arc<Listed>>) {
        self.lists = lists;
    }

    /// Whether the shop is open, which it is until something else is said. Who is heard for long while it is closed
    /// belongs to it.
    pub fn set_open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    /// Counts for a calibration that is not there yet: from now on [`Counter::features`] knows what was heard in times
    /// of this length.
    pub fn learn_over(&mut self, window: Duration) {
        self.levels = Some(Levels::new(window));
    }

    /// What a calibration learns from and estimates by, of the time that ends at `now_us`; `None` if nobody asked for
    /// it.
    pub fn features(&self, now_us: i64) -> Option<Features> {
        self.levels.as_ref().map(|levels| levels.features(now_us))
    }

    /// How many addresses' tracks and devices are remembered.
    pub fn sizes(&self) -> (usize, usize) {
        self.devices.sizes()
    }

    /// The devices, to ask which track is which device.
    pub fn devices(&mut self) -> &mut Devices {
        &mut self.devices
    }

    /// One captured frame. A refused one is counted; it is no error of the run.
    ///
    /// # Errors
    ///
    /// It is no probe request, or damaged.
    #[inline]
    pub fn frame(&mut self, at_us: i64, ear: Ear, link: Link, bytes: &[u8]) -> Result<Heard, Refused> {
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
        Ok(self.hear((at_us, ear), probe.source, Some(probe.sequence), rssi_dbm, print))
    }

    /// One address that a box reports which hears for itself.
    pub fn entry(&mut self, at_us: i64, ear: Ear, address: Address, rssi_dbm: i8) -> Heard {
        self.pass_to(at_us);
        if address.is_group() || address.is_shared() {
            self.tally.rejected += 1;
            return Heard::Weak;
        }
        self.hear((at_us, ear), address, None, rssi_dbm, NO_PRINT)
    }

    #[inline]
    fn hear(
        &mut self,
        (at_us, ear): (i64, Ear),
        from: Address,
        sequence: Option<u16>,
        rssi_dbm: i8,
        print: Print,
    ) -> Heard {
        if self.lists.iter().any(|list| list.has(from)) {
            self.tally.listed += 1;
            return Heard::Listed;
        }
        let hearing = self.ears.get(ear.number()).unwrap_or(&self.ears[0]);
        if rssi_dbm < hearing.rssi_min_dbm {
            self.tally.weak += 1;
            return Heard::Weak;
        }
        let rssi_dbm = rssi_dbm.saturating_add(hearing.offset_db);
        let address = (!from.is_shared()).then(|| self.key.pseudonym(from));
        if let Some(levels) = &mut self.levels {
            levels.hear(at_us, print.order, address.map(Pseudonym::bits), rssi_dbm);
        }
        let who = address.map_or(print.hash, Pseudonym::bits);
        if let Some((echoes, sequence)) = self.echoes.as_mut().zip(sequence)
            && echoes.is_echo(who, sequence, ear, at_us)
        {
            self.devices.echo(address, ear, rssi_dbm);
            return Heard::Echo;
        }
        self.tally.frames += 1;
        Heard::Placed(self.devices.see(&Sighting {
            at_us,
            address,
            manner: Manner::of(from),
            sequence,
            ear,
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
            Some(last_us) if now_us.saturating_sub(last_us) <= GAP_US => {}
            // A first frame, or a gap of more than a day: nothing was watched meanwhile.
            _ => {
                if self.now_us.is_some() {
                    self.finish();
                }
                self.start(now_us);
            }
        }
        while self.next_us <= now_us {
            let at_us = self.next_us;
            self.close(at_us, at_us);
        }
    }

    /// How often people are estimated.
    fn every_us(&self) -> Option<i64> {
        self.calibration.as_ref().map(|calibration| us(calibration.window()))
    }

    /// Opens the windows that `now_us` is in.
    fn start(&mut self, now_us: i64) {
        let (tally, every_us) = (self.tally, self.every_us());
        for window in &mut self.open {
            window.begin(now_us - now_us.rem_euclid(window.length_us), now_us, tally, every_us);
        }
        self.find_next();
    }

    fn find_next(&mut self) {
        let times = self.open.iter().map(|window| window.people.next_us.min(window.end_us()));
        self.next_us = times.min().unwrap_or(i64::MAX);
    }

    /// Estimates people and closes windows whose time it is at `at_us`; what was heard ends at `until_us`.
    fn close(&mut self, at_us: i64, until_us: i64) {
        self.devices.settle();
        let estimate = self.estimate(until_us);
        for at in 0..self.open.len() {
            if self.open[at].end_us() == at_us {
                self.close_one(at, until_us, estimate);
            } else if let Some((estimate, every_us)) = estimate.zip(self.every_us())
                && self.open[at].people.next_us == at_us
            {
                let window = &mut self.open[at];
                window.people.add(at_us, &estimate);
                let next_us = at_us + every_us;
                window.people.next_us = if next_us < window.end_us() { next_us } else { i64::MAX };
            }
        }
        if let Some(levels) = &mut self.levels {
            levels.forget(until_us);
        }
        self.find_next();
    }

    fn estimate(&self, now_us: i64) -> Option<Estimate> {
        let calibration = self.calibration.as_ref()?;
        let features = match calibration.basis() {
            Basis::Frames => self.levels.as_ref()?.features(now_us),
            Basis::Windows => {
                let from_us = now_us.saturating_sub(us(calibration.window()));
                self.devices.survey(from_us, &self.settings).features()
            }
        };
        Some(calibration.estimate(&features))
    }

    fn close_one(&mut self, at: usize, until_us: i64, estimate: Option<Estimate>) {
        let mut window = self.open[at];
        let (is_shortest, every_us, tally) = (at == 0, self.every_us(), self.tally);
        if is_shortest && !self.is_open {
            self.devices.note_closed(window.start_us, window.length_us);
        }
        // A rest that is too short for an estimate of its own is left to the ones before it.
        let is_long = 2 * (until_us - window.people.last_us) >= every_us.unwrap_or(0);
        if let Some(estimate) = estimate.filter(|_| window.people.count == 0 || is_long) {
            window.people.add(until_us, &estimate);
        }
        let closed = self.look(&window);
        if self.closed.len() >= CLOSED_WINDOWS {
            self.closed.pop_front();
        }
        self.closed.push_back(closed);
        let end_us = window.end_us();
        self.open[at].begin(end_us, end_us, tally, every_us);
    }

    fn look(&self, window: &Open) -> Window {
        let now = self.devices.survey(window.start_us, &self.settings);
        let survey = now.plus(&window.forgotten);
        let is_calibrated = self.calibration.is_some();
        let estimate = if is_calibrated { window.people.mean() } else { uncalibrated(survey.visited + survey.stayed) };
        Window {
            start_us: window.start_us,
            end_us: window.end_us(),
            devices: survey.devices,
            devices_low: survey.low,
            devices_high: survey.high,
            passed: survey.passed,
            visited: survey.visited,
            stayed: survey.stayed,
            people: estimate.people,
            people_low: estimate.low,
            people_high: estimate.high,
            calibrated: is_calibrated,
            frames: self.tally.frames - window.before.frames,
            rejected: self.tally.rejected - window.before.rejected,
            weak: self.tally.weak - window.before.weak,
            listed: self.tally.listed - window.before.listed,
            cells: survey.cells,
        }
    }

    /// A capture is over: every window closes that something was heard in, though it is not over.
    pub fn finish(&mut self) {
        let Some(now_us) = self.now_us.take() else { return };
        let mut ends: Vec<i64> = self.open.iter().map(Open::end_us).collect();
        ends.sort_unstable();
        ends.dedup();
        // Closing one opens the next, which must not be closed in its turn.
        let open = std::mem::take(&mut self.open);
        for end_us in ends {
            self.open = open.iter().copied().filter(|window| window.end_us() == end_us).collect();
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
        self.devices.settle();
        for at in 0..self.open.len() {
            let window = self.open[at];
            let seen = self.devices.survey(window.start_us, &self.settings);
            self.open[at].forgotten = window.forgotten.plus(&seen);
        }
        self.devices = Devices::new(us(self.settings.visit_silence));
        self.echoes = self.echoes.take().map(|_| Echoes::new());
        self.levels = self.levels.take().map(|levels| levels.anew());
        self.seed = seed(&key);
        self.key = key;
    }

    /// The shortest window, or a minute: how often [`Counter::advance`] is worth calling at the most.
    pub fn shortest_window(&self) -> Duration {
        let shortest_us = self.open.first().map_or(60_000_000, |window| window.length_us);
        Duration::from_micros(u64::try_from(shortest_us).unwrap_or(0))
    }
}
