use std::convert::Infallible;
use std::time::{Duration, Instant};

use smartstore::sim::vmc::{Do, MdbSim, Sensor, Setup, Truth, VendSim, XySim, Zdm8Sim};
use smartstore::types::{CommandId, Ended};
use smartstore::wire::mdb::{MdbMachine, MdbSettings};
use smartstore::wire::vend::{Dispense, Dispensed, Heard, VendAction};
use smartstore::wire::vmc::{VmcMachine, VmcSettings};
use smartstore::wire::zdm8::{Zdm8Machine, Zdm8Settings};
use smartstore::wire::{Input, Machine, Output};

use super::line::{Faults, Line, Random};
use super::scanner::{for_seeds, start};

type Driver = Box<dyn Machine<Action = VendAction, Observation = Heard, Error = Infallible>>;

/// A dialect: how its two ends are made.
#[derive(Clone, Copy)]
struct Dialect {
    driver: fn(u8, Instant) -> Driver,
    machine: fn(Instant, u64) -> Box<dyn VendSim>,
}

const XY: Dialect = Dialect {
    driver: |salt, now| Box::new(VmcMachine::new(VmcSettings::default(), salt, now)),
    machine: |now, seed| Box::new(XySim::new(setup(seed), now)),
};
const MDB: Dialect = Dialect {
    driver: |_, now| Box::new(MdbMachine::new(MdbSettings::default(), now)),
    machine: |now, seed| Box::new(MdbSim::new(setup(seed), now)),
};
const ZDM8: Dialect = Dialect {
    driver: |_, now| Box::new(Zdm8Machine::new(Zdm8Settings::default(), now)),
    machine: |now, seed| Box::new(Zdm8Sim::new(setup(seed), now)),
};

fn setup(seed: u64) -> Setup {
    Setup { lanes: 4, stock: 5, seed, ..Setup::default() }
}

/// What became of one order, in belief and in truth.
#[derive(Debug, Default)]
struct Story {
    ended: Option<Dispensed>,
    late: Option<Ended>,
    /// It was said that the machine is about to be driven, and that is on disk.
    driving: bool,
    recorded: bool,
    turned: u32,
    fell: u32,
    cut: u32,
}

/// A driver and a machine, what was believed and what was true, and what time it is.
struct Pair {
    now: Instant,
    dialect: Dialect,
    driver: Driver,
    /// Whether the gateway's process runs: a dead one hears, writes and stores nothing.
    alive: bool,
    machine: Box<dyn VendSim>,
    to_machine: Line,
    to_driver: Line,
    faults: Faults,
    random: Random,
    story: Story,
    credit: u64,
    believed_credit: u64,
    unasked: u32,
}

impl Pair {
    fn new(dialect: Dialect, seed: u64, faults: Faults) -> Self {
        let mut random = Random(seed);
        let now = start();
        Self {
            now,
            dialect,
            driver: (dialect.driver)(0, now),
            alive: true,
            machine: (dialect.machine)(now, random.word()),
            to_machine: Line::new(random.word(), faults),
            to_driver: Line::new(random.word(), faults),
            faults,
            random,
            story: Story::default(),
            credit: 0,
            believed_credit: 0,
            unasked: 0,
        }
    }

