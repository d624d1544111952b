//! `sim vmc`: the built binary as a machine on a real line, and the wire machines of the gateway at its other end.
//! What the gateway believes is compared with what the simulator says really happened.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use smartstore::types::{CommandId, Condition, Ended};
use smartstore::wire::mdb::{MdbMachine, MdbSettings, Role};
use smartstore::wire::vend::{Dispense, Dispensed, Heard, VendAction};
use smartstore::wire::vmc::{VmcMachine, VmcSettings};
use smartstore::wire::zdm8::{Zdm8Machine, Zdm8Settings};
use smartstore::wire::{Input, Machine, Output};

use super::simulator::{Simulator, lane};

/// How long anything may take that the machine does in a second or two.
const PATIENCE: Duration = Duration::from_secs(30);

type Driver = Box<dyn Machine<Action = VendAction, Observation = Heard, Error = Infallible>>;

/// The gateway's end: a wire machine on the opened line.
struct Gateway {
    line: File,
    driver: Driver,
    heard: Vec<Heard>,
    silent: bool,
    orders: u32,
}

impl Gateway {
    fn open(path: &Path, driver: Driver) -> Self {
        let line =
            rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
        let line = line.unwrap();
        flock(&line, FlockOperation::NonBlockingLockExclusive).unwrap();
        let mut settings = tcgetattr(&line).unwrap();
        settings.make_raw();
        settings.set_speed(57_600).unwrap();
        tcsetattr(&line, OptionalActions::Now, &settings).unwrap();
        Self { line: File::from(line), driver, heard: Vec::new(), silent: false, orders: 0 }
    }

    fn drain(&mut self) {
        if self.driver.awaits_storage() {
            // Nothing is stored here: it is on disk as soon as it is heard.
            self.driver.stored(Instant::now());
        }
        while let Some(output) = self.driver.poll() {
            match output {
                Output::Send(bytes) => self.line.write_all(&bytes).unwrap(),
                Output::Observe(heard) => self.heard.push(heard),
                Output::Health(Condition::DeviceSilent, silent) => self.silent = silent,
                Output::Health(..) | Output::Count(..) => {}
            }
        }
    }

    /// Serves the line until something is so.
    fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        let mut buffer = [0; 256];
        self.drain();
        while !is(self) {
            assert!(started.elapsed() < PATIENCE, "in vain: {what}; heard {:?}", self.heard);
            match self.line.read(&mut buffer) {
                Ok(count) => {
                    let Ok(()) = self.driver.handle(Instant::now(), Input::Bytes(&buffer[..count]));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    // waits: the interval at which the line is looked at
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("the line failed: {error}"),
            }
            if self.driver.deadline().is_some_and(|at| at <= Instant::now()) {
                let Ok(()) = self.driver.handle(Instant::now(), Input::Tick);
            }
            self.drain();
        }
    }

    fn act(&mut self, action: VendAction) {
        let Ok(()) = self.driver.handle(Instant::now(), Input::Action(action));
        self.drain();
    }

    fn ask(&mut self, slot: u16) -> Dispense {
        self.orders += 1;
        let command = CommandId::new(&format!("sale-{}", self.orders)).unwrap();
        Dispense { command, slot, price_minor: 350, drop_sensor: true, until: Instant::now() + PATIENCE }
    }

    fn ended(&self, command: &CommandId) -> Option<&Dispensed> {
        self.heard.iter().find_map(|heard| match heard {
            Heard::Dispensed(dispensed) if dispensed.command == *command => Some(dispensed),
            _ => None,
        })
    }

    /// One order to its end.
    fn dispense(&mut self, slot: u16) -> Dispensed {
        let asked = self.ask(slot);
        let command = asked.command.clone();
        self.act(VendAction::Dispense(asked));
        self.until("the order ends", |gateway| gateway.ended(&command).is_some());
        self.ended(&command).unwrap().clone()
    }
}

