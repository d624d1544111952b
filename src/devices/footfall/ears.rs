//! The thread that hears: it owns the source, puts what it hears into the counter of its place, and gives out counts if
//! the counter is its own.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;

use super::ear::{Ear, Lent};
use super::hall::{Hall, Halls, NOT_LISTENING, SharedHall, fresh, lock};
use super::manner::{Manner, Threshold};
use super::opted::OptedOut;
use super::source::{Plan, Source};
use crate::clock::Clock;
use crate::sense::footfall::{Key, Listed};
use crate::transport::{Door, Waited};
use crate::types::{DeviceId, FootfallWindow};

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

/// What a thread is besides hearing.
enum Part {
    /// It counts what is heard in the place: its time passes here.
    Counts(Counts),
    /// It hears for another.
    Lends(Lent),
}

/// The counting of a place.
struct Counts {
    hall: SharedHall,
    /// The shop's own devices, then those that opted out.
    lists: Vec<Arc<Listed>>,
    opted_out: Option<OptedOut>,
    /// When the list was looked at last.
    looked_up: Option<Instant>,
    closing_us: i64,
    /// Wall and elapsed time of the last look.
    looked: (i64, Instant),
}

/// The thread.
pub(super) struct Ears {
    plan: Plan,
    manner: Manner,
    clock: Clock,
    reports: Sender<Report>,
    ear: Ear,
    part: Part,
    is_listening: bool,
    /// Why the source is not there, as it was told last.
    away: Option<String>,
    alive: Instant,
    is_silent: bool,
    told: Instant,
}

/// Nobody listens any more.
struct Over;

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

impl Counts {
    fn new(name: &DeviceId, manner: &Manner, clock: &Clock, halls: &Halls) -> Self {
        let lists = vec![Arc::new(own_devices(manner, clock))];
        let mut hall = Hall::new(name.clone(), manner, clock);
        hall.counter.ignore(lists.clone());
        let hall = Arc::new(Mutex::new(hall));
        halls.put(name, &hall);
        Self {
            hall,
            lists,
            opted_out: manner.opt_out.clone().map(OptedOut::new),
            looked_up: None,
            closing_us: i64::MAX,
            looked: (wall_us(clock), clock.now()),
        }
    }

    /// Reads the list of those who opted out, if there is one and it has changed.
    fn look_up(&mut self, now: Instant) -> io::Result<()> {
        let Some(opted_out) = &mut self.opted_out else { return Ok(()) };
        self.looked_up = Some(now);
        if let Some(listed) = opted_out.news()? {
            self.lists.truncate(1);
            self.lists.push(listed);
            lock(&self.hall).counter.ignore(self.lists.clone());
        }
        Ok(())
    }

    /// The same, if the last time was long ago.
    fn look_up_again(&mut self, now: Instant) -> io::Result<()> {
        if self.looked_up.is_some_and(|at| now - at >= LOOK_UP) { self.look_up(now) } else { Ok(()) }
    }
}

impl Ears {
    /// `name`: of the sensor. Its place is known to other sensors from now on.
    pub(super) fn new(
        name: &DeviceId,
        plan: Plan,
        manner: Manner,
        clock: Clock,
        halls: &Arc<Halls>,
        reports: Sender<Report>,
    ) -> Self {
        let now = clock.now();
        let (part, hall) = match &manner.counted_by {
            Some(by) => {
                let hears = Threshold::of(&manner.settings);
                (Part::Lends(Lent::new(name.clone(), by, hears, Arc::clone(halls))), None)
            }
            None => {
                let counts = Counts::new(name, &manner, &clock, halls);
                let hall = Arc::clone(&counts.hall);
                (Part::Counts(counts), Some(hall))
            }
        };
        let ear = Ear::new(hall, manner.own_access_points.clone());
        let (away, is_silent, is_listening) = (None, false, false);
        Self { plan, manner, clock, reports, ear, part, is_listening, away, alive: now, is_silent, told: now }
    }

    /// Hears until somebody knocks.
    pub(super) fn run(mut self, door: &Door) {
        let Err(Over) = self.hear(door);
        self.listens(NOT_LISTENING);
        // What open windows have counted so far is told as what it is, and not kept for whoever comes next.
        if let Part::Counts(counts) = &self.part {
            lock(&counts.hall).counter.finish();
        }
        let _ = self.give_windows();
    }