    fn drain(&mut self) {
        if self.alive {
            self.drain_driver();
        }
        // The disk takes its time.
        if self.alive && self.driver.awaits_storage() && !self.random.one_in(4) {
            self.story.recorded = self.story.driving;
            self.driver.stored(self.now);
            self.drain_driver();
        }
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(bytes) => self.to_driver.send(self.now, &bytes),
                Output::Observe(Truth::Turned(_)) => {
                    assert!(self.story.recorded, "driven before that was on disk: {:?}", self.story);
                    self.story.turned += 1;
                }
                Output::Observe(Truth::Fell(_)) => self.story.fell += 1,
                Output::Observe(Truth::CutOff(_)) => self.story.cut += 1,
                Output::Observe(Truth::Credit(amount)) => self.credit += u64::from(amount),
                Output::Observe(_) | Output::Health(..) | Output::Count(..) => {}
            }
        }
    }

    fn drain_driver(&mut self) {
        while let Some(output) = self.driver.poll() {
            match output {
                Output::Send(bytes) => self.to_machine.send(self.now, &bytes),
                Output::Observe(heard) => self.hear(heard),
                Output::Health(..) | Output::Count(..) => {}
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Dispensed(dispensed) => {
                assert!(self.story.ended.is_none(), "ended twice: {dispensed:?}");
                self.story.ended = Some(dispensed);
            }
            Heard::Driving(_) => {
                assert!(!self.story.driving, "said twice");
                self.story.driving = true;
            }
            Heard::Late(late) => self.story.late = Some(late.ended),
            Heard::Unasked { .. } => self.unasked += 1,
            Heard::Cash { kind, amount_minor } if kind != smartstore::types::CashKind::Swallowed => {
                self.believed_credit += u64::from(amount_minor);
            }
            _ => {}
        }
    }

    /// Lets time pass, event by event, until something is so or the time is over.
    fn pass_until(&mut self, span: Duration, is: impl Fn(&Self) -> bool) {
        let until = self.now + span;
        loop {
            self.drain();
            if is(self) {
                return;
            }
            if let Some(bytes) = self.to_machine.take(self.now) {
                let Ok(()) = self.machine.handle(self.now, Input::Bytes(&bytes));
            } else if let Some(bytes) = self.to_driver.take(self.now) {
                if self.alive {
                    let Ok(()) = self.driver.handle(self.now, Input::Bytes(&bytes));
                }
            } else if self.machine.deadline().is_some_and(|at| at <= self.now) {
                let Ok(()) = self.machine.handle(self.now, Input::Tick);
            } else if let Some(at) = self.driver_deadline().filter(|at| *at <= self.now) {
                let Ok(()) = self.driver.handle(self.now, Input::Tick);
                self.drain();
                assert_ne!(self.driver.deadline(), Some(at), "a deadline that does not move would spin");
            } else {
                let ends = [self.to_driver.next(), self.driver_deadline(), self.to_machine.next()];
                let next = ends.into_iter().chain([self.machine.deadline()]).flatten().min();
                match next.filter(|at| *at <= until) {
                    Some(at) => self.now = self.now.max(at),
                    None => break,
                }
            }
        }
        self.now = until;
    }

    fn driver_deadline(&self) -> Option<Instant> {
        self.driver.deadline().filter(|_| self.alive)
    }

    fn pass(&mut self, span: Duration) {
        self.pass_until(span, |_| false);
    }

    fn does(&mut self, action: Do) {
        let Ok(()) = self.machine.handle(self.now, Input::Action(action));
        self.drain();
    }

    fn order(&mut self, number: u64, slot: u16) {
        self.story = Story::default();
        self.give(number, slot);
    }

    fn give(&mut self, number: u64, slot: u16) {
        let until = self.now + Duration::from_secs(30);
        let asked = Dispense { command: command(number), slot, price_minor: 350, drop_sensor: true, until };
        let Ok(()) = self.driver.handle(self.now, Input::Action(VendAction::Dispense(asked)));
    }

    /// The gateway's process is killed: what was on its way to it is gone, what it had written still arrives. The new
    /// one asks after the order, or gives it anew if the machine was never driven for it.
    fn kill(&mut self, number: u64, slot: u16) {
        self.drain();
        if self.driver.awaits_storage() {
            // What it had heard last was not on disk.
            self.story.ended = None;
        }
        self.alive = false;
        let span = self.random.milliseconds(800);
        self.pass(span);
        self.alive = true;
        self.to_driver = Line::new(self.random.word(), self.faults);
        let salt = self.random.word().to_le_bytes()[0];
        self.driver = (self.dialect.driver)(salt, self.now);
        if self.story.ended.is_none() && self.story.recorded {
            let recover = VendAction::Recover { command: command(number), slot };
            let Ok(()) = self.driver.handle(self.now, Input::Action(recover));
        } else if self.story.ended.is_none() {
            self.story.driving = false;
            self.give(number, slot);
        }
    }
}

fn command(number: u64) -> CommandId {
    CommandId::new(&format!("sale-{number}")).unwrap()
}