fn xy(now: Instant) -> Driver {
    let settings = VmcSettings { dispense_timeout: Duration::from_secs(3), ..VmcSettings::default() };
    Box::new(VmcMachine::new(settings, 77, now))
}

#[test]
fn an_fa_fb_machine_dispenses_and_its_truth_is_what_the_gateway_believes() {
    let mut machine = Simulator::start("xy-vmc", &["--lanes", "6"]);
    let mut gateway = Gateway::open(&machine.line, xy(Instant::now()));
    let stock = |gateway: &Gateway| gateway.heard.iter().filter(|heard| matches!(heard, Heard::Stock(_))).count();
    gateway.until("all lanes are reported", |gateway| stock(gateway) >= 6);

    assert_eq!(gateway.dispense(3).ended, Ended::Done);
    machine.order("jam 4");
    assert!(matches!(gateway.dispense(4).ended, Ended::Failed(_)), "a jammed lane");
    machine.order("blind on");
    assert!(matches!(gateway.dispense(5).ended, Ended::Failed(_)), "nothing was seen");
    machine.order("blind off");
    let totals = machine.totals();
    assert_eq!(lane(&totals, 3), (1, 1, 0));
    assert_eq!(lane(&totals, 4), (1, 0, 0));
    assert_eq!(lane(&totals, 5), (1, 1, 0), "a blind sensor and a product that fell");

    machine.order("coin 500");
    machine.order("swallow 200");
    machine.order("select 2");
    let cash = |heard: &&Heard| matches!(heard, Heard::Cash { .. });
    gateway.until("both are reported", |gateway| gateway.heard.iter().filter(cash).count() >= 2);
    gateway.until("the button", |gateway| gateway.heard.contains(&Heard::Selection(Some(2))));
    gateway.until("what the machine sold by itself", |gateway| {
        gateway.heard.iter().any(|heard| matches!(heard, Heard::Unasked { slot: Some(2), ended: Ended::Done }))
    });
    let totals = machine.totals();
    assert_eq!(
        (totals["money_minor"]["into"].as_u64(), totals["money_minor"]["kept"].as_u64()),
        (Some(700), Some(550))
    );
    let polls = &totals["polls"];
    println!("polls: {polls}");
    assert!(polls["answered"].as_u64() > Some(20));
    assert_eq!(polls["unanswered"].as_u64(), Some(0));

    machine.order("silent 5s");
    gateway.until("it is known to be silent", |gateway| gateway.silent);
    gateway.until("it speaks again", |gateway| !gateway.silent);
    assert_eq!((machine.said("turned"), machine.said("fell"), machine.said("answered")), (4, 3, 0));
}

#[test]
fn power_that_goes_when_the_product_has_fallen_leaves_the_order_indeterminate_and_turns_nothing_again() {
    let mut machine = Simulator::start("xy-vmc", &[]);
    let mut gateway = Gateway::open(&machine.line, xy(Instant::now()));
    machine.order("power-off mid-turn");
    let asked = gateway.ask(7);
    let command = asked.command.clone();
    gateway.act(VendAction::Dispense(asked));
    gateway.until("it is given up", |gateway| gateway.ended(&command).is_some());
    assert!(matches!(gateway.ended(&command).unwrap().ended, Ended::Indeterminate(_)));
    machine.order("power on");
    gateway.until("it is back", |gateway| !gateway.silent);
    assert_eq!(gateway.dispense(8).ended, Ended::Done);
    let totals = machine.totals();
    assert_eq!((lane(&totals, 7), lane(&totals, 8)), ((1, 1, 1), (1, 1, 0)));
}

