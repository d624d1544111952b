//! The thread that hears: it owns the source and the counter, and gives out counts.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use super::hours::Hours;
use super::opted::OptedOut;
use super::source::{Plan, Source};
use crate::clock::Clock;
use crate::sense::footfall::{Calibration, Counter, Key, Listed, Settings, Window};
use crate::transport::{Door, Waited};
use crate::types::{FootfallWindow, Tenths, Timestamp};
use crate::wire::dot11::{Address, Link, Refused};

/// Longest time without looking at the clock.
const TICK: Duration = Duration::from_secs(1);
/// A source that is not there is looked for this often.
const LOOK_FOR: Duration = Duration::from_millis(200);
/// The list of those who opted out is looked at this often.
const LOOK_UP: Duration = Duration::from_secs(10);
/// Wall time that goes astray from elapsed time by more than this has jumped, in microseconds.
const JUMP_US: i64 = 2_000_000;
/// How much of the stack is overwritten when something was heard: more than decoding ever uses.
const STACK_BYTES: usize = 64 * 1024;
/// Stands for the time since when everything was heard, while nothing is.
const NOT_LISTENING: i64 = i64::MAX;

/// How one sensor counts.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) settings: Settings,
    pub(super) hours: Hours,
    pub(super) calibration: Option<Calibration>,
    /// The shop's own devices, which are not counted.
    pub(super) own_devices: Vec<Address>,
    /// The shop's own access points: whoever is connected to one is not counted.
    pub(super) own_access_points: Vec<Address>,
    /// The site's list of devices that are not counted.
    pub(super) opt_out: Option<PathBuf>,
    /// After this long without a sign of life the sensor counts as silent.
    pub(super) silent_after: Duration,
}

/// What leaves the thread. None of it can lead to anybody.
#[derive(Debug)]
pub(super) enum Report {
    /// A window is over.
    Window(FootfallWindow),
    /// The source is there, or is not and why.
    Away(Option<String>),
    /// Nothing was heard for long, or something is heard again.
    Silent(bool),
    /// What was counted since the last time.
    Counted(Counted),
}

/// Counters of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) bytes: u64,
    pub(super) good: u64,
    pub(super) malformed: u64,
    pub(super) foreign: u64,
    pub(super) missed: u64,
}

/// What a source gives its finds to.
pub(super) struct Ear {
    counter: Counter,
    own_access_points: Vec<Address>,
    counted: Counted,
    /// Entries and frames that the counter has not seen, because they could not be read.
    unread: u64,
    missed: u64,
}

impl Ear {
    /// A captured frame, and when.
    pub(super) fn frame(&mut self, at_us: i64, link: Link, bytes: &[u8]) {
        self.counted.bytes += bytes.len() as u64;
        match self.counter.frame(at_us, link, bytes) {
            Ok(_) => self.counted.good += 1,
            // Another kind of frame is none that could not be read.
            Err(Refused::OtherKind) => {}
            Err(_) => self.counted.malformed += 1,
        }
    }

    /// Somebody whom a box heard, and the access point that they are connected to.
    pub(super) fn entry(&mut self, at_us: i64, source: Address, peer: Option<Address>, rssi_dbm: i8) {
        self.counted.good += 1;
        if !peer.is_some_and(|peer| self.own_access_points.contains(&peer)) {
            self.counter.entry(at_us, source, rssi_dbm);
        }
    }

    /// An entry that is understood and does not count: an access point, another kind of frame.
    pub(super) fn passed_over(&mut self) {
        self.counted.good += 1;
    }

    /// Something that could not be read.
    pub(super) fn malformed(&mut self) {
        self.counted.malformed += 1;
        self.unread += 1;
    }

    /// Something from another box than the configured one.
    pub(super) fn foreign(&mut self) {
        self.counted.foreign += 1;
    }

    /// Bytes came.
    pub(super) fn bytes(&mut self, count: usize) {
        self.counted.bytes += count as u64;
    }
}

/// The thread.
pub(super) struct Ears {
    plan: Plan,
    manner: Manner,
    clock: Clock,
    reports: Sender<Report>,
    ear: Ear,
    /// The shop's own devices, then those that opted out.
    lists: Vec<Arc<Listed>>,
    opted_out: Option<OptedOut>,
    /// When the list was looked at last.
    looked_up: Option<Instant>,
    /// From here on the present key has heard everything, in microseconds since 1970.
    since_us: i64,
    closing_us: i64,
    /// By the length of windows: what had not been read and what was missed when the last one closed.
    before: BTreeMap<i64, (u64, u64)>,
    /// Wall and elapsed time of the last look.
    looked: (i64, Instant),
    /// Why the source is not there, as it was told last.
    away: Option<String>,
    alive: Instant,
    is_silent: bool,
    told: Instant,
}