/// Whether belief and truth agree. `sensor`: what the drop sensor was.
fn judge(story: &Story, sensor: Sensor) {
    assert!(story.ended.is_some(), "never ended: {story:?}");
    let dispensed = story.ended.as_ref().unwrap();
    assert!(story.turned <= 1, "the motor turned twice: {story:?}");
    assert!(story.fell <= 1, "two products for one order: {story:?}");
    for ended in [Some(&dispensed.ended), story.late.as_ref()].into_iter().flatten() {
        match ended {
            Ended::Done if dispensed.rule == Some("mdb-reset") => {}
            Ended::Done => assert!(story.fell == 1 || sensor == Sensor::Stuck, "money for nothing: {story:?}"),
            Ended::Failed(_) => assert!(story.fell == 0 || sensor == Sensor::Blind, "a gift: {story:?}"),
            Ended::Refused(_) | Ended::Expired => assert_eq!(story.turned, 0, "refused and yet turned: {story:?}"),
            Ended::Indeterminate(_) => {}
        }
    }
}

const CLEAN: Faults = Faults { delay_ms: 8, drop_one_in: 0, duplicate_one_in: 0, flip_one_in: 0 };
const BROKEN: Faults = Faults { delay_ms: 8, drop_one_in: 400, duplicate_one_in: 700, flip_one_in: 500 };
const PATIENCE: Duration = Duration::from_secs(700);

/// Orders on a line, each judged when it has ended and its late truth could come. Returns how many were
/// indeterminate and how many done.
fn orders(dialect: Dialect, seed: u64, faults: Faults, mut harm: impl FnMut(&mut Pair, u64)) -> (u32, u32) {
    let mut pair = Pair::new(dialect, seed, faults);
    let (mut unknown, mut done) = (0, 0);
    pair.pass(Duration::from_secs(5));
    for number in 0..5 {
        let slot = 1 + u16::try_from(pair.random.below(4)).unwrap();
        let sensor = [Sensor::Works, Sensor::Works, Sensor::Blind, Sensor::Stuck];
        let sensor = sensor[usize::try_from(pair.random.below(4)).unwrap()];
        pair.does(Do::Sensor(sensor));
        let jammed = pair.random.one_in(5);
        pair.does(Do::Jam(slot, jammed));
        pair.does(Do::Shopper(Some(slot)));
        pair.order(number, slot);
        harm(&mut pair, number);
        pair.pass_until(PATIENCE, |pair| pair.story.ended.is_some());
        pair.pass(Duration::from_secs(15));
        judge(&pair.story, sensor);
        let open = matches!(&pair.story.ended, Some(Dispensed { ended: Ended::Indeterminate(_), .. }));
        done += u32::from(matches!(&pair.story.ended, Some(Dispensed { ended: Ended::Done, .. })));
        if open {
            // Its truth may still come, and its lane is not driven before.
            unknown += 1;
            pair.pass(PATIENCE);
            judge(&pair.story, sensor);
        }
    }
    (unknown, done)
}

fn whole(dialect: Dialect, name: &str) {
    let fallen = std::sync::atomic::AtomicU32::new(0);
    for_seeds(name, 1000, |seed| {
        let (unknown, done) = orders(dialect, seed, CLEAN, |_, _| {});
        assert_eq!(unknown, 0, "a clean line leaves nothing open");
        fallen.fetch_add(done, std::sync::atomic::Ordering::Relaxed);
    });
    let fallen = fallen.into_inner();
    println!("{name}: {fallen} of 5000 orders done");
    // A fifth are jammed, a quarter of the rest has a blind sensor.
    assert!(fallen > 2500, "{fallen} of 5000 orders were done");
}

#[test]
fn xy_on_a_clean_line_every_order_ends_as_it_was() {
    whole(XY, "xy_on_a_clean_line");
}

#[test]
fn mdb_on_a_clean_line_every_order_ends_as_it_was() {
    whole(MDB, "mdb_on_a_clean_line");
}

#[test]
fn zdm8_on_a_clean_line_every_order_ends_as_it_was() {
    whole(ZDM8, "zdm8_on_a_clean_line");
}