#[test]
fn a_line_that_flips_bits_and_bad_orders_stop_nothing() {
    let mut machine = Simulator::start("xy-vmc", &["--seed", "4"]);
    for line in ["jump 3", "jam", "coin many", "flip-bits 300"] {
        machine.order(line);
    }
    let mut gateway = Gateway::open(&machine.line, xy(Instant::now()));
    let ended: Vec<Ended> = (1..=4).map(|slot| gateway.dispense(slot).ended).collect();
    let totals = machine.totals();
    println!("{ended:?}, {totals}");
    for (slot, ended) in (1..).zip(&ended) {
        let (turned, fell, _) = lane(&totals, slot);
        assert!(turned <= 1);
        assert!(*ended != Ended::Done || fell == 1, "money for nothing in lane {slot}");
        assert!(!matches!(ended, Ended::Failed(_)) || fell == 0, "a gift in lane {slot}");
    }
    drop(gateway);
    let (last, errors) = machine.end();
    assert_eq!(last["totals"]["turned"], totals["turned"]);
    assert_eq!(errors.lines().count(), 3, "{errors}");
    assert!(errors.contains("there is no order \"jump\"") && errors.contains("\"jam\" wants SLOT"), "{errors}");
}

#[test]
fn an_mdb_machine_sells_what_was_paid_and_a_reset_counts_as_success() {
    let mut machine = Simulator::start("mdb-qibixx", &[]);
    let settings = MdbSettings::default();
    let mut gateway = Gateway::open(&machine.line, Box::new(MdbMachine::new(settings, Instant::now())));
    machine.order("select 3");
    // The adapter is told what it is when the line is opened; only then a button opens a sale.
    gateway.until("the adapter greets", |gateway| gateway.heard.is_empty() && !gateway.silent);
    let chosen = |heard: &Heard| matches!(heard, Heard::Chosen { slot: 2, price_minor: 350 });
    let started = Instant::now();
    while !gateway.heard.iter().any(chosen) {
        assert!(started.elapsed() < PATIENCE, "the choice never came: {:?}", gateway.heard);
        machine.order("select 2");
        let pressed = Instant::now();
        gateway.until("a moment", |gateway| {
            gateway.heard.iter().any(chosen) || pressed.elapsed() > Duration::from_millis(300)
        });
    }
    let asked = gateway.ask(2);
    let command = asked.command.clone();
    gateway.act(VendAction::Approve(asked));
    gateway.until("it is out", |gateway| gateway.ended(&command).is_some());
    assert_eq!(gateway.ended(&command).unwrap().ended, Ended::Done);

    machine.order("shopper 5");
    assert_eq!(gateway.dispense(5).ended, Ended::Done);
    machine.order("jam 5");
    assert!(matches!(gateway.dispense(5).ended, Ended::Failed(_)));
    machine.order("clear 5");
    machine.order("power-off mid-turn");
    let asked = gateway.ask(5);
    let command = asked.command.clone();
    gateway.act(VendAction::Dispense(asked));
    let started = Instant::now();
    while machine.said("cut-off") == 0 {
        assert!(started.elapsed() < PATIENCE, "the power never went");
        let moment = Instant::now();
        gateway.until("a moment", |_| moment.elapsed() > Duration::from_millis(50));
    }
    assert!(gateway.ended(&command).is_none(), "nobody knows yet");
    machine.order("power on");
    gateway.until("the machine's reset decides", |gateway| gateway.ended(&command).is_some());
    let by_rule = gateway.ended(&command).unwrap();
    assert_eq!((&by_rule.ended, by_rule.rule), (&Ended::Done, Some("mdb-reset")));
    let totals = machine.totals();
    assert_eq!((lane(&totals, 2), lane(&totals, 5), lane(&totals, 3)), ((1, 1, 0), (3, 2, 1), (0, 0, 0)));
}