/// Nobody listens any more.
struct Over;

fn fresh(manner: &Manner, clock: &Clock) -> Counter {
    let key = Key::new(clock.random_key());
    Counter::new(manner.settings.clone(), key, manner.calibration.clone())
}

/// The shop's own devices, under a key that nobody keeps.
fn own_devices(manner: &Manner, clock: &Clock) -> Listed {
    let mut own = Listed::empty(Key::new(clock.random_key()));
    manner.own_devices.iter().for_each(|address| _ = own.add(*address));
    own
}

fn wall_us(clock: &Clock) -> i64 {
    let (wall, _) = clock.wall();
    wall.unix_ms().saturating_mul(1000)
}

impl Ears {
    pub(super) fn new(plan: Plan, manner: Manner, clock: Clock, reports: Sender<Report>) -> Self {
        let (now_us, now) = (wall_us(&clock), clock.now());
        let lists = vec![Arc::new(own_devices(&manner, &clock))];
        let mut counter = fresh(&manner, &clock);
        counter.ignore(lists.clone());
        let ear = Ear {
            counter,
            own_access_points: manner.own_access_points.clone(),
            counted: Counted::default(),
            unread: 0,
            missed: 0,
        };
        Self {
            plan,
            lists,
            opted_out: manner.opt_out.clone().map(OptedOut::new),
            looked_up: None,
            manner,
            clock,
            reports,
            ear,
            since_us: NOT_LISTENING,
            closing_us: i64::MAX,
            before: BTreeMap::new(),
            looked: (now_us, now),
            away: None,
            alive: now,
            is_silent: false,
            told: now,
        }
    }

    /// Hears until somebody knocks.
    pub(super) fn run(mut self, door: &Door) {
        let Err(Over) = self.hear(door);
        // What open windows have counted so far is told as what it is, and not kept for whoever comes next.
        self.ear.counter.finish();
        self.since_us = NOT_LISTENING;
        let _ = self.give_windows();
    }

    fn hear(&mut self, door: &Door) -> Result<Infallible, Over> {
        loop {
            match self.look_up().and_then(|()| self.plan.open(self.clock.now())) {
                Ok(mut source) => {
                    self.away = None;
                    self.report(Report::Away(None))?;
                    let gone = self.listen(&mut *source, door)?;
                    self.is_away(&gone)?;
                }
                Err(error) => self.is_away(&error)?,
            }
            self.wait(door, None, LOOK_FOR)?;
            self.pass(wall_us(&self.clock), true)?;
            self.tell_counted()?;
        }
    }

    /// Reads the list of those who opted out, if there is one and it has changed.
    fn look_up(&mut self) -> io::Result<()> {
        let Some(opted_out) = &mut self.opted_out else { return Ok(()) };
        self.looked_up = Some(self.clock.now());
        if let Some(listed) = opted_out.news()? {
            self.lists.truncate(1);
            self.lists.push(listed);
            self.ear.counter.ignore(self.lists.clone());
        }
        Ok(())
    }

    fn is_away(&mut self, why: &io::Error) -> Result<(), Over> {
        self.since_us = NOT_LISTENING;
        let words = why.to_string();
        if self.away.as_ref() != Some(&words) {
            self.away = Some(words.clone());
            self.report(Report::Away(Some(words)))?;
        }
        self.silent(false)
    }

    /// Hears as long as the source is there; why it went.
    fn listen(&mut self, source: &mut dyn Source, door: &Door) -> Result<io::Error, Over> {
        self.alive = self.clock.now();
        self.looked = (wall_us(&self.clock), self.alive);
        let mut has_ended = false;
        loop {
            let patience = source.patience(self.clock.now()).min(TICK);
            let waited = self.wait(door, Some(source), patience)?;
            let own_us = source.time_us(self.clock.now());
            let now_us = own_us.unwrap_or_else(|| wall_us(&self.clock));
            if self.since_us == NOT_LISTENING {
                self.since_us = now_us;
                self.closing_us = self.manner.hours.next_closing_us(now_us);
            }
            let is_heard = match self.take(source, waited.ready, now_us) {
                Ok(is_heard) => is_heard,
                Err(gone) => return Ok(gone),
            };
            match source.has_ended() {
                false => self.pass(now_us, own_us.is_none())?,
                true if has_ended => {}
                true => {
                    has_ended = true;
                    self.ear.counter.finish();
                    self.give_windows()?;
                }
            }
            if self.looked_up.is_some_and(|at| self.clock.now() - at >= LOOK_UP)
                && let Err(unreadable) = self.look_up()
            {
                return Ok(unreadable);
            }
            self.tell_counted()?;
            self.look_alive(is_heard || has_ended, source)?;
            if is_heard && !source.pause().is_zero() {
                self.wait(door, None, source.pause())?;
            }
        }
    }