/// Somebody does something bad at a random moment of the order.
fn mischief(pair: &mut Pair, number: u64) {
    let moment = pair.random.milliseconds(3000);
    pair.pass_until(moment, |pair| pair.story.ended.is_some());
    match pair.random.below(5) {
        0 => {
            pair.does(Do::PowerOff);
            let span = pair.random.milliseconds(5000);
            pair.pass(span);
            pair.does(Do::PowerOn);
        }
        1 => {
            pair.does(Do::Silent(true));
            let span = pair.random.milliseconds(5000);
            pair.pass(span);
            pair.does(Do::Silent(false));
        }
        2 => {
            let late = pair.random.milliseconds(90_000);
            pair.does(Do::Late(late));
        }
        3 => {
            let slot = pair.story.ended.as_ref().map_or(1, |dispensed| dispensed.slot);
            pair.kill(number, slot);
        }
        _ => {}
    }
}

fn disturbed(dialect: Dialect, name: &str) {
    let unknown = std::sync::atomic::AtomicU32::new(0);
    for_seeds(name, 1000, |seed| {
        let (open, _) = orders(dialect, seed, BROKEN, mischief);
        unknown.fetch_add(open, std::sync::atomic::Ordering::Relaxed);
    });
    let unknown = unknown.into_inner();
    println!("{name}: {unknown} of 5000 orders indeterminate");
    assert!(unknown < 5000 / 2);
}

#[test]
fn xy_whatever_happens_nothing_falls_twice_and_no_belief_is_wrong() {
    disturbed(XY, "xy_whatever_happens");
}

#[test]
fn mdb_whatever_happens_nothing_falls_twice_and_no_belief_is_wrong() {
    disturbed(MDB, "mdb_whatever_happens");
}

#[test]
fn zdm8_whatever_happens_nothing_falls_twice_and_no_belief_is_wrong() {
    disturbed(ZDM8, "zdm8_whatever_happens");
}

/// The gateway is killed at any moment of an order, the machine goes on; the line is clean. What the wire can still
/// say afterwards is known.
fn killed(dialect: Dialect, name: &str, most_unknown: u32) {
    let unknown = std::sync::atomic::AtomicU32::new(0);
    for_seeds(name, 1000, |seed| {
        let mut pair = Pair::new(dialect, seed, CLEAN);
        pair.pass(Duration::from_secs(5));
        pair.does(Do::Shopper(Some(2)));
        pair.order(0, 2);
        let moment = pair.random.milliseconds(4000);
        pair.pass_until(moment, |pair| pair.story.ended.is_some());
        pair.kill(0, 2);
        pair.pass_until(PATIENCE, |pair| pair.story.ended.is_some());
        pair.pass(Duration::from_secs(20));
        judge(&pair.story, Sensor::Works);
        assert_eq!(pair.unasked, 0, "what was an order is no sale of the machine's own");
        let open = matches!(&pair.story.ended, Some(Dispensed { ended: Ended::Indeterminate(_), .. }));
        unknown.fetch_add(u32::from(open), std::sync::atomic::Ordering::Relaxed);
        // A product that fell is known, unless the process died before it was ordered or with its word in hand.
    });
    let unknown = unknown.into_inner();
    println!("{name}: {unknown} of 1000 killed orders indeterminate");
    assert!(unknown <= most_unknown, "{unknown} of 1000 are indeterminate");
}

#[test]
fn xy_a_gateway_killed_in_the_middle_learns_what_became_of_the_order() {
    killed(XY, "xy_a_gateway_killed", 20);
}

#[test]
fn mdb_a_gateway_killed_in_the_middle_learns_what_became_of_the_order() {
    killed(MDB, "mdb_a_gateway_killed", 200);
}

#[test]
fn zdm8_a_gateway_killed_in_the_middle_learns_what_became_of_the_order() {
    killed(ZDM8, "zdm8_a_gateway_killed", 50);
}

#[test]
fn coins_are_counted_once_on_any_line_and_what_is_swallowed_is_no_credit() {
    for_seeds("coins_are_counted_once", 1000, |seed| {
        let mut pair = Pair::new(XY, seed, BROKEN);
        pair.pass(Duration::from_secs(5));
        for _ in 0..10 {
            let amount = 50 + u32::try_from(pair.random.below(100)).unwrap();
            let swallowed = pair.random.one_in(3);
            pair.does(if swallowed { Do::Swallow(amount) } else { Do::Coin(amount) });
            pair.pass(Duration::from_secs(3));
        }
        pair.pass(Duration::from_secs(20));
        assert!(pair.believed_credit <= pair.credit, "{} believed of {}", pair.believed_credit, pair.credit);
    });
}
