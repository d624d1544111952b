//! An adapter on an MDB bus: with an existing machine behind it, or with a card reader.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::lanes::Mechanics;
use super::{Do, Setup, Truth};
use crate::wire::mdb::{Lines, MasterState, Piece, Said, SlaveState, minor};
use crate::wire::{Input, Machine, Output};

/// How long machine or reader take for each step.
const STEP: Duration = Duration::from_millis(300);
const DECIMALS: u8 = 2;
/// What the reader says no to: more than this in the currency's smallest unit.
const CARD_LIMIT: u32 = 10_000;

/// The adapter and what is behind it.
#[derive(Debug)]
pub struct MdbSim {
    mechanics: Mechanics,
    lines: Lines,
    /// As a cashless device; `None`: it was not told to be one.
    slave: Option<SlaveState>,
    /// As the machine of a reader.
    master: Option<MasterState>,
    shopper: Option<u16>,
    /// What is said next, and when.
    next: Option<(Instant, Said)>,
    charge: u32,
}

impl MdbSim {
    /// Switched on just now.
    pub fn new(setup: Setup, now: Instant) -> Self {
        let lines = Lines::new(Duration::from_millis(200), now);
        let mechanics = Mechanics::new(setup);
        Self { mechanics, lines, slave: None, master: None, shopper: None, next: None, charge: 0 }
    }

    fn say(&mut self, said: &Said) {
        self.mechanics.send(format!("{}\r\n", said.line(DECIMALS)).into_bytes());
    }

    fn state(&mut self, state: SlaveState) {
        self.slave = Some(state);
        self.say(&Said::Slave(state));
    }

    fn act(&mut self, now: Instant, action: &Do) {
        self.mechanics.act(now, action);
        match *action {
            // The adapter lives on the bus' power; a machine that starts resets its reader.
            Do::PowerOn if self.slave.is_some() => {
                self.state(SlaveState::Inactive);
                self.next = Some((now + STEP, Said::Slave(SlaveState::Enabled)));
            }
            Do::Choose(item) => self.choose(item),
            Do::Shopper(item) => self.shopper = item,
            _ => {}
        }
    }

    fn choose(&mut self, item: u16) {
        let open = matches!(self.slave, Some(SlaveState::Enabled | SlaveState::Idle));
        if open && self.mechanics.lanes.contains_key(&item) {
            self.next = None;
            self.state(SlaveState::Vend { price_minor: self.mechanics.setup.price_minor, item });
        }
    }

    fn line(&mut self, now: Instant, line: &str) {
        let words: Vec<&str> = line.split(',').collect();
        match words[..] {
            ["C", "1"] if self.slave.is_some() => self.say(&Said::SlaveError),
            ["C", "1"] => {
                self.say(&Said::Ack);
                self.state(SlaveState::Inactive);
                self.next = Some((now + STEP, Said::Slave(SlaveState::Enabled)));
            }
            ["C", "0"] => self.slave = None,
            ["C", "START", _credit] if self.slave == Some(SlaveState::Enabled) => {
                self.state(SlaveState::Idle);
                let price_minor = self.mechanics.setup.price_minor;
                let chosen = |item| (now + STEP, Said::Slave(SlaveState::Vend { price_minor, item }));
                self.next = self.shopper.map(chosen);
            }
            ["C", "STOP"] if self.slave.is_some() && !self.mechanics.turning() => {
                self.next = None;
                self.state(SlaveState::Enabled);
            }
            ["C", "VEND", paid] => self.approved(now, paid),
            ["D", ..] => self.master_line(now, &words[1..]),
            _ => self.say(&Said::Other),
        }
    }

    /// The machine turns for every approval of what it asked for; one that it did not ask for it does not hear.
    fn approved(&mut self, now: Instant, paid: &str) {
        match self.slave {
            Some(SlaveState::Vend { price_minor, item })
                if minor(paid, DECIMALS) >= Some(price_minor) && !self.mechanics.turning() =>
            {
                self.slave = Some(SlaveState::Idle);
                self.mechanics.start(now, item, true);
            }
            _ => self.say(&Said::SlaveError),
        }
    }

    fn master_line(&mut self, now: Instant, words: &[&str]) {
        match words {
            ["2" | "1"] if self.master.is_some() => self.say(&Said::MasterError),
            ["2" | "1"] => {
                self.say(&Said::Ack);
                self.master_state(MasterState::Reset);
                self.next = Some((now + STEP, Said::Master(MasterState::Init)));
            }
            ["READER", "1"] => self.master_state(MasterState::Idle),
            ["REQ", price, _item] if self.master == Some(MasterState::Idle) => {
                self.charge = minor(price, DECIMALS).unwrap_or(u32::MAX);
                self.master_state(MasterState::Vend);
                let approved_minor = (self.charge <= CARD_LIMIT).then_some(self.charge);
                self.next = Some((now + STEP, Said::Master(MasterState::Result { approved_minor })));
            }
            ["END", rest @ ..] => {
                if let Some(MasterState::Result { approved_minor: Some(charged) }) = self.master {
                    self.mechanics.truth(Truth::Charged(charged, rest.is_empty()));
                }
                self.master_state(MasterState::Idle);
            }
            ["STOP"] => {
                self.next = None;
                self.master_state(MasterState::Idle);
            }
            ["0"] => self.master = None,
            _ => self.say(&Said::MasterError),
        }
    }

    fn master_state(&mut self, state: MasterState) {
        self.master = Some(state);
        self.say(&Said::Master(state));
    }

    fn tick(&mut self, now: Instant) {
        if let Some(turned) = self.mechanics.tick(now) {
            let said = if turned.good { Said::VendSuccess } else { Said::VendFailure };
            self.next = Some((now + self.mechanics.late, said));
        }
        if !self.mechanics.powered {
            self.next = None;
        }
        if let Some((_, said)) = self.next.take_if(|(at, _)| now >= *at) {
            match said {
                Said::Slave(state) => self.state(state),
                Said::Master(state) => self.master_state(state),
                said => {
                    self.say(&said);
                    self.state(SlaveState::Enabled);
                }
            }
        }
    }
}

impl Machine for MdbSim {
    type Action = Do;
    type Observation = Truth;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, Do>) -> Result<(), Infallible> {
        let mut pieces = Vec::new();
        match input {
            Input::Bytes(bytes) if self.mechanics.powered => self.lines.push(now, bytes, |piece| pieces.push(piece)),
            Input::Bytes(_) => {}
            Input::Action(action) => self.act(now, &action),
            Input::Tick => self.lines.tick(now, |piece| pieces.push(piece)),
        }
        for piece in pieces {
            if let Piece::Line(line) = piece {
                self.line(now, &line);
            }
        }
        self.tick(now);
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Truth>> {
        self.mechanics.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        let next = self.next.as_ref().map(|(at, _)| *at);
        [next, self.mechanics.deadline(), self.lines.deadline()].into_iter().flatten().min()
    }

    fn in_flight(&self) -> bool {
        self.mechanics.turning()
    }
}