    fn hear(&mut self, door: &Door) -> Result<Infallible, Over> {
        loop {
            let now = self.clock.now();
            let looked_up = match &mut self.part {
                Part::Counts(counts) => counts.look_up(now),
                Part::Lends(_) => Ok(()),
            };
            match looked_up.and_then(|()| self.plan.open(now)) {
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

    /// The sensor hears everything from here on; [`NOT_LISTENING`]: nothing.
    fn listens(&mut self, since_us: i64) {
        self.is_listening = since_us != NOT_LISTENING;
        self.at_post(|ear| ear.listens(since_us));
    }

    /// Does something with the place, if there is one.
    fn at_post<R>(&mut self, act: impl FnOnce(&mut Ear) -> R) -> R {
        let Part::Lends(lent) = &mut self.part else { return act(&mut self.ear) };
        if lent.put(&mut self.ear) && self.is_listening {
            self.ear.listens(wall_us(&self.clock));
        }
        let done = act(&mut self.ear);
        lent.take(&mut self.ear);
        done
    }

    fn is_away(&mut self, why: &io::Error) -> Result<(), Over> {
        self.listens(NOT_LISTENING);
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
        if let Part::Counts(counts) = &mut self.part {
            counts.looked = (wall_us(&self.clock), self.alive);
        }
        let mut has_ended = false;
        loop {
            let patience = source.patience(self.clock.now()).min(TICK);
            let waited = self.wait(door, Some(source), patience)?;
            let own_us = source.time_us(self.clock.now());
            let now_us = own_us.unwrap_or_else(|| wall_us(&self.clock));
            if !self.is_listening {
                self.begin(now_us);
            }
            let is_heard = match self.take(source, waited.ready, now_us) {
                Ok(is_heard) => is_heard,
                Err(gone) => return Ok(gone),
            };
            if source.has_ended() && self.is_alone() {
                if !std::mem::replace(&mut has_ended, true) {
                    self.finish()?;
                }
            } else {
                self.pass(now_us, own_us.is_none())?;
            }
            if let Part::Counts(counts) = &mut self.part
                && let Err(unreadable) = counts.look_up_again(self.clock.now())
            {
                return Ok(unreadable);
            }
            self.tell_counted()?;
            self.look_alive(is_heard || source.has_ended(), source)?;
            if is_heard && !source.pause().is_zero() {
                self.wait(door, None, source.pause())?;
            }
        }
    }

    /// The source is there.
    fn begin(&mut self, now_us: i64) {
        self.listens(now_us);
        if let Part::Counts(counts) = &mut self.part {
            counts.closing_us = self.manner.hours.next_closing_us(now_us);
        }
    }

    /// Whether nobody else hears the place.
    fn is_alone(&self) -> bool {
        if let Part::Counts(counts) = &self.part { lock(&counts.hall).is_alone() } else { true }
    }

    /// Nothing more will ever come.
    fn finish(&mut self) -> Result<(), Over> {
        if let Part::Counts(counts) = &self.part {
            lock(&counts.hall).counter.finish();
        }
        self.give_windows()
    }

    /// Takes what there is; whether there was anything.
    fn take(&mut self, source: &mut dyn Source, ready: u16, now_us: i64) -> io::Result<bool> {
        let bytes = self.ear.counted.bytes;
        self.at_post(|ear| {
            let taken = source.take(ready, now_us, ear);
            wipe_stack();
            let missed = source.missed().unwrap_or(0);
            ear.missed(missed);
            taken.map(|()| ear.counted.bytes != bytes)
        })
    }

    fn wait(&self, door: &Door, source: Option<&dyn Source>, most: Duration) -> Result<Waited, Over> {
        let descriptors = source.map(Source::descriptors).unwrap_or_default();
        let waited = door.wait(&descriptors, most).map_err(|_| Over)?;
        if waited.knocked { Err(Over) } else { Ok(waited) }
    }

    /// Time passes: keys go, windows close. `is_wall`: the wall clock is what time is told by, and may have jumped.
    fn pass(&mut self, now_us: i64, is_wall: bool) -> Result<(), Over> {
        let Part::Counts(counts) = &mut self.part else { return Ok(()) };
        let looked = (wall_us(&self.clock), self.clock.now());
        let elapsed_us = i64::try_from((looked.1 - counts.looked.1).as_micros()).unwrap_or(i64::MAX);
        let has_jumped = (looked.0 - counts.looked.0 - elapsed_us).abs() > JUMP_US;
        counts.looked = looked;
        if is_wall && has_jumped {
            self.begin_anew(now_us)?;
        }
        let Part::Counts(counts) = &mut self.part else { return Ok(()) };
        {
            let mut hall = lock(&counts.hall);
            hall.counter.set_open(self.manner.hours.is_open(now_us));
            hall.counter.advance(now_us);
        }
        let closing_us = counts.closing_us;
        self.give_windows()?;
        if now_us >= closing_us {
            self.close_shop(closing_us, now_us);
        }
        Ok(())
    }

    /// Everybody goes home, and who they were is forgotten.
    fn close_shop(&mut self, closing_us: i64, now_us: i64) {
        let Part::Counts(counts) = &mut self.part else { return };
        let mut hall = lock(&counts.hall);
        hall.counter.rotate(Key::new(self.clock.random_key()));
        hall.restart_at(closing_us);
        counts.closing_us = self.manner.hours.next_closing_us(now_us);
    }

    /// The clock has jumped: what was heard before cannot be put in order with what comes.
    fn begin_anew(&mut self, now_us: i64) -> Result<(), Over> {
        let Part::Counts(counts) = &mut self.part else { return Ok(()) };
        let hall = Arc::clone(&counts.hall);
        counts.closing_us = self.manner.hours.next_closing_us(now_us);
        let lists = counts.lists.clone();
        {
            let mut hall = lock(&hall);
            hall.counter.finish();
            hall.restart_at(i64::MAX - 1);
        }
        self.give_windows()?;
        let mut hall = lock(&hall);
        hall.replace(fresh(&self.manner, &self.clock));
        hall.counter.ignore(lists);
        hall.restart_at(now_us);
        Ok(())
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
        let Part::Counts(counts) = &self.part else { return Ok(()) };
        let hall = Arc::clone(&counts.hall);
        loop {
            // Not held while the driver takes its time: others have to put in what they hear.
            let window = lock(&hall).pop_window();
            let Some(window) = window else { return Ok(()) };
            self.report(Report::Window(window))?;
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
