//! A lane board: it answers, and says a final state once.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::lanes::Mechanics;
use super::{Do, Setup, Truth};
use crate::wire::framer::{Framer, Piece};
use crate::wire::zdm8::{CLIMATE, DISPENSE, DOOR, HARDWARE, Reply, Request, SOFTWARE, STATE, StateCodes};
use crate::wire::{Input, Machine, Output};

const ADDRESS: u8 = 1;
/// Exceptions of the board.
const BAD_ADDRESS: u8 = 2;
const BAD_VALUE: u8 = 3;
const BUSY: u8 = 6;
/// What it says of a lane that gave nothing out.
const FAULT: u8 = 7;
/// How long it takes to start.
const BOOT: Duration = Duration::from_millis(800);

/// The board.
#[derive(Debug)]
pub struct Zdm8Sim {
    mechanics: Mechanics,
    framer: Framer<Request>,
    codes: StateCodes,
    /// Success or failure that nobody has read.
    result: Option<bool>,
    /// A result that it says only from then on.
    result_at: Instant,
    fault: u8,
    deaf_until: Instant,
}

impl Zdm8Sim {
    /// Switched on just now.
    pub fn new(setup: Setup, now: Instant) -> Self {
        Self {
            mechanics: Mechanics::new(setup),
            framer: Request::framer(ADDRESS, Duration::from_millis(50), now),
            codes: StateCodes::default(),
            result: None,
            result_at: now,
            fault: 0,
            deaf_until: now,
        }
    }

    fn act(&mut self, now: Instant, action: &Do) {
        self.mechanics.act(now, action);
        if *action == Do::PowerOn {
            self.result = None;
            self.fault = 0;
            self.deaf_until = now + BOOT;
        }
    }

    fn request(&mut self, now: Instant, request: &Request) {
        let reply = match request {
            Request::Read { register, words } => self.read(now, *register, *words),
            Request::Write { register: DISPENSE, bytes } => self.dispense(now, bytes),
            Request::Write { .. } => Reply::Exception { function: 0x10, code: BAD_ADDRESS },
        };
        self.mechanics.send(reply.encode(ADDRESS));
    }

    fn read(&mut self, now: Instant, register: u16, words: u8) -> Reply {
        Reply::Read(match (register, words) {
            (HARDWARE, 2) => vec![0x20, 0x02, 10, 10],
            (SOFTWARE, 2) => vec![0x20, 0x20, 0x02, 0x20],
            (STATE, 1) => vec![self.take_state(now), self.fault],
            (CLIMATE, 2) => vec![0x00, 0xd2, 0x02, 0x26],
            (DOOR, 1) => vec![1, 1],
            _ => return Reply::Exception { function: 0x06, code: BAD_ADDRESS },
        })
    }

    /// A final state is said once, whether the answer arrives or not.
    fn take_state(&mut self, now: Instant) -> u8 {
        if self.mechanics.turning() || now < self.result_at {
            return self.codes.busy;
        }
        match self.result.take() {
            Some(true) => self.codes.success,
            Some(false) => self.codes.failed,
            None => self.codes.idle,
        }
    }

    fn dispense(&mut self, now: Instant, bytes: &[u8]) -> Reply {
        let [lane, _, drop_sensor, _] = bytes else { return Reply::Exception { function: 0x10, code: BAD_VALUE } };
        let slot = u16::from(*lane);
        if self.mechanics.turning() || now < self.result_at {
            return Reply::Exception { function: 0x10, code: BUSY };
        }
        if !self.mechanics.lanes.contains_key(&slot) {
            return Reply::Exception { function: 0x10, code: BAD_VALUE };
        }
        self.result = None;
        self.fault = 0;
        self.mechanics.start(now, slot, *drop_sensor != 0);
        Reply::Written { register: DISPENSE, words: 2 }
    }

    fn tick(&mut self, now: Instant) {
        if let Some(turned) = self.mechanics.tick(now) {
            self.result = Some(turned.good);
            self.result_at = now + self.mechanics.late;
            self.fault = if turned.good { 0 } else { FAULT };
        }
    }
}

impl Machine for Zdm8Sim {
    type Action = Do;
    type Observation = Truth;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, Do>) -> Result<(), Infallible> {
        self.tick(now);
        let mut pieces = Vec::new();
        match input {
            Input::Bytes(bytes) if self.mechanics.powered && now >= self.deaf_until => {
                self.framer.push(now, bytes, |piece| pieces.push(piece));
            }
            Input::Bytes(_) => {}
            Input::Action(action) => self.act(now, &action),
            Input::Tick => self.framer.tick(now, |piece| pieces.push(piece)),
        }
        for piece in pieces {
            if let Piece::Frame(request) = piece {
                self.request(now, &request);
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Truth>> {
        self.mechanics.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        [self.mechanics.deadline(), self.framer.deadline()].into_iter().flatten().min()
    }

    fn in_flight(&self) -> bool {
        self.mechanics.turning()
    }
}