    /// Takes what there is; whether there was anything.
    fn take(&mut self, source: &mut dyn Source, ready: u16, now_us: i64) -> io::Result<bool> {
        let bytes = self.ear.counted.bytes;
        let taken = source.take(ready, now_us, &mut self.ear);
        wipe_stack();
        let missed = source.missed().unwrap_or(0);
        self.ear.missed += missed;
        self.ear.counted.missed += missed;
        taken.map(|()| self.ear.counted.bytes != bytes)
    }

    fn wait(&self, door: &Door, source: Option<&dyn Source>, most: Duration) -> Result<Waited, Over> {
        let descriptors = source.map(Source::descriptors).unwrap_or_default();
        let waited = door.wait(&descriptors, most).map_err(|_| Over)?;
        if waited.knocked { Err(Over) } else { Ok(waited) }
    }

    /// Time passes: keys go, windows close. `is_wall`: the wall clock is what time is told by, and may have jumped.
    fn pass(&mut self, now_us: i64, is_wall: bool) -> Result<(), Over> {
        let looked = (wall_us(&self.clock), self.clock.now());
        let elapsed_us = i64::try_from((looked.1 - self.looked.1).as_micros()).unwrap_or(i64::MAX);
        let has_jumped = (looked.0 - self.looked.0 - elapsed_us).abs() > JUMP_US;
        self.looked = looked;
        if is_wall && has_jumped {
            self.begin_anew(now_us)?;
        }
        self.ear.counter.set_open(self.manner.hours.is_open(now_us));
        self.ear.counter.advance(now_us);
        self.give_windows()?;
        if now_us >= self.closing_us {
            self.ear.counter.rotate(Key::new(self.clock.random_key()));
            self.restart_at(self.closing_us);
            self.closing_us = self.manner.hours.next_closing_us(now_us);
        }
        Ok(())
    }

    /// The clock has jumped: what was heard before cannot be put in order with what comes.
    fn begin_anew(&mut self, now_us: i64) -> Result<(), Over> {
        self.ear.counter.finish();
        self.restart_at(i64::MAX - 1);
        self.give_windows()?;
        self.ear.counter = fresh(&self.manner, &self.clock);
        self.ear.counter.ignore(self.lists.clone());
        self.restart_at(now_us);
        self.closing_us = self.manner.hours.next_closing_us(now_us);
        Ok(())
    }

    /// A sensor that listens is not complete before this time.
    fn restart_at(&mut self, since_us: i64) {
        if self.since_us != NOT_LISTENING {
            self.since_us = since_us;
        }
    }

    fn tell_counted(&mut self) -> Result<(), Over> {
        let now = self.clock.now();
        if now - self.told >= TICK && self.ear.counted != Counted::default() {
            self.told = now;
            let counted = std::mem::take(&mut self.ear.counted);
            self.report(Report::Counted(counted))?;
        }
        Ok(())
    }

    fn give_windows(&mut self) -> Result<(), Over> {
        while let Some(window) = self.ear.counter.pop_window() {
            let window = self.window(&window);
            self.report(Report::Window(window))?;
        }
        Ok(())
    }

    fn window(&mut self, window: &Window) -> FootfallWindow {
        let now = (self.ear.unread, self.ear.missed);
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
            complete: self.since_us <= window.start_us,
        }
    }

    fn look_alive(&mut self, is_heard: bool, source: &mut dyn Source) -> Result<(), Over> {
        let now = self.clock.now();
        if is_heard || source.is_alive(now) {
            self.alive = now;
        }
        self.silent(now - self.alive >= self.manner.silent_after)
    }

    fn silent(&mut self, is_silent: bool) -> Result<(), Over> {
        if is_silent == self.is_silent {
            return Ok(());
        }
        self.is_silent = is_silent;
        self.report(Report::Silent(is_silent))
    }

    /// Waits while the driver is behind: nothing is lost but time.
    fn report(&self, report: Report) -> Result<(), Over> {
        self.reports.blocking_send(report).map_err(|_| Over)
    }
}

/// Overwrites what calls that are over have left on the stack: an address lives on in registers that were put there.
#[inline(never)]
fn wipe_stack() {
    let mut room = [0_u8; STACK_BYTES];
    std::hint::black_box(&mut room);
}