#[test]
fn a_card_reader_keeps_what_was_sold_and_gives_back_what_was_not() {
    let mut machine = Simulator::start("mdb-qibixx", &[]);
    let settings = MdbSettings { role: Role::Master, ..MdbSettings::default() };
    let mut gateway = Gateway::open(&machine.line, Box::new(MdbMachine::new(settings, Instant::now())));
    let mut number = 0;
    let mut run = |gateway: &mut Gateway, action: fn(CommandId) -> VendAction| {
        number += 1;
        let command = CommandId::new(&format!("charge-{number}")).unwrap();
        gateway.act(action(command.clone()));
        let of = |heard: &Heard| match heard {
            Heard::Ended(outcome) if outcome.command == command => Some(outcome.ended.clone()),
            _ => None,
        };
        gateway.until("it ends", |gateway| gateway.heard.iter().any(|heard| of(heard).is_some()));
        gateway.heard.iter().find_map(of).unwrap()
    };
    let charge = |command| VendAction::Charge { command, slot: 1, price_minor: 120 };
    let started = Instant::now();
    while run(&mut gateway, charge) != Ended::Done {
        assert!(started.elapsed() < PATIENCE, "the reader is never there");
        let moment = Instant::now();
        gateway.until("a moment", |_| moment.elapsed() > Duration::from_millis(100));
    }
    assert_eq!(run(&mut gateway, |command| VendAction::EndCharge { command, dispensed: true }), Ended::Done);
    assert_eq!(run(&mut gateway, charge), Ended::Done);
    assert_eq!(run(&mut gateway, |command| VendAction::EndCharge { command, dispensed: false }), Ended::Done);
    let dear = |command| VendAction::Charge { command, slot: 1, price_minor: 99_999 };
    assert!(matches!(run(&mut gateway, dear), Ended::Failed(_)));
    let money = machine.totals()["money_minor"].clone();
    assert_eq!((money["kept"].as_u64(), money["returned"].as_u64()), (Some(120), Some(120)));
}

#[test]
fn a_lane_board_dispenses_and_says_a_result_once() {
    let mut machine = Simulator::start("zdm8", &["--lanes", "9"]);
    let settings = Zdm8Settings::default();
    let mut gateway = Gateway::open(&machine.line, Box::new(Zdm8Machine::new(settings.clone(), Instant::now())));
    assert_eq!(gateway.dispense(3).ended, Ended::Done);
    machine.order("jam 4");
    assert!(matches!(gateway.dispense(4).ended, Ended::Failed(_)));
    machine.order("late 2s");
    assert_eq!(gateway.dispense(5).ended, Ended::Done);
    machine.order("late 0ms");

    // The gateway is killed while the motor turns: the next one reads what the board has kept.
    let asked = gateway.ask(6);
    let command = asked.command.clone();
    gateway.act(VendAction::Dispense(asked));
    let started = Instant::now();
    while machine.totals()["lanes"]["6"].is_null() {
        assert!(started.elapsed() < PATIENCE, "the motor never turned");
        let moment = Instant::now();
        gateway.until("a moment", |_| moment.elapsed() > Duration::from_millis(20));
    }
    drop(gateway);
    let mut gateway = Gateway::open(&machine.line, Box::new(Zdm8Machine::new(settings, Instant::now())));
    gateway.act(VendAction::Recover { command: command.clone(), slot: 6 });
    gateway.until("the board says it", |gateway| gateway.ended(&command).is_some());
    assert_eq!(gateway.ended(&command).unwrap().ended, Ended::Done);

    machine.order("power-off mid-turn");
    let asked = gateway.ask(7);
    let command = asked.command.clone();
    gateway.act(VendAction::Dispense(asked));
    gateway.until("it is silent", |gateway| gateway.silent);
    machine.order("power on");
    gateway.until("it is given up", |gateway| gateway.ended(&command).is_some());
    assert!(matches!(gateway.ended(&command).unwrap().ended, Ended::Indeterminate(_)));
    let totals = machine.totals();
    let lanes: Vec<_> = (3..=7).map(|slot| lane(&totals, slot)).collect();
    assert_eq!(lanes, [(1, 1, 0), (1, 0, 0), (1, 1, 0), (1, 1, 0), (1, 1, 1)]);
}
