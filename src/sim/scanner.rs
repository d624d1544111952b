//! The other end of a scanner's line: a GM65, or a scanner that only sends.
//!
//! A pure machine on the same wire layer as the driver. What it really did is its observation, [`Truth`], so that a
//! test can compare what the gateway believes with what happened. [`super::pty`] puts it behind a real line.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use crate::types::Symbology;
use crate::wire::scan::gm65::{AIM_BIT, Check, Command, MODE_MASK, Parsed, Reply};
use crate::wire::scan::gm65::{ZONE_AIM, ZONE_MODE, ZONE_TRIGGER, ZONE_VERSION};
use crate::wire::scan::{ScanMode, Terminator};
use crate::wire::{Input, Machine, Output};

/// The module drops a command whose bytes are further apart than this (manual: 400 ms).
const COMMAND_GAP: Duration = Duration::from_millis(400);
/// Codes that lie before the scanner in command mode, at most; more are not seen.
const PRESENTED: usize = 64;
/// The version byte it tells.
const VERSION: u8 = 0x57;
/// Zone 0000 at power-up: LED and sound on, manual mode. A choice of this simulator.
const FACTORY_MODE: u8 = 0xd4;

/// A code that is held before the scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    /// Its symbology, which the scanner says when it was told to.
    pub symbology: Symbology,
    /// What is in it.
    pub text: String,
}

/// How the scanner answers commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// With a CRC.
    Crc,
    /// With `AB CD` in the CRC's place.
    Wildcard,
    /// Not at all: its receive wire is off, or it takes no commands.
    Never,
}

/// What somebody does with the scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Presses the button before a code: it is sent in every mode.
    Scan(Print),
    /// Holds a code before the scanner: sent at once in continuous and sensor mode, in command mode when it is
    /// triggered, in manual mode not at all.
    Present(Print),
    /// Cuts the cable's signal in the middle of a code, after so many bytes of it.
    Cut(Print, usize),
    /// Disturbs the line with these bytes.
    Disturb(Vec<u8>),
    /// Changes how it answers.
    Answer(Answers),
    /// Takes its power away and gives it back: what was written to its RAM is gone.
    PowerCycle,
}

/// What really happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// With the bytes before this, a code is complete, terminator included.
    Sent(Print),
    /// The bytes before this are the beginning of a code that will never end.
    Cut(Print),
    /// A command was obeyed.
    Obeyed(Command),
}

/// How the scanner is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What it sends after a code.
    pub terminator: Terminator,
    /// How it answers.
    pub answers: Answers,
    /// Whether it says the symbology before it is told to.
    pub aim_ids: bool,
}

/// The scanner.
#[derive(Debug)]
pub struct Scanner {
    setup: Setup,
    zones: BTreeMap<u16, u8>,
    command: Vec<u8>,
    last_byte: Option<Instant>,
    presented: VecDeque<Print>,
    out: VecDeque<Output<Truth>>,
}

impl Scanner {
    /// As it comes from the factory, but for its setup.
    pub fn new(setup: Setup) -> Self {
        let zones = factory(&setup);
        let (presented, out) = (VecDeque::new(), VecDeque::new());
        Self { setup, zones, command: Vec::new(), last_byte: None, presented, out }
    }

    /// What a zone holds.
    pub fn zone(&self, zone: u16) -> u8 {
        self.zones.get(&zone).copied().unwrap_or(0)
    }

    /// The mode it is in.
    pub fn mode(&self) -> ScanMode {
        let modes = [ScanMode::Manual, ScanMode::Command, ScanMode::Continuous, ScanMode::Sensor];
        modes[usize::from(self.zone(ZONE_MODE) & MODE_MASK)]
    }

    fn act(&mut self, action: Do) {
        match action {
            Do::Scan(print) => self.send(print),
            Do::Present(print) => self.present(print),
            Do::Cut(print, bytes) => {
                let mut code = self.encode(&print);
                code.truncate(bytes.min(code.len().saturating_sub(1)));
                self.out.push_back(Output::Send(code));
                self.out.push_back(Output::Observe(Truth::Cut(print)));
            }
            Do::Disturb(bytes) => self.out.push_back(Output::Send(bytes)),
            Do::Answer(answers) => self.setup.answers = answers,
            Do::PowerCycle => {
                self.zones = factory(&self.setup);
                self.command.clear();
            }
        }
    }

    fn present(&mut self, print: Print) {
        match self.mode() {
            ScanMode::Continuous | ScanMode::Sensor => self.send(print),
            ScanMode::Command if self.presented.len() < PRESENTED => self.presented.push_back(print),
            ScanMode::Command | ScanMode::Manual => {}
        }
    }

    fn send(&mut self, print: Print) {
        self.out.push_back(Output::Send(self.encode(&print)));
        self.out.push_back(Output::Observe(Truth::Sent(print)));
    }

    fn encode(&self, print: &Print) -> Vec<u8> {
        let aim = self.zone(ZONE_AIM) & AIM_BIT != 0;
        let mut code = if aim { print.symbology.to_string().into_bytes() } else { Vec::new() };
        code.extend(print.text.as_bytes());
        code.extend(self.setup.terminator.bytes());
        code
    }

    fn listen(&mut self, now: Instant, byte: u8) {
        if self.last_byte.is_some_and(|last| now.saturating_duration_since(last) > COMMAND_GAP) {
            self.command.clear();
        }
        self.last_byte = Some(now);
        self.command.push(byte);
        while !self.command.is_empty() {
            match Command::parse(&self.command) {
                Parsed::Incomplete => break,
                Parsed::Whole(command, _) => {
                    self.command.clear();
                    self.obey(command);
                }
                Parsed::No => {
                    self.command.remove(0);
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let check = match self.setup.answers {
            Answers::Crc => Check::Crc,
            Answers::Wildcard => Check::Wildcard,
            Answers::Never => return,
        };
        let reply = match &command {
            Command::Read { zone, count } => {
                Reply { data: (0..u16::from(*count)).map(|next| self.zone(zone.wrapping_add(next))).collect() }
            }
            Command::Write { zone, data } => {
                for (next, value) in (0..).zip(data) {
                    self.zones.insert(zone.wrapping_add(next), *value);
                }
                Reply::done()
            }
            Command::Save => Reply::done(),
        };
        self.out.push_back(Output::Send(reply.encode(check)));
        let triggered = matches!(&command, Command::Write { zone: ZONE_TRIGGER, data } if data.first() == Some(&1));
        self.out.push_back(Output::Observe(Truth::Obeyed(command)));
        if triggered
            && self.mode() == ScanMode::Command
            && let Some(print) = self.presented.pop_front()
        {
            self.send(print);
        }
    }
}

fn factory(setup: &Setup) -> BTreeMap<u16, u8> {
    let aim = if setup.aim_ids { AIM_BIT } else { 0 };
    BTreeMap::from([(ZONE_MODE, FACTORY_MODE), (ZONE_AIM, aim), (ZONE_VERSION, VERSION)])
}

impl Machine for Scanner {
    type Action = Do;
    type Observation = Truth;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, Do>) -> Result<(), Infallible> {
        match input {
            Input::Bytes(bytes) => bytes.iter().for_each(|byte| self.listen(now, *byte)),
            Input::Action(action) => self.act(action),
            Input::Tick => {}
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Truth>> {
        self.out.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn in_flight(&self) -> bool {
        false
    }
}
